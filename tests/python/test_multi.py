# SPDX-License-Identifier: Apache-2.0
"""One sink, several destinations: real brokers that are killed while messages are sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import dsmsg
import pytest
import redis
from brokers.readers import ReaderError, read_stream
from dsmsg.adaptor import Adaptor, Connection, DsmsgError, Result
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port

PATIENCE_S = 180.0
QUICK = {"failover-after": "200ms", "failback-after": "200ms"}
NewBroker = Callable[[str], Broker]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Waits until something is so, or fails the test; a stream may be written to meanwhile."""

    def holds() -> bool:
        try:
            return condition()
        except ReaderError:
            return False

    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.02)


def held(broker: Broker, topic: str) -> list[int]:
    """Returns the numbers of the messages that a Redis server holds."""
    with redis.Redis(broker.host, broker.port) as client:
        entries = read_stream(client, topic)
    return [json.loads(entry[b"metadata"])["n"] for entry in entries]


def count(broker: Broker, topic: str) -> int:
    """Returns how many messages a Redis server holds; it may get more meanwhile."""
    with redis.Redis(broker.host, broker.port) as client:
        return int(client.xlen(topic))


def handlers_file(folder: Path, handlers: Mapping[str, Mapping[str, Any]]) -> str:
    """Writes a handlers file; each handler gets all topics unless it says otherwise."""
    path = folder / "handlers.json"
    full = {name: {"topics": "*", **handler} for name, handler in handlers.items()}
    path.write_text(json.dumps({"output": {"handlers": full}}, indent=1), encoding="utf-8")
    return str(path)


def redis_handler(broker: Broker, **config: object) -> dict[str, Any]:
    """A handler for a Redis server that keeps the whole stream."""
    return {"uri": f"redis://{broker.address}", "config": {"streamsize": 0, **config}}


def connect(path: str, **settings: object) -> Connection:
    """Connects the adaptor under test."""
    return Adaptor("multi").connect(path, settings, work_thread=True)


def send(connection: Connection, topic: str, numbers: range) -> list[Future[Result]]:
    """Sends numbered messages."""
    return [connection.send_async(topic, json.dumps({"n": n}).encode()) for n in numbers]


def all_ok(futures: list[Future[Result]]) -> None:
    """Waits for the results, which must be OK."""
    done, left = wait(futures, PATIENCE_S)
    assert not left
    assert all(future.result() == Result.OK for future in done)


@pytest.fixture
def two(new_broker: NewBroker) -> list[Broker]:
    """Two Redis servers that a test may kill."""
    return [new_broker("redis").start(), new_broker("redis").start()]


def test_a_killed_destination_delays_no_other(
    two: list[Broker], topic: str, tmp_path: Path
) -> None:
    first, second = two
    path = handlers_file(tmp_path, {"a": redis_handler(first), "b": redis_handler(second)})
    with connect(path, mode="all") as connection:
        all_ok(send(connection, topic, range(1000)))
        second.kill()
        futures = send(connection, topic, range(1000, 3000))
        wait_for(lambda: count(first, topic) == 3000, "the living one has all messages")
        assert not any(future.done() for future in futures[-100:])
        second.start()
        all_ok(futures)
    assert held(first, topic) == list(range(3000))
    assert set(held(second, topic)) == set(range(3000))


def test_another_protocol_gets_the_same(
    redis_broker: Broker, mosquitto_broker: Broker, topic: str, tmp_path: Path
) -> None:
    heard: list[int] = []
    mqtt = {"uri": f"mqtt://{mosquitto_broker.address}", "config": {"topic": f"own/{topic}"}}
    path = handlers_file(tmp_path, {"a": redis_handler(redis_broker), "b": mqtt})
    with Adaptor("mqtt").connect(mosquitto_broker.conn_str) as reader:
        reader.subscribe(f"own/{topic}", lambda got: heard.append(json.loads(got.payload)["n"]))
        with connect(path) as connection:
            all_ok(send(connection, topic, range(500)))
        wait_for(lambda: len(heard) == 500, "the MQTT server passed all messages on")
    assert heard == held(redis_broker, topic) == list(range(500))


def test_any_needs_one_of_them(two: list[Broker], topic: str, tmp_path: Path) -> None:
    first, second = two
    first.kill()
    path = handlers_file(tmp_path, {"a": redis_handler(first), "b": redis_handler(second)})
    with connect(path, mode="any") as connection:
        all_ok(send(connection, topic, range(100)))
        first.start()
        wait_for(lambda: count(first, topic) == 100, "the other one catches up")
    assert held(second, topic) == list(range(100))


def test_failover_there_and_back_loses_nothing(
    two: list[Broker], topic: str, tmp_path: Path
) -> None:
    first, second = two
    path = handlers_file(tmp_path, {"a": redis_handler(first), "b": redis_handler(second)})
    with connect(path, mode="failover", **QUICK) as connection:
        all_ok(send(connection, topic, range(500)))
        futures = send(connection, topic, range(500, 1000))
        first.kill()
        futures += send(connection, topic, range(1000, 1500))
        all_ok(futures)
        first.start()
        total = 1500

        def is_back() -> bool:
            nonlocal total
            all_ok(send(connection, topic, range(total, total + 1)))
            total += 1
            return total - 1 in held(first, topic)

        wait_for(is_back, "messages go to the first one again")
    found = held(first, topic), held(second, topic)
    assert set(found[0]) | set(found[1]) == set(range(total))
    assert found[0][:500] == list(range(500))
    assert set(range(1000, 1500)) <= set(found[1])


def test_round_robin_with_a_dead_one(two: list[Broker], topic: str, tmp_path: Path) -> None:
    first, second = two
    path = handlers_file(tmp_path, {"a": redis_handler(first), "b": redis_handler(second)})
    with connect(path, mode="round-robin", **QUICK) as connection:
        all_ok(send(connection, topic, range(100)))
        assert len(held(first, topic)) == len(held(second, topic)) == 50
        first.kill()
        all_ok(send(connection, topic, range(100, 300)))
        first.start()
        wait_for(lambda: set(held(first, topic) + held(second, topic)) == set(range(300)), "all")
    assert set(range(100, 300)) <= set(held(second, topic))


CHILD = """
import json, os, signal, sys
from concurrent.futures import wait
from dsmsg.adaptor import Adaptor, Result

path, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = Adaptor("multi").connect(path, work_thread=True)
futures = [connection.send_async(topic, json.dumps({"n": n}).encode()) for n in range(count)]
wait(futures)
assert all(future.result() == Result.OK for future in futures)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_spools_of_the_destinations_survive_sigkill(
    two: list[Broker], topic: str, tmp_path: Path
) -> None:
    first, second = two
    second.kill()
    spools = {"spool-dir": str(tmp_path)}
    path = handlers_file(
        tmp_path, {"a": redis_handler(first, **spools), "b": redis_handler(second, **spools)}
    )
    child = subprocess.run(
        [sys.executable, "-c", CHILD, path, topic, "500"],
        check=False,
        timeout=PATIENCE_S,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(dsmsg.__file__).parent.parent)},
    )
    assert child.returncode == -9, child.stderr
    assert set(held(first, topic)) == set(range(500))
    second.start()
    with connect(path):
        wait_for(lambda: set(held(second, topic)) == set(range(500)), "the spool is sent")


def test_errors_name_the_handler_and_no_secret(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "s3cret-in-the-url"  # noqa: S105 - made up
    path = handlers_file(
        tmp_path, {"locked": {"uri": f"redis://:{secret}@127.0.0.1:{free_port()}"}}
    )
    with pytest.raises(DsmsgError, match='handler "locked"') as error:
        connect(path, **{"connect-timeout": "2s", "log-level": "debug"})
    assert secret not in str(error.value) + capfd.readouterr().err


def test_it_only_sends(redis_broker: Broker, topic: str, tmp_path: Path) -> None:
    path = handlers_file(tmp_path, {"a": redis_handler(redis_broker)})
    with connect(path) as connection, pytest.raises(DsmsgError, match="only sends"):
        connection.subscribe(topic, print)
