# SPDX-License-Identifier: Apache-2.0
"""`dsmsg spool replay` and `dsmsg spool import`: out of a spool by hand, and back into one."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Optional

import typer

from dsmsg import _spool_add, spool
from dsmsg._cli import _jsonlines, _output
from dsmsg._cli._jsonlines import Outgoing
from dsmsg._cli._send import Sending
from dsmsg._cli._where import Config, Options, Where, complete, read_where

__all__ = ["import_", "replay"]

_File = Annotated[str, typer.Argument(metavar="FILE", help="The spool, as `ls` names it.")]


def replay(
    path: _File,
    words: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="WHERE", help="Where to send them.", autocompletion=complete),
    ] = None,
    topic: Annotated[
        Optional[str], typer.Option(help="Send all to this topic, not to their own.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="At most this many messages a second; 0: no limit.")
    ] = 0,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the spool when all are acknowledged.")
    ] = False,
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> int:
    """Sends a spool's messages to a broker, oldest first, with keys, headers and times.

    For a spool that no process will adopt any more: one of another endpoint, or of another machine.
    It must not be in use. A message that was edited and has no payload or topic is not sent.
    """
    where, rest = read_where(words, config, option)
    if rest:
        raise typer.BadParameter(f"unexpected {rest[0]!r}")
    with spool.Lock(Path(path)) as lock:
        sending, skipped, reason = _replay(path, where, topic, rate)
        failed = sending.failed + skipped
        if delete and not failed:
            lock.delete()
    result = {
        "acknowledged": sending.acknowledged,
        "failed": failed,
        "reason": reason,
        "deleted": delete and not failed,
    }
    if json:
        _output.print_json(result, indent=None)
    else:
        print(f"{sending.acknowledged} acknowledged{', spool deleted' * (delete and not failed)}")
    if failed:
        kept = "; the spool is as it was"
        _output.complain(f"{failed} messages failed: {reason or 'edited rows'}{kept}")
    return 1 if failed else 0


def _replay(path: str, where: Where, topic: Optional[str], rate: float) -> tuple[Sending, int, str]:
    skipped = 0
    total = spool.inspect(path).messages
    with _output.progress("sending", total) as show, where.connect() as connection:
        sending = Sending(connection)
        begin = time.monotonic()
        for number, message in enumerate(spool.messages(path)):
            if message.problems:
                _output.complain(f"{path}: message {message.id}: {'; '.join(message.problems)}")
                skipped += 1
                continue
            if rate:
                sending.wait_until(begin + number / rate)
            sending.send(_outgoing(message, topic))
            show(sending.done)
        sending.finish(show)
    return sending, skipped, connection.last_error() if sending.failed else ""


def _outgoing(message: spool.SpoolMessage, topic: Optional[str]) -> Outgoing:
    def text(value: bytes) -> str:
        return value.decode("utf-8", "surrogateescape")

    return Outgoing(
        topic=text(message.topic) if topic is None else topic,
        payload=message.payload,
        key=message.key,
        headers=[(text(name), text(value)) for name, value in message.headers],
        timestamp_ms=message.timestamp_ms,
    )


def import_(
    path: _File,
    source: Annotated[
        Optional[str],
        typer.Argument(metavar="[LINES]", help="JSON lines (default: standard input)."),
    ] = None,
    json: _output.Json = False,
) -> int:
    """Adds messages to a spool behind those that it has: what `export` and `sub --json` print.

    The spool must exist and must not be in use; the process that next opens it sends them. All are
    added or, after an error, none.
    """
    with ExitStack() as stack:
        data: _jsonlines.Input = sys.stdin.buffer
        if source not in (None, "-"):
            data = stack.enter_context(Path(str(source)).open("rb"))
        show = stack.enter_context(_output.progress("importing", None))
        added = _spool_add.add(path, _rows(_jsonlines.read(data, Outgoing()), show))
    if json:
        _output.print_json({"path": path, "added": added}, indent=None)
    else:
        print(f"{added} messages added to {path}")
    return 0


def _rows(messages: Iterator[Outgoing], show: _output.Show) -> Iterator[_spool_add.NewMessage]:
    for number, message in enumerate(messages, 1):
        if not message.topic:
            raise ValueError(f"message {number} has no topic")
        yield _spool_add.NewMessage(
            topic=message.topic.encode("utf-8", "surrogateescape"),
            payload=message.payload,
            key=message.key,
            headers=[
                (name.encode(), value.encode("utf-8", "surrogateescape"))
                for name, value in message.headers
            ],
            timestamp_ms=message.timestamp_ms,
        )
        show(number)
