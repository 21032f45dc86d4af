# SPDX-License-Identifier: Apache-2.0
"""How `dsmsg sub` prints a message.

Threads: one at a time.
"""

from __future__ import annotations

import enum
import json
import re
from typing import IO, TYPE_CHECKING, Any, Optional

from dsmsg._cli._jsonlines import field_of

if TYPE_CHECKING:
    from dsmsg._map import Map

__all__ = ["Decode", "Shower"]

_PLACE = re.compile(r"\{([a-z_]+(?:\.[^{}]+)?)\}|\\([nt\\0])")
_ESCAPES = {"n": b"\n", "t": b"\t", "\\": b"\\", "0": b"\0"}
_MORE = ("key", "partition", "offset", "id", "timestamp_ms", "redelivered", "headers")
"""What a message has if the adaptor tells it."""


class Decode(str, enum.Enum):
    """Messages of include/nv.proto."""

    frame = "frame"
    message = "message"


class Shower:
    """Prints messages to `output`."""

    def __init__(
        self,
        output: IO[bytes],
        *,
        as_json: bool,
        form: Optional[str],
        decode: Optional[Decode],
        mapping: Optional[Map] = None,
    ) -> None:
        """Takes the form.

        Args:
            output: where to.
            as_json: an object a line.
            form: text with places; it wins.
            decode: which protobuf message payloads are.
            mapping: makes the payload that is printed.

        Raises:
            ValueError: the text has a place that does not exist, or the map is for metadata.
            RuntimeError: the protobuf package is not installed.
        """
        self.shown = 0
        self._output = output
        self._as_json = as_json
        self._form = form
        self._decode = None
        self._map = mapping
        if mapping is not None and mapping.each != "message":
            raise ValueError("--map: the map is for metadata; set each: message in it")
        if decode is not None:
            from dsmsg._cli import _nvproto

            self._decode = _nvproto.decoder(decode.value.capitalize())
        if form is not None:
            names = {match.group(1) for match in _PLACE.finditer(form) if match.group(1)}
            known = {"topic", "payload", "size", "n", "time", *_MORE}
            unknown = sorted(n for n in names if n not in known and not n.startswith("json."))
            if unknown:
                raise ValueError(
                    f"--format: there is no {{{unknown[0]}}} (there are "
                    f"{', '.join(sorted(known))} and json.PATH)"
                )

    def show(self, message: Any) -> None:  # noqa: ANN401 - Message
        """Prints one, unless the map leaves it out.

        Raises:
            OSError: it cannot be written.
            ValueError: it cannot be decoded.
        """
        payload = message.payload
        if self._map is not None:
            made = self._map.apply_to(message)
            if made is None:
                return
            payload = made
        self.shown += 1
        if self._decode is not None:
            payload = json.dumps(self._decode(payload)).encode("utf-8")
        if self._form is not None:
            text = _PLACE.sub(
                lambda match: self._fill(match, message, payload).decode("latin-1"),
                self._form.encode("utf-8").decode("latin-1"),
            )
            self._output.write(text.encode("latin-1"))
        elif self._as_json:
            self._output.write(self._line(message, payload) + b"\n")
        else:
            self._output.write(payload + b"\n")
        self._output.flush()

    def _line(self, message: Any, payload: bytes) -> bytes:  # noqa: ANN401
        fields: dict[str, object] = {"topic": message.topic, "length": len(message.payload)}
        for name in _MORE:
            value = getattr(message, name, None)
            if isinstance(value, bytes):
                fields.update(field_of(name, value))
            elif name == "headers" and value:
                fields[name] = [{"name": each, **field_of("value", data)} for each, data in value]
            elif value not in (None, "", ()) and value is not False:
                fields[name] = value
        if self._decode is None:
            fields.update(field_of("payload", payload))
        else:
            fields["payload"] = json.loads(payload)
        return json.dumps(fields).encode("utf-8")

    def _fill(self, match: re.Match[str], message: Any, payload: bytes) -> bytes:  # noqa: ANN401
        if match.group(2):
            return _ESCAPES[match.group(2)]
        name = match.group(1)
        if name.startswith("json."):
            return _inside(payload, name[len("json.") :])
        if name == "time":
            from dsmsg.spool import iso_time

            moment = getattr(message, "timestamp_ms", None)
            return b"" if moment is None else iso_time(moment).encode()
        own = {"n": self.shown, "size": len(message.payload), "payload": payload}
        value = own.get(name, getattr(message, name, None))
        if isinstance(value, bytes):
            return value
        return b"" if value is None else str(value).encode("utf-8", "surrogateescape")


def _inside(payload: bytes, path: str) -> bytes:
    """A value of a JSON payload: `objects.0.id`; absent is empty."""
    try:
        value: Any = json.loads(payload)
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (ValueError, TypeError, KeyError, IndexError):
        return b""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8")
