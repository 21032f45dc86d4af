# SPDX-License-Identifier: Apache-2.0
"""As much MQTT 3.1.1 and AMQP 0-9-1 as it takes to store something at a broker and read it back.

Independent of every client library. Errors are assertions or OSError.
"""

from __future__ import annotations

import socket
import struct
from types import TracebackType

__all__ = ["AmqpClient", "MqttClient"]


class _Client:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=10)

    def __enter__(self):  # noqa: ANN204
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            assert part, "the server closed the connection"
            data += part
        return data


class MqttClient(_Client):
    """Short packets only: below 128 bytes."""

    def __init__(self, host: str, port: int) -> None:
        """Connects with a clean session."""
        super().__init__(host, port)
        self._packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _mqtt_text(""))
        assert self._answer(0x20) == b"\x00\x00"

    def publish_retained(self, topic: str, payload: bytes) -> None:
        """Publishes with QoS 1 and waits for the acknowledgement."""
        self._packet(0x33, _mqtt_text(topic) + b"\x00\x01" + payload)
        assert self._answer(0x40) == b"\x00\x01"

    def retained(self, topic: str) -> bytes:
        """Returns the retained message of a topic; fails when there is none within 10 s."""
        self._packet(0x82, b"\x00\x02" + _mqtt_text(topic) + b"\x00")
        self._answer(0x90)
        return self._answer(0x30)[2 + len(topic) :]

    def _packet(self, kind: int, body: bytes) -> None:
        assert len(body) < 128
        self._socket.sendall(bytes([kind, len(body)]) + body)

    def _answer(self, kind: int) -> bytes:
        head = self._read(2)
        assert head[0] & 0xF0 == kind, head
        return self._read(head[1])


class AmqpClient(_Client):
    """One channel with publisher confirms, as guest."""

    def __init__(self, host: str, port: int) -> None:
        """Logs in and opens the channel."""
        super().__init__(host, port)
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._method(10, 10)
        login = _short("PLAIN") + struct.pack(">I", 12) + b"\0guest\0guest" + _short("en_US")
        self._call(0, 10, 11, struct.pack(">I", 0) + login)
        limits = self._method(10, 30)
        self._call(0, 10, 31, limits[:6] + b"\0\0")  # no heartbeat
        self._call(0, 10, 40, _short("/") + _short("") + b"\0")
        self._method(10, 41)
        self._call(1, 20, 10, _short(""))
        self._method(20, 11)
        self._call(1, 85, 10, b"\0")
        self._method(85, 11)

    def declare(self, queue: str) -> int:
        """Declares a durable queue; returns the number of its messages."""
        self._call(1, 50, 10, b"\0\0" + _short(queue) + b"\x02" + struct.pack(">I", 0))
        answer = self._method(50, 11)
        count: int = struct.unpack(">I", answer[1 + len(queue) : 5 + len(queue)])[0]
        return count

    def publish(self, queue: str, payload: bytes) -> None:
        """Publishes a persistent message and waits for the confirmation."""
        self._call(1, 60, 40, b"\0\0" + _short("") + _short(queue) + b"\0")
        self._frame(2, 1, struct.pack(">HHQHB", 60, 0, len(payload), 0x1000, 2))
        self._frame(3, 1, payload)
        self._method(60, 80)

    def _frame(self, kind: int, channel: int, body: bytes) -> None:
        self._socket.sendall(struct.pack(">BHI", kind, channel, len(body)) + body + b"\xce")

    def _call(self, channel: int, family: int, method: int, arguments: bytes) -> None:
        self._frame(1, channel, struct.pack(">HH", family, method) + arguments)

    def _method(self, family: int, method: int) -> bytes:
        kind, _, length = struct.unpack(">BHI", self._read(7))
        body = self._read(length + 1)[:-1]
        assert (kind, *struct.unpack(">HH", body[:4])) == (1, family, method), body
        return body[4:]


def _mqtt_text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
