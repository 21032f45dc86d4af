# SPDX-License-Identifier: Apache-2.0
"""fakeredis over TCP. Arguments: host, port."""

import importlib
import os
import signal
import sys

fakeredis = importlib.import_module("fakeredis")  # there only for the server's process
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
fakeredis.TcpFakeServer((sys.argv[1], int(sys.argv[2]))).serve_forever()
