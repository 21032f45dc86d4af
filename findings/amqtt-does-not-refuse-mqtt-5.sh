#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server for MQTT 3.1.1 has to refuse the CONNECT of another version with return code 1. amqtt does so only when the packet has no
# properties: it reads what MQTT 5 put there as the length of the client identifier, and waits for bytes that never come.
source "$(dirname "$0")/common.bash"

python_with amqtt==0.12.1
expect "a CONNECT of MQTT 5 is answered with return code 1, with and without properties"

port=$(free_port)
cat >"$work/amqtt.yaml" <<YAML
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:$port
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
YAML
serve "$work/venv/bin/amqtt" -c "$work/amqtt.yaml"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import socket
import sys

PATIENCE = 15.0  # seconds


def connect(properties: bytes) -> "bytes | None":
    """Sends a CONNECT of MQTT 5; returns the answer, None: neither an answer nor an end."""
    body = b"\0\x04MQTT\x05\x02\0\x3c" + bytes([len(properties)]) + properties + b"\0\x01c"
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), PATIENCE) as server:
        server.sendall(bytes([0x10, len(body)]) + body)
        try:
            return server.recv(100)
        except socket.timeout:
            return None


without = connect(b"")
with_one = connect(b"\x21\x03\xe8")  # Receive Maximum 1000
print(f"seen: without properties {without!r}, with Receive Maximum {with_one!r} after {PATIENCE:.0f} s")
sys.exit(0 if (without, with_one) == (b"\x20\x02\0\x01", None) else 1)
PYTHON
echo "so: a client of MQTT 5 that hears nothing should ask again in MQTT 3.1.1"
