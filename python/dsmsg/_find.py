# SPDX-License-Identifier: Apache-2.0
"""Finds adaptor libraries by their short names, in the order that the C++ loader uses.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["AdaptorNotFoundError", "available", "file_name", "find", "search_folders"]

_DEEPSTREAM = Path("/opt/nvidia/deepstream/deepstream/lib")
_FILE = re.compile(r"libnvds_([a-z0-9_]+)_proto\.so")
_SANITIZED = ("asan", "tsan", "fuzz")  # build folders whose libraries plain Python cannot load
_SHORT_NAME = re.compile(r"[A-Za-z0-9_-]+")


class AdaptorNotFoundError(FileNotFoundError):
    """The adaptor library was not found; the text says where it was looked for."""


def file_name(name: str) -> str:
    """Returns the file name of a short name: "kafka" -> "libnvds_kafka_proto.so"."""
    return f"libnvds_{name.lower().replace('-', '_')}_proto.so"


def search_folders() -> list[Path]:
    """Returns the existing folders where short names are looked up, in this order.

    In this order: those of the environment variable DSMSG_LIB_DIR (separated by ":"), `lib` beside
    this package, the build folders `build/*/lib` of the source tree this package is in (newest
    first, those with sanitizers left out), DeepStream's library folder.
    """
    package = Path(__file__).resolve().parent
    folders = [Path(text) for text in os.environ.get("DSMSG_LIB_DIR", "").split(":") if text]
    folders.append(package / "lib")
    root = package.parent.parent
    if (root / "CMakeLists.txt").is_file() and (root / "csrc").is_dir():
        built = [
            folder
            for folder in root.glob("build/*/lib")
            if folder.parent.name not in _SANITIZED and any(folder.glob("libnvds_*"))
        ]
        folders += sorted(built, key=_newest, reverse=True)
    folders.append(_DEEPSTREAM)
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def _newest(folder: Path) -> float:
    return max(library.stat().st_mtime for library in folder.glob("libnvds_*"))


def available() -> dict[str, Path]:
    """Returns short name and file of every adaptor found, sorted by name."""
    found: dict[str, Path] = {}
    for folder in search_folders():
        for path in sorted(folder.glob("libnvds_*_proto.so")):
            match = _FILE.fullmatch(path.name)
            if match:
                found.setdefault(match.group(1), path)
    return dict(sorted(found.items()))


def find(name: str | os.PathLike[str]) -> Path:
    """Returns the file of an adaptor.

    Args:
        name: a short name ("kafka", "redis", "azure-edge") or a path (with a slash or a dot in it).

    Raises:
        AdaptorNotFoundError: the file does not exist.
    """
    text = os.fspath(name)
    if not _SHORT_NAME.fullmatch(text):
        path = Path(text)
        if not path.is_file():
            raise AdaptorNotFoundError(
                f"cannot find the adaptor library {text!r} (is the path right?)"
            )
        return path.resolve()
    folders = search_folders()
    for folder in folders:
        if (folder / file_name(text)).is_file():
            return folder / file_name(text)
    others = ", ".join(available()) or "none"
    places = ", ".join(map(str, folders)) or "no folder that exists"
    raise AdaptorNotFoundError(
        f"cannot find the adaptor {text!r}: {file_name(text)} is not in {places} (found there: "
        f"{others}; build it, give a path, or set DSMSG_LIB_DIR to its folder)"
    )
