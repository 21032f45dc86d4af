# SPDX-License-Identifier: Apache-2.0
"""`dsmsg audit`: which messages of which source are missing in a topic, and why."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import IO, Annotated, Any, Optional

import click
import typer

from dsmsg._cli import _jsonlines, _output
from dsmsg._cli._output import printable
from dsmsg._cli._where import Config, Options, Where, complete, read_where
from dsmsg._looking import dashed, settings_of
from dsmsg.ledger import Audit, Numbers, Verdict

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg audit kafka://localhost:9092 detections --from-beginning --ledger /var/lib/dsmsg/ledger",
    "dsmsg audit @site-a detections --config cfg_kafka.txt   # its ledger-file and spool-dir",
    "dsmsg audit @site-a detections --seconds 60 --json",
    "dsmsg sub mqtt://hub detections --json > seen.jsonl; dsmsg audit --capture seen.jsonl",
)

_OWN = ("ledger", "ledger-file", "ledger-source", "ledger-field", "ledger-max-bytes")
_LEFT_OUT = (*_OWN, "spool-dir", "spool-mode", "overflow", "metrics-file", "dead-letter-dir")
"""What a reader leaves to the sender whose configuration it shares."""

_FIRST = 3  # times --until-idle: a consumer group takes a while to begin
_SHOWN = 60  # characters of a list of numbers


def command(
    words: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="[WHERE TOPIC...]", help="What to read.", autocompletion=complete),
    ] = None,
    capture: Annotated[
        Optional[str],
        typer.Option(metavar="FILE", help="Read what `dsmsg sub --json` printed; - is the input."),
    ] = None,
    ledger: Annotated[
        Optional[list[str]],
        typer.Option(metavar="FILE", help="A ledger-file of the senders; may be repeated."),
    ] = None,
    spool: Annotated[
        Optional[list[str]],
        typer.Option(metavar="FILE", help="A spool of the senders, or the folder of all."),
    ] = None,
    from_beginning: Annotated[
        bool,
        typer.Option(
            "--from-beginning",
            help="Read the topic from its oldest message on, and expect every number from 1 on.",
        ),
    ] = False,
    until_idle: Annotated[
        float, typer.Option(help="End when nothing came for this many seconds.", min=0.1)
    ] = 5,
    seconds: Annotated[
        float, typer.Option(help="Read no longer than this many seconds; 0: any time.", min=0)
    ] = 0,
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> int:
    """Says what is missing in a topic, of which source, and why.

    The senders need `ledger=1`: then each message has a number. `--ledger` and `--spool` say which
    numbers were given up, by which policy and when, and which still wait on disk. Without them
    only gaps between received numbers are found. With --config, ledger-file and spool-dir of that
    file are taken.

    Exit codes: 0: nothing is missing, or all that is missing is explained. 1: something is missing
    without a reason, or the audit failed. 2: wrong usage.
    """
    where, topics = None, list[str]()
    if capture is None:
        where, topics = read_where(words, config, option, usage="TOPIC...", least=1)
    elif words:
        raise click.UsageError("WHERE and --capture: give only one of them")
    audit = Audit()
    ledgers, spools = _beside(where, ledger or [], spool or [])
    for path in ledgers:
        audit.read_ledger(path)
    for path in spools:
        audit.read_spool(path)
    if capture is not None:
        _read_capture(audit, capture)
    elif where is not None:
        _read_topic(audit, where, topics, from_beginning, until_idle, seconds)
    verdicts = audit.verdicts(from_beginning=from_beginning)
    for problem in audit.problems:
        _output.complain(problem)
    if json:
        _output.print_json(_as_json(audit, verdicts))
    else:
        _print(audit, verdicts, known=bool(ledgers))
    if not verdicts:
        _output.complain("no message has a number (do the senders have ledger=1?)")
        return 1
    return 1 if any(verdict.unexplained for verdict in verdicts) else 0


def _beside(
    where: Optional[Where], ledgers: list[str], spools: list[str]
) -> tuple[list[str], list[str]]:
    """Adds what the configuration of the senders names, where nothing was given."""
    settings: dict[str, str] = {}
    if where is not None:
        settings = settings_of(where.file) if where.file else {}
        settings = {name: value.strip("\"'") for name, value in settings.items()}
        settings.update({dashed(name): value for name, value in where.options.items()})
    file, folder = settings.get("ledger-file", ""), settings.get("spool-dir", "")
    if file and not ledgers:
        pattern = file.replace("%p", "*").replace("%%", "%")
        found = Path(pattern).parent.glob(Path(pattern).name)
        ledgers = sorted(str(path) for path in found if not path.name.endswith(".1"))
        if not ledgers:
            _output.complain(f"ledger-file={file} of the configuration does not exist")
    if folder not in ("", "off") and not spools and Path(folder).is_dir():
        spools = [folder]
    return ledgers, spools


def _read_capture(audit: Audit, path: str) -> None:
    def read(lines: _jsonlines.Input) -> None:
        for message in _jsonlines.read(lines, _jsonlines.Outgoing()):
            audit.add(message.headers, message.payload)

    if path == "-":
        read(sys.stdin.buffer)
        return
    file: IO[bytes]
    with Path(path).open("rb") as file:
        read(file)


def _read_topic(
    audit: Audit, where: Where, topics: list[str], oldest: bool, idle: float, seconds: float
) -> None:
    from dsmsg._cli.sub import connect_to_look, on_signals  # here: it takes the adaptor

    changed = threading.Condition()
    began = time.monotonic()
    last = began + idle * (_FIRST - 1)
    stopped = False

    def receive(message: Any) -> None:  # noqa: ANN401 - Message
        nonlocal last
        with changed:
            if not stopped:
                audit.add(message.headers, message.payload)
                last = time.monotonic()

    def stop() -> None:
        nonlocal stopped
        stopped = True

    on_signals(stop)
    start = "" if oldest else None
    connection, plan = connect_to_look(where, topics, None, start, _LEFT_OUT)
    with connection:
        connection.subscribe(plan.topics, receive)
        _output.note(f"reading {', '.join(topics)}{plan.place} until nothing comes; Ctrl-C ends it")
        if plan.warning:
            _output.complain(plan.warning)
        with changed:
            while not stopped:
                now = time.monotonic()
                end = last + idle if seconds == 0 else min(last + idle, began + seconds)
                if now >= end:
                    break
                changed.wait(min(end - now, 0.2))  # a signal does not wake it
            stopped = True


def _as_json(audit: Audit, verdicts: list[Verdict]) -> dict[str, object]:
    return {
        "sources": [verdict.to_json() for verdict in verdicts],
        "unmarked": audit.unmarked,
        "unnumbered": sum(audit.unnumbered.values()),
        "explained": not any(verdict.unexplained for verdict in verdicts),
    }


def _print(audit: Audit, verdicts: list[Verdict], *, known: bool) -> None:
    for verdict in verdicts:
        _output.line(printable(verdict.source), f"  connection {verdict.epoch}", style="bold")
        print(
            f"  numbers {verdict.first:,} to {verdict.last:,}: {verdict.received:,} received, "
            f"{verdict.duplicated:,} duplicates, {len(verdict.missing):,} missing"
        )
        for loss in verdict.dropped:
            why = f"{loss.policy}; {printable(loss.text)}" if loss.text else loss.policy
            print(f"  dropped: {_some(loss.numbers)}, {loss.reason} ({why})")
            print(f"    from {loss.since} to {loss.until}")
        for text, numbers in (
            ("waiting in the spool", verdict.waiting),
            ("on their way (the connection exists)", verdict.on_the_way),
            ("unexplained", verdict.unexplained),
        ):
            if numbers:
                print(f"  {text}: {_some(numbers)}")
    _print_sums(audit, verdicts)
    if not known and verdicts:
        print("without --ledger: what came after the last number received is not known")


def _some(numbers: Numbers) -> str:
    text = str(numbers)
    if len(text) > _SHOWN:
        text = text[: text.rindex(",", 0, _SHOWN) + 1] + "..." if "," in text[:_SHOWN] else text
    return f"{len(numbers):,} (numbers {text})"


def _print_sums(audit: Audit, verdicts: list[Verdict]) -> None:
    def total(name: str) -> int:
        return sum(len(getattr(verdict, name)) for verdict in verdicts)

    dropped = sum(len(loss.numbers) for verdict in verdicts for loss in verdict.dropped)
    print(
        f"in all: {sum(verdict.received for verdict in verdicts):,} received, "
        f"{sum(verdict.duplicated for verdict in verdicts):,} duplicates, "
        f"{total('missing'):,} missing: {dropped:,} dropped, {total('waiting'):,} in the spool, "
        f"{total('on_the_way'):,} on their way, {total('unexplained'):,} unexplained"
    )
    if audit.unmarked:
        print(f"{audit.unmarked:,} messages have no number")
    if unnumbered := sum(audit.unnumbered.values()):
        print(f"{unnumbered:,} messages were sent without a number (no JSON objects)")
