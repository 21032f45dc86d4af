# SPDX-License-Identifier: Apache-2.0
"""libnvds_msgconv.so through cffi, with its declarations taken from the headers themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cffi

#: A value of cffi, which has no type that says more.
CData = Any
ROOT = Path(__file__).resolve().parent.parent.parent
MAGIC = 0xD5D5464D45000001
HAS_ID, HAS_LABEL_ID, HAS_CONFIDENCE, HAS_LOCATION, HAS_COORDINATE, HAS_GAZE = (
    1 << bit for bit in range(6)
)


def declarations(name: str) -> str:
    """Returns what cffi can read of a header: no comments, no preprocessor, no C++."""
    text = (ROOT / "include" / name).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#(?:.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r'extern "C" \{', "", text)
    text = re.sub(r"^\}\s*$", "", text, flags=re.MULTILINE)
    return re.sub(r"(\d)u\b", r"\1", text)


class PayloadLibrary:
    """The functions, and what makes their structures from Python values.

    Everything made stays alive as long as the object.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.ffi = cffi.FFI()
        self.ffi.cdef(declarations("nvmsgconv.h") + declarations("dsmsg_frame.h"))
        folder = Path(os.environ.get("DSMSG_LIB_DIR", ROOT / "build" / "dev" / "lib"))
        self.path = path or folder / "libnvds_msgconv.so"
        self.lib: CData = self.ffi.dlopen(str(self.path))
        self._kept: list[object] = []

    def keep(self, value: object) -> CData:
        """Keeps a value alive, and returns it."""
        self._kept.append(value)
        return value

    def text(self, text: str | None) -> CData:
        """Returns a char array, NULL for None."""
        return self.ffi.NULL if text is None else self.keep(self.ffi.new("char[]", text.encode()))

    def array(self, kind: str, values: Sequence[Any]) -> CData:
        """Returns an array of a type, NULL for an empty one."""
        return self.keep(self.ffi.new(f"{kind}[]", list(values))) if values else self.ffi.NULL

    def texts(self, texts: Sequence[str]) -> CData:
        """Returns an array of texts."""
        return self.array("char *", [self.text(text) for text in texts])

    def attributes(self, values: dict[str, str]) -> CData:
        """Returns an array of DsmsgAttribute."""
        return self.array(
            "DsmsgAttribute",
            [{"name": self.text(k), "value": self.text(v)} for k, v in values.items()],
        )

    def frame(self, objects: Sequence[dict[str, Any]], **fields: CData) -> CData:
        """Returns a DsmsgFrame with these objects (fields of DsmsgObject)."""
        return self.keep(
            self.ffi.new(
                "DsmsgFrame *",
                {
                    "magic": MAGIC,
                    "version": 1,
                    "size": self.ffi.sizeof("DsmsgFrame"),
                    "object_size": self.ffi.sizeof("DsmsgObject"),
                    "object_count": len(objects),
                    "objects": self.array("DsmsgObject", objects),
                    **fields,
                },
            )
        )

    def payloads(self, config: Path | None, payload_type: int, frame: CData) -> list[bytes]:
        """Returns all payloads of a frame; none where the library refuses."""
        path = self.text(None if config is None else str(config))
        context = self.lib.nvds_msg2p_ctx_create(path, payload_type)
        assert context != self.ffi.NULL, f"no context for {config}, {payload_type}"
        count = self.ffi.new("unsigned *")
        payloads = self.lib.nvds_msg2p_generate_multiple_new(context, frame, count)
        made = [
            bytes(self.ffi.buffer(payloads[i].payload, payloads[i].payloadSize))
            for i in range(count[0])
        ]
        for i in range(count[0]):
            self.lib.nvds_msg2p_release(context, payloads[i])
        if payloads != self.ffi.NULL:
            self.ffi.gc(payloads, self._free())
        self.lib.nvds_msg2p_ctx_destroy(context)
        return made

    def _free(self) -> CData:
        libc = self.keep(cffi.FFI())
        libc.cdef("void free(void *);")
        return self.keep(libc.dlopen(None)).free
