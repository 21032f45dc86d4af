# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` reads NATS: see the package."""

from __future__ import annotations

from collections.abc import Mapping

from dsmsg._looking._base import Look

GROUP_OPTION = "durable"
START = ("deliver", "all", "all or new (JetStream)")
HELP = "--group is the name of durable consumers, or with jetstream=0 a queue group"


def plan(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    """Returns how to read these topics."""
    core = given.get("jetstream", "1").strip("\"'").lower() in ("0", "false", "no")
    if group is None:
        oldest = core and given.get("deliver", "").strip("\"'").lower() == "all"
        warning = "with jetstream=0 only what is sent from now on is shown" if oldest else ""
        return Look({} if core else {"durable": ""}, topics, warning=warning)
    return Look(
        {"queue-group" if core else "durable": group}, topics, f" as a member of the group {group}"
    )
