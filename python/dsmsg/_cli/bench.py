# SPDX-License-Identifier: Apache-2.0
"""`dsmsg bench`: what a broker and an adaptor do under a load that does not wait for them."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from dsmsg._cli import _output
from dsmsg._cli._where import Config, Options, Where, complete, read_where

if TYPE_CHECKING:
    from dsmsg.adaptor import Connection, Result

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg bench redis 'localhost;6379' bench",
    "dsmsg bench @site-a bench --rate 5000 --size 2k --seconds 30 --json",
    "dsmsg bench kafka://localhost:9092 bench --rate 1000 --plot latency.png",
)

_UNITS = {"k": 1024, "m": 1024**2}
_PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)
_SPAN_S = 1.0  # of one point over time in the plot


def _size(text: str) -> int:
    number, unit = (text[:-1], text[-1:].lower()) if text[-1:].isalpha() else (text, "")
    if not number.isdigit() or (unit and unit not in _UNITS):
        raise typer.BadParameter(f"{text!r} is not a size (100, 2k, 1M)")
    return int(number) * _UNITS.get(unit, 1)


@dataclass
class _Load:
    """What is sent, and what came of it.

    The load is open: each message has its moment, whether or not the earlier ones are
    acknowledged, and its latency counts from that moment. So a stall shows in all messages that it
    held up, not only in one.
    """

    rate: float
    size: int
    seconds: float
    latencies: list[tuple[float, float]] = field(default_factory=list)
    """When the message was due, seconds from the start, and how long it took, seconds."""
    failed: int = 0
    late: float = 0.0
    """How far behind its moment the sender was at worst, seconds: this machine was too slow."""
    took: float = 0.0
    stats: dict[str, Any] = field(default_factory=dict)
    """The adaptor's own counters (`dsmsg_stats`), if it has them."""

    def run(self, connection: Connection, topic: str, show: _output.Show) -> None:
        """Sends everything and waits for the answers."""
        payload = os.urandom(self.size)
        total = self.total
        begin = time.monotonic()
        for number in range(total):
            due = begin + number / self.rate
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            else:
                self.late = max(self.late, now - due)
            connection.send_async(topic, payload, self._answer(begin, due))
            if number % 100 == 0:
                show(number)
        connection.work_until_done(60.0)
        self.took = time.monotonic() - begin
        with contextlib.suppress(RuntimeError):  # without dsmsg_stats
            self.stats = connection.stats()

    @property
    def total(self) -> int:
        return max(1, int(self.rate * self.seconds))

    def _answer(self, begin: float, due: float) -> Any:  # noqa: ANN401 - a callback
        def answered(result: Result) -> None:
            if result == 0:
                self.latencies.append((due - begin, time.monotonic() - due))
            else:
                self.failed += 1

        return answered

    def report(self) -> dict[str, Any]:
        """Returns the result, times in milliseconds."""
        ordered = sorted(latency for _, latency in self.latencies)
        return {
            "rate_asked": self.rate,
            "size": self.size,
            "sent": self.total,
            "acknowledged": len(ordered),
            "failed": self.failed,
            "unanswered": self.total - len(ordered) - self.failed,
            "seconds": round(self.took, 3),
            "messages_per_second": round(len(ordered) / self.took, 1),
            "bytes_per_second": round(len(ordered) * self.size / self.took),
            "sender_late_ms": round(self.late * 1000, 3),
            "latency_ms": {
                ("max" if each == 100 else f"p{each:g}"): round(
                    _percentile(ordered, each) * 1000, 3
                )
                for each in _PERCENTILES
            },
            "stats": self.stats,
        }


def _percentile(ordered: list[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed."""
    if not ordered:
        return float("nan")
    place = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(0, int(place) - 1)]


def command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="WHERE TOPIC", help="Where to.", autocompletion=complete),
    ],
    rate: Annotated[float, typer.Option(min=0.1, help="Messages a second.")] = 1000,
    size: Annotated[str, typer.Option(help="Bytes of a payload: 100, 2k, 1M.")] = "1k",
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to send.")] = 10,
    plot: Annotated[
        Optional[str],
        typer.Option(metavar="FILE", help="Draw latencies into a PNG file (needs matplotlib)."),
    ] = None,
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> int:
    """Sends at a fixed rate and measures how long acknowledgements take.

    Latency is the time from the moment when a message was due to its acknowledgement, so what waits
    in a queue counts. If the sender is late by more than a few milliseconds, or fewer messages a
    second come out than asked for, something is saturated: this command, the machine or the broker.
    """
    where, rest = read_where(words, config, option, usage="TOPIC", least=1)
    if len(rest) > 1:
        raise typer.BadParameter(f"unexpected {rest[1]!r}")
    draw = _drawing() if plot else None
    load = _Load(rate, _size(size), seconds)
    _run(where, rest[0], load)
    report = load.report()
    if json:
        _output.print_json(report)
    else:
        _print(report)
    if draw is not None and plot is not None:
        draw(plot, load.latencies, report)
        _output.note(f"drawn: {plot}")
    return 1 if report["failed"] or report["unanswered"] else 0


def _run(where: Where, topic: str, load: _Load) -> None:
    with _output.progress("sending", load.total) as show:
        connection = where.load().connect(where.conn_str, where.config(), work_thread=True)
        with connection:
            load.run(connection, topic, show)


def _print(report: dict[str, Any]) -> None:
    print(
        f"{report['acknowledged']} of {report['sent']} acknowledged, {report['failed']} failed, "
        f"in {report['seconds']} s: {report['messages_per_second']} messages/s, "
        f"{report['bytes_per_second'] / 1e6:.2f} MB/s"
    )
    print(f"sender late by at most {report['sender_late_ms']} ms")
    for name, value in report["latency_ms"].items():
        _output.line(f"{name:<6}", f" {value:>10.3f} ms", style="bold")


def _drawing() -> Any:  # noqa: ANN401 - a function
    """Returns the function that draws; fails before anything is sent if it cannot be had."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise RuntimeError(f"--plot needs matplotlib: {error} (pip install matplotlib)") from None
    from dsmsg._cli._plot import draw

    return draw
