#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Messages of one publisher that wait in mochi-mqtt for a client that is away come in another order than they were published in.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.1.0
expect "1 2 3 ... 100 (MQTT 5, 4.6: a topic is ordered; messages of one publisher come in the order in which they were published)"

GOBIN="$work/bin" CGO_ENABLED=0 go install github.com/mochi-mqtt/server/v2/cmd@v2.7.9
echo "server: mochi-mqtt v2.7.9, $(go version | cut -d' ' -f3)"
port=$(free_port)
serve "$work/bin/cmd" -tcp="127.0.0.1:$port" -ws="127.0.0.1:$(free_port)" -info="127.0.0.1:$(free_port)"
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
    up = threading.Event()
    client.on_connect = lambda *_: up.set()
    client.on_message = lambda _client, _data, message: got.append(int(message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(20)
    return client


reader = connected("reader", False)
subscribed = threading.Event()
reader.on_subscribe = lambda *_: subscribed.set()
reader.subscribe("t", 1)
assert subscribed.wait(20)
reader.disconnect()
reader.loop_stop()
publisher = connected("publisher", True)
for number in range(100):
    publisher.publish("t", str(number), 1).wait_for_publish(20)
again = connected("reader", False)
deadline = time.monotonic() + 20
while len(set(got)) < 100 and time.monotonic() < deadline:
    time.sleep(0.05)
backwards = sum(one > other for one, other in zip(got, got[1:]))
print(f"seen: {len(set(got))} messages, {backwards} of them behind a later one; the first ten: {got[:10]}")
sys.exit(0 if len(set(got)) == 100 and backwards > 10 else 1)
PYTHON
echo "so: with mochi sort what comes after an absence by a number of your own"
