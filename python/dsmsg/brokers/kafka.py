# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka (KRaft) for tests and trials: one node; a cluster is in kafka_cluster."""

from __future__ import annotations

import base64
import contextlib
import os
import struct
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dsmsg.brokers._base import Broker, BrokerError
from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._probe import exchange
from dsmsg.brokers.kafka_jars import (
    KAFKA4_VERSION,
    KAFKA_VERSION,
    class_archive,
    find_java,
    kafka_libs,
)

__all__ = ["Kafka4Broker", "KafkaBroker", "new_cluster_id"]

_LOG4J = """\
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
log4j.logger.org.apache.kafka.common.config.AbstractConfig=WARN
log4j.logger.kafka.server.KafkaConfig=WARN
log4j.logger.kafka.server.ReplicaFetcherManager=WARN
log4j.logger.kafka.cluster=WARN
log4j.logger.kafka.log=WARN
log4j.logger.kafka.utils=WARN
log4j.logger.state.change.logger=WARN
log4j.logger.org.apache.kafka.controller=WARN
log4j.logger.org.apache.kafka.image=WARN
"""
# Kafka 4 (with KAFKA_HOME) logs through log4j2.
_LOG4J2 = """\
Configuration:
  status: warn
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "%d %p %c{1}: %m%n"}}
  Loggers:
    Root: {level: info, AppenderRef: {ref: out}}
"""
# For a second JVM that only formats; it prints what matters.
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
_STARTED = b"Kafka Server started"


def new_cluster_id() -> str:
    """Returns what Kafka takes as the id of a cluster."""
    cluster = "-"
    while cluster.startswith("-"):  # would look like an option
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    return cluster


class KafkaBroker(Broker):
    """A Kafka server, broker and controller in one JVM.

    What the server acknowledged survives `kill`: it is in the kernel's page cache. Topics are made
    on first use, with four partitions.
    """

    kind: ClassVar[str] = "kafka"
    scheme: ClassVar[str] = "kafka"
    settings: ClassVar[tuple[str, ...]] = ("properties", "scram_users")
    set_help: ClassVar[str] = 'line of server.properties ("num.partitions=1")'
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    sasl: ClassVar[str] = "PLAIN"
    start_timeout: ClassVar[float] = 180.0
    stop_timeout: ClassVar[float] = 15.0
    version: ClassVar[str] = KAFKA_VERSION

    @classmethod
    def needed(cls) -> Mapping[str, Callable[[], object]]:
        """Returns what must be installed, or fetched."""
        return {"java": find_java, "kafka jars": lambda: kafka_libs(fetch=False)}

    @classmethod
    def fetch(cls) -> Path:
        """Fetches the jars, unless they are there."""
        return kafka_libs(cls.version)

    def __init__(
        self,
        *,
        port: int | None = None,
        folder: Path | str | None = None,
        properties: Mapping[str, str] | None = None,
        scram_users: Mapping[str, str] | None = None,
        node: int = 1,
        voters: Sequence[tuple[int, int]] = (),
        cluster: str | None = None,
    ) -> None:
        """Prepares a server.

        Args:
            port: port to listen on; None finds a free one.
            folder: for configuration, data and log, kept at the end; None makes a temporary one.
            properties: added to `server.properties`; they replace the defaults; a change of the
                attribute takes effect at the next start.
            scram_users: passwords by user name, for SCRAM-SHA-256 and SCRAM-SHA-512; made with the
                storage, so they hold from the first start. Names and passwords may not contain
                commas and brackets.
            node: number in its cluster.
            voters: number and controller port of every node of the cluster, this one's too;
                empty: it is alone. See `KafkaCluster`.
            cluster: the cluster's id, the same for all nodes; None makes one.
        """
        self.node = node
        self._voters = list(voters)
        self._cluster = cluster
        self.properties = dict(properties or {})
        self.scram_users = dict(scram_users or {})
        super().__init__(port=port, folder=folder)
        for number, controller in self._voters:
            if number == node:
                self._ports["controller"] = controller

    def _set(self, name: str, value: object) -> None:
        if not isinstance(value, Mapping) and value != ():
            raise TypeError(f"{value!r} is not an object of names and values")
        pairs = value.items() if isinstance(value, Mapping) else ()
        setattr(self, name, {str(key): str(text) for key, text in pairs})

    @classmethod
    def settings_from_lines(cls, lines: Sequence[str]) -> dict[str, Any]:
        """Turns "name=value" lines into properties.

        Raises:
            BrokerError: a line has no name or no equals sign.
        """
        pairs = [line.partition("=") for line in lines]
        for name, equals, _ in pairs:
            if not equals or not name:
                raise BrokerError(f"kafka: --set {name!r} is not of the form name=value")
        return {"properties": {name.strip(): value.strip() for name, _, value in pairs}}

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        """The first listener stays plain: the broker talks to itself through it."""
        login = "SASL_" if password is not None else ""
        listeners = ["PLAINTEXT://{host}:{port:plain}"] if login else []
        listeners.append("USERS://{host}:{port}" if login else "PLAINTEXT://{host}:{port}")
        listeners += ["TLS://{host}:{port:tls}"] if identity is not None else []
        lines = [
            f"listeners={','.join(listeners)},CONTROLLER://{{host}}:{{port:controller}}",
            f"advertised.listeners={','.join(listeners)}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            f"USERS:{login}PLAINTEXT,TLS:{login}{'SSL' if identity else 'PLAINTEXT'}",
        ]
        if identity is not None:
            lines += [
                "listener.name.tls.ssl.keystore.type=PEM",
                f"listener.name.tls.ssl.keystore.location={identity.both}",
            ]
        for name in ("users", "tls") if login else ():
            module = "org.apache.kafka.common.security.plain.PlainLoginModule"
            lines += [
                f"listener.name.{name}.sasl.enabled.mechanisms=PLAIN",
                f"listener.name.{name}.plain.sasl.jaas.config={module} required "
                f'user_{USER}="{password}";',
            ]
        return lines

    def _prepare(self) -> list[str]:
        java = find_java()
        libs = kafka_libs(self.version)
        (self.dir / "log4j.properties").write_text(_LOG4J, encoding="utf-8")
        (self.dir / "log4j2.yaml").write_text(_LOG4J2, encoding="utf-8")
        own = {name: self._expand(value) for name, value in self.properties.items()}
        properties = {**self._defaults(), **own}
        path = self.dir / "server.properties"
        path.write_text(
            "".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8"
        )
        archive = class_archive(java, libs)
        base = [
            java,
            *_JVM,
            *([f"-XX:SharedArchiveFile={archive}"] if archive and archive.exists() else []),
            f"-Dlog4j.configuration=file:{self.dir / 'log4j.properties'}",
            f"-Dlog4j2.configurationFile={self.dir / 'log4j2.yaml'}",
            "-cp",
            f"{libs}/*",
        ]
        if not (self.dir / "data" / "meta.properties").exists():
            self._format(
                [*base, "kafka.tools.StorageTool", "format", "--config", str(path)], archive
            )
        return [base[0], "-Xms128m", self._heap(), *base[1:], "kafka.Kafka", str(path)]

    def _heap(self) -> str:
        return "-Xmx256m" if self._voters else "-Xmx512m"

    def _defaults(self) -> dict[str, str]:
        client, controller = self.address, f"{self.host}:{self._extra_port('controller')}"
        voters = [f"{number}@{self.host}:{port}" for number, port in self._voters]
        voters = voters or [f"{self.node}@{controller}"]
        copies = str(min(3, len(voters)))
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.node),
            "controller.quorum.voters": ",".join(voters),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{client}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.dir / "data"),
            "auto.create.topics.enable": "true",
            "num.partitions": "4",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": copies,
            "default.replication.factor": copies,
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "1",
            # A consumer alone in its group need not wait for others.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # After a SIGKILL the old registration of this very broker has to expire first.
            "broker.heartbeat.interval.ms": "200",
            "broker.session.timeout.ms": "1000",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "background.threads": "2",
            "log.cleaner.dedupe.buffer.size": "8388608",
            "socket.request.max.bytes": "104857600",
        }

    def _format(self, command: list[str], archive: Path | None) -> None:
        """Formats the storage, and writes the archive of classes if it is not there yet."""
        cluster = self._cluster or new_cluster_id()
        new = None
        if archive is not None and not archive.exists():
            new = archive.with_suffix(f".{os.getpid()}-{self.port}")
            # Java 11 cannot write one.
            command[1:1] = ["-XX:+IgnoreUnrecognizedVMOptions", f"-XX:ArchiveClassesAtExit={new}"]
        with self.log_path.open("ab") as log:
            try:
                code = subprocess.run(
                    [*command, "--cluster-id", cluster, "--ignore-formatted", *self._scram()],
                    cwd=self.dir,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=self.start_timeout,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                self._fail(f"formatting its storage took over {self.start_timeout:g} s")
            except OSError as error:
                raise BrokerError(f"kafka: cannot start {command[0]}: {error.strerror}") from error
        if code != 0:
            self._fail(f"formatting its storage ended with exit code {code}")
        if archive is not None and new is not None and new.exists():
            new.replace(archive)  # all or nothing, for others that start now

    def _scram(self) -> list[str]:
        return [
            part
            for user, password in self.scram_users.items()
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for part in ("--add-scram", f"{mechanism}=[name={user},password={password}]")
        ]

    def _ready(self, log_offset: int) -> bool:
        # The log first: a broker answers requests before it has registered itself.
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(log_offset)
            if _STARTED not in log.read():
                return False
            if "listeners" in self.properties:  # perhaps TLS or SASL: only a client finds out
                return True
            return self._knows_itself()
        return False

    def _knows_itself(self) -> bool:
        """Tells whether the metadata (request 3, version 1, no topics) lists a broker."""
        body = struct.pack(">hhih5si", 3, 1, 7, 5, b"dsmsg", 0)
        answer = exchange(self.host, self.port, struct.pack(">i", len(body)) + body, framed=True)
        # correlation id, number of brokers
        return len(answer) >= 8 and answer[:4] == b"\0\0\0\7" and answer[4:8] != b"\0\0\0\0"


class Kafka4Broker(KafkaBroker):
    """A Kafka server of version 4."""

    kind: ClassVar[str] = "kafka4"
    version: ClassVar[str] = KAFKA4_VERSION
