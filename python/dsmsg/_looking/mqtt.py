# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` reads MQTT: see the package."""

from __future__ import annotations

from collections.abc import Mapping

from dsmsg._looking._base import Look, unique

GROUP_OPTION = "client-id"
HELP = "--group is that of a shared subscription"


def plan(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    """Returns how to read these topics; raises ValueError for an impossible group."""
    # A second connection with a client-id ends the first one; only the first may leave a will.
    settings: dict[str, str | None] = {
        "client-id": unique(),
        "clean-session": "1",
        "session-expiry": None,
        "will-topic": None,
        "will-payload": None,
        "will-qos": None,
        "will-retain": None,
    }
    if group is None:
        return Look(settings, topics)
    if any(char in group for char in "/+#"):
        raise ValueError(f"--group {group}: MQTT does not allow '/', '+' or '#' in a group name")
    shared = [f"$share/{group}/{topic}" for topic in topics]
    return Look(settings, shared, f" as a member of the group {group}")
