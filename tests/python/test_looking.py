# SPDX-License-Identifier: Apache-2.0
"""`dsmsg sub` only watches: a running consumer gets all messages, and nothing is left behind."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient
from dsmsg._looking import look, settings_of
from dsmsg.adaptor import Adaptor, Message
from dsmsg.brokers import Broker
from dsmsg.connection import Connection

FIXTURES = {
    "redis": "redis_broker",
    "kafka": "kafka_broker",
    "mqtt": "mosquitto_broker",
    "amqp": "rabbitmq_broker",
}
# The file of a running consumer; `dsmsg sub` is given the same file.
FILES = {
    "redis": "[message-broker]\nconnect-timeout=20s\n",
    "kafka": "# of the pipeline\n[message-broker]\nconnect-timeout=20s\n",
    "mqtt": "[message-broker]\nclient_id = gate\nclean-session=0\nsession-expiry=60s\n",
    "amqp": "[message-broker]\nqueue=work-{topic}\nmandatory=0\n",
}
PATIENCE = 240.0


@pytest.fixture(params=list(FIXTURES))
def place(request: pytest.FixtureRequest) -> tuple[str, Broker]:
    return request.param, request.getfixturevalue(FIXTURES[request.param])


@contextmanager
def looking(*arguments: str) -> Iterator[queue.Queue[bytes]]:
    """A running `dsmsg sub`; gives the lines that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmsg", "sub", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    lines: queue.Queue[bytes] = queue.Queue()

    def read(output: object) -> None:
        for line in output:  # type: ignore[attr-defined]
            lines.put(line.strip())

    first = process.stderr.readline()
    reader = threading.Thread(target=read, args=[process.stdout], daemon=True)
    reader.start()
    try:
        assert first.startswith(b"receiving "), first + process.stderr.read()
        yield lines
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors.decode()
    finally:
        process.kill()
        process.wait()
        reader.join()


def take(lines: queue.Queue[bytes], wanted: set[bytes]) -> None:
    """Reads until all of `wanted` have come."""
    missing = set(wanted)
    while missing:
        missing.discard(lines.get(timeout=PATIENCE))


def send(connection: Connection, topic: str, payloads: list[bytes]) -> None:
    for payload in payloads:
        connection.send_async(topic, payload)
    assert connection.work_until_done(PATIENCE)


def start_working(
    connection: Connection, topics: list[str], topic: str, got: queue.Queue[bytes]
) -> None:
    """Subscribes, and waits until messages arrive (a Kafka group takes its time to form)."""

    def received(message: Message) -> None:
        got.put(message.payload)

    connection.subscribe(topics, received)
    for number in range(int(PATIENCE)):
        send(connection, topic, [b"probe %d" % number])
        try:
            got.get(timeout=1)
            return
        except queue.Empty:
            continue
    pytest.fail("the consumer gets nothing")


@pytest.mark.parametrize("with_file", [False, True], ids=["defaults", "same-file"])
def test_a_consumer_that_works_keeps_getting_everything(
    place: tuple[str, Broker], topic: str, tmp_path: Path, with_file: bool
) -> None:
    name, broker = place
    file = tmp_path / "pipeline.txt"
    file.write_text(FILES[name].format(topic=topic))
    config = str(file) if with_file else {"connect-timeout": "20s"}
    got: queue.Queue[bytes] = queue.Queue()
    wanted = [b"message %d" % number for number in range(50)]
    with Adaptor(name).connect(broker.conn_str, config) as worker:
        start_working(worker, [topic], topic, got)
        arguments = ["--config", str(file)] if with_file else []
        with looking(name, broker.conn_str, topic, *arguments) as lines:
            send(worker, topic, wanted)
            take(got, set(wanted))
            take(lines, set(wanted))
        left_behind(name, broker, topic)


def left_behind(name: str, broker: Broker, topic: str) -> None:
    """Watching leaves nothing at the broker."""
    if name == "redis":
        groups = redis.Redis(broker.host, broker.port).xinfo_groups(topic)
        assert [group["name"] for group in groups] == [b"redis-consumer-group"]
    if name == "kafka":
        admin = AdminClient({"bootstrap.servers": f"{broker.host}:{broker.port}"})
        groups = [g.group_id for g in admin.list_consumer_groups(request_timeout=30).result().valid]
        assert "test-consumer-group" in groups
        # One without members and offsets is removed when the broker next cleans up.
        for group in filter(lambda name: name.startswith("dsmsg-sub-"), groups):
            asked = ConsumerGroupTopicPartitions(group)
            [answer] = admin.list_consumer_group_offsets([asked], request_timeout=30).values()
            assert answer.result().topic_partitions == []
            [described] = admin.describe_consumer_groups([group], request_timeout=30).values()
            assert described.result().members == []


@pytest.mark.parametrize("name", ["redis", "mqtt", "amqp"])
def test_a_group_that_is_named_is_joined(
    name: str, topic: str, request: pytest.FixtureRequest
) -> None:
    broker: Broker = request.getfixturevalue(FIXTURES[name])
    group = f"group-{topic}"
    settings = {"redis": {"consumergroup": group}, "amqp": {"queue": group}}.get(name, {})
    topics = [f"$share/{group}/{topic}"] if name == "mqtt" else [topic]
    got: queue.Queue[bytes] = queue.Queue()
    wanted = {b"message %d" % number for number in range(200)}
    with Adaptor(name).connect(broker.conn_str, settings) as worker:
        start_working(worker, topics, topic, got)
        with looking(name, broker.conn_str, topic, "--group", group) as lines:
            send(worker, topic, sorted(wanted))
            seen: list[bytes] = []
            while len(seen) < len(wanted):
                for source in (got, lines):
                    try:
                        payload = source.get(timeout=0.1)
                    except queue.Empty:
                        continue
                    seen += [payload] if payload in wanted else []
    assert sorted(seen) == sorted(wanted)


def test_what_is_asked_for_is_followed() -> None:
    known = frozenset(["consumer-group-id"])
    assert look("KAFKA", known, ["t"], None, {}, {"consumer_group_id": "mine"}).settings == {}
    assert look("KAFKA", known, ["t"], "g", {}, {}).settings == {"consumer-group-id": "g"}
    with pytest.raises(ValueError, match="give only one"):
        look("KAFKA", known, ["t"], "g", {}, {"consumer-group-id": "mine"})
    for protocol, options in (
        ("ZMQ", {}),
        ("REDIS", {"command": "rpush"}),
        ("REDIS", {"command": "publish"}),
        ("REDIS", {"command": "spublish"}),
        ("PIGEON", {}),
    ):
        with pytest.raises(ValueError, match="--group"):
            look(protocol, known, ["t"], "g", {}, options)
    for protocol, file in (
        ("ZMQ", {"subscribe-socket-type": "PULL"}),
        ("REDIS", {"command": '"rpush"'}),
    ):
        assert "no other reader gets" in look(protocol, known, ["t"], None, file, {}).warning
    assert look("ZMQ", known, ["t"], None, {}, {}).warning == ""
    assert "older connection" in look("AZURE_DEVICE_CLIENT", known, ["t"], None, {}, {}).warning
    assert "third-party adaptor" in look("KAFKA", frozenset(), ["t"], None, {}, {}).warning


def test_a_file_keeps_what_the_look_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "cfg.txt"
    path.write_text(
        "\ufeff# shared\n[other]\nqueue=theirs\n[message-broker]\n#queue=no\nqueue = work\n"
        "prefetch=7\n[message-broker]\nqueue=again\n",
        encoding="utf-8",
    )
    assert settings_of(str(path)) == {"queue": "again", "prefetch": "7"}
    known = frozenset(["queue"])
    plan = look("AMQP", known, ["t"], None, settings_of(str(path)), {})
    assert plan.over(str(path), {}).to_ini() == (
        "# shared\n[other]\nqueue=theirs\n[message-broker]\n#queue=no\nprefetch=7\n"
        "[message-broker]\n"
    )
    named = look("AMQP", known, ["t"], "mine", {}, {})
    assert named.over(None, {"prefetch": "9"}).to_ini() == (
        "[message-broker]\nqueue=mine\nprefetch=9\n"
    )
