# SPDX-License-Identifier: Apache-2.0
"""dsmsg: message-broker adaptors for video analytics, from Python.

The names below are imported on first use, so `import dsmsg.brokers` needs the standard library
only, while `dsmsg.Adaptor` needs cffi.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dsmsg import _settings

if TYPE_CHECKING:
    from dsmsg import aio, senders
    from dsmsg._connect import connect
    from dsmsg._find import AdaptorNotFoundError
    from dsmsg._log import log_to_logging
    from dsmsg._map import Map
    from dsmsg._results import SendResults
    from dsmsg._roles import Publisher, Subscriber
    from dsmsg._settings import *  # noqa: F403 - one class for each adaptor
    from dsmsg.adaptor import Adaptor, Connection, ConnectionEvent, Message
    from dsmsg.bridge import Bridge
    from dsmsg.config import Config
    from dsmsg.errors import (
        BrokerUnavailableError,
        ClosedError,
        ConfigError,
        DsmsgError,
        LoginError,
        NotSupportedError,
        QueueFullError,
        RefusedError,
        Result,
        TimedOutError,
        TlsError,
        TooLargeError,
        UnknownTopicError,
    )

__version__ = "0.1.0"

__all__ = [
    "Adaptor",
    "AdaptorNotFoundError",
    "Bridge",
    "BrokerUnavailableError",
    "ClosedError",
    "Config",
    "ConfigError",
    "Connection",
    "ConnectionEvent",
    "DsmsgError",
    "LoginError",
    "Map",
    "Message",
    "NotSupportedError",
    "Publisher",
    "QueueFullError",
    "RefusedError",
    "Result",
    "SendResults",
    "Subscriber",
    "TimedOutError",
    "TlsError",
    "TooLargeError",
    "UnknownTopicError",
    "__version__",
    "aio",
    "connect",
    "log_to_logging",
    "senders",
]
__all__ += _settings.__all__

_HOME = {
    "Adaptor": "adaptor",
    "AdaptorNotFoundError": "_find",
    "Bridge": "bridge",
    "Config": "config",
    "Connection": "adaptor",
    "ConnectionEvent": "adaptor",
    "Map": "_map",
    "Message": "adaptor",
    "Publisher": "_roles",
    "SendResults": "_results",
    "Subscriber": "_roles",
    "connect": "_connect",
    "log_to_logging": "_log",
    **dict.fromkeys(_settings.__all__, "config"),
    **dict.fromkeys(
        (
            "BrokerUnavailableError",
            "ClosedError",
            "ConfigError",
            "DsmsgError",
            "LoginError",
            "NotSupportedError",
            "QueueFullError",
            "RefusedError",
            "Result",
            "TimedOutError",
            "TlsError",
            "TooLargeError",
            "UnknownTopicError",
        ),
        "errors",
    ),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the name asked for
    """Imports the module that defines `name` (PEP 562)."""
    if name in ("aio", "senders"):
        return importlib.import_module(f"dsmsg.{name}")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Lists the lazily imported names too."""
    return sorted(set(globals()) | set(__all__))
