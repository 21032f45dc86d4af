# SPDX-License-Identifier: Apache-2.0
"""Decodes protobuf payloads with the descriptors of nv.proto, which is read as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["decoder"]

_FILE = Path(__file__).parent.parent / "nv.proto"  # a link to include/nv.proto
_TOKEN = re.compile(r"[A-Za-z_][\w.]*|\d+|\"[^\"]*\"|[{}=;<>,]")


def decoder(message: str) -> Callable[[bytes], dict[str, Any]]:
    """Returns a function that makes a dictionary of a payload; it raises ValueError.

    Args:
        message: "Frame" or "Message".

    Raises:
        RuntimeError: the package protobuf is not installed.
    """
    try:
        from google.protobuf import (
            descriptor_pb2,
            descriptor_pool,
            json_format,
            message_factory,
            timestamp_pb2,
        )
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise RuntimeError(f"--decode needs the package protobuf: {error}") from None
    file = descriptor_pb2.FileDescriptorProto()
    file.name, file.syntax = "nv.proto", "proto3"
    _Parser(file, _FILE.read_text(encoding="utf-8")).run()
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{message}"))

    def decode(payload: bytes) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = json_format.MessageToDict(kind.FromString(payload))
        except DecodeError as error:
            raise ValueError(f"a payload is no nv.{message}: {error}") from None
        return fields

    return decode


class _Parser:
    """Reads what nv.proto uses of the language: messages and maps."""

    def __init__(self, file: Any, text: str) -> None:  # noqa: ANN401 - a protobuf message
        self._file = file
        # Without comments and [packed = true], which proto3 has anyway.
        self._tokens = _TOKEN.findall(re.sub(r"//[^\n]*|\[[^]]*\]", "", text))[::-1]

    def run(self) -> None:
        while self._tokens:
            word = self._next()
            if word == "message":
                self._message(self._file.message_type.add())
            elif word == "package":
                self._file.package = self._next()
            elif word == "import":
                self._file.dependency.append(self._next().strip('"'))

    def _next(self) -> str:
        return str(self._tokens.pop())

    def _message(self, message: Any) -> None:  # noqa: ANN401
        message.name = self._next()
        self._next()
        while (word := self._next()) != "}":
            if word == "message":
                self._message(message.nested_type.add())
            elif word == "map":
                self._map(message)
            elif word != ";":
                repeated = word == "repeated"
                self._field(message, self._next() if repeated else word, repeated=repeated)

    def _map(self, message: Any) -> None:  # noqa: ANN401
        _, key, _, value, _ = (self._next() for _ in range(5))
        name = self._tokens[-1]
        entry = message.nested_type.add(name=name[0].upper() + name[1:] + "Entry")
        entry.options.map_entry = True
        for number, (part, kind) in enumerate((("key", key), ("value", value)), 1):
            field = entry.field.add(name=part, number=number, label=1)
            self._type(field, kind)
        self._field(message, entry.name, repeated=True)

    def _field(self, message: Any, kind: str, *, repeated: bool = False) -> Any:  # noqa: ANN401
        field = message.field.add(name=self._next(), label=3 if repeated else 1)
        self._next()
        field.number = int(self._next())
        self._type(field, kind)
        return field

    def _type(self, field: Any, kind: str) -> None:  # noqa: ANN401
        """Scalars by number; other names are resolved by the pool, relative to their place."""
        scalar = f"TYPE_{kind.upper()}"
        if scalar in field.Type.keys() and kind not in ("message", "enum", "group"):  # noqa: SIM118
            field.type = field.Type.Value(scalar)
        else:
            field.type_name = kind
