# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy on loopback that stops serving in different ways."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

__all__ = ["Proxy"]


class Proxy:
    """Forwards connections to a port of this machine.

    Modes: "forward"; "close": every connection is ended at once; "silent": connections are
    accepted, and nothing is forwarded; "refuse": nothing listens.

    Args:
        target: port of the server.
        delay: seconds that each piece of data waits, either way.
        watch: called for each connection; returns what gets the server's data, piece by piece.
    """

    def __init__(
        self,
        target: int,
        *,
        delay: float = 0.0,
        watch: Callable[[], Callable[[bytes], None]] | None = None,
    ) -> None:
        self._target = target
        self._delay = delay
        self._watch = watch
        self._lock = threading.Lock()  # guards the rest
        self._mode = "forward"
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = self._listen(0)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.mode("refuse")

    def mode(self, mode: str) -> None:
        """Ends all connections and treats new ones in another way."""
        with self._lock:
            self._mode = mode
            ended, self._open = self._open, set()
            listener = self._listener
            if mode == "refuse":
                self._listener = None
        if mode == "refuse" and listener is not None:
            # Only a shutdown wakes the thread that accepts; until then the port is taken.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for connection in ended:
            _end(connection)
        if mode != "refuse" and listener is None:
            self._listen(self.port)

    def _listen(self, port: int) -> int:
        listener = socket.create_server(("127.0.0.1", port))
        with self._lock:
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                mode = self._mode
                if mode != "close":
                    self._open.add(client)
            if mode == "close":
                client.close()
            elif mode == "forward":
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            _end(client)
            return
        with self._lock:
            self._open.add(server)
        see = self._watch() if self._watch is not None else None
        for source, sink, watch in ((client, server, None), (server, client, see)):
            copy = (source, sink, self._delay, watch)
            threading.Thread(target=_copy, args=copy, daemon=True).start()


def _copy(
    source: socket.socket,
    sink: socket.socket,
    delay: float,
    watch: Callable[[bytes], None] | None,
) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if watch is not None:
                watch(data)
            if delay:
                time.sleep(delay)
            sink.sendall(data)
    _end(source)
    _end(sink)


def _end(connection: socket.socket) -> None:
    # close() alone leaves a thread that reads from it waiting.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
