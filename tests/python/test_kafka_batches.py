# SPDX-License-Identifier: Apache-2.0
"""Batches that a real Kafka refuses as a whole, by an answer or by ending the connection.

Only the message that is refused alone is lost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

import confluent_kafka
import pytest
from brokers.kafka_client import make_topic, read_topic
from confluent_kafka.admin import AdminClient
from dsmsg.adaptor import Adaptor, Result
from dsmsg.brokers import Broker
from dsmsg.brokers.kafka import KafkaBroker

HOUR_MS = 3_600_000


@pytest.fixture(params=["1", "0"], ids=["idempotent", "plain"])
def options(request: pytest.FixtureRequest) -> Mapping[str, object]:
    return {"partition-key": "", "idempotence": request.param}


def prepare(broker: Broker, topic: str, partitions: int, **config: str) -> None:
    named = {name.replace("_", "."): value for name, value in config.items()}
    admin = AdminClient({"bootstrap.servers": broker.address})
    make_topic(admin, topic, partitions, config=named)


def present(message: confluent_kafka.Message) -> bool:
    return abs(message.timestamp()[1] - time.time() * 1000) < HOUR_MS


def test_a_batch_over_the_topics_limit_loses_nothing(
    kafka_broker: Broker, topic: str, options: Mapping[str, object]
) -> None:
    prepare(kafka_broker, topic, 2, max_message_bytes="200000")
    payloads = [b"%06d" % number + os.urandom(1018) for number in range(3000)]
    results: list[Result] = []
    with Adaptor("kafka").connect(kafka_broker.conn_str, dict(options)) as connection:
        for payload in payloads:
            connection.send_async(topic, payload, results.append)
        assert connection.work_until_done(120)
        assert results == [Result.OK] * len(payloads)
        with pytest.raises(Exception, match=r"max\.message\.bytes"):
            connection.send(topic, os.urandom(300_000))  # alone too large
        connection.send(topic, b"after it")
    read = [message.value() for message in read_topic(kafka_broker.address, topic, 2)]
    assert sorted(read) == sorted([*payloads, b"after it"])


def test_one_record_with_a_wrong_clock_is_refused_alone(
    kafka_broker: Broker, topic: str, options: Mapping[str, object]
) -> None:
    limit = {"message_timestamp_after_max_ms": str(HOUR_MS)}  # the default since Kafka 4
    prepare(kafka_broker, topic, 1, **limit)
    prepare(kafka_broker, f"{topic}-dead", 1, **limit)
    config = {**options, "dead-letter-topic": f"{topic}-dead"}
    wrong = 41
    results: dict[int, Result] = {}
    with Adaptor("kafka").connect(kafka_broker.conn_str, config) as connection:
        now = int(time.time() * 1000)
        for number in range(100):
            connection.send_message(
                topic,
                b"%d" % number,
                timestamp_ms=now + (2 * HOUR_MS if number == wrong else 0),
                callback=lambda result, number=number: results.update({number: result}),
            )
        assert connection.work_until_done(120)
        assert "message.timestamp.after.max.ms" in connection.last_error()
    others = [number for number in range(100) if number != wrong]
    assert {number for number in results if results[number] is not Result.OK} == {wrong}
    read = [int(message.value()) for message in read_topic(kafka_broker.address, topic, 1)]
    assert sorted(read) == others
    dead = read_topic(kafka_broker.address, f"{topic}-dead", 1)
    assert [message.value() for message in dead] == [b"%d" % wrong]
    assert present(dead[0])


@pytest.fixture(scope="module")
def narrow_broker() -> Iterator[Broker]:
    """It closes the connection over a request that is larger than this."""
    with KafkaBroker(properties={"socket.request.max.bytes": "200000"}) as broker:
        yield broker


def test_a_request_over_the_brokers_limit_is_refused_alone(
    narrow_broker: Broker, topic: str, options: Mapping[str, object]
) -> None:
    prepare(narrow_broker, topic, 1)
    config = {**options, "message-timeout": "20s", "batch-bytes": 100_000}
    results: dict[int, Result] = {}
    with Adaptor("kafka").connect(narrow_broker.conn_str, config) as connection:
        for number in range(200):
            connection.send_async(
                topic,
                b"%03d" % number + os.urandom(400_000 if number == 50 else 1000),
                lambda result, number=number: results.update({number: result}),
            )
        assert connection.work_until_done(120)
        reason = connection.last_error()
    assert {number for number in results if results[number] is not Result.OK} == {50}
    assert topic in reason
    assert "400003 bytes" in reason
    assert "socket.request.max.bytes" in reason
    read = [int(message.value()[:3]) for message in read_topic(narrow_broker.address, topic, 1)]
    assert sorted(set(read)) == [number for number in range(200) if number != 50]


def test_batches_over_the_brokers_limit_lose_nothing(
    narrow_broker: Broker, topic: str, options: Mapping[str, object]
) -> None:
    prepare(narrow_broker, topic, 1)
    payloads = {b"%04d" % number + os.urandom(1020) for number in range(3000)}
    results: list[Result] = []
    with Adaptor("kafka").connect(narrow_broker.conn_str, dict(options)) as connection:
        for payload in sorted(payloads):
            connection.send_async(topic, payload, results.append)
        assert connection.work_until_done(120)
    assert results == [Result.OK] * len(payloads)
    assert {message.value() for message in read_topic(narrow_broker.address, topic, 1)} == payloads
