# SPDX-License-Identifier: Apache-2.0
"""What `dsmsg view` reads out of payloads: every form of ours, DeepStream's own, and anything."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import dsmsg
import pytest
from dsmsg._cli import _nvproto
from dsmsg._map import full_sample
from dsmsg._view.payloads import Event, Evidence, Seen, Sighting, read
from dsmsg._view.state import State
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from viewing import message

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "payloads.md").read_text()
RECORDED = ROOT / "csrc" / "msgconv" / "tests" / "data" / "dialects" / "deepstream"
CAR = Seen("18", "car", 0.875, (100, 200, 300, 350))


def example(name: str) -> bytes:
    found = re.search(rf"<!-- example: {name} -->\n```json\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1].encode()


def test_full() -> None:
    seen = read(example("full"))
    assert (seen.source, seen.time, seen.whole) == ("CAMERA_001", "2024-01-15T10:30:00.123Z", False)
    assert seen.objects == (Seen("18", "car", 0.875, CAR.box, (Event("entry"),)),)
    (rich,) = read(example("rich")).objects
    assert (rich.id, rich.label, rich.confidence) == ("18446744073709551615", "person", 0.625)


@pytest.mark.parametrize("form", ["minimal", "delimited"])
def test_minimal(form: str) -> None:
    seen = read(example(form))
    assert (seen.source, seen.whole, seen.objects[0]) == ("CAMERA_001", True, CAR)
    assert seen.objects[1].label == "person"


def test_events_counts_and_pictures() -> None:
    events = [
        {"type": "line-crossing", "name": "gate", "direction": "in"},
        {"type": "zone-leave", "name": "yard", "seconds": 3.5},
        {"type": "zone-cleared", "name": "yard", "seconds": 2, "count": 5},
    ]
    pictures = {
        "crop": {"state": "stored", "uri": "file:///p/x.jpg", "digest": "ab", "size": 3},
        "frame": {"state": "lost", "reason": "no room"},
    }
    payload = json.loads(message(events=events, evidence=pictures))
    payload["counts"] = [{"kind": "zone", "name": "yard", "value": 2}]
    seen = read(json.dumps(payload).encode())
    (person,) = seen.objects
    assert person.events == (
        Event("line-crossing", "gate", "in"),
        Event("zone-leave", "yard", "", 3.5),
        Event("zone-cleared", "yard", "", 2, 5),
    )
    assert person.evidence == (
        Evidence("crop", True, "file:///p/x.jpg", "ab"),
        Evidence("frame", False, reason="no room"),
    )
    assert seen.counts == {("zone", "yard"): 2}


def test_pictures_beside_delimited_objects() -> None:
    payload = json.loads(example("delimited"))
    payload["evidence"] = [{"object": 1, "crop": {"state": "stored", "uri": "file:///x"}}]
    first, second = read(json.dumps(payload).encode()).objects
    assert (first.evidence, second.evidence) == ((), (Evidence("crop", True, "file:///x"),))


def test_protobuf() -> None:
    decode = _nvproto.decoder("Message")
    payloads = dsmsg.Map(ROOT / "cfg" / "maps" / "nv-message.yaml").try_sample(full_sample())
    person, car = (read(each, decode) for each in payloads)
    assert person.objects[0].events == (Event("entry"),)
    assert (car.source, car.objects[0].label) == ("CAM-2", "car")
    assert car.objects[0].box == (100, 200, 180, 260)
    with pytest.raises(ValueError, match=r"no nv\.Message"):
        read(b"\xff\xff", decode)
    with pytest.raises(ValueError, match="--decode"):
        read(payloads[0])


def test_protobuf_says_events_and_pictures_in_info() -> None:
    info = {
        "event0": "line-crossing gate.in",
        "event1": "zone-cleared yard seconds=3.5 count=4",
        "evidence.crop.state": "stored",
        "evidence.crop.uri": "redis://h:1/0?key=x",
    }
    frame = {
        "sensorId": "1",
        "objects": [{"id": "1", "type": "car", "bbox": {"rightX": 5, "bottomY": 6}, "info": info}],
        "rois": [{"id": "yard", "count": 3}],
        "congestions": [{"id": "yard", "amount": 1}],
        "info": {"lineTotal.gate.in": "9", "sensorName": "x"},
    }
    seen = read(b"", lambda payload: frame)
    (car,) = seen.objects
    assert car.box == (0, 0, 5, 6)  # protobuf leaves zeros out
    assert car.events == (
        Event("line-crossing", "gate", "in"),
        Event("zone-cleared", "yard", "", 3.5, 4),
    )
    assert car.evidence == (Evidence("crop", True, "redis://h:1/0?key=x"),)
    assert seen.counts == {("zone", "yard"): 3, ("crowded", "yard"): 1, ("lineTotal", "gate.in"): 9}


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda path: path.name)
def test_deepstreams_own(path: Path) -> None:
    told = json.loads(path.read_text())
    seen = read(path.read_bytes())
    count = len(told["objects"]) if "objects" in told else 1
    assert len(seen.objects) == count
    assert all(each.box for each in seen.objects if each.id)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"\x08\x96\x01", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "no object"),
        (b'{"temperature": 3}', "without objects"),
    ],
)
def test_says_what_it_cannot_show(payload: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(payload)


def test_long_texts_and_lists_are_cut() -> None:
    payload = json.dumps({"sensorId": "s" * 999, "objects": [{"id": "i" * 999}] * 999})
    seen = read(payload.encode())
    assert len(seen.source) == 201
    assert len(seen.objects) == 300
    assert len(seen.objects[0].id) == 201


def test_numbers_are_finite() -> None:
    payload = message(confidence=math.nan, bbox={"topleftx": math.inf})
    (person,) = read(payload).objects
    assert (person.confidence, person.box) == (None, None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            [
                *("objects", "object", "sensorId", "sensor", "id", "bbox", "topleftx", "event"),
                *("type", "events", "evidence", "crop", "state", "uri", "info", "counts"),
                *("value", "event0"),
            ]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=30,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(VALUES)
def test_anything_is_read_or_refused(value: Any) -> None:  # noqa: ANN401 - of JSON
    """And what was read can be told to the page."""
    try:
        seen = read(json.dumps(value).encode())
    except ValueError:
        return
    state = State("t")
    state.add(seen, "topic")
    json.dumps(state.changes(0)[1], allow_nan=False)


def test_state_is_bounded() -> None:
    state = State("t", keep=3)
    for number in range(1000):
        picture = Evidence("crop", True, f"file:///{number}")
        one = Seen(str(number), "person", events=(Event("entry"),), evidence=(picture,))
        counts = {("zone", str(number)): 1.0}
        state.add(Sighting(f"camera-{number % 2}", str(number), (one,), False, counts), "")
    told = state.changes(0)[1]
    assert [each["uri"] for each in told["pictures"]] == [f"file:///{n}" for n in range(994, 1000)]
    assert len(told["events"]) == 200
    many = (Seen("", "person"),) * 200
    for number in range(1000):
        state.add(Sighting(f"other-{number}", "t", many, False, counts), "")
        state.add(Sighting("one-frame", "t", many, False, counts), "")
    told = state.changes(0)[1]
    assert len(told["rates"]) == 64
    assert len(told["pictures"]) <= 3 * 64
    assert max(len(each["objects"]) for each in told["sources"]) == 300


def test_one_frame_in_several_messages() -> None:
    """The full form: objects of the frame gather, its picture is one, an event is told once."""
    state = State("t")
    picture = Evidence("frame", True, "file:///frame.jpg")
    for object_id in ("1", "2", "2"):
        one = Seen(object_id, "person", events=(Event("entry"),), evidence=(picture,))
        state.add(Sighting("c", "10:00", (one,), False), "")
    told = state.changes(0)[1]
    assert [each["id"] for each in told["pictures"][0]["objects"]] == ["1", "2"]
    assert len(told["pictures"]) == 1
    assert [each["object"] for each in told["events"]] == ["person 1", "person 2"]
    state.add(Sighting("c", "10:01", (Seen("3", "person"),), False), "")
    assert [each["id"] for each in state.changes(0)[1]["sources"][0]["objects"]] == ["3"]


def test_rates() -> None:
    now = 100.0
    state = State("t", clock=lambda: now)
    for tenth in range(50):
        now = 100 + tenth / 10
        state.add(Sighting("c", str(tenth), (), True), "")
    now = 105.0
    assert state.changes(0)[1]["rates"] == {"c": [10, 50]}
    now = 200.0
    assert state.changes(0)[1]["rates"] == {"c": [0, 50]}
