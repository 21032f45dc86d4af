# SPDX-License-Identifier: Apache-2.0
"""What `dsmsg doctor` looks at: the adaptors, and what the trial brokers need."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from dsmsg._find import available
from dsmsg.brokers import BrokerError
from dsmsg.brokers.kafka_jars import find_java, kafka_libs
from dsmsg.brokers.mosquitto import find_mosquitto
from dsmsg.brokers.rabbitmq import find_rabbitmq

__all__ = ["examine"]

_EXPECTED = ("amqp", "kafka", "mqtt", "redis", "zmq")


def examine() -> dict[str, Any]:
    """Returns {"ok": bool, "checks": [{"name", "ok", "needed", "text"}]}.

    "ok" as a whole means that at least one adaptor was found and that every one found loads. What
    only trial brokers need is told, and not counted.
    """
    checks = [_adaptor(name) for name in dict.fromkeys((*_EXPECTED, *available()))]
    found = [check for check in checks if check["needed"]]
    ok = bool(found) and all(check["ok"] for check in found)
    return {"ok": ok, "checks": checks + _brokers()}


def _adaptor(name: str) -> dict[str, Any]:
    path = available().get(name)
    if path is None:
        return _check(
            name, False, False, "not found (build it, or set DSMSG_LIB_DIR to its folder)"
        )
    try:
        from dsmsg.adaptor import Adaptor

        adaptor = Adaptor(path)
        library = ""
        if "describe" in adaptor.extensions:
            about = adaptor.describe()
            library = f", dsmsg {about['version']} on {about['library']}"
        return _check(
            name, True, True, f"{adaptor.protocol}, contract {adaptor.version}{library}: {path}"
        )
    except ImportError as error:
        return _check(name, False, True, f"{path}: {error} (pip install cffi)")
    except (OSError, RuntimeError) as error:
        return _check(name, False, True, str(error))


def _brokers() -> list[dict[str, Any]]:
    server = shutil.which("redis-server")
    checks = [
        _check("redis-server", bool(server), False, server or "apt-get install redis-server"),
    ]
    programs: list[tuple[str, Callable[[], object]]] = [
        ("mosquitto", find_mosquitto),
        ("rabbitmq-server", find_rabbitmq),
        ("java", find_java),
        ("kafka jars", lambda: kafka_libs(fetch=False)),
    ]
    for name, find in programs:
        try:
            checks.append(_check(name, True, False, str(find())))
        except BrokerError as error:
            checks.append(_check(name, False, False, str(error)))
    return checks


def _check(name: str, ok: bool, needed: bool, text: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "needed": needed, "text": text}
