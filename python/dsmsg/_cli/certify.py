# SPDX-License-Identifier: Apache-2.0
"""`dsmsg certify`: holds any adaptor to the contract."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dsmsg._cli import _output

if TYPE_CHECKING:
    from dsmsg._certify.run import Outcome

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg certify redis --broker redis",
    "dsmsg certify ./libnvds_mine_proto.so --broker kafka --config mine.txt --report report",
    "dsmsg certify ./libnvds_mine_proto.so --conn-str 'lab;1883' "
    "--reader 'mosquitto_sub -h lab -t {topic} -t {topic2}'",
    "dsmsg certify ./libnvds_mine_proto.so --broker redis --only R07 --only R20.1",
    "dsmsg certify --list",
    "dsmsg certify --template mine   # an adaptor to start from",
)


def command(
    library: Annotated[
        Optional[str], typer.Argument(help="A file, or the name of one of our adaptors.")
    ] = None,
    broker: Annotated[
        Optional[str],
        typer.Option(metavar="KIND", help="Start this server: redis, kafka, mqtt, amqp, nats, ..."),
    ] = None,
    conn_str: Annotated[
        Optional[str],
        typer.Option(help="For the library; {host} and {port} lead to the server."),
    ] = None,
    server: Annotated[
        Optional[str],
        typer.Option(metavar="HOST:PORT", help="Of your server, where CONN-STR does not tell."),
    ] = None,
    config: Annotated[
        Optional[Path],
        typer.Option(help="Configuration file for the library."),
    ] = None,
    topic: Annotated[
        str, typer.Option(help="Topic of the messages; there is a second one, TOPIC-2.")
    ] = "certify",
    reader: Annotated[
        Optional[str],
        typer.Option(metavar="COMMAND", help="Prints what arrives, a message a line."),
    ] = None,
    fault_command: Annotated[
        Optional[str],
        typer.Option(
            metavar="COMMAND",
            help="Called with cut, freeze, silent, end or heal, in place of a proxy.",
        ),
    ] = None,
    ok: Annotated[
        str,
        typer.Option(help="What OK says: `stored` (the server has it) or `taken` (no more)."),
    ] = "stored",
    receives: Annotated[
        bool, typer.Option("--receives", help="A library that refuses subscriptions fails.")
    ] = False,
    secret: Annotated[
        Optional[list[str]],
        typer.Option(help="A password of your configuration: it must not be printed."),
    ] = None,
    bound: Annotated[float, typer.Option(help="Seconds after which a call hangs.", min=0.5)] = 30,
    patience: Annotated[
        float, typer.Option(help="Seconds without news after which a message is lost.", min=0.5)
    ] = 10,
    jobs: Annotated[int, typer.Option(help="Checks at the same time.", min=1)] = 4,
    only: Annotated[
        Optional[list[str]], typer.Option(metavar="ID", help="Only ids that begin so.")
    ] = None,
    report: Annotated[
        Optional[Path],
        typer.Option(
            metavar="DIR", help="Write certify.json and certify.md there.", file_okay=False
        ),
    ] = None,
    template: Annotated[
        Optional[Path],
        typer.Option(metavar="DIR", help="Write an adaptor to start from there.", file_okay=False),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the requirements.")] = False,
    json: _output.Json = False,
) -> int:
    """Holds a library with the functions of nvds_msgapi.h to the contract.

    Every requirement is checked in a process of its own, against a real server, with faults of the
    network made by a proxy before it. docs/certify.md has the requirements.

    Exit codes: 0 all musts that could be tested hold, 1 some do not, 2 it could not be run.
    """
    from dsmsg._certify import report as reports
    from dsmsg._certify.requirements import all_requirements

    if list_:
        for each in all_requirements().values():
            _output.line(f"{each.id:<6} {each.level:<7}", each.text)
        return 0
    if template is not None:
        _write_template(template)
        return 0
    if library is None:
        raise typer.BadParameter("name the library", param_hint="LIBRARY")
    if ok not in ("stored", "taken"):
        raise typer.BadParameter("it is `stored` or `taken`", param_hint="--ok")
    from dsmsg._certify.rig import Target
    from dsmsg._certify.run import Settings, certify
    from dsmsg._find import find
    from dsmsg.brokers import BrokerError

    try:
        if config is not None and not config.is_file():
            raise ValueError(f"there is no file {config} (--config)")
        settings = Settings(
            find(library),
            Target(broker, conn_str, server, topic, reader, fault_command),
            config=config.resolve() if config else None,
            bound=bound,
            patience=patience,
            jobs=jobs,
            only=only or (),
            receives=receives,
            acknowledged=ok == "stored",
            secrets=secret or (),
        )
        with _output.progress("checking", len(all_requirements()) if not only else None) as show:
            done = itertools.count(1)
            result = certify(settings, lambda outcome: show(next(done)))
    except (BrokerError, OSError, RuntimeError, ValueError) as error:
        _output.complain(f"certify: {error}")
        return 2
    if report is not None:
        reports.write(result, report)
    if json:
        _output.print_json(reports.as_json(result))
        return result.exit_code
    for outcome in result.outcomes:
        _show(outcome)
    for warning in result.warnings:
        _output.complain(warning)
    _output.line(f"{result.about['file']}: {result.verdict}")
    return result.exit_code


def _show(outcome: Outcome) -> None:
    styles = {"pass": "green", "fail": "red", "error": "red"}
    requirement, state = outcome.requirement, outcome.state
    word = "FAILED" if state == "fail" else state
    text = f"{requirement.id:<6} {requirement.level:<7} {requirement.text}"
    _output.line(f"{word:<11}", text, style=styles.get(state, "yellow"))
    if outcome.text and state != "pass":
        _output.line("", f"{'':<26}{' / '.join(outcome.text.strip().splitlines())}")


def _write_template(folder: Path) -> None:
    """Copies the template adaptor.

    Raises:
        OSError: a file of the name is there, or cannot be written.
    """
    source = Path(__file__).resolve().parents[1] / "_certify" / "template"
    folder.mkdir(parents=True, exist_ok=True)
    for each in sorted(source.glob("*.[ch]")):
        target = folder / each.name
        with target.open("x", encoding="utf-8") as file:
            file.write(each.read_text("utf-8"))
        _output.line(str(target))
    _output.line("How to build and check it is in its first lines.")
