# SPDX-License-Identifier: Apache-2.0
"""What the suite has to know about one adaptor: its server, its settings, another client."""

from __future__ import annotations

import os
import struct
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import pika
import redis
from brokers.kafka_client import delete_topic, make_topic, persist, read_topic
from brokers.readers import read_nats, read_queue, read_stream
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from dsmsg.brokers import Broker, make
from dsmsg.brokers._process import free_port
from dsmsg.brokers.nats import NatsBroker

from faults.books import number_of
from faults.programs import Proxy, Sender, program

__all__ = ["AmqpRig", "KafkaRig", "NatsRig", "RedisRig", "Rig", "ZmqReqRig", "read_redis"]

HOST_NAME = "broker.faults.test"


class Rig(ABC):
    """An adaptor with its own server behind a proxy; used by one thread."""

    name: ClassVar[str]
    """In the table."""
    adaptor: ClassVar[str]
    kind: ClassVar[str]
    """Of `dsmsg.brokers`."""
    acknowledged: ClassVar[bool] = True
    """OK says that the server has the message; else the suite only reports what was lost."""
    keeps_order: ClassVar[bool] = True
    """What the server has of a key is in order, duplicates aside."""
    keeps_acknowledged: ClassVar[bool] = True
    """What the server acknowledged survives its SIGKILL."""
    duplicates: ClassVar[bool] = True
    """A message may arrive twice when the link was lost."""
    duplicates_after_restart: ClassVar[bool] = True
    """A message from the spool may arrive twice after the pipeline was killed or ended."""
    spool_for_outages: ClassVar[bool] = True
    """The spool has what the server cannot take while it is away."""
    reorders: ClassVar[tuple[str, ...]] = ()
    """Cases ("refused", "deleted") in which the server may take a later message while it refuses
    an earlier one."""
    audited: ClassVar[tuple[str, ...]] = ()
    """Cases whose books are compared with `dsmsg audit`: a topic can be read again."""
    options: ClassVar[dict[str, object]] = {}
    quick: ClassVar[dict[str, object]] = {"connect-timeout": "1500ms"}
    """Settings with which a dead connection is noticed soon."""

    def __init__(self, folder: Path) -> None:
        """Starts the server and the proxy; files go to `folder`."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.names = folder / "names"
        self.broker = self._make_broker()
        try:
            self.proxy = Proxy(self.proxy_target(), folder / "proxy.log")
            self._configure()
            self.broker.start()
        except BaseException:
            self.close()
            raise
        self.resolve(True)

    def _make_broker(self) -> Broker:
        return make(self.kind)

    def proxy_target(self) -> int:
        """Port of the server to which a proxy leads."""
        return self.broker.port

    def _configure(self) -> None:  # noqa: B027 - most need nothing
        """Sets what the server needs to keep what it acknowledged."""

    def close(self) -> None:
        """Ends the server and the proxy."""
        if hasattr(self, "proxy"):
            self.proxy.close()
        self.broker.close()

    def keep(self) -> None:
        """Leaves the server's files where they are when it is closed."""
        self.broker.keep()

    def resolve(self, known: bool) -> None:
        """Makes the server's host name known to the name service, or unknown."""
        self.names.write_text(HOST_NAME + "\n" if known else "", encoding="ascii")

    def at(self, host: str, port: int) -> str:
        """Connection string of an address."""
        return f"{host};{port}"

    def direct(self) -> str:
        """Connection string past the proxy."""
        return self.at(self.broker.host, self.broker.port)

    def proxied(self) -> str:
        """Connection string through the proxy, by name."""
        return self.at(HOST_NAME, self.proxy.port)

    def nowhere(self) -> str:
        """Connection string of a port on which nothing listens."""
        return self.at("127.0.0.1", free_port())

    def sender(self, connection: str, topic: str, *, name: str = "", **more: object) -> Sender:
        """Connects a pipeline.

        Args:
            connection: `direct` or `proxied`.
            topic: of all messages.
            name: of its files; a new one by default.
            more: settings, with underscores for dashes.
        """
        options = {**self.options, **{key.replace("_", "-"): value for key, value in more.items()}}
        return Sender(
            self.adaptor,
            connection,
            options,
            topic,
            self.folder,
            name=name or topic,
            names=self.names,
        )

    def new_topic(self) -> str:
        """Makes a topic."""
        topic = f"t-{uuid.uuid4().hex[:12]}"
        self.make_topic(topic)
        return topic

    def make_topic(self, topic: str) -> None:  # noqa: B027 - most need nothing
        """Makes what the topic needs at the server."""

    @abstractmethod
    def received(self, topic: str) -> list[int]:
        """Returns the numbers of all messages at the server, within a key in its order.

        Raises:
            ReaderError: not everything can be read, or it cannot be told.
        """

    def refuse_writes(self, topic: str) -> Callable[[], object] | None:
        """Makes the server refuse messages; returns a function that ends it. None: not possible."""
        return None

    def delete_topic(self, topic: str) -> None:
        """Deletes a topic with its content; NotImplementedError if there are no topics."""
        raise NotImplementedError(f"{self.name} has nothing to delete")

    def restore_topic(self, topic: str) -> None:  # noqa: B027 - most servers do it themselves
        """Creates a deleted topic again, if the server does not."""


class RedisRig(Rig):
    """Streams, read with redis-py."""

    name = adaptor = kind = "redis"
    reorders = ("refused",)
    options: ClassVar[dict[str, object]] = {"streamsize": 0}  # trimmed, a stream loses its oldest
    audited = (
        *("server killed", "network cut", "process killed"),
        *("shutdown, server away, spool", "shutdown, server silent"),
    )

    def _configure(self) -> None:
        self.broker.configure({"config": ["appendonly yes", "appendfsync always"]})

    def _client(self) -> redis.Redis:
        return redis.Redis(self.broker.host, self.broker.port)

    def received(self, topic: str) -> list[int]:
        """Reads the stream in pages."""
        return read_redis(self.broker, topic)

    def refuse_writes(self, topic: str) -> Callable[[], object] | None:
        """Makes it full: maxmemory with noeviction."""
        with self._client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1")

        def end() -> None:
            with self._client() as again:
                again.config_set("maxmemory", "0")

        return end

    def delete_topic(self, topic: str) -> None:
        """Deletes the stream."""
        with self._client() as client:
            client.delete(topic)


def read_redis(broker: Broker, topic: str) -> list[int]:
    """Reads a stream in pages."""
    with redis.Redis(broker.host, broker.port) as client:
        return [number_of(fields[b"metadata"]) for fields in read_stream(client, topic)]


class KafkaRig(Rig):
    """Topics with four partitions, read with confluent-kafka."""

    name = adaptor = kind = "kafka"
    audited = ("network cut", "process killed")
    duplicates = False
    # Compressed, the padding is nothing, and no network would be too slow for it.
    options: ClassVar[dict[str, object]] = {"compression": "none"}
    # The default waits half a minute for an answer.
    quick: ClassVar[dict[str, object]] = {"proto-cfg": "socket.timeout.ms=3000"}

    def _make_broker(self) -> Broker:
        self._proxied_port = free_port()
        return super()._make_broker()

    def proxy_target(self) -> int:
        """The listener that leads its clients back to the proxy."""
        return self._proxied_port

    def _configure(self) -> None:
        # Clients that come through the proxy are led through the proxy, by name.
        own, controller = "PLAINTEXT://{host}:{port}", "CONTROLLER://{host}:{port:controller}"
        listener = f"FAULTS://{{host}}:{self._proxied_port}"
        self.broker.configure(
            {
                "properties": {
                    "listeners": f"{own},{controller},{listener}",
                    "advertised.listeners": f"{own},FAULTS://{HOST_NAME}:{self.proxy.port}",
                    "listener.security.protocol.map": (
                        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,FAULTS:PLAINTEXT"
                    ),
                }
            }
        )

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.broker.address, "log_level": 0})

    def make_topic(self, topic: str) -> None:
        """Makes it and waits until the server knows it."""
        make_topic(self._admin, topic, 4)
        assert read_kafka(self.broker.address, topic) == []  # so the leaders know that they are

    def received(self, topic: str) -> list[int]:
        """Reads each partition to its end."""
        return read_kafka(self.broker.address, topic)

    def refuse_writes(self, topic: str) -> Callable[[], object] | None:
        """Requires two in-sync replicas where there is one."""

        def minimum(replicas: str) -> None:
            entry = ConfigEntry(
                "min.insync.replicas", replicas, incremental_operation=AlterConfigOpType.SET
            )
            resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
            persist(
                f"setting min.insync.replicas of {topic}",
                lambda: self._admin.incremental_alter_configs([resource])[resource].result(30),
            )

        minimum("2")
        return lambda: minimum("1")

    def delete_topic(self, topic: str) -> None:
        """Deletes it; the server creates it again at the next write."""
        delete_topic(self._admin, topic)


def read_kafka(servers: str, topic: str) -> list[int]:
    """Reads all four partitions of a topic, from the beginning to the end that they have now."""
    return [number_of(message.value() or b"") for message in read_topic(servers, topic, 4)]


class NatsRig(Rig):
    """A stream for each subject, read over a plain socket."""

    name = adaptor = kind = "nats"
    audited = ("network cut", "process killed")
    # Each message has an id, the same on every try, and in the spool.
    duplicates = duplicates_after_restart = False
    reorders = ("refused", "deleted")
    broker: NatsBroker

    def _configure(self) -> None:
        self.broker.configure({"streams": {}})

    def _set(self, action: str, topic: str, **more: object) -> None:
        config = {"name": topic, "subjects": [topic], **more}
        self.broker.request(f"$JS.API.STREAM.{action}.{topic}", config)

    def make_topic(self, topic: str) -> None:
        """Makes the stream."""
        self._set("CREATE", topic)

    def received(self, topic: str) -> list[int]:
        """Reads the stream through a consumer that pushes all of it."""
        payloads = read_nats(self.broker.host, self.broker.port, topic)
        return [number_of(payload) for payload in payloads]

    def refuse_writes(self, topic: str) -> Callable[[], object] | None:
        """Makes the stream full soon: a limit above what it holds, new messages are discarded."""
        held = self.broker.request(f"$JS.API.STREAM.INFO.{topic}")["state"]["messages"]
        self._set("UPDATE", topic, discard="new", max_msgs=held + 100)
        return lambda: self._set("UPDATE", topic, discard="new", max_msgs=-1)

    def delete_topic(self, topic: str) -> None:
        """Deletes the stream, so that nothing takes the subject."""
        self.broker.request(f"$JS.API.STREAM.DELETE.{topic}")

    def restore_topic(self, topic: str) -> None:
        """Makes the stream again."""
        self.make_topic(topic)


class AmqpRig(Rig):
    """A durable queue bound to amq.topic, read with pika."""

    name = adaptor = "amqp"
    kind = "rabbitmq"

    def _channel(self) -> pika.adapters.blocking_connection.BlockingChannel:
        parameters = pika.ConnectionParameters(self.broker.host, self.broker.port)
        return pika.BlockingConnection(parameters).channel()

    def make_topic(self, topic: str) -> None:
        """Declares the queue and binds it."""
        channel = self._channel()
        channel.queue_declare(topic, durable=True)
        channel.queue_bind(topic, "amq.topic", topic)
        # RabbitMQ confirms a binding before it has written it down. SIGKILL loses the last one, so
        # bind one that is not needed.
        channel.queue_bind(topic, "amq.topic", f"{topic}.last")
        channel.connection.close()

    def received(self, topic: str) -> list[int]:
        """Empties the queue."""
        channel = self._channel()
        numbers = [number_of(payload) for payload in read_queue(channel, topic)]
        channel.connection.close()
        return numbers

    def refuse_writes(self, topic: str) -> Callable[[], object] | None:
        """Raises the memory alarm."""
        self.broker.ctl("set_vm_memory_high_watermark", "absolute", "1")
        return lambda: self.broker.ctl("set_vm_memory_high_watermark", "0.4")

    def delete_topic(self, topic: str) -> None:
        """Deletes the queue, so that messages are unroutable."""
        channel = self._channel()
        channel.queue_delete(topic)
        channel.connection.close()

    def restore_topic(self, topic: str) -> None:
        """Declares the queue again."""
        self.make_topic(topic)


class ZmqReqRig(Rig):
    """REQ to a receiver that writes a file before it replies; the file is read."""

    name = "zmq-req"
    adaptor = kind = "zmq"
    options: ClassVar[dict[str, object]] = {
        "socket_type": "REQ",
        "request_timeout": "1s",
        "reconnect_interval": "200ms",
        "queue-size": 100000,
        "topic_frame": 1,
    }

    def _make_broker(self) -> Broker:
        os.environ.setdefault("DSMSG_ZMQ_RECEIVER", program("dsmsg_zmq_receiver"))
        return super()._make_broker()

    def at(self, host: str, port: int) -> str:
        """Connection string of an address."""
        return f"tcp://{host}:{port}"

    def received(self, topic: str) -> list[int]:
        """Reads the file: lengths of topic and payload, topic, payload."""
        data = (self.broker.dir / "messages").read_bytes()
        numbers, at = [], 0
        while at + 8 <= len(data):
            topic_size, size = struct.unpack_from("=II", data, at)
            begin = at + 8 + topic_size
            if data[at + 8 : begin] == topic.encode():
                numbers.append(number_of(data[begin : begin + size]))
            at = begin + size
        return numbers
