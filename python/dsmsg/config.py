# SPDX-License-Identifier: Apache-2.0
"""Typed settings of the adaptors.

    config = KafkaConfig(compression="zstd", message_timeout="2m", key="${sensor.id}")
    config.write("kafka.txt")                                # for a GStreamer pipeline
    dsmsg.Adaptor("kafka").connect("localhost;9092", config)  # or directly

The classes are generated from the adaptors' own tables (`make generate`).
"""

from __future__ import annotations

from dsmsg._config_base import Config
from dsmsg._options import ConfigError
from dsmsg._settings.amqp import AmqpConfig
from dsmsg._settings.kafka import KafkaConfig
from dsmsg._settings.mqtt import MqttConfig
from dsmsg._settings.redis import RedisConfig
from dsmsg._settings.zmq import ZmqConfig

__all__ = [
    "AmqpConfig",
    "Config",
    "ConfigError",
    "KafkaConfig",
    "MqttConfig",
    "RedisConfig",
    "ZmqConfig",
]
