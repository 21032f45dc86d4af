# SPDX-License-Identifier: Apache-2.0
"""What is known about a server of the battery."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsmsg.brokers import KINDS, Broker, make

from compat.scenes import Scenes

__all__ = ["REDIS_DEFAULTS", "SYSTEM", "Server", "debian", "fetched"]

_OS = dict(
    line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
)
SYSTEM = f"{_OS.get('NAME', 'Linux')} {_OS.get('VERSION_ID', '')}".replace('"', "").strip()
SYSTEM = SYSTEM.replace(" GNU/Linux", "")
REDIS_DEFAULTS = [
    *("save 3600 1", "save 300 100", "save 60 10000"),
    *("appendonly no", "appendfsync everysec"),
]


@dataclass(frozen=True)
class Server:
    """A server with its default configuration, and what is known about it."""

    name: str
    """On the command line."""
    title: str
    """In the table."""
    kind: str
    """Of `dsmsg.brokers`."""
    protocol: str
    version: Callable[[], str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """For `Broker.configure`: what undoes the settings that `dsmsg.brokers` tunes for tests."""
    port: str = ""
    """Name of the listener; empty: the first one."""
    v5: bool = True
    """MQTT: it speaks version 5."""
    options: Mapping[str, object] = field(default_factory=dict)
    """For the adaptor: only what is needed to work at all."""
    too_large: int | None = None
    """Bytes that it refuses by default."""
    largest: int | None = None
    """The largest payload that it takes, when that is below 200 KB."""
    scenes: Scenes = field(default_factory=dict)
    client: str = ""
    """Kafka: "wheel" for the librdkafka of the newest confluent-kafka wheel."""
    quiet: float = 8.0
    """MQTT: seconds after which a reader that gets nothing gives up."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """What it lacks, and why, by check."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """Why outcomes differ because of the server, by check."""

    def make(self) -> Broker:
        """Makes the server, not yet started."""
        broker = make(self.kind)
        broker.configure(self.settings)
        return broker


def fetched(kind: str) -> Callable[[], str]:
    """Returns a function for the version of a server that is fetched."""
    version: str = KINDS[kind].version.removeprefix("v")  # type: ignore[attr-defined]
    return lambda: version


def debian(package: str) -> Callable[[], str]:
    """Returns a function for the version of an installed package."""

    def version() -> str:
        found = subprocess.run(
            ["dpkg-query", "-W", "-f", "${source:Upstream-Version}", package],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return found.partition("+")[0].partition("~")[0]

    return version
