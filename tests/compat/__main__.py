# SPDX-License-Identifier: Apache-2.0
"""Runs the battery over the servers and prints the table.

    python -m compat [--short] [--out FOLDER] [--docs FILE] [SERVER[:CHECK]]...

Each server is tested in a separate process, so that it may have its own client library. Returns 1
if a result differs from the known ones, or a server that works here could not be run.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dsmsg.brokers import BrokerError

from compat.battery import Outcome, Report, run
from compat.checks import CHECKS
from compat.clients import client_version, wheel_environment
from compat.server import Server
from compat.servers import SERVERS
from compat.subject import LONG, SHORT
from compat.table import RESULTS, as_markdown, keep, surprises, write_docs

__all__ = ["main", "run_child"]

_SERVER_TIMEOUT_S = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what was chosen; returns the exit code (0 as known, 1 not, 2 wrong usage)."""
    parser = argparse.ArgumentParser(prog="python -m compat", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="SERVER[:CHECK]", help="default: all")
    parser.add_argument("--short", action="store_true", help="fewer messages")
    parser.add_argument("--out", type=Path, default=Path("build/compat"), help="for the results")
    parser.add_argument(
        "--docs", type=Path, help="page in which the rows of these servers are rewritten"
    )
    parser.add_argument("--jobs", type=int, default=1, help="servers at a time (1)")
    parser.add_argument("--list", action="store_true", help="list the servers")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if parsed.list:
        print("\n".join(server.name for server in SERVERS))
        return 0
    known = {server.name for server in SERVERS}
    if unknown := [word for word in parsed.words if word.partition(":")[0] not in known]:
        print(f"unknown server {unknown[0]!r} (--list shows all)", file=sys.stderr)
        return 2
    if parsed.docs and parsed.short:
        print("--docs is for the whole battery (leave out --short)", file=sys.stderr)
        return 2
    parsed.out.mkdir(parents=True, exist_ok=True)
    if parsed.one:
        return _one(parsed)
    chosen = [
        (server, words or [server.name])
        for server in SERVERS
        for words in [[word for word in parsed.words if word.partition(":")[0] == server.name]]
        if words or not parsed.words
    ]
    with ThreadPoolExecutor(parsed.jobs) as pool:
        reports = list(pool.map(lambda each: run_child(*each, parsed.out, parsed.short), chosen))
    table = as_markdown(reports)
    (parsed.out / "compat.md").write_text(table, encoding="utf-8")
    print(table)
    if parsed.docs:
        write_docs(parsed.docs, as_markdown(keep(RESULTS, reports)))
    found = surprises(reports)
    print("\n".join(["Unexpected:", *found]) if found else "Everything as expected.")
    return 1 if found else 0


def run_child(server: Server, words: Sequence[str], out: Path, short: bool) -> Report:
    """Runs one server's battery in a separate process.

    Args:
        server: which.
        words: its name, or its name and a check.
        out: folder for its report.
        short: fewer messages.
    """
    print(f"=== {server.name}", flush=True)
    path = out / f"{server.name}.json"
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "compat", "--one", "--out", str(out), *words]
    tests = Path(__file__).resolve().parent.parent
    environment = {
        "DSMSG_LOG": "error",
        **os.environ,
        **(wheel_environment() if server.client else {}),
        "PYTHONPATH": f"{tests}:{tests / 'python'}:{tests.parent / 'python'}",
    }
    try:
        code = subprocess.run(
            [*command, *(["--short"] if short else [])],
            env=environment,
            timeout=_SERVER_TIMEOUT_S,
            check=False,
        ).returncode
        why = f"the battery ended with exit code {code}"
    except subprocess.TimeoutExpired:
        why = f"the battery was not done in {_SERVER_TIMEOUT_S:g} s"
    if path.exists():
        return Report.of(json.loads(path.read_text(encoding="utf-8")))
    today = time.strftime("%Y-%m-%d")
    return Report(
        server.name, server.title, server.protocol, server.version(), "", today, not_run=why
    )


def _one(parsed: argparse.Namespace) -> int:
    _end_with_parent()
    name = parsed.words[0].partition(":")[0]
    server = next(server for server in SERVERS if server.name == name)
    only = [word.partition(":")[2] for word in parsed.words if ":" in word]
    if unknown := [check for check in only if check not in CHECKS]:
        print(f"unknown check {unknown[0]!r} (known: {', '.join(CHECKS)})", file=sys.stderr)
        return 2

    def tell(check: str, outcome: Outcome) -> None:
        text = f": {outcome.seen}" if outcome.seen else ""
        print(f"  {name} {check}: {outcome.state}{text} ({outcome.seconds:g} s)", flush=True)

    client = client_version(server.protocol)
    try:
        with tempfile.TemporaryDirectory(prefix="dsmsg-compat-") as folder:
            report = run(server, SHORT if parsed.short else LONG, Path(folder), client, tell, only)
    except BrokerError as error:
        today = time.strftime("%Y-%m-%d")
        report = Report(server.name, server.title, server.protocol, server.version(), client, today)
        report.not_run = str(error).split("\n")[0]
        print(f"  not run: {error}", flush=True)
    text = json.dumps(report.as_dict(), indent=1, ensure_ascii=False)
    (parsed.out / f"{name}.json").write_text(text, encoding="utf-8")
    return 0


def _end_with_parent() -> None:
    """Asks the kernel for a SIGTERM when the parent ends."""
    ctypes.CDLL(None).prctl(1, 15)


if __name__ == "__main__":
    sys.exit(main())
