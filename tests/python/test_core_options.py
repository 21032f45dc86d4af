# SPDX-License-Identifier: Apache-2.0
"""Options of the core: each has the effect that it names, with a real server."""

from __future__ import annotations

import base64
import time

import dsmsg
import pytest
from dsmsg.brokers import Broker

SECONDS = 60.0


@pytest.mark.parametrize("encoding", ["none", "base64"])
def test_key_and_value_come_in_the_encoding(
    redis_broker: Broker, topic: str, encoding: str
) -> None:
    config = dsmsg.RedisConfig.from_url(f"redis://{redis_broker.address}?consumergroup=readers")
    config.key_encoding, config.value_encoding = encoding, encoding
    key, payload = b"\0camera", b"\xff\0payload"
    with dsmsg.connect(config) as connection:
        messages = connection.messages(topic, timeout=SECONDS)
        connection.send(topic, payload, key=key)
        message = next(messages)
    expected = [key, payload]
    if encoding == "base64":
        expected = [base64.b64encode(each) for each in expected]
    assert [message.key, message.payload] == expected


@pytest.mark.parametrize("adaptor", ["kafka", "redis", "mqtt", "amqp", "zmq"])
def test_a_machine_short_of_memory_costs_the_oldest_messages(adaptor: str, topic: str) -> None:
    """More than one percent is in use everywhere."""
    address = f"{adaptor}://{'tcp://' if adaptor == 'zmq' else ''}127.0.0.1:1"
    url = f"{address}?connect=lazy&flush-timeout=0&log-level=error&memory-high-water="
    with dsmsg.connect(f"{url}1") as short, dsmsg.connect(f"{url}100") as enough:
        deadline = time.monotonic() + SECONDS
        while short.stats()["dropped"]["memory-short"] < 20:
            assert time.monotonic() < deadline
            short.send_async(topic, b"x")
            time.sleep(0.001)  # slowly enough for the smallest queue, ZeroMQ's
        for _ in range(100):
            enough.send_async(topic, b"x")
        assert enough.stats()["dropped"]["memory-short"] == 0
        assert enough.stats()["queue_messages"] == 100
        future = short.send_async(topic, b"x")
        with pytest.raises(dsmsg.DsmsgError, match="memory-high-water"):
            while not future.done():
                short.send_async(topic, b"x")
                time.sleep(0.001)
            future.result()
