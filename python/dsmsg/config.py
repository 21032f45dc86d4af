# SPDX-License-Identifier: Apache-2.0
"""Typed settings of the adaptors.

    config = KafkaConfig(compression="zstd", message_timeout="2m", key="${sensor.id}")
    config.write("kafka.txt")                                # for a GStreamer pipeline
    dsmsg.Adaptor("kafka").connect("localhost;9092", config)  # or directly

The classes are generated from the adaptors' own tables (`make generate`).
"""

from __future__ import annotations

from dsmsg import _settings
from dsmsg._config_base import Config
from dsmsg._options import ConfigError
from dsmsg._settings import *  # noqa: F403 - one class for each adaptor

__all__ = ["Config", "ConfigError"]
__all__ += _settings.__all__
