#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A client that is told to refresh its metadata rarely asks every second instead: metadata.max.age.ms, by default three refresh
# intervals, overflows 32 bits in microseconds, so what was learned expires at once. It begins at a refresh interval of 716 s.
source "$(dirname "$0")/common.bash"

python_with confluent-kafka==2.16.1
expect "no request for metadata within five seconds when the refresh interval is 715 s, nor when it is an hour"

seen=$(
  run_python <<'PYTHON'
import logging
import time

import confluent_kafka


class Count(logging.Handler):
    def __init__(self):
        super().__init__()
        self.requests = 0

    def emit(self, record):
        self.requests += "Request metadata for" in record.getMessage()


def requests(seconds):
    count = Count()
    logger = logging.getLogger(str(seconds))
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(count)
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": "mock",
            "test.mock.num.brokers": 1,
            "topic.metadata.refresh.interval.ms": seconds * 1000,
            "debug": "metadata",
        },
        logger=logger,
    )
    producer.produce("topic", b"x")
    producer.flush(20)
    before = count.requests
    end = time.monotonic() + 5
    while time.monotonic() < end:
        producer.poll(0.1)
    return count.requests - before


print(f"librdkafka {confluent_kafka.libversion()[0]}: requests for metadata in 5 s")
often, rarely = requests(715), requests(3600)
print(f"refresh interval 715 s: {often}")
print(f"refresh interval 3600 s: {rarely}")
print("more often" if rarely >= 3 > often else "as told")
PYTHON
)
sed 's/^/seen: /' <<<"$seen"
grep -q "more often" <<<"$seen"
echo "so: with a long refresh interval, set metadata.max.age.ms=2147000"
