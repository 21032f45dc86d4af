# SPDX-License-Identifier: Apache-2.0
"""NATS over TLS: names of hosts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dsmsg.adaptor import Adaptor, DsmsgError
from dsmsg.brokers import Broker


def test_dot_behind_the_host(new_broker: Callable[[str], Broker]) -> None:
    broker = new_broker("nats")
    broker.configure({"config": broker.guarded(tls=True)})
    broker.start()
    for host in ("localhost", "localhost."):
        address, trust = f"{host};{broker.port}", broker.client_settings(tls=True)
        with Adaptor("nats").connect(address, trust, work_thread=True) as connection:
            connection.send("t", b"{}")
    with pytest.raises(DsmsgError, match="certificate"):
        Adaptor("nats").connect(f"localhost;{broker.port}", {"enable-tls": 1})
