# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` reads Kafka: see the package."""

from __future__ import annotations

from collections.abc import Mapping

from dsmsg._looking._base import Look, unique

GROUP_OPTION = "consumer-group-id"
START = ("offset-reset", "earliest", "earliest or latest")
HELP = "--group is a consumer group; a topic is read from offset-reset on (earliest)"


def plan(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    """Returns how to read these topics; raises ValueError for an impossible group."""
    if group is not None:
        return Look({"consumer-group-id": group}, topics, f" as a member of the group {group}")
    # Without a committed offset the broker forgets the group soon after its only member has left.
    return Look({"consumer-group-id": unique(), "commit-offsets": "0"}, topics)
