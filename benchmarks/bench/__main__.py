# SPDX-License-Identifier: Apache-2.0
"""Command line of the suite: runs the cases and writes the report.

python -m bench PROGRAMS OUT [--targets "redis mqtt"] [--cases "unbounded paced"] [--report]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from bench.cases import Case, cases_of, frame_cases
from bench.plots import draw
from bench.report import write_report
from bench.run import Json, machine, run_case, run_program

_GOOGLE = {
    "micro": ["--benchmark_format=json", "--benchmark_min_time=0.1"],
    "payload": [],
    "elements": ["--benchmark_min_time=0.2"],
    "space": ["--benchmark_format=json", "--benchmark_min_time=0.2"],
    "evidence": ["--benchmark_format=json", "--benchmark_min_time=0.02"],
}
"""Programs on Google Benchmark, with their arguments; one that was not built is left out."""


def _say(begin: float, text: str) -> None:
    print(f"[{time.monotonic() - begin:4.0f}s] {text}", flush=True)


def _select(programs: Path, targets: list[str], names: list[str]) -> list[Case]:
    listed = subprocess.run(
        [str(programs / "load"), "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    cases = [
        case
        for target in listed
        if not targets or target in targets or target.split("-")[0] in targets
        for case in cases_of(target)
    ]
    if (programs / "frames").is_file() and not targets:
        cases += frame_cases()
    return [case for case in cases if not names or case.name in names or case.target in names]


def _measure(programs: Path, out: Path, targets: list[str], names: list[str]) -> Json:
    begin = time.monotonic()
    report: Json = {"machine": machine(), "results": [], "google": {}}
    for case in _select(programs, targets, names):
        result = run_case(case, programs, out)
        report["results"].append(result)
        failed = f": FAILED: {result['error']}" if "error" in result else ""
        _say(begin, f"{case.key} ({result['took_s']:.0f} s){failed}")
    for name, arguments in _GOOGLE.items():
        wanted = name in names or (not names and not targets)
        if not wanted or not (programs / name).is_file():
            continue
        output, error = run_program([str(programs / name), *arguments], out / f"{name}.log")
        (out / f"{name}.json").write_text(output, encoding="utf-8")
        report["google"][name] = {"error": error} if error else json.loads(output)
        _say(begin, name + (f": FAILED: {error}" if error else ""))
    report["took_s"] = time.monotonic() - begin
    return report


def main() -> int:
    """Returns 1 when a case failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("programs", type=Path, help="folder of the built programs")
    parser.add_argument("out", type=Path, help="folder of the report")
    parser.add_argument("--targets", default="", help="names, with spaces between them")
    parser.add_argument("--cases", default="", help="names, with spaces between them")
    parser.add_argument("--report", action="store_true", help="only write the report again")
    parsed = parser.parse_args()
    out: Path = parsed.out
    out.mkdir(parents=True, exist_ok=True)
    file = out / "report.json"
    if not parsed.report:
        report = _measure(parsed.programs, out, parsed.targets.split(), parsed.cases.split())
        file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    report = json.loads(file.read_text(encoding="utf-8"))
    plots = draw(report["results"], out)
    (out / "report.md").write_text(write_report(report, plots), encoding="utf-8")
    failed = [each for each in report["results"] if "error" in each]
    print(f"bench: the report is {out / 'report.md'}; {len(failed)} cases failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
