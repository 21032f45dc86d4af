# SPDX-License-Identifier: Apache-2.0
"""The entry point of the command `dsmsg`, which is in `dsmsg._cli`.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 ended by Ctrl-C; `dsmsg doctor` has more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    try:
        from dsmsg._cli.app import run  # here: typer and rich take long, and only it needs them
    except ImportError as error:
        print(f"dsmsg: {error} (pip install typer rich)", file=sys.stderr)
        return 1
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
