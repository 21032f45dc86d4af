# SPDX-License-Identifier: Apache-2.0
"""MQTT: see the package."""

from __future__ import annotations

from dsmsg.brokers import MosquittoBroker

from hints.rules import Hints

HINTS = Hints("is it an MQTT server", server=MosquittoBroker)
