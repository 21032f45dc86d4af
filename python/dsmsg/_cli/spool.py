# SPDX-License-Identifier: Apache-2.0
"""`dsmsg spool`: messages that wait on disk for a broker."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dsmsg import spool
from dsmsg._cli import _output, _spool_back
from dsmsg._cli._output import printable
from dsmsg._cli._typer import Group
from dsmsg.spool import SpoolError, SpoolMessage, iso_time

__all__ = ["EXAMPLES", "app"]

EXAMPLES = (
    "dsmsg spool ls /var/spool/dsmsg",
    "dsmsg spool show /var/spool/dsmsg/kafka-0123456789abcdef-0.db --limit 3",
)

_PREVIEW = 60  # characters of a payload
_MOST = 2**63 - 1

app = Group(
    help="Inspects messages waiting on disk for a broker, and moves them.",
)
File = Annotated[str, typer.Argument(metavar="FILE", help="The spool, as `ls` names it.")]


def _example(*lines: str) -> str:
    return _output.examples(lines)


@app.command("ls", epilog=_example("dsmsg spool ls /var/spool/dsmsg"))
def _ls(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="spool-dir.")],
    json: _output.Json = False,
) -> None:
    """Lists the spools of a folder."""
    files = []
    for path in spool.find(folder):
        try:
            files.append(spool.inspect(path))
        except SpoolError:  # delivered and deleted meanwhile
            continue
    if json:
        _output.print_json([asdict(file) for file in files])
        return
    if not files:
        print(f"no spools in {folder}")
    for file in files:
        _list(file)


def _list(file: spool.SpoolFile) -> None:
    use = "free"
    if file.locked is None:
        use = "use unknown: its lock cannot be read"
    elif file.locked:
        use = f"in use by process {file.pid}" if file.pid else "in use"
    _output.line(Path(file.path).name, f"  {use}", style="bold")
    if file.problem:
        print(f"  {file.problem}")
        return
    name = f", spool-name {printable(file.name)}" if file.name else ""
    print(f"  {printable(file.protocol)} {printable(file.endpoint)}{name}")
    oldest = f", the oldest of {iso_time(file.oldest_ms)}" if file.oldest_ms is not None else ""
    print(f"  {file.messages} messages, {file.bytes} bytes{oldest}")
    print(f"  {file.file_bytes} bytes on disk")


def _complain(path: str, message: SpoolMessage) -> bool:
    if message.problems:
        _output.complain(f"{path}: message {message.id}: {'; '.join(message.problems)}")
    return bool(message.problems)


@app.command("show", epilog=_example("dsmsg spool show /var/spool/dsmsg/kafka-*.db --limit 3"))
def _show(
    path: File,
    limit: Annotated[int, typer.Option(help="At most this many.", min=0, max=_MOST)] = 10,
    json: _output.Json = False,
) -> int:
    """Shows the oldest messages of a spool."""
    shown: list[dict[str, object]] = []
    code = 0
    try:
        for message in spool.messages(path, limit):
            if _complain(path, message):
                code = 1
            if json:
                shown.append(message.to_json())
            else:
                _print(message)
    except SpoolError:
        if shown:  # damaged further on
            _output.print_json(shown)
        raise
    if json:
        _output.print_json(shown)
    return code


def _print(message: SpoolMessage) -> None:
    key = "-" if message.key is None else repr(message.key.decode("utf-8", "backslashreplace"))
    topic = printable(message.topic.decode("utf-8", "backslashreplace"))
    text = message.payload[: 4 * _PREVIEW].decode("utf-8", "backslashreplace")
    more = "..." if len(text) > _PREVIEW or len(message.payload) > 4 * _PREVIEW else ""
    print(
        f"{message.id}  {iso_time(message.accepted_ms)}  topic {topic}, key {key}, "
        f"{len(message.payload)} bytes  {printable(text[:_PREVIEW])}{more}"
    )


@app.command("export", epilog=_example("dsmsg spool export FILE > messages.jsonl"))
def _export(path: File, json: _output.Json = False) -> int:
    """Prints all messages, one JSON object a line."""
    code = 0
    # Elsewhere only ASCII is sure to arrive.
    utf8 = getattr(sys.stdout, "encoding", "").lower() == "utf-8"
    for message in spool.messages(path):
        if _complain(path, message):
            code = 1
        _output.print_json(message.to_json(), indent=None, ascii_only=not utf8)
    return code


@app.command("purge", epilog=_example("dsmsg spool purge FILE --yes"))
def _purge(
    path: File,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    json: _output.Json = False,
) -> int:
    """Deletes a spool with all its messages."""
    # Held while the question is asked: what the answer is about must not change.
    with spool.Lock(Path(path)) as lock:
        file = spool.inspect(path)
        what = file.problem or f"{file.messages} messages for {file.protocol} {file.endpoint}"
        if not yes and not _confirmed(path, what):
            return 1
        lock.delete()
    if json:
        _output.print_json({"path": file.path, "messages": file.messages}, indent=None)
    else:
        print(f"deleted {path}: {what}")
    return 0


def _confirmed(path: str, what: str) -> bool:
    _output.note(f"{path}: {what}")
    print("Delete them all? [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline() if sys.stdin else ""  # None: closed
    if answer.strip().lower() in ("y", "yes"):
        return True
    _output.note("nothing was deleted")
    return False


app.command(
    "replay",
    epilog=_example(
        "dsmsg spool replay FILE kafka://other-host:9092",
        "dsmsg spool replay FILE @site-a --topic recovered --rate 500 --delete",
    ),
)(_spool_back.replay)
app.command(
    "import",
    epilog=_example(
        "dsmsg spool export OLD | dsmsg spool import NEW",
        "dsmsg spool import FILE messages.jsonl",
    ),
)(_spool_back.import_)
