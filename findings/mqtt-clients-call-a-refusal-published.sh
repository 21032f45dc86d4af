#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server of MQTT 5 refuses a message of QoS 1 with a reason in the PUBACK. paho's wait_for_publish() and is_published(), and aiomqtt's
# publish(), report it like a message that was taken; only paho's callback on_publish is told the reason.
source "$(dirname "$0")/common.bash"

python_with paho-mqtt==2.2.0 aiomqtt==2.5.1
expect "a message that the server refuses (0x87, Not authorized) is not called published, or publish() raises an error"

GOBIN="$work/bin" CGO_ENABLED=0 go install github.com/mochi-mqtt/server/v2/cmd/docker@v2.7.9
echo "server: mochi-mqtt v2.7.9, $(go version | cut -d' ' -f3)"
port=$(free_port)
cat >"$work/server.yaml" <<YAML
listeners: [{type: tcp, id: tcp, address: "127.0.0.1:$port"}]
hooks:
  auth:
    ledger:
      auth: [{username: camera, password: secret, allow: true}]
      acl: [{username: camera, filters: {"mine/#": 3, "other/#": 0}}]
YAML
serve "$work/bin/docker" --config "$work/server.yaml"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import asyncio
import sys
import threading

import aiomqtt
import paho.mqtt.client as mqtt

port = int(sys.argv[1])
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "paho", protocol=mqtt.MQTTv5)
client.username_pw_set("camera", "secret")
up, reasons = threading.Event(), []
client.on_connect = lambda *_: up.set()
client.on_publish = lambda _client, _data, _number, reason, _properties: reasons.append(str(reason))
client.connect("127.0.0.1", port)
client.loop_start()
assert up.wait(20)
published = []
for topic in ("mine/1", "other/1"):
    message = client.publish(topic, "x", 1)
    message.wait_for_publish(20)
    published.append(message.is_published())
client.disconnect()
client.loop_stop()
print(f"seen: paho: allowed and refused: is_published() {published}, on_publish {reasons}")


async def publish(topic):
    options = {"username": "camera", "password": "secret", "protocol": aiomqtt.ProtocolVersion.V5}
    async with aiomqtt.Client("127.0.0.1", port, **options) as other:
        try:
            return await other.publish(topic, "x", 1)
        except aiomqtt.MqttError as error:
            return repr(error)


answers = [asyncio.run(publish(topic)) for topic in ("mine/1", "other/1")]
print(f"seen: aiomqtt: allowed and refused: publish() returns {answers}")
sys.exit(0 if published == [True, True] and reasons == ["Success", "Not authorized"] and answers == [None, None] else 1)
PYTHON
echo "so: look at the reason code in paho's on_publish; a test that only waits for publish() says nothing about rights"
