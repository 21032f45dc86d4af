# SPDX-License-Identifier: Apache-2.0
"""The compatibility battery in its short form, with one unusual server of each protocol.

`make compat` runs the long one over all servers. The servers' batteries run at the same time in
separate processes, started by the first test: they wait more than they compute.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from compat.__main__ import run_child
from compat.battery import Outcome, Report
from compat.checks import CHECKS
from compat.clients import wheel_environment
from compat.servers import SERVERS
from compat.table import BEGIN, END, RESULTS, as_markdown, keep, stored, surprises, write_docs
from dsmsg.brokers import KINDS

IN_SHORT = ["aedes", "valkey", "kafka4", "brokerj"]
_SHORT_DOCS = ["mochi", "--short", "--docs", "page.md"]
Reports = dict[str, "Future[Report]"]


@pytest.fixture(scope="session")
def reports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reports]:
    """Runs the batteries of the chosen tests."""
    out = tmp_path_factory.mktemp("compat")
    names = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_battery.__name__
    ]
    servers = {server.name: server for server in SERVERS}
    with ThreadPoolExecutor(len(IN_SHORT)) as pool:
        yield {name: pool.submit(run_child, servers[name], [name], out, True) for name in names}


@pytest.mark.parametrize("name", IN_SHORT)
@pytest.mark.timeout(900)
def test_battery(reports: Reports, name: str) -> None:
    report = reports[name].result(timeout=850)
    print(as_markdown([report]))
    assert surprises([report]) == []
    assert {"connect", "1 KB", "200 KB", "subscribe", "SIGTERM"} <= {
        check for check, outcome in report.checks.items() if outcome.state != "absent"
    }


# The table itself.


def test_each_server_is_known() -> None:
    assert len({server.name for server in SERVERS}) == len(SERVERS)
    for server in SERVERS:
        assert server.kind in KINDS
        assert {*server.differs, *server.lacks, *server.scenes} <= set(CHECKS), server.name


def report_of(name: str, **checks: Outcome) -> Report:
    server = next(server for server in SERVERS if server.name == name)
    named = {check.replace("_", " "): outcome for check, outcome in checks.items()}
    return Report(name, server.title, server.protocol, "1.2", "client 3", "2026-01-02", named)


def test_what_is_known_is_no_surprise() -> None:
    lost = Outcome("differs", "7 of 9 messages are missing")
    assert surprises([report_of("redis", SIGKILL=lost)]) == []
    assert surprises([report_of("redis", connect=lost)]) == [f"  redis, connect: {lost.seen}"]
    absent = report_of("redis")
    absent.not_run = "no such program"
    assert surprises([absent]) == ["  redis: not run: no such program"]


def test_the_page_says_what_differs_and_why(tmp_path: Path) -> None:
    lost = Outcome("differs", "7 of 9 messages are missing")
    table = as_markdown([report_of("redis", connect=Outcome("works"), SIGKILL=lost)])
    assert "| connect | SIGKILL |" in table
    assert "| yes | **differs** | 2026-01-02 |" in table
    assert "SIGKILL: 7 of 9 messages are missing. It writes a snapshot" in table
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_docs(page, table)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert table in text


def test_the_page_is_made_of_the_reports() -> None:
    page = Path(__file__).parents[2] / "docs" / "compatibility.md"
    text = page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert text.strip() == as_markdown(stored(RESULTS)).strip()


def test_a_run_of_one_server_keeps_the_others(tmp_path: Path) -> None:
    works, lost = Outcome("works"), Outcome("differs", "7 of 9 messages are missing")
    results = tmp_path / "results.jsonl"
    results.touch()
    keep(results, [report_of("redis", connect=works, SIGKILL=lost), report_of("mochi", TLS=lost)])
    absent = report_of("redis")
    absent.not_run = "no such program"
    kept = keep(results, [report_of("mochi", TLS=works, connect=works), absent])
    assert [(each.name, each.checks) for each in kept] == [
        ("redis", {"connect": works, "SIGKILL": lost}),
        ("mochi", {"connect": works, "TLS": works}),
    ]
    assert not any(each.not_run for each in kept)
    assert stored(results) == kept


def test_servers_with_a_client_of_their_own_start_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: wheel_environment(), range(200)))
    folder = Path(found[0]["LD_LIBRARY_PATH"].partition(":")[0])
    assert [path.name for path in folder.iterdir()] == ["librdkafka.so.1"]
    assert (folder / "librdkafka.so.1").is_file()


@pytest.mark.parametrize(("words", "text"), [(["postgres"], "postgres"), (_SHORT_DOCS, "--short")])
def test_wrong_words_are_named(words: list[str], text: str) -> None:
    tests = Path(__file__).resolve().parent.parent
    path = f"{tests}:{tests / 'python'}:{tests.parent / 'python'}"
    result = subprocess.run(
        [sys.executable, "-m", "compat", *words],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert text in result.stderr
