# SPDX-License-Identifier: Apache-2.0
"""A real Redis server for tests and trials."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._base import Broker, BrokerError, texts
from dsmsg.brokers._debian import debian13_programs
from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._probe import exchange

__all__ = ["Redis13Broker", "RedisBroker", "find_redis"]


def find_redis() -> str:
    """Returns the program: that of the environment variable REDIS_SERVER, else the first found.

    Raises:
        BrokerError: the server is not installed.
    """
    program = os.environ.get("REDIS_SERVER") or shutil.which(
        "redis-server", path=os.environ.get("PATH", os.defpath) + ":/usr/local/bin:/usr/bin"
    )
    if not program:
        raise BrokerError(
            "redis: cannot find the program redis-server (Debian, Ubuntu: apt-get install "
            "redis-server; or name it in the environment variable REDIS_SERVER)"
        )
    return program


class RedisBroker(Broker):
    """A `redis-server` process.

    What the server acknowledged survives `kill`: the append-only file is written, though not
    synced, before the reply goes out (`appendfsync everysec` may delay the write itself).
    """

    kind: ClassVar[str] = "redis"
    scheme: ClassVar[str] = "redis"
    set_help: ClassVar[str] = 'line of redis.conf ("maxmemory 10mb")'
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    start_timeout: ClassVar[float] = 180.0
    _settings: ClassVar[tuple[str, ...]] = ()  # lines of every configuration

    @classmethod
    def needed(cls) -> Mapping[str, Callable[[], object]]:
        """Returns what must be installed."""
        return {"redis-server": find_redis}

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
            config: lines added to the configuration file, for example "maxmemory 10mb". They
                replace the defaults; a change of the attribute takes effect at the next start.
        """
        self.config = list(config)
        super().__init__(port=port, folder=folder)

    def _set(self, name: str, value: object) -> None:
        self.config = texts(value)

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        lines = []
        if identity is not None:
            lines += [
                "tls-port {port:tls}",
                f"tls-cert-file {identity.cert}",
                f"tls-key-file {identity.key}",
                f"tls-ca-cert-file {identity.ca}",
                "tls-auth-clients no",
            ]
        if password is not None:
            digest = hashlib.sha256(password.encode()).hexdigest()
            lines += ["user default off", f"user {USER} on #{digest} ~* &* +@all"]
        return lines

    def _program(self) -> str:
        return find_redis()

    def _prepare(self) -> list[str]:
        program = self._program()
        lines = [
            f"bind {self.host}",
            f"port {self.port}",
            f'dir "{self.dir}"',
            "daemonize no",
            'save ""',
            "appendonly yes",
            "appendfsync no",
            "repl-diskless-sync-delay 0",
            *(self._expand(line) for line in [*self._settings, *self.config]),
        ]
        path = self.dir / "redis.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [program, str(path)]

    def _ready(self, log_offset: int) -> bool:
        answer = exchange(self.host, self.port, b"PING\r\n", framed=False)
        # A server that wants a password is ready, one that loads its data (-LOADING) is not.
        return answer.startswith((b"+PONG", b"-NOAUTH"))


class Redis13Broker(RedisBroker):
    """Debian 13's Redis, in a separate root folder."""

    kind: ClassVar[str] = "redis13"

    def _program(self) -> str:
        return str(debian13_programs() / "redis-server")
