# SPDX-License-Identifier: Apache-2.0
"""Options of the Kafka adaptor: each has the effect that it names, with a real server."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import confluent_kafka
import confluent_kafka.admin
import dsmsg
import pytest
from brokers.kafka_client import persist
from brokers.proxy import Proxy
from dsmsg.brokers import Broker, KafkaBroker
from dsmsg.brokers._process import free_port
from quirks import ROOT, table_with

SECONDS = 60.0


def _group() -> str:
    return f"g-{uuid.uuid4().hex}"


def _url(broker: Broker, **options: str) -> str:
    query = "&".join(f"{name.replace('_', '-')}={value}" for name, value in options.items())
    return f"kafka://{broker.address}?{query}"


def _create(broker: Broker, topic: str, partitions: int = 1) -> None:
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.address})
    new = confluent_kafka.admin.NewTopic(topic, num_partitions=partitions)
    admin.create_topics([new])[topic].result(SECONDS)


def _committed(broker: Broker, group: str, topic: str) -> int:
    """The group's offset in partition 0; negative: none."""
    reader = confluent_kafka.Consumer({"bootstrap.servers": broker.address, "group.id": group})
    try:
        where = [confluent_kafka.TopicPartition(topic, 0)]
        return int(reader.committed(where, timeout=SECONDS)[0].offset)
    finally:
        reader.close()


def _ends(broker: Broker, topic: str, partitions: int) -> list[int]:
    reader = confluent_kafka.Consumer({"bootstrap.servers": broker.address, "group.id": _group()})
    try:

        def end(number: int) -> int:
            where = confluent_kafka.TopicPartition(topic, number)
            return int(reader.get_watermark_offsets(where, timeout=SECONDS)[1])

        # A new partition has no leader at first.
        ends = [persist(f"counting {topic}", lambda n=n: end(n)) for n in range(partitions)]
        return [number or 0 for number in ends]
    finally:
        reader.close()


def test_offsets_are_committed_at_the_interval(kafka_broker: Broker, topic: str) -> None:
    _create(kafka_broker, topic)
    with dsmsg.connect(_url(kafka_broker)) as sender:
        assert sender.send_many(topic, [b"x"] * 10, timeout=SECONDS).ok
    rare, often = _group(), _group()
    with (
        dsmsg.connect(
            _url(kafka_broker, consumer_group_id=rare, offset_commit_interval="1h")
        ) as slow,
        dsmsg.connect(
            _url(kafka_broker, consumer_group_id=often, offset_commit_interval="50ms")
        ) as quick,
    ):
        for connection in (slow, quick):
            done = threading.Event()
            left = iter(range(9, -1, -1))

            def count(
                _: dsmsg.Message, left: Iterator[int] = left, done: threading.Event = done
            ) -> None:
                if next(left) == 0:
                    done.set()

            connection.subscribe(topic, count)
            assert done.wait(SECONDS)
        while _committed(kafka_broker, often, topic) < 10:
            time.sleep(0.05)
        assert _committed(kafka_broker, rare, topic) < 0, "an hour has not passed"
    assert _committed(kafka_broker, rare, topic) == 10, "but the end commits"


def test_a_producer_finds_new_partitions_at_the_interval(kafka_broker: Broker, topic: str) -> None:
    other = f"{topic}-other"
    for name in (topic, other):
        _create(kafka_broker, name)
    with (
        dsmsg.connect(_url(kafka_broker, partition_refresh="1s")) as quick,
        dsmsg.connect(_url(kafka_broker, metadata_refresh="1h")) as slow,
    ):
        quick.send(topic, b"x", timeout=SECONDS)
        slow.send(other, b"x", timeout=SECONDS)
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": kafka_broker.address})
        for name in (topic, other):
            wanted = confluent_kafka.admin.NewPartitions(name, 8)
            admin.create_partitions([wanted])[name].result(SECONDS)
        keys = [b"%d" % number for number in range(32)]
        deadline = time.monotonic() + SECONDS
        while not any(_ends(kafka_broker, topic, 8)[1:]):
            assert time.monotonic() < deadline
            assert quick.send_many(topic, [b"x"] * 32, keys=keys, timeout=SECONDS).ok
        assert slow.send_many(other, [b"x"] * 32, keys=keys, timeout=SECONDS).ok
        assert _ends(kafka_broker, other, 8)[1:] == [0] * 7


class _Answers:
    """The largest answer of a Kafka server: each has its length in front."""

    def __init__(self) -> None:
        self.largest = 0

    def of_connection(self) -> Callable[[bytes], None]:
        """Returns what takes the data of one connection."""
        head = bytearray()
        left = 0

        def see(data: bytes) -> None:
            nonlocal left
            while data:
                taken = min(left, len(data))
                left, data = left - taken, data[taken:]
                wanted = 4 - len(head)
                head.extend(data[:wanted] if left == 0 else b"")
                data = data[wanted:] if left == 0 else data
                if len(head) == 4:
                    left = int.from_bytes(head, "big")
                    self.largest = max(self.largest, left)
                    head.clear()

        return see


@contextmanager
def _far(proxy: Callable[[int], Proxy]) -> Iterator[tuple[KafkaBroker, str]]:
    """A broker with a second listener, which it advertises at a proxy's address."""
    broker = KafkaBroker()
    port = free_port([broker.port])
    with proxy(port) as far:
        address = f"127.0.0.1:{far.port}"
        listeners = f"PLAINTEXT://{broker.address}", "CONTROLLER://{host}:{port:controller}"
        broker.properties = {
            "listeners": ",".join((*listeners, f"FAR://127.0.0.1:{port}")),
            "advertised.listeners": f"PLAINTEXT://{broker.address},FAR://{address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,"
            "CONTROLLER:PLAINTEXT",
        }
        with broker:
            yield broker, address


def test_a_fetch_brings_as_much_as_the_option_says(topic: str) -> None:
    answers: list[_Answers] = [_Answers()]
    watch = partial(Proxy, watch=lambda: answers[-1].of_connection())
    with _far(watch) as (broker, far):
        _create(broker, topic)
        with dsmsg.connect(_url(broker, compression="none", batch_bytes="12k")) as sender:
            assert sender.send_many(topic, [b"x" * 10_000] * 100, timeout=SECONDS).ok
        largest = []
        for options in ("", "&fetch-bytes=20k"):
            answers.append(_Answers())
            url = f"kafka://{far}?consumer-group-id={_group()}{options}"
            with dsmsg.connect(url) as connection:
                for number, _ in enumerate(connection.messages(topic, timeout=SECONDS)):
                    if number == 99:
                        break
            largest.append(answers[-1].largest)
    usual, small = largest
    assert small < 100_000 < 500_000 < usual, largest


def test_a_far_brokers_answer_is_waited_for(topic: str) -> None:
    """A round trip of 0.8 s is longer than the usual wait for one answer."""
    with _far(partial(Proxy, delay=0.4)) as (broker, far):
        _create(broker, topic)
        url = f"kafka://{far}?consumer-group-id={_group()}&connect-timeout=15s"
        with dsmsg.connect(f"{url}&metadata-request-timeout=5s") as connection:
            connection.subscribe(topic, lambda _: None)
        with dsmsg.connect(url) as connection, pytest.raises(dsmsg.DsmsgError, match="no answer"):
            connection.subscribe(topic, lambda _: None)


def test_the_settings_of_emqx_are_options_here() -> None:
    page = (ROOT / "docs" / "kafka.md").read_text(encoding="utf-8")
    rows = table_with(page, "setting of EMQX")[1:]
    assert len(rows) == 18
    options = dsmsg.Adaptor("kafka").options
    for setting, here in rows:
        found = [name for name in re.findall(r"`([a-z-]+)", here) if name in options]
        assert found or here.startswith("no option: "), setting
