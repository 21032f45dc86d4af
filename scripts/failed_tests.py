# SPDX-License-Identifier: Apache-2.0
"""Prints which tests failed, and their output about it, from JUnit files.

Usage: failed_tests.py FILE.xml [...]    (a missing file is skipped)

A run's log is long, and may be kept only in part: the failures belong at its end, in few lines.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

_TESTS = 8
_LINES_OF_A_TEST = 30
_LINES_OF_A_FAILURE = 9
_WIDTH = 220
_MARKS = (": Failure", "ERROR: ", "WARNING: ThreadSanitizer", "runtime error:", "E   ", "Timeout")
_ENDINGS = ("[  FAILED  ]", "SUMMARY: ")
_RUN = "[ RUN      ]"


def _output(test: ET.Element) -> list[str]:
    parts = (test.find(name) for name in ("failure", "error", "system-out"))
    return "\n".join(part.text or "" for part in parts if part is not None).strip().splitlines()


def _excerpt(lines: list[str]) -> list[str]:
    """Returns what follows each mark of a failure, with the case; without a mark, the end."""
    kept: list[str] = []
    case = ""
    left = 0
    for line in lines:
        if line.startswith(_RUN):
            case = line
            left = 0
        if any(mark in line for mark in _MARKS):
            if case:
                kept.append(case)
                case = ""
            left = _LINES_OF_A_FAILURE
        if left > 0 or line.startswith(_ENDINGS):
            kept.append(line[:_WIDTH])
            left -= 1
    if not kept:  # ended without output: the case that ran, and what was printed last
        kept = [line[:_WIDTH] for line in lines[-_LINES_OF_A_FAILURE:]]
        if case and case not in kept:
            kept.insert(0, case)
    return kept[:_LINES_OF_A_TEST]


def main() -> None:
    """Prints a line for each failed test, then the outputs of the first eight."""
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
