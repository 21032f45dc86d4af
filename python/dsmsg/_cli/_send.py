# SPDX-License-Identifier: Apache-2.0
"""Sends many messages over one connection, and counts what became of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable

from dsmsg._cli._jsonlines import Outgoing

if TYPE_CHECKING:
    from dsmsg.adaptor import Connection, Result

__all__ = ["Sending"]

_MOST_PENDING = 50_000  # bounds our memory, the adaptor bounds its own
_PATIENCE_S = 10.0


class Sending:
    """Messages that are sent over a connection, on whose thread `do_work` runs here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.acknowledged = 0
        self.failed = 0

    @property
    def done(self) -> int:
        """How many messages are acknowledged or failed."""
        return self.acknowledged + self.failed

    def send(self, message: Outgoing) -> None:
        """Sends one message; waits while too many are on their way.

        Raises:
            DsmsgError: the adaptor refused it.
        """
        message.send(self._connection, self._count)
        while self._connection.pending >= _MOST_PENDING:
            self._connection.do_work()

    def wait_until(self, moment: float) -> None:
        """Waits for a moment of `time.monotonic()`; completes messages meanwhile."""
        while (left := moment - time.monotonic()) > 0:
            if self._connection.pending:
                self._connection.do_work()
            else:
                time.sleep(left)

    def finish(self, show: Callable[[int], Any] = lambda done: None) -> None:
        """Waits as long as acknowledgements keep coming; what is left then, disconnect ends."""
        progress, deadline = 0, time.monotonic() + _PATIENCE_S
        while self._connection.pending and time.monotonic() < deadline:
            self._connection.do_work()
            if self.done > progress:
                progress, deadline = self.done, time.monotonic() + _PATIENCE_S
                show(self.done)

    def _count(self, result: Result) -> None:
        if result == 0:
            self.acknowledged += 1
        else:
            self.failed += 1
