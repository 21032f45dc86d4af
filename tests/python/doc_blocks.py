# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of README.md, CONTRIBUTING.md and docs/."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Block", "blocks"]

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        page: name of the page, without folder and ending.
        line: of its first fence.
        language: as the fence says; "" where it says nothing.
        text: what is between the fences, without the page's indentation.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    """Returns all blocks of all pages."""
    found = []
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]:
        page = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(page):
            line = page.count("\n", 0, match.start()) + 1
            text = textwrap.dedent(match[3])
            found.append(Block(path.stem, line, match[2], text))
    return found
