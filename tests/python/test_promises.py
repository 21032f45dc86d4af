# SPDX-License-Identifier: Apache-2.0
"""Every test that docs/promises.md names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text()
LAST_COLUMNS = "\n".join(re.findall(r"\|([^|\n]*)\|\n", PAGE))
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
