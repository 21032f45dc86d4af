# SPDX-License-Identifier: Apache-2.0
"""Connects with a will, says so and waits to be killed. Arguments: connection string, topic."""

import ast
import os
import sys
import threading

from dsmsg.adaptor import Adaptor

options = ast.literal_eval(os.environ["COMPAT_OPTIONS"])
will = {"will-topic": sys.argv[2], "will-payload": "gone"}
with Adaptor("mqtt").connect(sys.argv[1], {**options, **will}):
    print("up", flush=True)
    threading.Event().wait(120)
