# SPDX-License-Identifier: Apache-2.0
"""Refuses settings that the adaptor would ignore with no more than a line in its log.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from dsmsg._abi import Library, ffi
from dsmsg._config_base import Config
from dsmsg._options import ConfigError, nearest

__all__ = ["check_config", "option_names"]


def check_config(library: Library, protocol: str, config: object) -> None:
    """Checks that settings are meant for this adaptor, as far as the adaptor can tell.

    Args:
        library: the adaptor; one without dsmsg_describe is not asked.
        protocol: its protocol name, "" when it has none.
        config: what `Adaptor.connect` takes. The adaptor checks files.

    Raises:
        ConfigError: a config class of another adaptor, a name that is not an option (with the
            nearest one), or an option given twice.
    """
    if isinstance(config, Config):
        theirs = config.adaptor
        if theirs and protocol and theirs != protocol.lower():
            raise ConfigError(
                f"{type(config).__name__} holds settings of the {theirs} adaptor, "
                f"but this is the {protocol.lower()} adaptor ({library.path.name})"
            )
    elif isinstance(config, Mapping) and library.has("describe"):
        _check_names(protocol, option_names(library), config)


def option_names(library: Library) -> frozenset[str]:
    """Returns the names of the adaptor's options, with dashes; none if it has no dsmsg_describe."""
    if not library.has("describe"):
        return frozenset()
    text = ffi.string(library.describe()).decode("utf-8", "replace")
    return frozenset(_dashed(option["name"]) for option in json.loads(text)["options"])


def _check_names(protocol: str, known: frozenset[str], config: Mapping[str, object]) -> None:
    seen: dict[str, str] = {}
    for name in config:
        if not isinstance(name, str) or _dashed(name) not in known:
            hint = nearest(str(name), sorted(known))
            raise ConfigError(f"{protocol.lower()}: unknown option {name!r}{hint}")
        first = seen.setdefault(_dashed(name), name)
        if first != name:
            raise ConfigError(f"{protocol.lower()}: {name!r} and {first!r} are the same option")


def _dashed(name: str) -> str:
    return name.replace("_", "-")
