# SPDX-License-Identifier: Apache-2.0
"""Reads configuration files line by line, and has the adaptor check them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsmsg._find import find
from dsmsg._inifile import GROUP
from dsmsg._looking import Look
from dsmsg._looking._base import dashed

__all__ = [
    "Line",
    "Problem",
    "check_lines",
    "complaint",
    "read_lines",
    "table_of",
    "wrong_together",
]


_NOWHERE = "127.0.0.1;1"
_OFF = {
    "connect": "lazy",
    "spool-dir": None,
    "dead-letter-dir": None,
    "metrics-file": None,
    "config-watch": None,
    "overflow": None,  # overflow=spool needs spool-dir
    "spool-mode": None,
}


@dataclass(frozen=True)
class Line:
    """A setting: its line, its group, its name with dashes, and its value without quotes."""

    number: int
    group: str
    name: str
    value: str


@dataclass(frozen=True)
class Problem:
    """What is wrong, in which line (0: in none); an error, or a warning."""

    line: int
    text: str
    error: bool = True

    def to_json(self) -> dict[str, object]:
        """Returns its fields."""
        return asdict(self)


def read_lines(path: str | Path) -> list[Line]:
    """Returns the settings of a file in their order, of all groups.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not text.
    """
    group = ""
    found = []
    text = Path(path).read_text(encoding="utf-8-sig")
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        if bare.startswith("["):
            group = bare.strip("[]").strip()
            continue
        name, _, value = bare.partition("=")
        found.append(Line(number, group, dashed(name.strip()), _unquoted(value.strip())))
    return found


def table_of(adaptor: str) -> dict[str, dict[str, Any]]:
    """Returns the adaptor's options by their names.

    Raises:
        AdaptorNotFoundError: there is no such adaptor.
        DsmsgError: it does not describe itself.
    """
    from dsmsg.adaptor import Adaptor  # here: it takes cffi, which other commands do without

    return {option["name"]: option for option in Adaptor(adaptor).describe()["options"]}


def complaint(adaptor: str, name: str, value: str | None = None) -> str:
    """Returns what the adaptor says against a setting; "" if nothing is wrong."""
    from dsmsg._check import installed, what_is_wrong

    library = installed(str(find(adaptor)))
    return "" if library is None else what_is_wrong(library, name, value)


def check_lines(adaptor: str, lines: list[Line]) -> list[Problem]:
    """Asks the adaptor about every setting of its group.

    Raises:
        AdaptorNotFoundError: there is no such adaptor.
        DsmsgError: it does not describe itself.
    """
    table = table_of(adaptor)
    problems = []
    seen: dict[str, int] = {}
    for line in lines:
        if line.group != GROUP:
            what = f"[{line.group}]" if line.group else "no group"
            text = f"{line.name} is in {what}, which is not read (the group is [{GROUP}])"
            problems.append(Problem(line.number, text, error=False))
            continue
        wrong = complaint(adaptor, line.name, line.value)
        if wrong:
            problems.append(Problem(line.number, wrong))
        if line.name in seen:
            text = f"{line.name} is set twice, first in line {seen[line.name]}"
            problems.append(Problem(line.number, text))
        seen.setdefault(line.name, line.number)
        option = table.get(line.name, {})
        if option.get("unavailable"):
            problems.append(
                Problem(line.number, f"{line.name} is not in this version", error=False)
            )
        elif option.get("deprecated") and line.value:
            text = f"{line.name}: {option['doc']}"
            problems.append(Problem(line.number, text, error=False))
    return problems


def wrong_together(adaptor: str, path: str) -> list[Problem]:
    """Asks the adaptor about the whole file: rules between options, files, secrets.

    `connect` says it before it dials; what would touch the disk is off meanwhile.
    """
    from dsmsg.adaptor import Adaptor, DsmsgError

    loaded = Adaptor(adaptor)
    off = {name: value for name, value in _OFF.items() if name in loaded.options}
    try:
        loaded.connect(_NOWHERE, Look(off, []).over(path, {})).disconnect()
    except DsmsgError as error:
        return [Problem(0, str(error))]
    return []


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
