# SPDX-License-Identifier: Apache-2.0
"""dsmsg.senders: what they send is what a consumer expects, whatever the metadata."""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
import types
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import dsmsg
import numpy as np
import pytest
import redis
from dsmsg.brokers import Broker
from dsmsg.senders import (
    BatchedSender,
    MultiTopicSender,
    ResilientSender,
    SingleTopicSender,
)
from metadata import UNTRACKED, Batch, Frame, Item, linked, pyds_batch, pyds_module, servicemaker

SECONDS = 60.0


class Stream:
    """Reads a Redis stream with another client library."""

    def __init__(self, broker: Broker) -> None:
        self.url = f"redis://{broker.address}"
        self._client = redis.Redis(port=broker.port)

    def messages(self, topic: str) -> list[Any]:
        """Returns all of a topic, which must be JSON to the letter."""
        return [
            json.loads(fields[b"metadata"], parse_constant=_no_constant)
            for _, fields in self._client.xrange(topic)
        ]


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.fixture
def stream(redis_broker: Broker) -> Stream:
    return Stream(redis_broker)


def consume(broker: Broker, topic: str, count: int) -> Iterator[tuple[bytes | None, Any]]:
    """The seeds' consumer: every value from the beginning of the topic, decoded as JSON."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    try:
        for _ in range(count):
            message = consumer.poll(SECONDS)
            assert message is not None, f"nothing more in {topic}"
            assert message.error() is None, message.error()
            yield message.key(), json.loads(message.value().decode("utf-8"))
    finally:
        consumer.close()


def test_the_seeds_consumer_reads_a_single_topic(kafka_broker: Broker, topic: str) -> None:
    with SingleTopicSender(f"kafka://{kafka_broker.address}", topic=topic) as sender:
        for number in range(3):
            sender.handle_metadata(Batch(Frame(number, [Item(7), Item(8)], source_id=4)))
        assert sender.flush(SECONDS)
        counts = sender.counts()
    assert (counts.frames, counts.messages, counts.acknowledged) == (3, 3, 3)
    received = list(consume(kafka_broker, topic, 3))
    assert [key for key, _ in received] == [b"4"] * 3
    for number, (_, message) in enumerate(received):
        assert message["frame_number"] == number
        assert message["buffer_pts"] == number * 40_000_000
        assert message["ntp_timestamp"] == 1_700_000_000_000_000_000
        assert (message["pad_index"], message["source_id"]) == (4, 4)
        assert message["frame_metadata"]["source_width"] == 1920
        assert message["frame_metadata"]["pipeline_height"] == 720
        assert message["object_count"] == len(message["objects"]) == 2
        first = message["objects"][0]
        assert (first["class_id"], first["confidence"], first["object_id"]) == (2, 0.5, 7)
        assert first["bbox"] == {"left": 1.0, "top": 2.0, "width": 30.0, "height": 40.0}


def test_the_seeds_consumer_reads_several_topics(kafka_broker: Broker, topic: str) -> None:
    detections, tracking, frames = (f"{topic}-{name}" for name in ("d", "t", "f"))
    with MultiTopicSender(
        f"kafka://{kafka_broker.address}",
        detections=detections,
        tracking=tracking,
        frames=frames,
        lost_after=2,
    ) as sender:
        for number, seen in enumerate(([1], [1, 2], [2], [2], [])):
            sender.handle_metadata(Batch(Frame(number, [Item(each) for each in seen])))
        assert sender.counts().tracks == 1
    found = [message for _, message in consume(kafka_broker, detections, 5)]
    assert [len(message["detections"]) for message in found] == [1, 2, 1, 1, 0]
    assert found[0]["detections"][0]["bbox"]["width"] == 30.0
    metadata = [message for _, message in consume(kafka_broker, frames, 5)]
    assert [message["object_count"] for message in metadata] == [1, 2, 1, 1, 0]
    assert {"frame_number", "buffer_pts", "ntp_timestamp"} <= metadata[0].keys()
    events = [message for _, message in consume(kafka_broker, tracking, 4)]
    told = [
        (message["frame_number"], event["type"], event["object_id"])
        for message in events
        for event in message["events"]
    ]
    assert told == [(0, "new", 1), (1, "new", 2), (3, "lost", 1), (None, "lost", 2)]
    lost = events[2]["events"][0]
    assert (lost["first_frame"], lost["last_frame"], lost["frames"]) == (0, 1, 2)
    assert [lost["reason"], events[3]["events"][0]["reason"]] == ["unseen", "end"]


def test_sources_of_a_batch_have_tracks_of_their_own(stream: Stream, topic: str) -> None:
    with MultiTopicSender(
        stream.url, detections=None, tracking=topic, frames=None, lost_after=1
    ) as sender:
        sender.handle_metadata(Batch(Frame(0, [Item(1)], 0), Frame(0, [Item(1)], 1)))
        sender.handle_metadata(Batch(Frame(1, [], 0), Frame(1, [Item(1)], 1)))
    told = [
        (message["source_id"], event["type"], event["object_id"])
        for message in stream.messages(topic)
        for event in message["events"]
    ]
    assert told == [(0, "new", 1), (1, "new", 1), (0, "lost", 1), (1, "lost", 1)]


def test_objects_without_a_tracker_are_no_tracks(stream: Stream, topic: str) -> None:
    with MultiTopicSender(
        stream.url, detections=f"{topic}-d", tracking=topic, frames=None
    ) as sender:
        sender.handle_metadata(Batch(Frame(0, [Item(UNTRACKED), Item(UNTRACKED)])))
        assert sender.counts().tracks == 0
    assert stream.messages(topic) == []
    assert stream.messages(f"{topic}-d")[0]["detections"][0]["object_id"] is None


def test_a_camera_that_runs_for_months_is_bounded(stream: Stream, topic: str) -> None:
    with MultiTopicSender(
        stream.url, detections=None, tracking=topic, frames=None, lost_after=10**6, max_tracks=50
    ) as sender:
        for number in range(500):
            sender.handle_metadata(Batch(Frame(number, [Item(number)])))
            assert sender.counts().tracks <= 50
    lost = [
        event["object_id"]
        for message in stream.messages(topic)
        for event in message["events"]
        if event["type"] == "lost"
    ]
    assert lost == list(range(500)), "each track ends once, the longest unseen first"


def test_junk_in_metadata_is_null_and_never_an_exception(stream: Stream, topic: str) -> None:
    nan = Item(3, confidence=math.nan)
    nan.rect_params = types.SimpleNamespace(left=math.inf, top="x")  # type: ignore[assignment]

    class Angry:
        @property
        def class_id(self) -> int:
            raise RuntimeError("gone")

    class Broken:
        source_id, frame_number = 0, 9

        @property
        def object_items(self) -> Iterator[Any]:
            yield Item(1)
            raise ValueError("the list is damaged")

    with SingleTopicSender(stream.url, topic=topic) as sender:
        sender.handle_metadata(Batch(Frame(0, [nan, Angry(), None, object()])))
        sender.handle_metadata(Batch(types.SimpleNamespace(), None))
        sender.handle_metadata(Batch(Broken(), Frame(1)))
        for junk in (None, 7, "batch", Batch.__new__(Batch)):
            sender.handle_metadata(junk)
        counts = sender.counts()
    first, *rest = stream.messages(topic)
    assert first["objects"][0]["confidence"] is None
    assert first["objects"][0]["bbox"] == dict.fromkeys(("left", "top", "width", "height"))
    assert first["objects"][1]["class_id"] is None
    assert first["object_count"] == 4
    assert [message["frame_number"] for message in rest] == [None, None, 1]
    assert counts.errors == 5, "one frame and four batches"
    assert isinstance(sender.last_error, (TypeError, AttributeError))


def test_a_list_without_an_end_is_cut(
    stream: Stream, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsmsg.senders._metadata._MOST", 100)
    node = types.SimpleNamespace(data=Item(1), next=None)
    node.next = node
    frame = types.SimpleNamespace(frame_num=1, obj_meta_list=node)
    with SingleTopicSender(stream.url, topic=topic) as sender:
        sender.handle_metadata(types.SimpleNamespace(frame_meta_list=linked(frame)))
    assert stream.messages(topic)[0]["object_count"] == 100


def test_errors_reach_the_pipeline_only_when_asked(
    stream: Stream, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    def transform(message: dict[str, Any]) -> dict[str, Any]:
        raise LookupError("mine")

    with (
        caplog.at_level(logging.WARNING, "dsmsg.senders"),
        SingleTopicSender(stream.url, topic=topic, transform=transform) as sender,
    ):
        for number in range(5):
            sender.handle_metadata(Batch(Frame(number)))
        assert sender.counts().errors == 5
    assert [record.message for record in caplog.records] == [
        "cannot read a frame: LookupError: mine (counts() says how many)"
    ]
    with (
        SingleTopicSender(stream.url, topic=topic, transform=transform, raise_errors=True) as loud,
        pytest.raises(LookupError),
    ):
        loud.handle_metadata(Batch(Frame(0)))
    with SingleTopicSender(stream.url, topic=topic) as closed:
        pass
    closed.handle_metadata(Batch(Frame(0)))
    assert closed.counts().refused == 1
    assert isinstance(closed.last_error, dsmsg.ClosedError)


def test_transform_changes_and_selects(stream: Stream, topic: str) -> None:
    def alert(message: dict[str, Any]) -> dict[str, Any] | None:
        return {"alert": message["frame_number"]} if message["object_count"] else None

    with SingleTopicSender(stream.url, topic=topic, transform=alert) as sender:
        sender.handle_metadata(Batch(Frame(0), Frame(1, [Item(1)])))
    assert stream.messages(topic) == [{"alert": 1}]


def test_every_counts_the_frames_of_each_source(stream: Stream, topic: str) -> None:
    with SingleTopicSender(stream.url, topic=topic, every=3) as sender:
        for number in range(7):
            sender.handle_metadata(Batch(Frame(number, source_id=0), Frame(number, source_id=1)))
    sent = [(m["source_id"], m["frame_number"]) for m in stream.messages(topic)]
    assert sent == [(source, number) for number in (0, 3, 6) for source in (0, 1)]


def test_numbers_of_numpy_are_numbers(stream: Stream, topic: str) -> None:
    item = Item(np.uint64(2**63), class_id=np.int32(3), confidence=np.float32(0.25))  # type: ignore[arg-type]
    with SingleTopicSender(stream.url, topic=topic) as sender:
        sender.handle_metadata(Batch(Frame(np.int64(5), [item])))  # type: ignore[arg-type]
    (message,) = stream.messages(topic)
    assert message["frame_number"] == 5
    assert message["objects"][0]["object_id"] == 2**63
    assert message["objects"][0]["confidence"] == 0.25


def test_batches_go_when_full_large_late_or_flushed(
    stream: Stream, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("dsmsg.senders._batched.time.monotonic", lambda: now[0])
    with BatchedSender(stream.url, topic=topic, batch_size=3, max_bytes=2000) as sender:
        for number in range(4):
            sender.handle_metadata(Batch(Frame(number)))
        assert sender.counts().waiting == 1
        now[0] = 2.0
        sender.handle_metadata(Batch(Frame(4)))  # late
        sender.handle_metadata(Batch(Frame(5, [Item(each) for each in range(30)])))  # alone too big
        sender.handle_metadata(Batch(Frame(6)))
        assert sender.flush(SECONDS)
        sender.handle_metadata(Batch(Frame(7)))
    sent = [[f["frame_number"] for f in message["frames"]] for message in stream.messages(topic)]
    assert sent == [[0, 1, 2], [3, 4], [5], [6], [7]]


def test_batched_frames_are_read_at_once(stream: Stream, topic: str) -> None:
    """DeepStream takes the memory of the metadata back when the probe returns."""
    frame = Frame(1, [Item(1)])
    with BatchedSender(stream.url, topic=topic) as sender:
        sender.handle_metadata(Batch(frame))
        frame.frame_number = 99
    assert stream.messages(topic)[0]["frames"][0]["frame_number"] == 1


def test_what_was_sent_without_a_broker_arrives(
    new_broker: Callable[..., Broker], topic: str, tmp_path: Path
) -> None:
    broker = new_broker("redis")
    with ResilientSender(
        f"redis://{broker.address}?flush-timeout=100ms", topic=topic, spool_dir=tmp_path
    ) as sender:
        for number in range(20):
            sender.handle_metadata(Batch(Frame(number)))
        assert sender.counts().messages == 20
    assert sender.counts().acknowledged == 20, "durable in the spool"
    broker.start()
    with ResilientSender(f"redis://{broker.address}", topic=topic, spool_dir=tmp_path) as again:
        again.handle_metadata(Batch(Frame(20)))
        connection = again.connection
        while connection.stats()["replayed"] < 20:
            threading.Event().wait(0.02)
        assert again.flush(SECONDS)
    sent = [message["frame_number"] for message in Stream(broker).messages(topic)]
    assert sorted(sent) == list(range(21))


def test_settings_given_win_over_those_of_the_class(stream: Stream, tmp_path: Path) -> None:
    config = dsmsg.RedisConfig.from_url("redis://localhost:1?connect-timeout=1s&connect=strict")
    with pytest.raises(dsmsg.BrokerUnavailableError):
        ResilientSender(config, topic="t", spool_dir=tmp_path)
    with pytest.raises(dsmsg.BrokerUnavailableError):
        ResilientSender(
            "redis://localhost:1?connect-timeout=1s",
            {"connect": "strict"},
            topic="t",
            spool_dir=tmp_path,
        )


def test_a_connection_that_was_given_stays_open(stream: Stream, topic: str) -> None:
    with dsmsg.connect(stream.url) as connection:
        with (
            SingleTopicSender(connection, topic=topic) as one,
            BatchedSender(connection, topic=topic) as other,
        ):
            one.handle_metadata(Batch(Frame(0)))
            other.handle_metadata(Batch(Frame(1)))
        assert not connection.closed
        assert len(stream.messages(topic)) == 2


def test_probes_of_pyservicemaker(
    stream: Stream, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyservicemaker", servicemaker())
    with SingleTopicSender(stream.url, topic=topic) as sender:
        probe = sender.probe("kafka-sender")
        assert probe.name == "kafka-sender"
        probe.operator.handle_metadata(Batch(Frame(0)))
        assert sender.flush(SECONDS)
    assert len(stream.messages(topic)) == 1


def test_probes_of_pyds(stream: Stream, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    label = types.SimpleNamespace(result_label="red")
    classifier = types.SimpleNamespace(unique_component_id=5, label_info_list=linked(label))
    item = Item(7)
    item.obj_label, item.classifier_meta_list = "car", linked(classifier)  # type: ignore[attr-defined]
    batch = pyds_batch(Frame(0, [item], source_id=1), Frame(1, source_id=2))
    gst = types.SimpleNamespace(PadProbeReturn=types.SimpleNamespace(OK="ok"))
    repository = types.ModuleType("gi.repository")
    repository.Gst = gst  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyds", pyds_module({5: batch}))
    monkeypatch.setitem(sys.modules, "gi", types.ModuleType("gi"))
    monkeypatch.setitem(sys.modules, "gi.repository", repository)
    with SingleTopicSender(stream.url, topic=topic) as sender:
        for buffer in (5, 6, None):  # of a batch, without one, and no buffer at all
            info = types.SimpleNamespace(get_buffer=lambda buffer=buffer: buffer)
            assert sender.pad_probe(None, info, "user data") == "ok"
    first, second = stream.messages(topic)
    assert (first["frame_number"], first["source_id"], second["source_id"]) == (0, 1, 2)
    assert first["frame_metadata"]["source_height"] == 1080
    assert first["objects"][0]["label"] == "car"
    assert first["objects"][0]["attributes"] == {"5": ["red"]}


def test_attributes_of_pyservicemakers_classifiers(stream: Stream, topic: str) -> None:
    item = Item(7)
    item.classifier_items = iter(  # type: ignore[attr-defined]
        [types.SimpleNamespace(unique_component_id=5, n_labels=2, get_n_label=lambda n: f"c{n}")]
    )
    with SingleTopicSender(stream.url, topic=topic) as sender:
        sender.handle_metadata(Batch(Frame(0, [item])))
    assert stream.messages(topic)[0]["objects"][0]["attributes"] == {"5": ["c0", "c1"]}


def test_several_streaming_threads(stream: Stream, topic: str) -> None:
    with MultiTopicSender(
        stream.url, detections=topic, tracking=f"{topic}-t", frames=None
    ) as sender:

        def run(source: int) -> None:
            for number in range(200):
                sender.handle_metadata(Batch(Frame(number, [Item(number)], source)))

        threads = [threading.Thread(target=run, args=(source,)) for source in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sender.flush(SECONDS)
        counts = sender.counts()
    assert counts.frames == 800
    assert counts.messages == counts.acknowledged
    assert counts.errors == 0
    assert len(stream.messages(topic)) == 800


def test_bounds_that_make_no_sense_are_refused() -> None:
    url = "redis://localhost:1"
    for make in (
        lambda: SingleTopicSender(url, topic="t", every=0),
        lambda: BatchedSender(url, topic="t", batch_size=0),
        lambda: MultiTopicSender(url, lost_after=0),
        lambda: MultiTopicSender(url, max_tracks=0),
    ):
        with pytest.raises(ValueError, match="at least 1"):
            make()
