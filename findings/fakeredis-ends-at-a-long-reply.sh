#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fakeredis' TCP server ends the connection in the middle of a reply that is longer than the socket takes at once: a stream of 5 MB
# cannot be read with one XRANGE. Its sockets do not block, and what they do not take is given up.
source "$(dirname "$0")/common.bash"

python_with fakeredis==2.41.0
expect "5000 entries of 1 KB in one reply, as Redis sends them"

cat >"$work/server.py" <<'PYTHON'
import sys

from fakeredis import TcpFakeServer

TcpFakeServer(("127.0.0.1", int(sys.argv[1]))).serve_forever()
PYTHON
port=$(free_port)
serve "$work/venv/bin/python" "$work/server.py" "$port"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys

import redis
from redis.retry import Retry
from redis.backoff import NoBackoff


def client():
    return redis.Redis(port=int(sys.argv[1]), protocol=2, retry=Retry(NoBackoff(), 0))


writer = client()
for _ in range(5000):
    writer.xadd("s", {"v": bytes(1024)})
print(f"seen: XLEN {client().xlen('s')}, XRANGE of 10: {len(client().xrange('s', count=10))} entries")
try:
    print(f"seen: XRANGE: {len(client().xrange('s'))} entries")
    sys.exit(1)
except redis.ConnectionError as error:
    print(f"seen: XRANGE: {type(error).__name__}: {error}")
PYTHON
echo "so: with fakeredis over TCP read in small pages"
