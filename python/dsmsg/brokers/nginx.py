# SPDX-License-Identifier: Apache-2.0
"""nginx as a reverse proxy before the web server of `dsmsg.brokers.http`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import cached, run_tool, say
from dsmsg.brokers._identity import Identity
from dsmsg.brokers._packaged import PackagedBroker
from dsmsg.brokers._probe import exchange
from dsmsg.brokers.http import HttpStore

__all__ = ["NginxBroker", "nginx_program", "nginx_version"]

_PROGRAM = "usr/sbin/nginx"
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


def nginx_program() -> str:
    """Returns the program nginx: that of the system, or of Debian's package, unpacked in the cache.

    Raises:
        BrokerError: it cannot be fetched.
    """
    installed = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if installed:
        return installed
    folder = cached("nginx-1", _fill)
    assert folder is not None  # noqa: S101 - it fetches
    return str(folder / _PROGRAM)


def nginx_version() -> str:
    """Returns the version of the program.

    Raises:
        BrokerError: it cannot be fetched.
    """
    command = [nginx_program(), "-v"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return text.rpartition("nginx/")[2].split()[0]


def _fill(work: Path) -> str:
    say("nginx: fetching Debian's package (once)")
    hint = "Debian, Ubuntu: apt-get install nginx-light"
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "nginx"]
    if error := run_tool("nginx", command, work, hint):
        return error
    packages = list(work.glob("nginx_*.deb"))
    if not packages:
        return "apt-get downloaded no package"
    if error := run_tool("nginx", ["dpkg", "-x", str(packages[0]), str(work)], work, hint):
        return error
    if not (work / _PROGRAM).is_file():  # Ubuntu 22.04 has it in another one
        raise BrokerError(f"nginx: it is not in {packages[0].name} ({hint})")
    packages[0].unlink()
    return ""


class NginxBroker(PackagedBroker):
    """An `nginx` process with its defaults, before a web server that keeps what it gets.

    A password is not asked for. With TLS it offers HTTP/2.
    """

    kind: ClassVar[str] = "nginx"
    scheme: ClassVar[str] = "http"
    can_tls: ClassVar[bool] = True
    set_help: ClassVar[str] = 'line of its section "server" ("client_max_body_size 8m;")'
    _store: HttpStore | None = None

    @classmethod
    def fetch(cls) -> Path:
        """Fetches the program; returns its folder."""
        return Path(nginx_program()).parent

    @property
    def store(self) -> HttpStore:
        """The server behind it."""
        if self._store is None:
            self._store = HttpStore(folder=self.dir / "store")
        return self._store

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        if identity is None:
            return []
        return [f"ssl_certificate {identity.cert};", f"ssl_certificate_key {identity.key};"]

    def _prepare(self) -> list[str]:
        program = nginx_program()
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

    def _ready(self, log_offset: int) -> bool:
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        return exchange(self.host, self.port, request, framed=False).startswith(b"HTTP/1.1")

    def _end_helpers(self) -> None:
        if self._store is not None:
            self._store.close()
