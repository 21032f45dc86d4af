# SPDX-License-Identifier: Apache-2.0
"""The fault suite in its short form; `make faults` runs the long one.

The adaptors' cases run at the same time, started by the first test, and each test checks one case's
result: they wait more than they compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from faults import audit
from faults.books import KEYS, Journal, Result, balance, expected_payload, number_of
from faults.cases import SHORT
from faults.rigs import RedisRig, Rig
from faults.suite import ALL, LARGE, PLAN, run_chain, wanted
from faults.table import as_markdown

JOBS = 6
CASES = [(rig, case) for rig, case in ALL if rig not in LARGE]
Results = dict[tuple[str, str], "Future[list[Result]]"]


@pytest.fixture(scope="session")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Results]:
    """Runs the chosen cases; a result is there when its future is."""
    chosen: Results = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.originalname == test_fault.__name__:
            chosen[item.callspec.params["case"]] = Future()
    folder = tmp_path_factory.mktemp("faults")

    def run(rig: str) -> None:
        kind = next(kind for kind in PLAN if kind.name == rig)
        cases = [case for name, case in chosen if name == rig]
        try:
            run_chain(
                kind, cases, SHORT, folder, lambda case, rows: chosen[rig, case].set_result(rows)
            )
        except BaseException as error:  # of this chain's tests, not of whichever runs just now
            for case in cases:
                if not chosen[rig, case].done():
                    chosen[rig, case].set_exception(error)

    with ThreadPoolExecutor(JOBS) as pool:
        for rig in dict.fromkeys(rig for rig, _ in chosen):
            pool.submit(run, rig)
        yield chosen


@pytest.mark.parametrize("case", CASES, ids=[":".join(each) for each in CASES])
def test_fault(results: Results, case: tuple[str, str]) -> None:
    rows = results[case].result(timeout=850)
    print(as_markdown(rows))
    assert rows
    assert [problem for row in rows for problem in row.problems] == []
    assert all(row.lost == 0 for row in rows)


# The books themselves: they detect broken promises.


def journal_of(path: Path, *entries: tuple[int, int, int]) -> Journal:
    path.write_bytes(b"".join(bytes([*entry, 0]) for entry in entries) + bytes(40))
    return Journal(path)


OK, ERR, NEVER_CALLED, REFUSED, KILLED = (2, 1, 1), (2, 1, 2), (2, 0, 0), (3, 0, 0), (1, 0, 0)


def judge(journal: Journal, received: list[int], **rules: bool) -> Result:
    result = Result("case", "adaptor")
    balance(result, journal, received, **{"keeps_order": True, "duplicates": False, **rules})
    return result


def test_books_that_balance(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "j", OK, ERR, REFUSED, OK)
    result = judge(journal, [0, 3])
    assert result.problems == []
    assert (result.sent, result.acknowledged, result.failed, result.received) == (4, 2, 2, 2)
    # What failed may have arrived; a callback may be missing only after a kill.
    assert judge(journal, [0, 1, 3]).problems == []
    killed = journal_of(tmp_path / "k", OK, NEVER_CALLED, KILLED)
    assert judge(killed, [0, 2], missing_allowed=True).problems == []


@pytest.mark.parametrize(
    ("entries", "received", "problem"),
    [
        ([OK, OK], [0], "acknowledged and lost: 1"),
        ([OK], [0, 0], "1 duplicates"),
        ([OK], [0, -1], "never sent"),
        ([OK], [0, 1], "received and never sent"),
        ([OK, REFUSED], [0, 1], "refused and yet received"),
        ([OK, NEVER_CALLED], [0], "without a callback"),
        ([(2, 2, 1)], [0], "called back twice"),
        ([OK] * (KEYS + 1), [*range(1, KEYS + 1), 0], "1 out of order"),
    ],
)
def test_books_that_do_not(
    tmp_path: Path, entries: list[tuple[int, int, int]], received: list[int], problem: str
) -> None:
    problems = judge(journal_of(tmp_path / "j", *entries), received).problems
    assert any(problem in text for text in problems), problems


def test_the_servers_loss_is_counted_apart(tmp_path: Path) -> None:
    result = judge(journal_of(tmp_path / "j", OK, OK), [1], server_loses=True)
    assert (result.lost, result.broker_lost, result.problems) == (0, 1, [])


def _source(last: int, received: int, dropped: int = 0, unexplained: int = 0) -> dict[str, Any]:
    none = {"count": 0}
    losses = [{"count": dropped}] if dropped else []
    return {
        **{"source": "camera-0", "last": last, "received": received, "duplicated": 0},
        **{"waiting": none, "unexplained": {"count": unexplained}, "dropped": losses},
    }


@pytest.mark.parametrize(
    ("source", "killed", "problem"),
    [
        (_source(3, 1, 2), False, ""),
        (_source(3, 2, 1), False, "the audit received 2, another client 1"),
        (_source(3, 1, 1, 1), False, "2 ended with ERR, the audit knows of 1"),
        (_source(4, 1, 2, 1), False, "1 unexplained by the audit, 0 without answer"),
        (_source(4, 1, 2), False, "3 accepted, the audit's last is 4"),
        (_source(4, 1, 2, 2), True, "2 unexplained by the audit, 1 without answer"),
        (_source(4, 1, 2, 1), True, ""),
    ],
)
def test_an_audit_that_differs_from_the_books_is_told(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    source: dict[str, Any],
    killed: bool,
    problem: str,
) -> None:
    """One camera: one message arrived, two ended with ERR; killed: another has no answer."""
    monkeypatch.setattr(audit, "_audit", lambda rig, topic, spool: {"sources": [source]})
    monkeypatch.setattr(audit, "KEYS", 1)
    entries = [OK, ERR, ERR, *([NEVER_CALLED] if killed else [])]
    result, rig = Result("process killed", "redis"), cast("Rig", RedisRig)  # only what it audits
    journal = journal_of(tmp_path / "j", *entries)
    audit.check_ledger(result, rig, "t", journal, [0], killed=killed)
    if problem:
        assert any(problem in text for text in result.problems), result.problems
    else:
        assert result.problems == []


def test_a_payload_that_changed_is_not_the_message() -> None:
    payload = expected_payload(17)
    assert number_of(payload) == 17
    assert number_of(payload[:-3] + b'x"}') == -1
    assert number_of(b"\xff\x00") == -1


def test_words_choose_cases() -> None:
    assert wanted([], "redis", "cut")
    assert wanted(["cut"], "redis", "cut")
    assert wanted(["mqtt", "redis:cut"], "redis", "cut")
    assert not wanted(["mqtt", "redis:away"], "redis", "cut")
