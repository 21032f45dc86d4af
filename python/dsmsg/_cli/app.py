# SPDX-License-Identifier: Apache-2.0
"""Puts the commands together and runs the command line."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup
from typer.main import get_command

from dsmsg import __version__
from dsmsg._cli import _output
from dsmsg._cli._typer import Group, evaluated

__all__ = ["app", "run"]

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_COMMANDS = {
    "pub": "Messages",
    "sub": "Messages",
    "view": "Messages",
    "bridge": "Messages",
    "bench": "Messages",
    "doctor": "Finding out",
    "stats": "Finding out",
    "audit": "Finding out",
    "debug": "Finding out",
    "certify": "Finding out",
    "describe": "Settings",
    "config": "Settings",
    "map": "Settings",
    "profile": "Settings",
    "brokers": "Servers and files",
    "spool": "Servers and files",
    "install": "Servers and files",
}
"""Modules of this package: each has `command`, a function, or `app`, a group of them."""


class _Commands(TyperGroup):
    """Imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:  # noqa: ANN401 - of click
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"dsmsg._cli.{cmd_name}")
        group = getattr(module, "app", None)
        if group is None:
            group = Group()
            group.command(cmd_name)(module.command)
        command: Any = get_command(group)
        command.name = cmd_name
        command.epilog = _output.examples(module.EXAMPLES)
        command.rich_help_panel = _COMMANDS[cmd_name]
        command.context_settings = _CONTEXT
        return command


def _version(wanted: bool) -> None:
    if wanted:
        print(f"dsmsg {__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Message-broker adaptors for video analytics.

    WHERE is an adaptor and a connection string (redis 'localhost;6379'), a URL
    (redis://localhost:6379) or a profile (@site-a; @ alone is the one in use, see `dsmsg profile`).
    """


app = typer.Typer(
    name="dsmsg",
    cls=_Commands,
    callback=evaluated(_main),
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code.

    0: done. 1: failed. 2: wrong usage. 130: ended by Ctrl-C. `doctor` has more.
    """
    for stream in (sys.stdout, sys.stderr):  # escapes what the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(
            args=None if arguments is None else list(arguments),
            prog_name="dsmsg",
            standalone_mode=False,
        )
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    except BrokenPipeError:  # `dsmsg sub ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, click.Abort):
        return 130
    except (OSError, RuntimeError, ValueError) as error:
        _output.complain(str(error))
        return 1
