# SPDX-License-Identifier: Apache-2.0
"""The metrics: complete, in dsmsg_stats and in the file alike, and readable by Prometheus."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from dsmsg import _settings
from dsmsg.adaptor import Adaptor, Connection
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port
from identities import IDENTITIES, address
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

DOCS = Path(__file__).parents[2] / "docs"
# DESIGN, "Metrics": what it names, and the name in dsmsg_stats.
DESIGNED = {
    "accepted": "accepted",
    "sent": "sent",
    "bytes": "bytes",
    "acknowledged": "acknowledged",
    "failed by reason": "failed",
    "dropped by reason": "dropped",
    "retried": "retried",
    "queue depth": "queue_messages",
    "queue bytes": "queue_bytes",
    "in flight": "in_flight",
    "spool rows": "spool_rows",
    "spool bytes": "spool_bytes",
    "reconnects": "reconnects",
    "link state": "link",
    "last success": "last_success_ms",
    "last failure": "last_failure_ms",
    "its reason": "last_failure_reason",
    "latency": "latency_us",
}
# Names that differ between the two, where a rule does not say it.
IN_FILE = {
    "bytes": "accepted_bytes_total",
    "sent": "submitted_total",
    "link": "link_up",
    "last_success_ms": "last_success_timestamp_seconds",
    "last_failure_ms": "last_failure_timestamp_seconds",
    "latency_us": "latency_seconds_count",
}
# Labels and texts.
ONLY_IN_STATS = {
    "protocol",
    "endpoint",
    "version",
    "library",
    "library_version",
    "last_failure_reason",
}
ADAPTORS = tuple(_settings.ADAPTORS)


class File:
    """A metrics file as Prometheus reads it."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        self.families: list[Metric] = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The one sample of a name and labels."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == f"dsmsg_{name}" and labels.items() <= sample.labels.items()
        ]
        assert len(found) == 1, (name, labels, found)
        return float(found[0])

    def names(self) -> set[str]:
        """Names of all samples."""
        return {sample.name for sample in self.samples}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dsmsg.prom"


@pytest.fixture
def connect(redis_broker: Broker, path: Path, tmp_path: Path) -> Callable[..., Connection]:
    """Connects to Redis with a metrics file and a spool."""

    def make(**options: object) -> Connection:
        settings = {
            "metrics-file": path,
            "metrics-interval": "100ms",
            "spool-dir": tmp_path / "spool",
            "flush-timeout": "5s",
        }
        return Adaptor("redis").connect(redis_broker.conn_str, {**settings, **options})

    return make


def name_in_file(name: str, names: set[str]) -> str:
    """The name in the file of one in dsmsg_stats."""
    if name in IN_FILE:
        return IN_FILE[name]
    return f"{name}_total" if f"dsmsg_{name}_total" in names else name


def test_stats_have_what_the_design_names(connect: Callable[..., Connection], topic: str) -> None:
    with connect() as connection:
        connection.send(topic, b"x")
        stats = connection.stats()
    assert {what: name for what, name in DESIGNED.items() if name not in stats} == {}
    assert set(stats["latency_us"]) >= {"count", "sum", "p50", "p90", "p99", "max"}
    assert set(stats["dropped"]) >= {"evicted", "newest", "superseded", "expired", "too-large"}


def test_the_file_has_all_that_the_stats_have(
    connect: Callable[..., Connection], redis_broker: Broker, path: Path, topic: str
) -> None:
    with redis.Redis(redis_broker.host, redis_broker.port) as client:
        client.set(f"{topic}-wrong", "no stream")
    with connect() as connection:
        for _ in range(20):
            connection.send_async(topic, b"0123456789")
        connection.send_async(f"{topic}-wrong", b"refused")
        assert connection.work_until_done(30)
        stats = connection.stats()
    file = File(path)  # written a last time at the end
    names = file.names()
    missing = {
        name
        for name in stats
        if name not in ONLY_IN_STATS | {"failed", "dropped"}
        and f"dsmsg_{name_in_file(name, names)}" not in names
    }
    assert missing == set()
    for name, value in stats.items():
        if isinstance(value, int) and name in ("accepted", "bytes", "acknowledged", "sent"):
            assert file.value(name_in_file(name, names)) == value, name
    assert (stats["accepted"], stats["acknowledged"], stats["failed"]) == (21, 20, {"rejected": 1})
    assert file.value("failed_total", reason="rejected") == 1
    for reason, count in stats["dropped"].items():
        assert file.value("dropped_total", reason=reason) == count
    assert file.value("latency_seconds_count") == 20
    assert file.value("latency_seconds_bucket", le="+Inf") == 20
    assert file.value("latency_seconds_bucket", le="30") == 20
    assert 0 < file.value("latency_seconds_sum") < 20 * 30
    assert abs(file.value("last_success_timestamp_seconds") - time.time()) < 60


def test_prometheus_reads_types_and_labels(
    connect: Callable[..., Connection], redis_broker: Broker, path: Path, topic: str
) -> None:
    with connect() as first, connect() as second:
        first.send(topic, b"x")
        second.send(topic, b"y")
        second.send(topic, b"z")
        wait_for(lambda: sum(each.value for each in of(path, "acknowledged_total")) == 3)
        file = File(path)
        links = of(path, "link_up")
    assert [each.value for each in links] == [1, 1]
    assert {each.labels["endpoint"] for each in links} == {redis_broker.address}
    assert len({each.labels["connection"] for each in links}) == 2
    for family in file.families:
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        kinds = {sample.name.endswith("_total") for sample in family.samples}
        assert kinds == {family.type == "counter"}, family.name
        keys = [(each.name, *sorted(each.labels.items())) for each in family.samples]
        assert len(keys) == len(set(keys)), family.name
        assert all(each.labels["protocol"] == "REDIS" for each in family.samples)
    assert len({family.name for family in file.families}) == len(file.families)


def test_a_message_that_the_end_ends_has_a_reason(topic: str) -> None:
    """The command line read "1 of 1 messages failed: " here."""
    options = {"connect": "lazy", "flush-timeout": "1ms"}
    connection = Adaptor("redis").connect(f"127.0.0.1;{free_port()}", options)
    future = connection.send_async(topic, b"x")
    connection.disconnect()
    assert re.search(r"failed with ERR\w*: .*1 shutdown", str(future.exception(0)))
    assert "1 shutdown" in connection.last_error()
    with Adaptor("redis").connect(f"127.0.0.1;{free_port()}", options) as other:
        pass
    assert other.last_error() == ""


def test_an_outage_shows(path: Path, topic: str, tmp_path: Path) -> None:
    options = {
        "connect": "lazy",
        "metrics-file": path,
        "metrics-interval": "100ms",
        "spool-dir": tmp_path / "spool",
        "flush-timeout": "200ms",
    }
    with Adaptor("redis").connect(f"127.0.0.1;{free_port()}", options) as connection:
        future = connection.send_async(topic, b"x")
        assert connection.work_until_done(30)
        assert future.done()
        wait_for(lambda: path.exists() and File(path).value("spool_backlog") == 1)
        file = File(path)
    assert file.value("link_up") == 0
    assert file.value("spooled_total") == 1
    assert file.value("spool_rows") == 1
    assert file.value("spool_failing") == 0


def test_the_end_is_not_a_link_that_is_up(
    connect: Callable[..., Connection], path: Path, topic: str
) -> None:
    with connect() as connection:
        connection.send(topic, b"x")
    file = File(path)
    assert file.value("link_up") == 0
    assert file.value("acknowledged_total") == 1
    assert abs(file.value("written_timestamp_seconds") - time.time()) < 60


def test_the_file_of_a_killed_process_can_be_told_by_its_age(
    redis_broker: Broker, path: Path
) -> None:
    """A killed process writes no more: the file says "up", and its time does not change."""
    program = f"""
import os, re, signal, time
from dsmsg.adaptor import Adaptor
options = {{"metrics-file": {str(path)!r}, "metrics-interval": "100ms"}}
connection = Adaptor("redis").connect({redis_broker.conn_str!r}, options)
while not re.search(r"dsmsg_link_up\\{{.*\\}} 1", open({str(path)!r}).read()):
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")}
    killed = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=300, env=environment
    )
    assert killed.returncode == -signal.SIGKILL
    file = File(path)
    assert file.value("link_up") == 1
    assert file.value("written_timestamp_seconds") <= time.time()


def test_each_process_has_its_own_file_and_removes_it(
    connect: Callable[..., Connection], path: Path
) -> None:
    own = path.with_name(f"dsmsg-{os.getpid()}.prom")
    with connect(**{"metrics-file": path.with_name("dsmsg-%p.prom")}):
        connection = of(own, "link_up")[0].labels["connection"]
        assert connection.startswith(f"{os.getpid()}-")
    assert not own.exists()


def documented() -> dict[str, tuple[str, str]]:
    """The tables of docs/metrics.md: each metric's name in the statistics and its type."""
    row = re.compile(
        r"^\| `(dsmsg_\w+)` \| (?:`(\w+)`|-) \| (counter|gauge|histogram) \|", re.MULTILINE
    )
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    found = {name: (stat, kind) for name, stat, kind in row.findall(text)}
    assert len(found) == len(row.findall(text)), "a metric stands there twice"
    return found


@pytest.mark.parametrize("name", ADAPTORS)
def test_the_page_of_metrics_is_complete_and_true(name: str, tmp_path: Path) -> None:
    """Every adaptor prints what docs/metrics.md has, and nothing else."""
    path = tmp_path / "all.prom"
    options = {"connect": "lazy", "metrics-file": path, "flush-timeout": "1ms"}
    options.update(IDENTITIES.get(name, {}))
    with Adaptor(name).connect(address(name, free_port(), tmp_path), options) as connection:
        stats = connection.stats()
        file = File(path)
    kinds = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in file.families
    }
    page = documented()
    assert {metric: kind for metric, (_, kind) in page.items()} == kinds
    assert {stat for stat, _ in page.values() if stat} | ONLY_IN_STATS == set(stats)
    build = of(path, "build_info")[0].labels
    assert build["library"] == stats["library"]
    assert build["library_version"] == stats["library_version"]
    has_library = name not in ("multi", "nats", "pulsar")
    assert bool(re.match(r"\d+\.\d+", build["library_version"])) == has_library


def test_reasons_are_spelled_alike_everywhere(
    connect: Callable[..., Connection], path: Path
) -> None:
    with connect() as connection:
        dropped = set(connection.stats()["dropped"])
        file = File(path)
    in_file = {
        name: {s.labels["reason"] for s in file.samples if s.name == f"dsmsg_{name}_total"}
        for name in ("failed", "dropped")
    }
    assert in_file["dropped"] == dropped
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    section = text[text.index("\n## Reasons") : text.index("\n## Names that changed")]
    failed_table, dropped_table = section.split("`dsmsg_dropped_total`:")
    for table, name in ((failed_table, "failed"), (dropped_table, "dropped")):
        cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
        named = {reason for cell in cells for reason in re.findall(r"`([a-z-]+)`", cell)}
        assert named == in_file[name], name
    every = in_file["failed"] | in_file["dropped"]
    for document in ("operations.md", "alerts.yml", "alerts.md", "grafana-dashboard.json"):
        used = re.findall(r'reason="([^"]+)\\?"', (DOCS / document).read_text(encoding="utf-8"))
        assert {reason.rstrip("\\") for reason in used} <= every, document


def test_what_the_docs_name_exists(connect: Callable[..., Connection], path: Path) -> None:
    with connect():
        pass
    names = File(path).names()
    for document in ("operations.md", "alerts.yml", "alerts.md", "grafana-dashboard.json"):
        text = (DOCS / document).read_text(encoding="utf-8")
        named = set(re.findall(r"\bdsmsg_[a-z_]+\b(?!\()", text)) - {"dsmsg_stats"}
        families = {re.sub(r"_(count|sum|bucket)$", "", name) for name in names}
        unknown = {name for name in named if name not in names | families}
        assert unknown <= {"dsmsg_last_error", "dsmsg_reload"}, document  # functions


def test_the_dashboard_shows_the_books_and_every_metric_that_counts() -> None:
    text = (DOCS / "grafana-dashboard.json").read_text(encoding="utf-8")
    shown = set(re.findall(r"\bdsmsg_[a-z_]+\b", text))
    for term in (
        "accepted_total",
        "restored_total",
        "dead_letters_spooled_total",
        "acknowledged_total",
        "replayed_total",
        "failed_total",
        "dropped_total",
        "queue_messages",
        "spool_backlog",
        "written_timestamp_seconds",
        "build_info",
    ):
        assert f"dsmsg_{term}" in shown, term


def of(path: Path, name: str) -> list:
    return [each for each in File(path).samples if each.name == f"dsmsg_{name}"]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, "not within 240 s"
        time.sleep(0.02)  # between two looks
