# SPDX-License-Identifier: Apache-2.0
"""`dsmsg config`: checks, explains, compares and converts configuration files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dsmsg._cli import _convert, _output
from dsmsg._cli._secrets import without_secrets
from dsmsg._cli._settings_file import (
    check_lines,
    complaint,
    read_lines,
    table_of,
    wrong_together,
)
from dsmsg._cli._typer import Group
from dsmsg._cli._where import complete
from dsmsg._looking._base import dashed

__all__ = ["EXAMPLES", "app"]

EXAMPLES = (
    "dsmsg config check kafka cfg_kafka.txt",
    "dsmsg config explain kafka compression",
    "dsmsg config diff redis cfg_redis.txt",
    "dsmsg config convert deepstream_app.txt --output kafka.txt",
)

app = Group(
    help="Checks, explains, compares and converts configuration files.",
)
_Adaptor = Annotated[
    str, typer.Argument(help="kafka, redis, ... or a path.", autocompletion=complete)
]
_File = Annotated[str, typer.Argument(metavar="FILE", help="Configuration file.")]


@app.command("check", epilog=_output.examples([EXAMPLES[0]]))
def _check(adaptor: _Adaptor, path: _File, json: _output.Json = False) -> int:
    """Checks a file strictly: every name, every value, and what does not fit together.

    `connect` takes an unknown name for a mere warning; here it is an error.
    """
    problems = check_lines(adaptor, read_lines(path))
    errors = [each for each in problems if each.error]
    if not errors:
        problems += wrong_together(adaptor, path)
        errors = [each for each in problems if each.error]
    if json:
        _output.print_json({"ok": not errors, "problems": [each.to_json() for each in problems]})
        return 1 if errors else 0
    for each in problems:
        place = f"{path}:{each.line}" if each.line else path
        _output.line(
            "error" if each.error else "warning",
            f" {place}: {each.text}",
            style="red" if each.error else "yellow",
        )
    if not errors:
        print(f"{path}: good for {adaptor}")
    return 1 if errors else 0


@app.command("explain", epilog=_output.examples([EXAMPLES[1], "dsmsg config explain amqp"]))
def _explain(
    adaptor: _Adaptor,
    options: Annotated[
        Optional[list[str]], typer.Argument(metavar="[OPTION]...", help="Default: all.")
    ] = None,
    json: _output.Json = False,
) -> None:
    """Explains options: what they do, what they allow, what holds without them."""
    table = table_of(adaptor)
    names = [dashed(name) for name in options or table]
    for name in names:
        if name not in table:
            wrong = complaint(adaptor, name) or f"unknown option {name!r}"
            raise ValueError(f"{adaptor}: {wrong}")
    if json:
        _output.print_json([table[name] for name in names])
        return
    for number, name in enumerate(names):
        option = table[name]
        if number:
            print()
        _output.line(name, style="bold")
        print(f"  {option['doc']}")
        print(f"  type:    {option['type']}")
        print(f"  default: {option['default'] or '(empty)'}")
        for flag, text in (
            ("secret", "a secret: ${env:NAME} and ${file:/path} are replaced"),
            ("deprecated", "deprecated in the file"),
            ("unavailable", "not in this version"),
        ):
            if option[flag]:
                print(f"  note:    {text}")


@app.command("diff", epilog=_output.examples([EXAMPLES[2]]))
def _diff(adaptor: _Adaptor, path: _File, json: _output.Json = False) -> int:
    """Shows what a file changes: options whose value is not the default. Secrets are hidden."""
    table = table_of(adaptor)
    values = {line.name: line.value for line in read_lines(path) if line.name in table}
    shown = without_secrets(adaptor, values)
    changed = {
        name: {"default": table[name]["default"], "value": shown[name]}
        for name, value in values.items()
        if value != table[name]["default"]
    }
    if json:
        _output.print_json(changed)
        return 0
    if not changed:
        print(f"{path}: all as by default")
    for name, each in changed.items():
        _output.line(f"{name:<24}", f" {each['default'] or '-'} -> {each['value']}", style="bold")
    return 0


@app.command(
    "convert",
    epilog=_output.examples([EXAMPLES[3], "dsmsg config convert cfg_amqp.txt --adaptor amqp"]),
)
def _converted(
    path: _File,
    adaptor: Annotated[
        Optional[str], typer.Option(help="Adaptor of the file, if neither names it.")
    ] = None,
    output: Annotated[
        Optional[str], typer.Option(metavar="FILE", help="Where to (default: standard output).")
    ] = None,
    json: _output.Json = False,
) -> int:
    """Converts DeepStream's configuration: of an adaptor, or of deepstream-app with its sinks.

    Options keep their names and values; each gets what it means as a comment. What dsmsg does not
    know becomes a comment with the reason, and a login goes to the environment.
    """
    results = _convert.convert(Path(path), adaptor)
    text = "\n".join(each.text for each in results)
    if output is not None:
        Path(output).write_text(text, encoding="utf-8")
    if json:
        _output.print_json([each.to_json() for each in results])
    elif output is None:
        print(text, end="")
    for each in results:
        for problem in each.problems:
            _output.complain(f"{each.source}: {problem}")
    return 0
