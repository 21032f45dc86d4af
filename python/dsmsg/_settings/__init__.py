# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501
# fmt: off
"""A module for each adaptor, imported on first use. Made by scripts/generate.py: do not edit."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsmsg._settings.amqp import AmqpConfig
    from dsmsg._settings.azure import AzureConfig
    from dsmsg._settings.azure_edge import AzureEdgeConfig
    from dsmsg._settings.http import HttpConfig
    from dsmsg._settings.kafka import KafkaConfig
    from dsmsg._settings.mqtt import MqttConfig
    from dsmsg._settings.multi import MultiConfig
    from dsmsg._settings.nats import NatsConfig
    from dsmsg._settings.pulsar import PulsarConfig
    from dsmsg._settings.redis import RedisConfig
    from dsmsg._settings.zmq import ZmqConfig

__all__ = ["AmqpConfig", "AzureConfig", "AzureEdgeConfig", "HttpConfig", "KafkaConfig", "MqttConfig", "MultiConfig", "NatsConfig", "PulsarConfig", "RedisConfig", "ZmqConfig"]

ADAPTORS = {"amqp": "AmqpConfig", "azure": "AzureConfig", "azure_edge": "AzureEdgeConfig", "http": "HttpConfig", "kafka": "KafkaConfig", "mqtt": "MqttConfig", "multi": "MultiConfig", "nats": "NatsConfig", "pulsar": "PulsarConfig", "redis": "RedisConfig", "zmq": "ZmqConfig"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the name asked for
    """Imports the module that defines the class `name` (PEP 562)."""
    for adaptor, defined in ADAPTORS.items():
        if name == defined:
            return getattr(importlib.import_module(f"{__name__}.{adaptor}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
