# SPDX-License-Identifier: Apache-2.0
"""The names that a shared library exports."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["exports"]

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNSYM = 11
_DEFAULT, _PROTECTED = 0, 3
_LOCAL = 0


def exports(path: Path) -> list[str]:
    """Returns the names of all defined dynamic symbols that other libraries can bind to.

    Raises:
        ValueError: the file is no ELF library of 64 bits, least significant byte first.
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path} is no shared library of 64 bits")
    table = struct.unpack_from("<Q", data, 0x28)[0]
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [_SECTION.unpack_from(data, table + index * size) for index in range(count)]
    names = []
    for _, kind, _, _, begin, length, link, *_ in sections:
        if kind != _DYNSYM:
            continue
        texts = sections[link][4]
        for name, info, other, where, _, _ in _SYMBOL.iter_unpack(data[begin : begin + length]):
            visible = other & 3 in (_DEFAULT, _PROTECTED) and info >> 4 != _LOCAL
            if visible and where != 0 and name:
                end = data.index(b"\0", texts + name)
                names.append(data[texts + name : end].decode("ascii", "replace"))
    # A version script's own name is an absolute symbol (where = 0xfff1) without a function.
    return names
