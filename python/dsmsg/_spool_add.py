# SPDX-License-Identifier: Apache-2.0
"""Adds messages to a spool that no process uses; see `dsmsg.spool`.

Threads: any thread.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsmsg.spool import Database, Lock

__all__ = ["NewMessage", "add"]

_ROW_COST = 65  # SpoolCost beside topic, key, headers and payload
_HEADER_COST = 8


@dataclass(frozen=True)
class NewMessage:
    """A message to be added; `timestamp_ms` 0 is now."""

    topic: bytes
    payload: bytes
    key: bytes | None = None
    headers: Sequence[tuple[bytes, bytes]] = ()
    timestamp_ms: int = 0

    def row(self, now_ms: int) -> tuple[object, ...]:
        """The columns but the id, as `SpoolStore::Insert` writes them."""
        parts = [self.topic, self.key or b"", self.payload]
        parts += [text for pair in self.headers for text in pair]
        headers = [[_header_text(name), _header_text(value)] for name, value in self.headers]
        return (
            now_ms,
            self.timestamp_ms or now_ms,
            self.topic,
            self.key,
            json.dumps(headers, ensure_ascii=False) if headers else None,
            sum(map(len, parts)) + _ROW_COST + _HEADER_COST * len(self.headers),
            self.payload,
        )


def add(path: str | Path, new: Iterable[NewMessage]) -> int:
    """Adds messages behind those of a spool: all, or after an error none.

    Returns:
        How many.

    Raises:
        SpoolError: it is no spool, a running process uses it, or it cannot be written.
    """
    path = Path(path)
    with Lock(path), Database(path, mode="rw") as database, database:
        before = database.total_changes
        now = int(time.time() * 1000)
        database.executemany(
            "INSERT INTO messages (accepted_ms, timestamp_ms, topic, key, headers, bytes, payload)"
            " VALUES (?, ?, CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?)",
            (message.row(now) for message in new),
        )
        return database.total_changes - before


def _header_text(value: bytes) -> str | dict[str, str]:
    """The inverse of `_bytes`."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}
