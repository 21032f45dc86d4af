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
    accepted, and nothing is forwarded; "refuse": nothing listens; "stall": all connections stay,
    and what either side writes waits until another mode is set.

    Args:
        target: port of the server.
        host: of the server.
        delay: seconds that each piece of data waits, either way.
        watch: called for each connection; returns what gets the server's data, piece by piece.
        port: to listen on; 0: a free one.
    """

    def __init__(
        self,
        target: int,
        *,
        host: str = "127.0.0.1",
        delay: float = 0.0,
        watch: Callable[[], Callable[[bytes], None]] | None = None,
        port: int = 0,
    ) -> None:
        self._target = (host, target)
        self._delay = delay
        self._watch = watch
        self._lock = threading.Lock()  # guards the rest
        self._mode = "forward"
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.accepted = 0
        """Connections so far."""
        self.port = self._listen(port)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.mode("refuse")

    def mode(self, mode: str) -> None:
        """Treats new connections in another way, and ends all others.

        Connections stay when it begins to stall, or goes on after that.
        """
        with self._lock:
            stays = mode == "stall" or (mode == "forward" and self._mode == "stall")
            self._mode = mode
            ended: set[socket.socket] = set()
            if not stays:
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
        if mode == "stall":
            self._flowing.clear()
        else:
            self._flowing.set()
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
                self.accepted += 1
                mode = self._mode
                if mode != "close":
                    self._open.add(client)
            if mode == "close":
                client.close()
            elif mode == "forward":
                self._forward(client)
            elif mode == "stall":
                threading.Thread(target=self._later, args=(client,), daemon=True).start()

    def _later(self, client: socket.socket) -> None:
        self._flowing.wait()
        self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _end(client)
            return
        with self._lock:
            self._open.add(server)
        see = self._watch() if self._watch is not None else None
        for source, sink, watch in ((client, server, None), (server, client, see)):
            copy = (source, sink, self._delay, watch, self._flowing)
            threading.Thread(target=_copy, args=copy, daemon=True).start()


def _copy(
    source: socket.socket,
    sink: socket.socket,
    delay: float,
    watch: Callable[[bytes], None] | None,
    flowing: threading.Event,
) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            flowing.wait()
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
