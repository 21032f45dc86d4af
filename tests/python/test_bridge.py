# SPDX-License-Identifier: Apache-2.0
"""Bridges between real servers; what arrived is read by other client libraries."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dsmsg
import paho.mqtt.client as mqtt
import pika
import pytest
import redis
import zmq
from brokers.kafka_client import make_topic, persist, read_topic
from brokers.readers import read_queue
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port
from dsmsg.brokers.iothub import IotHubBroker
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "bridge.md").read_text(encoding="utf-8")
FILES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PATIENCE_S = 300.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)  # between two looks


def new_topic(broker: Broker, topic: str) -> str:
    make_topic(AdminClient({"bootstrap.servers": broker.address}), topic, 1)
    read_topic(broker.address, topic)  # its leader is ready then
    return topic


def produce(broker: Broker, topic: str, payloads: list[bytes], **details: Any) -> None:  # noqa: ANN401
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    for payload in payloads:
        producer.produce(topic, payload, **details)
    assert producer.flush(PATIENCE_S) == 0


@functools.cache
def client_of(address: str) -> Consumer:
    """A client that only asks; one for each server."""
    return Consumer({"bootstrap.servers": address, "group.id": "count", "log_level": 0})


def count_of(broker: Broker, topic: str) -> int:
    """Messages in the one partition of a topic, as the server counts them."""

    def ends() -> tuple[int, int]:
        client = client_of(broker.address)
        client.list_topics(topic, timeout=10)
        found: tuple[int, int] | None = client.get_watermark_offsets(
            TopicPartition(topic, 0), timeout=10
        )
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return found

    return (persist(f"counting {topic}", ends) or (0, 0))[1]


def once(payloads: list[bytes]) -> list[bytes]:
    """Without repetitions: the first of each."""
    return list(dict.fromkeys(payloads))


def numbered(first: int, count: int) -> list[bytes]:
    return [b"%06d" % n for n in range(first, first + count)]


def running(bridge: dsmsg.Bridge) -> dsmsg.Bridge:
    assert bridge.wait_until_running(PATIENCE_S), bridge.failures
    return bridge


@contextlib.contextmanager
def listener(broker: Broker, topic: str) -> Iterator[list[mqtt.MQTTMessage]]:
    """What another client receives from an MQTT server."""
    got: list[mqtt.MQTTMessage] = []
    ready: list[object] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _client, _data, message: got.append(message)
    client.on_subscribe = lambda *details: ready.append(details)
    client.connect("127.0.0.1", broker.port)
    client.subscribe(topic, qos=1)
    client.loop_start()
    try:
        until(lambda: ready, "the subscription")
        yield got
    finally:
        client.disconnect()
        client.loop_stop()


@contextlib.contextmanager
def command(file: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `dsmsg bridge`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmsg", "bridge", str(file), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def written(tmp_path: Path, *routes: dict[str, Any], **top: object) -> Path:
    file = tmp_path / "bridge.json"
    file.write_text(json.dumps({"routes": list(routes), **top}))
    return file


def example(number: int, tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A file of the page, with these servers and topics."""
    text = FILES[number]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "bridge.yaml"
    file.write_text(text)
    return file


def test_the_page_kafka_to_mqtt(
    kafka_broker: Broker, mosquitto_broker: Broker, topic: str, tmp_path: Path
) -> None:
    """EMQX's document: a message of `testtopic-out` arrives at `t/1`, with all its fields."""
    source = new_topic(kafka_broker, topic)
    file = example(
        1,
        tmp_path,
        ("name: out", f"name: {topic}"),
        ("testtopic-out", source),
        ("t/1", f"{topic}/1"),
        ("localhost:9092", kafka_broker.address),
        ("localhost:1883", mosquitto_broker.address),
    )
    with listener(mosquitto_broker, f"{topic}/#") as got:
        with dsmsg.Bridge(file):
            details = {"key": b"key", "timestamp": 1679665968238}
            headers = [("header_key", b"header_value")]
            produce(kafka_broker, source, [b"0", b"1", b"value"], headers=headers, **details)
            until(lambda: len(got) >= 3, "the messages")
        shown = re.findall(r"```json\n(.*)\n```", PAGE)[0].replace("testtopic-out", source)
        assert got[2].payload.decode() == shown
        assert got[2].topic == f"{topic}/1"
        assert got[2].properties.UserProperty == [("header_key", "header_value")]


def test_the_page_mqtt_to_kafka(
    kafka_broker: Broker, mosquitto_broker: Broker, topic: str, tmp_path: Path
) -> None:
    to = new_topic(kafka_broker, topic)
    file = example(
        0,
        tmp_path,
        ("telemetry", topic),
        ("localhost:9092", kafka_broker.address),
        ("localhost:1883", mosquitto_broker.address),
    )
    with dsmsg.Bridge(file) as bridge, dsmsg.connect(mosquitto_broker.url) as sender:
        running(bridge)
        headers = {"schema": "1"}
        sent_to = f"sensors/hall/{topic}"
        sender.send(sent_to, b"\0\xffbytes", headers=headers, timeout=PATIENCE_S)
        until(lambda: bridge.stats()[topic]["acknowledged"] == 1, "the message")
        stats = bridge.stats()[topic]
    (message,) = read_topic(kafka_broker.address, to)
    assert (message.value(), message.key()) == (b"\0\xffbytes", b"hall")
    assert sorted(message.headers()) == [("origin", sent_to.encode()), ("schema", b"1")]
    assert {name: stats[name] for name in ("received", "sent", "refused", "in_flight")} == {
        "received": 1,
        "sent": 1,
        "refused": 0,
        "in_flight": 0,
    }


def test_the_pages_whole_file_is_good(tmp_path: Path) -> None:
    (tmp_path / "mqtt.txt").write_text("[message-broker]\nqos=1\n")
    assert dsmsg.Bridge(example(2, tmp_path)).warnings == []
    assert len(FILES) == 3


def test_bytes_pass_redis_kafka_and_amqp(
    redis_broker: Broker, kafka_broker: Broker, rabbitmq_broker: Broker, topic: str
) -> None:
    """Key, header and payload of any bytes: Redis, Kafka, AMQP, Redis, in one bridge."""
    new_topic(kafka_broker, topic)
    legs = [(redis_broker, kafka_broker), (kafka_broker, rabbitmq_broker)]
    legs.append((rabbitmq_broker, redis_broker))
    routes: list[dict[str, Any]] = []
    for number, (source, to) in enumerate(legs):
        row = {"name": f"{topic}-{number}", "from": source.url, "to": to.url}
        routes.append({**row, "topics": topic, "topic": "${.topic}"})
    routes[2]["topic"] = f"{topic}-end"
    payload, key, value = bytes(range(256)), b"k\0\xff", b"\0\xfe"
    client = redis.Redis(redis_broker.host, redis_broker.port)
    with dsmsg.Bridge({"routes": routes}) as bridge:
        running(bridge)
        client.xadd(topic, {"metadata": payload, "key": key, "h": value})
        until(lambda: client.xlen(f"{topic}-end"), "the message")
    ((_, fields),) = client.xrange(f"{topic}-end")
    assert fields == {b"metadata": payload, b"key": key, b"h": value}


def test_killed_twenty_times_it_loses_nothing(
    mosquitto_broker: Broker, kafka_broker: Broker, topic: str, tmp_path: Path
) -> None:
    to = new_topic(kafka_broker, topic)
    row = {"name": topic, "from": mosquitto_broker.url, "topics": f"{topic}/in"}
    file = written(tmp_path, {**row, "to": kafka_broker.url, "topic": to})
    each, sent = 300, 0
    chance = random.Random(20)  # noqa: S311
    with dsmsg.Bridge(file) as bridge:  # the server keeps messages from the first subscription on
        running(bridge)
    with dsmsg.connect(mosquitto_broker.url) as sender:
        for _ in range(20):
            with command(file) as process:
                payloads = numbered(sent, each)
                results = sender.send_many(f"{topic}/in", payloads, timeout=PATIENCE_S)
                results.raise_for_failure()
                passed = count_of(kafka_broker, to) + chance.randrange(1, each)
                sent += each
                until(lambda: count_of(kafka_broker, to) >= passed, "messages")  # noqa: B023
                process.kill()
    with dsmsg.Bridge(file) as bridge:
        until(
            lambda: len({m.value() for m in read_topic(kafka_broker.address, to)}) >= sent,
            "the rest",
        )
    arrived = [m.value() for m in read_topic(kafka_broker.address, to)]
    assert once(arrived) == numbered(0, sent)  # all of them, each for the first time in order


def test_servers_that_are_killed_cost_nothing(
    new_broker: Callable[[str], Broker], topic: str
) -> None:
    source, to = new_broker("kafka").start(), new_broker("rabbitmq").start()
    new_topic(source, topic)
    channel_of = pika.ConnectionParameters("127.0.0.1", to.port)
    with pika.BlockingConnection(channel_of) as connection:
        channel = connection.channel()
        channel.queue_declare(topic, durable=True)
        channel.queue_bind(topic, "amq.topic", topic)
    row = {"name": topic, "from": source.url, "topics": topic, "to": to.url, "topic": topic}
    with dsmsg.Bridge({"routes": [row]}) as bridge:
        running(bridge)
        done = 0

        def acknowledged() -> int:
            return int(bridge.stats()[topic]["acknowledged"])

        for server in (to, source):
            before = acknowledged()
            produce(source, topic, numbered(done, 2000))
            done += 2000
            until(lambda: acknowledged() > before, "messages")  # noqa: B023
            server.kill()
            server.restart()
        until(lambda: acknowledged() >= done, "the rest")
        assert bridge.failures == {}
    with pika.BlockingConnection(channel_of) as connection:
        arrived = read_queue(connection.channel(), topic)
    assert once(arrived) == numbered(0, done)


def test_a_frozen_destination_stops_the_reading(
    redis_broker: Broker, new_broker: Callable[[str], Broker], topic: str
) -> None:
    to = new_broker("redis").start()
    source = redis.Redis(redis_broker.host, redis_broker.port)
    routes = [
        {
            **{"name": topic, "from": redis_broker.url, "topics": topic, "to": to.url},
            **{"topic": "${.topic}", "max-in-flight": 100},
        }
    ]
    with dsmsg.Bridge({"routes": routes}) as bridge:
        running(bridge)
        to.pause()
        with source.pipeline() as pipeline:
            for payload in numbered(0, 5000):
                pipeline.xadd(topic, {"metadata": payload})
            pipeline.execute()
        until(lambda: bridge.stats()[topic]["in_flight"] == 100, "what may be in flight")
        stats = bridge.stats()[topic]
        assert (stats["received"], stats["acknowledged"]) == (100, 0)
        to.resume()
        client = redis.Redis(to.host, to.port)
        until(lambda: client.xlen(topic) >= 5000, "all messages")
        until(lambda: bridge.stats()[topic]["acknowledged"] >= 5000, "acknowledgements")
    arrived = [fields[b"metadata"] for _, fields in client.xrange(topic)]
    assert once(arrived) == numbered(0, 5000)
    assert source.xpending(topic, f"dsmsg-bridge-{topic}")["pending"] == 0


def refusing(redis_broker: Broker, to: str, topic: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    row = {"name": topic, "from": redis_broker.url, "topics": topic, "to": to, "topic": topic}
    return {**row, **{name.replace("_", "-"): value for name, value in more.items()}}


def add(broker: Broker, topic: str, *payloads: bytes) -> None:
    client = redis.Redis(broker.host, broker.port)
    for payload in payloads:
        client.xadd(topic, {"metadata": payload})


def test_a_refused_message_ends_the_bridge_and_stays(
    redis_broker: Broker, kafka_broker: Broker, topic: str, tmp_path: Path
) -> None:
    new_topic(kafka_broker, topic)
    small = f"{kafka_broker.url}?max-message-bytes=1000"
    with dsmsg.Bridge({"routes": [refusing(redis_broker, small, topic)]}) as bridge:
        running(bridge)
    add(redis_broker, topic, b"one", b"x" * 2000, b"three")
    with command(written(tmp_path, refusing(redis_broker, small, topic)), "--json") as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    last = json.loads(output.splitlines()[-1])["routes"][topic]
    assert (last["refused"], last["state"]) == (1, "failed")
    assert "larger than max-message-bytes (1000)" in last["error"]
    assert f'a message to "{topic}"' in last["error"]
    # With a larger limit the message goes.
    with dsmsg.Bridge({"routes": [refusing(redis_broker, kafka_broker.url, topic)]}):
        until(
            lambda: b"x" * 2000 in [m.value() for m in read_topic(kafka_broker.address, topic)],
            "the message",
        )


def test_a_refused_message_is_skipped_or_kept(
    redis_broker: Broker, kafka_broker: Broker, topic: str, tmp_path: Path
) -> None:
    new_topic(kafka_broker, topic)
    folder = tmp_path / "dead"
    small = f"{kafka_broker.url}?max-message-bytes=1000&dead-letter-dir={folder}"
    for policy in ("skip", "dead-letter"):
        row = refusing(redis_broker, small, topic, on_refused=policy)
        with dsmsg.Bridge({"routes": [row]}) as bridge:
            running(bridge)
            add(redis_broker, topic, b"y" * 2000, policy.encode())
            until(lambda: bridge.stats()[topic]["acknowledged"] == 1, "the other message")
            stats = bridge.stats()[topic]
            assert (stats["refused"], stats["state"]) == (1, "running")
    assert [m.value() for m in read_topic(kafka_broker.address, topic)] == [b"skip", b"dead-letter"]
    lines = [line for file in folder.iterdir() for line in file.read_text().splitlines()]
    assert [json.loads(line)["payload"] for line in lines] == ["y" * 2000] * 2
    client = redis.Redis(redis_broker.host, redis_broker.port)
    assert client.xpending(topic, f"dsmsg-bridge-{topic}")["pending"] == 0


def test_sigterm_ends_it_with_nothing_lost_or_doubled(
    redis_broker: Broker, kafka_broker: Broker, topic: str, tmp_path: Path
) -> None:
    new_topic(kafka_broker, topic)
    file = written(
        tmp_path,
        refusing(redis_broker, kafka_broker.url, topic),
        **{"metrics-file": str(tmp_path / "bridge.prom"), "report-interval": "100ms"},
    )
    with dsmsg.Bridge(file) as bridge:
        running(bridge)
    add(redis_broker, topic, *numbered(0, 5000))
    with command(file, "--json") as process:
        until(lambda: count_of(kafka_broker, topic) > 0, "the first messages")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    last = json.loads(output.splitlines()[-1])["routes"][topic]
    assert last["state"] == "stopped"
    assert last["sent"] == last["acknowledged"] == count_of(kafka_broker, topic)
    families = text_string_to_metric_families((tmp_path / "bridge.prom").read_text())
    samples = {each.name: each for family in families for each in family.samples}
    assert samples["dsmsg_bridge_acknowledged_total"].value == last["acknowledged"]
    assert samples["dsmsg_bridge_acknowledged_total"].labels == {"route": topic}
    assert samples["dsmsg_bridge_running"].value == 0
    with dsmsg.Bridge(file):
        until(lambda: count_of(kafka_broker, topic) >= 5000, "the rest")
    arrived = [m.value() for m in read_topic(kafka_broker.address, topic)]
    assert arrived == numbered(0, 5000)


def test_a_broker_that_is_away_at_the_start_is_waited_for(
    redis_broker: Broker, new_broker: Callable[[str], Broker], topic: str
) -> None:
    to = new_broker("redis").start()
    to.stop()
    with dsmsg.Bridge({"routes": [refusing(redis_broker, to.url, topic)]}) as bridge:
        assert bridge.stats()[topic]["state"] == "connecting"
        to.restart()
        running(bridge)
        add(redis_broker, topic, b"one")
        until(lambda: redis.Redis(to.host, to.port).xlen(topic), "the message")
        assert topic in repr(bridge)
        with pytest.raises(RuntimeError, match="can be started once"):
            bridge.start()


def test_a_login_that_is_refused_ends_the_route(
    new_broker: Callable[[str], Broker], redis_broker: Broker, topic: str
) -> None:
    to = new_broker("redis")
    guarded = to.guarded(password="right")  # noqa: S106
    to.configure(to.settings_from_lines(guarded))
    to.start()
    wrong = f"redis://dsmsg:verywrong@127.0.0.1:{to.port}"
    with dsmsg.Bridge({"routes": [refusing(redis_broker, wrong, topic)]}) as bridge:
        assert bridge.wait(PATIENCE_S)
        assert "WRONGPASS" in bridge.failures[topic]
        assert "verywrong" not in repr(bridge) + bridge.failures[topic]


def test_nats_is_passed_through(
    redis_broker: Broker, new_broker: Callable[[str], Broker], topic: str
) -> None:
    nats = new_broker("nats").start()
    routes = [
        {"name": f"{topic}-0", "from": redis_broker.url, "topics": topic, "to": nats.url},
        {"name": f"{topic}-1", "from": nats.url, "topics": topic, "to": redis_broker.url},
    ]
    routes[0]["topic"], routes[1]["topic"] = "${.topic}", "${topic[0]}-end"
    client = redis.Redis(redis_broker.host, redis_broker.port)
    with dsmsg.Bridge({"routes": routes}) as bridge:
        assert bridge.warnings == []
        running(bridge)
        client.xadd(topic, {"metadata": b"\0\xff", "key": b"k", "h": b"v"})
        until(lambda: client.xlen(f"{topic}-end"), "the message")
    ((_, fields),) = client.xrange(f"{topic}-end")
    assert fields[b"metadata"] == b"\0\xff"
    assert (fields[b"key"], fields[b"h"]) == (b"k", b"v")


def test_zeromq_is_read_and_written(redis_broker: Broker, topic: str) -> None:
    """PUSH of another program to Redis, and Redis to PULL of one."""
    ports = [free_port(), free_port()]
    pull = {"subscribe-socket-type": "PULL", "bind": "1"}
    push = {"socket-type": "PUSH", "bind": "1", "topic-frame": "1"}
    brokers = {
        "pull": {"url": f"zmq://tcp://127.0.0.1:{ports[0]}", "options": pull},
        "push": {"url": f"zmq://tcp://127.0.0.1:{ports[1]}", "options": push},
    }
    routes: list[dict[str, Any]] = [
        {"name": f"{topic}-0", "from": "pull", "topics": "#", "to": redis_broker.url},
        {"name": f"{topic}-1", "from": redis_broker.url, "topics": topic, "to": "push"},
    ]
    routes[0]["topic"], routes[1]["topic"] = f"{topic}-${{.topic}}", "${.topic}"
    client = redis.Redis(redis_broker.host, redis_broker.port)
    with (
        dsmsg.Bridge({"brokers": brokers, "routes": routes}) as bridge,
        zmq.Context() as context,
        context.socket(zmq.PUSH) as sender,
        context.socket(zmq.PULL) as receiver,
    ):
        assert [warning.partition(":")[0] for warning in bridge.warnings] == [f"{topic}-0"]
        running(bridge)
        sender.linger = 0
        sender.connect(f"tcp://127.0.0.1:{ports[0]}")
        receiver.connect(f"tcp://127.0.0.1:{ports[1]}")
        for payload in numbered(0, 100):
            sender.send_multipart([b"end", payload])
            client.xadd(topic, {"metadata": b"\0\xff" + payload, "key": b"k", "h": b"v"})
        until(lambda: client.xlen(f"{topic}-end") >= 100, "the messages from ZeroMQ")
        arrived = []
        while len(arrived) < 100:
            assert receiver.poll(PATIENCE_S * 1000), "waited in vain for ZeroMQ"
            arrived.append(receiver.recv_multipart())
        assert bridge.failures == {}
    assert [f[b"metadata"] for _, f in client.xrange(f"{topic}-end")] == numbered(0, 100)
    assert arrived == [[topic.encode(), b"\0\xff" + payload] for payload in numbered(0, 100)]


def test_requests_become_messages_and_messages_requests(redis_broker: Broker, topic: str) -> None:
    """Redis to a web endpoint, and from that endpoint, another route's source, to Redis."""
    port = free_port()
    routes = [
        {"name": f"{topic}-0", "from": redis_broker.url, "topics": topic, "to": "web"},
        {"name": f"{topic}-1", "from": "endpoint", "topics": "#", "to": redis_broker.url},
    ]
    routes[0]["topic"], routes[1]["topic"] = "${.topic}", "${topic[-1]}-end"
    path, listen = {"path": "/in/${topic}"}, {"listen": f"127.0.0.1:{port}"}
    brokers = {
        "web": {"url": f"http://127.0.0.1:{port}", "options": {**path, "key-header": "X-Key"}},
        "endpoint": {"adaptor": "http", "options": {**listen, "key-header": "X-Key"}},
    }
    client = redis.Redis(redis_broker.host, redis_broker.port)
    with dsmsg.Bridge({"brokers": brokers, "routes": routes}) as bridge:
        assert bridge.warnings == []
        running(bridge)
        for payload in numbered(0, 100):
            client.xadd(topic, {"metadata": payload, "key": b"k", "X-Note": b"v"})
        until(lambda: client.xlen(f"{topic}-end") >= 100, "the messages")
        assert bridge.failures == {}
    arrived = [fields for _, fields in client.xrange(f"{topic}-end")]
    assert sorted(fields[b"metadata"] for fields in arrived) == numbered(0, 100)
    assert all((fields[b"key"], fields[b"X-Note"]) == (b"k", b"v") for fields in arrived)


def test_one_route_to_several_destinations(
    redis_broker: Broker, new_broker: Callable[[str], Broker], topic: str, tmp_path: Path
) -> None:
    """A message is acknowledged to its source when both servers have it, also after an outage."""
    others = [new_broker("redis").start(), new_broker("redis").start()]
    handlers = tmp_path / "handlers.json"
    rows = {f"r{n}": {"uri": other.url, "topics": "*"} for n, other in enumerate(others)}
    handlers.write_text(json.dumps({"output": {"handlers": rows}}))
    row = {"name": topic, "from": redis_broker.url, "topics": topic, "to": "all", "topic": "out"}
    client = redis.Redis(redis_broker.host, redis_broker.port)
    both = {"adaptor": "multi", "conn-str": str(handlers)}
    with dsmsg.Bridge({"brokers": {"all": both}, "routes": [row]}) as bridge:
        running(bridge)
        others[1].pause()
        for payload in numbered(0, 200):
            client.xadd(topic, {"metadata": payload})
        first = redis.Redis(others[0].host, others[0].port)
        until(lambda: first.xlen("out") >= 200, "the messages at the server that runs")
        assert bridge.stats()[topic]["acknowledged"] < 200
        others[1].resume()
        until(lambda: bridge.stats()[topic]["acknowledged"] >= 200, "the acknowledgements")
    for other in others:
        entries = redis.Redis(other.host, other.port).xrange("out")
        assert once([fields[b"metadata"] for _, fields in entries]) == numbered(0, 200)


def test_a_hub_is_a_source_and_a_destination(
    redis_broker: Broker, new_broker: Callable[[str], Broker], topic: str
) -> None:
    """A device of a hub, whose stand-in sends what it gets to all devices that listen."""
    hub = new_broker("iothub").start()
    routes = [
        {"name": f"{topic}-0", "from": redis_broker.url, "topics": topic, "to": "sends"},
        {"name": f"{topic}-1", "from": "listens", "topics": "#", "to": redis_broker.url},
    ]
    routes[0]["topic"], routes[1]["topic"] = "${.topic}", f"{topic}-end"
    client = redis.Redis(redis_broker.host, redis_broker.port)
    assert isinstance(hub, IotHubBroker)
    brokers = {
        name: {
            "adaptor": "azure",
            "conn-str": hub.connection_string(name),
            "options": hub.client_settings(),
        }
        for name in ("sends", "listens")
    }
    with dsmsg.Bridge({"brokers": brokers, "routes": routes}) as bridge:
        running(bridge)
        for payload in numbered(0, 50):
            client.xadd(topic, {"metadata": payload, "h": b"v"})
        until(lambda: client.xlen(f"{topic}-end") >= 50, "the messages")
        assert bridge.failures == {}
    arrived = [fields for _, fields in client.xrange(f"{topic}-end")]
    assert once([fields[b"metadata"] for fields in arrived]) == numbered(0, 50)
    assert all(fields[b"h"] == b"v" for fields in arrived)
