# SPDX-License-Identifier: Apache-2.0
"""A received message.

Threads: a message may be used, and acknowledged, on any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from dsmsg.errors import NotSupportedError, Result

__all__ = ["Message"]


class Message:
    """A received message. What the protocol or the sender left out is None, "" or ().

    Attributes:
        topic: that it was sent to.
        payload: its bytes.
        result: the contract's code; OK with every adaptor of ours.
        key: Kafka's or Pulsar's key, the field or header `key` of Redis, AMQP and NATS, HTTP's
            `key-header`.
        headers: names and values in the order sent: Kafka's, AMQP's, NATS's, HTTP's, properties of
            MQTT, Pulsar and Azure, other fields of a Redis entry.
        timestamp_ms: milliseconds since 1970 (Kafka, Redis streams, AMQP, JetStream, Pulsar).
        partition: Kafka's, or that of a partitioned topic of Pulsar.
        offset: Kafka's, in the partition.
        id: entry id (Redis streams, Pulsar), message id (AMQP, NATS, Azure) or HTTP's
            `idempotency-header`.
        redelivered: the broker says that it delivered it before (Redis groups, AMQP, JetStream,
            Pulsar).
    """

    __slots__ = (
        "_ack",
        "_number",
        "headers",
        "id",
        "key",
        "offset",
        "partition",
        "payload",
        "redelivered",
        "result",
        "timestamp_ms",
        "topic",
    )

    def __init__(
        self,
        topic: str,
        payload: bytes,
        result: Result = Result.OK,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
        timestamp_ms: int | None = None,
        partition: int | None = None,
        offset: int | None = None,
        id: str = "",
        redelivered: bool = False,
        _number: int = 0,
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.result = result
        self.key = key
        self.headers = headers
        self.timestamp_ms = timestamp_ms
        self.partition = partition
        self.offset = offset
        self.id = id
        self.redelivered = redelivered
        self._ack: Callable[[], object] | None = None  # with manual_ack
        self._number = _number  # under which the loop that holds it acknowledges it

    @property
    def timestamp(self) -> datetime | None:
        """`timestamp_ms` as a time, in UTC."""
        if self.timestamp_ms is None:
            return None
        return datetime.fromtimestamp(self.timestamp_ms / 1000, timezone.utc)

    def ack(self) -> None:
        """Acknowledges it to the broker, once, without waiting: `dsmsg_ack` in dsmsg_ext.h.

        Raises:
            ClosedError: the connection was closed; the broker delivers it again.
            NotSupportedError: it was subscribed to without `manual_ack=True`.
            RefusedError: it was acknowledged before.
        """
        if self._ack is None:
            raise NotSupportedError(
                "this message is acknowledged by itself (subscribe with manual_ack=True)"
            )
        self._ack()

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__[2:])

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if isinstance(other, Message) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.topic, self.payload, self.offset, self.id))

    def __repr__(self) -> str:
        """Shows what it has; of a long payload, the beginning."""
        size = len(self.payload)
        payload = repr(self.payload[:64]) + (f"... ({size} bytes)" if size > 64 else "")
        parts = [f"topic={self.topic!r}", f"payload={payload}"]
        for name in ("key", "headers", "timestamp_ms", "partition", "offset", "id"):
            value = getattr(self, name)
            if value not in (None, "", ()):
                parts.append(f"{name}={value!r}")
        if self.redelivered:
            parts.append("redelivered=True")
        return f"Message({', '.join(parts)})"
