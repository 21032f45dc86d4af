# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` reads Pulsar: see the package."""

from __future__ import annotations

from collections.abc import Mapping

from dsmsg._looking._base import Look

GROUP_OPTION = "subscription"
START = ("initial-position", "earliest", "earliest or latest")
HELP = "--group is a subscription, whose other consumers share the messages"


def plan(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    """Returns how to read these topics."""
    if group is None:
        return Look({"subscription": ""}, topics)
    return Look({"subscription": group}, topics, f" as a member of the subscription {group}")
