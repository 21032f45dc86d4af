# SPDX-License-Identifier: Apache-2.0
"""`dsmsg brokers`: real servers for trials.

`python -m dsmsg.brokers` does the same with the standard library alone.
"""

from __future__ import annotations

import argparse
from typing import Annotated, Optional

import click
import typer

from dsmsg._cli import _output
from dsmsg._cli._typer import Group
from dsmsg.brokers import KINDS
from dsmsg.brokers import __main__ as brokers_cli

__all__ = ["EXAMPLES", "app"]

EXAMPLES = (
    "dsmsg brokers ls",
    "dsmsg brokers start redis --port 6379",
    "dsmsg brokers start kafka --tls --password secret",
)

app = Group(
    help="Runs real brokers for trials, on the loopback interface, with a temporary folder each.",
)

_Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="As `dsmsg brokers ls` lists them.",
        click_type=click.Choice(sorted(KINDS)),
    ),
]
_Port = Annotated[Optional[int], typer.Option(help="Port (default: a free one).")]


@app.command("ls", epilog=_output.examples(["dsmsg brokers ls", "dsmsg brokers ls --json"]))
def _ls(json: _output.Json = False) -> None:
    """Lists the kinds of servers."""
    rows = {
        kind: {
            "protocol": broker.scheme,
            "what": (broker.__doc__ or "").partition("\n")[0],
            "set": broker.set_help,
            "tls": broker.can_tls,
            "password": broker.can_password,
        }
        for kind, broker in sorted(KINDS.items())
    }
    if json:
        _output.print_json(rows)
        return
    for kind, row in rows.items():
        can = [name for name in ("tls", "password") if row[name]]
        options = f" ({', '.join(f'--{name}' for name in can)})" if can else ""
        _output.line(f"{kind:<12}", f" {row['protocol']:<6} {row['what']}{options}", style="bold")


@app.command(
    "start",
    epilog=_output.examples(
        [
            *EXAMPLES[1:],
            "dsmsg brokers start mosquitto --set 'max_inflight_messages 100'",
            "dsmsg brokers start valkey --dir /tmp/valkey --json",
        ]
    ),
)
def _start(
    kind: _Kind,
    port: _Port = None,
    folder: Annotated[
        Optional[str],
        typer.Option("--dir", help="Folder for data and log, kept (default: temporary)."),
    ] = None,
    lines: Annotated[
        Optional[list[str]],
        typer.Option("--set", metavar="LINE", help="A setting; `dsmsg brokers ls --json` says."),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Set up TLS with a certificate of its own.")
    ] = False,
    password: Annotated[
        Optional[str], typer.Option(help="Let only the user dsmsg with this password in.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", "--print-json", help="Print one line of JSON.")
    ] = False,
) -> int:
    """Runs a broker until Ctrl-C. What a registry brings, the first start fetches."""
    return brokers_cli.start(
        argparse.Namespace(
            kind=kind,
            port=port,
            dir=folder,
            set=list(lines or ()),
            tls=tls,
            password=password,
            print_json=json,
        )
    )


@app.command("fetch", epilog=_output.examples(["dsmsg brokers fetch kafka"]))
def _fetch(kind: _Kind, json: _output.Json = False) -> None:
    """Fetches what a broker needs into the cache."""
    with _output.progress(f"fetching {kind}", None):
        folder = KINDS[kind].fetch()
    if json:
        _output.print_json({"kind": kind, "folder": str(folder)}, indent=None)
    else:
        print(folder)


@app.command("serve", epilog=_output.examples(["dsmsg brokers serve redis"]))
def _serve(kind: _Kind, port: _Port = None) -> int:
    """Controls a broker with JSON lines on standard input (`pydoc dsmsg.brokers.__main__`)."""
    return brokers_cli.serve(argparse.Namespace(kind=kind, port=port))
