# SPDX-License-Identifier: Apache-2.0
"""No example has a comment behind a value, where it would be part of the value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTING = re.compile(r"#?[A-Za-z][\w.-]*\s*=(.*)")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def examples() -> Iterator[tuple[Path, int, str]]:
    """The lines of configuration files, alone and inside of pages."""
    pages = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*.md")})
    for page in pages:
        language = None
        for number, line in enumerate(page.read_text().splitlines(), 1):
            if line.startswith("```"):
                language = None if language is not None else line[3:]
            elif language == "ini":
                yield page, number, line
    for pattern in ("cfg/*.txt", "demo/*.txt", "demo/**/*.ini"):
        for path in sorted(ROOT.glob(pattern)):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield path, number, line


def test_there_is_none() -> None:
    lines = list(examples())
    assert len([page for page, _, _ in lines if page.suffix == ".md"]) > 30
    assert len([page for page, _, _ in lines if page.suffix == ".txt"]) > 500
    for path, number, line in lines:
        setting = SETTING.fullmatch(line.strip())
        # A line that is commented out altogether is a sentence or a setting to be used.
        if setting is None or (line.startswith("#") and " " in line.partition("=")[0]):
            continue
        value = QUOTED.sub("", setting.group(1))
        if re.search(r"\s[#;]", value):
            pytest.fail(f"{path.relative_to(ROOT)}:{number}: {line}")
