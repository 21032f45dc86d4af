#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A header in Kafka may have no value (null). kafkajs reads such a header, but its producer raises a TypeError when a program passes the
# same headers on, so a forwarder stops at that message.
source "$(dirname "$0")/common.bash"

python_with confluent-kafka==2.16.1
mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund kafkajs@2.2.4
echo "packages: kafkajs 2.2.4, Node.js $(node --version)"
expect "a message that was read can be sent to another topic with the headers that it has"

cat >forward.js <<'JS'
const { Kafka, logLevel } = require('kafkajs');
(async () => {
  const kafka = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: 'forwarder' });
  const producer = kafka.producer();
  await Promise.all([consumer.connect(), producer.connect()]);
  await consumer.subscribe({ topic: 'events', fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers } }) => {
      const read = Object.entries(headers).map(([name, text]) => `${name}=${text}`);
      const answer = await producer.send({ topic: 'copy', messages: [{ key, value, headers }] }).then(() => 'sent', (error) => String(error));
      console.log(`read ${read}; passed on: ${answer}`);
      if (key.toString() === 'last') process.exit(0);
    },
  });
})();
JS
run_python <<'PYTHON' 2>/dev/null | tee seen
import subprocess

from confluent_kafka import Producer

producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "test.mock.broker.rtt": 0})  # serves others, too
broker = producer.list_topics(timeout=20).brokers[1]
for key, headers in (("first", [("camera", None)]), ("last", [("camera", b"north")])):
    producer.produce("events", b"x", key=key, headers=headers, partition=0)
assert producer.flush(20) == 0
done = subprocess.run(["node", "forward.js", f"{broker.host}:{broker.port}"], capture_output=True, text=True, timeout=100)
print("\n".join("seen: " + line for line in done.stdout.splitlines()))
PYTHON
[[ $(sed -n 1p seen) == "seen: read camera=null; passed on: TypeError"* && $(sed -n 2p seen) == "seen: read camera=north; passed on: sent" ]]
echo "so: with kafkajs leave out headers whose value is null before passing a message on"
