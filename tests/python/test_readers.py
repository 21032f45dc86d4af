# SPDX-License-Identifier: Apache-2.0
"""The tests' own clients: a failed read is an error, and a failure affects only its test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import confluent_kafka
import pytest
from brokers.kafka_client import KafkaRequestError, make_topic, persist, read_topic
from brokers.readers import ReaderError, read_queue, read_stream
from confluent_kafka import KafkaError, KafkaException
from faults import cluster, suite
from faults.books import Result
from faults.cases import SHORT
from faults.cluster import KafkaClusterRig
from faults.rigs import Rig

DESTROYED = getattr(KafkaError, "_DESTROY_BROKER", -137)


def topic_of(leaders: Iterable[int], error: int | None = None) -> Any:  # noqa: ANN401
    """Metadata of a topic."""
    return SimpleNamespace(
        error=None if error is None else KafkaError(error),
        partitions={
            number: SimpleNamespace(leader=leader, isrs=[1, 2, 3])
            for number, leader in enumerate(leaders)
        },
    )


class _Admin:
    """Answers create_topics with the given codes, then with success."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.asked = 0

    def list_topics(self, topic: str = "", timeout: float = 0) -> Any:  # noqa: ANN401
        return SimpleNamespace(brokers={1: 0, 2: 0, 3: 0}, topics={topic: topic_of([1, 1, 1, 1])})

    def create_topics(self, topics: list[Any]) -> dict[str, Future[None]]:
        self.asked += 1
        answer: Future[None] = Future()
        if self.codes:
            answer.set_exception(KafkaException(KafkaError(self.codes.pop(0))))
        else:
            answer.set_result(None)
        return {topics[0].topic: answer}


@pytest.mark.parametrize(
    "codes",
    [
        [DESTROYED],
        [DESTROYED, KafkaError.TOPIC_ALREADY_EXISTS],  # the first succeeded unheard
        [KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError.NOT_CONTROLLER],
    ],
)
def test_a_lost_answer_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, codes: list[int]
) -> None:
    admin = _Admin(*codes)
    make_topic(admin, "t", 4, 3)
    assert admin.codes == []
    monkeypatch.setattr(cluster, "read_kafka", lambda servers, topic: [])
    rig = object.__new__(KafkaClusterRig)
    rig._admin = _Admin(*codes)  # type: ignore[misc, assignment]
    rig.cluster = SimpleNamespace(address="")  # type: ignore[assignment]
    rig.make_topic("t")


def test_a_refusal_is_not() -> None:
    with pytest.raises(KafkaRequestError, match=r"making the topic t: .*TOPIC_ALREADY_EXISTS"):
        make_topic(_Admin(KafkaError.TOPIC_ALREADY_EXISTS), "t", 4)
    with pytest.raises(KafkaRequestError, match=r"making the topic t: .*INVALID_PARTITIONS"):
        make_topic(_Admin(KafkaError.INVALID_PARTITIONS), "t", 4)


def test_not_without_end() -> None:
    def request() -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    with pytest.raises(KafkaRequestError, match=r"asking: \d+ attempts in 0\.1 s, last: .*TRANS"):
        persist("asking", request, seconds=0.1)


class _Consumer:
    """A topic with ten messages in each partition, of which some cannot be read."""

    topic: ClassVar[Any]
    readable: ClassVar[int] = 10

    def __init__(self, settings: dict[str, object]) -> None:
        self.waiting: list[Any] = []

    def list_topics(self, topic: str, timeout: float) -> Any:  # noqa: ANN401
        return SimpleNamespace(topics={topic: self.topic})

    def get_watermark_offsets(self, place: object, timeout: float) -> tuple[int, int]:
        return 5, 15

    def assign(self, places: list[Any]) -> None:
        for place in places:
            message = SimpleNamespace(error=lambda: None, partition=lambda at=place.partition: at)
            self.waiting += [message] * self.readable

    def consume(self, count: int, timeout: float) -> list[Any]:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("topic", "readable", "problem"),
    [
        (topic_of([]), 10, r"it has the partitions \[\]"),
        (topic_of([1]), 10, r"it has the partitions \[0\], of 2"),
        (topic_of([1, -1]), 10, r"the partitions \[1\] have no leader"),
        (topic_of([], KafkaError.UNKNOWN_TOPIC_OR_PART), 10, "UNKNOWN_TOPIC_OR_PART"),
        (topic_of([1, 1]), 9, r"nothing came for 0\.2 s, missing \{0: 1, 1: 1\}"),
    ],
)
def test_kafka_a_reader_that_cannot_read_says_so(
    monkeypatch: pytest.MonkeyPatch,
    topic: Any,  # noqa: ANN401
    readable: int,
    problem: str,
) -> None:
    monkeypatch.setattr(confluent_kafka, "Consumer", _Consumer)
    monkeypatch.setattr(_Consumer, "topic", topic, raising=False)
    monkeypatch.setattr(_Consumer, "readable", readable)
    with pytest.raises(ReaderError, match=problem):
        read_topic("h:1", "t", 2, patience=0.2)
    monkeypatch.setattr(_Consumer, "topic", topic_of([1, 1]))
    monkeypatch.setattr(_Consumer, "readable", 10)
    assert len(read_topic("h:1", "t", 2, patience=0.2)) == 20


class _Channel:
    """A queue that counts three messages."""

    def __init__(self, deliverable: int) -> None:
        self.deliverable = deliverable
        self.delivered = 0

    def queue_declare(self, queue: str, passive: bool) -> Any:  # noqa: ANN401
        left = 3 - self.delivered
        return SimpleNamespace(method=SimpleNamespace(message_count=left))

    def get_waiting_message_count(self) -> int:
        return 0

    def consume(
        self, queue: str, auto_ack: bool, inactivity_timeout: float
    ) -> Iterator[tuple[None, None, bytes | None]]:
        while True:
            if self.delivered < self.deliverable:
                self.delivered += 1
                yield None, None, b"x"
            else:
                yield None, None, None

    def cancel(self) -> None:
        pass


def test_amqp_a_reader_that_cannot_read_says_so() -> None:
    assert read_queue(_Channel(3), "q", patience=0.1) == [b"x"] * 3
    with pytest.raises(ReaderError, match="read 2 messages of q, 1 more are counted"):
        read_queue(_Channel(2), "q", patience=0.1)


def test_redis_a_reader_that_cannot_read_says_so() -> None:
    def client(held: int) -> Any:  # noqa: ANN401
        pages = [[(b"1-0", {b"metadata": b"x"})], []]
        return SimpleNamespace(xrange=lambda *_, **__: pages.pop(0), xlen=lambda _: held)

    assert read_stream(client(1), "s") == [{b"metadata": b"x"}]
    with pytest.raises(ReaderError, match="read 1 entries of s, XLEN says 2"):
        read_stream(client(2), "s")


class _Server(Rig):
    """Has no server or proxy of its own, like a cluster."""

    name: ClassVar[str] = "server"
    ends: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        pass

    def keep(self) -> None:
        pass

    def close(self) -> None:
        if not self.ends:
            raise OSError("it does not end")

    def received(self, topic: str) -> list[int]:
        return []


class _Unclosable(_Server):
    ends = False


def test_a_failure_stays_with_its_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(rig: Rig, scale: object) -> Result:
        raise ReaderError("nothing to read")

    def good(rig: Rig, scale: object) -> Result:
        return Result("good", rig.name)

    def run(kind: type[Rig], cases: list[str]) -> dict[str, list[str]]:
        monkeypatch.setitem(suite.PLAN, kind, {"broken": broken, "good": good})
        problems: dict[str, list[str]] = {}

        def tell(case: str, rows: list[Result]) -> None:
            problems[case] = [text.splitlines()[-1] for row in rows for text in row.problems]

        suite.run_chain(kind, cases, SHORT, tmp_path, tell)
        return problems

    told = "brokers.readers.ReaderError: nothing to read"
    assert run(_Server, ["broken", "good"]) == {"broken": [told], "good": []}
    ended = "OSError: it does not end"
    assert run(_Unclosable, ["good"]) == {"good": [ended]}
    assert run(_Unclosable, ["broken", "good"]) == {"broken": [told, ended], "good": [ended]}


def test_a_server_without_the_usual_parts_can_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_server(rig: KafkaClusterRig, folder: Path) -> None:
        rig.cluster = SimpleNamespace(nodes=[], close=lambda: None)  # type: ignore[assignment]

    def broken(rig: Rig, scale: object) -> Result:
        raise ReaderError("nothing to read")

    monkeypatch.setattr(KafkaClusterRig, "__init__", no_server)
    monkeypatch.setitem(suite.PLAN, KafkaClusterRig, {"broken": broken})
    told: list[Result] = []
    suite.run_chain(KafkaClusterRig, ["broken"], SHORT, tmp_path, lambda _, rows: told.extend(rows))
    assert len(told) == 1
    assert "nothing to read" in told[0].problems[0]
