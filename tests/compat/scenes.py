# SPDX-License-Identifier: Apache-2.0
"""How each server is given users, rights and TLS: what no server has by default.

alice may do everything; bob may use topics that begin with "open" and no others.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from dsmsg.brokers import Broker

__all__ = [
    "ALICE",
    "BOB",
    "KEYSTORE_PASSWORD",
    "NOBODY",
    "Pki",
    "Scene",
    "Scenes",
    "kafka_scenes",
    "mosquitto_scenes",
    "rabbitmq_scenes",
    "redis_scenes",
]

KEYSTORE_PASSWORD = "k3y-Marvin-7"  # noqa: S105 - a test's
ALICE = ("alice", "al1ce-Ford-42")
BOB = ("bob", "b0b-Trillian-42")


@dataclass(frozen=True)
class Pki:
    """PEM files: an authority, and the server's certificate for 127.0.0.1."""

    cafile: Path
    cert: Path
    key: Path
    both: Path
    keystore: Path
    """PKCS #12, with `PASSWORD`."""
    folder: Path


@dataclass(frozen=True)
class Scene:
    """The server with users, rights or TLS."""

    settings: Callable[[Pki], Mapping[str, Any]]
    """For `Broker.configure`."""
    port: str = ""
    """Name of the listener for the adaptor; empty: the usual one."""
    reader_port: str = ""
    reader: tuple[str, str] = ALICE
    prepare: Callable[[Broker], None] = lambda broker: None
    """Makes users in the running server."""
    options: Mapping[str, object] = field(default_factory=dict)
    """For the adaptor."""


Scenes = Mapping[str, Scene]
"""By the check's name: "password", "rights", "TLS"."""

NOBODY = ("", "")


def mosquitto_scenes(config: Sequence[str]) -> Scenes:
    """A password file and an ACL file; a second listener with TLS."""

    def users(pki: Pki) -> Mapping[str, Any]:
        passwords, rights = pki.folder / "mosquitto.users", pki.folder / "mosquitto.rights"
        passwords.touch(mode=0o600)
        for user, password in (ALICE, BOB):
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True)
        rights.write_text("user alice\ntopic readwrite #\nuser bob\ntopic readwrite open/#\n")
        files = [f"password_file {passwords}", f"acl_file {rights}"]
        return {"config": [*config, "allow_anonymous false", *files]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        listener = [f"certfile {pki.cert}", f"keyfile {pki.key}"]
        return {"config": [*config, "listener {port:tls} 127.0.0.1", *listener]}

    return {
        "password": Scene(users),
        "rights": Scene(users),
        "TLS": Scene(tls, "tls", "tls", NOBODY),
    }


def redis_scenes(config: Sequence[str]) -> Scenes:
    """Users of the ACL; a TLS port."""

    def users(pki: Pki) -> Mapping[str, Any]:
        return {
            "config": [
                *config,
                f"user alice on >{ALICE[1]} ~* &* +@all",
                f"user bob on >{BOB[1]} ~open* resetchannels +@all",
                "user default off",
            ]
        }

    def tls(pki: Pki) -> Mapping[str, Any]:
        return {
            "config": [
                *config,
                "tls-port {port:tls}",
                f"tls-cert-file {pki.cert}",
                f"tls-key-file {pki.key}",
                f"tls-ca-cert-file {pki.cafile}",
                "tls-auth-clients no",
            ]
        }

    return {
        "password": Scene(users),
        "rights": Scene(users),
        "TLS": Scene(tls, "tls", "tls", NOBODY),
    }


def rabbitmq_scenes(protocol: str) -> Scenes:
    """Users made with rabbitmqctl; topic permissions; a TLS listener."""
    plugins = ["rabbitmq_mqtt"] if protocol == "mqtt" else []

    def plain(pki: Pki) -> Mapping[str, Any]:
        return {"plugins": plugins}

    def tls(pki: Pki) -> Mapping[str, Any]:
        name = "mqtt.listeners.ssl" if protocol == "mqtt" else "listeners.ssl"
        return {
            "plugins": plugins,
            "config": [
                f"{name}.default = 127.0.0.1:{{port:tls}}",
                f"ssl_options.cacertfile = {pki.cafile}",
                f"ssl_options.certfile = {pki.cert}",
                f"ssl_options.keyfile = {pki.key}",
            ],
        }

    def users(broker: Broker) -> None:
        for user, password in (ALICE, BOB):
            broker.ctl("add_user", user, password)
            broker.ctl("set_permissions", "-p", "/", user, ".*", ".*", ".*")
        broker.ctl("set_topic_permissions", "-p", "/", "bob", "amq.topic", "^open.*", ".*")

    port = "mqtt" if protocol == "mqtt" else ""
    return {
        "password": Scene(plain, port, port, prepare=users),
        "rights": Scene(plain, port, port, prepare=users),
        "TLS": Scene(tls, "tls", "tls", NOBODY),
    }


def kafka_scenes(properties: Mapping[str, str]) -> Scenes:
    """SCRAM for the password, PLAIN and ACLs for the rights, a TLS listener; all on one server."""
    module = "org.apache.kafka.common.security"

    def everything(pki: Pki) -> Mapping[str, Any]:
        users = " ".join(f'user_{user}="{password}"' for user, password in (ALICE, BOB))
        names = {"PLAINTEXT": "{port}", "LOGIN": "{port:login}", "TLS": "{port:tls}"}
        listeners = [f"{name}://127.0.0.1:{port}" for name, port in names.items()]
        return {
            "properties": {
                **properties,
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS;User:alice",
                "listeners": ",".join([*listeners, "CONTROLLER://127.0.0.1:{port:controller}"]),
                "advertised.listeners": ",".join(listeners),
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
                "LOGIN:SASL_PLAINTEXT,TLS:SSL",
                "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
                "listener.name.login.plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule "
                f"required {users};",
                "listener.name.login.scram-sha-256.sasl.jaas.config": f"{module}.scram."
                "ScramLoginModule required;",
                "listener.name.tls.ssl.keystore.type": "PEM",
                "listener.name.tls.ssl.keystore.location": str(pki.both),
            },
            "scram_users": dict([ALICE, BOB]),
        }

    def rights(broker: Broker) -> None:
        admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
        acl = AclBinding(
            ResourceType.TOPIC,
            "open",
            ResourcePatternType.PREFIXED,
            "User:bob",
            "*",
            AclOperation.ALL,
            AclPermissionType.ALLOW,
        )
        for made in admin.create_acls([acl]).values():
            made.result(30)

    scram = {"sasl-mechanism": "SCRAM-SHA-256"}
    plain = {"sasl-mechanism": "PLAIN"}
    return {
        "password": Scene(everything, "login", "", NOBODY, options=scram),
        "rights": Scene(everything, "login", "", NOBODY, prepare=rights, options=plain),
        "TLS": Scene(everything, "tls", "", NOBODY),
    }
