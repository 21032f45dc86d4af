# SPDX-License-Identifier: Apache-2.0
"""`dsmsg bridge`: passes messages from brokers to brokers, as a file of routes says."""

from __future__ import annotations

import json as json_module
import logging
import signal
import sys
import threading
import time
from typing import Annotated, Any

import typer

from dsmsg._cli import _output

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg bridge bridge.yaml",
    "dsmsg bridge bridge.yaml --check    # the file only; nothing is connected",
    "dsmsg bridge bridge.yaml --json     # counters, one line each report-interval",
)


def command(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The routes, as YAML or JSON.", show_default=False)
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Check the file; connect to nothing.")
    ] = False,
    json: _output.Json = False,
) -> int:
    """Passes messages from brokers to brokers.

    A message is acknowledged to its source once its destination has acknowledged it. SIGTERM and
    Ctrl-C end it, with what is in flight delivered first. Exit codes: 0 ended so, or the file is
    good; 1 a route failed, or the destination refused a message and on-refused is stop.
    """
    from dsmsg.bridge import Bridge  # here: it takes cffi, which other commands do without

    bridge = Bridge(file)
    for warning in bridge.warnings:
        _output.complain(warning)
    if check:
        names = list(bridge.stats())
        if json:
            _output.print_json({"routes": names, "warnings": bridge.warnings})
        else:
            _output.line(f"{file}: good, {len(names)} routes: {', '.join(names)}")
        return 0
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="dsmsg: %(message)s")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: ended.set())
    with bridge:
        due = time.monotonic() + bridge.report_interval
        while not ended.is_set() and not bridge.failures:
            # A signal interrupts this wait; a failure is looked for.
            ended.wait(min(0.5, max(0.0, due - time.monotonic())))
            if time.monotonic() >= due:
                due += bridge.report_interval
                _report(bridge.stats(), as_json=json)
    _report(bridge.stats(), as_json=json)
    return 1 if bridge.failures else 0


def _report(stats: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        line = {"time": round(time.time(), 3), "routes": stats}
        print(json_module.dumps(line), flush=True)
        return
    for name, each in stats.items():
        logging.getLogger("dsmsg.bridge").info(
            "%s: %s; received %d, sent %d, acknowledged %d, refused %d, in flight %d, lag %d ms",
            name,
            *(each[what] for what in ("state", "received", "sent", "acknowledged", "refused")),
            each["in_flight"],
            each["lag_ms"],
        )
