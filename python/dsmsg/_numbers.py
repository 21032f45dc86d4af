# SPDX-License-Identifier: Apache-2.0
"""Sets of whole numbers as ranges: "1-17,20"; a million in a row take as much room as one."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

__all__ = ["Numbers"]


class Numbers:
    """A set of whole numbers from 1 on. `str` gives "1-17,20"; "" is the empty one."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """Makes a set of ranges, each with both its ends."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add_range(first, last)

    @classmethod
    def parse(cls, text: str) -> Numbers:
        """The set that `str` gave.

        Raises:
            ValueError: it is another text.
        """
        numbers = cls()
        for part in text.split(",") if text else ():
            first, _, last = part.partition("-")
            numbers.add_range(int(first), int(last or first))
        return numbers

    def add(self, number: int) -> bool:
        """Adds a number; False if it was there."""
        if self._lasts and number == self._lasts[-1] + 1:  # nearly always
            self._lasts[-1] = number
            return True
        if number in self:
            return False
        self.add_range(number, number)
        return True

    def add_range(self, first: int, last: int) -> None:
        """Adds all numbers from `first` to `last`.

        Raises:
            ValueError: `last` is smaller.
        """
        if last < first:
            raise ValueError(f"{first}-{last} is no range")
        # What overlaps or touches becomes one.
        start = bisect.bisect_left(self._lasts, first - 1)
        end = bisect.bisect_right(self._firsts, last + 1)
        if start < end:
            first = min(first, self._firsts[start])
            last = max(last, self._lasts[end - 1])
        self._firsts[start:end] = [first]
        self._lasts[start:end] = [last]

    def update(self, other: Numbers) -> None:
        """Adds all of another set."""
        for first, last in other.ranges():
            self.add_range(first, last)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """The ranges with both their ends, in order."""
        return zip(self._firsts, self._lasts)

    def __contains__(self, number: int) -> bool:
        at = bisect.bisect_left(self._lasts, number)
        return at < len(self._firsts) and self._firsts[at] <= number

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges())

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbers) and list(self.ranges()) == list(other.ranges())

    __hash__ = None  # type: ignore[assignment]

    def __sub__(self, other: Numbers) -> Numbers:
        left = Numbers()
        for first, last in self.ranges():
            at = bisect.bisect_left(other._lasts, first)
            while first <= last:
                if at >= len(other._firsts) or other._firsts[at] > last:
                    left.add_range(first, last)
                    break
                if other._firsts[at] > first:
                    left.add_range(first, other._firsts[at] - 1)
                first = other._lasts[at] + 1
                at += 1
        return left

    def __and__(self, other: Numbers) -> Numbers:
        return self - (self - other)

    def __str__(self) -> str:
        return ",".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ranges()
        )

    def __repr__(self) -> str:
        return f"Numbers({self})"

    @property
    def first(self) -> int:
        """The smallest number, or 0 if the set is empty."""
        return self._firsts[0] if self._firsts else 0

    @property
    def last(self) -> int:
        """The largest number, or 0 if the set is empty."""
        return self._lasts[-1] if self._lasts else 0
