# SPDX-License-Identifier: Apache-2.0
"""Writes settings as the INI file that adaptors read.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import os
import re
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = [
    "GROUP",
    "ConfigSource",
    "SettingsFile",
    "config_file",
    "quote",
    "read_ini",
    "to_ini",
]

GROUP = "message-broker"

# The adaptors know a file in memory by its name, and say so too
# (csrc/core/options/config_parser.cc).
_MEMORY_FILE = "dsmsg-settings"
_ORIGIN = "settings given in Python"


@runtime_checkable
class ConfigSource(Protocol):
    """Settings that can be written as an INI file, such as `KafkaConfig`."""

    def to_ini(self) -> str:
        """Returns the text of the file."""


class SettingsFile:
    """Settings as a path that an adaptor can read, again on a reload, until `close`.

    Settings that are not already a path go to an anonymous file in memory: they may contain a
    password, so nothing must be left behind however the process ends, and no folder needs to be
    writable.
    """

    path: str | None
    """The path; None if there are no settings."""

    def __init__(self, config: object) -> None:
        """Takes settings.

        Args:
            config: a path, a ConfigSource, option names with values, or None.

        Raises:
            TypeError: it is of another type.
            ValueError: a value cannot be written in such a file.
        """
        self._named = False
        self._close: Callable[[], object] | None = None
        if config is None:
            self.path = None
        elif isinstance(config, ConfigSource):
            self._write(config.to_ini())
        elif isinstance(config, Mapping):
            self._write(to_ini(config))
        elif isinstance(config, (str, os.PathLike)):
            self.path = os.fspath(config)
        else:
            kind = type(config).__name__
            raise TypeError(f"config must be a path, settings, a mapping or None, not {kind}")

    def close(self) -> None:
        """Frees what was made for the settings; a path that was given stays."""
        if self._close is not None:
            self._close()

    def drop_name(self) -> None:
        """On systems without files in memory: removes the file, so that no later read finds it."""
        if self._named:
            self.close()

    def explain(self, text: str) -> str:
        """Replaces the file's name in a text from the adaptor by what the caller called it."""
        return text.replace(self.path, _ORIGIN) if self.path and self._close else text

    def _write(self, text: str) -> None:
        try:
            handle = os.memfd_create(_MEMORY_FILE, os.MFD_CLOEXEC)
            self._close = weakref.finalize(self, os.close, handle)
            self.path = f"/proc/self/fd/{handle}"
            with open(self.path, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(text)
        except (AttributeError, OSError):  # an old kernel, or no /proc
            self.close()
            # mkstemp makes it readable by the owner only
            handle, self.path = tempfile.mkstemp(prefix="dsmsg-", suffix=".txt")
            self._named = True
            self._close = weakref.finalize(self, Path(self.path).unlink)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)


@contextmanager
def config_file(config: object) -> Iterator[str | None]:
    """Gives the path of a file with these settings, for as long as the block runs.

    Args:
        config: a path, a ConfigSource, option names with values, or None.

    Raises:
        TypeError: it is of another type.
        ValueError: a value cannot be written in such a file.
    """
    file = SettingsFile(config)
    try:
        yield file.path
    finally:
        file.close()


def read_ini(path: str | os.PathLike[str]) -> dict[str, str]:
    """Returns the settings of a file: its group [message-broker], names with dashes.

    What the adaptor reads is what counts: `${env:NAME}` and the like stay as they are written.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8.
    """
    settings: dict[str, str] = {}
    group = ""
    for line in Path(path).read_text(encoding="utf-8-sig").splitlines():
        bare = line.strip()
        if bare.startswith("["):
            group = bare[1:].partition("]")[0].strip()
        elif group == GROUP and "=" in bare and bare[0] not in "#;":
            name, _, value = bare.partition("=")
            settings[name.strip().replace("_", "-")] = unquote(value.strip())
    return settings


def unquote(text: str) -> str:
    """Returns a value without the quotes around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def quote(text: str) -> str:
    """Returns a value for the file: the adaptor removes outer quotes and has no escapes.

    Raises:
        ValueError: it contains a line break or another control character.
    """
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise ValueError("a setting cannot contain line breaks or control characters")
    return text if re.fullmatch(r"[A-Za-z0-9_.,:/@+-]+", text) else f'"{text}"'


def to_ini(options: Mapping[str, object]) -> str:
    """Returns an INI file with one group.

    Args:
        options: names (dashes or underscores) and values: text, numbers, booleans, paths. None:
            not set.

    Raises:
        TypeError: a value is of another type.
        ValueError: a value cannot be written in such a file.
    """
    lines = [f"[{GROUP}]"]
    for name, value in options.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise ValueError(f"{name!r} is not a valid setting name")
        if value is None:
            continue
        if not isinstance(value, (str, int, float, os.PathLike)):
            raise TypeError(f"{name}: {type(value).__name__} is not a valid setting type")
        text = str(int(value)) if isinstance(value, bool) else str(value)
        lines.append(f"{name.replace('_', '-')}={quote(text)}")
    return "\n".join(lines) + "\n"
