# SPDX-License-Identifier: Apache-2.0
"""Readers for `dsmsg certify --reader` that share no code with the adaptors.

    python tests/certify/readers.py KIND HOST PORT TOPIC TOPIC2 FOLDER

prints a JSON object for each message, until it is killed.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

__all__: list[str] = []


def _show(payload: bytes) -> None:
    print(json.dumps({"payload_base64": base64.b64encode(payload).decode()}), flush=True)


def _redis(host: str, port: int, topics: list[str], folder: Path) -> None:
    import redis

    places: dict[str, str] = dict.fromkeys(topics, "0")
    while True:
        try:
            client = redis.Redis(host, port, decode_responses=False)
            for topic, entries in client.xread(places, count=500, block=500):
                for number, fields in entries:
                    places[topic.decode()] = number.decode()
                    _show(fields.get(b"metadata", fields.get(b"value", b"")))
        except redis.ConnectionError:  # it is being killed and started
            time.sleep(0.1)


def _kafka(host: str, port: int, topics: list[str], folder: Path) -> None:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": f"{host}:{port}",
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": True,
            "topic.metadata.refresh.interval.ms": 500,
            "log_level": 0,
        }
    )
    consumer.subscribe(topics)
    while True:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            _show(message.value() or b"")


def _mqtt(host: str, port: int, topics: list[str], folder: Path) -> None:
    from paho.mqtt import client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *arguments: client.subscribe([(topic, 2) for topic in topics])
    client.on_message = lambda one, two, message: _show(message.payload)
    client.connect(host, port)
    client.loop_forever()


def _amqp(host: str, port: int, topics: list[str], folder: Path) -> None:
    import pika

    channel = pika.BlockingConnection(pika.ConnectionParameters(host, port)).channel()
    channel.queue_declare("certify", durable=True)
    for topic in (*topics, "last"):  # SIGKILL may lose the last one
        channel.queue_bind("certify", "amq.topic", topic)
    for method, _, payload in channel.consume("certify"):
        _show(payload)
        channel.basic_ack(method.delivery_tag)


def _nats(host: str, port: int, topics: list[str], folder: Path) -> None:
    """Each topic is a stream of this name; all of it is pushed, and what comes."""
    connection = socket.create_connection((host, port))
    lines = connection.makefile("rb")
    inbox = f"reader.{uuid.uuid4().hex}"
    connection.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n')
    connection.sendall(f"SUB {inbox} 1\r\n".encode())
    for topic in topics:
        config = {"deliver_subject": inbox, "ack_policy": "none"}
        body = json.dumps({"stream_name": topic, "config": config})
        order = f"PUB $JS.API.CONSUMER.CREATE.{topic} answer {len(body)}\r\n{body}\r\n"
        connection.sendall(order.encode())
    while words := lines.readline().split():
        if words[0] == b"PING":
            connection.sendall(b"PONG\r\n")
        if words[0] in (b"MSG", b"HMSG"):
            data = lines.read(int(words[-1]) + 2)[:-2]
            _show(data[int(words[-2]) if words[0] == b"HMSG" else 0 :])


def _zmq(host: str, port: int, topics: list[str], folder: Path) -> None:
    """The file of dsmsg_zmq_receiver: lengths of topic and payload, topic, payload."""
    at = 0
    with (folder / "messages").open("rb") as file:
        while True:
            file.seek(at)
            data = file.read()
            place = 0
            while place + 8 <= len(data):
                topic_size, size = struct.unpack_from("=II", data, place)
                end = place + 8 + topic_size + size
                if end > len(data):
                    break
                _show(data[end - size : end])
                place = end
            at += place
            time.sleep(0.05)


_READERS: dict[str, Callable[[str, int, list[str], Path], None]] = {
    "redis": _redis,
    "kafka": _kafka,
    "mqtt": _mqtt,
    "amqp": _amqp,
    "nats": _nats,
    "zmq": _zmq,
}

if __name__ == "__main__":
    _, kind, host, port, topic, topic2, folder = sys.argv
    _READERS[kind](host, int(port), [topic, topic2], Path(folder))
