#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server that closes each connection in the handshake, as a TLS listener does with a client without TLS: librdkafka 2.8 told the
# application so, with the setting to look at. Since 2.11 the error callback hears "0/1 brokers are down" only.
source "$(dirname "$0")/common.bash"

python_with confluent-kafka==2.16.1
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --target "$work/before" confluent-kafka==2.8.2
expect "an error that names the closed connection, with both versions"

cat >"$work/connect.py" <<'PYTHON'
import socket
import threading
import time

import confluent_kafka

listener = socket.create_server(("127.0.0.1", 0))


def serve():
    while True:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.close()


threading.Thread(target=serve, daemon=True).start()
errors = []
port = listener.getsockname()[1]
producer = confluent_kafka.Producer(
    {"bootstrap.servers": f"127.0.0.1:{port}", "error_cb": errors.append, "log_level": 0}
)
producer.produce("topic", b"x")
end = time.monotonic() + 10
while time.monotonic() < end:
    producer.poll(0.2)
texts = sorted({error.str().split(" (after")[0] for error in errors})
print("librdkafka", confluent_kafka.libversion()[0], texts)
PYTHON
now=$(timeout 60 "$work/venv/bin/python" "$work/connect.py")
before=$(PYTHONPATH="$work/before" timeout 60 "$work/venv/bin/python" "$work/connect.py")
printf 'seen: %s\nseen: %s\n' "$before" "$now"
grep -q "security.protocol" <<<"$before" && grep -q "brokers are down" <<<"$now" && ! grep -q "isconnected" <<<"$now"
echo "so: read the log lines of the facility FAIL (log_cb), which have the cause, beside the error callback"
