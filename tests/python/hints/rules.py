# SPDX-License-Identifier: Apache-2.0
"""The facts about one adaptor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dsmsg.brokers import Broker

__all__ = ["Hints"]


@dataclass(frozen=True)
class Hints:
    """What an adaptor's error texts say, and with what server they are tried."""

    kind: str
    """What is asked about a port where something unknown listens."""
    tls_port: tuple[str, ...] = ("that port speaks TLS",)
    """What is said of a port with TLS, one of these."""
    server: Callable[[], Broker] | None = None
    """Makes a server that clients reach through a proxy too."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What a connection to that server needs."""
