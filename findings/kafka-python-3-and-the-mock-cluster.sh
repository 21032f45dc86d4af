#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# librdkafka's mock cluster, which tests use in place of a broker, answers an ApiVersions request that is too new with an array of the
# new form in an answer of the old one. librdkafka gets over that, kafka-python 3 does not: it cannot connect.
source "$(dirname "$0")/common.bash"

python_with confluent-kafka==2.16.1 kafka-python==3.0.12
expect "kafka-python 3 sends a message to the mock cluster, as confluent-kafka and kafka-python 2 do"

"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$work/older" kafka-python==2.3.0

cat >"$work/send.py" <<'PYTHON'
import kafka
from confluent_kafka import Producer

mock = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})  # it serves other clients, too
broker = mock.list_topics(timeout=20).brokers[1]
delivered = []
mock.produce("events", b"x", on_delivery=lambda error, _message: delivered.append(error))
mock.flush(20)
try:
    producer = kafka.KafkaProducer(bootstrap_servers=f"{broker.host}:{broker.port}")
    producer.send("events", b"x").get(20)
    answer = "sent"
except kafka.errors.KafkaError as error:
    answer = type(error).__name__
print(f"confluent-kafka: {'sent' if delivered == [None] else delivered}, kafka-python {kafka.__version__}: {answer}")
PYTHON
send() { timeout 60 "$work/venv/bin/python" "$work/send.py" 2>/dev/null; }
newer=$(send)
older=$(PYTHONPATH="$work/older" send)
echo "seen: $newer"
echo "seen: $older"
[[ $newer == "confluent-kafka: sent, kafka-python 3.0.12: KafkaTimeoutError" &&
  $older == "confluent-kafka: sent, kafka-python 2.3.0: sent" ]]
echo "so: test programs that use kafka-python 3 against a real broker"
