# SPDX-License-Identifier: Apache-2.0
"""Sends messages with Microsoft's SDK; test_azure.py runs it with that SDK on its path.

stdin: {"connection": "...", "port": n, "cafile": "...", "listen": bool, "messages": [{"payload",
"output", "mid", "cid", "uid", "ct", "ce", "exp", "properties"}]}; stdout: the messages received
until as many have come as `expect` says.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from azure.iot.device import IoTHubDeviceClient, IoTHubModuleClient, Message
from paho.mqtt import client as paho

FIELDS = {
    "mid": "message_id",
    "cid": "correlation_id",
    "uid": "user_id",
    "ct": "content_type",
    "ce": "content_encoding",
    "exp": "expiry_time_utc",
}


def main() -> None:
    job = json.load(sys.stdin)
    connect = paho.Client.connect

    def elsewhere(self: paho.Client, host: str, port: int, keepalive: int) -> int:
        assert port == 8883
        return int(connect(self, host, job["port"], keepalive))

    paho.Client.connect = elsewhere
    kind = IoTHubModuleClient if "ModuleId=" in job["connection"] else IoTHubDeviceClient
    client = kind.create_from_connection_string(
        job["connection"],
        server_verification_cert=Path(job["cafile"]).read_text(encoding="ascii"),
        connection_retry=False,
        **({"product_info": job["product"]} if "product" in job else {}),
        **({"sastoken_ttl": job["ttl"]} if "ttl" in job else {}),
    )
    client.connect()
    received: list[Any] = []
    enough = threading.Event()

    def on_message(message: Message) -> None:
        received.append(
            {
                "payload": message.data.decode(),
                "properties": message.custom_properties,
                **{
                    short: getattr(message, name)
                    for short, name in FIELDS.items()
                    if getattr(message, name) is not None
                },
            }
        )
        if len(received) >= job.get("expect", 0):
            enough.set()

    if job.get("expect"):
        client.on_message_received = on_message
        print("ready", flush=True)
        assert enough.wait(200)
    for each in job.get("messages", []):
        message = Message(each["payload"])
        for short, name in FIELDS.items():
            if short in each:
                setattr(message, name, each[short])
        message.custom_properties.update(each.get("properties", {}))
        if "ModuleId=" in job["connection"] and each.get("output"):
            client.send_message_to_output(message, each["output"])
        else:
            client.send_message(message)
    client.shutdown()
    print(json.dumps(received), flush=True)


if __name__ == "__main__":
    main()
