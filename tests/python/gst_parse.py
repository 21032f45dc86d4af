# SPDX-License-Identifier: Apache-2.0
"""Parses the pipelines of standard input, a JSON list, with GStreamer; prints their errors.

A process of its own: plugins stay loaded.
"""

from __future__ import annotations

import ctypes
import json
import sys

FATAL_ERRORS = 1


class _Error(ctypes.Structure):
    """GError."""

    _fields_ = (
        ("domain", ctypes.c_uint32),
        ("code", ctypes.c_int),
        ("message", ctypes.c_char_p),
    )


def main() -> None:
    """Prints for each pipeline its error, or null."""
    gst = ctypes.CDLL("libgstreamer-1.0.so.0")
    gst.gst_init(None, None)
    gst.gst_parse_launch_full.restype = ctypes.c_void_p
    answers = []
    for pipeline in json.load(sys.stdin):
        error = ctypes.POINTER(_Error)()
        gst.gst_parse_launch_full(pipeline.encode(), None, FATAL_ERRORS, ctypes.byref(error))
        answers.append(error.contents.message.decode() if error else None)
    print(json.dumps(answers))


main()
