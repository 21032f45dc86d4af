# SPDX-License-Identifier: Apache-2.0
"""Reads spools: what an adaptor with `spool-dir` keeps on disk until the broker has it.

A spool is an SQLite database (`csrc/core/spool/spool_store.cc` has its tables) with a lock file
beside it; both are named after protocol, endpoint and `spool-name`. Everything here except `purge`
opens read-only and takes no lock, so it may run alongside the process that uses the spool.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import re
import sqlite3
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["SpoolError", "SpoolFile", "SpoolMessage", "find", "inspect", "messages", "purge"]

_FORMAT = 1
_APPLICATION_ID = 0x64736D73  # "dsms"
_FLOCK = "hhqqi"  # struct flock of 64-bit Linux, fcntl(2)
_ASIDE = ".corrupt-"
_SALVAGE = ".salvage.db"  # its rows are being copied to a new file
_MOST_ROWS = 2**63 - 1
_LARGEST_ROW = 2**47  # SpoolStore::kLargestRow
_NAME = re.compile(r"[a-z0-9_]+-[0-9a-f]{16}-\d+(\.corrupt-[0-9TZ-]+|\.salvage)?\.db")


class SpoolError(RuntimeError):
    """A file is not a spool, cannot be read, or is in use."""


@dataclass(frozen=True)
class SpoolFile:
    """What a spool file holds.

    Attributes:
        path: the database.
        protocol: such as `KAFKA`.
        endpoint: where the messages go.
        name: `spool-name`.
        messages: how many are there.
        bytes: the bytes that they count against `spool-max-bytes`.
        oldest_ms: when the oldest was accepted, milliseconds since 1970; None: empty.
        file_bytes: what database and log take on disk.
        locked: a running process uses it. None: its lock cannot be read.
        pid: that process, as far as known.
        problem: why the rest is unknown (damaged, set aside, other version); empty: fine.
    """

    path: str
    protocol: str = ""
    endpoint: str = ""
    name: str = ""
    messages: int = 0
    bytes: int = 0
    oldest_ms: int | None = None
    file_bytes: int = 0
    locked: bool | None = False
    pid: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class SpoolMessage:
    """One message.

    Attributes:
        id: its place; larger is later.
        accepted_ms: when the adaptor took it, milliseconds since 1970.
        timestamp_ms: the message's own time.
        topic: where it goes.
        key: None if it has none.
        headers: names and values, in order.
        payload: its bytes.
        problems: what the adaptor could not have written, because the row was edited; the other
            attributes are then what the adaptor reads from it. Empty: no problem.
    """

    id: int
    accepted_ms: int
    timestamp_ms: int
    topic: bytes
    key: bytes | None
    headers: list[tuple[bytes, bytes]]
    payload: bytes
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Fields for JSON; values that are not UTF-8 are under `<name>_base64`."""
        fields: dict[str, object] = {"id": self.id}
        fields["accepted"] = iso_time(self.accepted_ms)
        fields["timestamp_ms"] = self.timestamp_ms
        fields.update(_text_field("topic", self.topic))
        if self.key is not None:
            fields.update(_text_field("key", self.key))
        fields["headers"] = [
            {**_text_field("name", name), **_text_field("value", value)}
            for name, value in self.headers
        ]
        fields.update(_text_field("payload", self.payload))
        if self.problems:
            fields["problems"] = list(self.problems)
        return fields


def find(folder: str | Path) -> list[Path]:
    """The spool files in a folder, set-aside ones included, sorted by name.

    Raises:
        SpoolError: the folder is not there or cannot be read.
    """
    try:
        return sorted(path for path in Path(folder).iterdir() if _NAME.fullmatch(path.name))
    except OSError as error:
        raise SpoolError(
            f"cannot read the folder {folder}: {error.strerror} (is it spool-dir?)"
        ) from error


def inspect(path: str | Path) -> SpoolFile:
    """What a spool file holds; what is wrong with it becomes `problem`.

    Raises:
        SpoolError: the file does not exist.
    """
    path = Path(path)
    common: dict[str, Any] = {"path": str(path)}
    try:
        common["locked"], common["pid"] = _lock_state(path)
    except OSError:
        common["locked"] = None
    try:
        _demand_file(path)
    except OSError as error:
        return SpoolFile(**common, problem=f"cannot read {path}: {error.strerror}")
    common["file_bytes"] = sum(map(_size, _files(path)))
    if _ASIDE in path.name:
        return SpoolFile(**common, problem="damaged: set aside (try `sqlite3 FILE .recover`)")
    if path.name.endswith(_SALVAGE):
        what = (
            "damaged: its messages are being copied to a new file; if interrupted, the next "
            "start continues"
        )
        return SpoolFile(**common, problem=what)
    try:
        with Database(path) as database:
            about = {
                _text(name): _text(value)
                for name, value in database.execute("SELECT name, value FROM about")
            }
            rows, size = database.execute(
                "SELECT count(*), total(CAST(bytes AS INTEGER)) FROM messages"
            ).fetchone()
            oldest = database.execute(
                "SELECT CAST(accepted_ms AS INTEGER) FROM messages ORDER BY id LIMIT 1"
            ).fetchone()
    except SpoolError as error:
        return SpoolFile(**common, problem=str(error))
    return SpoolFile(
        **common,
        protocol=about.get("protocol", ""),
        endpoint=about.get("endpoint", ""),
        name=about.get("spool-name", ""),
        messages=rows,
        bytes=int(size),
        oldest_ms=oldest[0] if oldest else None,
    )


def messages(path: str | Path, limit: int | None = None) -> Iterator[SpoolMessage]:
    """The messages of a spool file, oldest first, including edited rows.

    Args:
        path: the database.
        limit: the maximum number of messages.

    Raises:
        SpoolError: the file cannot be read, or not to its end.
    """
    with Database(Path(path)) as database:
        for row in database.execute(
            "SELECT CAST(id AS INTEGER), CAST(accepted_ms AS INTEGER),"
            " CAST(timestamp_ms AS INTEGER), CAST(topic AS BLOB), CAST(key AS BLOB),"
            " CAST(headers AS BLOB), CAST(payload AS BLOB),"
            " typeof(id), typeof(accepted_ms), typeof(timestamp_ms)"
            " FROM messages ORDER BY id LIMIT ?",
            (_MOST_ROWS if limit is None else min(limit, _MOST_ROWS),),
        ):
            yield _message(row)


def _message(row: tuple[Any, ...]) -> SpoolMessage:
    """A message as `SpoolStore::Unpack` reads it, whatever is in the row."""
    number, accepted, timestamp, topic, key, headers_json, payload = row[:7]
    problems = [
        f"its {name} is not a whole number"
        for name, kind in zip(("id", "accepted_ms", "timestamp_ms"), row[7:])
        if kind != "integer"
    ]
    if not problems and not 0 < number <= _LARGEST_ROW:
        problems.append("its id is outside 1 to 2^47: it gets a new one when the spool is opened")
    if topic is None:
        problems.append("it has no topic")
    if payload is None:
        problems.append("it has no payload")
    headers: list[tuple[bytes, bytes]] = []
    if headers_json is not None:
        try:
            for name, value in json.loads(headers_json.decode("utf-8")):
                headers.append((_bytes(name), _bytes(value)))
        except (ValueError, TypeError, KeyError, RecursionError):
            problems.append('its headers are not a JSON list of ["name", "value"]')
    return SpoolMessage(
        id=number or 0,
        accepted_ms=accepted or 0,
        timestamp_ms=timestamp or 0,
        topic=topic or b"",
        key=key,
        headers=headers,
        payload=payload or b"",
        problems=tuple(problems),
    )


def purge(path: str | Path) -> None:
    """Deletes a spool file with its log and lock.

    Raises:
        SpoolError: it is not named like a spool, a running process uses it, or this user may not
            delete it.
    """
    with Lock(Path(path)) as lock:
        lock.delete()


class Database:
    """An open spool; errors of SQLite become SpoolError."""

    def __init__(self, path: Path, mode: str = "ro") -> None:
        self._path = path
        self._mode = mode

    def __enter__(self) -> sqlite3.Connection:
        try:
            _demand_file(self._path)
            name = quote(os.fsencode(self._path.absolute()))
            self._connection = sqlite3.connect(
                f"file:{name}?mode={self._mode}", uri=True, timeout=2
            )
        except OSError as error:
            raise SpoolError(f"cannot read {self._path}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise self._explain(error) from error
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            application = self._connection.execute("PRAGMA application_id").fetchone()[0]
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            self._connection.close()
            raise self._explain(error) from error
        if (application, version) != (_APPLICATION_ID, _FORMAT):
            self._connection.close()
            raise SpoolError(f"{self._path} is not a spool of this version")
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.close()
        if isinstance(error, sqlite3.Error):
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error) -> SpoolError:
        return SpoolError(f"cannot read {self._path}: {error}")


class Lock:
    """The lock that the adaptor also takes: an open-file-description lock on the lock file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> Lock:
        try:
            self._take()
        except OSError as error:
            self.__exit__()
            raise self._explain(error) from error
        return self

    def __exit__(self, *unused: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _take(self) -> None:
        _demand_file(self._path)
        # It is going to be deleted whatever is in it, since that may be damaged.
        if not _NAME.fullmatch(self._path.name):
            raise SpoolError(f"{self._path} is not named like a spool (see `dsmsg spool ls`)")
        if _ASIDE in self._path.name:
            return  # those are unused
        name = _lock_path(self._path)
        while True:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
            try:
                fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, wanted)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                self.__exit__()
                pid = _lock_state(self._path)[1]
                who = f" (process {pid})" if pid else ""
                raise SpoolError(
                    f"{self._path} is in use by a running process{who}; stop it first"
                ) from error
            # Its owner may have deleted it between our open and our lock.
            try:
                if os.path.samestat(os.fstat(self._fd), name.stat()):
                    return
            except FileNotFoundError:
                pass
            self.__exit__()

    def delete(self) -> None:
        try:
            for path in _files(self._path):
                path.unlink(missing_ok=True)
            if self._fd >= 0:
                _lock_path(self._path).unlink(missing_ok=True)  # while it is held
        except OSError as error:
            raise self._explain(error) from error

    def _explain(self, error: OSError) -> SpoolError:
        return SpoolError(
            f"cannot delete {self._path}: {error.strerror} (may this user write to the folder?)"
        )


def _demand_file(path: Path) -> None:
    """Raises SpoolError if it is not a regular file, OSError if that cannot be determined."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return
        if stat.S_ISDIR(mode):
            raise SpoolError(
                f"{path} is a folder: name a file in it (`dsmsg spool ls {path}` lists them)"
            )
    except (FileNotFoundError, NotADirectoryError, ValueError):
        pass
    raise SpoolError(f"the file {path} does not exist")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # not there, or not any more
        return 0


def _files(path: Path) -> list[Path]:
    return [path, Path(f"{path}-wal"), Path(f"{path}-shm")]


def _lock_path(path: Path) -> Path:
    end = _SALVAGE if path.name.endswith(_SALVAGE) else ".db"
    return path.with_name(path.name[: -len(end)] + ".lock")


def _lock_state(path: Path) -> tuple[bool, int | None]:
    """Tells whether a process holds the lock, and which. Only asks: never takes the lock itself."""
    try:
        with _lock_path(path).open("rb") as file:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
            answer = fcntl.fcntl(file.fileno(), fcntl.F_OFD_GETLK, asked)
            if struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK:
                return False, None
            owner = re.match(rb"pid (\d+)", file.read(64))
            return True, int(owner.group(1)) if owner else None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False, None


def _bytes(value: object) -> bytes:
    """A header's name or value. Raises ValueError, TypeError or KeyError for anything else."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    if not isinstance(value, str):
        raise TypeError("neither text nor base64")
    return value.encode()


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _text_field(name: str, value: bytes) -> dict[str, object]:
    try:
        return {name: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode("ascii")}


def iso_time(milliseconds: int) -> str:
    """The time as ISO 8601 in UTC; the number itself if it is not a valid time."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
