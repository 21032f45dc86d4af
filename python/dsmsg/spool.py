# SPDX-License-Identifier: Apache-2.0
"""Looks into spools: what an adaptor with `spool-dir` keeps on disk until the broker has it.

A spool is an SQLite database (`csrc/core/spool_store.cc` has its tables) with a lock file beside
it; both are named after protocol, endpoint and `spool-name`. Everything here but `purge` opens
read-only and takes no lock, so it may run beside the process that uses the spool.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import json
import os
import re
import sqlite3
import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["SpoolError", "SpoolFile", "SpoolMessage", "find", "inspect", "messages", "purge"]

_FORMAT = 1
_APPLICATION_ID = 0x64736D73  # "dsms"
_FLOCK = "hhqqi"  # struct flock of 64-bit Linux, fcntl(2)
_ASIDE = ".corrupt-"
_PREVIEW = 60
_NAME = re.compile(r"[a-z0-9_]+-[0-9a-f]{16}-\d+(\.corrupt-[0-9TZ-]+)?\.db")


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
        bytes: what they count against `spool-max-bytes`.
        oldest_ms: when the oldest was accepted, milliseconds since 1970; None: empty.
        file_bytes: what database and log take on disk.
        locked: a running process uses it.
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
    locked: bool = False
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
        key: None: it has none.
        headers: names and values, in order.
        payload: its bytes.
    """

    id: int
    accepted_ms: int
    timestamp_ms: int
    topic: bytes
    key: bytes | None
    headers: list[tuple[bytes, bytes]]
    payload: bytes

    def to_json(self) -> dict[str, object]:
        """Fields for JSON; what is not UTF-8 stands under `<name>_base64`."""
        fields: dict[str, object] = {"id": self.id}
        fields["accepted"] = _iso(self.accepted_ms)
        fields["timestamp_ms"] = self.timestamp_ms
        fields.update(_text_field("topic", self.topic))
        if self.key is not None:
            fields.update(_text_field("key", self.key))
        fields["headers"] = [
            {**_text_field("name", name), **_text_field("value", value)}
            for name, value in self.headers
        ]
        fields.update(_text_field("payload", self.payload))
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
        SpoolError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise SpoolError(f"there is no file {path}")
    locked, pid = _lock_state(path)
    common: dict[str, Any] = {
        "path": str(path),
        "file_bytes": sum(each.stat().st_size for each in _files(path) if each.is_file()),
        "locked": locked,
        "pid": pid,
    }
    if _ASIDE in path.name:
        return SpoolFile(**common, problem="damaged: set aside (try `sqlite3 FILE .recover`)")
    try:
        with _Database(path) as database:
            about = dict(database.execute("SELECT name, value FROM about").fetchall())
            rows, size = database.execute("SELECT count(*), sum(bytes) FROM messages").fetchone()
            oldest = database.execute(
                "SELECT accepted_ms FROM messages ORDER BY id LIMIT 1"
            ).fetchone()
    except SpoolError as error:
        return SpoolFile(**common, problem=str(error))
    return SpoolFile(
        **common,
        protocol=about.get("protocol", ""),
        endpoint=about.get("endpoint", ""),
        name=about.get("spool-name", ""),
        messages=rows,
        bytes=size or 0,
        oldest_ms=oldest[0] if oldest else None,
    )


def messages(path: str | Path, limit: int | None = None) -> Iterator[SpoolMessage]:
    """The messages of a spool file, oldest first.

    Args:
        path: the database.
        limit: at most so many.

    Raises:
        SpoolError: the file cannot be read.
    """
    with _Database(Path(path)) as database:
        for row in database.execute(
            "SELECT id, accepted_ms, timestamp_ms, CAST(topic AS BLOB), CAST(key AS BLOB), headers,"
            " payload FROM messages ORDER BY id LIMIT ?",
            (-1 if limit is None else limit,),
        ):
            headers = [(_bytes(name), _bytes(value)) for name, value in json.loads(row[5] or "[]")]
            yield SpoolMessage(row[0], row[1], row[2], row[3], row[4], headers, row[6])


def purge(path: str | Path) -> None:
    """Deletes a spool file with its log and lock.

    Raises:
        SpoolError: it is not named like a spool, or a running process uses it.
    """
    with _Lock(Path(path)) as lock:
        lock.delete()


class _Database:
    """A spool opened read-only; errors of SQLite become SpoolError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        if not self._path.is_file():
            raise SpoolError(f"there is no file {self._path}")
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(self._path.absolute()))}?mode=ro", uri=True, timeout=2
            )
        except sqlite3.Error as error:
            raise self._explain(error) from error
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


class _Lock:
    """The lock that the adaptor takes, too: an open-file-description lock on the lock file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> _Lock:
        if not self._path.is_file():
            raise SpoolError(f"there is no file {self._path}")
        # It is going to be deleted whatever is in it, since that may be damaged.
        if not _NAME.fullmatch(self._path.name):
            raise SpoolError(f"{self._path} is not named like a spool (see `dsmsg spool ls`)")
        if _ASIDE in self._path.name:
            return self  # nobody uses those
        name = _lock_path(self._path)
        while True:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.fcntl(
                    self._fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
                )
            except OSError as error:
                os.close(self._fd)
                self._fd = -1
                pid = _lock_state(self._path)[1]
                who = f" (process {pid})" if pid else ""
                raise SpoolError(
                    f"{self._path} is in use by a running process{who}; stop it first"
                ) from error
            # Its owner may have deleted it between our open and our lock.
            try:
                if os.path.samestat(os.fstat(self._fd), name.stat()):
                    return self
            except FileNotFoundError:
                pass
            os.close(self._fd)

    def __exit__(self, *unused: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def delete(self) -> None:
        for path in _files(self._path):
            path.unlink(missing_ok=True)
        if self._fd >= 0:
            _lock_path(self._path).unlink(missing_ok=True)  # while it is held


def _files(path: Path) -> list[Path]:
    return [path, Path(f"{path}-wal"), Path(f"{path}-shm")]


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name[: -len(".db")] + ".lock")


def _lock_state(path: Path) -> tuple[bool, int | None]:
    """Whether somebody holds the lock, and who. Asks only: takes nothing, not for a moment."""
    try:
        with _lock_path(path).open("rb") as file:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
            answer = fcntl.fcntl(file.fileno(), fcntl.F_OFD_GETLK, asked)
            if struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK:
                return False, None
            owner = re.match(rb"pid (\d+)", file.read(64))
            return True, int(owner.group(1)) if owner else None
    except FileNotFoundError:
        return False, None


def _bytes(value: object) -> bytes:
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    return str(value).encode()


def _text_field(name: str, value: bytes) -> dict[str, object]:
    try:
        return {name: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode("ascii")}


def _iso(milliseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# ---------------------------------------------------------------- command line


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands to a parser; the result's `run` takes the parsed arguments."""
    commands = parser.add_subparsers(dest="spool_command", required=True, metavar="COMMAND")
    for name, argument, text, run in (
        ("ls", "dir", "list the spools of a folder", _run_ls),
        ("show", "file", "show the oldest messages of a spool", _run_show),
        ("export", "file", "print all messages, one JSON object a line", _run_export),
        ("purge", "file", "delete a spool with all its messages", _run_purge),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(argument)
        command.add_argument("--json", action="store_true", help="print JSON")
        if name == "show":
            command.add_argument("--limit", type=int, default=10, help="at most so many (10)")
        if name == "purge":
            command.add_argument("--yes", action="store_true", help="do not ask")
        command.set_defaults(run=run)


def _run_ls(parsed: argparse.Namespace) -> int:
    files = [inspect(path) for path in find(parsed.dir)]
    if parsed.json:
        print(json.dumps([asdict(file) for file in files], indent=2))
        return 0
    if not files:
        print(f"no spools in {parsed.dir}")
    for file in files:
        use = "free"
        if file.locked:
            use = f"in use by process {file.pid}" if file.pid else "in use"
        print(f"{Path(file.path).name}  {use}")
        if file.problem:
            print(f"  {file.problem}")
            continue
        name = f", spool-name {file.name}" if file.name else ""
        print(f"  {file.protocol} {file.endpoint}{name}")
        oldest = f", the oldest of {_iso(file.oldest_ms)}" if file.oldest_ms is not None else ""
        print(f"  {file.messages} messages, {file.bytes} bytes{oldest}")
        print(f"  {file.file_bytes} bytes on disk")
    return 0


def _run_show(parsed: argparse.Namespace) -> int:
    shown = messages(parsed.file, parsed.limit)
    if parsed.json:
        print(json.dumps([message.to_json() for message in shown], indent=2))
        return 0
    for message in shown:
        key = "-" if message.key is None else repr(message.key.decode("utf-8", "backslashreplace"))
        topic = message.topic.decode("utf-8", "backslashreplace")
        text = message.payload[: 4 * _PREVIEW].decode("utf-8", "backslashreplace")
        preview = "".join(c if c.isprintable() else "." for c in text[:_PREVIEW])
        more = "..." if len(text) > _PREVIEW or len(message.payload) > 4 * _PREVIEW else ""
        print(
            f"{message.id}  {_iso(message.accepted_ms)}  topic {topic}, key {key}, "
            f"{len(message.payload)} bytes  {preview}{more}"
        )
    return 0


def _run_export(parsed: argparse.Namespace) -> int:
    for message in messages(parsed.file):
        sys.stdout.write(json.dumps(message.to_json(), ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return 0


def _run_purge(parsed: argparse.Namespace) -> int:
    # Held while the question is asked: what the answer is about must not change.
    with _Lock(Path(parsed.file)) as lock:
        file = inspect(parsed.file)
        what = file.problem or f"{file.messages} messages for {file.protocol} {file.endpoint}"
        if not parsed.yes:
            print(f"{parsed.file}: {what}", file=sys.stderr)
            print("Delete all of it? [y/N] ", end="", file=sys.stderr, flush=True)
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                print("nothing was deleted", file=sys.stderr)
                return 1
        lock.delete()
    if parsed.json:
        print(json.dumps({"path": file.path, "messages": file.messages}))
    else:
        print(f"deleted {parsed.file}: {what}")
    return 0
