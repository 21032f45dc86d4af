#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# amqtt tells a client that comes back that its session is present, and delivers nothing of what was published with QoS 1 while it was
# away, although the subscription is still in force.
source "$(dirname "$0")/common.bash"

python_with amqtt==0.12.1 paho-mqtt==2.1.0
expect "session present, and the messages of the time away (MQTT 3.1.1, 3.1.2.4: stored QoS 1 messages are part of the session)"

port=$(free_port)
cat >"$work/broker.yaml" <<YAML
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:$port
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
YAML
serve "$work/venv/bin/amqtt" -c "$work/broker.yaml"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys
import threading
import time

import paho.mqtt.client as mqtt

port = int(sys.argv[1])
got = []


def connected(name, clean):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, clean_session=clean, protocol=mqtt.MQTTv311)
    client.present, up = [], threading.Event()
    client.on_connect = lambda _c, _u, flags, *_: (client.present.append(flags.session_present), up.set())
    client.on_message = lambda _client, _data, message: got.append(message.payload.decode())
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(20)
    return client


def wait_until_got(payload):
    deadline = time.monotonic() + 20
    while payload not in got and time.monotonic() < deadline:
        time.sleep(0.05)


publisher = connected("publisher", True)
reader = connected("reader", False)
subscribed = threading.Event()
reader.on_subscribe = lambda *_: subscribed.set()
reader.subscribe("t", 1)
assert subscribed.wait(20)
publisher.publish("t", "before", 1).wait_for_publish(20)
wait_until_got("before")
reader.disconnect()
reader.loop_stop()
publisher.publish("t", "away", 1).wait_for_publish(20)
again = connected("reader", False)
time.sleep(3)  # what waited would come now
publisher.publish("t", "after", 1).wait_for_publish(20)
wait_until_got("after")
print(f"seen: session present: {again.present[0]}, received without a new subscription: {got}")
sys.exit(0 if again.present == [True] and got == ["before", "after"] else 1)
PYTHON
echo "so: with amqtt a session keeps subscriptions, not messages"
