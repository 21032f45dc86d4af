# SPDX-License-Identifier: Apache-2.0
"""The requirements, each above the function that checks it.

Threads: filled at import, then only read.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsmsg._certify.host import Check

__all__ = ["AREAS", "CONTACT", "MUST", "SHOULD", "Requirement", "all_requirements", "requirement"]

MUST, SHOULD = "must", "should"
AREAS = {
    "S1": "The functions and their arguments",
    "S4": "What OK means",
    "R01": "No callback on the caller's stack",
    "R02": "Callbacks inside do_work",
    "R03": "Exactly one callback",
    "R04": "do_work",
    "R05": "Work of the protocol",
    "R06": "Sending under the host's lock",
    "R07": "Outages",
    "R08": "disconnect",
    "R09": "Synchronous send",
    "R10": "Receiving",
    "R11": "Threads",
    "R12": "Payloads",
    "R13": "Signatures",
    "R14": "Secrets",
    "R15": "Symbols",
    "R16": "Signals",
    "R17": "Servers that do not answer",
    "R18": "Load and unload",
    "R20": "Losses",
    "R23": "fork",
    "R24": "Limits of the process",
    "H": "Hosts",
    "X": "Extensions of dsmsg",
}
"""Beginnings of ids, in the order of the report. The numbers are those of the contract's rules."""
CONTACT = "contact"
"""The first message, sent before any requirement is checked. Not a requirement itself."""
_MODULES = ("arguments", "sending", "outages", "receiving", "process", "hosts")


@dataclass(frozen=True)
class Requirement:
    """One requirement.

    Attributes:
        id: never given to another one, so that reports can be compared.
        level: `MUST`: without it a host breaks or messages are lost. `SHOULD`: it costs time,
            power or comfort.
        text: one sentence.
        why: what a host does without it.
        check: returns what it saw, "" for nothing worth telling; raises `host.Failed`,
            `host.NotApplicable` or `host.NotTested`.
        alone: nothing else may run meanwhile, because it touches the server itself.
    """

    id: str
    level: str
    text: str
    why: str
    check: Callable[[Check], str | None]
    alone: bool = False

    @property
    def area(self) -> str:
        """The beginning of the id, a key of `AREAS`."""
        return self.id.partition(".")[0]


_table: dict[str, Requirement] = {}


def requirement(
    name: str, level: str, text: str, why: str, *, alone: bool = False
) -> Callable[[Callable[[Check], str | None]], Callable[[Check], str | None]]:
    """Registers the function below it as the check of a requirement.

    Raises:
        ValueError: the id is taken, or has no area.
    """

    def register(check: Callable[[Check], str | None]) -> Callable[[Check], str | None]:
        if name in _table or name.partition(".")[0] not in AREAS:
            raise ValueError(f"requirement {name}: the id is taken or unknown")
        _table[name] = Requirement(name, level, text, why, check, alone)
        return check

    return register


def _place(name: str) -> tuple[int, list[int]]:
    area, _, rest = name.partition(".")
    return list(AREAS).index(area), [int(number) for number in re.findall(r"\d+", rest)]


def all_requirements() -> dict[str, Requirement]:
    """Returns the table, in the order of the report."""
    for module in _MODULES:
        importlib.import_module(f"dsmsg._certify.checks_{module}")
    return {name: _table[name] for name in sorted(_table, key=_place)}
