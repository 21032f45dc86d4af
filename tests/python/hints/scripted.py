# SPDX-License-Identifier: Apache-2.0
"""Servers that do one thing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

__all__ = ["Script", "ScriptedServer", "closes", "speaks_http", "stays_silent", "wants_tls"]

Script = Callable[[socket.socket], None]


class ScriptedServer:
    """Does the same with every connection, which stays open unless the script closes it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Ends all connections."""
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        try:
            self._script(connection)
        except OSError:  # the other side was faster
            connection.close()


def closes(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.close()


def stays_silent(connection: socket.socket) -> None:
    pass


def speaks_http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def wants_tls(connection: socket.socket) -> None:
    """The alert of a TLS server that reads something else."""
    connection.recv(4096)
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
    connection.close()
