# SPDX-License-Identifier: Apache-2.0
"""The Python package beside other clients: messages a second as a ratio, CPU beside it.

Both work with the same server with acknowledgements on, alternating; the worst round counts. Prints
one JSON object for each pair. Received is what is in the broker already; with MQTT, what another
process publishes meanwhile. kafka-python takes part where it is installed.

Usage: python_speed.py [--messages N] [--rounds N] [--only send|receive] [redis|kafka|mqtt|amqp]...
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "benchmarks")]

import dsmsg  # noqa: E402
from dsmsg.brokers import Broker, make  # noqa: E402
from python_peers import PAYLOAD, RECEIVERS, SENDERS, Receive, Send  # noqa: E402

BATCH = 50_000
SERVERS = {"redis": "redis", "kafka": "kafka", "mqtt": "mosquitto", "amqp": "rabbitmq"}
FEWER = {"paho": 10, "pika": 20, "kafka_python": 10}  # the other client is so slow


def url(broker: Broker, query: str = "") -> str:
    """Returns the address of a server."""
    scheme = {"mosquitto": "mqtt", "rabbitmq": "amqp"}.get(broker.kind, broker.kind)
    return f"{scheme}://{broker.address}?{query}" if query else f"{scheme}://{broker.address}"


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
        failed: list[dsmsg.Result] = []

        def done(result: dsmsg.Result) -> None:
            if result:
                failed.append(result)

        for _ in range(count):
            connection.send_async(topic, PAYLOAD, done)
        connection.flush(60)
        while connection.pending:  # callbacks that are still to run
            time.sleep(0.001)
        if failed:
            raise RuntimeError(f"{len(failed)} messages failed")

    return send


def ours_receive(connection: dsmsg.Connection, topic: str) -> Receive:
    """A loop over `messages`."""
    messages = connection.messages(topic, timeout=60)

    def receive(count: int) -> None:
        for _ in range(count):
            next(messages)

    return receive


def measure(work: Callable[[int], None], count: int) -> tuple[float, float]:
    """Returns messages a second, and microseconds of CPU for a message."""
    wall, cpu = time.monotonic(), time.process_time()
    work(count)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    return count / wall, cpu / count * 1e6


Figures = tuple[float, float]


def show(broker: str, ours: str, theirs: str, results: list[tuple[Figures, Figures]]) -> None:
    """Prints one pair; each result is ours and theirs."""
    ratios = [mine[0] / other[0] for mine, other in results]
    worst = results[ratios.index(min(ratios))]
    found = {
        "broker": broker,
        "ours": ours,
        "theirs": theirs,
        "ratio_worst": round(min(ratios), 2),
        "ratio_best": round(max(ratios), 2),
        "per_second": [round(worst[0][0]), round(worst[1][0])],
        "cpu_us": [round(worst[0][1], 2), round(worst[1][1], 2)],
    }
    print(json.dumps(found), flush=True)


def compare_sending(name: str, broker: Broker, messages: int, rounds: int) -> None:
    """Measures one pair for each way of ours to send and each other client."""
    topic = f"bench-{uuid.uuid4().hex}"
    if name == "amqp":
        bind(broker, topic, "&queue-arguments=x-max-length%3D1000")
    with dsmsg.connect(url(broker)) as connection:
        ways = {
            "send_many": ours_many(connection, topic),
            "send_async": ours_async(connection, topic),
        }
        for make_other in SENDERS[name]:
            other = make_other(broker, topic)
            fewer = FEWER.get(make_other.__name__, 1)
            for way, ours in ways.items():
                ours(2000)
                other(2000 // fewer)
                results = []
                for _ in range(rounds):
                    theirs = measure(other, messages // fewer)
                    results.append((measure(ours, messages), theirs))
                show(name, way, make_other.__name__, results)


def compare_receiving(name: str, broker: Broker, messages: int, rounds: int) -> None:
    """Measures one pair for each other client."""
    kept = fill(name, broker, messages) if name in ("kafka", "redis") else None
    for make_other in RECEIVERS[name]:
        results = []
        for _ in range(rounds):
            theirs = received(name, broker, messages, make_other, kept)
            results.append((received(name, broker, messages, None, kept), theirs))
        show(name, "messages", make_other.__name__, results)


def bind(broker: Broker, topic: str, query: str = "") -> None:
    """Makes a queue of RabbitMQ, which has to be there before its messages."""
    with dsmsg.connect(url(broker, f"queue={topic}{query}")) as connection:
        connection.subscribe(topic, lambda _: None)


def fill(name: str, broker: Broker, count: int) -> str:
    """Sends messages to a new topic, whose name it returns."""
    topic = f"bench-{uuid.uuid4().hex}"
    if name == "amqp":
        bind(broker, topic)
    if name != "mqtt":
        with dsmsg.connect(url(broker, "streamsize=0" if name == "redis" else "")) as filler:
            ours_many(filler, topic)(count)
    return topic


def received(
    name: str,
    broker: Broker,
    count: int,
    other: Callable[[Broker, str], Receive] | None,
    kept: str | None,
) -> Figures:
    """Measures one receiver (None: ours) from its first message on.

    `kept`: a topic that each new group reads from the beginning; None: a new one.
    """
    topic = fill(name, broker, count) if kept is None else kept
    group = uuid.uuid4().hex
    query = {
        "kafka": f"consumer-group-id={group}",
        "redis": f"consumergroup={group}&stream-start=oldest",
        "amqp": f"queue={topic}&prefetch=1000",
    }
    with ExitStack() as stack:
        if other is not None:
            receive = other(broker, topic)
        else:
            connection = stack.enter_context(dsmsg.connect(url(broker, query.get(name, ""))))
            receive = ours_receive(connection, topic)
        if name == "mqtt":
            stack.enter_context(subprocess.Popen(publisher(broker, topic, count)))
        receive(1)
        return measure(receive, count - 1)


def publisher(broker: Broker, topic: str, count: int) -> list[str]:
    """Returns the command of a process that publishes."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r}); import dsmsg\n"
        f"with dsmsg.connect({url(broker)!r}) as connection:\n"
        f"    connection.send_many({topic!r}, [{PAYLOAD!r}] * {count}).raise_for_failure()\n"
    )
    return [sys.executable, "-c", program]


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("send", "receive"))
    parser.add_argument("brokers", nargs="*", default=list(SENDERS))
    parsed = parser.parse_args()
    for name in parsed.brokers:
        broker = make(SERVERS[name])
        try:
            broker.start()
            if parsed.only != "receive":
                compare_sending(name, broker, parsed.messages, parsed.rounds)
            if parsed.only != "send":
                compare_receiving(name, broker, parsed.messages, parsed.rounds)
        finally:
            broker.close()


if __name__ == "__main__":
    main()
