# SPDX-License-Identifier: Apache-2.0
"""One question to a server, in its own protocol: whether it answers yet."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

__all__ = ["exchange", "first_bytes"]


def exchange(host: str, port: int, request: bytes, *, framed: bool, timeout: float = 1.0) -> bytes:
    """Sends a request and returns the first answer, b"" when there is none in time.

    Args:
        host: address.
        port: TCP port.
        request: bytes to send.
        framed: the answer starts with its length in four bytes, big-endian (Kafka); it is returned
            without. Else the answer is one line.
        timeout: seconds for the whole exchange.
    """

    def complete(answer: bytes) -> bytes | None:
        if framed:
            length = int.from_bytes(answer[:4], "big")
            return answer[4 : 4 + length] if 4 <= len(answer) >= 4 + length else None
        return answer.partition(b"\n")[0].rstrip(b"\r") if b"\n" in answer else None

    return _ask(host, port, request, complete, timeout)


def first_bytes(host: str, port: int, request: bytes, count: int, timeout: float = 1.0) -> bytes:
    """Sends a request and returns the first bytes of the answer, b"" if they do not come.

    Args:
        host: address.
        port: TCP port.
        request: bytes to send.
        count: how many bytes to wait for.
        timeout: seconds for the whole exchange.
    """

    def complete(answer: bytes) -> bytes | None:
        return answer[:count] if len(answer) >= count else None

    return _ask(host, port, request, complete, timeout)


def _ask(
    host: str,
    port: int,
    request: bytes,
    complete: Callable[[bytes], bytes | None],
    timeout: float,
) -> bytes:
    deadline = time.monotonic() + timeout
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(request)
            while True:
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                part = connection.recv(65536)
                if not part or time.monotonic() > deadline or len(answer) > 1 << 20:
                    return b""
                answer += part
                result = complete(answer)
                if result is not None:
                    return result
    except OSError:
        return b""
