# SPDX-License-Identifier: Apache-2.0
"""Pulsar: see the package. Its server is for `make test-pulsar` only."""

from __future__ import annotations

from hints.rules import Hints

HINTS = Hints("is it a Pulsar broker")
