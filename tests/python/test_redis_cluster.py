# SPDX-License-Identifier: Apache-2.0
"""A Redis Cluster of six, with TLS and a password; read back with redis-py's own client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import dsmsg
import pytest
import redis
from dsmsg.brokers import RedisClusterBroker
from dsmsg.brokers._identity import USER
from dsmsg.brokers._process import wait_until

PASSWORD = "cl0ster-Trillian-42"  # noqa: S105 - a test's


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisClusterBroker]:
    """Three masters and three replicas."""
    broker = RedisClusterBroker()
    broker.configure({"config": broker.guarded(tls=True, password=PASSWORD)})
    with broker:
        yield broker


def url(cluster: RedisClusterBroker) -> str:
    """The port with TLS of one node."""
    return f"redis://localhost:{cluster.ports['tls']}"


def settings(cluster: RedisClusterBroker) -> dict[str, str]:
    """How to log in everywhere."""
    return cluster.client_settings(tls=True, password=PASSWORD)


@pytest.fixture
def reader(cluster: RedisClusterBroker) -> Iterator[redis.RedisCluster]:
    """Another client; without TLS it is told other ports."""
    with redis.RedisCluster(
        host=cluster.host,
        port=cluster.ports["tls"],
        username=USER,
        password=PASSWORD,
        ssl=True,
        ssl_ca_certs=settings(cluster)["tls-cafile"],
    ) as client:
        yield client


def payloads(reader: redis.RedisCluster, topic: str) -> list[int]:
    return [int(fields[b"metadata"]) for _, fields in reader.xrange(topic)]


def test_messages_go_to_the_masters_of_their_slots(
    cluster: RedisClusterBroker, reader: redis.RedisCluster
) -> None:
    topics = [f"all.{number}" for number in range(300)]
    with dsmsg.connect(url(cluster), settings(cluster)) as connection:
        sent = [
            connection.send_message(topic, b"%d" % number)
            for number in range(10)
            for topic in topics
        ]
        for future in sent:
            future.result(120)
    assert {cluster.owner(topic) for topic in topics[:60]} == {0, 1, 2}
    for topic in topics:
        assert payloads(reader, topic) == list(range(10))


def test_streams_of_all_nodes_are_read(
    cluster: RedisClusterBroker, reader: redis.RedisCluster
) -> None:
    topics = [f"read.{number}" for number in range(12)]
    with dsmsg.connect(
        url(cluster), {**settings(cluster), "consumergroup": "viewer"}
    ) as connection:
        messages = connection.messages(topics, timeout=120)
        for number in range(3):
            for topic in topics:
                reader.xadd(topic, {"metadata": number})
        seen: dict[str, list[int]] = {topic: [] for topic in topics}
        for message in messages:
            seen[message.topic].append(int(message.payload))
            if sum(map(len, seen.values())) == 3 * len(topics):
                break
        assert all(numbers == [0, 1, 2] for numbers in seen.values()), seen

        # The loop was left in its last message, which therefore counts as not handled.
        def pending() -> int:
            return sum(reader.xpending(topic, "viewer")["pending"] for topic in topics)

        assert wait_until(lambda: pending() == 1, 120)


def test_a_wrong_password_is_reported(cluster: RedisClusterBroker) -> None:
    wrong = {**settings(cluster), "password": "not-the-one"}
    with pytest.raises(dsmsg.DsmsgError, match="WRONGPASS") as refused:
        dsmsg.connect(url(cluster), wrong)
    assert "not-the-one" not in str(refused.value)


def test_a_killed_master_under_load(
    cluster: RedisClusterBroker, reader: redis.RedisCluster
) -> None:
    """All is acknowledged in the end; what may be missing was acknowledged before the kill."""
    topic, other = "killed", "goes-on"
    victim = cluster.owner(topic)
    while cluster.owner(other) == victim:
        other += "-"
    acknowledged: dict[int, float] = {}
    with dsmsg.connect(url(cluster), {**settings(cluster), "streamsize": "0"}) as connection:
        enough = threading.Event()
        sent = []

        def send() -> None:
            number = 0
            while not enough.is_set():
                future = connection.send_message(topic, b"%d" % number)
                future.add_done_callback(
                    lambda done, number=number: acknowledged.setdefault(number, time.monotonic())
                )
                sent.append(future)
                number += 1
                time.sleep(0.001)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            assert wait_until(lambda: len(acknowledged) > 500, 120)
            cluster.kill_node(victim)
            killed = time.monotonic()
            witness = (victim + 1) % 6
            assert wait_until(lambda: cluster.owner(topic, node=witness) not in (-1, victim), 120)
            before = len(acknowledged)
            assert wait_until(lambda: len(acknowledged) > before + 500, 120)
        finally:
            enough.set()
            thread.join()
        for future in sent:
            future.result(120)
        connection.send(other, b"0")
    cluster.start_node(victim)
    assert wait_until(cluster.whole, 180)
    found = payloads(reader, topic)
    missing = sorted(set(range(len(sent))) - set(found))
    print(f"{len(sent)} sent, {len(found)} found, {len(missing)} lost by the fail-over: {missing}")
    assert all(acknowledged[number] < killed for number in missing)
    once = list(dict.fromkeys(found))
    assert once == sorted(once)


def test_started_from_the_command_line() -> None:
    """It is a kind like any other."""
    from dsmsg.brokers import KINDS

    assert KINDS["redis-cluster"] is RedisClusterBroker
    assert set(RedisClusterBroker.needed()) == {"redis-server", "redis-cli"}
