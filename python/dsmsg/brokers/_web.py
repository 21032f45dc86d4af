# SPDX-License-Identifier: Apache-2.0
"""What web servers before `dsmsg.brokers.http` share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import cached, run_tool, say
from dsmsg.brokers._packaged import PackagedBroker
from dsmsg.brokers._probe import exchange
from dsmsg.brokers.http import HttpStore

__all__ = ["FrontBroker", "debian_program"]


def debian_program(name: str, path: str, hint: str) -> str:
    """Returns a program: that of the system, or of Debian's package, unpacked in the cache.

    Args:
        name: of the program and of its package.
        path: in the package.
        hint: what installs it, for errors.

    Raises:
        BrokerError: it cannot be fetched.
    """
    installed = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if installed:
        return installed

    def fill(work: Path) -> str:
        say(f"{name}: fetching Debian's package (once)")
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name]
        if error := run_tool(name, command, work, hint):
            return error
        packages = list(work.glob(f"{name}_*.deb"))
        if not packages:
            return "apt-get downloaded no package"
        if error := run_tool(name, ["dpkg", "-x", str(packages[0]), str(work)], work, hint):
            return error
        if not (work / path).is_file():
            raise BrokerError(f"{name}: it is not in {packages[0].name} ({hint})")
        packages[0].unlink()
        return ""

    folder = cached(f"{name}-1", fill)
    assert folder is not None  # noqa: S101 - it fetches
    return str(folder / path)


class FrontBroker(PackagedBroker):
    """A reverse proxy with its defaults, before a web server that keeps what it gets.

    A password is not asked for. With TLS it offers HTTP/2.
    """

    scheme: ClassVar[str] = "http"
    can_tls: ClassVar[bool] = True
    _store: HttpStore | None = None

    @classmethod
    def program(cls) -> str:
        """Returns the program, which is fetched if it is not there."""
        raise NotImplementedError

    @classmethod
    def fetch(cls) -> Path:
        """Fetches the program; returns its folder."""
        return Path(cls.program()).parent

    @property
    def store(self) -> HttpStore:
        """The server behind it."""
        if self._store is None:
            self._store = HttpStore(folder=self.dir / "store")
        return self._store

    def _ready(self, log_offset: int) -> bool:
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        return exchange(self.host, self.port, request, framed=False).startswith(b"HTTP/1.")

    def _end_helpers(self) -> None:
        if self._store is not None:
            self._store.close()
