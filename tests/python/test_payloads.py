# SPDX-License-Identifier: Apache-2.0
"""Payloads of libnvds_msgconv.so, read back by the stock protobuf runtime."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from payload_library import (
    HAS_CONFIDENCE,
    HAS_COORDINATE,
    HAS_GAZE,
    HAS_ID,
    HAS_LOCATION,
    ROOT,
    CData,
    PayloadLibrary,
)

#: A message made from a descriptor: its fields are known at run time only.
Message = Any

EXAMPLE = ROOT / "cfg" / "msgconv_example.txt"
TIME_NS = 1_705_314_600_123_456_789
FULL, MINIMAL, PROTOBUF = range(3)

#: Field numbers as consumers of DeepStream's messages know them.
NUMBERS = {
    "Frame": "version id timestamp sensorId objects fov rois socialDistancing segmentation"
    " interactions congestions info",
    "Object": "id bbox type confidence info embedding pose gaze lipActivity speed dir"
    " coordinate location bbox3d",
    "Bbox": "leftX topY rightX bottomY embeddings confidence info",
    "Bbox3d": "coordinates embeddings confidence info",
    "TypeMetrics": "id type count coordinates objectIds info",
    "Congestion": "id objectIds amount info",
    "Segmentation": "mask info",
    "Interaction": "id objectIds coordinates description info",
    "SocialDistancing": "threshold proximityDetections clusters",
    "Cluster": "points",
    "Point2D": "x y",
    "Coordinate": "x y z",
    "Location": "lat lon alt",
    "Embedding": "vector info",
    "Pose": "type keypoints actions",
    "Pose.Keypoint": "name coordinates quaternion",
    "Pose.Action": "type confidence",
    "Gaze": "x y z theta phi",
    "LipActivity": "classLabel",
    "Event": "id type - - info",
    "AnalyticsModule": "id description source version info",
    "Sensor": "id type description location coordinate info",
    "Place": "id name type location coordinate info",
    "Message": "messageid mdsversion timestamp place sensor analyticsModule object event videoPath",
}


def compile_messages(folder: Path) -> descriptor_pool.DescriptorPool:
    """Returns the messages of include/nv.proto, compiled by protoc."""
    time = descriptor_pb2.FileDescriptorSet()
    timestamp_pb2.DESCRIPTOR.CopyToProto(time.file.add())
    (folder / "time.pb").write_bytes(time.SerializeToString())
    subprocess.run(
        [
            *("protoc", f"--descriptor_set_in={folder}/time.pb", f"-I{ROOT}/include"),
            *(f"--descriptor_set_out={folder}/nv.pb", "nv.proto"),
        ],
        check=True,
        timeout=300,
    )
    nv = descriptor_pb2.FileDescriptorSet.FromString((folder / "nv.pb").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(time.file[0])
    pool.Add(nv.file[0])
    return pool


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pool.DescriptorPool:
    return compile_messages(tmp_path_factory.mktemp("proto"))


@pytest.fixture(scope="module")
def library() -> PayloadLibrary:
    return PayloadLibrary()


def parse(pool: descriptor_pool.DescriptorPool, name: str, data: bytes) -> Message:
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"nv.{name}"))()
    assert message.ParseFromString(data) == len(data)
    # No unknown fields: the known ones make the same number of bytes.
    assert len(message.SerializeToString()) == len(data)
    return message


def rich_object(lib: PayloadLibrary) -> dict[str, Any]:
    """Every field that a protobuf object has; all numbers differ and are exact in float."""
    return {
        "present": HAS_ID | HAS_CONFIDENCE | HAS_LOCATION | HAS_COORDINATE | HAS_GAZE,
        "id": 2**64 - 1,
        "label": lib.text("Person"),
        "confidence": 0.625,
        "left": 100,
        "top": 200,
        "width": 50,
        "height": 60.5,
        "speed": 1.5,
        "direction": 90,
        "event": 1,
        "event_id": lib.text("event-1"),
        "location": [45.5, -75.25, 48],
        "coordinate": [1.25, 2.5, 3.75],
        "attributes": lib.attributes({"gender": "f", "schön": "ja"}),
        "attribute_count": 2,
        "embedding": lib.array("float", [0.5, -0.25, 2]),
        "embedding_count": 3,
        "embedding_info": lib.attributes({"model": "reid"}),
        "embedding_info_count": 1,
        "directions": lib.array("float", [1, 0, -1]),
        "direction_count": 3,
        "pose_type": lib.text("pose3D"),
        "keypoints": lib.array(
            "DsmsgKeypoint",
            [
                {"name": lib.text("nose"), "x": 10, "y": 20, "z": 1.5, "confidence": 0.75},
                {
                    **{"name": lib.text("left-eye"), "x": 11, "y": 21, "z": 2.5},
                    **{"confidence": 0.5, "has_rotation": 1, "rotation": [0, 0.5, 0.25, 1]},
                },
            ],
        ),
        "keypoint_count": 2,
        "actions": lib.array(
            "DsmsgAction",
            [
                {"type": lib.text("walking"), "confidence": 0.875},
                {"type": lib.text("waving"), "confidence": 0.125},
            ],
        ),
        "action_count": 2,
        "gaze": [1, 2, 3, 0.5, -0.5],
        "lip_activity": lib.text("speaking"),
        "custom_messages": lib.texts(["of the object"]),
        "custom_message_count": 1,
    }


def check_object(found: Message) -> None:
    assert found.id == "18446744073709551615"
    assert found.type == "Person"
    assert found.confidence == 0.625
    box = found.bbox
    # The camera has twice the width of the pipeline's picture.
    assert (box.leftX, box.topY, box.rightX, box.bottomY) == (200, 200, 300, 260.5)
    assert dict(found.info) == {"gender": "f", "schön": "ja"}
    assert list(found.embedding.vector) == [0.5, -0.25, 2]
    assert dict(found.embedding.info) == {"model": "reid"}
    assert found.pose.type == "pose3D"
    assert [joint.name for joint in found.pose.keypoints] == ["nose", "left-eye"]
    assert list(found.pose.keypoints[0].coordinates) == [10, 20, 1.5, 0.75]
    assert list(found.pose.keypoints[0].quaternion) == []
    assert list(found.pose.keypoints[1].coordinates) == [11, 21, 2.5, 0.5]
    assert list(found.pose.keypoints[1].quaternion) == [0, 0.5, 0.25, 1]
    actions = [(action.type, action.confidence) for action in found.pose.actions]
    assert actions == [("walking", 0.875), ("waving", 0.125)]
    gaze = found.gaze
    assert (gaze.x, gaze.y, gaze.z, gaze.theta, gaze.phi) == (1, 2, 3, 0.5, -0.5)
    assert found.lipActivity.classLabel == "speaking"
    assert found.speed == 1.5
    assert list(found.dir) == [1, 0, -1]
    assert (found.coordinate.x, found.coordinate.y, found.coordinate.z) == (1.25, 2.5, 3.75)
    assert (found.location.lat, found.location.lon, found.location.alt) == (45.5, -75.25, 48)


def rich_frame(lib: PayloadLibrary, *more: dict[str, Any], **fields: CData) -> CData:
    sizes = {"width": 640, "height": 480, "source_width": 1280, "source_height": 480}
    return lib.frame([rich_object(lib), *more], number=77, time_ns=TIME_NS, **sizes, **fields)


@pytest.mark.parametrize("name", NUMBERS)
def test_field_numbers(pool: descriptor_pool.DescriptorPool, name: str) -> None:
    wanted = {n: i for i, n in enumerate(NUMBERS[name].split(), start=1) if n != "-"}
    fields = pool.FindMessageTypeByName(f"nv.{name}").fields_by_name
    assert {n: field.number for n, field in fields.items()} == wanted


def test_frame(library: PayloadLibrary, pool: descriptor_pool.DescriptorPool) -> None:
    car = {"label": library.text("car"), "direction": 90}
    (data,) = library.payloads(EXAMPLE, PROTOBUF, rich_frame(library, car))
    frame = parse(pool, "Frame", data)
    assert frame.version == "4.0"
    assert frame.id == "77"
    assert (frame.timestamp.seconds, frame.timestamp.nanos) == divmod(TIME_NS, 10**9)
    assert frame.sensorId == "CAMERA_001"
    assert len(frame.objects) == 2
    check_object(frame.objects[0])
    assert frame.objects[1].type == "car"
    assert list(frame.objects[1].dir) == [90]
    assert not frame.objects[1].HasField("pose")
    assert not frame.objects[1].HasField("location")


def test_extended_frame(pool: descriptor_pool.DescriptorPool) -> None:
    """The frame that csrc/msgconv/tests/extended_test.cc writes."""
    data = (ROOT / "csrc" / "msgconv" / "tests" / "data" / "extended.pb").read_bytes()
    frame = parse(pool, "Frame", data)
    assert frame.sensorId == "N1"
    counted, found = frame.fov
    assert (counted.type, counted.count) == ("Person", 2)
    assert (found.id, found.type, found.count) == ("hall", "Person", 3)
    assert list(found.objectIds) == ["5"]
    assert [(at.x, at.y, at.z) for at in found.coordinates] == [(1.5, 2, 0)]
    assert dict(found.info) == {"site": "Turin"}
    (interaction,) = frame.interactions
    assert (interaction.id, interaction.description) == ("i1", "lifts a box")
    assert list(interaction.objectIds) == ["5", "6"]
    assert [at.z for at in interaction.coordinates] == [0, 5]
    assert [(roi.id, roi.count, list(roi.objectIds)) for roi in frame.rois] == [("dock", 1, ["5"])]
    crowded = [(zone.id, zone.amount, list(zone.objectIds)) for zone in frame.congestions]
    assert crowded == [("ramp", 1, ["5"]), ("dock", 0, []), ("ramp", 0.25, ["5"])]
    assert list(frame.segmentation.mask) == [1, 1, 1, 0, 0, 2]
    assert dict(frame.segmentation.info) == {"width": "3", "height": "2"}
    assert dict(frame.info) == {
        "line.door": "1",
        "lineTotal.door": "12",
        "sensorName": "north gate",
        **{"llm.model": "vlm-2", "llm.query0": "Who is there?", "llm.response0": "A person."},
        **{"llm.query1": "Safe?", "llm.response1": "Yes."},
        **{"cam-1": "2024-01-15T10:30:00.123Z", "cam-2": "2024-01-15T10:30:00.000Z"},
    }
    person, box = frame.objects
    assert dict(person.info) == {
        **{"visibility": "0.500000", "footLocation2D": "10.000000,20.000000"},
        **{"footLocation3D": "-1.500000,2.500000", "convexHull": "1,2,3,4"},
        **{"zones": "dock", "crowdedZones": "ramp", "lines": "door"},
        **{"heading": "South", "state": "waiting"},
    }
    assert dict(person.bbox.info) == {"rotation": "12.5", "mask": "4x3:2,3,7"}
    assert person.bbox.confidence == person.confidence == 0.625
    assert [list(one.vector) for one in person.bbox.embeddings] == [[0.5, -0.25]]
    assert list(person.bbox3d.coordinates) == list(range(1, 13))
    assert person.bbox3d.confidence == 0.75
    assert [list(one.vector) for one in person.bbox3d.embeddings] == [[1, 2, 3]]
    assert box.confidence == 0


def test_frame_without_configuration(
    library: PayloadLibrary, pool: descriptor_pool.DescriptorPool
) -> None:
    (data,) = library.payloads(None, PROTOBUF, library.frame([{}], source_id=12))
    frame = parse(pool, "Frame", data)
    assert frame.sensorId == "12"
    assert frame.id == "0"
    assert frame.objects[0].id == ""
    named = library.frame([{}], source_id=12, sensor_id=library.text("gate"))
    assert parse(pool, "Frame", library.payloads(None, PROTOBUF, named)[0]).sensorId == "gate"


def test_nothing_of_a_list_is_lost(
    library: PayloadLibrary, pool: descriptor_pool.DescriptorPool
) -> None:
    acting = {"actions": library.array("DsmsgAction", [{}, {}]), "action_count": 2}
    (data,) = library.payloads(None, PROTOBUF, library.frame([{}, acting, {}]))
    frame = parse(pool, "Frame", data)
    assert [len(found.pose.actions) for found in frame.objects] == [0, 2, 0]


def test_text_that_is_no_utf8(
    library: PayloadLibrary, pool: descriptor_pool.DescriptorPool
) -> None:
    label = library.keep(library.ffi.new("char[]", b"a\xff\xc3\xbc"))
    frame = library.frame([{"label": label}])
    assert parse(pool, "Frame", library.payloads(None, PROTOBUF, frame)[0]).objects[0].type == "a�ü"


def test_timestamp_of_an_event(
    library: PayloadLibrary, pool: descriptor_pool.DescriptorPool
) -> None:
    stamped = library.frame([{"timestamp": library.text("2024-01-15T12:30:00.5+02:00")}])
    frame = parse(pool, "Frame", library.payloads(None, PROTOBUF, stamped)[0])
    assert (frame.timestamp.seconds, frame.timestamp.nanos) == (1_705_314_600, 500_000_000)


@pytest.mark.parametrize("count", [0, 1, 100, 5000])
def test_frames_of_any_size(
    library: PayloadLibrary, pool: descriptor_pool.DescriptorPool, count: int
) -> None:
    objects = [{"present": HAS_ID, "id": i, "label": library.text("x" * i)} for i in range(count)]
    payloads = library.payloads(None, PROTOBUF, library.frame(objects))
    assert len(payloads) == 1
    found = parse(pool, "Frame", payloads[0]).objects
    assert [(o.id, len(o.type)) for o in found] == [(str(i), i) for i in range(count)]


def test_json_of_the_same_frame(library: PayloadLibrary) -> None:
    (data,) = library.payloads(EXAMPLE, FULL, rich_frame(library))
    message = json.loads(data)
    assert message["object"]["id"] == "18446744073709551615"
    assert message["object"]["person"]["gender"] == "f"
    assert message["object"]["bbox"]["topleftx"] == 200
    assert message["object"]["embedding"]["embedding_vector"] == [0.5, -0.25, 2]
    assert message["place"]["entrance"]["name"] == "Zone_A"
    assert message["customMessage"] == ["of the object"]
    (data,) = library.payloads(EXAMPLE, MINIMAL, rich_frame(library, {}))
    assert len(json.loads(data)["objects"]) == 2


def test_delimited_by_configuration(library: PayloadLibrary, tmp_path: Path) -> None:
    config = tmp_path / "conv.yml"
    config.write_text("message-converter:\n  minimal-format: delimited\n", encoding="utf-8")
    (data,) = library.payloads(config, MINIMAL, library.frame([{"label": library.text("dog")}]))
    assert json.loads(data)["objects"] == ["|0|0|0|0|dog"]


def test_exports_nothing_else(library: PayloadLibrary) -> None:
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", str(library.path)],
        **{"check": True, "capture_output": True, "text": True, "timeout": 60},
    ).stdout
    exported = {line.split()[-1] for line in shown.splitlines()}
    assert exported == {
        *(f"nvds_msg2p_{name}" for name in ("ctx_create", "ctx_destroy", "release")),
        *(f"nvds_msg2p_generate{name}" for name in ("", "_multiple", "_new", "_multiple_new")),
        "dsmsg_msg2p_frame_version",
    }
