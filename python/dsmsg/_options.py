# SPDX-License-Identifier: Apache-2.0
"""Options of an adaptor, and their values as text. The adaptor itself says what is allowed.

Threads: values are immutable, functions pure; any thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from dsmsg.errors import ConfigError

__all__ = ["ConfigError", "Option"]

_BLANKS = " \t\r\n"
_TEXT_KINDS = ("string", "path", "template", "pairs")


@dataclass(frozen=True)
class Option:
    """One option of an adaptor's table; `type` is as the table writes it: "ms(1,3600000)"."""

    name: str
    type: str
    default: str
    doc: str
    secret: bool = False
    deprecated: bool = False
    unavailable: bool = False

    @property
    def kind(self) -> str:
        """The type without its bounds or choices: "ms"."""
        return self.type.partition("(")[0]

    @property
    def attribute(self) -> str:
        """Name in Python: with underscores."""
        return self.name.replace("-", "_")

    def to_text(self, value: object) -> str:
        """Returns a value as text for the file, without quotes.

        Args:
            value: bool, int, str, timedelta, path or mapping, as the type allows.

        Raises:
            ConfigError: this type has no such values.
        """
        kind = self.kind
        if kind == "pairs" and isinstance(value, Mapping):
            value = self._pairs_text(value)
        elif kind == "path" and isinstance(value, os.PathLike):
            value = os.fspath(value)
        elif kind in ("ms", "s") and isinstance(value, timedelta):
            whole = value % timedelta(milliseconds=1) == timedelta(0)
            value = f"{value // timedelta(milliseconds=1)}ms" if whole else value
        elif kind in ("bool", "enum") and isinstance(value, bool):
            value = int(value)
        if kind in _TEXT_KINDS and not isinstance(value, str):
            allowed = 'a mapping, or text such as "key=value;key=value"'
            raise self._error(allowed if kind == "pairs" else "text", value)
        text = str(value)
        if "\0" in text:  # would end the text in C
            raise ConfigError(
                f"{self.name}: contains a control character", field=self.name, allowed=self.type
            )
        return text

    def _pairs_text(self, pairs: Mapping[object, object]) -> str:
        text = ""
        for name, value in pairs.items():
            if isinstance(value, bool):
                value = str(value).lower()  # as client libraries write them
            if not isinstance(name, str) or not isinstance(value, (str, int)):
                raise self._error("a mapping whose names and values are text or numbers")
            value = str(value)
            if name != name.strip(_BLANKS):
                raise self._error("a mapping whose names do not begin or end with blanks")
            if not name or "=" in name:
                raise self._error("a mapping whose names are not empty and contain no '='")
            if text:
                # after a backslash, a blank keeps the separator from being escaped
                text += " ;" if text.endswith("\\") else ";"
            if value != value.strip(_BLANKS) or value.startswith(("'", '"')):
                value = '"' + value.replace('"', '""') + '"'
            else:
                value = value.replace(";", "\\;")
            text += name.replace(";", "\\;") + f"={value}"
        return text

    def _error(self, allowed: str, value: object = None) -> ConfigError:
        # The value itself may be a password.
        kind = "" if value is None else f", not {type(value).__name__}"
        text = f"{self.name}: must be {allowed}{kind}"
        return ConfigError(text, field=self.name, allowed=self.type)
