# SPDX-License-Identifier: Apache-2.0
"""Writes settings as the INI file that adaptors read.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = ["GROUP", "ConfigSource", "config_file", "quote", "to_ini"]

GROUP = "message-broker"


@runtime_checkable
class ConfigSource(Protocol):
    """Settings that can be written as an INI file, such as `KafkaConfig`."""

    def to_ini(self) -> str:
        """Returns the text of the file."""


@contextmanager
def config_file(config: object) -> Iterator[str | None]:
    """Gives the path of a file with these settings; a file made for this is removed afterwards.

    Args:
        config: a path, a ConfigSource, option names with values, or None.

    Raises:
        TypeError: it is none of these.
        ValueError: a value cannot be written in such a file.
    """
    if config is None:
        yield None
        return
    if isinstance(config, ConfigSource):
        text = config.to_ini()
    elif isinstance(config, Mapping):
        text = to_ini(config)
    elif isinstance(config, (str, os.PathLike)):
        yield os.fspath(config)
        return
    else:
        kind = type(config).__name__
        raise TypeError(f"config must be a path, settings, a mapping or None, not {kind}")
    # mkstemp makes it readable by the owner only: it may hold a password
    handle, path = tempfile.mkstemp(prefix="dsmsg-", suffix=".txt")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        Path(path).unlink()


def quote(text: str) -> str:
    """Returns a value for the file: the adaptor takes off outer quotes and knows no escapes.

    Raises:
        ValueError: it holds a line break or another control character.
    """
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise ValueError("a setting cannot hold line breaks or control characters")
    return text if re.fullmatch(r"[A-Za-z0-9_.,:/@+-]+", text) else f'"{text}"'


def to_ini(options: Mapping[str, object]) -> str:
    """Returns an INI file with one group.

    Args:
        options: names (dashes or underscores) and values: text, numbers, booleans.

    Raises:
        ValueError: a value cannot be written in such a file.
    """
    lines = [f"[{GROUP}]"]
    for name, value in options.items():
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise ValueError(f"{name!r} is no name of a setting")
        text = str(int(value)) if isinstance(value, bool) else str(value)
        lines.append(f"{name.replace('_', '-')}={quote(text)}")
    return "\n".join(lines) + "\n"
