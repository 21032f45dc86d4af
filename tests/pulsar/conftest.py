# SPDX-License-Identifier: Apache-2.0
"""Where the tests with a real Pulsar find what they share with the others."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "python")]
