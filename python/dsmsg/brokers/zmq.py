# SPDX-License-Identifier: Apache-2.0
"""The other side of ZeroMQ connections, for tests.

ZeroMQ has no broker. What runs here is `dsmsg_zmq_receiver`, which the C++ build makes from
`tests/conformance/zmq_receiver.cc`: a REP socket that stores each message before it replies.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any, ClassVar

from dsmsg.brokers._base import Broker, BrokerError

__all__ = ["ZmqReceiver"]


class ZmqReceiver(Broker):
    """A `dsmsg_zmq_receiver` process; connect to it with `socket_type=REQ`.

    What it replied to survives `kill`: it is in a file (not synced). The program is named by the
    environment variable `DSMSG_ZMQ_RECEIVER` or found in `PATH`.
    """

    kind: ClassVar[str] = "zmq"
    scheme: ClassVar[str] = "zmq"
    settings: ClassVar[tuple[str, ...]] = ()
    set_help: ClassVar[str] = "it has no settings"
    start_timeout: ClassVar[float] = 180.0

    @property
    def url(self) -> str:
        """Connection string in the form of a URL."""
        return f"zmq://tcp://{self.address}"

    @classmethod
    def settings_from_lines(cls, lines: Sequence[str]) -> dict[str, Any]:
        """Turns the lines of `--set` into what `configure` takes: nothing.

        Raises:
            BrokerError: there is a line.
        """
        if lines:
            raise BrokerError("zmq: the receiver has no settings (leave --set out)")
        return {}

    def _set(self, name: str, value: object) -> None:
        raise TypeError("it has no settings")

    def _prepare(self) -> list[str]:
        program = os.environ.get("DSMSG_ZMQ_RECEIVER") or shutil.which("dsmsg_zmq_receiver")
        if not program:
            raise BrokerError(
                "zmq: cannot find the program dsmsg_zmq_receiver (build the target of that name "
                "and name the program in the environment variable DSMSG_ZMQ_RECEIVER)"
            )
        return [program, str(self.port), str(self.dir / "messages")]

    def _ready(self, log_offset: int) -> bool:
        with self.log_path.open("rb") as log:
            log.seek(log_offset)
            return b"ready" in log.read()
