# SPDX-License-Identifier: Apache-2.0
"""Runs the fault suite and prints the table.

    python -m faults [--short] [--jobs N] [--out FOLDER] [WORD]...

A WORD is a case ("cut"), an adaptor ("redis") or both ("redis:cut"); none: everything. Returns 1
when a promise was broken. The memory cases run alongside the others, because they take ten minutes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from faults.books import Result
from faults.cases import LONG, SHORT
from faults.suite import ABSENT, ALL, PLAN, run_chain, wanted
from faults.table import as_json, as_markdown

__all__ = ["main"]

_BESIDE = "memory"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what was chosen; returns the exit code (0 passed, 1 a broken promise, 2 wrong usage)."""
    parser = argparse.ArgumentParser(prog="python -m faults", description="The fault suite.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="case, adaptor or adaptor:case")
    parser.add_argument("--short", action="store_true", help="the short form")
    parser.add_argument("--jobs", type=int, default=3, help="adaptors at a time (3)")
    parser.add_argument("--out", type=Path, default=Path("build/faults"), help="for the results")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parsed = parser.parse_args(arguments)
    if parsed.list:
        print("\n".join(f"{rig}:{case}" for rig, case in ALL))
        return 0
    known = {name for pair in ALL for name in (*pair, ":".join(pair))}
    if unknown := sorted(set(parsed.words) - known):
        print(f"unknown case or adaptor {unknown[0]!r} (--list shows all)", file=sys.stderr)
        return 2
    rows = _run(parsed.words, LONG if not parsed.short else SHORT, parsed.jobs)
    parsed.out.mkdir(parents=True, exist_ok=True)
    table = as_markdown(rows)
    (parsed.out / "faults.md").write_text(table, encoding="utf-8")
    (parsed.out / "faults.json").write_text(as_json(rows), encoding="utf-8")
    print(table)
    if not parsed.words:
        print("Combinations without a case:")
        print("\n".join(f"  {what}: {why}" for what, why in ABSENT.items()))
    return 1 if any(row.problems for row in rows) else 0


def _run(words: Sequence[str], scale: object, jobs: int) -> list[Result]:
    rows: list[Result] = []
    lock = Lock()
    began = time.monotonic()

    def tell(case: str, more: list[Result]) -> None:
        with lock:
            rows.extend(more)
            for row in more:
                state = "FAILED " + "; ".join(row.problems) if row.problems else "ok"
                text = f"[{time.monotonic() - began:4.0f}s] {row.adaptor}: {row.case}: {state}"
                print(f"{text} ({row.seconds:.0f} s)", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="dsmsg-faults-"))
    chains = []
    for kind, plan in PLAN.items():
        chosen = [case for case in plan if wanted(words, kind.name, case)]
        chains.append((kind, [case for case in chosen if case == _BESIDE], folder / "beside"))
        chains.append((kind, [case for case in chosen if case != _BESIDE], folder))
    chains = [chain for chain in chains if chain[1]]
    chains.sort(key=lambda chain: -len(chain[1]))
    with ThreadPoolExecutor(jobs) as pool, ThreadPoolExecutor(len(PLAN)) as beside:
        futures = [
            (beside if chosen == [_BESIDE] else pool).submit(
                run_chain, kind, chosen, scale, where, tell
            )
            for kind, chosen, where in chains
        ]
    for future in futures:
        future.result()
    if any(row.problems for row in rows):
        print(f"logs and journals are kept in {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
