# SPDX-License-Identifier: Apache-2.0
"""Runs every snippet of docs/senders.md against a Kafka server, with a stand-in for DeepStream."""

from __future__ import annotations

import json
import re
import sys
import time
import types
import uuid
from pathlib import Path
from typing import Any

import dsmsg
import pytest
from dsmsg.brokers import Broker
from metadata import Batch, Frame, Item, pyds_batch, pyds_module, servicemaker

PAGE = (Path(__file__).parent.parent.parent / "docs" / "senders.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TOPICS = ("analytics-batches", "analytics", "alerts", "object-detections", "tracking-events")
TOPICS += ("frame-metadata",)


class Page:
    """Runs snippets, each topic with a name of this test's own."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._address, self._folder = broker.address, folder
        self.begin()

    def begin(self) -> None:
        """Takes new topics from now on."""
        self._mark = uuid.uuid4().hex

    def run(self, having: str) -> dict[str, Any]:
        """Runs the only snippet that has this text; returns its names."""
        (snippet,) = (each for each in SNIPPETS if having in each)
        snippet = snippet.replace("localhost:9092", self._address)
        snippet = snippet.replace("=dashboard", f"={uuid.uuid4().hex}")
        snippet = snippet.replace("/tmp/camera-spool", str(self._folder))  # noqa: S108 - replaced
        for topic in TOPICS:
            snippet = snippet.replace(f'"{topic}"', f'"{self.topic(topic)}"')
        names: dict[str, Any] = {}
        exec(compile(snippet, "docs/senders.md", "exec"), names)  # noqa: S102 - our own page
        return names

    def topic(self, name: str) -> str:
        """Returns the name of a topic of the page in this test."""
        return f"{name}-{self._mark}"

    def received(self, name: str, count: int) -> list[tuple[bytes | None, Any]]:
        """Returns key and decoded value of so many messages, sorted."""
        found = []
        group = f"consumer-group-id={uuid.uuid4().hex}"
        with dsmsg.connect(f"kafka://{self._address}?{group}") as connection:
            for message in connection.messages(self.topic(name), timeout=60):
                found.append((message.key, json.loads(message.payload)))
                if len(found) == count:
                    break
        assert len(found) == count
        return sorted(found, key=str)


@pytest.fixture
def page(kafka_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setitem(sys.modules, "pyservicemaker", servicemaker())
    return Page(kafka_broker, tmp_path)


def test_every_snippet_is_run_here() -> None:
    assert len(SNIPPETS) == 8
    assert "test_senders_page.py" in PAGE


def test_by_hand_and_with_dsmsg_send_the_same(page: Page) -> None:
    page.run("class ByHand")
    by_hand = page.received("analytics", 6)
    page.begin()
    page.run('SingleTopicSender("kafka://localhost:9092", topic="analytics") as')
    assert page.received("analytics", 6) == by_hand
    assert by_hand[0][1]["object_count"] == 2


def test_the_consumer_of_the_page_reads_it(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.run('SingleTopicSender("kafka://localhost:9092", topic="analytics") as')
    page.run("consumer-group-id=dashboard")
    assert re.fullmatch(r"[01] 0 2\n", capsys.readouterr().out)


def test_several_topics(page: Page) -> None:
    page.run("MultiTopicSender")
    assert len(page.received("object-detections", 6)) == 6
    assert {each["object_count"] for _, each in page.received("frame-metadata", 6)} == {2}
    events = [event for _, each in page.received("tracking-events", 4) for event in each["events"]]
    assert [event["type"] for event in events].count("new") == 4
    lost = [event for event in events if event["type"] == "lost"]
    (example,) = re.findall(r'`(\{"type": "lost".*?\})`', PAGE)
    assert [each.keys() for each in lost] == [json.loads(example).keys()] * 4


def test_without_a_broker_and_in_batches(page: Page, kafka_broker: Broker, tmp_path: Path) -> None:
    names = page.run("ResilientSender")
    page.run("BatchedSender")
    # The pipeline may end before the link is up: what it sent is then in the spool.
    with names["ResilientSender"](
        f"kafka://{kafka_broker.address}", topic="t", spool_dir=tmp_path
    ) as later:
        while later.connection.stats()["spool_backlog"] > 0:
            time.sleep(0.02)
    assert len(page.received("analytics", 6)) == 6
    ((_, batch),) = page.received("analytics-batches", 1)
    assert len(batch["frames"]) == 6


def test_a_transform(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.run("only_persons")
    assert {each["persons"] for _, each in page.received("alerts", 6)} == {2}
    assert capsys.readouterr().out.strip().isdigit()


def test_with_pyds(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    gst = types.SimpleNamespace(
        PadProbeReturn=types.SimpleNamespace(OK=1), PadProbeType=types.SimpleNamespace(BUFFER=16)
    )
    repository = types.ModuleType("gi.repository")
    repository.Gst = gst  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gi", types.ModuleType("gi"))
    monkeypatch.setitem(sys.modules, "gi.repository", repository)
    frame = Frame(0, [Item(7)])
    monkeypatch.setitem(sys.modules, "pyds", pyds_module({5: pyds_batch(frame)}))
    probes: list[Any] = []
    pad = types.SimpleNamespace(add_probe=lambda kind, probe: probes.append((kind, probe)))
    tracker = types.SimpleNamespace(get_static_pad={"src": pad}.get)
    sender = page.run("def attach(tracker)")["attach"](tracker)
    ((kind, probe),) = probes
    assert kind == 16
    assert probe(pad, types.SimpleNamespace(get_buffer=lambda: 5)) == 1
    sender.handle_metadata(Batch(frame))
    sender.close()
    first, second = page.received("analytics", 2)
    assert first == second


def test_the_page_names_every_count_and_class() -> None:
    for name in dsmsg.senders.SenderCounts.__dataclass_fields__:
        assert f"`{name}`" in PAGE, name
    for name in dsmsg.senders.__all__:
        assert name in PAGE or name in ("SenderCounts", "Transform"), name
