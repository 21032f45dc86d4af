# SPDX-License-Identifier: Apache-2.0
"""Kafka: see the package."""

from __future__ import annotations

from hints.rules import Hints

HINTS = Hints(
    "is it a Kafka broker",
    # librdkafka mostly notices the end of the connection first.
    tls_port=("that port speaks TLS", "port want TLS, enable-tls=1"),
    # No server: clients connect to where it says it is, past a proxy.
)
