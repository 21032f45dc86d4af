# SPDX-License-Identifier: Apache-2.0
"""Every test that docs/promises.md and docs/coming-from-deepstream.md name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / name for name in ("promises.md", "coming-from-deepstream.md")]
LAST_COLUMNS = "\n".join(
    column
    for page in PAGES
    for column in re.findall(r"\|([^|\n]*)\|\n", page.read_text().split("\n## Tests\n")[-1])
)
DEFINITION = re.compile(r"\bTEST(?:_P|_F)?\(\s*(\w+),\s*(\w+)\s*\)")


@pytest.fixture(scope="module")
def tests() -> list[str]:
    """Names of the C++ tests, as gtest prints them, and of Python's test files."""
    sources = [*ROOT.glob("tests/**/*.cc"), *ROOT.glob("csrc/**/*.cc")]
    names = [
        f"{suite}.{name}"
        for source in sources
        for suite, name in DEFINITION.findall(source.read_text())
    ]
    return [*names, *(path.name for path in ROOT.glob("tests/python/test_*.py"))]


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`(\w+\.[\w*]+)`", LAST_COLUMNS)) - {"subscription_test.cc"})
)
def test_exists(tests: list[str], name: str) -> None:
    pattern = re.compile(re.escape(name).replace(r"\*", r"\w*"))
    assert any(pattern.fullmatch(each) for each in tests)
