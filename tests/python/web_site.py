# SPDX-License-Identifier: Apache-2.0
"""A web server that answers as a test likes."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dsmsg.adaptor import Adaptor
from dsmsg.connection import Connection

__all__ = ["Site"]


class Site:
    """A web server; `plan` has what it does with the next requests, then `answer` decides."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        """Starts it.

        Args:
            context: None: without TLS.
        """
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.heads: list[Message] = []  # of the same requests, with repeated names
        self.raw: list[bytes] = []  # answers to the next requests, each the end of its connection
        self.closes = False  # each connection ends after an answer that does not say so
        self.locks = True  # `answer` is called for one request at a time
        self.plan: list[tuple[int, dict[str, str]]] = []
        self.answer: Callable[[bytes], int] = lambda _: 204
        self.delay = 0.0
        self.at_once, self.most_at_once = 0, 0
        self.lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                with site.lock:
                    site.requests.append((self.command, self.path, dict(self.headers), body))
                    site.heads.append(self.headers)
                    raw = site.raw.pop(0) if site.raw else b""
                    planned = site.plan.pop(0) if site.plan else None
                    if planned is None and site.locks:
                        planned = site.answer(body), {}
                    site.at_once += 1
                    site.most_at_once = max(site.most_at_once, site.at_once)
                status, headers = planned or (site.answer(body), {})
                time.sleep(site.delay)
                with site.lock:
                    site.at_once -= 1
                self.close_connection = self.close_connection or site.closes or bool(raw)
                if raw:
                    self.wfile.write(raw)
                    return
                if status == 0:  # it takes the request and says nothing
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if headers.get("Transfer-Encoding") == "chunked":  # a body without an end
                    self.end_headers()
                    self.close_connection = True
                    while True:
                        self.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_GET = do_POST  # noqa: N815 - the base class's names

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (OSError, TypeError):
                    self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def connect(
        self, scheme: str = "http", base: str = "", host: str = "localhost", **options: object
    ) -> Connection:
        """Connects the adaptor."""
        given = {name.replace("_", "-"): value for name, value in options.items()}
        url = f"{scheme}://{host}:{self.port}{base}"
        return Adaptor("http").connect(url, given, work_thread=True)

    def bodies(self) -> list[bytes]:
        """What was posted."""
        return [body for _, _, _, body in self.requests]

    def by_body(self) -> list[tuple[bytes, Message]]:
        """What was posted, with its headers."""
        return list(zip(self.bodies(), self.heads))

    def close(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
