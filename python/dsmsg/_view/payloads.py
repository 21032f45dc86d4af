# SPDX-License-Identifier: Apache-2.0
"""What a payload says of a picture: objects, boxes, events, counts, pictures (docs/payloads.md).

Payloads come from anywhere: every text is cut, every number is finite, every list is bounded.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Box", "Event", "Evidence", "Seen", "Sighting", "read"]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the camera."""

_MOST_OBJECTS = 300
_MOST_DETAILS = 64  # events of an object, counts of a frame
_LONGEST_TEXT = 200
_LARGEST = 1e9  # pixels
_CORNERS = ("topleftx", "toplefty", "bottomrightx", "bottomrighty")
_PROTOBUF_CORNERS = ("leftX", "topY", "rightX", "bottomY")
# Tables in the object of the full form that are not its class.
_NO_CLASS = {
    *("bbox", "bbox3d", "coordinate", "embedding", "evidence", "gaze", "lipActivity", "location"),
    *("mask", "pose", "signature", "SV3DT", "track"),
}
_INFO_EVENT = re.compile(r"([a-z-]+) ?([\w-]*)\.?([\w-]*)((?: \w+=[\d.]+)*)")


@dataclass(frozen=True)
class Event:
    """What an object did."""

    type: str
    name: str = ""
    direction: str = ""
    seconds: float | None = None
    count: float | None = None


@dataclass(frozen=True)
class Evidence:
    """A picture that a message names; `kind` is crop or frame, `reason` why it is lost."""

    kind: str
    stored: bool
    uri: str = ""
    digest: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Seen:
    """An object."""

    id: str
    label: str
    confidence: float | None = None
    box: Box | None = None
    events: tuple[Event, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Sighting:
    """A message.

    Attributes:
        source: name of the camera; "": the message has none.
        time: as the message writes it.
        whole: all objects of the frame are in it; else the frame may have more messages.
        counts: by kind (zone, crowded, line, lineTotal, class) and name.
    """

    source: str
    time: str
    objects: tuple[Seen, ...]
    whole: bool
    counts: Mapping[tuple[str, str], float] = field(default_factory=dict)


def read(payload: bytes, decode: Callable[[bytes], dict[str, Any]] | None = None) -> Sighting:
    """Reads a message in any of our forms, or in DeepStream's.

    Args:
        payload: JSON, or what `decode` reads.
        decode: makes a table of a protobuf payload.

    Raises:
        ValueError: it cannot be shown, and what it is.
    """
    if decode is not None:
        return _sighting(decode(payload))
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError):
        raise ValueError("not JSON (protobuf? then start the view with --decode)") from None
    if not isinstance(message, dict):
        raise ValueError("JSON, but no object")
    return _sighting(message)


def _sighting(message: dict[str, Any]) -> Sighting:
    time = _text(message.get("@timestamp", message.get("timestamp")))
    counts = dict(_counts(message))
    if isinstance(message.get("objects"), list) or "sensorId" in message:
        objects = _list(message.get("objects"))[:_MOST_OBJECTS]
        beside = {
            each.get("object"): each
            for each in _list(message.get("evidence"))
            if isinstance(each, dict) and isinstance(each.get("object"), int)
        }
        seen = tuple(_one_of_many(each, beside.get(number)) for number, each in enumerate(objects))
        return Sighting(_text(message.get("sensorId")), time, seen, True, counts)
    one = message.get("object")
    if not isinstance(one, dict):
        raise ValueError("JSON without objects: no form of docs/payloads.md (made by a map?)")
    kind = _text(_table(message.get("event")).get("type"))
    seen_one = _seen(one, _table(message.get("evidence")), kind)
    return Sighting(
        _text(_table(message.get("sensor")).get("id")), time, (seen_one,), False, counts
    )


def _one_of_many(each: Any, beside: dict[str, Any] | None) -> Seen:  # noqa: ANN401 - of JSON
    if isinstance(each, dict):
        return _seen(each, {}, "")
    # The delimited form: id|left|top|right|bottom|Label|#|...|confidence
    parts = [*_text(each, 4 * _LONGEST_TEXT).split("|"), *[""] * 6]
    box = tuple(_number(part) for part in parts[1:5])
    return Seen(
        parts[0][:_LONGEST_TEXT],
        parts[5][:_LONGEST_TEXT],
        _number(parts[-7]) if "#" in parts else None,
        None if None in box else box,  # type: ignore[arg-type]
        (),
        _evidence(beside or {}),
    )


def _seen(one: dict[str, Any], beside: dict[str, Any], kind: str) -> Seen:
    info = _table(one.get("info"))  # protobuf
    label, confidence = _class(one)
    events = [
        Event(
            _text(each.get("type")),
            _text(each.get("name")),
            _text(each.get("direction")),
            _number(each.get("seconds")),
            _number(each.get("count")),
        )
        for each in _list(one.get("events"))[:_MOST_DETAILS]
        if isinstance(each, dict)
    ]
    events += _info_events(info)
    if kind and kind not in [event.type for event in events]:
        events.insert(0, Event(kind))
    pictures = _table(one.get("evidence")) or beside or _info_evidence(info)
    return Seen(
        _text(one.get("id")),
        label,
        confidence,
        _box(_table(one.get("bbox"))),
        tuple(events),
        _evidence(pictures),
    )


def _class(one: dict[str, Any]) -> tuple[str, float | None]:
    """Label and confidence: of the minimal form and protobuf, or of the member of the class."""
    label, confidence = _text(one.get("type")), _number(one.get("confidence"))
    for name, value in one.items():
        if label or not isinstance(value, dict) or name in _NO_CLASS or name == "info":
            continue
        label = _text(value.get("type")) if name in ("vehicle", "product") else ""
        return label or _text(name), _number(value.get("confidence"))
    return label, confidence


def _box(corners: dict[str, Any]) -> Box | None:
    if not corners:
        return None
    if _CORNERS[0] in corners:
        numbers = [_number(corners.get(name)) for name in _CORNERS]
    else:  # protobuf leaves zeros out
        numbers = [_number(corners.get(name, 0)) for name in _PROTOBUF_CORNERS]
    left, top, right, bottom = numbers
    if left is None or top is None or right is None or bottom is None:
        return None
    return left, top, right, bottom


def _evidence(pictures: dict[str, Any]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            kind,
            each.get("state") == "stored",
            _text(each.get("uri"), 2000),
            _text(each.get("digest")),
            _text(each.get("reason")),
        )
        for kind in ("crop", "frame")
        if isinstance(each := pictures.get(kind), dict)
    )


def _info_evidence(info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """From `evidence.crop.uri` and so on."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in info.items():
        parts = name.split(".")
        if len(parts) == 3 and parts[0] == "evidence":
            found.setdefault(parts[1], {})[parts[2]] = value
    return found


def _info_events(info: dict[str, Any]) -> list[Event]:
    """From `event0`: `line-crossing gate.in`, `zone-leave yard seconds=3`."""
    events = []
    for number in range(_MOST_DETAILS):
        match = _INFO_EVENT.fullmatch(_text(info.get(f"event{number}")))
        if match is None:
            break
        kind, name, direction, rest = match.groups()
        more = dict(part.split("=") for part in rest.split())
        seconds, count = _number(more.get("seconds")), _number(more.get("count"))
        events.append(Event(kind, name, direction, seconds, count))
    return events


def _counts(message: dict[str, Any]) -> Iterable[tuple[tuple[str, str], float]]:
    for each in _list(message.get("counts"))[:_MOST_DETAILS]:
        each = _table(each)
        value = _number(each.get("value"))
        if value is not None:
            yield (_text(each.get("kind")), _text(each.get("name"))), value
    # Protobuf has objects of zones in `rois`, crowded ones in `congestions`, crossings in `info`.
    for members, kind, number in (("rois", "zone", "count"), ("congestions", "crowded", "amount")):
        for each in _list(message.get(members))[:_MOST_DETAILS]:
            value = _number(_table(each).get(number, 0))
            if value is not None:
                yield (kind, _text(_table(each).get("id"))), value
    for name, text in list(_table(message.get("info")).items())[:_MOST_DETAILS]:
        kind, _, name = name.partition(".")
        value = _number(text)
        if kind in ("line", "lineTotal") and value is not None:
            yield (kind, _text(name)), value


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - of JSON
    return value if isinstance(value, list) else []


def _table(value: Any) -> dict[str, Any]:  # noqa: ANN401
    return value if isinstance(value, dict) else {}


def _text(value: Any, longest: int = _LONGEST_TEXT) -> str:  # noqa: ANN401
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + "…"
    return str(value) if isinstance(value, int) and abs(value) < 1 << 64 else ""


def _number(value: Any) -> float | None:  # noqa: ANN401
    """A number, or a text that is one; None for what is absent, endless or not of this world."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < _LARGEST else None
