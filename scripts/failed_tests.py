# SPDX-License-Identifier: Apache-2.0
"""Prints which tests failed, and what they said of it, from JUnit files.

Usage: failed_tests.py FILE.xml [...]    (a file that is not there is passed over)

A run's log is long and may be cut: what failed belongs to its end.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

_TESTS = 10
_FAILURES = 5  # of a test
_LINES = 12  # behind the mark of a failure, and at the end
_MARKS = (": Failure", "FAILED", "ERROR: ", "WARNING: ThreadSanitizer", "E   ")


def _output(test: ET.Element) -> list[str]:
    parts = (test.find(name) for name in ("failure", "error", "system-out"))
    return "\n".join(part.text or "" for part in parts if part is not None).strip().splitlines()


def _excerpt(lines: list[str]) -> list[str]:
    """Returns the parts that say what failed, and the end."""
    begins = [number for number, line in enumerate(lines) if any(mark in line for mark in _MARKS)]
    kept: list[int] = []
    for begin in begins:
        if not kept or begin > kept[-1]:
            kept += range(begin, min(begin + _LINES, len(lines)))
        if len(kept) >= _FAILURES * _LINES:
            break
    last = range(max(0, len(lines) - _LINES), len(lines))
    return [lines[number] for number in [*kept, *(each for each in last if each not in kept)]]


def main() -> None:
    """Prints a line for each failed test, then the outputs of the first ten."""
    failed = [
        (f"{path.stem}: {test.get('name')}", _output(test))
        for path in map(Path, sys.argv[1:])
        if path.exists()
        for test in ET.parse(path).iter("testcase")  # noqa: S314 (our own file)
        if test.get("status") == "fail"
        or test.find("failure") is not None
        or test.find("error") is not None
    ]
    for name, output in failed[:_TESTS]:
        print(f"=== {name}", *_excerpt(output), "", sep="\n")
    for name, _ in failed:
        print(f"FAILED  {name}")


if __name__ == "__main__":
    main()
