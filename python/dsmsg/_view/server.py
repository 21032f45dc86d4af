# SPDX-License-Identifier: Apache-2.0
"""Serves the page of `dsmsg view`: its files, the changes as server-sent events, the pictures."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dsmsg._view.pictures import Pictures
from dsmsg._view.state import State

__all__ = ["ViewServer"]

_PAGE = Path(__file__).with_name("page")
_FILES = {
    "/": (_PAGE / "view.html", "text/html; charset=utf-8"),
    "/view.css": (_PAGE / "view.css", "text/css; charset=utf-8"),
    "/view.js": (_PAGE / "view.js", "text/javascript; charset=utf-8"),
}
"""All that is served as it is on the disk."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_MOST_CONNECTIONS = 64
_MOST_BROWSERS = 16
_AT_MOST_EVERY_S = 0.2  # updates of a browser
_AT_LEAST_EVERY_S = 1.0  # for rates, and to notice that a browser is gone
_SILENCE_S = 20.0  # of a client that neither sends nor takes anything


class ViewServer(ThreadingHTTPServer):
    """The server. Each connection has a thread; a slow browser gets fewer, newer updates.

    Threads: `serve_forever` on one, `shutdown` and `server_close` from any other.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, host: str, port: int, state: State, pictures: Pictures) -> None:
        """Listens.

        Args:
            host: a name or address.
            port: 0: any that is free.
            state: what the page shows.
            pictures: that it may show.

        Raises:
            OSError: the address cannot be had.
        """
        self.address_family, _, _, _, found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        address = str(found[0])
        self.state = state
        self.pictures = pictures
        self.names = {"localhost", host.lower(), socket.gethostname().lower()}
        self.browsers = threading.BoundedSemaphore(_MOST_BROWSERS)
        self._connections = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self.is_loopback = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        super().__init__((address, port), _Handler)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.server_port}/"

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Refuses connections beyond the most that there may be."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serves a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A browser that goes away is no error; all else is a bug, and shown as such."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version = "dsmsg"
    sys_version = ""
    timeout = _SILENCE_S

    def do_GET(self) -> None:
        """Answers."""
        path = urlsplit(self.path).path
        if not self._is_our_name():
            # A page elsewhere whose name was made to point here must not read this one.
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this is no name of the view")
        elif path in _FILES:
            file, kind = _FILES[path]
            self._answer(HTTPStatus.OK, kind, file.read_bytes())
        elif path == "/events":
            self._events()
        elif path.startswith("/picture/"):
            self._picture(path)
        elif path == "/favicon.ico":
            self._answer(HTTPStatus.NO_CONTENT, "image/x-icon", b"")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the terminal has the state of the link."""

    def _is_our_name(self) -> bool:
        name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        if name in self.server.names:
            return True
        with contextlib.suppress(ValueError):
            return bool(ipaddress.ip_address(name))
        return False

    def _head(self, status: HTTPStatus, kind: str, cache: str) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", cache)

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, cache: str = "no-store") -> None:
        self._head(status, kind, cache)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self._answer(status, "text/plain; charset=utf-8", text.encode())

    def _picture(self, path: str) -> None:
        """`/picture/TOKEN/NUMBER`: a picture by its number, never by a name."""
        state = self.server.state
        token, _, number = path[len("/picture/") :].partition("/")
        known = token == state.token and number.isascii() and number.isdigit() and len(number) < 19
        picture = state.picture(int(number)) if known else None
        if picture is None or not picture.evidence.stored:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such picture")
            return
        try:
            data = self.server.pictures.read(picture.evidence)
        except OSError as error:
            self._refuse(HTTPStatus.NOT_FOUND, str(error))
            return
        self._answer(HTTPStatus.OK, "image/jpeg", data, "private, max-age=3600, immutable")

    def _events(self) -> None:
        """Sends what changed, for as long as the browser takes it."""
        if not self.server.browsers.acquire(blocking=False):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many browsers look at this view")
            return
        try:
            self._head(HTTPStatus.OK, "text/event-stream; charset=utf-8", "no-store")
            self.end_headers()
            version, goes_on = 0, True
            while goes_on:
                version, update = self.server.state.changes(version)
                self.wfile.write(b"data: " + json.dumps(update).encode() + b"\n\n")
                time.sleep(_AT_MOST_EVERY_S)
                goes_on = self.server.state.wait(version, _AT_LEAST_EVERY_S)
        finally:
            self.server.browsers.release()
