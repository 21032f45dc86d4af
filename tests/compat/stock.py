# SPDX-License-Identifier: Apache-2.0
"""Independent clients, one for each protocol: what another program sees at a server.

Threads: an object is used by one thread; MQTT's callbacks run on paho's.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import confluent_kafka
import paho.mqtt.client as paho
import pika
import redis
from brokers.kafka_client import make_topic, read_topic
from brokers.readers import read_queue, read_stream
from confluent_kafka.admin import AdminClient
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

__all__ = ["PATIENCE_S", "Address", "AmqpStock", "KafkaStock", "MqttStock", "RedisStock"]
__all__ += ["Seen", "Stock", "wait_for"]

PATIENCE_S = 180.0


@dataclass(frozen=True)
class Address:
    """Where a server is, and how to log in."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    cafile: str = ""


class Seen(NamedTuple):
    """A message that arrived."""

    payload: bytes
    headers: dict[str, str]
    retained: bool = False


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Polls a condition; False when it is not true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # between two looks
    return True


class Stock(ABC):
    """A client at one server."""

    def __init__(self, at: Address, *, v5: bool = True, quiet: float = 8.0) -> None:
        """Connects to nothing yet.

        Args:
            at: the server.
            v5: MQTT: it speaks version 5.
            quiet: MQTT: a reader returns what it has after this long without a new message.
        """
        self.at = at
        self.v5 = v5
        self.quiet = quiet

    @abstractmethod
    def listen(self, topic: str) -> None:
        """Makes the topic, or begins to keep what comes."""

    @abstractmethod
    def read(self, topic: str, count: int) -> list[Seen]:
        """Returns what came to a topic, in its order; waits for `count` different messages."""

    @abstractmethod
    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Writes messages and waits for the acknowledgements."""

    def keep_up(self, topic: str, count: int) -> None:  # noqa: B027 - most need nothing
        """Waits until a live reader has that many, since servers drop for one that is behind."""

    def close(self) -> None:  # noqa: B027 - most keep nothing open
        """Ends the client."""


class RedisStock(Stock):
    """redis-py: streams."""

    def _client(self) -> redis.Redis:
        at = self.at
        return redis.Redis(
            at.host,
            at.port,
            username=at.user or None,
            password=at.password or None,
            ssl=bool(at.cafile),
            ssl_ca_certs=at.cafile or None,
            protocol=2,
        )

    def listen(self, topic: str) -> None:
        """Nothing: the first entry makes a stream."""

    def read(self, topic: str, count: int) -> list[Seen]:
        """Reads the whole stream."""
        with self._client() as client:
            entries = read_stream(client, topic)
        return [
            Seen(
                fields[b"metadata"],
                {n.decode(): v.decode() for n, v in fields.items() if n != b"metadata"},
            )
            for fields in entries
        ]

    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """One entry each."""
        with self._client() as client:
            for payload in payloads:
                client.xadd(topic, {"metadata": payload})


class KafkaStock(Stock):
    """confluent-kafka, which brings a librdkafka of its own."""

    def _settings(self) -> dict[str, Any]:
        at = self.at
        settings: dict[str, Any] = {"bootstrap.servers": f"{at.host}:{at.port}", "log_level": 0}
        if at.cafile:
            settings.update({"security.protocol": "SSL", "ssl.ca.location": at.cafile})
        return settings

    def listen(self, topic: str) -> None:
        """Makes the topic with the server's number of partitions."""
        make_topic(AdminClient(self._settings()), topic, 1)
        self._read(topic)  # so its leader knows that it is

    def read(self, topic: str, count: int) -> list[Seen]:
        """Reads from the first to the last offset, and on while there are fewer."""
        return [
            Seen(m.value() or b"", {n: (v or b"").decode() for n, v in m.headers() or []})
            for m in self._read(topic, count)
        ]

    def _read(self, topic: str, count: int = 0) -> list[confluent_kafka.Message]:
        settings = self._settings()
        servers = settings.pop("bootstrap.servers")
        return read_topic(servers, topic, settings=settings, at_least=count)

    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Waits for the delivery reports."""
        producer = confluent_kafka.Producer(self._settings())
        failed: list[object] = []
        for payload in payloads:
            producer.produce(
                topic, payload, on_delivery=lambda error, _: failed.append(error) if error else None
            )
        left = producer.flush(PATIENCE_S)
        assert left == 0 and not failed, f"the stock client cannot write: {left} left, {failed[:1]}"


class AmqpStock(Stock):
    """pika: a durable queue bound to amq.topic."""

    def _channel(self) -> Any:  # noqa: ANN401
        at = self.at
        options = None
        if at.cafile:
            options = pika.SSLOptions(ssl.create_default_context(cafile=at.cafile), at.host)
        parameters = pika.ConnectionParameters(
            at.host,
            at.port,
            credentials=pika.PlainCredentials(at.user or "guest", at.password or "guest"),
            ssl_options=options,
        )
        return pika.BlockingConnection(parameters).channel()

    def listen(self, topic: str) -> None:
        """Declares and binds the queue."""
        channel = self._channel()
        channel.queue_declare(topic, durable=True)
        channel.queue_bind(topic, "amq.topic", topic)
        # RabbitMQ confirms a binding before it has written it down. SIGKILL loses the last one, so
        # bind one that is not needed.
        channel.queue_bind(topic, "amq.topic", f"{topic}.last")
        channel.connection.close()

    def read(self, topic: str, count: int) -> list[Seen]:
        """Empties the queue."""
        channel = self._channel()
        try:
            if count == 1:  # headers count
                method, properties, body = channel.basic_get(topic, auto_ack=True)
                if method is None:
                    return []
                return [Seen(body, {n: str(v) for n, v in (properties.headers or {}).items()})]
            return [Seen(payload, {}) for payload in read_queue(channel, topic)]
        finally:
            channel.connection.close()

    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """Publishes with confirms."""
        channel = self._channel()
        with contextlib.suppress(pika.exceptions.MethodNotImplemented):  # not announced
            channel.confirm_delivery()
        for payload in payloads:
            channel.basic_publish(
                "amq.topic", topic, payload, pika.BasicProperties(delivery_mode=2)
            )
        channel.connection.close()


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    messages: list[Seen] = field(default_factory=list)
    different: set[bytes] = field(default_factory=set)


class MqttStock(Stock):
    """paho: a subscriber for each topic, with a session that the server keeps."""

    def __init__(self, at: Address, *, v5: bool = True, quiet: float = 8.0) -> None:
        """Subscribes to nothing yet."""
        super().__init__(at, v5=v5, quiet=quiet)
        self._readers: dict[str, tuple[paho.Client, _Kept]] = {}

    def _client(self, name: str = "") -> paho.Client:
        version = paho.MQTTv5 if self.v5 else paho.MQTTv311
        clean: dict[str, Any] = {} if self.v5 else {"clean_session": not name}
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=version, **clean)
        if self.at.user:
            client.username_pw_set(self.at.user, self.at.password)
        if self.at.cafile:
            client.tls_set(ca_certs=self.at.cafile)
        client.reconnect_delay_set(min_delay=1, max_delay=1)
        return client

    def _connect(self, client: paho.Client, *, keep: bool) -> None:
        more: dict[str, Any] = {}
        if self.v5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600 if keep else 0
            more = {"clean_start": not keep, "properties": properties}
        client.connect(self.at.host, self.at.port, keepalive=60, **more)
        client.loop_start()

    def listen(self, topic: str) -> None:
        """Subscribes with QoS 1, again at each connection."""
        kept = _Kept()
        ready = threading.Event()

        def message(client: paho.Client, user: object, got: paho.MQTTMessage) -> None:
            pairs = getattr(got.properties, "UserProperty", []) if self.v5 else []
            with kept.lock:
                kept.messages.append(Seen(got.payload, dict(pairs), got.retain))
                kept.different.add(got.payload)

        client = self._client(f"stock-{uuid.uuid4().hex[:12]}")  # no session of an earlier reader
        client.on_message = message
        client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        client.on_subscribe = lambda *_: ready.set()
        self._connect(client, keep=True)
        self._readers[topic] = (client, kept)
        assert ready.wait(PATIENCE_S), f"the stock client cannot subscribe to {topic}"

    def keep_up(self, topic: str, count: int) -> None:
        """Waits for the messages, or until none comes any more."""
        self.read(topic, count)

    def read(self, topic: str, count: int) -> list[Seen]:
        """Waits for the messages, or until none comes any more."""
        kept = self._readers[topic][1]
        found, since = -1, time.monotonic()
        while len(kept.different) < count:
            if len(kept.messages) != found:
                found, since = len(kept.messages), time.monotonic()
            if time.monotonic() - since > self.quiet:
                break
            time.sleep(0.02)  # between two looks
        with kept.lock:
            return list(kept.messages)

    def write(self, topic: str, payloads: Sequence[bytes]) -> None:
        """QoS 1, acknowledged."""
        client = self._client()
        up = threading.Event()
        client.on_connect = lambda *_: up.set()
        self._connect(client, keep=False)
        try:
            assert up.wait(PATIENCE_S), "the stock client cannot connect"
            for payload in payloads:
                client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)
        finally:
            _end(client)

    def close(self) -> None:
        """Ends all subscribers."""
        for client, _ in self._readers.values():
            _end(client)
        self._readers.clear()


def _end(client: paho.Client) -> None:
    with contextlib.suppress(OSError, ValueError):
        client.disconnect()
    client.loop_stop()
