# SPDX-License-Identifier: Apache-2.0
"""A web server that keeps what is posted to it, and posts it on to subscribers: for tests.

HTTP has no broker. This program stands where a user's server would: `python -m
dsmsg.brokers._http_store PORT FILE`. Each request is in the file before it is answered. Paths below
`/.store/` control it; each takes a JSON object.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

__all__ = ["Store", "serve"]

_OF_A_HOP = ("Host", "Accept", "Content-Length", "Authorization")
_RETRY_S = 0.05
_LONG_S = 0.2
_MOST_SLOW = 64
_GIVE_UP_S = 60.0


class Store:
    """Messages in the order of their arrival, in memory and in a file.

    Threads: any.
    """

    def __init__(self, path: Path) -> None:
        """Reads what the file has.

        Args:
            path: lines of JSON; the last may be torn.
        """
        self.messages: list[dict[str, Any]] = []
        with contextlib.suppress(FileNotFoundError), path.open(encoding="ascii") as old:
            for line in old:
                if line.endswith("\n"):
                    self.messages.append(json.loads(line))
        text = "".join(json.dumps(each) + "\n" for each in self.messages)
        path.write_text(text, encoding="ascii")
        self._file = path.open("a", encoding="ascii")
        self.changed = threading.Condition()
        self.password = ""
        self.refused: dict[str, int] = {}
        self._subscribers: set[int] = set()
        self._path = path
        for file in path.parent.glob(f"{path.name}.*"):  # of subscribers before a restart
            self.subscribe(int(file.suffix[1:]))

    def add(self, topic: str, body: bytes, headers: dict[str, str]) -> None:
        """Keeps a message: the kernel has it when this returns."""
        entry = {"topic": topic, "body": base64.b64encode(body).decode(), "headers": headers}
        with self.changed:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()
            self.messages.append(entry)
            self.changed.notify_all()

    def subscribe(self, port: int) -> None:
        """Posts all messages, old and new, one after the other to this port of the loopback."""
        with self.changed:
            if port in self._subscribers:
                return
            self._subscribers.add(port)
        threading.Thread(target=self._forward, args=(port,), daemon=True).start()

    def _forward(self, port: int) -> None:
        """One after the other; beside those that wait for their answer for long."""
        place = self._path.with_name(f"{self._path.name}.{port}")
        position = int(place.read_text() or 0) if place.exists() else 0
        with self.changed:
            old = len(self.messages)
        unwanted: set[str] = set()  # among the topics of old messages
        slow: list[_Delivery] = []
        while True:
            with self.changed:
                if position >= len(self.messages):
                    self.changed.wait(1.0)
                    continue
                message = self.messages[position]
            if position < old and message["topic"] in unwanted:
                position += 1
                continue
            slow = [each for each in slow if each.outcome is None]
            if not slow:
                place.write_text(str(position))
            if len(slow) >= _MOST_SLOW:
                time.sleep(_RETRY_S)
                continue
            delivery = _Delivery(port, message)
            delivery.wait()
            if delivery.outcome is False:
                break
            if delivery.unwanted:
                unwanted.add(message["topic"])
            slow.append(delivery)
            position += 1
        place.unlink(missing_ok=True)
        with self.changed:
            self._subscribers.discard(port)


class _Delivery:
    """A message on its way to an endpoint, which may be away for a while."""

    def __init__(self, port: int, message: dict[str, Any]) -> None:
        """Begins."""
        self.outcome: bool | None = None
        self.unwanted = False
        self._asked = 0.0  # when the attempt under way began; 0.0: none is
        self._port, self._message = port, message
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it is done, or an answer takes long."""
        while self.outcome is None:
            self._thread.join(_RETRY_S)
            if self._asked and time.monotonic() - self._asked > _LONG_S:
                return

    def _run(self) -> None:
        end = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < end:
            self._asked = time.monotonic()
            status = _post(self._port, self._message)
            self._asked = 0.0
            if status in (204, 404):  # 404: nobody has subscribed to this topic
                self.unwanted = status == 404
                self.outcome = True
                return
            time.sleep(_RETRY_S)
        self.outcome = False


def _post(port: int, message: dict[str, Any]) -> int:
    """Returns the status, 0 if there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = base64.b64decode(message["body"])
        connection.request("POST", "/" + message["topic"], body, message["headers"])
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one segment for an answer
    store: ClassVar[Store]

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="store"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _allowed(self) -> bool:
        wanted = self.store.password
        given = self.headers.get("Authorization", "")
        if not wanted:
            return True
        with contextlib.suppress(ValueError):
            return base64.b64decode(given.removeprefix("Basic ")).decode().endswith(f":{wanted}")
        return False

    def do_GET(self) -> None:
        """Answers a probe."""
        self._answer(204 if self._allowed() else 401)

    def do_POST(self) -> None:
        """Takes a message, or an order."""
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # the connection ended in the middle
            self.close_connection = True
            return None
        if self.path.startswith("/.store/"):
            return self._control(json.loads(body))
        topic = unquote(self.path[1:])
        if not self._allowed():
            return self._answer(401)
        if status := self.store.refused.get(topic):
            return self._answer(status)
        given = {name: value for name, value in self.headers.items() if name not in _OF_A_HOP}
        self.store.add(topic, body, given)
        return self._answer(204)

    do_PUT = do_POST  # noqa: N815 - the base class's name

    def _control(self, order: dict[str, Any]) -> None:
        answer = b""
        if self.path.endswith("/messages"):  # their number, then each in hexadecimal
            found = [m["body"] for m in self.store.messages if m["topic"] == order["topic"]]
            lines = [str(len(found)), *(base64.b64decode(each).hex() for each in found)]
            answer = "\n".join(lines).encode()
        elif self.path.endswith("/entries"):  # a line each, with headers
            found = [json.dumps(m) for m in self.store.messages if m["topic"] == order["topic"]]
            answer = "\n".join(found).encode()
        elif self.path.endswith("/refuse"):
            self.store.refused[order["topic"]] = order["status"]
        elif self.path.endswith("/password"):
            self.store.password = order["password"]
        elif self.path.endswith("/subscribe"):
            self.store.subscribe(order["port"])
        else:
            return self._answer(404)
        return self._answer(200, answer)


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def serve(port: int, path: Path) -> None:
    """Runs until the process ends."""
    _Handler.store = Store(path)
    _Server(("127.0.0.1", port), _Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
