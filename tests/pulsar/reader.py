# SPDX-License-Identifier: Apache-2.0
"""Runs the official client of Pulsar (package pulsar-client) in a process of its own.

Arguments: `read URL TOPIC COUNT` prints messages as JSON lines; `write URL TOPIC` sends ten in a
batch, one alone, a batch of two in each compression, one in chunks, and one in chunks and
compressed. `DSMSG_PULSAR_CA` has the authorities for TLS.
"""

from __future__ import annotations

import json
import os
import random
import sys

import pulsar  # type: ignore[import-not-found]

COMPRESSIONS = ("LZ4", "ZLib", "ZSTD", "SNAPPY")
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
    for name in COMPRESSIONS:
        kind = getattr(pulsar.CompressionType, name)
        compressed = client.create_producer(
            topic,
            compression_type=kind,
            batching_enabled=True,
            batching_max_publish_delay_ms=1000,
        )
        for number in range(2):
            text = f"{name} {number} " + "c" * 10_000
            compressed.send_async(text.encode(), lambda *_: None)
        compressed.flush()
    for kind in (pulsar.CompressionType.NONE, pulsar.CompressionType.ZLib):
        chunks = client.create_producer(
            topic, chunking_enabled=True, batching_enabled=False, compression_type=kind
        )
        chunks.send(random.Random(1).randbytes(12_000_000))  # noqa: S311 - it cannot be compressed
    alone.send(b"last")


def main() -> None:
    """Does what the arguments say."""
    what, url, topic, *rest = sys.argv[1:]
    authorities = os.environ.get("DSMSG_PULSAR_CA")
    more = {"tls_trust_certs_file_path": authorities} if authorities else {}
    log = pulsar.FileLogger(pulsar.LoggerLevel.Error, "/dev/stderr")
    client = pulsar.Client(url, logger=log, **more)
    try:
        if what == "read":
            read(client, topic, int(rest[0]))
        else:
            write(client, topic)
    finally:
        client.close()


if __name__ == "__main__":
    main()
