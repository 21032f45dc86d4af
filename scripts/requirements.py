# SPDX-License-Identifier: Apache-2.0
"""Prints the requirements of one extra of pyproject.toml, one a line, without building the package.

Usage: requirements.py <extra>     ("run": the dependencies of the package itself)
       requirements.py --check     does requirements.lock meet all of them?
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")


def _pythons(marker: Any) -> set[str]:  # noqa: ANN401  # of pip's own copy of packaging
    """Returns those for which a line with this marker (or None) holds."""
    return {
        python
        for python in PYTHONS
        if marker is None
        or marker.evaluate({"python_version": python, "python_full_version": f"{python}.9"})
    }


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


def unmet(extras: dict[str, list[str]], lock: str) -> list[str]:
    """Returns what is wrong with a lock file.

    Args:
        extras: requirements by the name of the extra.
        lock: content of the lock file; every version of a package must meet its range.
    """
    packaging: Any = importlib.import_module("pip._vendor.packaging.requirements")
    names: Any = importlib.import_module("pip._vendor.packaging.utils")
    pins: dict[str, list[tuple[str, set[str]]]] = {}
    wrong = []
    for line in lock.splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        pin = packaging.Requirement(text)
        exact = [each.version for each in pin.specifier if each.operator == "=="]
        if len(exact) != 1 or len(pin.specifier) != 1 or pin.url:
            wrong.append(f"{text}: not an exact version")
        of_name = pins.setdefault(names.canonicalize_name(pin.name), [])
        of_name += [(version, _pythons(pin.marker)) for version in exact]
    for extra, requirements in extras.items():
        for text in requirements:
            wanted = packaging.Requirement(text)
            versions = pins.get(names.canonicalize_name(wanted.name), [])
            if not versions:
                wrong.append(f"{extra}: {text}: not in the lock file")
            wrong += [
                f"{extra}: {text}: locked is {version}"
                for version, pythons in versions
                if pythons & _pythons(wanted.marker)
                and not wanted.specifier.contains(version, prereleases=True)
            ]
    return wrong


def main() -> int:
    """Prints what was asked for; returns 1 when the lock file is wrong, 2 for wrong usage."""
    project = load_toml(ROOT / "pyproject.toml")["project"]
    extras: dict[str, list[str]] = {
        "run": project["dependencies"],
        **project["optional-dependencies"],
    }
    if sys.argv[1:] == ["--check"]:
        wrong = unmet(extras, LOCK.read_text(encoding="utf-8"))
        for text in wrong:
            print(f"{LOCK.name}: {text} (run: make lock)", file=sys.stderr)
        return 1 if wrong else 0
    if len(sys.argv) != 2 or sys.argv[1] not in extras:
        print(f"usage: requirements.py {{{','.join(extras)},--check}}", file=sys.stderr)
        return 2
    print("\n".join(extras[sys.argv[1]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
