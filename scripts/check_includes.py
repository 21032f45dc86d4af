# SPDX-License-Identifier: Apache-2.0
"""Checks that includes under csrc/ point one way only (docs/architecture.md has the folders).

Each folder may include itself and those that ROOMS lists for it. A folder that is not in ROOMS
fails, so that a new one gets its place.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CSRC = Path(__file__).resolve().parent.parent / "csrc"

CORE = [
    "base",
    "options",
    "net",
    "observe",
    "driver",
    "queue",
    "spool",
    "session",
    "export",
]  # lower first

# A driver knows its interface and what is below it, never who calls it. core/export has the macro
# that exports it.
DRIVER = ["core/base", "core/options", "core/net", "core/driver", "core/export"]

ROOMS: dict[str, list[str]] = {
    **{
        f"core/{room}": [f"core/{below}" for below in CORE[:number]]
        for number, room in enumerate(CORE)
    },
    "adaptors/*": DRIVER,
    # These speak another adaptor's protocol in their own way.
    "adaptors/azure": [*DRIVER, "adaptors/mqtt"],
    "adaptors/azure_edge": [*DRIVER, "adaptors/azure"],
    # A host of other adaptors, too.
    "adaptors/multi": [*DRIVER, "host"],
    "host": ["core/base", "core/options"],
    "broker": ["core/base", "core/options", "host"],
    "msgconv": ["core/base", "core/options"],
    "space": ["core/base", "msgconv"],
    "evidence": ["core/base", "core/options", "host"],
    "gst": ["core/base", "core/options", "host", "msgconv", "space", "evidence"],
    "bridge": ["core/base", "core/options", "host", "msgconv"],
    "python": ["bridge", "core/base", "msgconv", "space"],  # and the C interfaces
}

INCLUDE = re.compile(r'^#include "([a-z][a-z0-9_/]*/)[a-z0-9_]+\.h"', re.MULTILINE)


def room_of(path: str) -> str:
    """The room that a path below csrc/ belongs to; each adaptor is a separate one."""
    parts = path.split("/")
    if parts[0] == "adaptors":
        return "/".join(parts[:2])
    return "/".join(parts[:2]) if parts[0] == "core" else parts[0]


def wrong_includes() -> list[str]:
    """One line for each include that points the wrong way, and for each folder without a place."""
    errors = []
    for file in sorted([*CSRC.rglob("*.h"), *CSRC.rglob("*.cc")]):
        name = file.relative_to(CSRC).as_posix()
        room = room_of(name)
        allowed = ROOMS.get(room)
        if allowed is None and room.startswith("adaptors/"):
            allowed = ROOMS["adaptors/*"]
        if allowed is None:
            errors.append(
                f"csrc/{name}: folder csrc/{room} has no place in scripts/check_includes.py"
            )
            continue
        if "/test/" in name or "/tests/" in name or file.stem.endswith("_test"):
            continue
        for folder in INCLUDE.findall(file.read_text(encoding="utf-8")):
            other = room_of(folder + "x")
            if (CSRC / folder).is_dir() and other != room and other not in allowed:
                errors.append(
                    f"csrc/{name}: includes csrc/{folder}..., which is not below csrc/{room}"
                )
    return errors


def main() -> int:
    """Prints what is wrong; returns the exit code."""
    errors = wrong_includes()
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
