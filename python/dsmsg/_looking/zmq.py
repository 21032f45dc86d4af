# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` reads ZeroMQ: see the package."""

from __future__ import annotations

from collections.abc import Mapping

from dsmsg._looking._base import Look, no_groups

GROUP_OPTION = None
HELP = "there are no groups"


def plan(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    """Returns how to read these topics; raises ValueError for an impossible group."""
    no_groups("ZeroMQ has", group)
    kind = given.get("subscribe-socket-type", "SUB").strip("\"'").upper()
    if kind == "SUB":
        return Look({}, topics)
    return Look(
        {},
        topics,
        warning=f"a {kind} socket removes its messages: no other reader gets the messages shown "
        "here",
    )
