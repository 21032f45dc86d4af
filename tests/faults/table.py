# SPDX-License-Identifier: Apache-2.0
"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from faults.books import Result

__all__ = ["as_json", "as_markdown"]

_COLUMNS = (
    "case",
    "adaptor",
    "sent",
    "acknowledged",
    "failed",
    "received",
    "lost",
    "lost by server",
    "duplicated",
    "reordered",
    "longest stall",
    "peak memory",
    "CPU",
    "",
)


def _cells(row: Result) -> list[str]:
    cpu = "" if row.cpu_percent is None else f"{row.cpu_percent:.2f} %"
    return [
        row.case,
        row.adaptor,
        *(str(number) for number in (row.sent, row.acknowledged, row.failed, row.received)),
        *(str(number) for number in (row.lost, row.broker_lost, row.duplicated, row.reordered)),
        f"{row.stall_ms:.1f} ms",
        f"{row.memory_mb:.0f} MB",
        cpu,
        "FAILED" if row.problems else row.note,
    ]


def as_markdown(rows: Iterable[Result]) -> str:
    """Returns the table, by case and adaptor, and below it what went wrong."""
    ordered = sorted(rows, key=lambda row: row.case)
    lines = [list(_COLUMNS), *(_cells(row) for row in ordered)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    text = [_line(lines[0], widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    text += [_line(line, widths) for line in lines[1:]]
    for row in ordered:
        text += [f"\n{row.case}, {row.adaptor}: {problem}" for problem in row.problems]
    return "\n".join(text) + "\n"


def _line(cells: list[str], widths: list[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"


def as_json(rows: Iterable[Result]) -> str:
    """Returns a list of objects with the attributes of `Result`."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"
