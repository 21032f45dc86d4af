# SPDX-License-Identifier: Apache-2.0
"""Settings that the adaptor would ignore are errors in Python and on the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dsmsg import _settings
from dsmsg.adaptor import Adaptor
from dsmsg.config import ConfigError, KafkaConfig, RedisConfig
from dsmsg.connection import Connection

LAZY = {"connect": "lazy", "flush-timeout": "0"}


@pytest.fixture(params=list(_settings.ADAPTORS))
def adaptor(request: pytest.FixtureRequest) -> Adaptor:
    return Adaptor(request.param)


def connect(adaptor: Adaptor, config: object) -> Connection:
    return adaptor.connect("localhost;1", config)  # type: ignore[arg-type]


def test_a_name_typed_wrong_is_an_error_with_the_nearest_one(adaptor: Adaptor) -> None:
    for wrong, nearest in (
        ("queue_sise", "queue-size"),
        ("Overflow-Timeuot", "overflow-timeout"),
        ("reconect", "reconnect"),
    ):
        with pytest.raises(ConfigError) as caught:
            connect(adaptor, {**LAZY, wrong: 1})
        # Echoed as it was written.
        assert repr(wrong) in str(caught.value)
        assert f"did you mean {nearest}?" in str(caught.value)
    with pytest.raises(ConfigError, match=r"unknown option 'pigeon'$"):
        adaptor.signature("localhost;1", {"pigeon": 1})


def test_an_option_given_twice_is_an_error(adaptor: Adaptor) -> None:
    with pytest.raises(ConfigError, match="'queue_size' and 'queue-size' are the same option"):
        connect(adaptor, {**LAZY, "queue-size": 5, "queue_size": 6})


def test_every_spelling_of_a_name_is_known(adaptor: Adaptor) -> None:
    assert {"queue-size", "topic"} <= adaptor.options
    for name in adaptor.options:
        adaptor.check({name: "x"})
        adaptor.check({name.replace("-", "_"): "x"})


def test_settings_of_another_adaptor_are_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"KafkaConfig holds settings of the kafka adaptor.*redis"
    ):
        connect(Adaptor("redis"), KafkaConfig(connect="lazy"))
    with pytest.raises(ConfigError, match="RedisConfig"):
        Adaptor("kafka").signature("localhost;1", RedisConfig())
    with connect(Adaptor("zmq"), LAZY) as connection, pytest.raises(ConfigError, match="zmq"):
        connection.reload(None, RedisConfig())


def test_a_class_repeats_an_unknown_name_as_it_was_written() -> None:
    for wrong in ("queue-sise", "queue_sise"):
        with pytest.raises(ConfigError, match=f"unknown option '{wrong}' .did you mean queue-size"):
            RedisConfig.from_options({wrong: 1})


def test_a_third_party_adaptor_is_not_asked(foreign_library: Path) -> None:
    adaptor = Adaptor(foreign_library)
    assert adaptor.options == frozenset()
    adaptor.check({"anything": "goes"})
    assert os.fspath(adaptor.path) == os.fspath(foreign_library)
