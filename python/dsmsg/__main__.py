# SPDX-License-Identifier: Apache-2.0
"""`python -m dsmsg` is the command `dsmsg`."""

from __future__ import annotations

import sys

from dsmsg.cli import main

if __name__ == "__main__":
    sys.exit(main())
