# SPDX-License-Identifier: Apache-2.0
"""Base class of the generated settings classes.

Threads: an object is used by one thread at a time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

from dsmsg._inifile import to_ini
from dsmsg._options import ConfigError, Option

__all__ = ["Config", "options_from"]

_C = TypeVar("_C", bound="Config")


class Config:
    """Settings of one adaptor.

    Attributes are checked when they are assigned: the adaptor is loaded and asked. Where it is not
    installed, or cannot be loaded, it checks in `connect`; and there, always, what only the client
    library knows. None means not set. In a secret, `${env:NAME}` and `${file:/path}` are expanded
    by the adaptor.
    """

    adaptor: ClassVar[str] = ""
    """Name of the adaptor, in lower case."""
    options: ClassVar[dict[str, Option]] = {}
    """The table of options, by their names in the file."""

    def __init__(self, **settings: object) -> None:
        """Sets options by their Python names.

        Raises:
            ConfigError: a setting is unknown or not allowed.
        """
        for option in self.options.values():
            object.__setattr__(self, option.attribute, None)
        for name, value in settings.items():
            setattr(self, name, value)

    @classmethod
    def from_options(cls: type[_C], settings: Mapping[str, object]) -> _C:
        """Makes settings from names as in the file, with dashes or underscores.

        Raises:
            ConfigError: a setting is unknown or not allowed.
        """
        config = cls()
        for name, value in settings.items():
            config._set(name, value)
        return config

    def __setattr__(self, name: str, value: object) -> None:
        """Checks and sets one option.

        Raises:
            ConfigError: the option does not exist, or the value is not allowed.
        """
        self._set(name, value)

    def _set(self, name: str, value: object) -> None:
        """Sets one option by any spelling of its name; an error quotes that spelling."""
        attribute = name.replace("-", "_")
        option = next((o for o in self.options.values() if o.attribute == attribute), None)
        if option is None:
            wrong = _complaint(self.adaptor, name) or f"unknown option {name!r}"
        else:
            wrong = "" if value is None else _complaint(self.adaptor, name, option.to_text(value))
        if wrong:
            raise ConfigError(f"{self.adaptor}: {wrong}")
        object.__setattr__(self, attribute, value)

    def to_dict(self) -> dict[str, str]:
        """Returns the options that are set, by their names in the file, as text, secrets included.

        Raises:
            ConfigError: a mapping was changed after its assignment and is no longer allowed.
        """
        values = {o.name: (o, getattr(self, o.attribute)) for o in self.options.values()}
        return {
            name: option.to_text(value)
            for name, (option, value) in values.items()
            if value is not None
        }

    def to_ini(self) -> str:
        """Returns the text of a configuration file, secrets included.

        Raises:
            ConfigError: as `to_dict`.
        """
        return to_ini(self.to_dict())

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Writes the configuration file: all or nothing, readable by the owner only.

        Returns:
            The path.

        Raises:
            OSError: it cannot be written.
        """
        target = Path(path)
        text = self.to_ini()
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink()
            raise
        return target

    def __repr__(self) -> str:
        """Shows what is set, secrets as `***`."""
        shown = []
        for option in self.options.values():
            value = getattr(self, option.attribute)
            if value is not None:
                # Pairs are passed to the client library and may hold a password.
                hidden = option.secret or (option.kind == "pairs" and _may_be_secret(value))
                shown.append(f"{option.attribute}={'***' if hidden else repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Config):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # it can change


def _complaint(adaptor: str, name: str, value: str | None = None) -> str:
    """What the adaptor says against a setting; "" where there is no adaptor to ask."""
    try:
        from dsmsg import _check  # here: it needs cffi, which settings do without
    except ImportError:
        return ""
    library = _check.installed(adaptor)
    return "" if library is None else _check.what_is_wrong(library, name, value)


def _may_be_secret(pairs: object) -> bool:
    text = str(pairs).lower()
    return any(word in text for word in ("password", "secret", "token", "key", "jaas"))


def options_from(rows: tuple[tuple[str, str, str, str, str], ...]) -> dict[str, Option]:
    """Makes a table from rows of name, type, default, text and flags.

    The flags are first letters: "s"ecret, "d"eprecated, "u"navailable.
    """
    return {
        name: Option(
            name,
            kind,
            default,
            doc,
            secret="s" in flags,
            deprecated="d" in flags,
            unavailable="u" in flags,
        )
        for name, kind, default, doc, flags in rows
    }
