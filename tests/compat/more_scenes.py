# SPDX-License-Identifier: Apache-2.0
"""Users, rights and TLS for the servers that package registries bring (see `scenes`)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dsmsg.brokers import Broker
from dsmsg.brokers._identity import USER
from dsmsg.brokers._registries import pip_folder
from dsmsg.brokers.caddy import CaddyBroker
from dsmsg.brokers.mqtt_servers import AmqttBroker

from compat.scenes import ALICE, BOB, KEYSTORE_PASSWORD, NOBODY, Pki, Scene, Scenes

__all__ = [
    "amqtt_scenes",
    "artemis_scenes",
    "brokerj_scenes",
    "caddy_scenes",
    "hivemq_scenes",
    "kfake_scenes",
    "launched_scenes",
    "mochi_scenes",
    "moquette_scenes",
    "nats_mqtt_scenes",
    "nats_scenes",
    "nginx_scenes",
    "pulsar_scenes",
    "rumqttd_scenes",
]


def mochi_scenes() -> Scenes:
    """A ledger of users and filters; TLS by flags."""

    def users(pki: Pki) -> Mapping[str, Any]:
        ledger = {
            "auth": [
                {"username": user, "password": password, "allow": True}
                for user, password in (ALICE, BOB)
            ],
            "acl": [
                {"username": "alice", "filters": {"#": 3}},
                {"username": "bob", "filters": {"open/#": 3, "#": 0}},
            ],
        }
        text = json.dumps(  # JSON is YAML
            {
                "listeners": [{"type": "tcp", "id": "t", "address": "{host}:{port}"}],
                "hooks": {"auth": {"allow_all": False, "ledger": ledger}},
            }
        )
        return {"config": [text]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        return {"config": [f"-tls-cert-file={pki.cert}", f"-tls-key-file={pki.key}"]}

    return {"password": Scene(users), "rights": Scene(users), "TLS": Scene(tls, reader=NOBODY)}


def launched_scenes(rights: bool = True) -> Scenes:
    """Servers behind our own launchers."""
    pairs = [f"user={user}:{password}" for user, password in (ALICE, BOB)]

    def users(pki: Pki) -> Mapping[str, Any]:
        return {"config": [*pairs, *(["open=bob:open"] if rights else [])]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        return {"config": [f"cert={pki.cert}", f"key={pki.key}"]}

    scenes = {"password": Scene(users), "TLS": Scene(tls, reader=NOBODY)}
    return {**scenes, **({"rights": Scene(users)} if rights else {})}


def kfake_scenes() -> Scenes:
    """The same, with SCRAM."""
    scenes = launched_scenes(rights=False)
    password = scenes["password"]
    return {**scenes, "password": replace(password, options={"sasl-mechanism": "SCRAM-SHA-256"})}


def amqtt_scenes() -> Scenes:
    """Plug-ins of its own."""
    listener = "listeners:\n  default:\n    type: tcp\n    bind: {host}:{port}"
    plugins = "amqtt.plugins."

    def users(pki: Pki) -> Mapping[str, Any]:
        path = pki.folder / "amqtt.users"
        code = "import pwdlib.hashers.argon2 as a, sys; print(a.Argon2Hasher().hash(sys.argv[1]))"
        environment = {**os.environ, "PYTHONPATH": str(pip_folder("amqtt", AmqttBroker.version))}
        hashes = [
            (user, subprocess.check_output([sys.executable, "-c", code, password], env=environment))
            for user, password in (ALICE, BOB)
        ]
        path.write_text("".join(f"{user}:{text.decode()}" for user, text in hashes))
        rights = "{alice: ['#'], bob: ['open/#']}"
        return {
            "config": [
                listener,
                "plugins:",
                f"  {plugins}authentication.FileAuthPlugin:",
                f"    password_file: {path}",
                f"  {plugins}topic_checking.TopicAccessControlListPlugin:",
                f"    publish_acl: {rights}",
                f"    acl: {rights}",
            ]
        }

    def tls(pki: Pki) -> Mapping[str, Any]:
        return {
            "config": [
                listener,
                "    ssl: true",
                f"    certfile: {pki.cert}",
                f"    keyfile: {pki.key}",
                f"    cafile: {pki.cafile}",
                "plugins:",
                f"  {plugins}authentication.AnonymousAuthPlugin:",
                "    allow_anonymous: true",
            ]
        }

    return {"password": Scene(users), "rights": Scene(users), "TLS": Scene(tls, reader=NOBODY)}


def nats_mqtt_scenes() -> Scenes:
    """Users with permissions, and TLS, in its configuration file."""

    def users(pki: Pki) -> Mapping[str, Any]:
        alice = f'{{user: "{ALICE[0]}", password: "{ALICE[1]}"}}'
        deny = 'permissions: {publish: {deny: "closed.>"}}'
        bob = f'{{user: "{BOB[0]}", password: "{BOB[1]}", {deny}}}'
        return {"config": [f"authorization {{ users: [ {alice}, {bob} ] }}"]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        files = f'cert_file: "{pki.cert}", key_file: "{pki.key}"'
        return {"config": [f"mqtt {{ listen: {{host}}:{{port}}, tls {{ {files} }} }}"]}

    return {"password": Scene(users), "rights": Scene(users), "TLS": Scene(tls, reader=NOBODY)}


def nats_scenes() -> Scenes:
    """Users with permissions, and TLS, in its configuration file."""

    def users(pki: Pki) -> Mapping[str, Any]:
        deny = 'permissions: {publish: {deny: "closed.>"}}'
        alice, bob = (f'user: "{user}", password: "{password}"' for user, password in (ALICE, BOB))
        return {
            "streams": {},
            "config": [f"authorization {{ users: [ {{{alice}}}, {{{bob}, {deny}}} ] }}"],
        }

    def tls(pki: Pki) -> Mapping[str, Any]:
        files = f'cert_file: "{pki.cert}", key_file: "{pki.key}"'
        return {"streams": {}, "config": [f"tls {{ {files} }}"]}

    return {"password": Scene(users), "rights": Scene(users), "TLS": Scene(tls, reader=NOBODY)}


def nginx_scenes() -> Scenes:
    """Basic authentication with a file, a location that one user may not use, TLS on the port."""

    def users(pki: Pki) -> Mapping[str, Any]:
        path = pki.folder / "nginx.users"
        path.write_text("".join(f"{user}:{{PLAIN}}{word}\n" for user, word in (ALICE, BOB)))
        login = [f'auth_basic "dsmsg"; auth_basic_user_file {path};']
        rule = f"set $who $remote_user$uri; if ($who ~ ^{BOB[0]}/closed) {{ return 403; }}"
        return {"config": [*login, rule]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        return {"config": [f"ssl_certificate {pki.cert};", f"ssl_certificate_key {pki.key};"]}

    probe = {"probe": "/"}
    return {
        "password": Scene(users, options=probe),
        "rights": Scene(users),
        "TLS": Scene(tls, reader=NOBODY),
    }


def caddy_scenes() -> Scenes:
    """Basic authentication, a rule by user and path, TLS on the port."""

    def users(pki: Pki) -> Mapping[str, Any]:
        command = [CaddyBroker.program(), "hash-password", "--plaintext"]
        hashes = [
            f"{user} {subprocess.check_output([*command, word], text=True).strip()}"
            for user, word in (ALICE, BOB)
        ]
        rule = f'expression {{http.auth.user.id}} == "{BOB[0]}"'
        closed = ["@closed {", rule, "path /closed*", "}", "respond @closed 403"]
        return {"config": ["basicauth {", *hashes, "}", *closed]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        return {"config": [f"tls {pki.cert} {pki.key}"]}

    # It checks a password with bcrypt, which takes a second of CPU.
    patient = {"connect-timeout": "60s", "request-timeout": "60s"}
    return {
        "password": Scene(users, options={"probe": "/", **patient}),
        "rights": Scene(users, options=patient),
        "TLS": Scene(tls, reader=NOBODY),
    }


def rumqttd_scenes(port: str) -> Scenes:
    """Users; it has no rights."""

    def users(pki: Pki) -> Mapping[str, Any]:
        return {"config": [f'auth = {{ {ALICE[0]} = "{ALICE[1]}", {BOB[0]} = "{BOB[1]}" }}']}

    return {"password": Scene(users, port, port)}


def hivemq_scenes() -> Scenes:
    """Users of an extension of ours; a TLS listener."""

    def users(pki: Pki) -> Mapping[str, Any]:
        pairs = [f"user={user}:{password}" for user, password in (ALICE, BOB)]
        return {"config": [*pairs, "open=bob:open"]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        word = KEYSTORE_PASSWORD
        return {
            "config": [
                "<tls-tcp-listener><port>{port}</port><bind-address>{host}</bind-address>"
                f"<tls><keystore><path>{pki.keystore}</path><password>{word}</password>"
                f"<private-key-password>{word}</private-key-password></keystore></tls>"
                "</tls-tcp-listener>"
            ]
        }

    return {"password": Scene(users), "rights": Scene(users), "TLS": Scene(tls, reader=NOBODY)}


def moquette_scenes() -> Scenes:
    """Files of users and rights; a TLS port."""
    up = "../" * 12  # it takes a name as relative to its folder, also one that begins with a slash

    def users(pki: Pki) -> Mapping[str, Any]:
        passwords, rights = pki.folder / "moquette.users", pki.folder / "moquette.rights"
        lines = [f"{u}:{hashlib.sha256(p.encode()).hexdigest()}\n" for u, p in (ALICE, BOB)]
        passwords.write_text("".join(lines))
        rights.write_text("user alice\ntopic readwrite +/+\n\nuser bob\ntopic readwrite open/+\n")
        return {
            "config": [
                "allow_anonymous false",
                f"password_file {up}{passwords}",
                f"acl_file {up}{rights}",
            ]
        }

    def tls(pki: Pki) -> Mapping[str, Any]:
        word = KEYSTORE_PASSWORD
        return {
            "config": [
                "ssl_port {port:tls}",
                f"jks_path {pki.keystore}",
                "key_store_type pkcs12",
                f"key_store_password {word}",
                f"key_manager_password {word}",
            ]
        }

    return {
        "password": Scene(users),
        "rights": Scene(users),
        "TLS": Scene(tls, "tls", "tls", NOBODY),
    }


def artemis_scenes() -> Scenes:
    """Roles; an acceptor with TLS."""
    permissions = "createNonDurableQueue deleteNonDurableQueue createDurableQueue "
    permissions += "deleteDurableQueue createAddress deleteAddress consume browse send manage"

    def setting(match: str, roles: str) -> str:
        types = "".join(f'<permission type="{t}" roles="{roles}"/>' for t in permissions.split())
        return f'<security-setting match="{match}">{types}</security-setting>'

    def users(pki: Pki) -> Mapping[str, Any]:
        pairs = [f"user={user}:{password}" for user, password in (ALICE, BOB)]
        settings = setting("#", "alice,bob") + setting("closed.#", "alice")
        return {"config": [*pairs, f"<security-settings>{settings}</security-settings>"]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        store = f"keyStorePath={pki.keystore};keyStorePassword={KEYSTORE_PASSWORD}"
        return {"config": [f"acceptor=sslEnabled=true;{store};keyStoreType=PKCS12"]}

    return {"password": Scene(users), "rights": Scene(users), "TLS": Scene(tls, reader=NOBODY)}


def brokerj_scenes() -> Scenes:
    """Users, a file of rules, a second port with TLS."""
    pairs = [f"user={user}:{password}" for user, password in (ALICE, BOB)]

    def users(pki: Pki) -> Mapping[str, Any]:
        path = pki.folder / "brokerj.rules"
        path.write_text(
            'ACL DENY-LOG bob PUBLISH EXCHANGE name="amq.topic" routingKey="closed.x"\n'
            "ACL ALLOW ALL ALL\n"
        )
        return {"config": [*pairs, f"rules={path}"]}

    def tls(pki: Pki) -> Mapping[str, Any]:
        return {"config": [*pairs, f"keystore={pki.keystore}:{KEYSTORE_PASSWORD}"]}

    return {
        "password": Scene(users),
        "rights": Scene(users),
        "TLS": Scene(tls, "tls", "tls", NOBODY),
    }


def pulsar_scenes(properties: Mapping[str, str]) -> Scenes:
    """Users with passwords, and rights to a topic; a TLS listener."""

    def users(pki: Pki) -> Mapping[str, Any]:
        own = {**properties, "superUserRoles": f"{USER},{ALICE[0]}"}
        return {"properties": own, "users": dict([ALICE, BOB])}

    def rights(broker: Broker) -> None:
        broker.ctl("PUT", "persistent/public/default/open.x", "{}")
        permissions = f"persistent/public/default/open.x/permissions/{BOB[0]}"
        broker.ctl("POST", permissions, '["produce","consume"]')

    def tls(pki: Pki) -> Mapping[str, Any]:
        own = {
            "brokerServicePortTls": "{port:tls}",
            "tlsCertificateFilePath": str(pki.cert),
            "tlsKeyFilePath": str(pki.key),
        }
        return {"properties": {**properties, **own}}

    return {
        "password": Scene(users),
        "rights": Scene(users, prepare=rights),
        "TLS": Scene(tls, "tls", "tls", NOBODY),
    }
