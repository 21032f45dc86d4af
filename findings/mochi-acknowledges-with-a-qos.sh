#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mochi-mqtt acknowledges a message of QoS 1 that has a user property with the reason code 0x01, which a PUBACK cannot have (it means
# "granted QoS 1" in a SUBACK). paho takes that for a protocol error, ends its connection and sends the message again, without end.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.2.0
expect "PUBACK with reason code 0x00, or none (MQTT 5, 3.4.2.1), whatever properties the message has; the message arrives once"

GOBIN="$work/bin" CGO_ENABLED=0 go install github.com/mochi-mqtt/server/v2/cmd@v2.7.9
echo "server: mochi-mqtt v2.7.9, $(go version | cut -d' ' -f3)"
port=$(free_port)
serve "$work/bin/cmd" -tcp="127.0.0.1:$port" -ws="127.0.0.1:$(free_port)" -info="127.0.0.1:$(free_port)"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import socket
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port = int(sys.argv[1])


def text(value):
    return len(value).to_bytes(2, "big") + value


def puback(properties):
    """The answer to one message of QoS 1 with these properties, byte for byte."""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        connect = text(b"MQTT") + b"\x05\x02\x00\x3c\x00" + text(b"bytes")
        line.sendall(bytes([0x10, len(connect)]) + connect)
        line.recv(200)
        publish = text(b"bytes") + b"\x00\x01" + bytes([len(properties)]) + properties + b"x"
        line.sendall(bytes([0x32, len(publish)]) + publish)
        return line.recv(200)


without, with_one = puback(b""), puback(b"\x26" + text(b"camera") + text(b"7"))
print(f"seen: PUBACK without a user property: {without.hex(' ')}; with one: {with_one.hex(' ')} (behind 40, a length and the number: "
      f"reason code {with_one[4]:#04x})")

received, enough, reasons = [], threading.Event(), []
reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "reader", protocol=mqtt.MQTTv5)
subscribed = threading.Event()
reader.on_connect = lambda client, *_: client.subscribe("gate", 1)
reader.on_subscribe = lambda *_: subscribed.set()


def on_message(_client, _data, message):
    received.append(message.payload)
    if len(received) >= 3:
        enough.set()


reader.on_message = on_message
reader.connect("127.0.0.1", port)
reader.loop_start()
assert subscribed.wait(20)

sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "sender", protocol=mqtt.MQTTv5)
up = threading.Event()
sender.on_connect = lambda *_: up.set()
sender.on_disconnect = lambda _client, _data, _flags, reason, _properties: reasons.append(str(reason))
sender.connect("127.0.0.1", port)
sender.loop_start()
assert up.wait(20)
properties = Properties(PacketTypes.PUBLISH)
properties.UserProperty = [("camera", "7")]
message = sender.publish("gate", "open", 1, False, properties)
enough.wait(30)
print(f"seen: one publish(): received {len(received)} times so far, published: {message.is_published()}, "
      f"connections lost: {len(reasons)} ({reasons[0] if reasons else 'none'})")
seen = len(without) == 4 and with_one[4] == 1 and len(received) >= 3 and not message.is_published() and "Protocol error" in reasons
sys.exit(0 if seen else 1)
PYTHON
echo "so: with mochi send user properties by QoS 0 or 2, or from a client that does not look at the reason (libmosquitto)"
