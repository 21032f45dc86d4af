# SPDX-License-Identifier: Apache-2.0
"""Turns reports into the table of docs/compatibility.md."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compat.battery import Report
from compat.checks import CHECKS
from compat.servers import SERVERS

__all__ = ["RESULTS", "as_markdown", "keep", "stored", "surprises", "write_docs"]

RESULTS = Path(__file__).with_name("results.jsonl")
"""The reports from which the table of docs/compatibility.md is made, one per line."""

BEGIN, END = "<!-- table: begin (make compat) -->", "<!-- table: end -->"
_TITLES = {"mqtt": "MQTT", "amqp": "AMQP 0-9-1", "kafka": "Kafka", "redis": "Redis"}
_TITLES.update({"nats": "NATS", "http": "HTTP", "pulsar": "Pulsar"})
_TITLES["multi"] = "Several destinations"
_SIGNS = {"works": "yes", "absent": "-", "differs": "**differs**"}
_KNOWN = {server.name: server.differs for server in SERVERS}
_PSEUDO_VERSION = re.compile(r"(-\d{8})\d{6}-[0-9a-f]{12}$")


def as_markdown(reports: Sequence[Report]) -> str:
    """Returns a table for each protocol, and what differs in words."""
    parts = []
    for protocol, title in _TITLES.items():
        rows = [report for report in reports if report.protocol == protocol]
        if rows:
            parts += [f"## {title}", "", *_grid(rows), "", *_words(rows)]
    return "\n".join(parts).rstrip() + "\n"


def _grid(rows: Sequence[Report]) -> list[str]:
    checks = [
        check
        for check in CHECKS
        if any(row.checks.get(check) and row.checks[check].state != "absent" for row in rows)
    ]
    lines = [
        "| server | version | client | " + " | ".join(checks) + " | run on |",
        "|---" * (len(checks) + 4) + "|",
    ]
    for row in rows:
        cells = [
            _SIGNS.get(row.checks[check].state, "") if check in row.checks else "not run"
            for check in checks
        ]
        head = f"| {row.title} | {_version(row)} | {row.client} | "
        lines.append(head + " | ".join(cells) + f" | {row.date} |")
    return lines


def _words(rows: Sequence[Report]) -> list[str]:
    lines = []
    for row in rows:
        name = f"{row.title} {_version(row)}"
        if row.protocol == "kafka":
            name += f" ({row.client})"
        if row.not_run:
            lines += [f"- {name}: not run: {row.not_run}"]
        for check, outcome in row.checks.items():
            if outcome.state == "differs":
                why = _KNOWN.get(row.name, {}).get(check, "")
                more = f". {_capital(why)}" if why else ""
                lines.append(f"- {name}, {check}: {outcome.seen.rstrip('.')}{more}.")
    return ["How they differ:", "", *lines, ""] if lines else []


def _version(report: Report) -> str:
    """A version of a Go module without tag keeps its date alone."""
    return _PSEUDO_VERSION.sub(r"\1", report.version)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def surprises(reports: Sequence[Report]) -> list[str]:
    """Returns the unexpected differences."""
    found = [f"  {each.name}: not run: {each.not_run}" for each in reports if each.not_run]
    return found + [
        f"  {report.name}, {check}: {outcome.seen}"
        for report in reports
        for check, outcome in report.checks.items()
        if outcome.state == "differs" and check not in _KNOWN.get(report.name, {})
    ]


def stored(results: Path) -> list[Report]:
    """Returns the reports of a file, in the table's order."""
    lines = results.read_text(encoding="utf-8").splitlines()
    found = {report.name: report for report in map(Report.of, map(json.loads, lines))}
    return [found[server.name] for server in SERVERS if server.name in found]


def keep(results: Path, reports: Sequence[Report]) -> list[Report]:
    """Puts reports among those of a file, and returns all.

    A check that was not run keeps its outcome of before, and so does a server that could not be.
    """
    found = {report.name: report for report in stored(results)}
    for report in reports:
        before = found.get(report.name, report)
        if report.not_run and before.checks:
            continue
        checks = {**before.checks, **report.checks}
        ordered = {check: checks[check] for check in CHECKS if check in checks}
        found[report.name] = replace(report, checks=ordered)
    lines = [json.dumps(each.as_dict(), ensure_ascii=False) + "\n" for each in found.values()]
    results.write_text("".join(lines), encoding="utf-8")
    return stored(results)


def write_docs(page: Path, table: str) -> None:
    """Replaces the table in a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")
