# SPDX-License-Identifier: Apache-2.0
"""MQTT servers from package registries."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import ClassVar

from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._packaged import JavaBroker, PackagedBroker
from dsmsg.brokers._registries import (
    LAUNCHERS,
    cargo_program,
    find_node,
    go_program,
    npm_modules,
    pip_folder,
)
from dsmsg.brokers.nats import nats_server

__all__ = [
    "AedesBroker",
    "AmqttBroker",
    "ArtemisBroker",
    "HiveMqBroker",
    "MochiBroker",
    "MoquetteBroker",
    "NatsMqttBroker",
    "RumqttdBroker",
]


class MochiBroker(PackagedBroker):
    """mochi-mqtt: the module's own program; with settings, that of its Docker image."""

    kind: ClassVar[str] = "mochi"
    can_tls: ClassVar[bool] = True
    version: ClassVar[str] = "v2.7.9"
    set_help: ClassVar[str] = 'line of its config.yaml, or a flag ("-tls-cert-file=FILE")'

    def _prepare(self) -> list[str]:
        lines = self._lines()
        module = "github.com/mochi-mqtt/server/v2"
        if lines and not lines[0].startswith("-"):
            program = go_program("mochi-docker", module, self.version, "cmd/docker")
            return [str(program), "--config", str(self._write("config.yaml", "\n".join(lines)))]
        program = go_program("mochi", module, self.version, "cmd")
        listeners = [f"-{name}={self.host}:{self._extra_port(name)}" for name in ("ws", "info")]
        return [str(program), f"-tcp={self.address}", *listeners, *lines]

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        if identity is None:
            return []
        return [f"-tls-cert-file={identity.cert}", f"-tls-key-file={identity.key}"]


class AedesBroker(PackagedBroker):
    """Aedes, a library for Node.js, wrapped in our own program."""

    kind: ClassVar[str] = "aedes"
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    version: ClassVar[str] = "1.2.0"
    set_help: ClassVar[str] = "user=NAME:PASSWORD, open=NAME:PREFIX, cert=FILE, key=FILE"

    def _prepare(self) -> list[str]:
        modules = npm_modules("aedes", self.version)
        program = str(LAUNCHERS / "aedes.mjs")
        node = str(find_node() / "node")
        return [node, program, str(modules), self.host, str(self.port), *self._lines()]


class AmqttBroker(PackagedBroker):
    """amqtt, on asyncio; it speaks MQTT 3.1.1 alone."""

    kind: ClassVar[str] = "amqtt"
    version: ClassVar[str] = "0.12.1"
    set_help: ClassVar[str] = "line of its YAML file, which they replace"

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, "PYTHONPATH": str(pip_folder("amqtt", self.version))}

    def _prepare(self) -> list[str]:
        default = """\
listeners:
  default:
    type: tcp
    bind: {host}:{port}
plugins:
  amqtt.plugins.logging_amqtt.EventLoggerPlugin:
  amqtt.plugins.logging_amqtt.PacketLoggerPlugin:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
  amqtt.plugins.sys.broker.BrokerSysPlugin:
    sys_interval: 20
"""
        path = self._write("broker.yaml", "\n".join(self.config) or default)
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(path)]


class NatsMqttBroker(PackagedBroker):
    """NATS with MQTT, which needs JetStream."""

    kind: ClassVar[str] = "nats_mqtt"
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    version: ClassVar[str] = "2.15.1"
    set_help: ClassVar[str] = "line of its configuration file"

    def _prepare(self) -> list[str]:
        lines = [
            "listen: {host}:{port:nats}",
            "server_name: dsmsg",
            'jetstream { store_dir: "{dir}/data" }',
            *self.config,
        ]
        if not any(line.startswith("mqtt") for line in self.config):
            lines.append("mqtt { listen: {host}:{port} }")
        path = self._write("nats.conf", "\n".join(lines) + "\n")
        return [nats_server(self.version), "-c", str(path)]

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        lines = []
        if password is not None:
            lines.append(f'authorization {{ user: "{USER}", password: "{password}" }}')
        if identity is not None:
            files = f'cert_file: "{identity.cert}", key_file: "{identity.key}"'
            lines.append(f"mqtt {{ listen: {{host}}:{{port}}, tls {{ {files} }} }}")
        return lines


class RumqttdBroker(PackagedBroker):
    """rumqttd with the configuration of its crate: a listener for MQTT 3.1.1, one for 5."""

    kind: ClassVar[str] = "rumqttd"
    version: ClassVar[str] = "0.20.0"
    set_help: ClassVar[str] = "line of the tables v4.1.connections and v5.1.connections"

    def _prepare(self) -> list[str]:
        limits = """\
connection_timeout_ms = 60000
max_payload_size = 20480
max_inflight_count = 100
dynamic_filters = true
"""
        more = "\n".join(self.config)
        text = f"""\
id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v4.1]
name = "v4-1"
listen = "{{host}}:{{port}}"
next_connection_delay_ms = 1
[v4.1.connections]
{limits}{more}
[v5.1]
name = "v5-1"
listen = "{{host}}:{{port:v5}}"
next_connection_delay_ms = 1
[v5.1.connections]
{limits}{more}
"""
        program = cargo_program("rumqttd", self.version)
        return [str(program), "-c", str(self._write("rumqttd.toml", text))]


class HiveMqBroker(JavaBroker):
    """HiveMQ CE, embedded."""

    kind: ClassVar[str] = "hivemq"
    can_password: ClassVar[bool] = True
    version: ClassVar[str] = "2025.5"
    artifacts = (("com.hivemq", "hivemq-community-edition-embedded", version),)
    set_help: ClassVar[str] = "user=NAME:PASSWORD, open=NAME:TOPIC, or XML beside the listener"

    def _prepare(self) -> list[str]:
        lines = self._lines()
        xml = [line for line in lines if line.startswith("<")]
        plain = (
            "<tcp-listener><port>{port}</port><bind-address>{host}</bind-address></tcp-listener>"
        )
        text = "".join(xml) or plain
        self._write(
            "config.xml",
            f'<?xml version="1.0"?><hivemq><listeners>{text}</listeners>'
            "<anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>"
            "</hivemq>\n",
        )
        others = [line for line in lines if not line.startswith("<")]
        return [*self._java("Hivemq.java", "-Xmx512m"), str(self.dir), *others]


class MoquetteBroker(JavaBroker):
    """Moquette; it speaks MQTT 3.1.1."""

    kind: ClassVar[str] = "moquette"
    version: ClassVar[str] = "0.17"
    artifacts = (
        ("io.moquette", "moquette-broker", version),
        ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    )
    set_help: ClassVar[str] = 'line of moquette.conf ("allow_anonymous false")'

    def _prepare(self) -> list[str]:
        (self.dir / "config").mkdir(exist_ok=True)
        (self.dir / "data").mkdir(exist_ok=True)
        lines = [
            "port {port}",
            "host {host}",
            "data_path {dir}/data",
            "telemetry_enabled false",
            *self.config,
        ]
        self._write("config/moquette.conf", "\n".join(lines) + "\n")
        log = self._write(
            "log4j.properties",
            "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.SimpleLayout\n",
        )
        options = (f"-Dmoquette.path={self.dir}", f"-Dlog4j.configuration=file:{log}", "-Xmx512m")
        return self._java("io.moquette.broker.Server", *options)


class ArtemisBroker(JavaBroker):
    """Apache ActiveMQ Artemis, embedded, with its MQTT acceptor."""

    kind: ClassVar[str] = "artemis"
    can_password: ClassVar[bool] = True
    version: ClassVar[str] = "2.40.0"
    artifacts = (
        ("org.apache.activemq", "artemis-server", version),
        ("org.apache.activemq", "artemis-mqtt-protocol", version),
    )
    set_help: ClassVar[str] = "user=NAME:PASSWORD, acceptor=PARAMETERS, or XML of broker.xml's core"

    def _prepare(self) -> list[str]:
        lines = self._lines()
        xml = "".join(line for line in lines if line.startswith("<"))
        more = "".join(f";{line[9:]}" for line in lines if line.startswith("acceptor="))
        users = [line for line in lines if line.startswith("user=")]
        path = self._write(
            "broker.xml",
            '<?xml version="1.0"?><configuration xmlns="urn:activemq">'
            '<core xmlns="urn:activemq:core">'
            f"<security-enabled>{'true' if users else 'false'}</security-enabled>"
            "<journal-directory>{dir}/data/journal</journal-directory>"
            "<bindings-directory>{dir}/data/bindings</bindings-directory>"
            "<large-messages-directory>{dir}/data/large</large-messages-directory>"
            "<paging-directory>{dir}/data/paging</paging-directory>"
            '<acceptors><acceptor name="mqtt">'
            f"tcp://{{host}}:{{port}}?protocols=MQTT{more}</acceptor></acceptors>"
            f"{xml}</core></configuration>\n",
        )
        return [*self._java("Artemis.java", "-Xmx512m"), f"file:{path}", *users]
