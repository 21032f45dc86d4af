# SPDX-License-Identifier: Apache-2.0
"""Lines and zones for the page, from the file that dsmsgconv reads (docs/space.md).

Threads: one at a time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dsmsg._native_module import native

__all__ = ["PlacesFile"]


class PlacesFile:
    """The file, read again when it changes."""

    def __init__(self, path: str) -> None:
        """Takes the path.

        Raises:
            RuntimeError: dsmsg._native was not built.
        """
        if native() is None:
            raise RuntimeError(
                "--space needs the module dsmsg._native, which was not built (install the "
                "package, or pybind11 and Python's headers before the build)"
            )
        self._path = path
        self._before: tuple[int, ...] = ()

    def read_if_changed(self) -> dict[str, Any] | None:
        """Returns lines and zones by source, with points in parts of the picture or in pixels.

        None if the file has not changed since the last call, or is away for a moment.

        Raises:
            ValueError: it has a mistake: file, line, column and what to do.
            OSError: it cannot be read at first.
        """
        try:
            about = Path(self._path).stat()
        except OSError:
            if not self._before:
                raise
            return None
        now = (about.st_mtime_ns, about.st_size, about.st_ino)
        if now == self._before:
            return None
        self._before = now
        rules: dict[str, Any] = native().space_rules(os.fspath(self._path))
        width, height = rules["size"]
        if rules["pixels"] and width and height:
            for source in rules["sources"].values():
                for shape in (*source["lines"], *source["zones"]):
                    shape["points"] = [(x / width, y / height) for x, y in shape["points"]]
            rules["pixels"] = False
        return rules
