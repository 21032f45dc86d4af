# SPDX-License-Identifier: Apache-2.0
"""One use of an adaptor in a separate process, so that all its output can be searched.

Standard input is a JSON object; its fields are the arguments of `security_rigs.run`. The answer is
one JSON object on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from typing import Any

import dsmsg
from dsmsg.brokers._process import wait_until

NOBODY = 65534
DELIVERY_S = 120.0


def roundtrip(connection: dsmsg.Connection, topic: str, payload: bytes) -> list[str]:
    """Sends a message and waits until the same connection has received it."""
    got = threading.Event()
    seen: list[str] = []

    def receive(message: dsmsg.Message) -> None:
        seen.append(message.payload.decode("latin-1"))
        if message.payload == payload:
            got.set()

    connection.subscribe([topic], receive)
    connection.send(topic, payload)
    got.wait(DELIVERY_S)
    return seen


def reload(connection: dsmsg.Connection, case: dict[str, Any]) -> dict[str, str]:
    """Sends, waits for the refusal, reloads, sends again; returns how both messages ended."""
    waiting = connection.send_async(case["topic"], b"before")
    wait_until(lambda: bool(connection.last_error()), DELIVERY_S)
    if case["gives_up"]:
        connection.work_until_done(DELIVERY_S)
    refusal = connection.last_error()
    connection.reload(None, case["reloaded"])
    later = connection.send_async(case["topic"], b"after")
    connection.work_until_done(DELIVERY_S)
    futures = {"before": waiting, "after": later}
    ends = {
        name: "open" if not future.done() else "err" if future.exception() else "ok"
        for name, future in futures.items()
    }
    return {**ends, "refusal": refusal}


def main() -> None:
    """Connects, performs the action, and reports everything that can be seen."""
    case: dict[str, Any] = json.load(sys.stdin)
    adaptor = dsmsg.Adaptor(case["adaptor"])
    if case["as_nobody"] and os.geteuid() == 0:  # root may read everything
        tempfile.tempdir = "/tmp"  # noqa: S108 - the usual one may be root's alone
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    answer: dict[str, Any] = {"outcome": "ok", "error": "", "describe": adaptor.describe()}
    began = time.monotonic()
    try:
        connection = adaptor.connect(case["conn_str"], case["config"])
    except dsmsg.DsmsgError as error:
        answer.update(outcome="null", error=str(error), seconds=time.monotonic() - began)
        print(json.dumps(answer))
        return
    answer["seconds"] = time.monotonic() - began
    with connection:
        try:
            if case["action"] == "send":
                connection.send(case["topic"], case["payload"].encode())
            elif case["action"] == "subscribe":
                connection.subscribe([case["topic"]], lambda message: None)
            elif case["action"] == "reload":
                answer["ends"] = reload(connection, case)
            else:
                answer["received"] = roundtrip(connection, case["topic"], case["payload"].encode())
        except dsmsg.DsmsgError as error:
            answer.update(outcome="err", error=str(error))
        answer.update(stats=connection.stats(), last_error=connection.last_error())
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
