#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# publish() of paho-mqtt without a connection returns the error MQTT_ERR_NO_CONN and keeps the message all the same: it is sent with
# the next connection. Whoever tries again after the error sends it twice.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.1.0 amqtt==0.12.1
expect "a message whose publish() failed is not sent; published again after the connect, it arrives once"

port=$(free_port)
cat >"$work/server.py" <<'PYTHON'
import asyncio
import sys

from amqtt.broker import Broker


async def main() -> None:
    await Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    ).start()
    await asyncio.Event().wait()


asyncio.run(main())
PYTHON
serve "$work/venv/bin/python" "$work/server.py" "$port"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys
import threading
import time

import paho.mqtt.client as mqtt

port = int(sys.argv[1])


def client(name):
    return mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv311)


got, ready = [], threading.Event()
subscriber = client("subscriber")
subscriber.on_message = lambda _client, _data, message: got.append(message.payload.decode())
subscriber.on_subscribe = lambda *_: ready.set()
subscriber.connect("127.0.0.1", port)
subscriber.loop_start()
subscriber.subscribe("t", 1)
assert ready.wait(20)

up = threading.Event()
publisher = client("publisher")
publisher.on_connect = lambda *_: up.set()
first = publisher.publish("t", "hello", 1)
print(f"seen: publish() before the connect: {first.rc!r} ({mqtt.error_string(first.rc)})")
publisher.connect("127.0.0.1", port)
publisher.loop_start()
assert up.wait(20)
publisher.publish("t", "hello", 1).wait_for_publish(20)
deadline = time.monotonic() + 20
while len(got) < 2 and time.monotonic() < deadline:
    time.sleep(0.1)
print(f"seen: the subscriber got {got}")
sys.exit(0 if first.rc == mqtt.MQTT_ERR_NO_CONN and got == ["hello", "hello"] else 1)
PYTHON
echo "so: after MQTT_ERR_NO_CONN keep the returned object and wait for it, instead of publishing again"
