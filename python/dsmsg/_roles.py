# SPDX-License-Identifier: Apache-2.0
"""`Publisher` and `Subscriber`: the two halves of a connection, for programs that do one of them.

Threads, exceptions and lifetime are those of `dsmsg.Connection`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar, overload

from dsmsg._connect import Where, connect
from dsmsg._message import Message
from dsmsg._results import SendResults
from dsmsg._types import Payload, Result, SendCallback
from dsmsg.adaptor import ConfigLike

__all__ = ["Publisher", "Subscriber"]

_R = TypeVar("_R", bound="_Role")


class _Role:
    def __init__(
        self,
        where: Where = None,
        config: ConfigLike = None,
        *,
        on_link: Callable[[bool, str], None] | None = None,
    ) -> None:
        """Connects, as `dsmsg.connect` does.

        Raises:
            DsmsgError: as `dsmsg.connect`.
        """
        self.connection = connect(where, config, on_link=on_link)

    def __enter__(self: _R) -> _R:
        """Returns the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes."""
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.connection!r}>"

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self.connection.closed

    def close(self) -> None:
        """Flushes (for at most `flush-timeout`) and ends the connection."""
        self.connection.disconnect()

    def stats(self) -> dict[str, Any]:
        """Returns the connection's metrics."""
        return self.connection.stats()


class Publisher(_Role):
    """Sends."""

    def send(
        self,
        topic: str | None,
        payload: Payload,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
        timeout: float | None = None,
    ) -> None:
        """Sends one message and waits for its acknowledgement: `Connection.send`."""
        self.connection.send(
            topic,
            payload,
            key=key,
            headers=headers,
            timestamp_ms=timestamp_ms,
            timeout=timeout,
        )

    @overload
    def send_async(
        self,
        topic: str | None,
        payload: Payload,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
    ) -> Future[Result]: ...

    @overload
    def send_async(
        self,
        topic: str | None,
        payload: Payload,
        callback: SendCallback,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
    ) -> None: ...

    def send_async(
        self,
        topic: str | None,
        payload: Payload,
        callback: SendCallback | None = None,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
    ) -> Future[Result] | None:
        """Queues a copy of one message: `Connection.send_message`.

        Args:
            topic: None takes the configured one.
            payload: any bytes.
            callback: called once with the result, on the connection's work thread; cheaper than a
                future.
            key: None takes the configured one.
            headers: names and values, in this order.
            timestamp_ms: milliseconds since 1970; 0 is now.

        Returns:
            Without `callback`, a future, which completes by itself.

        Raises:
            DsmsgError: the adaptor refused the message; nothing will be called back.
        """
        if callback is None:
            return self.connection.send_message(
                topic, payload, key=key, headers=headers, timestamp_ms=timestamp_ms
            )
        return self.connection.send_message(
            topic, payload, callback, key=key, headers=headers, timestamp_ms=timestamp_ms
        )

    def send_many(
        self,
        topic: str | None,
        payloads: Sequence[Payload],
        *,
        keys: Sequence[Payload] | None = None,
        timeout: float | None = None,
    ) -> SendResults:
        """Sends many messages and waits for their results: `Connection.send_many`."""
        return self.connection.send_many(topic, payloads, keys=keys, timeout=timeout)

    def flush(self, timeout: float) -> bool:
        """Waits until every message is completed; False if some are not within `timeout` s."""
        return self.connection.flush(timeout)


class Subscriber(_Role):
    """Receives."""

    def messages(
        self,
        topics: str | Sequence[str],
        *,
        manual_ack: bool = False,
        timeout: float | None = None,
    ) -> Iterator[Message]:
        """Subscribes, and gives the messages to a loop: `Connection.messages`."""
        return self.connection.messages(topics, manual_ack=manual_ack, timeout=timeout)

    def subscribe(
        self,
        topics: str | Sequence[str],
        callback: Callable[[Message], object],
        *,
        manual_ack: bool = False,
    ) -> None:
        """Subscribes, and gives the messages to a callback: `Connection.subscribe`."""
        self.connection.subscribe(topics, callback, manual_ack=manual_ack)
