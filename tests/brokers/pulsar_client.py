# SPDX-License-Identifier: Apache-2.0
"""The official client of Pulsar (package pulsar-client), in a process of its own.

It is fetched when it is first needed, and its library stays out of this process.

`python -m brokers.pulsar_client` reads an address and then orders as JSON lines, and answers each
with one. Orders are `read` (topic, count: waits for that many different messages, then reads on to
the end), `write` (topic, payloads) and `keep` (topic: a subscription, so that the topic keeps what
comes). Payloads are Base64.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, NamedTuple

__all__ = ["CLIENT_VERSION", "PulsarClient", "PulsarMessage"]

CLIENT_VERSION = "3.13.0"
_PATIENCE_MS = 180_000


class PulsarMessage(NamedTuple):
    """A message that the client read."""

    payload: bytes
    properties: dict[str, str]


class PulsarClient:
    """The other process; used by one thread."""

    def __init__(self, url: str, *, user: str = "", password: str = "", cafile: str = "") -> None:
        """Starts it.

        Args:
            url: `pulsar://host:port`, or `pulsar+ssl://`.
            user: for basic authentication; empty: none.
            password: its password.
            cafile: authorities, for TLS.

        Raises:
            BrokerError: the client cannot be fetched.
        """
        from dsmsg.brokers._registries import pip_folder

        folder = pip_folder("pulsar-client", CLIENT_VERSION)
        tests = Path(__file__).resolve().parent.parent
        address = {"url": url, "user": user, "password": password, "cafile": cafile}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "brokers.pulsar_client"],
            env={**os.environ, "PYTHONPATH": f"{folder}:{tests}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._ask(**address)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def read(self, topic: str, count: int = 0) -> list[PulsarMessage]:
        """Returns what the topic holds, in its order.

        Args:
            topic: its name.
            count: different messages that are waited for, three minutes at most.

        Raises:
            ReaderError: the client cannot read.
        """
        found = self._ask(order="read", topic=topic, count=count)
        return [PulsarMessage(base64.b64decode(data), more) for data, more in found]

    def keep(self, topic: str) -> None:
        """Makes the topic, and an unread subscription: the topic keeps what comes.

        Raises:
            ReaderError: the client cannot subscribe.
        """
        self._ask(order="keep", topic=topic)

    def write(self, topic: str, payloads: list[bytes]) -> None:
        """Writes messages and waits for each acknowledgement.

        Raises:
            ReaderError: the client cannot write.
        """
        texts = [base64.b64encode(payload).decode("ascii") for payload in payloads]
        self._ask(order="write", topic=topic, payloads=texts)

    def _ask(self, **order: object) -> Any:  # noqa: ANN401
        from brokers.readers import ReaderError

        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except OSError as error:
                raise ReaderError(f"pulsar: the client has ended: {error}") from error
        answer = json.loads(line or '{"error": "the client has ended"}')
        if "error" in answer:
            raise ReaderError(f"pulsar: {answer['error']}")
        return answer["found"]


# What follows runs in the other process.


def _read(client: Any, order: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:  # noqa: ANN401
    import pulsar  # type: ignore[import-not-found]

    reader = client.create_reader(order["topic"], pulsar.MessageId.earliest)
    found, different = [], set()
    try:
        while len(different) < order["count"] or reader.has_message_available():
            try:
                message = reader.read_next(_PATIENCE_MS)
            except pulsar.Timeout:
                break
            data = message.data()
            different.add(data)
            found.append((base64.b64encode(data).decode("ascii"), dict(message.properties())))
    finally:
        reader.close()
    return found


def _write(client: Any, order: dict[str, Any]) -> None:  # noqa: ANN401
    producer = client.create_producer(order["topic"], block_if_queue_full=True)
    for text in order["payloads"]:
        producer.send(base64.b64decode(text))
    producer.close()


def _keep(client: Any, order: dict[str, Any]) -> None:  # noqa: ANN401
    client.subscribe(order["topic"], "kept").close()


def _open(address: dict[str, str]) -> Any:  # noqa: ANN401
    import pulsar

    more: dict[str, Any] = {}
    if address["user"]:
        more["authentication"] = pulsar.AuthenticationBasic(address["user"], address["password"])
    if address["cafile"]:
        more["tls_trust_certs_file_path"] = address["cafile"]
    log = pulsar.FileLogger(pulsar.LoggerLevel.Error, "/dev/stderr")
    return pulsar.Client(address["url"], logger=log, **more)


def _serve(orders: IO[str], answers: IO[str]) -> None:
    client: Any = None
    for line in orders:
        order = json.loads(line)
        found: Any = None
        try:
            if client is None:
                client = _open(order)
            else:
                found = {"read": _read, "write": _write, "keep": _keep}[order["order"]](
                    client, order
                )
            answer = {"found": found}
        except Exception as error:
            answer = {"error": repr(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    if client is not None:
        client.close()


if __name__ == "__main__":
    _serve(sys.stdin, sys.stdout)
