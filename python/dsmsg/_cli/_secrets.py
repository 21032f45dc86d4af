# SPDX-License-Identifier: Apache-2.0
"""Takes secrets out of what is shown."""

from __future__ import annotations

from collections.abc import Mapping

from dsmsg._looking._base import dashed

__all__ = ["HIDDEN", "is_secret", "without_login", "without_secrets"]

HIDDEN = "***"
_WORDS = ("password", "secret", "token", "key", "jaas", "proto-cfg")
_ELSEWHERE = ("${env:", "${file:")


def is_secret(adaptor: str, name: str) -> bool:
    """Says whether an option's value is a secret; where no adaptor can be asked, by its name."""
    from dsmsg._check import installed  # here: it takes cffi, which other commands do without
    from dsmsg.adaptor import Adaptor

    library = installed(adaptor)
    if library is not None and library.has("describe"):
        for option in Adaptor(library.path).describe()["options"]:
            if option["name"] == dashed(name):
                return bool(option["secret"]) or option["type"].startswith("pairs")
    return any(word in dashed(name).lower() for word in _WORDS)


def without_secrets(adaptor: str, options: Mapping[str, str]) -> dict[str, str]:
    """Returns the options with secrets hidden, except those that are kept elsewhere."""
    return {
        name: HIDDEN
        if value and is_secret(adaptor, name) and not value.strip("\"'").startswith(_ELSEWHERE)
        else value
        for name, value in options.items()
    }


def without_login(conn_str: str) -> str:
    """Returns a connection string without what may be a user name or a password."""
    from dsmsg._address import without_login as hide

    return str(hide(conn_str))
