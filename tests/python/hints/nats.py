# SPDX-License-Identifier: Apache-2.0
"""NATS: see the package."""

from __future__ import annotations

from dsmsg.brokers.nats import NatsBroker

from hints.rules import Hints

HINTS = Hints("is it a NATS server", server=NatsBroker)
