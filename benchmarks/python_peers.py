# SPDX-License-Identifier: Apache-2.0
"""What the other Python clients send and receive with, for `python_speed.py`.

Each sends with acknowledgements on and acknowledges what it receives, in its fastest documented
way. All connect before they are measured.
"""

from __future__ import annotations

import importlib.util
import threading
import uuid
from collections.abc import Callable
from typing import Any

from dsmsg.brokers import Broker

__all__ = ["PAYLOAD", "RECEIVERS", "SENDERS", "Receive", "Send"]

PAYLOAD = b"x" * 1000

Send = Callable[[int], None]
"""Sends so many messages, and returns when all are acknowledged."""
Receive = Callable[[int], None]
"""Receives so many messages, and acknowledges them."""


# ---------------------------------------------------------------- senders


def confluent_kafka(broker: Broker, topic: str) -> Send:
    """The producer loop of confluent-kafka."""
    from confluent_kafka import Producer

    producer = Producer(
        {"bootstrap.servers": broker.address, "queue.buffering.max.messages": 10**6}
    )

    def send(count: int) -> None:
        failed: list[Any] = []

        def done(error: object, message: object) -> None:
            if error is not None:
                failed.append(error)

        for _ in range(count):
            producer.produce(topic, PAYLOAD, on_delivery=done)
            producer.poll(0)
        producer.flush()
        if failed:
            raise RuntimeError(f"{len(failed)} messages failed: {failed[0]}")

    return send


def kafka_python(broker: Broker, topic: str) -> Send:
    """The producer loop of kafka-python."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=broker.address, acks="all")

    def send(count: int) -> None:
        for future in [producer.send(topic, PAYLOAD) for _ in range(count)]:
            future.get()

    return send


def redis_py(broker: Broker, topic: str) -> Send:
    """redis-py with a pipeline of 1000 XADDs."""
    from redis import Redis

    client = Redis(host=broker.host, port=broker.port)

    def send(count: int) -> None:
        for begin in range(0, count, 1000):
            pipeline = client.pipeline(transaction=False)
            for _ in range(min(1000, count - begin)):
                pipeline.xadd(topic, {"metadata": PAYLOAD})
            pipeline.execute()

    return send


def paho(broker: Broker, topic: str) -> Send:
    """paho-mqtt with QoS 1."""
    from paho.mqtt.client import CallbackAPIVersion, Client

    client = Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(0)
    left = threading.Semaphore(0)
    client.on_publish = lambda *arguments: left.release()
    client.connect(broker.host, broker.port)
    client.loop_start()

    def send(count: int) -> None:
        for _ in range(count):
            client.publish(topic, PAYLOAD, qos=1)
        for _ in range(count):
            left.acquire()

    return send


def pika(broker: Broker, topic: str) -> Send:
    """Pika with publisher confirms."""
    from pika import BlockingConnection, ConnectionParameters

    channel = BlockingConnection(ConnectionParameters(broker.host, broker.port)).channel()
    channel.confirm_delivery()

    def send(count: int) -> None:
        for _ in range(count):
            channel.basic_publish("amq.topic", topic, PAYLOAD)

    return send


# ---------------------------------------------------------------- receivers


def confluent_kafka_receive(broker: Broker, topic: str) -> Receive:
    """A new group from the beginning; `consume` takes up to 500 at a time."""
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])

    def receive(count: int) -> None:
        while count > 0:
            for message in consumer.consume(min(count, 500), 60):
                if message.error() is not None:
                    raise RuntimeError(str(message.error()))
                count -= 1

    return receive


def kafka_python_receive(broker: Broker, topic: str) -> Receive:
    """A new group from the beginning; `poll` takes what is there."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker.address,
        group_id=uuid.uuid4().hex,
        auto_offset_reset="earliest",
    )

    def receive(count: int) -> None:
        while count > 0:
            for messages in consumer.poll(1000, max_records=min(count, 500)).values():
                count -= len(messages)

    return receive


def redis_py_receive(broker: Broker, topic: str) -> Receive:
    """A new group from the beginning; a hundred entries at a time, acknowledged together."""
    from redis import Redis

    client = Redis(host=broker.host, port=broker.port)
    group = uuid.uuid4().hex
    client.xgroup_create(topic, group, "0")

    def receive(count: int) -> None:
        while count > 0:
            replies: Any = client.xreadgroup(group, "one", {topic: ">"}, min(count, 100), 1000)
            for _, entries in replies:
                client.xack(topic, group, *(entry for entry, _ in entries))
                count -= len(entries)

    return receive


def pika_receive(broker: Broker, topic: str) -> Receive:
    """From a queue; each message is acknowledged."""
    from pika import BlockingConnection, ConnectionParameters

    channel = BlockingConnection(ConnectionParameters(broker.host, broker.port)).channel()
    channel.basic_qos(prefetch_count=1000)

    def receive(count: int) -> None:
        for delivery, _, _ in channel.consume(topic):
            channel.basic_ack(delivery.delivery_tag)
            count -= 1
            if count == 0:
                break

    return receive


def paho_receive(broker: Broker, topic: str) -> Receive:
    """QoS 1; the callback counts."""
    from paho.mqtt.client import CallbackAPIVersion, Client

    client = Client(CallbackAPIVersion.VERSION2)
    got, subscribed = threading.Semaphore(0), threading.Event()
    client.on_message = lambda *arguments: got.release()
    client.on_subscribe = lambda *arguments: subscribed.set()
    client.connect(broker.host, broker.port)
    client.subscribe(topic, qos=1)
    client.loop_start()
    subscribed.wait(60)

    def receive(count: int) -> None:
        for _ in range(count):
            got.acquire()

    return receive


SENDERS: dict[str, list[Callable[[Broker, str], Send]]] = {
    "kafka": [confluent_kafka],
    "redis": [redis_py],
    "mqtt": [paho],
    "amqp": [pika],
}
RECEIVERS: dict[str, list[Callable[[Broker, str], Receive]]] = {
    "kafka": [confluent_kafka_receive],
    "redis": [redis_py_receive],
    "mqtt": [paho_receive],
    "amqp": [pika_receive],
}
if importlib.util.find_spec("kafka") is not None:
    SENDERS["kafka"].append(kafka_python)
    RECEIVERS["kafka"].append(kafka_python_receive)
