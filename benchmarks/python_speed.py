# SPDX-License-Identifier: Apache-2.0
"""The Python package beside each broker's own client: messages a second as a ratio, CPU beside it.

Both send to the same server with acknowledgements on, alternating; the worst round counts. Prints
one JSON object for each pair.

Usage: python_speed.py [--messages N] [--rounds N] [redis|kafka|mqtt|amqp]...
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

import dsmsg  # noqa: E402
from dsmsg.brokers import Broker, make  # noqa: E402

PAYLOAD = b"x" * 1000
BATCH = 50_000
Send = Callable[[int], None]
"""Sends so many messages, and returns when all are acknowledged."""

SERVERS = {"redis": "redis", "kafka": "kafka", "mqtt": "mosquitto", "amqp": "rabbitmq"}


def ours_many(connection: dsmsg.Connection, topic: str) -> Send:
    """`send_many`, in batches."""

    def send(count: int) -> None:
        for begin in range(0, count, BATCH):
            batch = [PAYLOAD] * min(BATCH, count - begin)
            connection.send_many(topic, batch).raise_for_failure()

    return send


def ours_async(connection: dsmsg.Connection, topic: str) -> Send:
    """`send_async` with a callback."""

    def send(count: int) -> None:
        left = threading.Semaphore(0)

        def done(result: dsmsg.Result) -> None:
            left.release()

        for _ in range(count):
            connection.send_async(topic, PAYLOAD, done)
        for _ in range(count):
            left.acquire()

    return send


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


OTHERS: dict[str, Callable[[Broker, str], Send]] = {
    "kafka": confluent_kafka,
    "redis": redis_py,
    "mqtt": paho,
    "amqp": pika,
}
FEWER = {"mqtt": 10, "amqp": 20}  # the other client is so slow there


def measure(send: Send, count: int) -> tuple[float, float]:
    """Returns messages a second, and microseconds of CPU for a message."""
    wall, cpu = time.monotonic(), time.process_time()
    send(count)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    return count / wall, cpu / count * 1e6


def compare(name: str, broker: Broker, messages: int, rounds: int) -> None:
    """Measures one pair for each way of ours to send."""
    topic = f"bench-{uuid.uuid4().hex}"
    scheme = {"mosquitto": "mqtt", "rabbitmq": "amqp"}.get(broker.kind, broker.kind)
    with dsmsg.connect(f"{scheme}://{broker.address}") as connection:
        other = OTHERS[name](broker, topic)
        for way, ours in (
            ("send_many", ours_many(connection, topic)),
            ("send_async", ours_async(connection, topic)),
        ):
            ours(2000)
            other(2000 // FEWER.get(name, 1))
            results = []
            for _ in range(rounds):
                theirs = measure(other, messages // FEWER.get(name, 1))
                results.append((measure(ours, messages), theirs))
            ratios = [mine[0] / theirs[0] for mine, theirs in results]
            worst = results[ratios.index(min(ratios))]
            print(
                json.dumps(
                    {
                        "broker": name,
                        "ours": way,
                        "theirs": OTHERS[name].__name__,
                        "ratio_worst": round(min(ratios), 2),
                        "ratio_best": round(max(ratios), 2),
                        "per_second": [round(worst[0][0]), round(worst[1][0])],
                        "cpu_us": [round(worst[0][1], 2), round(worst[1][1], 2)],
                    }
                ),
                flush=True,
            )


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("brokers", nargs="*", default=list(OTHERS))
    parsed = parser.parse_args()
    for name in parsed.brokers:
        broker = make(SERVERS[name])
        try:
            compare(name, broker.start(), parsed.messages, parsed.rounds)
        finally:
            broker.close()


if __name__ == "__main__":
    main()
