# SPDX-License-Identifier: Apache-2.0
"""Real servers with certificates, users and rights, one process for each kind of broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import redis
from certificates import KEY_PASSWORD, Authority, Identity
from dsmsg.brokers import Broker, KafkaBroker, MosquittoBroker, RabbitMqBroker, RedisBroker

__all__ = ["RIGS", "SECRETS", "Outcome", "Pki", "Rig", "assert_no_secret", "run"]

ROOT = Path(__file__).resolve().parent.parent.parent
CHILD = Path(__file__).with_name("security_child.py")
CONNECT_TIMEOUT_S = 6.0
"""Where a refusal is expected, which some clients learn only by waiting."""
SUCCESS_TIMEOUT_S = 120.0
# alice may do everything, bob nothing that the tests want to do, carol is unknown
USERS = {"alice": "al1ce-Ford-42", "bob": "b0b-Trillian-42"}
WRONG_PASSWORD = "wr0ng-Zaphod-42"  # noqa: S105 - a test's
SECRETS = (*USERS.values(), WRONG_PASSWORD, KEY_PASSWORD)


class Pki:
    """Two authorities, and what servers and clients show each other."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ours")
        self.stranger = Authority(folder / "other", "another authority")
        issue = self.authority.issue
        self.servers: dict[str, Identity] = {
            "tls": issue("server"),
            "expired": issue("expired", expired=True),
            "wrong-host": issue("elsewhere", hosts=("elsewhere.example",)),
            "foreign": self.stranger.issue("stranger"),
        }
        self.client = issue("alice", hosts=("alice.example",))
        self.locked = issue("locked", hosts=("alice.example",), password=KEY_PASSWORD)
        self.foreign_client = self.stranger.issue("client", hosts=("alice.example",))

    @property
    def trust(self) -> dict[str, object]:
        """Settings: TLS, with our authority trusted."""
        return {"enable-tls": 1, "tls-cafile": self.authority.cafile}


@dataclass(frozen=True)
class Outcome:
    """What a child process did, and all its output."""

    answer: dict[str, Any]
    log: str

    @property
    def output(self) -> str:
        """Everything, to be searched for secrets."""
        return json.dumps(self.answer) + self.log

    @property
    def outcome(self) -> str:
        """`ok`, `null` (no handle) or `err` (a later call failed)."""
        return str(self.answer["outcome"])

    @property
    def error(self) -> str:
        """The adaptor's reason."""
        return str(self.answer["error"])


def run(
    adaptor: str,
    conn_str: str,
    config: Mapping[str, object] | Path,
    *,
    action: str = "send",
    topic: str = "topic",
    payload: str = "payload",
    environment: Mapping[str, str] | None = None,
    as_nobody: bool = False,
    reloaded: Mapping[str, object] | None = None,
    gives_up: bool = False,
) -> Outcome:
    """Uses an adaptor in a separate process, at the most verbose log level.

    Args:
        adaptor: short name.
        conn_str: connection string.
        config: settings, or a file that holds them.
        action: "send", "subscribe", "roundtrip": what is sent is received again, or "reload": what
            `config` cannot send waits for `reloaded`.
        topic: where.
        payload: what.
        environment: variables to set.
        as_nobody: root gives up its rights before it connects.
        reloaded: settings of the reload.
        gives_up: with `config` the link gives up.
    """
    case = {
        "adaptor": adaptor,
        "conn_str": conn_str,
        "config": str(config)
        if isinstance(config, Path)
        else {name: str(value) for name, value in config.items()},
        "action": action,
        "topic": topic,
        "payload": payload,
        "as_nobody": as_nobody,
        "reloaded": {name: str(value) for name, value in (reloaded or {}).items()},
        "gives_up": gives_up,
    }
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("USER_", "PASSWORD_"))
    }
    result = subprocess.run(
        [sys.executable, str(CHILD)],
        input=json.dumps(case),
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **clean,
            "PYTHONPATH": str(ROOT / "python"),
            "DSMSG_LOG": "debug",
            **(environment or {}),
        },
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return Outcome(json.loads(result.stdout), result.stderr)


def assert_no_secret(outcome: Outcome, secrets: Iterable[str] = SECRETS) -> None:
    """Searches all output for the secrets of the tests, and for their parts between dashes."""
    for secret in secrets:
        assert secret not in outcome.output
        assert secret.split("-")[1] not in outcome.output, "a part of a secret"


class Rig(ABC):
    """A running server with the listeners that `SCENES` lists.

    plain: no TLS, any user; tls, expired, wrong-host, foreign: TLS with that certificate;
    mutual: TLS that asks for a client certificate; login, login-tls: a user name is needed.
    """

    name: ClassVar[str]
    env_suffix: ClassVar[str]
    scheme: ClassVar[str]
    broker: Broker

    def __init__(self, pki: Pki, folder: Path) -> None:
        self.pki = pki
        self.folder = folder
        self.broker = self.make()
        self.broker.start()
        try:
            self.prepare()
        except BaseException:
            self.broker.close()
            raise

    @abstractmethod
    def make(self) -> Broker:
        """Makes the server, not yet started."""

    def prepare(self) -> None:  # noqa: B027 - not everybody has to
        """Makes users and the like in the running server."""

    def close(self) -> None:
        """Ends the server."""
        self.broker.close()

    def port(self, scene: str) -> int:
        """Returns the port where a scene can be met now."""
        return self.broker.port if scene == "plain" else self.broker.ports[scene]

    def login(self, user: str, password: str | None = None) -> dict[str, object]:
        """Settings to log in with."""
        return {"username": user, "password": password or USERS.get(user, WRONG_PASSWORD)}


class RedisRig(Rig):
    """One TLS port, whose certificate is changed while the server runs."""

    name = "redis"
    env_suffix = "REDIS"
    scheme = "redis"

    def make(self) -> Broker:
        """Makes the server."""
        server = self.pki.servers["tls"]
        return RedisBroker(
            config=[
                "tls-port {port:tls}",
                f"tls-cert-file {server.cert}",
                f"tls-key-file {server.key}",
                f"tls-ca-cert-file {self.pki.authority.cafile}",
                "tls-auth-clients no",
                f"user alice on >{USERS['alice']} ~* &* +@all",
                f"user bob on >{USERS['bob']} ~allowed:* resetchannels +@all",
            ]
        )

    def prepare(self) -> None:
        """Logs the administrator in for the whole run."""
        self._admin = redis.Redis(
            self.broker.host, self.broker.port, username="alice", password=USERS["alice"]
        )
        self._scene = ""

    def port(self, scene: str) -> int:
        """Changes the server to the scene."""
        tls = scene not in ("plain", "login")
        if scene != self._scene:
            server = self.pki.servers.get(scene, self.pki.servers["tls"])
            self._admin.config_set(
                "tls-cert-file", str(server.cert), "tls-key-file", str(server.key)
            )
            self._admin.config_set("tls-auth-clients", "yes" if scene == "mutual" else "no")
            everybody = "off" if scene.startswith("login") else "on"
            self._admin.execute_command("ACL", "SETUSER", "default", everybody)
            self._scene = scene
        return self.broker.ports["tls"] if tls else self.broker.port


class KafkaRig(Rig):
    """A listener for every scene."""

    name = "kafka"
    env_suffix = "KAFKA"
    scheme = "kafka"

    def make(self) -> Broker:
        """Makes the server."""
        scenes = {
            "plain": "PLAINTEXT",
            **dict.fromkeys((*self.pki.servers, "mutual"), "SSL"),
            "login": "SASL_PLAINTEXT",
            "login-tls": "SASL_SSL",
        }
        properties: dict[str, str] = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:alice;User:CN=alice;User:CN=locked",
        }
        listeners, advertised = [], []
        protocols = ["CONTROLLER:PLAINTEXT"]
        for scene, protocol in scenes.items():
            # The broker talks to itself through the first one.
            listener = "PLAINTEXT" if scene == "plain" else scene.upper().replace("-", "_")
            port = "{port}" if scene == "plain" else f"{{port:{scene}}}"
            listeners.append(f"{listener}://127.0.0.1:{port}")
            advertised.append(f"{listener}://localhost:{port}")
            protocols.append(f"{listener}:{protocol}")
            prefix = f"listener.name.{listener.lower()}."
            properties.update(self._tls(scene, prefix) if protocol.endswith("SSL") else {})
            properties.update(self._sasl(prefix) if protocol.startswith("SASL") else {})
        listeners.append("CONTROLLER://127.0.0.1:{port:controller}")
        properties["listeners"] = ",".join(listeners)
        properties["advertised.listeners"] = ",".join(advertised)
        properties["listener.security.protocol.map"] = ",".join(protocols)
        return KafkaBroker(properties=properties, scram_users=USERS)

    def _tls(self, scene: str, prefix: str) -> dict[str, str]:
        server = self.pki.servers.get(scene, self.pki.servers["tls"])
        return {
            f"{prefix}ssl.keystore.type": "PEM",
            f"{prefix}ssl.keystore.location": str(server.both),
            f"{prefix}ssl.truststore.type": "PEM",
            f"{prefix}ssl.truststore.location": str(self.pki.authority.cafile),
            f"{prefix}ssl.client.auth": "required" if scene == "mutual" else "none",
        }

    @staticmethod
    def _sasl(prefix: str) -> dict[str, str]:
        module = "org.apache.kafka.common.security"
        users = " ".join(f'user_{user}="{password}"' for user, password in USERS.items())
        scram = f"{module}.scram.ScramLoginModule required;"
        return {
            f"{prefix}sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            f"{prefix}plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule required {users};",
            f"{prefix}scram-sha-256.sasl.jaas.config": scram,
            f"{prefix}scram-sha-512.sasl.jaas.config": scram,
            f"{prefix}oauthbearer.sasl.jaas.config": f"{module}.oauthbearer."
            'OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="alice";',
        }

    def login(self, user: str, password: str | None = None) -> dict[str, object]:
        """Settings to log in with."""
        return {"sasl-mechanism": "SCRAM-SHA-256", **super().login(user, password)}


class MqttRig(Rig):
    """A listener of Mosquitto's for every scene."""

    name = "mqtt"
    env_suffix = "MQTT"
    scheme = "mqtt"

    def make(self) -> Broker:
        """Makes the server."""
        passwords, rights = self.folder / "passwords", self.folder / "rights"
        passwords.touch(mode=0o600)
        for user, password in USERS.items():
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True)
        rights.write_text("user alice\ntopic readwrite #\nuser bob\ntopic readwrite allowed/#\n")
        config = ["per_listener_settings true", "allow_anonymous true"]
        for scene in (*self.pki.servers, "mutual", "login", "login-tls"):
            config.append(f"listener {{port:{scene}}} 127.0.0.1")
            if scene.startswith("login"):
                config += ["allow_anonymous false", f"password_file {passwords}"]
                config.append(f"acl_file {rights}")
            else:
                config.append("allow_anonymous true")
            if scene != "login":
                server = self.pki.servers.get(scene, self.pki.servers["tls"])
                config += [f"certfile {server.cert}", f"keyfile {server.key}"]
                config.append(f"cafile {self.pki.authority.cafile}")
            if scene == "mutual":
                config.append("require_certificate true")
        return MosquittoBroker(config=config)


class AmqpRig(Rig):
    """RabbitMQ with one TLS listener, whose settings are changed while the server runs."""

    name = "amqp"
    env_suffix = "AMQP"
    scheme = "amqp"

    # guest logs in by default, so every listener knows users; "login" only names others.
    _CHANGE: ClassVar[str] = (
        "[begin ok = ranch:suspend_listener(R), O = ranch:get_transport_options(R), "
        "S = maps:get(socket_opts, O), "
        "N = lists:foldl(fun({K, _} = P, A) -> lists:keystore(K, 1, A, P) end, S, [%s]), "
        "ok = ranch:set_transport_options(R, O#{socket_opts := N}), "
        "ok = ranch:resume_listener(R) end "
        "|| {R, I} <- maps:to_list(maps:from_list(maps:to_list(ranch:info()))), "
        "maps:get(transport, I) =:= ranch_ssl]."
    )

    def make(self) -> Broker:
        """Makes the server."""
        server = self.pki.servers["tls"]
        return RabbitMqBroker(
            plugins=["rabbitmq_auth_mechanism_ssl"],
            config=[
                "listeners.ssl.default = 127.0.0.1:{port:tls}",
                f"ssl_options.cacertfile = {self.pki.authority.cafile}",
                f"ssl_options.certfile = {server.cert}",
                f"ssl_options.keyfile = {server.key}",
                "ssl_options.verify = verify_peer",
                "ssl_options.fail_if_no_peer_cert = false",
                "auth_mechanisms.1 = PLAIN",
                "auth_mechanisms.2 = EXTERNAL",
                "ssl_cert_login_from = common_name",
            ],
        )

    def prepare(self) -> None:
        """Makes the users."""
        self._scene = "tls"
        everything = [".*", ".*", ".*"]
        nothing = ["^$", "^$", "^$"]
        for user, password, rights in (
            ("alice", USERS["alice"], everything),
            ("bob", USERS["bob"], nothing),
            ("locked", WRONG_PASSWORD, everything),
        ):
            self.broker.ctl("add_user", user, password)
            self.broker.ctl("set_permissions", "-p", "/", user, *rights)

    def port(self, scene: str) -> int:
        """Changes the server to the scene."""
        if scene in ("plain", "login"):
            return self.broker.port
        scene = "tls" if scene == "login-tls" else scene
        if scene != self._scene:
            server = self.pki.servers.get(scene, self.pki.servers["tls"])
            required = "true" if scene == "mutual" else "false"
            self.broker.ctl(
                "eval",
                self._CHANGE % f'{{certfile, "{server.cert}"}}, {{keyfile, "{server.key}"}}, '
                f"{{fail_if_no_peer_cert, {required}}}",
            )
            self._scene = scene
        return self.broker.ports["tls"]


RIGS: dict[str, type[Rig]] = {
    rig.name: rig  # type: ignore[type-abstract]
    for rig in (RedisRig, KafkaRig, MqttRig, AmqpRig)
}
