# SPDX-License-Identifier: Apache-2.0
"""Redis: see the package."""

from __future__ import annotations

from dsmsg.brokers import RedisBroker

from hints.rules import Hints

HINTS = Hints("is it a Redis server", server=RedisBroker)
