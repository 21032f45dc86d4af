# SPDX-License-Identifier: Apache-2.0
"""Prints the folder with NVIDIA's metadata libraries of DeepStream, which tests load.

They come from a package on PyPI that needs no GPU, by its exact version, and are kept in the cache
of the trial brokers. Nothing else uses them, and no part of them is in dsmsg.

Usage: deepstream_meta.py [--check]     (--check: fetches nothing; 1 if they are not there)
"""

from __future__ import annotations

import platform
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import cached, run_tool

PACKAGE = "nvidia-deepstream-videodecode-cu13"
VERSION = "9.0.2"
FOLDER = f"deepstream-meta-{VERSION}"  # tests/gst/nvidia.cc names it, too
LIBRARIES = ("libnvds_meta.so", "libnvdsgst_meta.so")


def _fill(work: Path) -> str:
    error = run_tool(
        "DeepStream's metadata library",
        [
            sys.executable,
            *("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
            *("--no-deps", "--only-binary=:all:", "--dest", "wheel", f"{PACKAGE}=={VERSION}"),
        ],
        work,
        "run scripts/setup test",
    )
    if error:
        return error
    (wheel,) = (work / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if Path(name).name in (*LIBRARIES, "LICENSE"):
                (work / Path(name).name).write_bytes(archive.read(name))
    wheel.unlink()
    missing = [name for name in LIBRARIES if not (work / name).is_file()]
    return f"{PACKAGE} {VERSION} lacks {', '.join(missing)}" if missing else ""


def main() -> int:
    """Returns 0 if the libraries are there, or do not exist for this kind of machine."""
    if platform.machine() != "x86_64":
        return 0
    try:
        folder = cached(FOLDER, _fill, fetch=sys.argv[1:] != ["--check"])
    except BrokerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if folder is None:
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
