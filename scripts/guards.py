# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of a send in each adaptor, and compares them with those kept.

Counted, under valgrind's callgrind, is what runs inside ``nvds_msgapi_send_async`` and inside a
driver's ``Submit``: in the adaptor and in the system's libraries (allocation, copies, locks), not
in the broker's client library, whose versions differ. Counts hardly depend on the machine and on
what else it does; compilers differ by some percent.

usage: scripts/guards.py check|renew PROGRAM [NAME]...
  check    fails if a count is more than 15 % above that of benchmarks/guards.json
  renew    keeps the counts, and the profiles in benchmarks/profiles
  PROGRAM  the program `guard` that was built (build/dev/benchmarks/guard)
  NAME     adaptors (default: those that are kept)
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent / "benchmarks"
KEPT = BENCHMARKS / "guards.json"
MESSAGES = 1200
BOUND = 1.15
COUNTED = ["nvds_msgapi_send_async", "*Driver::Submit(dsmsg::Message const&, unsigned long)"]
SYSTEM = re.compile(r"(ld-linux.*|libc|libm|libgcc_s|libstdc\+\+|libpthread)[.-]")

Costs = dict[tuple[str, str], int]


def measure(program: str, name: str) -> Costs:
    """Sends messages through an adaptor; returns the instructions of each (library, function)."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command += [f"--toggle-collect={function}" for function in COUNTED]
        run = subprocess.run(
            [*command, program, name, str(MESSAGES)],
            env=os.environ | {"DSMSG_PYTHON": sys.executable, "LD_BIND_NOW": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            output = run.stdout + run.stderr
            sys.exit(f"guards: {name}: {program} ended with {run.returncode}:\n{output}")
        return parse(out.read_text(errors="replace"))


def parse(text: str) -> Costs:
    """Returns what callgrind's file says of each function alone, without those that it calls."""
    names: dict[tuple[str, str], str] = {}
    costs: Costs = collections.Counter()
    here = {"ob": "", "fn": ""}
    called = False  # the next line of costs is that of a call
    for line in text.splitlines():
        if entry := re.match(r"c?(ob|fn)=(\(\d+\))(?: (.*))?$", line):
            kind, number, name = entry.groups()
            if name is not None:
                names[kind, number] = name
            if not line.startswith("c"):
                here[kind] = names[kind, number]
        elif line.startswith("calls="):
            called = True
        elif cost := re.match(r"[\d+*-]\S* (\d+)$", line):
            if not called:
                costs[pathlib.Path(here["ob"]).name, here["fn"]] += int(cost[1])
            called = False
    return costs


def group(library: str) -> str:
    """Returns whose a library is."""
    if library.startswith("libnvds_"):
        return "adaptor"
    return "system" if SYSTEM.match(library) else "client"


def per_send(costs: Costs) -> dict[str, int]:
    """Returns the instructions of one send in each group of libraries."""
    totals = dict.fromkeys(["adaptor", "system", "client"], 0)
    for (library, _), cost in costs.items():
        totals[group(library)] += cost
    return {name: round(total / MESSAGES) for name, total in totals.items()}


def profile(name: str, costs: Costs) -> str:
    """Returns the functions that take the most, as text."""
    lines = [f"{name}: instructions of a send by function, those of 5 and more", ""]
    for (library, function), cost in sorted(costs.items(), key=lambda item: -item[1]):
        if cost >= 5 * MESSAGES:
            short = function.split("'")[0][:100]  # without the depth of a recursion
            lines.append(f"{cost / MESSAGES:7.0f}  {library:28}  {short}".rstrip())
    return "\n".join(lines) + "\n"


def check(name: str, counts: dict[str, int], kept: dict[str, int]) -> bool:
    """Says how the counts compare; False if they are beyond the bound."""
    now, before = (each["adaptor"] + each["system"] for each in (counts, kept))
    print(
        f"{name}: {now} instructions of a send, kept {before} ({now / before - 1:+.1%}); {counts}"
    )
    if now <= before * BOUND:
        return True
    print(
        f"{name}: more than {BOUND - 1:.0%} above benchmarks/guards.json. Compare the profile below"
        f" with benchmarks/profiles/{name}.txt; if the cost is wanted, keep it with"
        f" `scripts/guards.py renew build/dev/benchmarks/guard {name}`."
    )
    return False


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    if len(arguments) < 2 or arguments[0] not in ("check", "renew"):
        sys.exit(__doc__)
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    good = True
    for name in arguments[2:] or list(kept):
        costs = measure(arguments[1], name)
        if arguments[0] == "renew":
            kept[name] = per_send(costs)
            KEPT.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
            (BENCHMARKS / "profiles").mkdir(exist_ok=True)
            (BENCHMARKS / "profiles" / f"{name}.txt").write_text(profile(name, costs))
            print(f"{name}: {kept[name]}")
        elif not check(name, per_send(costs), kept[name]):
            print(profile(name, costs))
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
