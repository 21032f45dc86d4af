# SPDX-License-Identifier: Apache-2.0
"""ZeroMQ: see the package."""

from __future__ import annotations

import os

from dsmsg.brokers import Broker, ZmqReceiver
from faults.programs import program

from hints.rules import Hints


def _receiver() -> Broker:
    os.environ.setdefault("DSMSG_ZMQ_RECEIVER", program("dsmsg_zmq_receiver"))
    return ZmqReceiver()


HINTS = Hints("is it a ", server=_receiver, settings={"socket_type": "REQ"})
