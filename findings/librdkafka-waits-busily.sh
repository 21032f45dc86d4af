#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An idempotent producer of librdkafka has five messages of a partition without an answer, and more are due: until the answer
# comes, it uses a whole core (its thread polls with a timeout of 0). A slow broker is enough.
source "$(dirname "$0")/common.bash"

python_with confluent-kafka==2.16.1
expect "next to no CPU time while nothing can be sent"

seen=$(
  run_python <<'PYTHON'
import time

import confluent_kafka

answers = []
producer = confluent_kafka.Producer(
    {
        "bootstrap.servers": "mock",
        "test.mock.num.brokers": 1,
        "test.mock.broker.rtt": 2000,  # milliseconds
        "enable.idempotence": True,
        "log_level": 0,
    }
)


def send(count):
    for _ in range(count):
        producer.produce("topic", b"x", partition=0, on_delivery=lambda *_: answers.append(1))


send(1)  # makes the topic
while not answers:
    producer.poll(0.1)


def used_of_a_second():
    time.sleep(0.2)
    before = time.process_time()
    time.sleep(1)
    return time.process_time() - before


send(10)
alone = used_of_a_second()
send(10)
behind = used_of_a_second() if len(answers) == 1 else 0
print(f"librdkafka {confluent_kafka.libversion()[0]}: CPU time in a second")
print(f"10 messages wait for their answer: {alone * 1000:.1f} ms")
print(f"10 more wait behind them: {behind * 1000:.1f} ms")
print("busy" if behind > 20 * alone else "idle")
PYTHON
)
sed 's/^/seen: /' <<<"$seen"
grep -q busy <<<"$seen"
echo "so: pause the partition (rd_kafka_pause_partitions) until it answers; after resuming, rd_kafka_flush(rk, 0) wakes the producer"
