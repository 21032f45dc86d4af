#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mochi-mqtt gives a message without a Message Expiry Interval one of 86400 s, and shortens a longer one: a retained state is gone a day
# later, and a client that was away for a weekend finds only the last day.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.2.0
expect "a message without Message Expiry Interval arrives without one (MQTT 5, 3.3.2.3.3: it does not expire); one of 200000 s keeps it"

GOBIN="$work/bin" CGO_ENABLED=0 go install github.com/mochi-mqtt/server/v2/cmd@v2.7.9
echo "server: mochi-mqtt v2.7.9, $(go version | cut -d' ' -f3)"
port=$(free_port)
serve "$work/bin/cmd" -tcp="127.0.0.1:$port" -ws="127.0.0.1:$(free_port)" -info="127.0.0.1:$(free_port)"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port = int(sys.argv[1])


def connected(name):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    up = threading.Event()
    client.on_connect = lambda *_: up.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert up.wait(20)
    return client


publisher, reader = connected("publisher"), connected("reader")
publisher.publish("state/none", "on", 1, True).wait_for_publish(20)
long = Properties(PacketTypes.PUBLISH)
long.MessageExpiryInterval = 200000
publisher.publish("state/long", "on", 1, True, long).wait_for_publish(20)

seen, both = {}, threading.Event()


def on_message(_client, _data, message):
    seen[message.topic] = getattr(message.properties, "MessageExpiryInterval", None)
    if len(seen) == 2:
        both.set()


reader.on_message = on_message
reader.subscribe("state/#", 1)
assert both.wait(20)
print(f"seen: retained messages and their Message Expiry Interval: {dict(sorted(seen.items()))}")
sys.exit(0 if all(value is not None and 86000 < value <= 86400 for value in seen.values()) else 1)
PYTHON
echo "so: with mochi repeat what is retained once a day, or raise maximum_message_expiry_interval of the server's configuration"
