# SPDX-License-Identifier: Apache-2.0
"""pytest fixtures with real brokers; a server that cannot be started fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from dsmsg.brokers import Broker, make

__all__ = [
    "add_broker_logs",
    "kafka_broker",
    "mosquitto_broker",
    "new_broker",
    "rabbitmq_broker",
    "redis_broker",
]

_running: list[Broker] = []


def _run(kind: str) -> Iterator[Broker]:
    broker = make(kind)
    _running.append(broker)
    try:
        yield broker.start()
    finally:
        _running.remove(broker)
        broker.close()


@pytest.fixture(scope="session")
def redis_broker() -> Iterator[Broker]:
    """A Redis server for the whole run; tests use separate topics and leave it running."""
    yield from _run("redis")


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    """A Kafka server for the whole run; tests use separate topics and leave it running."""
    yield from _run("kafka")


@pytest.fixture(scope="session")
def mosquitto_broker() -> Iterator[Broker]:
    """A Mosquitto server for the whole run; tests use separate topics and leave it running."""
    yield from _run("mosquitto")


@pytest.fixture(scope="session")
def rabbitmq_broker() -> Iterator[Broker]:
    """A RabbitMQ server for the whole run; tests use separate queues and leave it running."""
    yield from _run("rabbitmq")


@pytest.fixture
def new_broker() -> Iterator[Callable[[str], Broker]]:
    """Makes brokers, not yet started, that the test may kill; all are closed at its end."""
    made: list[Broker] = []

    def create(kind: str) -> Broker:
        broker = make(kind)
        made.append(broker)
        _running.append(broker)
        return broker

    yield create
    for broker in made:
        _running.remove(broker)
        broker.close()


def add_broker_logs(report: pytest.TestReport) -> None:
    """Adds the logs of the running brokers to the report of a failed test, and keeps the files."""
    if report.failed:
        for broker in _running:
            broker.keep()
            report.sections.append((f"{broker.kind} log {broker.log_path}", broker.log_tail()))
