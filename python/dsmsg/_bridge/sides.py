# SPDX-License-Identifier: Apache-2.0
"""A broker as the source or the destination of a route: its adaptor, address and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dsmsg._address import without_login
from dsmsg._cli._address import Server, servers

__all__ = ["Side", "destination_settings", "loses", "separator", "source_settings"]

_TRUE = ("1", "true", "yes", "on")
_GROUPS = {
    "KAFKA": {"consumer-group-id": "dsmsg-bridge-{}"},
    "MQTT": {"client-id": "dsmsg-bridge-{}", "clean-session": "0"},
    "REDIS": {"consumergroup": "dsmsg-bridge-{}", "consumername": "dsmsg-bridge"},
    "AMQP": {"queue": "dsmsg-bridge-{}", "prefetch": "1000"},
    "NATS": {"durable": "dsmsg-bridge-{}"},
    "PULSAR": {"subscription": "dsmsg-bridge-{}"},
}
"""What a source sets, unless the file does, so that the broker keeps what is not acknowledged."""

_RECONNECTS = {"reconnect": "1", "reconnect-attempts": "0"}
_LOCAL = ("localhost", "127.0.0.1", "::1", "")


@dataclass(frozen=True)
class Side:
    """How to reach a broker. `repr` shows no settings: they may hold a password."""

    adaptor: str
    protocol: str
    conn_str: str | None
    default_port: int
    settings: Mapping[str, str] = field(repr=False)

    def __repr__(self) -> str:
        return f"{self.protocol} {without_login(self.conn_str)!r}"

    @property
    def servers(self) -> frozenset[tuple[str, int, str]]:
        """Hosts, ports and databases (or virtual hosts); those of this machine have one name."""
        found = servers(self.conn_str, self.default_port)
        if not found and self.settings.get("hostname"):
            port = self.settings.get("port", "")
            number = int(port) if port.isdigit() else self.default_port
            found = [Server(self.settings["hostname"], number)]
        rest = (self.conn_str or "").partition("://")[2].partition("/")[2]
        return frozenset(
            ("localhost" if s.host in _LOCAL else s.host.lower(), s.port, rest) for s in found
        )


def separator(protocol: str) -> str:
    """Returns what separates the parts of a topic."""
    return {"AMQP": ".", "KAFKA": ".", "NATS": ".", "PULSAR": "."}.get(protocol, "/")


def source_settings(
    protocol: str, route: str, given: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Returns the settings of a source, and those of the given ones that it cannot use.

    It has what makes its broker keep messages, unless given otherwise; the route encodes.
    """
    kept = {name: value.format(route) for name, value in _GROUPS.get(protocol, {}).items()}
    own = {**_RECONNECTS, "key-encoding": "none", "value-encoding": "none"}
    return {**kept, **given, **own}, _unused(own, given)


def loses(protocol: str, settings: Mapping[str, str]) -> str:
    """Says what makes this source lose messages in flight when the bridge is killed; "" if not."""
    off = ("0", "false", "no", "off")
    if protocol == "KAFKA":
        return "commit-offsets=0" if settings.get("commit-offsets") in off else ""
    if protocol == "MQTT":
        if settings.get("qos") == "0":
            return "qos=0"
        return "" if settings.get("clean-session") in off else "clean-session=1"
    if protocol == "REDIS":
        command = settings.get("command", "xadd").lower()
        if command != "xadd":
            return f"command={command}"
        return "" if settings.get("consumergroup") else "a stream without a consumergroup"
    if protocol == "AMQP":
        return "" if settings.get("queue") else "a private queue"
    if protocol == "NATS":
        if settings.get("jetstream") in off:
            return "jetstream=0"
        return "" if settings.get("durable") else "consumers that are not durable"
    if protocol == "PULSAR":
        return "" if settings.get("subscription") else "no subscription that the broker keeps"
    if protocol in ("HTTP", "AZURE_DEVICE_CLIENT", "AZURE_MODULE_CLIENT"):
        # A request is answered, and a hub is told, once the message is acknowledged.
        return ""
    return f"{protocol} has no acknowledgement for received messages"


def destination_settings(
    given: Mapping[str, str], most_messages: int, most_bytes: int
) -> tuple[dict[str, str], list[str]]:
    """Returns the settings of a destination, and those of the given ones that it cannot use.

    A message must wait for its broker however long that takes: an error would mean that the broker
    refused it.
    """
    own = {
        **_RECONNECTS,
        "overflow": "block",
        "message-timeout": "0",
        "memory-high-water": "0",
        "queue-size": str(most_messages + 1),
        "queue-bytes": str(8 * most_bytes + (1 << 30)),  # templates may make payloads larger
    }
    if given.get("overflow") == "spool":
        own.pop("overflow")
    return {**given, **own}, _unused(own, given)


def _unused(own: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    return [
        name
        for name, value in own.items()
        if given.get(name, value) != value and not (value == "1" and given[name] in _TRUE)
    ]
