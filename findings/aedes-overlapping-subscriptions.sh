#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A client of aedes that subscribes to "o/#" with QoS 0 and to "o/+" with QoS 1 gets a QoS 1 message to "o/1" with QoS 0: the weaker
# of the two subscriptions wins, and the message is not sent again when it is lost.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.1.0
expect "QoS 1, the maximum of the matching subscriptions (MQTT 3.1.1, MQTT-3.3.5-1)"

(cd "$work" && npm install --silent --no-fund --no-audit aedes@1.2.0 >/dev/null)
echo "server: aedes $(node -p "require('$work/node_modules/aedes/package.json').version"), Node.js $(node --version)"
cat >"$work/server.js" <<'JS'
const { Aedes } = require('aedes')
Aedes.createBroker().then(broker => {
  require('net').createServer(broker.handle).listen(Number(process.argv[2]), '127.0.0.1')
})
JS
port=$(free_port)
serve node "$work/server.js" "$port"
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


def received(name, filters):
    """QoS of the copies that a subscriber gets, and the QoS that were granted."""
    client, granted, got = connected(name), [], []
    client.on_subscribe = lambda _c, _u, _m, codes, _p: granted.extend(code.value for code in codes)
    client.on_message = lambda _client, _data, message: got.append(message.qos)
    for topic, qos in filters:
        count = len(granted)
        client.subscribe(topic, qos)
        deadline = time.monotonic() + 20
        while len(granted) == count and time.monotonic() < deadline:
            time.sleep(0.05)
    connected(name + "-publisher").publish("o/1", "x", 1).wait_for_publish(20)
    deadline = time.monotonic() + 20
    while not got and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)  # a second copy would come now
    client.disconnect()
    return got, granted


alone = received("alone", [("o/+", 1)])
both = received("both", [("o/#", 0), ("o/+", 1)])
print(f"seen: o/+ alone: granted {alone[1]}, delivered with QoS {alone[0]}")
print(f"seen: o/# and o/+: granted {both[1]}, delivered with QoS {both[0]}")
sys.exit(0 if alone == ([1], [1]) and both == ([0], [0, 1]) else 1)
PYTHON
echo "so: with aedes subscribe with one QoS wherever filters of one client overlap"
