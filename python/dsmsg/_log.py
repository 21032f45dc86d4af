# SPDX-License-Identifier: Apache-2.0
"""Log lines of adaptors in Python's `logging`.

Threads: adaptors log on threads that must not wait, so a thread here hands the lines on. At exit
the lines go to stderr again.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import sys
import threading
from typing import Any

from dsmsg._abi import Library, ffi, loaded, make_callback, on_load

__all__ = ["log_to_logging"]

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)

_lines: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
_thread: threading.Thread | None = None
_lock = threading.Lock()


def log_to_logging() -> None:
    """Has adaptors, also those loaded later, log to `logging` instead of stderr.

    The loggers are "dsmsg.redis", "dsmsg.kafka", ... What is logged at all, `log-level` and the
    environment variable DSMSG_LOG say ("warn" by default). A second call does nothing.
    """
    global _thread
    with _lock:
        if _thread is not None:
            return
        _thread = threading.Thread(target=_hand_on, name="dsmsg-log", daemon=True)
        _thread.start()
        on_load.append(_attach)
        for library in loaded:
            _attach(library)


def _attach(library: Library) -> None:
    if library.has("set_log_callback"):
        library.set_log_callback(_on_line)


@make_callback("log_cb")
def _on_line(level: int, text: Any) -> None:  # noqa: ANN401 - a C string
    _lines.put((level, ffi.string(text).decode("utf-8", "replace")))


def _hand_on() -> None:
    while (line := _lines.get()) is not None:
        level, text = line
        name, _, rest = text.partition(": ")
        logging.getLogger(f"dsmsg.{name}").log(_LEVELS[min(max(level, 0), 3)], "%s", rest)


def _detach() -> None:
    for library in loaded:
        if library.has("set_log_callback"):
            library.set_log_callback(ffi.NULL)


@atexit.register
def _end() -> None:
    if _thread is not None:
        connections = sys.modules.get("dsmsg._connection_core")
        if connections is not None:  # now, so that their last lines come too
            connections.disconnect_all()
        _detach()
        _lines.put(None)
        _thread.join()


os.register_at_fork(after_in_child=lambda: _detach() if _thread is not None else None)
