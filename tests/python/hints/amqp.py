# SPDX-License-Identifier: Apache-2.0
"""AMQP: see the package."""

from __future__ import annotations

from dsmsg.brokers import RabbitMqBroker

from hints.rules import Hints

HINTS = Hints("is it an AMQP 0-9-1 broker", server=RabbitMqBroker)
