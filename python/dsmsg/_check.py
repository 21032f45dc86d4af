# SPDX-License-Identifier: Apache-2.0
"""Asks an adaptor whether it has an option and allows a value (`dsmsg_check_option`).

Threads: pure functions; any thread.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping

from dsmsg._abi import Library, ffi
from dsmsg._config_base import Config
from dsmsg._find import find
from dsmsg._options import ConfigError

__all__ = ["check_config", "installed", "option_names", "what_is_wrong"]


@functools.cache
def installed(adaptor: str) -> Library | None:
    """Returns the adaptor with this short name, or None if it is not found or cannot be loaded.

    `Adaptor` says why.
    """
    try:
        return Library(find(adaptor))
    except OSError:
        return None


def what_is_wrong(library: Library, name: str, value: str | None = None) -> str:
    """Returns the adaptor's text about an option or its value; "" if it has no complaint.

    Args:
        library: the adaptor; one without dsmsg_check_option has no complaint.
        name: of the option, with dashes or underscores.
        value: None checks the name only.
    """
    # A lone surrogate is no text: the adaptor says so.
    arguments = [
        ffi.NULL if text is None else ffi.new("char[]", text.encode("utf-8", "surrogatepass"))
        for text in (name, value)
    ]
    return library.read_text("check_option", *arguments)


def check_config(library: Library, protocol: str, config: object) -> None:
    """Checks that settings are meant for this adaptor, as far as the adaptor can tell.

    Args:
        library: the adaptor; one without dsmsg_check_option is not asked.
        protocol: its protocol name, "" when it has none.
        config: what `Adaptor.connect` takes. The adaptor checks files and values.

    Raises:
        ConfigError: a config class of another adaptor, a name that is not an option (with the
            nearest one), or an option given twice.
    """
    if isinstance(config, Config):
        if config.protocol_name and protocol and config.protocol_name != protocol:
            raise ConfigError(
                f"{type(config).__name__} holds settings of the {config.adaptor} adaptor, "
                f"but this is the {protocol.lower()} adaptor ({library.path.name})"
            )
        config = config.to_dict()
    if isinstance(config, Mapping) and library.has("check_option"):
        _check_names(library, protocol, config)


def option_names(library: Library) -> frozenset[str]:
    """Returns the names of the adaptor's options, with dashes; none if it has no dsmsg_describe."""
    if not library.has("describe"):
        return frozenset()
    text = ffi.string(library.describe()).decode("utf-8", "replace")
    return frozenset(_dashed(option["name"]) for option in json.loads(text)["options"])


def _check_names(library: Library, protocol: str, config: Mapping[str, object]) -> None:
    seen: dict[str, str] = {}
    for name in config:
        wrong = what_is_wrong(library, str(name))
        if wrong:
            raise ConfigError(f"{protocol.lower()}: {wrong}", field=_dashed(str(name)))
        first = seen.setdefault(_dashed(name), name)
        if first != name:
            raise ConfigError(f"{protocol.lower()}: {name!r} and {first!r} are the same option")


def _dashed(name: str) -> str:
    return name.replace("_", "-")
