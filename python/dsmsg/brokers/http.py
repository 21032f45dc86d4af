# SPDX-License-Identifier: Apache-2.0
"""The other side of HTTP connections, for tests: a web server that keeps what is posted to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from dsmsg.brokers import _http_store
from dsmsg.brokers._base import Broker, BrokerError
from dsmsg.brokers._probe import exchange

__all__ = ["HttpStore"]


class HttpStore(Broker):
    """A process of `_http_store.py`. What it answered survives `kill`: it is in a file."""

    kind: ClassVar[str] = "http"
    scheme: ClassVar[str] = "http"
    settings: ClassVar[tuple[str, ...]] = ()
    set_help: ClassVar[str] = "it has no settings"
    start_timeout: ClassVar[float] = 180.0

    @classmethod
    def settings_from_lines(cls, lines: Sequence[str]) -> dict[str, Any]:
        """Turns the lines of `--set` into what `configure` takes: nothing.

        Raises:
            BrokerError: there is a line.
        """
        if lines:
            raise BrokerError("http: the server has no settings (leave --set out)")
        return {}

    def _set(self, name: str, value: object) -> None:
        raise TypeError("it has no settings")

    def _prepare(self) -> list[str]:
        # Isolated: its own folder has a module named http.
        program = str(Path(_http_store.__file__))
        return [sys.executable, "-I", program, str(self.port), str(self.dir / "messages")]

    def _ready(self, log_offset: int) -> bool:
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        return exchange(self.host, self.port, request, framed=False).startswith(b"HTTP/1.1")
