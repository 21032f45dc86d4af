# SPDX-License-Identifier: Apache-2.0
"""Values that go into and come out of an adaptor, and how they become C's.

Threads: values and pure functions; any thread.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

from dsmsg._abi import ffi
from dsmsg._message import Message
from dsmsg.errors import DsmsgError, Result

__all__ = [
    "ConnectionEvent",
    "DsmsgError",
    "Message",
    "Payload",
    "Result",
    "SendCallback",
    "c_bytes",
    "c_string",
    "encoded",
]

if TYPE_CHECKING:
    from typing_extensions import Buffer  # what mypy ships with

Payload = Union[bytes, bytearray, memoryview, "Buffer"]
"""Bytes: also an array, a NumPy array and whatever else has contiguous memory."""

SendCallback = Callable[["Result"], object]


class ConnectionEvent(enum.IntEnum):
    """NvDsMsgApiEventType: what a connect callback receives."""

    SUCCESS = 0
    DISCONNECT = 1
    SERVICE_DOWN = 2


def c_string(text: str | None, what: str) -> Any:  # noqa: ANN401 - a C string
    """Returns a C string that lives as long as the result is referred to, or NULL for None.

    Raises:
        ValueError: the text contains a NUL character.
    """
    data = encoded(text, what)
    return ffi.NULL if data is None else ffi.new("char[]", data)


def encoded(text: str | None, what: str) -> bytes | None:
    """Returns text as C takes it, without the NUL at its end; None for None.

    Raises:
        ValueError: the text contains a NUL character.
    """
    if text is None:
        return None
    if "\0" in text:
        raise ValueError(f"{what} contains a NUL character: {text!r}")
    return text.encode("utf-8", "surrogateescape")


def c_bytes(payload: Payload) -> Any:  # noqa: ANN401 - a C array
    """Returns the bytes as a C array, without a copy if they are contiguous.

    Raises:
        TypeError: it is not a bytes-like object (text must be encoded first).
    """
    if isinstance(payload, str):
        raise TypeError(
            'a payload is bytes, not text: encode it, as in payload.encode("utf-8") or b"..."'
        )
    if isinstance(payload, memoryview) and not payload.c_contiguous:
        payload = payload.tobytes()
    return ffi.from_buffer("uint8_t[]", payload)
