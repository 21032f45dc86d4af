# SPDX-License-Identifier: Apache-2.0
"""Caddy as a reverse proxy before the web server of `dsmsg.brokers.http`."""

from __future__ import annotations

import subprocess
from typing import ClassVar

from dsmsg.brokers._identity import Identity
from dsmsg.brokers._web import FrontBroker, debian_program

__all__ = ["CaddyBroker", "caddy_version"]

_CONFIG = """\
{
  admin off
  auto_https off
  storage file_system {dir}/storage
  log {
    output stderr
    level WARN
  }
}
%s://{host}:{port} {
  bind {host}
  %s
  reverse_proxy 127.0.0.1:%d
}
"""


def caddy_version() -> str:
    """Returns the version of the program.

    Raises:
        BrokerError: it cannot be fetched.
    """
    command = [CaddyBroker.program(), "version"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return text.split()[0].lstrip("v")


class CaddyBroker(FrontBroker):
    """A `caddy` process."""

    kind: ClassVar[str] = "caddy"
    set_help: ClassVar[str] = 'line of its site in a Caddyfile ("request_body { max_size 8MB }")'

    @classmethod
    def program(cls) -> str:
        """Returns the program: that of the system, or of Debian's package."""
        return debian_program("caddy", "usr/bin/caddy", "Debian, Ubuntu: apt-get install caddy")

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        return [] if identity is None else [f"tls {identity.cert} {identity.key}"]

    def _prepare(self) -> list[str]:
        program = self.program()
        secure = any(line.startswith("tls ") for line in self.config)
        lines = "\n  ".join(self.config)
        text = _CONFIG % ("https" if secure else "http", lines, self.store.port)
        path = self._write("Caddyfile", text)
        self.store.start()
        return [program, "run", "--adapter", "caddyfile", "--config", str(path)]
