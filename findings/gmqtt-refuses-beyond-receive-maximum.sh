#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gmqtt's publish() with QoS 1 raises OverflowError ("All ids has already used") once one less than the server's Receive Maximum is
# under way, and the message is not sent; Mosquitto announces 20. paho keeps what is beyond it, and sends it later.
source "$(dirname "$0")/common.bash"

python_with gmqtt==0.8.0 paho-mqtt==2.2.0
expect "2000 messages published one after the other, without a pause, all arrive"

GOBIN="$work/bin" CGO_ENABLED=0 go install github.com/mochi-mqtt/server/v2/cmd@v2.7.9
echo "server: mochi-mqtt v2.7.9 (Receive Maximum 1024), $(go version | cut -d' ' -f3)"
port=$(free_port)
serve "$work/bin/cmd" -tcp="127.0.0.1:$port" -ws="127.0.0.1:$(free_port)" -info="127.0.0.1:$(free_port)"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import asyncio
import sys
import threading

import gmqtt
import paho.mqtt.client as mqtt

port, count = int(sys.argv[1]), 2000


def connected(name):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    up = threading.Event()
    client.on_connect = lambda *_: up.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(20)
    return client


subscribed = threading.Event()
arrived, changed = {"gmqtt": 0, "paho": 0}, threading.Condition()


def on_message(_client, _data, message):
    with changed:
        arrived[message.topic] += 1
        changed.notify()


def wait_for(topic, number):
    with changed:
        return changed.wait_for(lambda: arrived[topic] == number, 30)


reader = connected("reader")
reader.on_message, reader.on_subscribe = on_message, lambda *_: subscribed.set()
reader.subscribe("#", 1)
assert subscribed.wait(20)


async def with_gmqtt():
    client = gmqtt.Client("gmqtt")
    await client.connect("127.0.0.1", port)
    error, sent = None, 0
    for _ in range(count):
        try:
            client.publish("gmqtt", "x", qos=1)
            sent += 1
        except OverflowError as raised:
            error = raised
            break
    all_there = await asyncio.to_thread(wait_for, "gmqtt", sent)
    await client.disconnect()
    return sent, error, all_there


sent, error, all_there = asyncio.run(with_gmqtt())
print(f"seen: gmqtt: {sent} messages, then {error!r}; arrived: {arrived['gmqtt']}")
sender = connected("paho")
last = [sender.publish("paho", "x", 1) for _ in range(count)][-1]
last.wait_for_publish(30)
wait_for("paho", count)
print(f"seen: paho: {count} messages; arrived: {arrived['paho']}")
sys.exit(0 if sent == 1023 and isinstance(error, OverflowError) and all_there and arrived["paho"] == count else 1)
PYTHON
echo "so: with gmqtt count what is under way, and wait before the server's Receive Maximum is reached"
