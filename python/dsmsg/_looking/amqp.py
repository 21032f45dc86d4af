# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` reads AMQP: see the package."""

from __future__ import annotations

from collections.abc import Mapping

from dsmsg._looking._base import Look

GROUP_OPTION = "queue"
HELP = "--group is a queue"


def plan(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    """Returns how to read these topics; raises ValueError for an impossible group."""
    if group is not None:
        return Look({"queue": group}, topics, f" from the queue {group}, with its other readers")
    return Look({"queue": None}, topics)
