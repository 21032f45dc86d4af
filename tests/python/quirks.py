# SPDX-License-Identifier: Apache-2.0
"""What the conformance suite has proved of each adaptor, for pages that say the same in tables."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def title_of(adaptor: str) -> str:
    """How the pages name it."""
    page = (ROOT / "docs" / f"options-{adaptor}.md").read_text(encoding="utf-8")
    return re.findall("^# Options of (.*)$", page, re.MULTILINE)[0]


def received_fields(adaptor: str) -> set[str]:
    """What its messages have: `received_fields` of its quirks, and "redelivered"."""
    file = "azure_quirks.h" if adaptor.startswith("azure") else f"quirks_{adaptor}.cc"
    text = (ROOT / "tests" / "conformance" / file).read_text(encoding="utf-8")
    found = re.search(r'received_fields\(\) const override { return "(.*)"; }', text)
    marks = "marks_redelivered() const override { return true; }" in text
    return {*(found.group(1).split() if found else []), *(["redelivered"] if marks else [])}


def table_with(page: str, first: str) -> list[list[str]]:
    """The cells of the table whose first cell is this; without the line below its head."""
    lines = page.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    end = next(n for n, line in enumerate(lines[at:], at) if not line.startswith("|"))
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[at:end]]
    return rows[:1] + rows[2:]
