# SPDX-License-Identifier: Apache-2.0
"""nginx as a reverse proxy before the web server of `dsmsg.brokers.http`."""

from __future__ import annotations

import os
import subprocess
from typing import ClassVar

from dsmsg.brokers._identity import Identity
from dsmsg.brokers._web import FrontBroker, debian_program

__all__ = ["NginxBroker", "nginx_version"]

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_CONFIG = """\
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr;
%s
events { }
http {
  access_log off;
  %s
  server {
    listen {host}:{port}%s;
    %s
    location / { proxy_pass http://127.0.0.1:%d; }
  }
}
"""


def nginx_version() -> str:
    """Returns the version of the program.

    Raises:
        BrokerError: it cannot be fetched.
    """
    command = [NginxBroker.program(), "-v"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return text.rpartition("nginx/")[2].split()[0]


class NginxBroker(FrontBroker):
    """An `nginx` process."""

    kind: ClassVar[str] = "nginx"
    set_help: ClassVar[str] = 'line of its section "server" ("client_max_body_size 8m;")'

    @classmethod
    def program(cls) -> str:
        """Returns the program: that of the system, or of Debian's package."""
        # Ubuntu 22.04 has it in another package.
        hint = "Debian, Ubuntu: apt-get install nginx-light"
        return debian_program("nginx", "usr/sbin/nginx", hint)

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        if identity is None:
            return []
        return [f"ssl_certificate {identity.cert};", f"ssl_certificate_key {identity.key};"]

    def _prepare(self) -> list[str]:
        program = self.program()
        temporary = [f"{name}_temp_path {{dir}}/temporary/{name};" for name in _TEMPORARY]
        (self.dir / "temporary").mkdir(exist_ok=True)
        secure = any(line.startswith("ssl_certificate ") for line in self.config)
        text = _CONFIG % (
            "user root;" if os.getuid() == 0 else "",
            "\n  ".join(temporary),
            " ssl http2" if secure else "",
            "\n    ".join(self.config),
            self.store.port,
        )
        path = self._write("nginx.conf", text)
        self.store.start()
        return [program, "-p", str(self.dir), "-c", str(path)]
