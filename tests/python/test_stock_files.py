# SPDX-License-Identifier: Apache-2.0
"""Configuration files as DeepStream has them, with all keys set, are taken unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from dsmsg import Adaptor
from dsmsg.brokers._process import free_port

KEYS = {
    "kafka": """
consumer-group-id = mygroup
proto-cfg = "message.max.bytes=200000;log_level=6"
producer-proto-cfg = "queue.buffering.max.messages=200000;message.send.max.retries=3"
consumer-proto-cfg = "max.poll.interval.ms=20000"
partition-key = sensor.id
""",
    "mqtt": """
username = user
password = password
client-id = uniqueID
loop-timeout = 2000
keep-alive = 60
set-threaded = 1
""",
    "redis": """
hostname = localhost
port = 6379
password = password
payloadkey = metadata
consumergroup = mygroup
consumername = myname
streamsize = 10000
""",
    "amqp": """
hostname = localhost
port = 5672
username = guest
password = guest
exchange = amq.topic
topic = topicname
amqp-framesize = 131072
amqp-heartbeat = 0
""",
    "nats": "",
    "http": "",
    "pulsar": "",
}
"""By adaptor; the last three are not DeepStream's."""
TLS_OFF = """
enable-tls = 0
tls-cafile = /path/to/ca-cert.pem
tls-capath = /path/to/ca-certs-dir/
tls-certfile = /path/to/client-cert.pem
tls-keyfile = /path/to/client-key.pem
"""


@pytest.mark.parametrize("name", list(KEYS))
def test_tls_that_is_switched_off_needs_no_files(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"cfg_{name}.txt"
    text = f"[message-broker]\n{KEYS[name]}share-connection = 1\n{TLS_OFF}"
    file.write_text(f"{text}connect = lazy\n")  # no broker is needed to read it
    Adaptor(name).connect(f"localhost;{free_port()}", str(file)).disconnect()
    log = capfd.readouterr().err
    assert "unknown" not in log
    (line,) = [line for line in log.splitlines() if "enable-tls=0: " in line]
    assert " warn " in line
    assert "no effect: tls-cafile, tls-capath, tls-certfile, tls-keyfile (set enable-tls=1" in line


@pytest.mark.parametrize("name", list(KEYS))
def test_tls_that_nothing_switches_is_an_error(name: str) -> None:
    options = {"tls-cafile": "/path/to/ca-cert.pem", "connect": "lazy"}
    with pytest.raises(Exception, match=r"tls-cafile is set but TLS is off.*enable-tls=0 ignores"):
        Adaptor(name).connect(f"localhost;{free_port()}", options)
