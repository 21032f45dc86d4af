# SPDX-License-Identifier: Apache-2.0
"""The delivery ledger against the books: `dsmsg audit` must say what the suite knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dsmsg

from faults.books import KEYS, Journal, Result
from faults.rigs import Rig

__all__ = ["check_ledger", "ledger_options"]

_ACCEPTED = 2  # journal.h
_IDLE_S = (1.0, 10.0)  # the second on a machine that is too busy for the first


def ledger_options(result: Result, rig: Rig, topic: str) -> dict[str, object]:
    """Settings of a sender whose topic is audited; none if the case is not."""
    if result.case not in rig.audited:
        return {}
    return {"ledger": 1, "ledger_file": _file(rig, topic)}


def _file(rig: Rig, topic: str) -> Path:
    return rig.folder / f"ledger-{topic}"


def check_ledger(
    result: Result,
    rig: Rig,
    topic: str,
    journal: Journal,
    received: Sequence[int],
    spool: Path | None = None,
    *,
    killed: bool = False,
) -> None:
    """Audits a topic and compares the verdict with the books, camera by camera.

    Args:
        result: gets a note, and the differences as problems.
        rig: whose topic it is.
        topic: of all messages.
        journal: the sender's books.
        received: message numbers as another client found them.
        spool: folder of the sender's spool.
        killed: the process was killed: what it accepted without an answer may be without a trace.
    """
    if result.case not in rig.audited:
        return
    report = _audit(rig, topic, spool)
    arrived = Counter(number % KEYS for number in set(received))
    accepted: Counter[int] = Counter()
    failed: Counter[int] = Counter()  # and did not arrive: the ledger has to explain them
    silent: Counter[int] = Counter()  # neither answered nor arrived
    found = set(received)
    for number in range(journal.end):
        key = number % KEYS
        accepted[key] += journal.answers[number] == _ACCEPTED or number in found
        if number not in found:
            failed[key] += journal.flags[number] > 1
            silent[key] += journal.calls[number] == 0 and journal.answers[number] in (1, _ACCEPTED)
    for key in range(KEYS):
        sources = [each for each in report["sources"] if each["source"] == f"camera-{key}"]

        def total(name: str, within: Sequence[dict[str, Any]] = sources) -> int:
            return sum(int(each[name]) for each in within)

        unexplained = sum(each["unexplained"]["count"] for each in sources)
        waiting = sum(each["waiting"]["count"] for each in sources)
        dropped = sum(loss["count"] for each in sources for loss in each["dropped"])
        result.need(
            total("received") == arrived[key],
            f"camera-{key}: the audit received {total('received')}, another client {arrived[key]}",
        )
        result.need(
            dropped == failed[key],
            f"camera-{key}: {failed[key]} ended with ERR, the audit knows of {dropped}",
        )
        result.need(
            unexplained <= (silent[key] if killed else 0),
            f"camera-{key}: {unexplained} unexplained by the audit, {silent[key]} without answer",
        )
        result.need(waiting == 0, f"camera-{key}: {waiting} wait in an empty spool")
        sent = total("received") + dropped + unexplained
        result.need(
            accepted[key] - silent[key] <= sent <= accepted[key] or not killed,
            f"camera-{key}: {accepted[key]} accepted, {sent} in the audit",
        )
        result.need(
            killed or total("last") == accepted[key],
            f"camera-{key}: {accepted[key]} accepted, the audit's last is {total('last')}",
        )
    doubled = sum(each["duplicated"] for each in report["sources"])
    result.need(
        doubled == len(received) - len(found),
        f"the audit has {doubled} duplicates, another client {len(received) - len(found)}",
    )
    result.note = f"{result.note}{result.note and '; '}audited"


def _audit(rig: Rig, topic: str, spool: Path | None) -> dict[str, Any]:
    command = [sys.executable, "-m", "dsmsg", "audit", rig.adaptor, rig.direct(), topic]
    command += ["--from-beginning", "--json", "--ledger", str(_file(rig, topic))]
    if spool is not None:
        command += ["--spool", str(spool)]
    environment = {**os.environ, "PYTHONPATH": str(Path(dsmsg.__file__).parent.parent)}
    report: dict[str, Any] = {}
    for idle in _IDLE_S:
        done = subprocess.run(
            [*command, "--until-idle", str(idle)],
            capture_output=True,
            timeout=300,
            check=False,
            env=environment,
        )
        if done.returncode > 1 or not done.stdout:
            raise RuntimeError(f"dsmsg audit: {done.returncode}: {done.stderr.decode()[-500:]}")
        report = json.loads(done.stdout)
        if done.returncode == 0:
            break
    return report
