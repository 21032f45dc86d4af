# SPDX-License-Identifier: Apache-2.0
"""`dsmsg sub`: prints received messages, and takes none away from running consumers."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Callable, Optional

import typer

from dsmsg._cli import _output, _show
from dsmsg._cli._where import Config, Options, Where, complete, read_where
from dsmsg._looking import HELP, STARTS, Look, dashed, look, settings_of, starting_at

if TYPE_CHECKING:
    from dsmsg.adaptor import Connection

__all__ = ["EXAMPLES", "command", "connect_to_look", "on_signals"]

EXAMPLES = (
    "dsmsg sub redis 'localhost;6379' detections",
    "dsmsg sub kafka://localhost:9092 detections --from-beginning --count 10 --json",
    "dsmsg sub @site-a detections --format '{topic} {json.sensorId} {size}\\n'",
    "dsmsg sub mqtt://camera-hub 'cameras/#' --decode frame",
    "dsmsg sub mqtt://hub 'sensors/+/telemetry' --map uplink.yaml",
    "dsmsg sub @site-a detections --group counters   # share the messages with its members",
)


def command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="WHERE TOPIC...", help="What to read.", autocompletion=complete),
    ],
    group: Annotated[
        Optional[str],
        typer.Option(
            metavar="NAME", help="Share the messages of this group with its other members."
        ),
    ] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest message kept.")
    ] = False,
    offset: Annotated[
        Optional[str],
        typer.Option(
            metavar="START",
            help="Where to begin: a group that has read before goes on where it was. "
            f"{'; '.join(STARTS)}; others have no such option.",
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="End after this many messages; 0: never.")] = 0,
    timeout: Annotated[float, typer.Option(help="Fail after this many seconds; 0: never.")] = 0,
    form: Annotated[
        Optional[str],
        typer.Option(
            "--format",
            metavar="TEXT",
            help="Print this: {topic}, {payload}, {size}, {n} (number), {key}, {partition}, "
            "{offset}, {time}, {json.PATH} (a value of a JSON payload), \\n, \\t.",
        ),
    ] = None,
    decode: Annotated[
        Optional[_show.Decode],
        typer.Option(help="Print protobuf payloads (include/nv.proto) as JSON."),
    ] = None,
    map_file: Annotated[
        Optional[str],
        typer.Option("--map", metavar="FILE", help="Print what this map makes of each (maps.md)."),
    ] = None,
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> int:
    """Prints received messages.

    It only watches: running consumers still get all their messages, and nothing is left behind at
    the broker. Unless stated otherwise, it prints what is sent from now on.
    """
    where, topics = read_where(words, config, option, usage="TOPIC...", least=1)
    mapping = None
    if map_file is not None:
        if decode is not None:
            raise ValueError("--map and --decode: a map reads JSON payloads (leave one out)")
        from dsmsg._cli import map as maps  # here: it takes the native module

        loaded = maps.load(map_file)
        if loaded is None:
            return 2
        mapping = loaded
    shower = _show.Shower(
        sys.stdout.buffer, as_json=json, form=form, decode=decode, mapping=mapping
    )
    start = "" if from_beginning else offset
    return _watch(where, topics, group, start, shower, count=count, timeout=timeout)


command.__doc__ = f"{command.__doc__}\n    By adaptor: {'. '.join(HELP)}.\n"


def connect_to_look(
    where: Where,
    topics: list[str],
    group: Optional[str] = None,
    start: Optional[str] = None,
    without: Iterable[str] = (),
) -> tuple[Connection, Look]:
    """Connects so that running consumers still get their messages.

    Args:
        where: the broker.
        topics: to read.
        group: to share; None: one of its own.
        start: where to begin; "": with the oldest message; None: as the settings say.
        without: options that are left out, whoever sets them.
    """
    without = frozenset(without)
    options = {name: value for name, value in where.options.items() if dashed(name) not in without}
    where = replace(where, options=options)
    adaptor = where.load()
    adaptor.check(where.options)
    if start is not None:
        begin = starting_at(adaptor.protocol, adaptor.options, start)
        where = replace(where, options={**where.options, **begin})
    file = settings_of(where.file) if where.file else {}
    plan = look(adaptor.protocol, adaptor.options, topics, group, file, where.options)
    if without.intersection(file):
        plan = replace(plan, settings={**plan.settings, **dict.fromkeys(without)})
    config = where.config(plan if plan.settings else None)
    return adaptor.connect(where.conn_str, config), plan


def _watch(
    where: Where,
    topics: list[str],
    group: Optional[str],
    start: Optional[str],
    shower: _show.Shower,
    *,
    count: int,
    timeout: float,
) -> int:
    done = threading.Event()
    failure: list[BaseException] = []

    def receive(message: Any) -> None:  # noqa: ANN401 - Message
        if done.is_set():
            return
        try:
            shower.show(message)
        except (OSError, ValueError) as error:
            failure.append(error)
            done.set()
        if count and shower.shown >= count:
            done.set()

    on_signals(done.set)
    connection, plan = connect_to_look(where, topics, group, start)
    with connection:
        connection.subscribe(plan.topics, receive)
        _output.note(f"receiving {', '.join(topics)}{plan.place}; Ctrl-C ends it")
        if plan.warning:
            _output.complain(plan.warning)
        finished = done.wait(timeout or None)
    if failure:
        raise failure[0]
    if not finished:
        _output.complain(f"{shower.shown} messages within {timeout:g} s")
        return 1
    return 0


def on_signals(end: Callable[[], object]) -> None:
    """Calls `end` on Ctrl-C and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: end())
