# SPDX-License-Identifier: Apache-2.0
"""multiprocessing with the start method fork: children connect themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import redis
from dsmsg.brokers import Broker

SCRIPT = """
import faulthandler, multiprocessing, sys, threading
from dsmsg.adaptor import Adaptor, DsmsgError

faulthandler.dump_traceback_later(60, exit=True)
conn_str, topic = sys.argv[1:]
fork = multiprocessing.get_context("fork")


def refused(call):
    try:
        call()
    except DsmsgError as error:
        return "belongs to the parent process" in str(error)
    return False


def child(parents, number, answers):
    calls = [
        lambda: parents.send(topic, b"x"),
        lambda: parents.send_async(topic, b"x"),
        lambda: parents.send_message(topic, b"x", key=b"k"),
        lambda: parents.subscribe(topic, print),
        lambda: parents.flush(1),
        parents.do_work,
        parents.stats,
        parents.last_error,
    ]
    ok = all([refused(call) for call in calls]) and parents.closed
    parents.disconnect()
    with Adaptor("redis").connect(conn_str) as own:
        own.send(topic, b"child %d" % number)
    answers.put(ok)


with Adaptor("redis").connect(conn_str, work_thread=True) as connection:
    stop = threading.Event()

    def keep_sending():
        while not stop.is_set():
            connection.send(topic, b"parent")

    threads = [threading.Thread(target=keep_sending) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(5):
        answers = fork.SimpleQueue()
        process = fork.Process(target=child, args=(connection, number, answers))
        process.start()
        assert answers.get(), number
        process.join()
        assert process.exitcode == 0, process.exitcode
    stop.set()
    for thread in threads:
        thread.join()
    connection.send(topic, b"parent last")
    assert connection.stats()["reconnects"] == 0
"""


def test_a_forked_child_connects_itself(redis_broker: Broker, topic: str) -> None:
    script = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT]
    result = subprocess.run(
        [*script, redis_broker.conn_str, topic],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")},
    )
    assert result.returncode == 0, result.stderr
    with redis.Redis(redis_broker.host, redis_broker.port) as client:
        payloads = [fields[b"metadata"] for _, fields in client.xrange(topic)]
    assert [payloads.count(b"child %d" % number) for number in range(5)] == [1] * 5
    assert payloads[-1] == b"parent last"
