# SPDX-License-Identifier: Apache-2.0
"""Packets of JSON between the process that runs a certification and the one that forks.

Threads: one side may use it from several threads; a question and its answer belong together.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any, NoReturn

__all__ = ["Packets"]

_LARGEST = 1 << 20


class Packets:
    """One end of a socket that keeps packets apart."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lock = threading.Lock()

    @classmethod
    def pair(cls) -> tuple[Packets, socket.socket]:
        """Returns an end, and the socket of the other one, which a child inherits."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (ours, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        return cls(ours), theirs

    def send(self, value: dict[str, Any]) -> None:
        """Sends a packet; raises OSError when the other side is gone."""
        self._socket.sendall(json.dumps(value).encode())

    def receive(self) -> dict[str, Any]:
        """Waits for a packet.

        Raises:
            EOFError: the other side is gone.
        """
        data = self._socket.recv(_LARGEST)
        if not data:
            raise EOFError
        value: dict[str, Any] = json.loads(data)
        return value

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Sends a packet and waits for the answer."""
        with self._lock:
            self.send(question)
            return self.receive()

    def end(self, result: dict[str, Any]) -> NoReturn:
        """Sends the result of a check and ends the process, without exit handlers."""
        try:
            self.send({"result": result})
        finally:
            os._exit(0)

    def close(self) -> None:
        """Ends the connection; the other side notices."""
        self._socket.close()
