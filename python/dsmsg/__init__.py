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
    from dsmsg._find import AdaptorNotFoundError
    from dsmsg._settings import *  # noqa: F403 - one class for each adaptor
    from dsmsg.adaptor import (
        Adaptor,
        Connection,
        ConnectionEvent,
        DsmsgError,
        Message,
        Result,
    )
    from dsmsg.config import Config, ConfigError

__version__ = "0.1.0"

__all__ = [
    "Adaptor",
    "AdaptorNotFoundError",
    "Config",
    "ConfigError",
    "Connection",
    "ConnectionEvent",
    "DsmsgError",
    "Message",
    "Result",
    "__version__",
]
__all__ += _settings.__all__

_HOME = {
    "Adaptor": "adaptor",
    "AdaptorNotFoundError": "_find",
    "Connection": "adaptor",
    "ConnectionEvent": "adaptor",
    "DsmsgError": "adaptor",
    "Message": "adaptor",
    "Result": "adaptor",
    "Config": "config",
    "ConfigError": "config",
    **dict.fromkeys(_settings.__all__, "config"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the name asked for
    """Imports the module that defines `name` (PEP 562)."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Lists the lazily imported names too."""
    return sorted(set(globals()) | set(__all__))
