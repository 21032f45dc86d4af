# SPDX-License-Identifier: Apache-2.0
"""A release, tried: everything that a release needs, without the tag.

Checks that there is one version everywhere and that the changelog is ready, runs the linters,
builds the documentation, the Debian packages and an archive of the sources, looks for folders of
this machine in what would be given away, and says which commands would release it. Nothing is
published, tagged or committed.

Usage: release.py [--quick]
    --quick   only what takes seconds: versions, changelog, tree
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["changelog", "traces", "unprotected", "version"]

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "release-files"
VERSIONS = {
    "CMakeLists.txt": r"^project\(dsmsg VERSION (\S+)",
    "pyproject.toml": r'^version = "([^"]+)"',
    "python/dsmsg/__init__.py": r'^__version__ = "([^"]+)"',
}


class NotReadyError(Exception):
    """The text says what to do first."""


def version(root: Path) -> str:
    """Returns the version of a source tree.

    Raises:
        NotReadyError: two files name different ones, or one names none.
    """
    found = {}
    for name, pattern in VERSIONS.items():
        match = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        if match is None:
            raise NotReadyError(f"{name} names no version")
        found[name] = match[1]
    if len(set(found.values())) != 1:
        listed = ", ".join(f"{name} {text}" for name, text in found.items())
        raise NotReadyError(f"there is more than one version: {listed}")
    return next(iter(found.values()))


def changelog(root: Path, now: str) -> None:
    """Checks that the changelog has entries for this release and no section of its number yet.

    Raises:
        NotReadyError: it is not ready.
    """
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if f"## [{now}]" in text:
        raise NotReadyError(f"CHANGELOG.md has {now} already: raise the version")
    unreleased = re.search(
        r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", text, re.DOTALL | re.MULTILINE
    )
    if unreleased is None or not re.search(r"^- ", unreleased[1], re.MULTILINE):
        raise NotReadyError("CHANGELOG.md has nothing below [Unreleased]")


def traces(folder: Path, needle: str) -> list[str]:
    """Returns the names of the files below a folder that hold a text: a path of this machine."""
    wanted = needle.encode()
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path.relative_to(folder).as_posix() for path in files if wanted in path.read_bytes()]


def unprotected(folder: Path) -> list[str]:
    """Returns the names of the libraries below a folder whose table of functions can be written to.

    Raises:
        OSError: there is no readelf.
    """
    bad = []
    for path in sorted(folder.rglob("*.so*")):
        if path.is_file() and not path.is_symlink():
            headers = _output("readelf", "--wide", "--segments", "--dynamic", str(path))
            if "GNU_RELRO" not in headers or not re.search(r"BIND_NOW|\bNOW\b", headers):
                bad.append(path.relative_to(folder).as_posix())
    return bad


def clean_tree(root: Path) -> None:
    """Checks that everything is committed.

    Raises:
        NotReadyError: it is not.
    """
    if changed := _output("git", "-C", str(root), "status", "--porcelain").splitlines():
        raise NotReadyError(f"{len(changed)} files are not committed, among them {changed[0][3:]}")


def packages(root: Path) -> None:
    """Builds the Debian packages, and looks at what is in them.

    Raises:
        NotReadyError: a file names a folder of this machine, or was built without protection.
    """
    _run("scripts/package")
    for package in sorted((root / "build" / "package" / "packages").glob("*.deb")):
        with tempfile.TemporaryDirectory() as folder:
            _run("dpkg-deb", "--extract", str(package), folder)
            if found := traces(Path(folder), str(root)):
                raise NotReadyError(f"{package.name}: {', '.join(found)} name(s) {root}")
            if found := unprotected(Path(folder)):
                raise NotReadyError(f"{package.name}: {', '.join(found)}: no -z relro -z now")


def archive(root: Path, now: str) -> None:
    """Writes the sources of the commit that would be tagged."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    name = f"dsmsg-{now}"
    _run(
        "git",
        "-C",
        str(root),
        "archive",
        f"--prefix={name}/",
        "-o",
        f"{OUTPUT / name}.tar.gz",
        "HEAD",
    )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT, stdin=subprocess.DEVNULL)


def steps(now: str, *, quick: bool) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yields what a release needs: its name, and what checks or makes it."""
    yield "changelog", lambda: changelog(ROOT, now)
    yield "clean tree", lambda: clean_tree(ROOT)
    if quick:
        return
    site = str(ROOT / "build" / "release-site")
    yield "lint", lambda: _run("scripts/lint", "fast")
    yield (
        "documentation",
        lambda: _run(sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site),
    )
    yield "archive of the sources", lambda: archive(ROOT, now)
    yield "Debian packages", lambda: packages(ROOT)


def main() -> int:
    """Tries a release; returns the exit code."""
    parser = argparse.ArgumentParser(description="Try a release; nothing is published.")
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    arguments = parser.parse_args()
    try:
        now = version(ROOT)
    except NotReadyError as error:
        print(f"release: {error}")
        return 1
    failed = 0
    for name, step in steps(now, quick=arguments.quick):
        begin = time.monotonic()
        try:
            step()
            said = "ok"
        except (NotReadyError, subprocess.CalledProcessError) as error:
            failed += 1
            said = f"FAILED: {error}"
        print(f"release: {name}: {said} ({time.monotonic() - begin:.0f} s)", flush=True)
    if failed:
        print(f"release: {now} is not ready")
        return 1
    print(f"release: {now} is ready, and nothing was published. After `make test`:")
    print(f"  in CHANGELOG.md: [Unreleased] becomes [{now}] with the date; commit")
    print(f"  git tag -a v{now} -m 'dsmsg {now}' && git push origin v{now}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
