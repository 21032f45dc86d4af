# SPDX-License-Identifier: Apache-2.0
"""What another client finds at a server: everything that it holds, or an error.

A reader that finds less than the server counts must not return that: the adaptor would be blamed
for messages that did arrive. Each function compares what it read with the server's own count.
"""

from __future__ import annotations

import time

import pika
import redis

__all__ = ["ReaderError", "read_queue", "read_stream"]

PATIENCE_S = 180.0
"""How long a reader waits for the next message before it gives up."""

_PAGE = 5000


class ReaderError(RuntimeError):
    """The test's own client cannot tell what the server holds; the adaptor is not to blame."""


def read_stream(client: redis.Redis, key: str) -> list[dict[bytes, bytes]]:
    """Reads a Redis stream in pages; it must not be written to or trimmed meanwhile.

    Raises:
        ReaderError: the server counts other entries than were read.
    """
    found: list[dict[bytes, bytes]] = []
    begin = b"-"
    while page := client.xrange(key, min=begin, count=_PAGE):
        found += [fields for _, fields in page]
        begin = b"(" + page[-1][0]
    held = client.xlen(key)
    if held != len(found):
        raise ReaderError(f"redis: read {len(found)} entries of {key}, XLEN says {held}")
    return found


def read_queue(
    channel: pika.adapters.blocking_connection.BlockingChannel,
    queue: str,
    *,
    patience: float = PATIENCE_S,
) -> list[bytes]:
    """Empties an AMQP queue without other consumers.

    Raises:
        ReaderError: the server counts messages that it does not deliver.
    """
    # Messages move from the server to the client at any time: a sum of both counts some twice.
    # While this consumer exists, an answer of 0 comes after the last message.
    found: list[bytes] = []
    last = time.monotonic()
    for _, _, payload in channel.consume(queue, auto_ack=True, inactivity_timeout=1):
        if payload is not None:
            found.append(payload)
            last = time.monotonic()
            continue
        left = channel.queue_declare(queue, passive=True).method.message_count
        if left == 0 and channel.get_waiting_message_count() == 0:
            break
        if time.monotonic() - last > patience:
            raise ReaderError(
                f"amqp: read {len(found)} messages of {queue}, {left} more are counted, "
                f"but none came for {patience:g} s"
            )
    channel.cancel()
    return found
