# SPDX-License-Identifier: Apache-2.0
"""The servers that a connection string names, for the steps of `dsmsg doctor` before the login."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

__all__ = ["Server", "servers"]

_URL = re.compile(r"([a-z][a-z0-9+-]*)://(?:[^/]*@)?([^/?]*)")
_HOST = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]*))(?::(\d+))?")


@dataclass(frozen=True)
class Server:
    """A host and its port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def servers(conn_str: Optional[str], default_port: int) -> list[Server]:
    """Returns the servers; none where the string is of a form without host and port.

    Args:
        conn_str: `host;port`, `host:port,host:port`, a URL, or `HostName=host;...`.
        default_port: of the protocol.
    """
    text = conn_str or ""
    if "=" in text.partition(";")[0]:
        fields = dict(field.strip().partition("=")[::2] for field in text.split(";"))
        named = {name.strip().lower(): value.strip() for name, value in fields.items()}
        text = named.get("gatewayhostname") or named.get("hostname", "")
    url = _URL.match(text)
    while url:  # zmq://tcp://host:port
        text = text[url.end(1) + len("://") :]
        inner = _URL.match(text)
        if inner is None:
            text = url.group(2)
        url = inner
    host, semicolon, rest = text.partition(";")
    if semicolon:
        port = rest.partition(";")[0]
        return [Server(host.strip("[]"), int(port))] if host and port.isdigit() else []
    found = []
    for part in text.split(","):
        match = _HOST.fullmatch(part.strip())
        name = (match.group(1) or match.group(2)) if match else ""
        if match is None or not name:
            return []
        found.append(Server(name, int(match.group(3) or default_port)))
    return found
