# SPDX-License-Identifier: Apache-2.0
"""What another client finds at a server: everything that it holds, or an error.

A reader that finds less than the server counts must not return that: the adaptor would be blamed
for messages that did arrive. Each function compares what it read with the server's own count.
"""

from __future__ import annotations

import json
import socket
import time
import uuid

import pika
import redis

__all__ = ["ReaderError", "read_nats", "read_queue", "read_stream"]

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


def read_nats(host: str, port: int, stream: str) -> list[bytes]:
    """Reads a JetStream stream, through a consumer that pushes all of it, over a plain socket.

    Raises:
        ReaderError: there is no such stream.
        OSError: the server delivers less than it counts.
    """
    inbox = f"reader.{uuid.uuid4().hex}"
    config = {"deliver_subject": inbox, "ack_policy": "none"}
    body = json.dumps({"stream_name": stream, "config": config})
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        lines = connection.makefile("rb")

        def write(text: str) -> None:
            connection.sendall(text.encode())

        def message() -> bytes:
            while True:
                words = lines.readline().split()
                if not words:
                    raise ConnectionError(f"nats: the server ended the connection to {stream}")
                if words[0] == b"PING":
                    write("PONG\r\n")
                if words[0] in (b"MSG", b"HMSG"):
                    data = lines.read(int(words[-1]) + 2)[:-2]
                    return data[int(words[-2]) if words[0] == b"HMSG" else 0 :]

        write('CONNECT {"verbose":false,"headers":true}\r\nSUB answer 1\r\n')
        write(f"PUB $JS.API.CONSUMER.CREATE.{stream} answer {len(body)}\r\n{body}\r\n")
        answer = json.loads(message())
        if "error" in answer:
            raise ReaderError(f"nats: cannot read {stream}: {answer['error']}")
        write(f"SUB {inbox} 2\r\n")  # nothing is delivered before
        return [message() for _ in range(answer["num_pending"])]
