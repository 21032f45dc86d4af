# SPDX-License-Identifier: Apache-2.0
"""`dsmsg pub`: sends messages."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Annotated, Optional

import typer

from dsmsg._cli import _jsonlines, _output
from dsmsg._cli._jsonlines import Outgoing
from dsmsg._cli._send import Sending
from dsmsg._cli._where import Config, Options, Where, complete, pair, read_where

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg pub redis 'localhost;6379' detections hello",
    "dsmsg pub kafka://localhost:9092 detections --key camera-1 --header site=a < frame.json",
    "dsmsg pub @site-a detections --file one.bin --file two.bin",
    "dsmsg pub @site-a detections --lines --rate 100 < messages.txt",
    "dsmsg sub @site-a detections --json --count 10 | dsmsg pub @site-b --jsonl",
    "dsmsg pub @site-a detections test --count 1000 --rate 50",
)


@dataclass(frozen=True)
class _Source:
    """What the options say about the messages."""

    message: Optional[str]
    files: list[str]
    lines: bool
    jsonl: bool
    count: int

    def total(self) -> Optional[int]:
        """How many messages there will be; None: not known before the end."""
        if self.lines or self.jsonl:
            return None
        return self.count * max(1, len(self.files))

    def messages(self, plain: Outgoing) -> Iterator[Outgoing]:
        """The messages, one by one; `plain` has what the options say of each."""
        for data in self._streams():
            if self.jsonl:
                yield from _jsonlines.read(data, plain)
            elif self.lines:
                whole = (each.rstrip(b"\r\n") for each in data)
                yield from (plain.carrying(each) for each in whole if each)
            else:
                payload = data.read()
                yield from repeat(plain.carrying(payload), self.count)

    def _streams(self) -> Iterator[_jsonlines.Input]:
        if self.message is not None:
            yield _jsonlines.text_input(os.fsencode(self.message))
        for name in self.files:
            if name == "-":
                yield sys.stdin.buffer
            else:
                with Path(name).open("rb") as file:
                    yield file
        if self.message is None and not self.files:
            yield sys.stdin.buffer


def command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WHERE TOPIC [MESSAGE]",
            help="Without a message or --file: all of standard input.",
            autocompletion=complete,
        ),
    ],
    files: Annotated[
        Optional[list[str]],
        typer.Option(
            "--file", "-f", metavar="FILE", help="Send a file's content; - is standard input."
        ),
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Send each line of the input as a message.")
    ] = False,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help="Each line of the input is a JSON object with payload (or payload_base64) and, "
            "if wanted, topic, key, headers, timestamp_ms: what `sub --json` and `spool export` "
            "print.",
        ),
    ] = False,
    key: Annotated[Optional[str], typer.Option(help="Message key.")] = None,
    header: Annotated[
        Optional[list[str]], typer.Option(metavar="NAME=VALUE", help="Header; may be repeated.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="At most this many messages a second; 0: no limit.")
    ] = 0,
    count: Annotated[int, typer.Option(min=1, help="Send the message, or each file, N times.")] = 1,
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> int:
    """Sends messages and waits until the broker has acknowledged them."""
    usage = "[TOPIC]" if jsonl else "TOPIC [MESSAGE]"
    where, rest = read_where(words, config, option, usage=usage, least=0 if jsonl else 1)
    source = _Source(_message(rest, files), list(files or ()), lines, jsonl, count)
    plain = Outgoing(
        topic=rest[0] if rest else None,
        key=None if key is None else os.fsencode(key),
        headers=[pair(text, "--header") for text in header or ()],
    )
    return _send(where, source, plain, rate, as_json=json)


def _message(rest: list[str], files: Optional[list[str]]) -> Optional[str]:
    if len(rest) > 2:
        raise typer.BadParameter(f"unexpected {rest[2]!r} (quote a message that has blanks)")
    if len(rest) == 2 and files:
        raise typer.BadParameter("give a message or --file, not both")
    return rest[1] if len(rest) == 2 else None


def _send(where: Where, source: _Source, plain: Outgoing, rate: float, *, as_json: bool) -> int:
    with _output.progress("sending", source.total()) as show, where.connect() as connection:
        sending = Sending(connection)
        begin = time.monotonic()
        for number, message in enumerate(source.messages(plain)):
            if rate:
                sending.wait_until(begin + number / rate)
            sending.send(message)
            show(sending.done)
        sending.finish(show)
    failed = sending.failed
    # After the end, which ends what is left: without a reason of the adaptor, where to look.
    no_reason = "the adaptor gave no reason (see its log)"
    reason = (connection.last_error() or no_reason) if failed else ""
    if as_json:
        _output.print_json(
            {"acknowledged": sending.acknowledged, "failed": failed, "reason": reason}, indent=None
        )
    if failed:
        _output.complain(f"{failed} of {sending.done} messages failed: {reason}")
    elif not as_json:
        print(f"{sending.acknowledged} acknowledged")
    return 1 if failed else 0
