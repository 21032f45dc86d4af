# SPDX-License-Identifier: Apache-2.0
"""Redis Sentinel: the master is asked for at every connect, also after a failover under traffic."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest
import redis
from dsmsg.adaptor import Adaptor, Connection, DsmsgError, Message, Result
from dsmsg.brokers import RedisBroker
from dsmsg.brokers._process import free_port, wait_until

MASTER = "cameras"
PASSWORD, SENTINEL_PASSWORD = "m4ster-Ford-42", "s3ntinel-Trillian-42"


class Sentinel(RedisBroker):
    """A `redis-server` in Sentinel mode that watches one master, alone."""

    def __init__(self, master: RedisBroker) -> None:
        super().__init__()
        self._master = master

    def _prepare(self) -> list[str]:
        program = super()._prepare()[0]
        path = self.dir / "sentinel.conf"
        path.write_text(
            f"bind {self.host}\nport {self.port}\ndir {self.dir}\n"
            f"requirepass {SENTINEL_PASSWORD}\n"
            f"sentinel monitor {MASTER} {self._master.host} {self._master.port} 1\n"
            f"sentinel auth-user {MASTER} alice\nsentinel auth-pass {MASTER} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {MASTER} 1000\n"
            f"sentinel failover-timeout {MASTER} 5000\n"
        )
        return [program, str(path), "--sentinel"]


@dataclass
class Group:
    """A master, its replica, and the Sentinel that watches them."""

    master: RedisBroker
    replica: RedisBroker
    sentinel: Sentinel

    @property
    def conn_str(self) -> str:
        """Two Sentinels, the first of which is away."""
        return f"127.0.0.1:{free_port()},{self.sentinel.address}"

    @property
    def settings(self) -> dict[str, object]:
        """How to log in everywhere."""
        return {
            "sentinel-master": MASTER,
            "sentinel-password": SENTINEL_PASSWORD,
            "username": "alice",
            "password": PASSWORD,
            "connect-timeout": "3s",
            "reconnect-max-interval": "500ms",
        }


def client(broker: RedisBroker) -> redis.Redis:
    return redis.Redis(broker.host, broker.port, username="alice", password=PASSWORD)


@pytest.fixture
def group() -> Iterator[Group]:
    users = ["user default off", f"user alice on >{PASSWORD} ~* &* +@all"]
    login = ["masteruser alice", f"masterauth {PASSWORD}"]
    with RedisBroker(config=[*users, *login]) as master:
        follow = f"replicaof {master.host} {master.port}"
        with RedisBroker(config=[*users, *login, follow]) as replica, Sentinel(master) as sentinel:
            watcher = redis.Redis(sentinel.host, sentinel.port, password=SENTINEL_PASSWORD)
            assert wait_until(lambda: knows_replica(watcher), 120)
            yield Group(master, replica, sentinel)


def knows_replica(watcher: redis.Redis) -> bool:
    replicas = watcher.sentinel_slaves(MASTER)
    return bool(replicas) and replicas[0]["master-link-status"] == "ok"


def send(connection: Connection, topic: str, names: range) -> list[Future[Result]]:
    return [connection.send_async(topic, str(n).encode()) for n in names]


def test_failover_under_traffic(group: Group, topic: str) -> None:
    before, during = range(50), range(50, 250)
    seen: set[str] = set()
    complete = threading.Event()

    def receive(message: Message) -> None:
        seen.add(message.payload.decode())
        if seen.issuperset(str(n) for n in during):
            complete.set()

    connection = Adaptor("redis").connect(group.conn_str, group.settings, work_thread=True)
    with connection:
        connection.subscribe([topic], receive)
        acknowledged = [future.result(300) for future in send(connection, topic, before)]
        assert acknowledged == [Result.OK] * len(before)
        # What a master acknowledged dies with it unless the replica has it: Redis replicates later.
        assert wait_until(lambda: client(group.replica).xlen(topic) == len(before), 120)

        group.master.kill()
        pending = send(connection, topic, during)
        assert [future.result(300) for future in pending] == [Result.OK] * len(during)
        assert client(group.replica).role()[0] == b"master"
        stored = [fields[b"metadata"] for _, fields in client(group.replica).xrange(topic)]
        assert set(stored) >= {str(n).encode() for n in (*before, *during)}
        assert complete.wait(300), "the consumer follows, too"
        assert connection.stats()["reconnects"] >= 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sentinel-master": "lamps"}, 'knows no master "lamps"'),
        ({"sentinel-password": "wrong"}, "check sentinel-username and sentinel-password"),
        ({"sentinel-password": ""}, "NOAUTH.*check sentinel-username and sentinel-password"),
        ({"password": "wrong"}, f'WRONGPASS.*names as the master "{MASTER}"'),
    ],
)
def test_refusals_say_where(group: Group, change: dict[str, object], says: str) -> None:
    with pytest.raises(DsmsgError, match=says):
        Adaptor("redis").connect(group.sentinel.conn_str, {**group.settings, **change}).disconnect()


def test_a_server_is_no_sentinel(redis_broker: RedisBroker) -> None:
    with pytest.raises(DsmsgError, match="is it a Sentinel\\?"):
        Adaptor("redis").connect(redis_broker.conn_str, {"sentinel-master": MASTER}).disconnect()
