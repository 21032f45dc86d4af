# SPDX-License-Identifier: Apache-2.0
"""Servers of NATS, HTTP and Pulsar, and several destinations."""

from __future__ import annotations

import platform
from collections.abc import Callable

from dsmsg.brokers import BrokerError
from dsmsg.brokers.caddy import caddy_version
from dsmsg.brokers.nginx import nginx_version

from compat import more_scenes, scenes
from compat.server import REDIS_DEFAULTS, SYSTEM, Server, debian, fetched

__all__ = ["REACH"]

# Apache Pulsar's own defaults, where dsmsg.brokers has others.
_PULSAR_DEFAULTS = {
    "defaultRetentionTimeInMinutes": "0",
    "defaultRetentionSizeInMB": "0",
    "brokerDeleteInactiveTopicsEnabled": "true",
    "defaultNumberOfNamespaceBundles": "4",
}


def _known(version: Callable[[], str]) -> Callable[[], str]:
    def told() -> str:
        try:
            return version()
        except BrokerError:
            return "?"

    return told


REACH = (
    *(
        Server(
            kind,
            "NATS",
            kind,
            "nats",
            fetched(kind),
            {"streams": {}},
            too_large=2 << 20,
            scenes=more_scenes.nats_scenes(),
        )
        for kind in ("nats", "nats210")
    ),
    Server(
        "nginx",
        f"nginx as reverse proxy, {SYSTEM}'s",
        "nginx",
        "http",
        _known(nginx_version),
        options={"key": "one"},
        too_large=2 << 20,
        scenes=more_scenes.nginx_scenes(),
    ),
    Server(
        "caddy",
        f"Caddy as reverse proxy, {SYSTEM}'s",
        "caddy",
        "http",
        _known(caddy_version),
        options={"key": "one"},
        scenes=more_scenes.caddy_scenes(),
    ),
    Server(
        "http",
        "Python's http.server",
        "http",
        "http",
        platform.python_version,
        options={"key": "one"},
    ),
    Server(
        "pulsar",
        "Apache Pulsar, standalone",
        "pulsar",
        "pulsar",
        fetched("pulsar"),
        {"properties": _PULSAR_DEFAULTS},
        too_large=6 << 20,
        scenes=more_scenes.pulsar_scenes(_PULSAR_DEFAULTS),
    ),
    Server(
        "multi",
        "mode all, two topics at Redis",
        "redis",
        "multi",
        debian("redis-server"),
        {"config": REDIS_DEFAULTS},
        options={"streamsize": 0},
        scenes=scenes.redis_scenes(REDIS_DEFAULTS),
        lacks=dict.fromkeys(("subscribe", "session"), "it only sends"),
        differs={"SIGKILL": "as with Redis: it has written nothing to disk yet (`appendonly no`)"},
    ),
)
