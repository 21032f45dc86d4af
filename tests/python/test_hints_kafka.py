# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker, whose clients bypass a proxy: see test_hints.py."""

from __future__ import annotations

from collections.abc import Callable

from dsmsg import Adaptor
from dsmsg.brokers import Broker
from hints import advice


def test_a_kafka_broker_that_answered_before(new_broker: Callable[[str], Broker]) -> None:
    broker = new_broker("kafka").start()
    with Adaptor("kafka").connect(broker.conn_str, {"reconnect-interval": "100ms"}) as connection:
        broker.kill()
        advice(connection, "(it answered before: it has stopped or is restarting)")
