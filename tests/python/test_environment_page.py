# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md names every variable that adaptors, elements and Python read."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READS = re.compile(
    r"(?:getenv|FromEnvironment|OrEnvironment|environ\.get|environ\[)\(?[^;\n]*?\"([A-Z][A-Z0-9_]+)\""
)
SYSTEMS = {"PATH", "HOME", "PYTHONPATH"}


def test_every_variable_is_in_the_table() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    table = page[page.index("\n## Environment variables") :]
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)(?:[<*][^`]*)?`", table))
    read: dict[str, str] = {}
    for pattern in ("csrc/**/*.cc", "csrc/**/*.h", "python/dsmsg/**/*.py"):
        for path in ROOT.glob(pattern):
            if not {"test", "tests"} & set(path.parts):
                for name in READS.findall(path.read_text()):
                    read[name] = str(path.relative_to(ROOT))
    assert len(read) > 12
    prefixes = tuple(name for name in named if name.endswith("_"))
    missing = {name: path for name, path in read.items() if name not in named | SYSTEMS}
    assert {name: path for name, path in missing.items() if not name.startswith(prefixes)} == {}
