# SPDX-License-Identifier: Apache-2.0
"""Prints the folder with Microsoft's IoT device SDK for Python, with which tests compare.

It wants an older paho-mqtt than the other tests, so it has a folder of its own in the cache of the
trial brokers. Nothing else uses it, and nothing of it is part of dsmsg.

Usage: azure_sdk.py [--check]     (--check: fetches nothing; 1 if it is not there)
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._cache import cached, run_tool

VERSIONS = ("azure-iot-device==2.14.0", "paho-mqtt==1.6.1")
FOLDER = "azure-iot-device-2.14.0"


def _fill(work: Path) -> str:
    return run_tool(
        "Microsoft's IoT device SDK",
        [
            sys.executable,
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *("--target", str(work), *VERSIONS),
        ],
        work,
        "run scripts/setup test",
    )


def main() -> int:
    """Returns 0 if it is there."""
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
