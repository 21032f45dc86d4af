# SPDX-License-Identifier: Apache-2.0
"""What a program with types looks like: mypy --strict accepts it (scripts/lint), a test runs it.

Usage: typed_example.py <address>
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Iterator

import dsmsg


def connect(address: str) -> tuple[dsmsg.Publisher, dsmsg.Subscriber]:
    """Connects twice: a slow reader never holds up what is sent."""
    config = dsmsg.RedisConfig(send_timeout="20s", consumergroup="typed", consumername="one")
    return dsmsg.Publisher(address, config), dsmsg.Subscriber(address, config)


def take(messages: Iterator[dsmsg.Message], count: int) -> list[bytes]:
    """Returns the payloads of some messages, acknowledged."""
    payloads: list[bytes] = []
    for message in messages:
        payloads.append(message.payload)
        message.ack()
        if len(payloads) == count:
            break
    return payloads


def main() -> int:
    """Sends four messages and receives them."""
    publisher, subscriber = connect(sys.argv[1])
    with publisher, subscriber:
        messages = subscriber.messages("typed", manual_ack=True, timeout=60)
        try:
            publisher.send("typed", b"one", key=b"camera-1")
            results: dsmsg.SendResults = publisher.send_many("typed", [b"two", b"three"])
            results.raise_for_failure()
            done: queue.SimpleQueue[dsmsg.Result] = queue.SimpleQueue()
            publisher.send_async("typed", b"four", done.put)
            print(done.get(timeout=60).name)
        except dsmsg.TimedOutError as error:
            print(f"no answer: {error.reason}")
            return 1
        print(f"received {len(take(messages, 4))} of 4")
    return 0


if __name__ == "__main__":
    sys.exit(main())
