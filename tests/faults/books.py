# SPDX-License-Identifier: Apache-2.0
"""What was sent, what was promised, what arrived: the comparison, and a row of the table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["KEYS", "Journal", "Result", "balance", "expected_payload", "number_of"]

KEYS = 8
_BYTES = 300
_SEQ = re.compile(rb'"seq":(\d+),')


def expected_payload(number: int) -> bytes:
    """Returns the payload of a message (sender.cc writes them)."""
    head = f'{{"sensor":{{"id":"camera-{number % KEYS}"}},"seq":{number},"pad":"'
    return (head + "." * max(0, _BYTES - len(head) - 2) + '"}').encode()


def number_of(payload: bytes) -> int:
    """Returns a message's number, or -1 when it is not one that was sent."""
    match = _SEQ.search(payload)
    number = int(match.group(1)) if match else -1
    return number if number >= 0 and payload == expected_payload(number) else -1


class Journal:
    """The sender's books (journal.h)."""

    def __init__(self, path: Path) -> None:
        """Reads the file."""
        data = path.read_bytes()
        self.answers, self.calls, self.flags = data[0::4], data[1::4], data[2::4]
        self.end = len(self.answers.rstrip(b"\0"))

    def ok(self) -> list[int]:
        """Returns the messages whose callback said OK."""
        return [number for number in range(self.end) if self.flags[number] == 1]

    def refused(self) -> list[int]:
        """Returns the messages that send_async refused."""
        return [number for number in range(self.end) if self.answers[number] == 3]

    def failed(self) -> int:
        """Returns how many callbacks said ERR or UNKNOWN_TOPIC."""
        return sum(flag > 1 for flag in self.flags[: self.end])

    def accepted(self) -> int:
        """Returns how many messages send_async took."""
        return self.answers.count(2, 0, self.end)

    def doubled(self) -> int:
        """Returns how many messages were called back more than once."""
        return sum(count > 1 for count in self.calls[: self.end])

    def missing(self) -> int:
        """Returns how many accepted messages were not called back."""
        return sum(
            self.answers[number] == 2 and self.calls[number] == 0 for number in range(self.end)
        )


@dataclass
class Result:
    """One row of the table.

    Attributes:
        case: name of the case.
        adaptor: name of the rig.
        sent: messages given to send_async.
        acknowledged: those whose callback said OK.
        failed: those whose callback said ERR, and those refused.
        received: different messages that another client found.
        lost: acknowledged and not found.
        broker_lost: those of them that the server is known to lose (it does not write them).
        duplicated: found more than once, counted without the first.
        reordered: first arrivals that came after a later message of the same key.
        stall_ms: longest time in send_async.
        memory_mb: peak of the resident memory.
        cpu_percent: of one core, where the case measures it.
        seconds: how long the case took.
        note: further remarks.
        problems: broken promises; empty: passed.
    """

    case: str
    adaptor: str
    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    received: int = 0
    lost: int = 0
    broker_lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    stall_ms: float = 0.0
    memory_mb: float = 0.0
    cpu_percent: float | None = None
    seconds: float = 0.0
    note: str = ""
    problems: list[str] = field(default_factory=list)

    def need(self, holds: bool, otherwise: str) -> None:
        """Notes a broken promise unless it holds."""
        if not holds:
            self.problems.append(otherwise)


def balance(
    result: Result,
    journal: Journal,
    received: Sequence[int],
    *,
    keeps_order: bool,
    duplicates: bool,
    server_loses: bool = False,
    missing_allowed: bool = False,
) -> None:
    """Compares the books with what was found, and notes what is wrong.

    Args:
        result: gets numbers and problems.
        journal: the sender's books.
        received: message numbers as another client found them, within a key in the broker's order.
        keeps_order: first arrivals must be in order within each key.
        duplicates: they are documented for this case.
        server_loses: the server may lose what it acknowledged: counted apart.
        missing_allowed: the process was killed, so callbacks may be missing.
    """
    found = set(received)
    ok, refused = journal.ok(), journal.refused()
    lost = [number for number in ok if number not in found]
    result.sent, result.acknowledged = journal.end, len(ok)
    result.failed = journal.failed() + len(refused)
    result.received, result.duplicated = len(found), len(received) - len(found)
    result.reordered = _reordered(received)
    if server_loses:
        result.broker_lost = len(lost)
    else:
        result.lost = len(lost)
        result.need(not lost, f"acknowledged and lost: {len(lost)}, the first {lost[:5]}")
    result.need(-1 not in found, "the broker holds a message that was never sent")
    strange = [number for number in found if number >= journal.end]
    result.need(not strange, f"received and never sent: {strange[:5]}")
    came = found.intersection(refused)
    result.need(not came, f"refused and yet received: {sorted(came)[:5]}")
    result.need(duplicates or result.duplicated == 0, f"{result.duplicated} duplicates")
    result.need(not keeps_order or result.reordered == 0, f"{result.reordered} out of order")
    result.need(journal.doubled() == 0, f"{journal.doubled()} messages called back twice")
    missing = journal.missing()
    result.need(missing_allowed or missing == 0, f"{missing} messages without a callback")


def _reordered(received: Sequence[int]) -> int:
    last: dict[int, int] = {}
    seen: set[int] = set()
    count = 0
    for number in received:
        if number in seen:
            continue
        seen.add(number)
        key = number % KEYS
        count += last.get(key, -1) > number
        last[key] = max(number, last.get(key, -1))
    return count
