# SPDX-License-Identifier: Apache-2.0
"""A release: one version everywhere, no folder of the building machine in what is given away."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import dsmsg
import pytest
from dsmsg import _settings

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

from release import NotReadyError, changelog, traces, unprotected, version  # noqa: E402


def test_there_is_one_version() -> None:
    now = version(ROOT)
    assert dsmsg.__version__ == now
    for name in _settings.ADAPTORS:
        assert dsmsg.Adaptor(name).describe()["version"] == now


def test_two_versions_are_named(tmp_path: Path) -> None:
    for name in ("CMakeLists.txt", "pyproject.toml", "python/dsmsg/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    assert version(tmp_path) == version(ROOT)
    path = tmp_path / "pyproject.toml"
    path.write_text(re.sub(r"^version = .*", 'version = "9.9.9"', path.read_text(), flags=re.M))
    with pytest.raises(NotReadyError, match=r"more than one version: .*pyproject\.toml 9\.9\.9"):
        version(tmp_path)


def test_the_changelog_has_entries_and_not_this_version_yet(tmp_path: Path) -> None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text("## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n")
    changelog(tmp_path, "0.2.0")
    with pytest.raises(NotReadyError, match=r"has 0\.1\.0 already"):
        changelog(tmp_path, "0.1.0")
    path.write_text("## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n\n- A thing.\n")
    with pytest.raises(NotReadyError, match="nothing below"):
        changelog(tmp_path, "0.2.0")


SOURCE = """
#include <string.h>
const char* File() { return __FILE__; }
char Last(const char* in, size_t size) {
  char room[16];
  memcpy(room, in, size);
  return room[size - 1];
}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `home/user` with a library, built with the flags of every build; by build type."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "home" / "user"
    source.mkdir(parents=True)
    (source / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(traces CXX)\n"
        f"include({ROOT}/cmake/DsmsgCompile.cmake)\n"
        "add_library(traces SHARED traces.cc)\ntarget_link_libraries(traces PRIVATE dsmsg_flags)\n"
    )
    (source / "traces.cc").write_text(SOURCE)
    for kind in ("Debug", "Release"):
        build = folder / kind
        configure = ["cmake", "-S", source, "-B", build, f"-DCMAKE_BUILD_TYPE={kind}"]
        subprocess.run(configure, check=True, capture_output=True, timeout=120)
        subprocess.run(["cmake", "--build", build], check=True, capture_output=True, timeout=120)
        (folder / f"{kind}-files").mkdir()
        (build / "libtraces.so").rename(folder / f"{kind}-files" / "libtraces.so")
    return folder


def test_release_builds_do_not_name_their_folder(built: Path) -> None:
    for kind, found in (("Debug", True), ("Release", False)):
        assert traces(built / f"{kind}-files", str(built / "home/user")) == ["libtraces.so"] * found


def test_release_builds_are_protected(built: Path) -> None:
    for kind, good in (("Debug", False), ("Release", True)):
        folder = built / f"{kind}-files"
        assert unprotected(folder) == ["libtraces.so"] * (not good)
        symbols = subprocess.run(
            ["readelf", "--wide", "--dyn-syms", folder / "libtraces.so"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in ("__stack_chk_fail", "__memcpy_chk"):
            assert (f" {name}@" in symbols) == good
