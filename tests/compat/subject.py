# SPDX-License-Identifier: Apache-2.0
"""A running server under test, and the possible outcomes of a check."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from dsmsg.adaptor import Adaptor, Connection
from dsmsg.brokers import Broker

from compat import reach_stock
from compat import stock as usual
from compat.stock import Address, Stock

__all__ = ["LONG", "SHORT", "Absent", "Differs", "Scale", "Subject"]


STOCK: dict[str, type[Stock]] = {
    "mqtt": usual.MqttStock,
    "redis": usual.RedisStock,
    "kafka": usual.KafkaStock,
    "amqp": usual.AmqpStock,
    "nats": reach_stock.NatsStock,
    "http": reach_stock.HttpStock,
    "pulsar": reach_stock.PulsarStock,
    "multi": usual.RedisStock,  # one of its destinations
}


class Differs(Exception):  # noqa: N818 - an outcome
    """The outcome differs; the text says what was seen."""


class Absent(Exception):  # noqa: N818 - an outcome
    """There is no such thing here; the text says why."""


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    small: int
    large: int
    restart: int


LONG = Scale(5000, 100, 1500)
SHORT = Scale(500, 10, 600)


@dataclass
class Subject:
    """A running server, and how to talk to it."""

    broker: Broker
    protocol: str
    at: Address
    """For the adaptor."""
    reader: Address
    """For the other client."""
    options: Mapping[str, object]
    v5: bool
    too_large: int | None
    """A size that the server refuses by default; None: it takes everything."""
    largest: int | None
    """The largest payload that it takes, when that is below 200 KB."""
    scale: Scale
    secured: Callable[[str], AbstractContextManager[Subject]]
    """Opens the server with users, rights or TLS, by the check's name; raises Absent."""
    quiet: float
    """MQTT: how long nothing may come before the reader gives up."""
    number: int = 0

    @contextmanager
    def stock(self) -> Iterator[Stock]:
        """The other client."""
        client = STOCK[self.protocol](self.reader, v5=self.v5, quiet=self.quiet)
        try:
            yield client
        finally:
            client.close()

    def connect(self, **options: object) -> Connection:
        """Connects through the adaptor."""
        more: dict[str, object] = {name.replace("_", "-"): o for name, o in options.items()}
        if self.at.user:
            more = {"username": self.at.user, "password": self.at.password, **more}
        if self.at.cafile:
            more = {"enable-tls": 1, "tls-cafile": self.at.cafile, **more}
        flush = {"flush-timeout": more.get("flush-timeout", "2s")}
        adaptor = Adaptor(self.protocol)
        if self.protocol == "multi":
            return adaptor.connect(self._handlers(more), flush)
        return adaptor.connect(f"{self.at.host};{self.at.port}", {**self.options, **flush, **more})

    def _handlers(self, options: Mapping[str, object]) -> str:
        """Path of a handlers file: two destinations get each message, one under another topic."""
        config = {name: str(value) for name, value in {**self.options, **options}.items()}
        config.pop("flush-timeout", None)  # is one for all
        one = {"uri": f"redis://{self.at.host}:{self.at.port}", "topics": "*", "config": config}
        handlers = {"one": one, "copy": {**one, "config": {**config, "topic": "open.copy"}}}
        path = self.broker.dir / f"handlers-{self.number}.json"
        path.write_text(json.dumps({"output": {"handlers": handlers}}), encoding="utf-8")
        return str(path)

    def topic(self, name: str) -> str:
        """A name that wildcard subscriptions of the protocol can match."""
        self.number += 1
        if self.protocol == "mqtt":
            return f"compat/{name}{self.number}/x"
        return f"compat.{name}{self.number}.x"
