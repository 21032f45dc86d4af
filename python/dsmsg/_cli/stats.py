# SPDX-License-Identifier: Apache-2.0
"""`dsmsg stats`: the counters of running connections, from their metrics files."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from dsmsg._cli import _output
from dsmsg._cli._metrics import Connection, read_metrics

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg stats /var/lib/node_exporter/textfile/dsmsg.prom",
    "dsmsg stats /var/lib/node_exporter/textfile/dsmsg-*.prom --watch",
    "dsmsg stats dsmsg.prom --json | jq '.[].queue_messages'",
)


def command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files that metrics-file names.")
    ],
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option(help="Seconds between two looks with --watch.", min=0.1)
    ] = 2,
    count: Annotated[
        int, typer.Option(help="End --watch after this many looks; 0: never.", min=0)
    ] = 0,
    json: _output.Json = False,
) -> int:
    """Shows what connections have counted: of every process with the option metrics-file.

    With --watch also messages a second. `metrics-interval` says how often the files are written; a
    file that is older than that belongs to a process that was killed.
    """
    before: dict[str, Connection] = {}
    looks = 0
    console = Console()
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            now = read_metrics([Path(name) for name in files])
            if json:
                _output.print_json(
                    [each.to_json() for each in now.values()], indent=None if watch else 2
                )
            elif watch and console.is_terminal:
                live.update(_table(now, before), refresh=True)
            else:
                _print(now, before)
            looks += 1
            if not watch or looks == count:
                return 0
            before = now
            time.sleep(interval)


def _table(now: dict[str, Connection], before: dict[str, Connection]) -> Table:
    table = Table()
    titles = ("connection", "link", "queue", "acknowledged", "failed", "dropped", "age")
    for number, title in enumerate(titles):
        table.add_column(title, justify="left" if number < 2 else "right")
    for name, each in now.items():
        style = "" if each.up else "red"
        table.add_row(*_cells(name, each, before.get(name)), style=style)
    return table


def _print(now: dict[str, Connection], before: dict[str, Connection]) -> None:
    if not now:
        print("no connections in these files")
    for name, each in now.items():
        name, link, queue, acknowledged, failed, dropped, age = _cells(name, each, before.get(name))
        _output.line(
            f"{link:<5}",
            f"{name}  queue {queue}, acknowledged {acknowledged}, failed {failed}, "
            f"dropped {dropped}, written {age} ago",
            style="green" if each.up else "red",
        )


def _cells(name: str, each: Connection, before: Connection | None) -> tuple[str, ...]:
    acknowledged = f"{each.value('acknowledged_total'):.0f}"
    if before is not None and each.written > before.written:
        more = each.value("acknowledged_total") - before.value("acknowledged_total")
        acknowledged += f" ({more / (each.written - before.written):.0f}/s)"
    return (
        re.sub(r"\s", " ", name),
        "up" if each.up else "down",
        f"{each.value('queue_messages'):.0f}",
        acknowledged,
        f"{each.value('failed_total'):.0f}",
        f"{each.value('dropped_total'):.0f}",
        f"{max(0.0, time.time() - each.written):.0f} s",
    )
