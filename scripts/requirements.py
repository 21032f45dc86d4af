# SPDX-License-Identifier: Apache-2.0
"""Prints the requirements of one extra of pyproject.toml, one a line, without building the package.

Usage: requirements.py <extra>     ("run": the dependencies of the package itself)
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any


def load_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file, with pip's own copy of tomli where Python is older than 3.11.

    Raises:
        ImportError: there is no TOML reader.
        OSError: the file cannot be read.
    """
    try:
        toml = importlib.import_module("tomllib")
    except ImportError:
        toml = importlib.import_module("pip._vendor.tomli")
    parsed: dict[str, Any] = toml.loads(path.read_text(encoding="utf-8"))
    return parsed


def main() -> int:
    """Prints the requirements of the extra that was named; returns 2 when there is no such."""
    project = load_toml(Path(__file__).parent.parent / "pyproject.toml")["project"]
    extras: dict[str, list[str]] = {
        "run": project["dependencies"],
        **project["optional-dependencies"],
    }
    if len(sys.argv) != 2 or sys.argv[1] not in extras:
        print(f"usage: requirements.py {{{','.join(extras)}}}", file=sys.stderr)
        return 2
    print("\n".join(extras[sys.argv[1]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
