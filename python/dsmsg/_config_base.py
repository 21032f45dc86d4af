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

from dsmsg import _address
from dsmsg._inifile import read_ini, to_ini
from dsmsg._options import ConfigError, Option

__all__ = ["Config", "options_from"]

_C = TypeVar("_C", bound="Config")


class Config:
    """Settings of one adaptor.

    Attributes are checked when they are assigned: the adaptor is loaded and asked. If it is not
    installed, or cannot be loaded, it checks in `connect`, where what only the client library knows
    is always checked. None means not set. In a secret, `${env:NAME}` and `${file:/path}` are
    expanded by the adaptor.
    """

    adaptor: ClassVar[str] = ""
    """Name of the adaptor, in lower case."""
    protocol_name: ClassVar[str] = ""
    """What the adaptor calls its protocol."""
    options: ClassVar[dict[str, Option]] = {}
    """The table of options, by their names in the file."""
    _address: str | None

    def __init__(self, **settings: object) -> None:
        """Sets options by their Python names.

        Raises:
            ConfigError: a setting is unknown or not allowed.
        """
        object.__setattr__(self, "_address", None)
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

    @classmethod
    def from_url(cls: type[_C], url: str) -> _C:
        """Makes settings from a URL: where to connect, and the options in its query.

        Args:
            url: as for `dsmsg.connect`: "kafka://host:9092?compression=zstd". A password in it
                is shown by neither `repr` nor errors.

        Raises:
            ConfigError: the URL is for another adaptor, or a setting is unknown or not allowed.
        """
        address = _address.parse(url)
        if cls.adaptor and address.adaptor != cls.adaptor:
            raise ConfigError(
                f"{cls.__name__} holds settings of the {cls.adaptor} adaptor, but this URL is "
                f"for {address.adaptor}"
            )
        config = cls.from_options(address.options)
        object.__setattr__(config, "_address", address.conn_str)
        return config

    @classmethod
    def from_file(cls: type[_C], path: str | os.PathLike[str]) -> _C:
        """Reads the group [message-broker] of a configuration file.

        Raises:
            ConfigError: a setting is unknown or not allowed.
            OSError: the file cannot be read.
        """
        return cls.from_options(read_ini(path))

    @classmethod
    def from_env(cls: type[_C], prefix: str | None = None) -> _C:
        """Reads environment variables: DSMSG_KAFKA_SEND_TIMEOUT=2s is `send-timeout`.

        Args:
            prefix: of their names; None: "DSMSG_" and the adaptor's name. Every variable that
                begins so is a setting. `<prefix>URL` is the address, as for `from_url`.

        Raises:
            ConfigError: a setting is unknown or not allowed.
        """
        start = f"DSMSG_{cls.adaptor.upper()}_" if prefix is None else prefix
        settings = {
            name[len(start) :].lower(): value
            for name, value in os.environ.items()
            if name.startswith(start) and name != start
        }
        url = settings.pop("url", None)
        config = cls() if url is None else cls.from_url(url)
        for name, value in settings.items():
            config._set(name, value)
        return config

    def with_defaults(self: _C, settings: Mapping[str, object]) -> _C:
        """Returns a copy in which these options are set, where they were not.

        Raises:
            ConfigError: a setting is unknown or not allowed.
        """
        copy = type(self).from_options({**settings, **self.to_dict()})
        object.__setattr__(copy, "_address", self._address)
        return copy

    @property
    def address(self) -> str | None:
        """The connection string of `from_url`; None: `hostname` and `port` say where."""
        address: str | None = self._address
        return address

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
            raise ConfigError(
                f"{self.adaptor}: {wrong}",
                field=attribute.replace("_", "-"),
                allowed=option.type if option is not None else "",
            )
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

    def to_file(self, path: str | os.PathLike[str]) -> Path:
        """Writes the configuration file: all or nothing, readable by the owner only.

        An address of `from_url` is not in it: it belongs into `conn-str`.

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

    write = to_file  # its first name

    def __repr__(self) -> str:
        """Shows what is set, secrets as `***`."""
        address = _address.without_login(self._address)
        shown = [] if address is None else [f"address={address!r}"]
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
        return self._address == other._address and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # it can change


def _complaint(adaptor: str, name: str, value: str | None = None) -> str:
    """The adaptor's complaint about a setting; "" if there is no adaptor to ask."""
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
