#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mochi-mqtt refuses a SUBSCRIBE with 0x91 (Packet Identifier in use) when a message on its way to the same client has that number,
# although the numbers of client and server are independent. A client that comes back to a session with waiting messages meets it.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.1.0
expect "each SUBSCRIBE is granted (MQTT 5, 2.2.1: client and server assign packet identifiers independently)"

GOBIN="$work/bin" CGO_ENABLED=0 go install github.com/mochi-mqtt/server/v2/cmd@v2.7.9
echo "server: mochi-mqtt v2.7.9, $(go version | cut -d' ' -f3)"
port=$(free_port)
serve "$work/bin/cmd" -tcp="127.0.0.1:$port" -ws="127.0.0.1:$(free_port)" -info="127.0.0.1:$(free_port)"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys
import threading

import paho.mqtt.client as mqtt

port = int(sys.argv[1])


def connected(name, **options):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, **options)
    up = threading.Event()
    client.on_connect = lambda *_: up.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(20)
    return client


def subscribe(topic):
    answered = threading.Event()
    codes = []
    reader.on_subscribe = lambda _c, _u, _m, reasons, _p: (codes.extend(reasons), answered.set())
    _, number = reader.subscribe(topic, 1)
    assert answered.wait(20)
    return number, codes[0].value


reader = connected("reader", manual_ack=True)  # it acknowledges messages when it is done with them
waiting, five = [], threading.Event()
reader.on_message = lambda _c, _u, message: (waiting.append(message), len(waiting) == 5 and five.set())
first = subscribe("t")
publisher = connected("publisher")
for _ in range(5):
    publisher.publish("t", "x", 1).wait_for_publish(20)
assert five.wait(20)
second = subscribe("other")
print(f"seen: SUBSCRIBE {first[0]}: {first[1]:#04x}; messages on their way: {[message.mid for message in waiting]}; "
      f"SUBSCRIBE {second[0]}: {second[1]:#04x}")
for message in waiting:
    reader.ack(message.mid, 1)
publisher.publish("t", "x", 1).wait_for_publish(20)
third = subscribe("other")
print(f"seen: SUBSCRIBE {third[0]}, with the five acknowledged: {third[1]:#04x}")
sys.exit(0 if (first[1], second[1], third[1]) == (1, 0x91, 1) and second[0] in [m.mid for m in waiting[:5]] else 1)
PYTHON
echo "so: with mochi ask again, with the next number, when a SUBSCRIBE is refused with 0x91"
