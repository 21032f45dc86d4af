# SPDX-License-Identifier: Apache-2.0
"""What the commands print: plain text, colour only on terminals, JSON, progress bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Optional

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

__all__ = [
    "Json",
    "Show",
    "complain",
    "examples",
    "line",
    "note",
    "print_json",
    "printable",
    "progress",
]

Show = Callable[[int], Any]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def examples(lines: Iterable[str]) -> str:
    """Returns the end of a command's help."""
    return "\n\n".join(["Examples:", *(escape(f"$ {each}") for each in lines)])


def line(*parts: str, style: str = "") -> None:
    """Prints a line to standard output; the first part has the style, on a terminal."""
    if not sys.stdout.isatty():
        print(*parts, sep="")
        return
    text = Text.assemble((parts[0], style), *parts[1:])
    Console(highlight=False, emoji=False).print(text, soft_wrap=True)


def note(text: str) -> None:
    """Tells the user something on standard error, where it does not mix with results."""
    print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Tells of an error."""
    note(f"dsmsg: {text}")


def print_json(value: object, *, indent: Optional[int] = 2, ascii_only: bool = True) -> None:
    """Prints a value as JSON; in one line with `indent` None."""
    print(json.dumps(value, indent=indent, ensure_ascii=ascii_only))


def printable(text: str) -> str:
    """Replaces what would move the cursor."""
    return "".join(char if char.isprintable() else "." for char in text)


@contextmanager
def progress(what: str, total: Optional[int]) -> Iterator[Show]:
    """Shows how far long work is, on standard error if that is a terminal.

    Args:
        what: is done.
        total: of the steps; None: unknown.

    Yields:
        A function that takes how many steps are done.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
