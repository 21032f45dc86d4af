# SPDX-License-Identifier: Apache-2.0
"""Installs the component for DeepStream machines into an empty folder and loads what arrived.

Usage: check_drop_in.py <build folder> <name of a library> ...
"""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Returns 0 if exactly the named libraries were installed and each loads."""
    build, *names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as prefix:
        install = ["cmake", "--install", build, "--component", "adaptors", "--prefix", prefix]
        subprocess.run(install, check=True)
        found = sorted(path.name for path in Path(prefix).rglob("*") if not path.is_dir())
        if found != sorted(names):
            print(f"installed: {found}\nexpected:  {sorted(names)}")
            return 1
        for name in names:
            ctypes.CDLL(str(Path(prefix, "lib", name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
