# SPDX-License-Identifier: Apache-2.0
"""scripts/setup: root runs no file that another user could change."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SETUP = Path(__file__).parents[2] / "scripts" / "setup"


def test_root_runs_no_file(tmp_path: Path) -> None:
    text = SETUP.read_text()
    start, end = text.index("install_packages() {"), text.index("setup_packages() {")
    arguments = tmp_path / "arguments"
    code = (
        "set -euo pipefail\n"
        f"as_root() {{ printf '%s\\0' \"$@\" >'{arguments}'; }}\n"
        f"{text[start:end]}\ninstall_packages one two\n"
    )
    folder = tmp_path / "tmp"
    folder.mkdir()
    subprocess.run(
        ["bash", "-c", code], env={**os.environ, "TMPDIR": str(folder)}, check=True, timeout=60
    )
    shell, flag, script, name, *packages = arguments.read_text().split("\0")[:-1]
    assert (shell, flag, name, packages) == ("sh", "-c", "sh", ["one", "two"])
    assert 'install "$@"' in script
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
    assert list(folder.iterdir()) == []
