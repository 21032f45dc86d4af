# SPDX-License-Identifier: Apache-2.0
"""Values that go into and come out of an adaptor, and how they become C's.

Threads: values and pure functions; any thread.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple, Union

from dsmsg._abi import ffi

__all__ = [
    "ConnectionEvent",
    "DsmsgError",
    "Message",
    "Payload",
    "Result",
    "SendCallback",
    "c_bytes",
    "c_string",
]

Payload = Union[bytes, bytearray, memoryview]
SendCallback = Callable[["Result"], object]


class Result(enum.IntEnum):
    """NvDsMsgApiErrorType."""

    OK = 0
    ERROR = 1
    UNKNOWN_TOPIC = 2

    @classmethod
    def of(cls, code: int) -> Result:
        """Returns the member for a C code; an unknown code counts as ERROR."""
        return cls(code) if code in (0, 1, 2) else cls.ERROR


class ConnectionEvent(enum.IntEnum):
    """NvDsMsgApiEventType: what a connect callback receives."""

    SUCCESS = 0
    DISCONNECT = 1
    SERVICE_DOWN = 2


class Message(NamedTuple):
    """A received message."""

    topic: str
    payload: bytes
    result: Result


class DsmsgError(RuntimeError):
    """The adaptor refused a call, or a message failed; `result` is the code, if there is one."""

    def __init__(self, text: str, result: Result | None = None) -> None:
        super().__init__(text)
        self.result = result


def c_string(text: str | None, what: str) -> Any:  # noqa: ANN401 - a C string
    """Returns a C string that lives as long as the result is referred to, or NULL for None.

    Raises:
        ValueError: the text contains a NUL character.
    """
    if text is None:
        return ffi.NULL
    if "\0" in text:
        raise ValueError(f"{what} contains a NUL character: {text!r}")
    return ffi.new("char[]", text.encode("utf-8", "surrogateescape"))


def c_bytes(payload: Payload) -> Any:  # noqa: ANN401 - a C array
    """Returns the bytes as a C array, without a copy if they are contiguous.

    Raises:
        TypeError: it is not a bytes-like object (text must be encoded first).
    """
    if isinstance(payload, memoryview) and not payload.c_contiguous:
        payload = payload.tobytes()
    return ffi.from_buffer("uint8_t[]", payload)
