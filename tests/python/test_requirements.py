# SPDX-License-Identifier: Apache-2.0
"""requirements.lock has the exact version of every package in pyproject.toml."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("requirements", ROOT / "scripts/requirements.py")
assert _spec is not None
assert _spec.loader is not None
requirements = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(requirements)


def test_the_lock_file_meets_pyproject() -> None:
    command = [sys.executable, str(ROOT / "scripts/requirements.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_lock_file_names_no_host_and_no_hash() -> None:
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert line.startswith("#") or "/" not in line
        assert "--" not in line


@pytest.mark.parametrize(
    ("lock", "problem"),
    [
        ("cffi==2.0.0\n", None),
        ("# c\ncffi==1.17 ; python_version < '3.10'\nCFFI==2.0 ; python_version >= '3.10'\n", None),
        ("", "run: cffi>=1.15,<3: not in the lock file"),
        ("cffi==1.14\n", "run: cffi>=1.15,<3: locked is 1.14"),
        ("cffi==2.0\ncffi==3.0\n", "run: cffi>=1.15,<3: locked is 3.0"),
        ("cffi>=2.0\n", "cffi>=2.0: not an exact version"),
    ],
)
def test_what_is_wrong_is_said(lock: str, problem: str | None) -> None:
    wrong = requirements.unmet({"run": ["cffi>=1.15,<3"]}, lock)
    assert (problem in wrong) if problem else wrong == []
