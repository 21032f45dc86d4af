# SPDX-License-Identifier: Apache-2.0
"""The command `dsmsg spool`."""

from __future__ import annotations

import argparse
import io
import json
import sys
from dataclasses import asdict
from pathlib import Path

from dsmsg import spool
from dsmsg.spool import SpoolError, SpoolMessage, iso_time

__all__ = ["add_commands"]

_PREVIEW = 60  # characters of a payload
_MOST = 2**63 - 1


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands to a parser; the result's `run` takes the parsed arguments."""
    commands = parser.add_subparsers(dest="spool_command", required=True, metavar="COMMAND")
    for name, argument, text, run in (
        ("ls", "dir", "list the spools of a folder", _run_ls),
        ("show", "file", "show the oldest messages of a spool", _run_show),
        ("export", "file", "print all messages, one JSON object per line", _run_export),
        ("purge", "file", "delete a spool with all its messages", _run_purge),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(argument)
        command.add_argument("--json", action="store_true", help="print JSON")
        if name == "show":
            command.add_argument("--limit", type=_count, default=10, help="at most this many (10)")
        if name == "purge":
            command.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        command.set_defaults(run=run)


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{text} is not a count")
    return number


def _prepare_output() -> None:
    """Escapes what the terminal cannot show, instead of failing half-way."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "." for c in text)


def _run_ls(parsed: argparse.Namespace) -> int:
    _prepare_output()
    files = []
    for path in spool.find(parsed.dir):
        try:
            files.append(spool.inspect(path))
        except SpoolError:  # delivered and deleted meanwhile
            continue
    if parsed.json:
        print(json.dumps([asdict(file) for file in files], indent=2))
        return 0
    if not files:
        print(f"no spools in {parsed.dir}")
    for file in files:
        use = "free"
        if file.locked is None:
            use = "use unknown: its lock cannot be read"
        elif file.locked:
            use = f"in use by process {file.pid}" if file.pid else "in use"
        print(f"{Path(file.path).name}  {use}")
        if file.problem:
            print(f"  {file.problem}")
            continue
        name = f", spool-name {_printable(file.name)}" if file.name else ""
        print(f"  {_printable(file.protocol)} {_printable(file.endpoint)}{name}")
        oldest = f", the oldest of {iso_time(file.oldest_ms)}" if file.oldest_ms is not None else ""
        print(f"  {file.messages} messages, {file.bytes} bytes{oldest}")
        print(f"  {file.file_bytes} bytes on disk")
    return 0


def _complain(path: str, message: SpoolMessage) -> bool:
    if message.problems:
        what = "; ".join(message.problems)
        print(f"dsmsg: {path}: message {message.id}: {what}", file=sys.stderr)
    return bool(message.problems)


def _run_show(parsed: argparse.Namespace) -> int:
    _prepare_output()
    shown: list[dict[str, object]] = []
    code = 0
    try:
        for message in spool.messages(parsed.file, parsed.limit):
            if _complain(parsed.file, message):
                code = 1
            if parsed.json:
                shown.append(message.to_json())
            else:
                _show(message)
    except SpoolError:
        if shown:  # damaged further on
            print(json.dumps(shown, indent=2))
        raise
    if parsed.json:
        print(json.dumps(shown, indent=2))
    return code


def _show(message: SpoolMessage) -> None:
    key = "-" if message.key is None else repr(message.key.decode("utf-8", "backslashreplace"))
    topic = _printable(message.topic.decode("utf-8", "backslashreplace"))
    text = message.payload[: 4 * _PREVIEW].decode("utf-8", "backslashreplace")
    more = "..." if len(text) > _PREVIEW or len(message.payload) > 4 * _PREVIEW else ""
    print(
        f"{message.id}  {iso_time(message.accepted_ms)}  topic {topic}, key {key}, "
        f"{len(message.payload)} bytes  {_printable(text[:_PREVIEW])}{more}"
    )


def _run_export(parsed: argparse.Namespace) -> int:
    code = 0
    # Elsewhere only ASCII is sure to arrive.
    utf8 = getattr(sys.stdout, "encoding", "").lower() == "utf-8"
    for message in spool.messages(parsed.file):
        if _complain(parsed.file, message):
            code = 1
        print(json.dumps(message.to_json(), ensure_ascii=not utf8))
    return code


def _run_purge(parsed: argparse.Namespace) -> int:
    _prepare_output()
    # Held while the question is asked: what the answer is about must not change.
    with spool.Lock(Path(parsed.file)) as lock:
        file = spool.inspect(parsed.file)
        what = file.problem or f"{file.messages} messages for {file.protocol} {file.endpoint}"
        if not parsed.yes:
            print(f"{parsed.file}: {what}", file=sys.stderr)
            print("Delete them all? [y/N] ", end="", file=sys.stderr, flush=True)
            answer = sys.stdin.readline() if sys.stdin else ""  # None: closed
            if answer.strip().lower() not in ("y", "yes"):
                print("nothing was deleted", file=sys.stderr)
                return 1
        lock.delete()
    if parsed.json:
        print(json.dumps({"path": file.path, "messages": file.messages}))
    else:
        print(f"deleted {parsed.file}: {what}")
    return 0
