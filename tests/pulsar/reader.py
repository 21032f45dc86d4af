# SPDX-License-Identifier: Apache-2.0
"""Runs the official client of Pulsar (package pulsar-client) in a process of its own.

Arguments: `read URL TOPIC COUNT` prints messages as JSON lines; `write URL TOPIC` sends ten in a
batch, one alone, a compressed one and one in chunks.
"""

from __future__ import annotations

import json
import sys

import pulsar  # type: ignore[import-not-found]

_TIMEOUT_MS = 60_000


def read(client: pulsar.Client, topic: str, count: int) -> None:
    """Prints the first messages of a topic."""
    reader = client.create_reader(topic, pulsar.MessageId.earliest)
    for _ in range(count):
        message = reader.read_next(_TIMEOUT_MS)
        print(
            json.dumps(
                {
                    "data": message.data().decode("latin-1"),
                    "key": message.partition_key(),
                    "properties": message.properties(),
                    "event_time": message.event_timestamp(),
                }
            )
        )


def write(client: pulsar.Client, topic: str) -> None:
    """Sends what other producers may send."""
    batches = client.create_producer(
        topic, batching_enabled=True, batching_max_publish_delay_ms=1000
    )
    for number in range(10):
        batches.send_async(b"batched %d" % number, lambda *_: None, partition_key="k")
    batches.flush()
    alone = client.create_producer(topic, batching_enabled=False)
    alone.send(b"alone", properties={"a": "1"})
    compressed = client.create_producer(topic, compression_type=pulsar.CompressionType.LZ4)
    compressed.send(b"c" * 10_000)
    chunks = client.create_producer(topic, chunking_enabled=True, batching_enabled=False)
    chunks.send(b"x" * 6_000_000)
    alone.send(b"last")


def main() -> None:
    """Does what the arguments say."""
    what, url, topic, *rest = sys.argv[1:]
    client = pulsar.Client(url, logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, "/dev/stderr"))
    try:
        if what == "read":
            read(client, topic, int(rest[0]))
        else:
            write(client, topic)
    finally:
        client.close()


if __name__ == "__main__":
    main()
