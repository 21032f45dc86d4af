# SPDX-License-Identifier: Apache-2.0
"""The delivery ledger: which messages of which source arrived, and what became of the others.

With `ledger=1` an adaptor numbers the messages of each source and puts the number into every
message, as the header `dsmsg-ledger` or as a member of its JSON payload. `Audit` is given what was
received, the files of `ledger-file` and the spools, and says for each source and connection which
numbers are missing, and why. `dsmsg audit` does the reading.

Threads: an Audit belongs to one thread at a time.
"""

from __future__ import annotations

import fcntl
import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Union
from urllib.parse import unquote

from dsmsg import spool
from dsmsg._numbers import Numbers

__all__ = ["HEADER", "Audit", "Loss", "Mark", "Numbers", "Verdict", "mark_of"]

HEADER = "dsmsg-ledger"

_FORM = r"(\d{8}T\d{9}Z-[0-9a-f]{8}) (\d{15}) "
_MARK = re.compile(_FORM + "(.+)")
_INSIDE = re.compile(rb'"' + _FORM.encode() + rb'([^"\\]+)"')
_FLOCK = "hhqqi"  # struct flock of 64-bit Linux, fcntl(2)
_LOCKED = 1 << 40  # LedgerFile::kLocked

Text = Union[str, bytes]


class Mark(NamedTuple):
    """What a message says of itself.

    Attributes:
        epoch: of the connection that numbered it: its beginning in UTC, and a random number.
        number: among the messages of its source there, from 1.
        source: name of the source.
    """

    epoch: str
    number: int
    source: str


def mark_of(headers: Iterable[tuple[Text, Text]], payload: bytes) -> Mark | None:
    """Returns the mark of a message, or None if it has none.

    Args:
        headers: names and values.
        payload: its bytes. Without a header, the first text in it that is a mark counts.
    """
    for name, value in headers:
        if _text(name).lower() == HEADER:
            found = _MARK.fullmatch(_text(value))
            return None if found is None else _mark(*found.groups())
    inside = _INSIDE.search(payload)
    return None if inside is None else _mark(*(group.decode() for group in inside.groups()))


def _mark(epoch: str, number: str, source: str) -> Mark:
    return Mark(epoch, int(number), unquote(source))


def _text(value: Text) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


@dataclass(frozen=True)
class Loss:
    """Numbers that the adaptor gave up.

    Attributes:
        reason: as in the metrics: evicted, expired, refused, shutdown, ...
        policy: the options behind it; of a refusal the kind of error.
        text: the first error, of a refusal; "" otherwise.
        since: when the first of them was given up, ISO 8601.
        until: when the last was.
        numbers: which.
    """

    reason: str
    policy: str
    text: str
    since: str
    until: str
    numbers: Numbers


@dataclass
class Verdict:
    """What became of the messages of one source of one connection.

    Attributes:
        source: its name.
        epoch: of the connection.
        first: the first number that counts.
        last: the last one known.
        known_by: what knows it: "topic", "ledger" or "spool".
        received: how many different numbers arrived.
        duplicated: messages that arrived again.
        missing: numbers that did not arrive.
        dropped: of these, the ones that were given up, by reason.
        waiting: those in a spool.
        on_the_way: those behind the last number received, while the connection still exists.
        unexplained: the rest.
    """

    source: str
    epoch: str
    first: int
    last: int
    known_by: str
    received: int
    duplicated: int
    missing: Numbers
    dropped: list[Loss] = field(default_factory=list)
    waiting: Numbers = field(default_factory=Numbers)
    on_the_way: Numbers = field(default_factory=Numbers)
    unexplained: Numbers = field(default_factory=Numbers)

    def to_json(self) -> dict[str, object]:
        """Fields for JSON; numbers as text ("1-17,20")."""
        fields: dict[str, object] = {
            name: getattr(self, name) for name in ("source", "epoch", "first", "last", "known_by")
        }
        fields.update(received=self.received, duplicated=self.duplicated)
        for name in ("missing", "waiting", "on_the_way", "unexplained"):
            numbers: Numbers = getattr(self, name)
            fields[name] = {"count": len(numbers), "numbers": str(numbers)}
        fields["dropped"] = [
            {
                "reason": loss.reason,
                "policy": loss.policy,
                "text": loss.text,
                "from": loss.since,
                "to": loss.until,
                "count": len(loss.numbers),
                "numbers": str(loss.numbers),
            }
            for loss in self.dropped
        ]
        return fields


class _Book:
    """What is known of one source of one connection."""

    def __init__(self) -> None:
        self.received, self.waiting = Numbers(), Numbers()
        self.duplicated = 0
        self.given = 0  # the last number, as the ledger has it
        self.losses: dict[tuple[str, str], Loss] = {}


class Audit:
    """Collects what arrived and what the ledgers know, and compares them.

    Read the ledgers and spools before the topic: what they know of must then have arrived, or wait.
    """

    def __init__(self) -> None:
        """Begins with nothing."""
        self._books: dict[tuple[str, str], _Book] = {}
        self._ended: set[str] = set()
        self._exist: set[str] = set()
        self.unmarked = 0
        self.unnumbered: dict[str, int] = {}
        self.problems: list[str] = []

    def add(self, headers: Iterable[tuple[Text, Text]], payload: bytes) -> Mark | None:
        """Notes a received message; returns its mark. One without is counted in `unmarked`."""
        mark = mark_of(headers, payload)
        if mark is None:
            self.unmarked += 1
            return None
        book = self._book(mark.epoch, mark.source)
        if not book.received.add(mark.number):
            book.duplicated += 1
        return mark

    def read_ledger(self, path: str | Path) -> None:
        """Reads a file of `ledger-file`, and the one before it (`.1`) if it exists.

        A line that cannot be read is noted in `problems`.

        Raises:
            OSError: the file cannot be read.
        """
        path = Path(path)
        before = path.with_name(path.name + ".1")
        epochs = set[str]()
        with path.open("rb") as file:  # first: what is renamed meanwhile is read nevertheless
            if before.exists():
                with before.open("rb") as older:
                    epochs |= self._read(before, older)
            epochs |= self._read(path, file)
            self._exist.update(epoch for epoch in epochs if _exists(file.fileno(), epoch))

    def read_spool(self, path: str | Path) -> None:
        """Reads a spool, or all of a folder.

        Raises:
            dsmsg.spool.SpoolError: it is not a spool, or cannot be read.
        """
        path = Path(path)
        for each in spool.find(path) if path.is_dir() else [path]:
            for message in spool.messages(each):
                mark = mark_of(message.headers, message.payload)
                if mark is not None:
                    self._book(mark.epoch, mark.source).waiting.add(mark.number)

    def verdicts(self, *, from_beginning: bool = False) -> list[Verdict]:
        """Compares; the oldest connection first, then by source.

        Args:
            from_beginning: all that was ever sent counts. Otherwise a source counts from the first
                number that was received, and one of which nothing was received does not count.
        """
        return [
            self._judge(epoch, source, book, from_beginning)
            for (epoch, source), book in sorted(self._books.items())
            if from_beginning or book.received
        ]

    def _book(self, epoch: str, source: str) -> _Book:
        return self._books.setdefault((epoch, source), _Book())

    def _read(self, path: Path, file: Iterable[bytes]) -> set[str]:
        epochs = set[str]()
        for number, line in enumerate(file, 1):
            try:
                epochs.add(self._line(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                self.problems.append(f"{path}: line {number} is not of a ledger")
        return epochs

    def _line(self, fields: dict[str, Any]) -> str:
        event, epoch = fields["event"], str(fields["epoch"])
        int(epoch[-8:], 16)  # as _exists needs it
        if event == "numbers":
            for source, number in fields["sources"].items():
                book = self._book(epoch, unquote(source))
                book.given = max(book.given, int(number))
            self.unnumbered[epoch] = int(fields["unnumbered"])
        elif event == "lost":
            self._lost(self._book(epoch, unquote(fields["source"])), fields)
        elif event == "ended":
            self._ended.add(epoch)
        elif event == "unrecorded":
            self.problems.append(f"connection {epoch}: {fields['count']} losses were not recorded")
        return epoch

    @staticmethod
    def _lost(book: _Book, fields: dict[str, Any]) -> None:
        key = (fields["reason"], fields["policy"])
        numbers = Numbers.parse(fields["numbers"])
        before = book.losses.get(key)
        since, text = fields["from"], fields.get("text", "")
        if before is not None:
            numbers.update(before.numbers)
            since, text = before.since, before.text
        book.losses[key] = Loss(*key, text, since, fields["to"], numbers)

    def _judge(self, epoch: str, source: str, book: _Book, from_beginning: bool) -> Verdict:
        lost = max((loss.numbers.last for loss in book.losses.values()), default=0)
        last, known_by = max(
            (book.received.last, "topic"),
            (book.waiting.last, "spool"),
            (max(book.given, lost), "ledger"),
            key=lambda each: each[0],
        )
        first = 1 if from_beginning else book.received.first
        left = Numbers([(first, last)] if last >= first else ()) - book.received
        verdict = Verdict(
            source, epoch, first, last, known_by, len(book.received), book.duplicated, left
        )
        verdict.waiting = left & book.waiting
        left = left - verdict.waiting
        for loss in book.losses.values():
            given_up = left & loss.numbers
            left = left - given_up
            if given_up:
                kept = (loss.reason, loss.policy, loss.text, loss.since, loss.until)
                verdict.dropped.append(Loss(*kept, given_up))
        if epoch in self._exist and epoch not in self._ended:
            tail = Numbers([(book.received.last + 1, max(last, book.received.last + 1))])
            verdict.on_the_way = left & tail
        verdict.unexplained = left - verdict.on_the_way
        return verdict


def _exists(descriptor: int, epoch: str) -> bool:
    """Tells whether a connection still has the file open. Only asks: never takes the lock."""
    place = _LOCKED + int(epoch[-8:], 16)
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, place, 1, 0)
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
    return int(struct.unpack(_FLOCK, answer)[0]) != fcntl.F_UNLCK
