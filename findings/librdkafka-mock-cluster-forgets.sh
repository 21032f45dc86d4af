#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The mock cluster inside librdkafka (test.mock.num.brokers) keeps the last 5 MB of a partition, roughly: everything was acknowledged, and
# a reader that starts late, as in a test that sends first and reads then, gets the end only.
source "$(dirname "$0")/common.bash"

python_with confluent-kafka==2.16.1
expect "200 acknowledged messages of 100 kB are read from the beginning by a consumer that starts afterwards"

run_python 2>/dev/null <<'PYTHON'
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition

producer = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1})
broker = next(iter(producer.list_topics(timeout=20).brokers.values()))
errors, sent = [], 200


def outcome(error, _message):
    if error:
        errors.append(error)


def read(topic):
    """Offsets of all messages of partition 0."""
    consumer = Consumer({"bootstrap.servers": f"{broker.host}:{broker.port}", "group.id": "late", "enable.partition.eof": True,
                         "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    offsets, deadline = [], time.monotonic() + 60
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            break  # the end of the partition
        offsets.append(message.offset())
    consumer.close()
    return offsets


for topic, size in (("small", 1000), ("large", 100_000)):
    for _ in range(sent):
        producer.produce(topic, bytes(size), partition=0, on_delivery=outcome)
        producer.poll(0)
    assert producer.flush(60) == 0
small, large = read("small"), read("large")
print(f"librdkafka {confluent_kafka.libversion()[0]}")
print(f"seen: {2 * sent - len(errors)} of {2 * sent} acknowledged; of 200 x 1 kB {len(small)} read; "
      f"of 200 x 100 kB {len(large)} read, from offset {large[0]} on, {len(large) * 100_000 / 1e6:.1f} MB")
sys.exit(0 if not errors and len(small) == sent and 10 < len(large) < 100 and large[-1] == sent - 1 else 1)
PYTHON
echo "so: read while you send, use several partitions, keep a trial below 5 MB a partition, or use a real broker"
