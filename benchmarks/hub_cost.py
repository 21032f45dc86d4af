# SPDX-License-Identifier: Apache-2.0
"""CPU of Azure IoT Hub's adaptor beside the MQTT adaptor's, at 900 messages a second.

    PYTHONPATH=tests:python python benchmarks/hub_cost.py [ROUNDS] [SECONDS]

Both send the same messages with TLS and QoS 1 through the same relay to the same kind of Mosquitto,
in turn; of the hub's, each message has two properties. The CPU is that of the sending process, of
tests/faults/sender_main.cc, the same host for both. Needs the target dsmsg_fault_sender.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path

from dsmsg.brokers import make
from dsmsg.brokers._hub import Connect, Hub
from dsmsg.brokers._identity import make_identity
from dsmsg.brokers.iothub import IotHubBroker
from faults.programs import Sender

RATE = 900


class Relay(Hub):
    """A hub that lets everybody in: the way to a Mosquitto for the MQTT adaptor."""

    def _check(self, connect: Connect, certified: bool) -> tuple[str, float]:
        return "", math.inf


def microseconds(
    adaptor: str, port: int, options: dict[str, object], seconds: float, folder: Path
) -> float:
    """Returns the CPU time of a message."""
    name = f"{adaptor}-{time.monotonic_ns()}"
    with Sender(adaptor, f"localhost;{port}", options, "cost", folder, name=name) as sender:
        sender.start(RATE)
        time.sleep(1)  # the connection is made, caches are warm
        begin = sender.status()
        time.sleep(seconds)
        end = sender.status()
        sender.stop()
        sender.drain(60)
        sender.disconnect()
    return float(1e6 * (end["cpu_s"] - begin["cpu_s"]) / (end["ok"] - begin["ok"]))


def main() -> int:
    """Prints the figures of each round and the worst ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    with tempfile.TemporaryDirectory() as text, make("mosquitto") as plain, IotHubBroker() as hub:
        folder = Path(text)
        identity = make_identity(folder)
        relay = Relay("", plain.port, identity.cert, identity.key, records=False)
        mqtt = {"enable-tls": 1, "tls-cafile": identity.ca, "protocol": "3.1.1"}
        azure = {
            "tls-cafile": hub.dir / "ca.pem",
            "connection-str": hub.connection_string("camera"),
            "content-type": "application/json",
            "content-encoding": "utf-8",
        }
        ratios = []
        for _ in range(rounds):
            first = microseconds("mqtt", relay.port, mqtt, seconds, folder)
            second = microseconds("azure", hub.port, azure, seconds, folder)
            ratios.append(second / first)
            print(f"mqtt {first:.1f} us, azure {second:.1f} us a message: {ratios[-1]:.2f}")
        relay.close()
    print(f"{RATE} messages a second, {rounds} rounds: worst {max(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
