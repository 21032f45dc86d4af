# SPDX-License-Identifier: Apache-2.0
"""`dsmsg doctor`: what is found on this machine, and step by step how far a broker is reached."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from dsmsg._cli import _checks, _output
from dsmsg._cli._where import Config, Options, complete, read_where
from dsmsg._find import search_folders
from dsmsg.doctor import examine

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg doctor",
    "dsmsg doctor kafka 'localhost;9092'",
    "dsmsg doctor @site-a --topic health --timeout 5 --json",
    "dsmsg doctor mqtts://hub:8883 -o tls-cafile=ca.pem --no-publish || echo failed with $?",
)


def command(
    words: Annotated[
        Optional[list[str]],
        typer.Argument(
            metavar="[WHERE]",
            help="A broker to examine; without one: this machine.",
            autocompletion=complete,
        ),
    ] = None,
    topic: Annotated[
        str, typer.Option(help="Where the test message goes (which may create the topic).")
    ] = "dsmsg-doctor",
    publish: Annotated[bool, typer.Option(help="Publish a test message, and read it back.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds for each step.", min=0.1)] = 10,
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> int:
    """Shows what is found, what loads, what is missing, and examines a broker.

    For a broker the steps are: adaptor, name lookup, TCP, TLS, login, publish and read back, each
    with its time and, when it fails, its cure. The first failure ends it.

    Exit codes: 0 good, 1 something is missing on this machine, 2 wrong usage; the step that failed:
    10 adaptor or settings, 11 lookup, 12 TCP, 13 TLS, 14 login, 15 publish, 16 read back.
    """
    if not words:
        report = examine()
        if json:
            _output.print_json(report)
        else:
            _output.line("folders: " + (", ".join(map(str, search_folders())) or "none"))
            _print(report)
        return 0 if report["ok"] else 1
    where, rest = read_where(words, config, option)
    if rest:
        raise typer.BadParameter(f"unexpected {rest[0]!r}")
    plan = _checks.Plan(where, topic if publish else None, timeout)
    report, code = plan.run(None if json else _show)
    if json:
        _output.print_json({**report, "exit_code": code})
    return code


def _print(report: dict[str, Any]) -> None:
    for each in report["checks"]:
        _show(each)


def _show(each: dict[str, Any]) -> None:
    word, style = ("ok", "green") if each["ok"] else ("MISSING", "red")
    if each["ok"] is None:
        word, style = "-", "yellow"
    elif not each["ok"] and "stage" in each:
        word = "FAILED"
    time = f"{each['ms']:>8.1f} ms" if each["ok"] is not None else " " * 11
    _output.line(f"{word:<7} ", f"{each['name']:<14} {time}  {each['text']}", style=style)
    if each.get("cure") and each["cure"] not in each["text"]:
        _output.line("", f"{'':<8}{'':<14} {'':<11}  try: {each['cure']}")
