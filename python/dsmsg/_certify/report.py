# SPDX-License-Identifier: Apache-2.0
"""What a run tells: certify.json and certify.md.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dsmsg import __version__
from dsmsg._certify.requirements import AREAS, MUST, SHOULD, Requirement
from dsmsg._certify.run import Outcome, Result

__all__ = ["STATES", "as_json", "as_markdown", "requirements_table", "write"]

STATES = ("pass", "fail", "n/a", "not tested", "error")
_CHECKED = "dsmsg certify"


def as_json(result: Result) -> dict[str, Any]:
    """Returns the report as an object for JSON: stable names, seconds, ids as keys of nothing."""
    return {
        "certify": 1,
        "dsmsg": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "library": result.about,
        "server": result.server,
        "bound_s": result.settings.bound,
        "patience_s": result.settings.patience,
        "seconds": round(result.seconds, 1),
        "verdict": result.verdict,
        "exit_code": result.exit_code,
        "failed": result.failed,
        "warnings": result.warnings,
        "counts": {
            level: {state: result.count(level, state) for state in STATES}
            for level in (MUST, SHOULD)
        },
        "requirements": [
            {
                "id": each.requirement.id,
                "level": each.requirement.level,
                "text": each.requirement.text,
                "state": each.state,
                "seen": each.text,
                "seconds": round(each.seconds, 2),
                "log": list(each.log),
            }
            for each in result.outcomes
        ],
    }


def as_markdown(result: Result) -> str:
    """Returns the report for people: the verdict, what fails and why it matters, then all."""
    about = result.about
    lines = [
        f"# {about['file']}: {result.verdict}",
        "",
        f"Protocol {about['protocol'] or '?'}, version {about['version'] or '?'}, "
        f"SHA-256 `{about['sha256']}`. Server: {result.server}.",
        f"Checked by {_CHECKED} {__version__} on {time.strftime('%Y-%m-%d', time.gmtime())}, "
        f"{result.seconds:.0f} s.",
        "",
        *summary(result),
        *(f"\nWarning: {text}" for text in result.warnings),
    ]
    bad = [each for each in result.outcomes if each.state in ("fail", "error")]
    if bad:
        lines += ["", "## What fails"]
    for each in bad:
        lines += [
            "",
            f"### {each.requirement.id} ({each.requirement.level})",
            "",
            each.requirement.text,
            "",
            f"- Seen: {_flat(each.text)}",
            f"- Why it matters: {each.requirement.why}",
        ]
        lines += ["", "```text", *each.log, "```"] if each.log else []
    lines += ["", "## All requirements", "", "| id | level | result | requirement | seen |"]
    lines += ["|---|---|---|---|---|", *(_row(each) for each in result.outcomes)]
    return "\n".join(lines) + "\n"


def summary(result: Result) -> list[str]:
    """Returns a table of counts."""
    lines = ["| | " + " | ".join(STATES) + " |", "|---" * (len(STATES) + 1) + "|"]
    for level in (MUST, SHOULD):
        counts = (str(result.count(level, state)) for state in STATES)
        lines.append(f"| {level} | " + " | ".join(counts) + " |")
    return lines


def _row(each: Outcome) -> str:
    requirement = each.requirement
    cells = (requirement.id, requirement.level, each.state, requirement.text, _flat(each.text))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _flat(text: str) -> str:
    return " / ".join(text.strip().splitlines())


def requirements_table(requirements: Iterable[Requirement]) -> str:
    """Returns the requirements for docs/certify.md, a table for each area."""
    lines: list[str] = []
    area = ""
    for each in requirements:
        if each.area != area:
            area = each.area
            lines += [
                "",
                f"### {area}: {AREAS[area]}",
                "",
                "| id | level | requirement | why |",
            ]
            lines += ["|---|---|---|---|"]
        lines.append(f"| {each.id} | {each.level} | {each.text} | {each.why} |")
    return "\n".join(lines).strip() + "\n"


def write(result: Result, folder: Path) -> None:
    """Writes certify.json and certify.md.

    Raises:
        OSError: they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_json(result), indent=2) + "\n"
    (folder / "certify.json").write_text(text, encoding="utf-8")
    (folder / "certify.md").write_text(as_markdown(result), encoding="utf-8")
