#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# amqtt sends a retained message twice for one new subscription that has a wildcard, and once for one by name. A client that counts, or
# starts something with each message, does so twice.
source "$(dirname "$0")/common.bash"

python_with amqtt==0.12.1 paho-mqtt==2.1.0
expect "one retained message for one new subscription (MQTT 3.1.1, 3.3.1.3: the last one of each topic is sent to the subscriber)"

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


def connected(name, got):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv311)
    up = threading.Event()
    client.on_connect = lambda *_: up.set()
    client.on_message = lambda _client, _data, message: got.append((message.payload.decode(), message.retain))
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(20)
    return client


def received_by_a_newcomer(name, wanted):
    got = []
    client = connected(name, got)
    client.subscribe(wanted, 1)
    deadline = time.monotonic() + 20
    while not got and time.monotonic() < deadline:
        time.sleep(0.05)
    publisher.publish("site/end", "end", 1).wait_for_publish(20)
    time.sleep(2)  # what is behind the first one
    client.disconnect()
    client.loop_stop()
    return [each for each in got if each[0] == "state"]


publisher = connected("publisher", [])
publisher.publish("site/door", "state", 1, retain=True).wait_for_publish(20)
by_name = received_by_a_newcomer("newcomer-1", "site/door")
by_wildcard = received_by_a_newcomer("newcomer-2", "site/+")
print(f"seen: by name {by_name}, by wildcard {by_wildcard}")
sys.exit(0 if (len(by_name), len(by_wildcard)) == (1, 2) else 1)
PYTHON
echo "so: with amqtt expect each retained message twice behind a wildcard; compare it with the one before"
