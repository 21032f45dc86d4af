# SPDX-License-Identifier: Apache-2.0
"""Asks a server, in its own protocol, whether it answers yet."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

__all__ = ["amqp_opens", "exchange", "first_bytes"]


def exchange(host: str, port: int, request: bytes, *, framed: bool, timeout: float = 1.0) -> bytes:
    """Sends a request and returns the first answer, b"" if none comes in time.

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


def amqp_opens(host: str, port: int, timeout: float = 1.0) -> bool:
    """Tells whether an AMQP 0-9-1 server lets guest into its default virtual host.

    Args:
        host: address.
        port: TCP port.
        timeout: seconds for each answer.
    """
    login = b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"
    open_host = b"\x01/\0\0"
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            if _amqp_method(connection)[:4] != b"\0\x0a\0\x0a":  # connection.start
                return False
            connection.sendall(_amqp_frame(b"\0\x0a\0\x0b" + login))
            tune = _amqp_method(connection)
            if tune[:4] != b"\0\x0a\0\x1e":
                return False
            connection.sendall(_amqp_frame(b"\0\x0a\0\x1f" + tune[4:10] + b"\0\0"))
            connection.sendall(_amqp_frame(b"\0\x0a\0\x28" + open_host))
            return _amqp_method(connection)[:4] == b"\0\x0a\0\x29"  # connection.open-ok
    except OSError:
        return False


def _amqp_frame(method: bytes) -> bytes:
    return b"\x01\0\0" + len(method).to_bytes(4, "big") + method + b"\xce"


def _amqp_method(connection: socket.socket) -> bytes:
    with connection.makefile("rb", buffering=0) as stream:
        frame = b""
        while len(frame) < 7 or len(frame) < 8 + int.from_bytes(frame[3:7], "big"):
            part = stream.read(1)
            if not part:
                return b""
            frame += part
    return frame[7:-1]


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
