# SPDX-License-Identifier: Apache-2.0
"""Profiles: brokers by name, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional

__all__ = ["Profile", "Profiles", "load"]


@dataclass
class Profile:
    """A broker: adaptor, connection string, configuration file, settings."""

    adaptor: str
    conn_str: Optional[str] = None
    config: Optional[str] = None
    options: dict[str, str] = field(default_factory=dict)


@dataclass
class Profiles:
    """All profiles, and the name of the one in use ("": none)."""

    path: Path
    used: str = ""
    profiles: dict[str, Profile] = field(default_factory=dict)

    def get(self, name: str) -> Profile:
        """Returns a profile; without a name the one of DSMSG_PROFILE, else the one in use.

        Raises:
            ValueError: it does not exist.
        """
        name = name or os.environ.get("DSMSG_PROFILE") or self.used
        if not name:
            raise ValueError("no profile is in use (`dsmsg profile use NAME`, or write @NAME)")
        if name not in self.profiles:
            known = ", ".join(self.profiles) or "none"
            raise ValueError(
                f"there is no profile {name!r} (there are: {known}; `dsmsg profile add` makes one)"
            )
        return self.profiles[name]

    def save(self) -> None:
        """Writes the file: all or nothing, readable by the owner only.

        Raises:
            OSError: it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "use": self.used,
            "profiles": {name: asdict(profile) for name, profile in self.profiles.items()},
        }
        handle, temporary = tempfile.mkstemp(prefix=".profiles-", dir=self.path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        Path(temporary).replace(self.path)


def load() -> Profiles:
    """Reads the profiles; none if the file does not exist.

    Raises:
        ValueError: it is not a file of profiles.
        OSError: it cannot be read.
    """
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    path = Path(home) / "dsmsg" / "profiles.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        profiles = {name: Profile(**fields) for name, fields in content["profiles"].items()}
        return Profiles(path, content["use"], profiles)
    except FileNotFoundError:
        return Profiles(path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a file of profiles: {error!r}") from None
