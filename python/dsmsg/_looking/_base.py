# SPDX-License-Identifier: Apache-2.0
"""What the modules of the adaptors share, and how a file is read and merged.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dsmsg._inifile import GROUP, quote

__all__ = ["Look", "dashed", "no_groups", "settings_of", "unique"]


@dataclass(frozen=True)
class Look:
    """How to subscribe.

    Attributes:
        settings: what to set in addition to the user's own settings; None removes a setting.
        topics: what to subscribe to.
        place: where it reads, as an end of "receiving ...".
        warning: why messages are taken away nevertheless; "" if they are not.
    """

    settings: Mapping[str, str | None]
    topics: list[str]
    place: str = ""
    warning: str = ""

    def over(self, path: str | None, options: Mapping[str, str]) -> _Merged:
        """Returns settings for `Adaptor.connect`: a file, these over it, and options over both."""
        return _Merged(path, {**self.settings, **options})


@dataclass(frozen=True)
class _Merged:
    path: str | None
    settings: Mapping[str, str | None]

    def to_ini(self) -> str:
        """Returns the file's text with these settings replacing its own.

        Raises:
            OSError: the file cannot be read.
        """
        text = "" if self.path is None else Path(self.path).read_text(encoding="utf-8-sig")
        names = {dashed(name) for name in self.settings}
        kept = [line for line, name in _lines(text) if name not in names]
        added = [f"{name}={quote(v)}" for name, v in self.settings.items() if v is not None]
        heading = f"[{GROUP}]"
        at = next((n for n, line in enumerate(kept) if line.strip() == heading), None)
        if at is None:
            kept.append(heading)
            at = len(kept) - 1
        return "\n".join(kept[: at + 1] + added + kept[at + 1 :]) + "\n"


def unique() -> str:
    """Returns a name that no other reader has."""
    return f"dsmsg-sub-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def no_groups(what: str, group: str | None) -> None:
    """Refuses a group.

    Raises:
        ValueError: there is one.
    """
    if group is not None:
        raise ValueError(f"--group: {what} no groups")


def settings_of(path: str) -> dict[str, str]:
    """Returns the settings of a file as they are written.

    Raises:
        OSError: it cannot be read.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    return {name: line.partition("=")[2].strip() for line, name in _lines(text) if name}


def _lines(text: str) -> list[tuple[str, str]]:
    """The lines of a file, each with the option that it sets in our group, or ""."""
    group = ""
    lines = []
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("["):
            group = bare[1:].rstrip("]")
        sets = group == GROUP and "=" in bare and bare[0] not in "#;["
        lines.append((line, dashed(bare.partition("=")[0].strip()) if sets else ""))
    return lines


def dashed(name: str) -> str:
    """Returns an option's name as the table writes it."""
    return name.replace("_", "-")
