# SPDX-License-Identifier: Apache-2.0
"""Certifies this project's adaptors, the template and the wrong adaptor, and writes the page.

    python -m certify [NAME]...      (scripts/certify; names of adaptors, "template", "wrong")
    python -m certify docs           only the pages, of what is known

Runs with every adaptor that is built and has a server here; results of other ones stay as they are
in results.json. The page is docs/certified.md; docs/certify.md gets the table of requirements.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsmsg._certify.report import requirements_table
from dsmsg._certify.requirements import all_requirements
from dsmsg._certify.rig import Target
from dsmsg._certify.run import Settings, certify
from dsmsg._find import AdaptorNotFoundError, find

from certify.wrong import MISTAKES, ROOT, build_template, build_wrong

__all__ = ["main", "manual", "page"]

RESULTS = Path(__file__).with_name("results.json")
PAGE = ROOT / "docs" / "certified.md"
MANUAL = ROOT / "docs" / "certify.md"
BEGIN = "<!-- requirements: begin (scripts/certify docs) -->\n"
END = "<!-- requirements: end -->\n"


@dataclass(frozen=True)
class _Run:
    """How an adaptor is certified.

    Attributes:
        broker: of `--broker`.
        lines: of its configuration; the rest has its defaults.
        reader: kind of readers.py; None: the reader of `--broker`.
    """

    broker: str
    lines: Sequence[str] = ()
    reader: str | None = None


_RUNS = {
    "redis": _Run("redis", ["streamsize=0"], reader="redis"),
    "kafka": _Run("kafka", reader="kafka"),
    "mqtt": _Run("mqtt", reader="mqtt"),
    "amqp": _Run("amqp", reader="amqp"),
    "nats": _Run("nats", reader="nats"),
    "http": _Run("http", ["probe=/", "probe-interval=500ms"]),
    "zmq": _Run(
        "zmq",
        ["socket_type=REQ", "topic_frame=1", "request_timeout=1s"],
        reader="zmq",
    ),
}


def main(names: Sequence[str]) -> int:
    """Runs what was asked for; returns 1 if a result is not the one expected."""
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    good = True
    if list(names) == ["docs"]:
        _write_pages(results)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names or (*_RUNS, "template", "wrong"):
            if name == "wrong":
                results["wrong"], as_meant = _wrong(Path(folder))
                good = good and as_meant
                continue
            try:
                library = build_template(Path(folder)) if name == "template" else find(name)
            except AdaptorNotFoundError as error:
                print(f"{name}: left out: {error}")
                continue
            run = _RUNS["redis" if name == "template" else name]
            result = certify(_settings(library, run, Path(folder), name))
            for each in result.outcomes:
                if each.state not in ("pass", "n/a"):
                    print(f"  {each.requirement.id} {each.state}: {each.text}")
            print(f"{name}: {result.verdict}, {result.seconds:.0f} s", *result.warnings, flush=True)
            good = good and result.exit_code == 0
            results[name] = {
                "date": time.strftime("%Y-%m-%d", time.gmtime()),
                "seconds": round(result.seconds),
                "verdict": result.verdict,
                "pass": [each.requirement.id for each in result.outcomes if each.state == "pass"],
                "other": {
                    each.requirement.id: [each.state, each.text]
                    for each in result.outcomes
                    if each.state != "pass"
                },
            }
    lines = (f"{json.dumps(name)}: {json.dumps(results[name])}" for name in sorted(results))
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    _write_pages(results)
    return 0 if good else 1


def _settings(library: Path, run: _Run, folder: Path, name: str) -> Settings:
    config = None
    if run.lines and name != "template":
        config = folder / f"cfg_{name}.txt"
        config.write_text("\n".join(["[message-broker]", *run.lines, ""]), "utf-8")
    reader = None
    if run.reader is not None:
        program = Path(__file__).with_name("readers.py")
        words = [sys.executable, str(program), run.reader]
        reader = shlex.join(words) + " {host} {port} {topic} {topic2} {dir}"
    target = Target(run.broker, reader=reader)
    return Settings(library, target, config=config, jobs=6)


def _wrong(folder: Path) -> tuple[dict[str, Any], bool]:
    """Runs every mistake against everything."""
    files = build_wrong(folder)
    found: dict[str, Any] = {}
    good = True
    for name, (meant, also) in MISTAKES.items():
        settings = Settings(files[name], Target("redis"), bound=6, patience=3, jobs=6)
        result = certify(settings)
        failed = {
            each.requirement.id: each.text for each in result.outcomes if each.state == "fail"
        }
        errors = [each.requirement.id for each in result.outcomes if each.state == "error"]
        as_meant = set(failed) == {meant, *also} and not errors
        good = good and as_meant
        print(
            f"{name}: {', '.join(failed)} {'' if as_meant else f'NOT AS MEANT {errors}'}",
            flush=True,
        )
        found[name] = failed
    return found, good


def _write_pages(results: dict[str, Any]) -> None:
    PAGE.write_text(page(results), "utf-8")
    MANUAL.write_text(manual(MANUAL.read_text("utf-8")), "utf-8")


def manual(text: str) -> str:
    """Returns docs/certify.md with the table of requirements made anew."""
    begin, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{begin}{BEGIN}{requirements_table(all_requirements().values())}{end}{after}"


def page(results: dict[str, Any]) -> str:
    """Returns docs/certified.md."""
    names = [name for name in (*_RUNS, "template") if name in results]
    marks = {"pass": "yes", "fail": "**NO**", "n/a": "n/a", "not tested": "?", "error": "error"}
    lines = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        "<!-- Made by scripts/certify. Do not edit. -->",
        "# Certified adaptors",
        "",
        "What [`dsmsg certify`](certify.md) says of this project's adaptors, with the settings "
        "below and a real server.",
        "What arrived is read by another client library: redis-py, confluent-kafka, paho, pika, a "
        "plain socket, or the server's file.",
        "`template` is the adaptor that `dsmsg certify --template` writes.",
        "",
        "| adaptor | verdict | settings | date |",
        "|---|---|---|---|",
    ]
    for name in names:
        settings = ", ".join(f"`{line}`" for line in _RUNS[name].lines) if name in _RUNS else ""
        each = results[name]
        lines.append(f"| {name} | {each['verdict']} | {settings or 'defaults'} | {each['date']} |")
    lines += ["", "yes: it holds; n/a: it says nothing about this adaptor; ?: not tested here.", ""]
    lines += ["| id | level | requirement | " + " | ".join(names) + " |"]
    lines += ["|---" * (len(names) + 3) + "|"]
    notes: dict[str, dict[str, list[str]]] = {}
    for requirement in all_requirements().values():
        cells = []
        for name in names:
            known = {each: ["pass", ""] for each in results[name]["pass"]} | results[name]["other"]
            state, text = known.get(requirement.id, ["not tested", ""])
            cells.append(marks[state])
            if state != "pass" and text:
                notes.setdefault(text.splitlines()[0], {}).setdefault(name, []).append(
                    requirement.id
                )
        head = (requirement.id, requirement.level, requirement.text)
        lines.append("| " + " | ".join((*head, *cells)) + " |")
    lines += ["", "## Why not", ""]
    for text, found in notes.items():
        where = "; ".join(f"{name} {', '.join(ids)}" for name, ids in found.items())
        lines.append(f"- {text}: {where}")
    lines += [
        "",
        "## An adaptor with mistakes",
        "",
        "The template with one mistake at a time (`tests/certify/wrong_adaptor.c`): each fails the "
        "requirement meant, and what cannot",
        "hold without it.",
        "",
        "| mistake | fails | seen |",
        "|---|---|---|",
    ]
    for name, failed in results.get("wrong", {}).items():
        meant, _ = MISTAKES[name]
        also = [each for each in failed if each != meant]
        ids = f"**{meant}**" + (f", also {', '.join(also)}" if also else "")
        lines.append(f"| {name} | {ids} | {failed.get(meant, 'NOT FOUND').splitlines()[0]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
