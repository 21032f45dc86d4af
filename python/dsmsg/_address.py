# SPDX-License-Identifier: Apache-2.0
"""Addresses: which adaptor a URL is for, and the settings in its query.

    redis://user:password@host:6379/0?stream-maxlen=1000&send-timeout=2s

The part before the `?` is what the adaptor calls a connection string; what follows are options of
the adaptor, percent-encoded.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from dsmsg._find import available
from dsmsg.errors import ConfigError

__all__ = ["Address", "known_adaptors", "parse", "without_login"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_EXAMPLE = 'an address looks like "kafka://host:9092" or "redis://host:6379?send-timeout=2s"'


class Address(NamedTuple):
    """A URL, taken apart."""

    adaptor: str
    conn_str: str | None
    options: dict[str, str]


def parse(url: str) -> Address:
    """Takes a URL apart.

    Args:
        url: `kafka://`, `mqtt://`, `mqtts://`, `redis://`, `rediss://`, `amqp://`, `amqps://`,
            `nats://`, `natss://`, `pulsar://`, `pulsar+ssl://`, `http://`, `https://`,
            `zmq://tcp://...`, `multi:///path`, or the name of another adaptor that is installed.

    Raises:
        ConfigError: it is not a URL, no adaptor has this scheme, or an option comes twice.
    """
    conn_str, _, query = url.partition("?")
    match = _SCHEME.match(conn_str)
    if match is None:
        raise ConfigError(f"{without_login(conn_str)!r} is not a URL ({_EXAMPLE})")
    scheme = match.group(1).lower()
    options: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise ConfigError(
            f"the settings after '?' of {without_login(conn_str)!r} are not of the form "
            "name=value&name=value"
        ) from None
    for name, value in pairs:
        name = name.replace("_", "-")
        if name in options:
            raise ConfigError(f"{name} comes twice in the address", field=name)
        options[name] = value
    return Address(_adaptor_of(scheme), conn_str, options)


def known_adaptors() -> set[str]:
    """Names of the adaptors of this project, and of those that are installed."""
    from dsmsg._settings import ADAPTORS

    return {*ADAPTORS, *available()}


def _adaptor_of(scheme: str) -> str:
    known = known_adaptors()
    plain = scheme.removesuffix("+ssl").removesuffix("s")
    for name in (scheme, scheme.replace("-", "_"), plain):
        if name in known:
            return name
    raise ConfigError(
        f"no adaptor has the scheme {scheme!r} (there are {', '.join(sorted(known))}; {_EXAMPLE})"
    )


def without_login(conn_str: str | None) -> str | None:
    """A connection string fit to be shown: without what may be a user name or a password."""
    if conn_str is None:
        return None
    scheme, mark, rest = conn_str.partition("://")
    if mark and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        _, at, hosts = rest.rpartition("@")
        # A connection string that was mistaken for a URL: azure://HostName=...;SharedAccessKey=...
        shown = ["..." if "=" in field else field for field in hosts.split(";")]
        return scheme + mark + ("...@" if at else "") + ";".join(shown)
    fields = conn_str.split(";")
    # host;port;user;password, and HostName=...;SharedAccessKey=...
    shown = [] if any(sign in field for field in fields[:2] for sign in "=@") else fields[:2]
    return ";".join(shown + ["..."] * (len(fields) > len(shown)))
