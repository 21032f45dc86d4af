# SPDX-License-Identifier: Apache-2.0
"""Real brokers for tests and trials, on free loopback ports.

They end with the process that started them, however it ends. Only the standard library is needed.
From Python:

    with dsmsg.brokers.make("redis") as broker:
        print(broker.conn_str)

From a shell: `python -m dsmsg.brokers start redis`; from a program in another language:
`python -m dsmsg.brokers serve kafka` (see `dsmsg.brokers.__main__`).
"""

from __future__ import annotations

from pathlib import Path

from dsmsg.brokers._base import Broker, BrokerError
from dsmsg.brokers.kafka import Kafka4Broker, KafkaBroker
from dsmsg.brokers.kafka_cluster import KafkaCluster
from dsmsg.brokers.more_servers import (
    BrokerJBroker,
    FakeRedisBroker,
    KfakeBroker,
    MiniRedisBroker,
    Redis6Broker,
    TansuBroker,
    ValkeyBroker,
)
from dsmsg.brokers.mosquitto import Mosquitto13Broker, MosquittoBroker
from dsmsg.brokers.mqtt_servers import (
    AedesBroker,
    AmqttBroker,
    ArtemisBroker,
    HiveMqBroker,
    MochiBroker,
    MoquetteBroker,
    NatsBroker,
    RumqttdBroker,
)
from dsmsg.brokers.rabbitmq import RabbitMq13Broker, RabbitMqBroker
from dsmsg.brokers.redis import Redis13Broker, RedisBroker
from dsmsg.brokers.zmq import ZmqReceiver

__all__ = [
    "KINDS",
    "Broker",
    "BrokerError",
    "KafkaBroker",
    "KafkaCluster",
    "MosquittoBroker",
    "RabbitMqBroker",
    "RedisBroker",
    "ZmqReceiver",
    "make",
]

_ALL: tuple[type[Broker], ...] = (
    RedisBroker,
    KafkaBroker,
    Kafka4Broker,
    MosquittoBroker,
    RabbitMqBroker,
    ZmqReceiver,
    Redis13Broker,
    Mosquitto13Broker,
    RabbitMq13Broker,
    ValkeyBroker,
    Redis6Broker,
    MiniRedisBroker,
    FakeRedisBroker,
    KfakeBroker,
    TansuBroker,
    BrokerJBroker,
    MochiBroker,
    AedesBroker,
    AmqttBroker,
    NatsBroker,
    RumqttdBroker,
    HiveMqBroker,
    MoquetteBroker,
    ArtemisBroker,
)
KINDS: dict[str, type[Broker]] = {broker.kind: broker for broker in _ALL}


def make(kind: str, *, port: int | None = None, folder: Path | str | None = None) -> Broker:
    """Makes a broker, not yet started.

    Args:
        kind: a name of `KINDS`: "redis", "kafka", "mosquitto", "rabbitmq", "zmq", ...
        port: port to listen on; None finds a free one.
        folder: for configuration, data and log, kept at the end; None makes a temporary one.

    Raises:
        BrokerError: there is no such kind.
    """
    if kind not in KINDS:
        raise BrokerError(f"there is no broker kind {kind!r} (known: {', '.join(KINDS)})")
    return KINDS[kind](port=port, folder=folder)
