# SPDX-License-Identifier: Apache-2.0
"""A real Mosquitto (MQTT) server for tests and trials."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pwd
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._base import Broker, BrokerError, texts
from dsmsg.brokers._debian import debian13_programs
from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._probe import first_bytes

__all__ = ["Mosquitto13Broker", "MosquittoBroker", "find_mosquitto"]

# MQTT 3.1.1, clean session, no keep-alive, no client id
_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"
_CONNACK = b"\x20\x02"


def find_mosquitto() -> str:
    """Returns the program: that of the environment variable MOSQUITTO, else the first found.

    Raises:
        BrokerError: the server is not installed.
    """
    program = os.environ.get("MOSQUITTO") or shutil.which(
        "mosquitto",
        path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/usr/bin",
    )
    if not program:
        raise BrokerError(
            "mosquitto: cannot find the program mosquitto (Debian, Ubuntu: apt-get install "
            "mosquitto; or name it in the environment variable MOSQUITTO)"
        )
    return program


class MosquittoBroker(Broker):
    """A `mosquitto` process.

    Any client may connect. Retained messages and those of persistent sessions are written to the
    folder once a second and at `stop`: `kill` loses what came after the last write, although it was
    acknowledged. The settings `autosave_on_changes true` and `autosave_interval 1` write after
    every second change instead, which is slow.
    """

    kind: ClassVar[str] = "mosquitto"
    scheme: ClassVar[str] = "mqtt"
    set_help: ClassVar[str] = 'line of mosquitto.conf ("max_inflight_messages 100")'
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    start_timeout: ClassVar[float] = 180.0

    @classmethod
    def needed(cls) -> Mapping[str, Callable[[], object]]:
        """Returns what must be installed."""
        return {"mosquitto": find_mosquitto}

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
            config: lines added to the configuration file after the loopback listener (options of a
                listener therefore apply to it until another `listener` line), for example
                "max_inflight_messages 100". They replace defaults of the same name; a change of the
                attribute takes effect at the next start.
        """
        self.config = list(config)
        super().__init__(port=port, folder=folder)

    def _set(self, name: str, value: object) -> None:
        self.config = texts(value)

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        lines = []
        if password is not None:
            lines += ["allow_anonymous false", f"password_file {self._password_file(password)}"]
        if identity is not None:
            lines += [
                "listener {port:tls} {host}",
                f"certfile {identity.cert}",
                f"keyfile {identity.key}",
            ]
        return lines

    def _password_file(self, password: str) -> Path:
        """The server's own form: salted and hashed with PBKDF2-HMAC-SHA512."""
        salt, rounds = os.urandom(12), 101
        digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
        texts = (base64.b64encode(each).decode("ascii") for each in (salt, digest))
        path = self.dir / "passwords"
        path.touch(mode=0o600)
        path.write_text(f"{USER}:$7${rounds}${'$'.join(texts)}\n", encoding="utf-8")
        return path

    def _program(self) -> str:
        return find_mosquitto()

    def _listener(self) -> int:
        """The port of the listener that needs nothing."""
        return self.port

    def _prepare(self) -> list[str]:
        program = self._program()
        lines = [self._expand(line) for line in self.config]
        named = {line.split(maxsplit=1)[0] for line in lines if line.strip()}
        before = {
            "persistence": "true",
            "persistence_location": f"{self.dir}/",
            "autosave_interval": "1",
            "max_queued_messages": "0",  # no limit: a slow consumer loses nothing
            "log_dest": "stderr",
        }
        with contextlib.suppress(KeyError):  # started by root, it would become another user
            before["user"] = pwd.getpwuid(os.getuid()).pw_name
        first = [line for line in lines if line.startswith("per_listener_settings")]
        first += [f"{name} {value}" for name, value in before.items() if name not in named]
        first.append(f"listener {self._listener()} {self.host}")
        if "allow_anonymous" not in named:
            first.append("allow_anonymous true")
        first += [line for line in lines if not line.startswith("per_listener_settings")]
        path = self.dir / "mosquitto.conf"
        path.write_text("\n".join(first) + "\n", encoding="utf-8")
        return [program, "-c", str(path)]

    def _ready(self, log_offset: int) -> bool:
        if first_bytes(self.host, self._listener(), _CONNECT, 4).startswith(_CONNACK):
            return True  # any answer: a server that wants a password is ready
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(log_offset)  # a listener with TLS answers nothing
            return b" running\n" in log.read()
        return False


class Mosquitto13Broker(MosquittoBroker):
    """Debian 13's Mosquitto, in a separate root folder."""

    kind: ClassVar[str] = "mosquitto13"

    def _program(self) -> str:
        return str(debian13_programs() / "mosquitto")
