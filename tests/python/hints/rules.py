# SPDX-License-Identifier: Apache-2.0
"""The facts about one adaptor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dsmsg.brokers import Broker

__all__ = ["Hints"]


@dataclass(frozen=True)
class Hints:
    """What an adaptor's error texts say, and the server they are tested with."""

    kind: str
    """The question about a port where something unknown listens."""
    tls_port: tuple[str, ...] = ("that port speaks TLS",)
    """One of these texts is expected for a port with TLS."""
    server: Callable[[], Broker] | None = None
    """Makes a server that clients reach through a proxy too."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What a connection to that server needs."""
