# SPDX-License-Identifier: Apache-2.0
"""Options of an adaptor, and how values are checked: csrc/core/options/option_value.cc in Python.

Threads: values are immutable, functions pure; any thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

__all__ = ["ConfigError", "Option", "OptionType", "nearest"]

_INT64 = 2**63 - 1
_MILLIS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000}
_BYTES = {
    "b": 1,
    **dict.fromkeys(("k", "kb", "kib"), 1024),
    **dict.fromkeys(("m", "mb", "mib"), 1024**2),
    **dict.fromkeys(("g", "gb", "gib"), 1024**3),
}
_UNITS = {
    "int": {"": 1},
    "ms": {"": 1, **_MILLIS},
    "s": {"": 1000, **_MILLIS},
    "bytes": {"": 1, **_BYTES},
}
_BLANKS = " \t\r\n"
_TEXT_KINDS = ("string", "path", "template", "pairs")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


# An element of pairs: a plain text holds no separator but after a backslash, in quotes the quote is
# written twice.
_NAME = r"(?:\\;|(?!\\;)[^=;])*"
_QUOTED = r"""[ \t]*(?:"(?:[^"]|"")*"|'(?:[^']|'')*')[ \t]*"""
_PLAIN = r"""(?![ \t]*["'])(?:\\;|(?!\\;)[^;])*"""
_PAIR = re.compile(rf"({_NAME})(=(?:{_QUOTED}|{_PLAIN}))?(?:;|\Z)")


class ConfigError(ValueError):
    """A setting is unknown, of the wrong type or out of range; the text says what is allowed."""


@dataclass(frozen=True)
class OptionType:
    """A parsed type such as `ms(1,3600000)`. `low` and `high` are in milliseconds for times."""

    kind: str
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> OptionType:
        """Reads a type as an option table writes it.

        Raises:
            ConfigError: the type does not exist.
        """
        match = re.fullmatch(r"([a-z]+)(?:\((.*)\))?", text)
        kind, arguments = match.groups() if match else ("", None)
        parts = [part.strip(_BLANKS) for part in arguments.split(",")] if arguments else []
        if kind == "enum" and parts:
            return cls(kind, choices=tuple(parts))
        if kind in _UNITS and len(parts) in (0, 2):
            bounds = [_number(part, kind) if part else None for part in parts] or [None, None]
            return cls(kind, bounds[0], bounds[1])
        if kind in (*_TEXT_KINDS, "bool") and not parts:
            return cls(kind)
        raise ConfigError(f"unknown option type {text!r}")

    def describe(self) -> str:
        """Says which values are allowed."""
        if self.kind == "enum":
            return f"one of {', '.join(self.choices)}"
        if self.kind == "bool":
            return "True or False"
        if self.kind == "pairs":
            return 'a mapping, or text such as "key=value;key=value"'
        if self.kind in _TEXT_KINDS:
            return "text"
        bounds = (
            f" from {self.low if self.low is not None else '-2^63'}"
            f" to {self.high if self.high is not None else '2^63-1'}"
        )
        if self.kind == "int":
            return f"a whole number{bounds}"
        if self.kind == "bytes":
            return f'a number of bytes{bounds}, or text such as "64k" or "256M"'
        unit = "milliseconds" if self.kind == "ms" else "seconds"
        return f'{unit} as int, a timedelta, or text such as "500ms" or "5s"{bounds} ms'


@dataclass(frozen=True)
class Option:
    """One option of an adaptor's table."""

    name: str
    type: OptionType
    default: str
    doc: str
    secret: bool = False
    deprecated: bool = False
    unavailable: bool = False

    @property
    def attribute(self) -> str:
        """Name in Python: with underscores."""
        return self.name.replace("-", "_")

    def to_text(self, value: object) -> str:
        """Checks a value and returns it as text for the file, without quotes.

        Args:
            value: bool, int, str, timedelta, path or mapping, as the type allows.

        Raises:
            ConfigError: the value is not allowed.
        """
        kind = self.type.kind
        text: str | None
        if kind == "pairs" and isinstance(value, Mapping):
            text = self._pairs_text(value)
        elif kind == "path" and isinstance(value, os.PathLike):
            text = os.fspath(value)
        elif kind in ("ms", "s") and isinstance(value, timedelta):
            whole = value % timedelta(milliseconds=1) == timedelta(0)
            text = f"{value // timedelta(milliseconds=1)}ms" if whole else None
        elif isinstance(value, bool):
            text = str(int(value)) if kind in ("bool", "enum") else None
        elif isinstance(value, (int, str)) and not (isinstance(value, int) and kind in _TEXT_KINDS):
            text = str(value)
        else:
            text = None
        if text is None:
            raise self._error(value, self.type.describe())
        return self._check(text, value)

    def _check(self, text: str, value: object) -> str:
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", text):
            raise self._error(value, "text without line breaks and control characters")
        kind = self.type.kind
        if kind == "pairs":
            self._check_pairs(text, value)
        elif kind not in _TEXT_KINDS:
            text = text.strip(_BLANKS)
            if not text:
                raise self._error(value, self.type.describe())
        if kind == "bool" and text.lower() not in _TRUE + _FALSE:
            raise self._error(value, self.type.describe())
        if kind == "enum":
            folded = {choice.lower().replace("_", "-"): choice for choice in self.type.choices}
            choice = folded.get(text.lower().replace("_", "-"))
            if choice is None:
                raise self._error(value, self.type.describe())
            text = choice
        if kind in _UNITS:
            number = _number(text, kind)
            low, high = self.type.low, self.type.high
            if kind == "bytes" and low is None:
                low = 0
            too_small = number is not None and low is not None and number < low
            too_large = number is not None and high is not None and number > high
            if number is None or too_small or too_large:
                raise self._error(value, self.type.describe())
        return text

    def _check_pairs(self, text: str, value: object) -> None:
        at = 0
        while at < len(text):
            element = _PAIR.match(text, at)
            name = element.group(1).strip(_BLANKS) if element else ""
            if element is None or bool(name) != bool(element.group(2)):
                raise self._error(value, self.type.describe())
            at = element.end()

    def _pairs_text(self, pairs: Mapping[object, object]) -> str:
        text = ""
        for name, value in pairs.items():
            if isinstance(value, bool):
                value = str(value).lower()  # as client libraries write them
            if not isinstance(name, str) or not isinstance(value, (str, int)):
                raise self._error(pairs, "a mapping whose names and values are text or numbers")
            value = str(value)
            if name != name.strip(_BLANKS):
                raise self._error(pairs, "a mapping whose names do not begin or end with blanks")
            if not name or "=" in name:
                raise self._error(pairs, "a mapping whose names are not empty and contain no '='")
            if text:
                # after a backslash, a blank keeps the separator from being escaped
                text += " ;" if text.endswith("\\") else ";"
            if value != value.strip(_BLANKS) or value.startswith(("'", '"')):
                value = '"' + value.replace('"', '""') + '"'
            else:
                value = value.replace(";", "\\;")
            text += name.replace(";", "\\;") + f"={value}"
        return text

    def _error(self, value: object, allowed: str) -> ConfigError:
        # Pairs may hold a password of the client library.
        shown = "" if self.secret or self.type.kind == "pairs" else f" cannot be {value!r}"
        return ConfigError(f"{self.name}{shown}: must be {allowed}")


def nearest(name: str, names: list[str]) -> str:
    """Returns " (did you mean ...?)" for a name close to one of `names`, otherwise ""."""
    near = get_close_matches(name.replace("_", "-"), names, n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _number(text: str, kind: str) -> int | None:
    """Reads a whole number with a unit; None if the text is not one. Times are in milliseconds."""
    match = re.fullmatch(r"[ \t]*(\+?[0-9]+|-[0-9]+)[ \t]*([A-Za-z]*)[ \t]*", text)
    factor = _UNITS[kind].get(match.group(2).lower()) if match else None
    if match is None or factor is None:
        return None
    number = int(match.group(1)) * factor
    return number if -_INT64 - 1 <= number <= _INT64 else None
