# SPDX-License-Identifier: Apache-2.0
"""The other clients of NATS, HTTP and Pulsar.

Threads: an object is used by one thread.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from brokers.pulsar_client import PulsarClient

from compat.stock import PATIENCE_S, Address, Seen, Stock, wait_for

__all__ = ["HttpStock", "NatsStock", "PulsarStock"]


def _context(at: Address) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=at.cafile)


def _texts(headers: dict[str, str]) -> dict[str, str]:
    """The bytes of headers as UTF-8: Python's server takes them for Latin-1.

    Names are in lower case, because it does not count, and Caddy changes it.
    """
    return {
        name.lower(): value.encode("latin-1").decode("utf-8") for name, value in headers.items()
    }


class _NatsClient:
    """The text protocol over a plain socket."""

    def __init__(self, at: Address) -> None:
        self._socket = socket.create_connection((at.host, at.port), timeout=PATIENCE_S)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()  # INFO
        if at.cafile:
            self._socket = _context(at).wrap_socket(self._socket, server_hostname=at.host)
            self._lines = self._socket.makefile("rb")
        login = {"user": at.user, "pass": at.password} if at.user else {}
        hello = {"verbose": False, "headers": True, "no_responders": True, **login}
        self._inbox = f"_INBOX.{uuid.uuid4().hex}"
        self.write(f"CONNECT {json.dumps(hello)}\r\nSUB {self._inbox} 1\r\n".encode())

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def message(self) -> tuple[dict[str, str], bytes]:
        """The next one: headers and payload."""
        while True:
            words = self._lines.readline().split()
            if not words or words[0] == b"-ERR":
                raise ConnectionError(f"nats: the server ended the connection: {words}")
            if words[0] == b"PING":
                self.write(b"PONG\r\n")
            if words[0] in (b"MSG", b"HMSG"):
                data = self._lines.read(int(words[-1]) + 2)[:-2]
                size = int(words[-2]) if words[0] == b"HMSG" else 0
                lines = data[:size].decode().split("\r\n")[1:]
                pairs = [line.split(": ", 1) for line in lines if ": " in line]
                return dict(pairs), data[size:]

    def request(self, subject: str, body: bytes) -> dict[str, Any]:
        head = f"PUB {subject} {self._inbox} {len(body)}\r\n".encode()
        self.write(head + body + b"\r\n")
        answer: dict[str, Any] = json.loads(self.message()[1] or b'{"error": "no stream"}')
        return answer

    def close(self) -> None:
        self._socket.close()


class NatsStock(Stock):
    """A stream for each subject, over a plain socket."""

    @contextlib.contextmanager
    def _client(self) -> Iterator[_NatsClient]:
        client = _NatsClient(self.at)
        try:
            yield client
        finally:
            client.close()

    def listen(self, topic: str) -> None:
        """Makes the stream."""
        name = topic.replace(".", "_")
        body = json.dumps({"name": name, "subjects": [topic]}).encode()
        with self._client() as client:
            answer = client.request(f"$JS.API.STREAM.CREATE.{name}", body)
        assert "error" not in answer, answer

    def read(self, topic: str, count: int) -> list[Seen]:
        """Reads the stream, once it has that many."""
        name = topic.replace(".", "_")

        def held() -> int:
            with self._client() as client:
                info = client.request(f"$JS.API.STREAM.INFO.{name}", b"")
            return int(info["state"]["messages"])

        wait_for(lambda: held() >= count, self.quiet)
        inbox = f"reader.{uuid.uuid4().hex}"
        config = {"deliver_subject": inbox, "ack_policy": "none"}
        body = json.dumps({"stream_name": name, "config": config}).encode()
        with self._client() as client:
            answer = client.request(f"$JS.API.CONSUMER.CREATE.{name}", body)
            client.write(f"SUB {inbox} 2\r\n".encode())  # nothing is delivered before
            found = [client.message() for _ in range(answer["num_pending"])]
        return [Seen(payload, headers) for headers, payload in found]

    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Waits for each acknowledgement."""
        with self._client() as client:
            for payload in payloads:
                answer = client.request(topic, payload)
                assert "seq" in answer, answer


class HttpStock(Stock):
    """Orders to the web server that keeps what is posted (`dsmsg.brokers._http_store`)."""

    def _post(self, path: str, body: bytes) -> bytes:
        at = self.at
        secure = {"context": _context(at)} if at.cafile else {}
        kind: Any = http.client.HTTPSConnection if at.cafile else http.client.HTTPConnection
        client = kind(at.host, at.port, timeout=PATIENCE_S, **secure)
        login = base64.b64encode(f"{at.user}:{at.password}".encode()).decode()
        try:
            client.request("POST", path, body, {"Authorization": f"Basic {login}"})
            response = client.getresponse()
            data: bytes = response.read()
        finally:
            client.close()
        assert response.status < 300, f"{path}: {response.status}"
        return data

    def _order(self, name: str, **order: object) -> bytes:
        return self._post(f"/.store/{name}", json.dumps(order).encode())

    def listen(self, topic: str) -> None:
        """Nothing: there are no topics."""

    def forward(self, port: int) -> None:
        """Posts what comes, and what is there, to an endpoint on this port."""
        self._order("subscribe", port=port)

    def read(self, topic: str, count: int) -> list[Seen]:
        """Returns what is there."""
        lines = self._order("entries", topic=topic).splitlines()
        found = [json.loads(line) for line in lines]
        return [Seen(base64.b64decode(each["body"]), _texts(each["headers"])) for each in found]

    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """One request each."""
        for payload in payloads:
            self._post(f"/{topic}", payload)


class PulsarStock(Stock):
    """The official client; a subscription has the topic keep what comes."""

    def __init__(self, at: Address, *, v5: bool = True, quiet: float = 8.0) -> None:
        """Starts the client's process."""
        super().__init__(at, v5=v5, quiet=quiet)
        scheme = "pulsar+ssl" if at.cafile else "pulsar"
        self._client = PulsarClient(
            f"{scheme}://{at.host}:{at.port}", user=at.user, password=at.password, cafile=at.cafile
        )

    def close(self) -> None:
        """Ends it."""
        self._client.close()

    def listen(self, topic: str) -> None:
        """Subscribes."""
        self._client.keep(topic)

    def read(self, topic: str, count: int) -> list[Seen]:
        """Reads the topic from its beginning."""
        return [Seen(payload, more) for payload, more in self._client.read(topic, count)]

    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Waits for each acknowledgement."""
        self._client.write(topic, list(payloads))
