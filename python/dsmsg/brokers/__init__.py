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

import importlib
import inspect
import pkgutil
from pathlib import Path

from dsmsg.brokers._base import Broker, BrokerError
from dsmsg.brokers.kafka import KafkaBroker
from dsmsg.brokers.kafka_cluster import KafkaCluster
from dsmsg.brokers.mosquitto import MosquittoBroker
from dsmsg.brokers.rabbitmq import RabbitMqBroker
from dsmsg.brokers.redis import RedisBroker
from dsmsg.brokers.redis_cluster import RedisClusterBroker
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
    "RedisClusterBroker",
    "ZmqReceiver",
    "make",
]


def _kinds() -> dict[str, type[Broker]]:
    """Finds the classes in the modules of this package, each where it is defined."""
    found: dict[str, type[Broker]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        members = vars(importlib.import_module(f"{__name__}.{module.name}"))
        own = (
            each
            for each in members.values()
            if isinstance(each, type)
            and issubclass(each, Broker)
            and each.__module__ == members["__name__"]
            and not inspect.isabstract(each)
        )
        for each in own:
            if each.kind in found:
                raise TypeError(f"{each} and {found[each.kind]} are both of the kind {each.kind!r}")
            found[each.kind] = each
    return found


KINDS: dict[str, type[Broker]] = _kinds()
"""The class of every kind of broker, by the name of the kind."""


def make(kind: str, *, port: int | None = None, folder: Path | str | None = None) -> Broker:
    """Creates a broker without starting it.

    Args:
        kind: a name of `KINDS`: "redis", "kafka", "mosquitto", "rabbitmq", "zmq", ...
        port: port to listen on; None finds a free one.
        folder: for configuration, data and log, kept at the end; None makes a temporary one.

    Raises:
        BrokerError: the kind is unknown.
    """
    if kind not in KINDS:
        raise BrokerError(f"unknown broker kind {kind!r} (known: {', '.join(KINDS)})")
    return KINDS[kind](port=port, folder=folder)
