# SPDX-License-Identifier: Apache-2.0
"""Messages of a subscription on their way to a loop.

`Feed` is for where the native part is not there. It has the methods of `dsmsg._native.Receiver`.
The adaptor's bound on unacknowledged messages is
the bound of what waits here; an adaptor without `dsmsg_ack` acknowledges a message when it gets
its place here, so its callback waits for room.

Threads: `put` on the adaptor's, the rest on any.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from dsmsg._message import Message
from dsmsg.errors import ClosedError

__all__ = ["Feed", "Receiver", "Source"]

_MOST = 1000
_AT_ONCE = 256


class Receiver(Protocol):
    """What a `Feed` and a `dsmsg._native.Receiver` have in common."""

    def take(self, most: int, timeout: float) -> list[Message] | None:
        """Waits for messages; `most` of 0 only waits. None: it was closed."""

    def ack(self, number: int) -> object:
        """Acknowledges a message."""

    def close(self) -> None:
        """Ends waiting. What waits is delivered again."""


class Feed:
    """A queue of messages."""

    def __init__(self, ack: Callable[[int], object]) -> None:
        self.ack = ack
        self._condition = threading.Condition()  # guards the following
        self._waiting: deque[Message] = deque()
        self._closed = False

    def put(self, message: Message) -> None:
        """Adds a message. Waits for room where the adaptor's bound does not hold."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or len(self._waiting) < _MOST)
            if not self._closed:
                self._waiting.append(message)
                self._condition.notify_all()

    def take(self, most: int, timeout: float) -> list[Message] | None:
        """Waits for `timeout` seconds (negative: for ever); returns at most `most` messages."""
        with self._condition:
            self._condition.wait_for(
                lambda: self._closed or self._waiting, None if timeout < 0 else timeout
            )
            if self._closed:
                return None
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._condition.notify_all()
            return taken

    def close(self) -> None:
        """Ends waiting. What waits here, and was not acknowledged, is delivered again."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify_all()


class Source:
    """A subscription that loops take from, one after the other.

    A message is acknowledged when its loop asks for the next one. One over which a loop broke off
    goes to the next loop over the same topics, or, after the end of the connection, comes again
    from a broker that can do that.
    """

    def __init__(self, receiver: Receiver, topics: list[str], *, manual_ack: bool) -> None:
        self.receiver = receiver
        self._for = (topics, manual_ack)
        self._left: deque[Message] = deque()  # what an earlier loop did not handle

    def serves(self, topics: list[str], *, manual_ack: bool) -> bool:
        """Whether it is what a new loop wants."""
        return self._for == (topics, manual_ack)

    def take(self, timeout: float) -> Messages | None:
        """Returns messages that are there: `wait` before; None: it was closed."""
        if self._left:
            left, self._left = self._left, deque()
            return Messages(self, left)
        taken = self.receiver.take(_AT_ONCE, timeout)
        return None if taken is None else Messages(self, deque(taken))

    def wait(self, timeout: float) -> bool:
        """Waits until messages are there or the time is over; False: it was closed."""
        return bool(self._left) or self.receiver.take(0, timeout) is not None

    def each(self, timeout: float | None) -> Iterator[Message]:
        """Gives messages to a loop, until none came for `timeout` seconds (None: never)."""
        limit = -1.0 if timeout is None else timeout
        while messages := self.take(limit):
            with messages:
                yield from messages

    @property
    def manual_ack(self) -> bool:
        """Whether the loop's body acknowledges."""
        return self._for[1]

    def give_back(self, messages: deque[Message]) -> None:
        """Takes back what a loop did not handle."""
        self._left.extendleft(reversed(messages))


class Messages:
    """Some messages for a loop; what it does not handle goes back at the end."""

    def __init__(self, source: Source, messages: deque[Message]) -> None:
        self._source = source
        self._messages = messages

    def __bool__(self) -> bool:
        return bool(self._messages)

    def __iter__(self) -> Iterator[Message]:
        messages, ack = self._messages, self._source.receiver.ack
        manual_ack = self._source.manual_ack
        while messages:
            message = messages[0]
            if message._ack is not None:  # acknowledged by the loop's body, so it keeps it
                messages.popleft()
                yield message
                continue
            yield message
            messages.popleft()
            if message._number and not manual_ack:
                try:
                    ack(message._number)
                except ClosedError:
                    messages.clear()  # it is delivered again, and so are these

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(self, *error: object) -> None:
        """Gives back what was not handled."""
        self._source.give_back(self._messages)
