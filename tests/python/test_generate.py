# SPDX-License-Identifier: Apache-2.0
"""The generated settings classes are those of the built adaptors (abi.generated: word for word)."""

from __future__ import annotations

import pytest
from dsmsg import Adaptor, AmqpConfig, Config, KafkaConfig, MqttConfig, RedisConfig, ZmqConfig


@pytest.mark.parametrize("config", [AmqpConfig, KafkaConfig, MqttConfig, RedisConfig, ZmqConfig])
def test_the_classes_have_every_option(config: type[Config]) -> None:
    table = Adaptor(config.adaptor).describe()["options"]
    assert [row["name"] for row in table] == list(config.options)
    for row in table:
        option = config.options[row["name"]]
        assert (option.default, option.doc) == (row["default"], row["doc"])
        assert option.secret == row["secret"]
        assert (option.attribute in config.__annotations__) != row["unavailable"]
