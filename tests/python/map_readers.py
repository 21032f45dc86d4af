# SPDX-License-Identifier: Apache-2.0
"""Readers of the formats that the shipped maps write, made from their public descriptions alone.

Each takes a message, raises AssertionError for what the description does not allow, and returns
what it understood.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

__all__ = [
    "axis_track",
    "cloud_event",
    "dl_streamer",
    "flat_rows",
    "onvif_event",
    "outline",
    "recorded",
]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

# RFC 3986, section 2: nothing but these characters, and percent signs in front of two digits.
_URI_REFERENCE = re.compile(r"([A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


def moment(text: object) -> datetime:
    """A time in RFC 3339."""
    assert isinstance(text, str) and _RFC3339.fullmatch(text), text
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def _number(value: object) -> float:
    assert isinstance(value, (int, float)) and not isinstance(value, bool), value
    return float(value)


def _share(value: object) -> float:
    assert 0 <= _number(value) <= 1, value
    return _number(value)


def cloud_event(payload: bytes) -> dict[str, Any]:
    """CloudEvents 1.0.2, JSON event format: sections 3.1 (names), 3.2 and 3.3 (attributes)."""
    event: dict[str, Any] = json.loads(payload)
    assert _URI_REFERENCE.fullmatch(event["source"]), event["source"]
    for name in ("id", "source", "specversion", "type"):
        assert isinstance(event.pop(name), str) and name
    moment(event.pop("time"))
    assert isinstance(event.pop("subject"), str)
    assert re.fullmatch(r"[\w.+-]+/[\w.+-]+", event.pop("datacontenttype"))
    data: dict[str, Any] = event.pop("data")
    for name in event:  # extensions
        assert re.fullmatch(r"[a-z0-9]{1,20}", name), name
    return data


def dl_streamer(payload: bytes) -> list[dict[str, Any]]:
    """The schema in DL Streamer's guide: gvametaconvert, format=json, without tensors."""
    frame = json.loads(payload)
    width, height = frame["resolution"]["width"], frame["resolution"]["height"]
    assert isinstance(frame["timestamp"], int)
    assert set(frame) <= {"resolution", "timestamp", "source", "tags", "objects"}
    for each in frame["objects"]:
        assert all(isinstance(each[side], int) for side in "xywh")
        found = each["detection"]
        box = {side: _share(value) for side, value in found["bounding_box"].items()}
        assert set(box) == {"x_min", "x_max", "y_min", "y_max"}
        assert box["x_min"] <= box["x_max"] and box["y_min"] <= box["y_max"]
        assert abs(box["x_min"] * width - each["x"]) < 1.001
        assert abs(box["y_min"] * height - each["y"]) < 1.001
        _share(found["confidence"])
        assert each["roi_type"] == found["label"]
        for name, value in each.items():
            if name not in {*"xywh", "id", "roi_type", "detection"}:  # a classifier's
                assert isinstance(value["label"], str)
    objects: list[dict[str, Any]] = frame["objects"]
    return objects


def onvif_event(payload: bytes) -> dict[str, Any]:
    """ONVIF Core specification, "JSON event payload": UtcTime, PropertyOperation, simple items."""
    event = json.loads(payload)
    moment(event["UtcTime"])
    assert event["PropertyOperation"] in {"Initialized", "Changed", "Deleted"}
    assert set(event) <= {"UtcTime", "PropertyOperation", "Source", "Key", "Data"}
    for part in ("Source", "Key", "Data"):
        for name, value in event.get(part, {}).items():
            assert re.fullmatch(r"[A-Z]\w*", name), name
            assert isinstance(value, str), (name, value)
    assert event["Data"]["IsInside"] in {"true", "false"}  # xs:boolean
    return {**event["Source"], **event["Key"], **event["Data"]}


def axis_track(payload: bytes) -> dict[str, Any]:
    """Axis Analytics Data Format, "Consolidated track"; other members are allowed."""
    track: dict[str, Any] = json.loads(payload)
    assert isinstance(track["id"], str)
    lasted = moment(track["end_time"]) - moment(track["start_time"])
    assert abs(lasted.total_seconds() - _number(track["duration"])) < 0.01
    for each in track["classes"]:
        assert isinstance(each["type"], str)
        _share(each["score"])
    for each in track["observations"]:
        assert moment(track["start_time"]) <= moment(each["timestamp"]) <= moment(track["end_time"])
        box = {side: _share(value) for side, value in each["bounding_box"].items()}
        assert set(box) == {"left", "top", "right", "bottom"}
        assert box["left"] < box["right"] and box["top"] < box["bottom"]
    # Parts of the picture are what the format has: points in pixels need a name that says so.
    assert "path" not in track
    return track


def flat_rows(payloads: list[bytes]) -> list[dict[str, Any]]:
    """Rows of a time-series database: a time in milliseconds, texts and numbers by column."""
    rows: list[dict[str, Any]] = [json.loads(each) for each in payloads]
    is_text: dict[str, bool] = {}
    for row in rows:
        assert isinstance(row["ts"], int) and row["ts"] > 1_600_000_000_000
        for name, value in row.items():
            if not isinstance(value, str):
                _number(value)
            assert is_text.setdefault(name, isinstance(value, str)) == isinstance(value, str), name
    return rows


def outline(value: object) -> object:
    """Names and types of a document, without its values; null may be anything."""
    if isinstance(value, dict):
        return {name: outline(each) for name, each in value.items()}
    if isinstance(value, list):
        return [outline(value[0])] if value else []
    if value is None:
        return None
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def recorded(folder: Path, name: str) -> dict[str, Any]:
    """A message that NVIDIA's own library made, as it is kept for the tests of dialects."""
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return document
