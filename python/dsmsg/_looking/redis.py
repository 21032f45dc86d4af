# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` reads Redis: see the package."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from dsmsg._looking._base import Look, no_groups

GROUP_OPTION = "consumergroup"
START = ("stream-start", "oldest", "oldest, new or the entry id to begin behind (streams)")
HELP = "--group is a consumer group (of streams)"


def plan(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    """Returns how to read these topics; raises ValueError for an impossible group."""
    command = given.get("command", "xadd").strip("\"'").lower()
    if command in ("publish", "spublish"):
        no_groups(f"Redis Pub/Sub (command={command}) has", group)
        return Look({}, topics)
    if command == "rpush":
        no_groups("Redis lists (command=rpush) have", group)
        return Look(
            {},
            topics,
            warning="a list gives each message to one reader only: no other reader gets the "
            "messages shown here",
        )
    if group is None:
        return Look({"consumergroup": ""}, topics)
    # The same name next time, so that unacknowledged messages are read again.
    settings: dict[str, str | None] = {
        "consumergroup": group,
        "consumername": f"dsmsg-sub-{socket.gethostname()}",
    }
    return Look(settings, topics, f" as a member of the group {group}")
