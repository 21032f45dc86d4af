# SPDX-License-Identifier: Apache-2.0
"""What became of the messages of `send_many`.

Threads: immutable; any thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from dsmsg.errors import DsmsgError, Result

__all__ = ["REFUSED", "UNFINISHED", "SendResults"]

REFUSED, UNFINISHED = 3, 4
_RESULTS: tuple[Result | None, ...] = (
    Result.OK,
    Result.ERROR,
    Result.UNKNOWN_TOPIC,
    Result.ERROR,
    None,
)


class SendResults(Sequence["Result | None"]):
    """A result for each message, in their order; None: none came within the time-out."""

    def __init__(self, codes: bytes, error: DsmsgError | None = None) -> None:
        """Takes a code for each message.

        Args:
            codes: of the contract, REFUSED or UNFINISHED.
            error: for `raise_for_failure`.
        """
        self._codes = codes
        self._error = error

    @property
    def ok(self) -> bool:
        """Whether all were acknowledged."""
        return not any(self._codes)

    @property
    def failed(self) -> list[int]:
        """Places of the messages that were not acknowledged."""
        return [place for place, code in enumerate(self._codes) if code]

    @property
    def acknowledged(self) -> int:
        """How many were acknowledged."""
        return self._codes.count(0)

    def raise_for_failure(self) -> None:
        """Does nothing if all were acknowledged.

        Raises:
            DsmsgError: by kind, with the reason of the last one that failed.
        """
        if self._error is not None:
            raise self._error

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, place: int) -> Result | None: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Result | None]: ...
    def __getitem__(self, place: int | slice) -> Result | None | Sequence[Result | None]:
        if isinstance(place, slice):
            return [_RESULTS[code] for code in self._codes[place]]
        return _RESULTS[self._codes[place]]

    def __iter__(self) -> Iterator[Result | None]:
        return (_RESULTS[code] for code in self._codes)

    def __repr__(self) -> str:
        return f"<SendResults: {self.acknowledged} of {len(self)} acknowledged>"
