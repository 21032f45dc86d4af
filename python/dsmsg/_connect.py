# SPDX-License-Identifier: Apache-2.0
"""`dsmsg.connect`: a connection that is usable at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Union

from dsmsg import _address
from dsmsg._config_base import Config
from dsmsg._inifile import read_ini
from dsmsg._types import ConnectionEvent
from dsmsg.adaptor import Adaptor, ConfigLike
from dsmsg.connection import Connection
from dsmsg.errors import ConfigError

__all__ = ["connect", "target", "with_settings"]

Where = Union[str, Config, None]


def connect(
    where: Where = None,
    config: ConfigLike = None,
    *,
    on_event: Callable[[ConnectionEvent], None] | None = None,
    on_link: Callable[[bool, str], None] | None = None,
) -> Connection:
    """Connects to a broker. Callbacks and futures of sends complete by themselves, on a thread.

        with dsmsg.connect("redis://localhost:6379") as connection:
            connection.send("detections", b"{}")

    Args:
        where: a URL (`kafka://host:9092,host2:9092`, `mqtt://`, `mqtts://`, `redis://`,
            `rediss://`, `amqp://user:password@host/vhost`, `amqps://`, `nats://`, `natss://`,
            `pulsar://`, `pulsar+ssl://`, `http://`, `https://`, `zmq://tcp://host:5555`,
            `multi:///path/of/handlers.json`) whose query holds settings (`?send-timeout=2s`), or
            settings that say where (`KafkaConfig.from_url`, `AzureConfig(connection_str=...)`,
            `HttpConfig(listen="8088")`, or with `hostname` and `port`). None: the URL in the
            environment variable DSMSG_URL.
        config: more settings, as for `Adaptor.connect`. Those of the URL's query win.
        on_event: the contract's connect callback; runs on a thread of the adaptor.
        on_link: called with up (True) or down (False) and a reason on every change of the link;
            runs on a thread of the adaptor.

    Returns:
        The connection; end it with `disconnect` or use it as a context manager.

    Raises:
        AdaptorNotFoundError: the adaptor is not installed.
        ConfigError: the address or a setting is wrong.
        DsmsgError: the adaptor refused; its class says why (`dsmsg.errors`).
    """
    adaptor, conn_str, settings = target(where, config)
    return adaptor.connect(conn_str, settings, on_event=on_event, on_link=on_link, work_thread=True)


def target(where: Where, config: ConfigLike) -> tuple[Adaptor, str | None, ConfigLike]:
    """Says which adaptor, connection string and settings `connect` takes."""
    if where is None:
        where = os.environ.get("DSMSG_URL")
        if where is None:
            raise ConfigError("no address is given, and DSMSG_URL is not set in the environment")
    if isinstance(where, Config):
        if config is not None:
            raise ConfigError("settings are given twice: as the address and as config")
        if not where.adaptor:
            raise ConfigError(
                "the base class Config is of no adaptor: use KafkaConfig and the like"
            )
        return Adaptor(where.adaptor), where.address, where
    address = _address.parse(where)
    adaptor = Adaptor(address.adaptor)
    if not address.options:
        return adaptor, address.conn_str, config
    adaptor.check(config)
    return adaptor, address.conn_str, {**_as_mapping(config), **address.options}


def with_settings(
    where: Where, config: ConfigLike, settings: Mapping[str, object]
) -> tuple[Where, ConfigLike]:
    """Adds settings that the given ones win over."""
    if isinstance(where, Config) and config is None:
        return where.with_defaults(settings), None
    return where, {**settings, **_as_mapping(config)}


def _as_mapping(config: ConfigLike) -> dict[str, object]:
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return {name.replace("_", "-"): value for name, value in config.items()}
    if isinstance(config, (str, os.PathLike)):
        return dict(read_ini(config))
    if isinstance(config, Config):
        return dict(config.to_dict())
    raise ConfigError("settings in the address need config to be a file, a mapping or a Config")
