# SPDX-License-Identifier: Apache-2.0
"""Which broker a command talks to: adaptor and connection string, a URL, or a profile."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import click
import typer

from dsmsg import _settings
from dsmsg._cli import _profiles
from dsmsg._find import available
from dsmsg._looking import Look

if TYPE_CHECKING:
    from dsmsg.adaptor import Adaptor, ConfigLike, Connection

__all__ = ["Config", "Options", "Where", "complete", "pair", "read_where"]

Config = Annotated[Optional[str], typer.Option(help="Configuration file.", metavar="FILE")]
Options = Annotated[
    Optional[list[str]],
    typer.Option("-o", "--option", metavar="NAME=VALUE", help="One setting; may be repeated."),
]

_LOGIN = {"username": "USER", "password": "PASSWORD"}
_URL = re.compile(r"([a-z][a-z0-9+-]*)://")


@dataclass(frozen=True)
class Where:
    """A broker and how to reach it.

    Attributes:
        adaptor: short name or path.
        conn_str: connection string; None: as the settings say.
        file: configuration file.
        options: settings beside it; they win.
    """

    adaptor: str
    conn_str: Optional[str] = None
    file: Optional[str] = None
    options: Mapping[str, str] = field(default_factory=dict)

    def load(self) -> Adaptor:
        """Loads the adaptor."""
        from dsmsg.adaptor import Adaptor  # here: it takes cffi, which other commands do without

        return Adaptor(self.adaptor)

    def config(self, look: Optional[Look] = None) -> ConfigLike:
        """Returns the settings for `Adaptor.connect`; `look` has those of a subscriber."""
        options = _without_login(self.adaptor, self.options)
        if look is None and not (self.file and options):
            return options or self.file
        return (look or Look({}, [])).over(self.file, options)

    def connect(self) -> Connection:
        """Connects."""
        return self.load().connect(self.conn_str, self.config())


def _without_login(adaptor: str, options: Mapping[str, str]) -> dict[str, str]:
    """Moves a login to the environment, where our adaptors want it, for this process alone."""
    rest = dict(options)
    for name, variable in _LOGIN.items() if adaptor in _settings.ADAPTORS else ():
        if name in rest and "${" not in rest[name]:  # the adaptor replaces that in settings only
            os.environ[f"{variable}_{adaptor.upper()}"] = rest.pop(name)
    return rest


def pair(text: str, what: str) -> tuple[str, str]:
    """Splits NAME=VALUE.

    Raises:
        ValueError: it is not of that form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{what} {text!r} is not of the form NAME=VALUE")
    return name, value


def read_where(
    words: Optional[list[str]],
    config: Optional[str] = None,
    options: Optional[list[str]] = None,
    *,
    usage: str = "",
    least: int = 0,
) -> tuple[Where, list[str]]:
    """Takes the words that say where from the beginning of a command's words.

    Args:
        words: of the command line.
        config: the option --config.
        options: the options -o.
        usage: what follows, for the error.
        least: how many words must follow.

    Returns:
        Where, and the words that follow.

    Raises:
        click.UsageError: words are missing.
        ValueError: options are wrong, or the profile does not exist.
    """
    if options and config:
        raise ValueError(
            "--config and --option cannot be used together (put all settings in the file)"
        )
    given = dict(pair(text, "--option") for text in options or ())
    where, rest = _first(list(words or ()))
    if where is None or len(rest) < least:
        raise click.UsageError(
            f"expected WHERE{usage and ' '}{usage}; WHERE is an adaptor and a connection string "
            "(redis 'localhost;6379'), a URL (redis://localhost:6379) or @PROFILE"
        )
    # A file on the command line replaces the profile's settings, options are put over them.
    file, over = (config, given) if config else (where.file, {**where.options, **given})
    if file is not None and not Path(file).exists():
        raise ValueError(f"cannot read the configuration file {file}: there is no such file")
    return Where(where.adaptor, where.conn_str, file, over), rest


def _first(words: list[str]) -> tuple[Optional[Where], list[str]]:
    if not words:
        return None, []
    if words[0].startswith("@"):
        profile = _profiles.load().get(words[0][1:])
        return (
            Where(profile.adaptor, profile.conn_str, profile.config, profile.options),
            words[1:],
        )
    url = _URL.match(words[0])
    if url:
        return Where(_adaptor_of(url.group(1)), words[0]), words[1:]
    if len(words) < 2:
        return None, []
    return Where(words[0], words[1]), words[2:]


def _adaptor_of(scheme: str) -> str:
    """The adaptor of a URL: redis and rediss are one."""
    known = {*_settings.ADAPTORS, *available()}
    return scheme[:-1] if scheme not in known and scheme[:-1] in known else scheme


def complete(incomplete: str) -> list[str]:
    """Completes the first word: adaptors and profiles."""
    names = [*available(), *(f"@{name}" for name in _profiles.load().profiles)]
    return [name for name in names if name.startswith(incomplete)]
