# SPDX-License-Identifier: Apache-2.0
"""Maps: dsmsg.Map, `dsmsg map`, shipped maps and their readers, the bridge, `sub`."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dsmsg
import pytest
from brokers.kafka_client import read_topic
from dsmsg._cli import _nvproto
from dsmsg._map import full_sample
from dsmsg.brokers import Broker
from map_readers import (
    axis_track,
    cloud_event,
    dl_streamer,
    flat_rows,
    onvif_event,
    outline,
    recorded,
)
from test_bridge import PATIENCE_S, new_topic, running, until
from test_cli import subscriber

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

ROOT = Path(__file__).resolve().parents[2]
MAPS = ROOT / "cfg" / "maps"
MSGCONV = ROOT / "csrc" / "msgconv"
RECORDED = MSGCONV / "tests" / "data" / "dialects" / "deepstream"
SAMPLE = json.loads(full_sample())
# What `object.event` can be without an application's own words (EventTypeOf, SpaceEventName).
OWN_EVENTS = ("entry", "exit", "moving", "stopped", "parked", "empty", "reset")
SPACE_EVENTS = (
    "line-crossing",
    "zone-enter",
    "zone-leave",
    "zone-dwell",
    "zone-crowded",
    "zone-cleared",
    "track-end",
)


def made(text: str, payload: bytes, **message: Any) -> Any:  # noqa: ANN401 - JSON
    document = dsmsg.Map("m.yaml", text=text).apply(payload, **message)
    return None if document is None else json.loads(document)


def shipped(name: str, sample: object = SAMPLE) -> list[bytes]:
    return dsmsg.Map(MAPS / name).try_sample(json.dumps(sample))


# The converters of ThingsBoard's documents, as maps.

HTTP_UPLINK = """
each: message
message:
  deviceName: ${payload.deviceId ?? headers.deviceName}
  deviceType: ${payload.deviceType ?? "http-device"}
  telemetry: {temperature: "${payload.temp}", humidity: "${payload.hum}"}
  attributes: {model: "${payload.model}"}
"""
MQTT_UPLINK = """
each: message
message:
  deviceName: ${topic[1]}
  deviceType: mqtt-sensor
  telemetry: {temperature: "${payload.temp}", humidity: "${payload.hum}"}
"""
KAFKA_UPLINK = """
each: message
message:
  deviceName: ${payload.deviceId}
  deviceType: kafka-device
  telemetry: {ts: "${payload.timestamp}", values: "${payload.measurements}"}
"""
HTTP_DOWNLINK = """
each: message
message:
  contentType: JSON
  data: {$json: {command: "${payload.method}", params: "${payload.params}"}}
  metadata: {}
"""
MQTT_DOWNLINK = """
each: message
message:
  contentType: JSON
  data: {$json: {command: "${payload.method}", params: "${payload.params}"}}
  metadata: {topic: "devices/${headers.deviceName}/commands"}
"""
KAFKA_DOWNLINK = """
each: message
message:
  contentType: JSON
  data:
    $json:
      deviceId: ${headers.deviceName}
      command: ${payload.method}
      params: ${payload.params}
      timestamp: ${now | unix_ms}
  metadata: {key: "${headers.deviceName}"}
"""


def test_http_uplink() -> None:
    payload = b'{"deviceId": "d-1", "temp": 21.5, "hum": 40, "model": "T1000"}'
    assert made(HTTP_UPLINK, payload) == {
        "deviceName": "d-1",
        "deviceType": "http-device",
        "telemetry": {"temperature": 21.5, "humidity": 40},
        "attributes": {"model": "T1000"},
    }
    other = made(HTTP_UPLINK, b'{"deviceType": "probe"}', headers=[("deviceName", "from-header")])
    assert other == {
        "deviceName": "from-header",
        "deviceType": "probe",
        "telemetry": {},
        "attributes": {},
    }


def test_mqtt_uplink() -> None:
    got = made(MQTT_UPLINK, b'{"temp": 21.5, "hum": 40}', topic="sensors/device1/telemetry")
    assert got == {
        "deviceName": "device1",
        "deviceType": "mqtt-sensor",
        "telemetry": {"temperature": 21.5, "humidity": 40},
    }


def test_kafka_uplink_copies_what_it_does_not_know() -> None:
    values = '{"a": 1.10, "deep": [{"b": null}], "big": 123456789012345678901234567890}'
    payload = f'{{"deviceId": "k", "timestamp": 1700000000000, "measurements": {values}}}'
    document = dsmsg.Map("m", text=KAFKA_UPLINK).apply(payload.encode())
    assert document is not None
    assert values.encode() in document  # to the last digit
    assert json.loads(document)["telemetry"]["ts"] == 1700000000000


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        (HTTP_DOWNLINK, {}),
        (MQTT_DOWNLINK, {"topic": "devices/lamp/commands"}),
        (KAFKA_DOWNLINK, {"key": "lamp"}),
    ],
)
def test_downlinks(text: str, metadata: dict[str, str]) -> None:
    payload = b'{"method": "setState", "params": {"on": true, "text": "a\\"b"}}'
    got = made(text, payload, headers=[("deviceName", "lamp")])
    data = json.loads(got["data"])
    assert (data["command"], data["params"]) == ("setState", {"on": True, "text": 'a"b'})
    assert (got["contentType"], got["metadata"]) == ("JSON", metadata)
    if text is KAFKA_DOWNLINK:
        assert data["deviceId"] == "lamp"
        assert data["timestamp"] > 1_700_000_000_000


# dsmsg.Map


def test_mistakes_have_file_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("each: message\nmessage:\n  a: ${topik}\n")
    with pytest.raises(dsmsg.ConfigError, match=r"m\.yaml:3:8: .*did you mean topic\?"):
        dsmsg.Map(file)
    with pytest.raises(dsmsg.ConfigError, match="cannot read the map"):
        dsmsg.Map(tmp_path / "none.yaml")
    frames = dsmsg.Map("f.yaml", text="message: {a: 1}\n")
    with pytest.raises(dsmsg.ConfigError, match=r"f\.yaml: .*set each: message"):
        frames.apply(b"{}")
    messages = dsmsg.Map("f.yaml", text="each: message\nmessage: {a: 1}\n")
    with pytest.raises(dsmsg.ConfigError, match="set each: frame, object"):
        messages.try_sample("{}")
    with pytest.raises(TypeError, match="bytes, not text"):
        messages.apply("text")  # type: ignore[arg-type]


def test_what_is_not_json_is_a_text() -> None:
    mapped = dsmsg.Map("m", text="each: message\nmessage: {a: '${payload.a}', t: '${payload}'}\n")
    for payload in (b"on", b"\xff\0", b'{"a": 1', b""):
        document = mapped.apply(payload)
        assert document is not None
        assert set(json.loads(document)) <= {"t"}
        assert not mapped.was_json
    assert json.loads(mapped.apply(b'{"a": 1}') or b"") == {"a": 1, "t": {"a": 1}}
    assert mapped.was_json


# Shipped maps


def test_deepstream_full_is_as_nvidia_writes_it() -> None:
    """Names and types of each part are those that NVIDIA's own library wrote."""
    sample = json.loads(full_sample())
    person, car = sample["objects"]
    car["attributes"] = {"type": "sedan", "make": "bugatti", "color": "blue"}
    car["event"] = "parked"
    for unit, name in ((person, "event_person.full"), (car, "event_vehicle.full")):
        sample["objects"] = [unit]
        (payload,) = shipped("deepstream-full.yaml", sample)
        ours, theirs = json.loads(payload), recorded(RECORDED, name)
        assert list(ours) == [each for each in theirs if each in ours]
        assert set(theirs) - set(ours) <= {"customMessage"}
        for part in ("place", "sensor", "analyticsModule", "event"):
            assert outline(ours[part]) == outline(theirs[part]), part
        for key in ("messageid", "mdsversion", "@timestamp", "videoPath"):
            assert isinstance(ours[key], str)
        for key in ("id", "speed", "bbox", "location"):
            assert outline(ours["object"][key]) == outline(theirs["object"][key]), key
        kind = "person" if unit is person else "vehicle"
        assert list(ours["object"][kind]) == list(theirs["object"][kind])
        for key, value in theirs["object"][kind].items():
            if value is not None:
                assert outline(ours["object"][kind][key]) == outline(value), key


def test_deepstream_minimal_is_as_nvidia_writes_it() -> None:
    theirs = recorded(RECORDED, "object_car.minimal")
    sample = {
        "frame": {"number": 60, "time": theirs["@timestamp"]},
        "sensor": {"id": theirs["sensorId"]},
        "objects": [
            {
                "id": 18,
                "label": "car",
                "box": {"left": 100.75, "top": 200.5, "width": 200.5, "height": 150.5},
            }
        ],
    }
    (payload,) = shipped("deepstream-minimal.yaml", sample)
    ours = json.loads(payload)
    theirs["objects"] = [each.partition("|#|")[0] for each in theirs["objects"]]
    assert ours == theirs


def test_dl_streamer() -> None:
    (payload,) = shipped("dlstreamer.yaml")
    person, car = dl_streamer(payload)
    assert (person["roi_type"], person["id"], person["gender"]) == (
        "person",
        7,
        {"label": "female"},
    )
    assert (car["x"], car["y"], car["w"], car["h"]) == (100, 200, 80, 60)
    assert car["color"] == {"label": "blue"}


def test_cloud_events() -> None:
    events = [cloud_event(each) for each in shipped("cloudevents.yaml")]
    assert [each["track"] for each in events] == [7, "p-1"]
    named = {**SAMPLE, "sensor": {"id": "hall 1/gate"}}
    for payload in shipped("cloudevents.yaml", named):
        cloud_event(payload)
        _, _, camera = json.loads(payload)["source"].rpartition("/")
        assert unquote(camera) == "hall 1/gate"


def test_onvif_events() -> None:
    """A state is named by Source and Key, so what enters and what leaves have the same of both."""
    inside = {
        ("entry", "picture"): "true",
        ("exit", "picture"): "false",
        ("zone-enter", "yard"): "true",
        ("zone-leave", "yard"): "false",
    }
    states: dict[tuple[str, str], set[str]] = {}
    for name in (*OWN_EVENTS, *SPACE_EVENTS):
        unit: dict[str, Any] = {"id": 7, "label": "car", "confidence": 0.9, "event": name}
        if name in SPACE_EVENTS:
            unit["space"] = [{"kind": name, "name": "yard"}]
        payloads = shipped("onvif-event.yaml", {**SAMPLE, "objects": [unit]})
        expected = [state for (event, _), state in inside.items() if event == name]
        events = [onvif_event(each) for each in payloads]
        assert [each["IsInside"] for each in events] == expected, name
        for each in events:
            assert (each["VideoSource"], each["ObjectId"]) == ("CAM-2", "7")
            assert (name, each["Rule"]) in inside
            key = (each["Rule"], each["ObjectId"])
            states.setdefault(key, set()).add(each["IsInside"])
    both = {"true", "false"}
    assert states == {("picture", "7"): both, ("yard", "7"): both}


def test_tracks() -> None:
    (payload,) = shipped("track.yaml")
    track = axis_track(payload)
    assert (track["id"], track["duration"]) == ("5", 9.5)
    assert track["zones"] == [{"name": "door", "seconds": 2.5}]
    assert track["path_pixels"] == [[20, 145], [220, 157], [420, 145]]


def test_rows() -> None:
    rows = flat_rows(shipped("rows.yaml"))
    assert [(each["label"], each["track"]) for each in rows] == [("person", "7"), ("car", "p-1")]


def test_protobuf_is_read_by_googles_library() -> None:
    messages = [_nvproto.decoder("Message")(each) for each in shipped("nv-message.yaml")]
    assert [each["object"]["type"] for each in messages] == ["person", "car"]
    assert messages[0]["timestamp"] == "2026-11-30T10:15:30.123Z"
    assert messages[0]["object"]["bbox"] == {
        "leftX": 10.5,
        "topY": 20,
        "rightX": 40.5,
        "bottomY": 60,
    }
    assert messages[0]["object"]["info"] == {"gender": "female", "age": "30"}
    assert messages[0]["event"] == {"type": "entry"}


def test_every_shipped_map_is_good(run_dsmsg: Run) -> None:
    for file in sorted(MAPS.glob("*.yaml")):
        run_dsmsg("map", "check", str(file))


# dsmsg map


def test_check_shows_the_line(run_dsmsg: Run, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("message:\n  when: ${frame.tim}\n")
    result = run_dsmsg("map", "check", str(file), check=False)
    assert result.returncode == 2
    lines = result.stderr.decode().splitlines()
    assert lines[0].startswith(f"dsmsg: {file}:2:11: there is no value")
    assert lines[1:] == ["    when: ${frame.tim}", "            ^"]
    file.write_text("each: object\nmessage: {}\n")
    good = run_dsmsg("map", "check", str(file)).stdout
    assert good == f"{file}: good, json for each object\n".encode()
    shown = json.loads(run_dsmsg("map", "check", str(file), "--json").stdout)
    assert (shown["each"], shown["format"]) == ("object", "json")


def test_try_with_samples(run_dsmsg: Run, tmp_path: Path) -> None:
    rows = run_dsmsg("map", "try", str(MAPS / "rows.yaml")).stdout.splitlines()
    assert [json.loads(each)["label"] for each in rows] == ["person", "car"]
    sample = tmp_path / "sample.json"
    sample.write_bytes(run_dsmsg("map", "sample").stdout)
    assert run_dsmsg("map", "try", str(MAPS / "rows.yaml"), str(sample)).stdout.splitlines() == rows
    sample.write_text('{"objects": [{"labl": "x"}]}')
    wrong = run_dsmsg("map", "try", str(MAPS / "rows.yaml"), str(sample), check=False)
    assert wrong.returncode == 2
    assert b"objects[0].labl" in wrong.stderr
    assert b"did you mean object.label?" in wrong.stderr
    sample.write_text('{"objects": [{"label": "car"}]}')
    (car,) = run_dsmsg("map", "try", str(MAPS / "rows.yaml"), str(sample)).stdout.splitlines()
    assert json.loads(car)["label"] == "car"
    nowhere = str(tmp_path / "nowhere.json")
    missing = run_dsmsg("map", "try", str(MAPS / "rows.yaml"), nowhere, check=False)
    assert missing.returncode == 2
    assert f"cannot read {nowhere}: No such file".encode() in missing.stderr
    proto = json.loads(
        run_dsmsg("map", "try", str(MAPS / "nv-message.yaml")).stdout.splitlines()[0]
    )
    assert proto["object"]["type"] == "person"


def test_try_with_payloads_and_captures(run_dsmsg: Run, tmp_path: Path) -> None:
    uplink = str(MAPS / "uplink.yaml")
    topic = ("--topic", "sensors/hall/telemetry")
    shown = run_dsmsg("map", "try", uplink, "-", *topic, stdin=b'{"temp": 20}').stdout
    assert json.loads(shown)["deviceName"] == "hall"
    capture = tmp_path / "capture"
    lines = [
        {"topic": "sensors/a/t", "payload": '{"temp": 1}', "timestamp_ms": 1700000000000},
        {"topic": "sensors/b/t", "payload_base64": "/w=="},
    ]
    capture.write_text("".join(json.dumps(each) + "\n" for each in lines))
    result = run_dsmsg("map", "try", uplink, "--from-capture", str(capture))
    (only,) = result.stdout.splitlines()
    assert json.loads(only)["deviceName"] == "a"
    assert b"not JSON" in result.stderr
    assert b"left out by when:" in result.stderr
    for words in ((uplink,), (str(MAPS / "rows.yaml"), "--from-capture", str(capture))):
        assert run_dsmsg("map", "try", *words, check=False).returncode == 2


def test_try_on_a_terminal_is_indented() -> None:
    master, worker = pty.openpty()
    words = [sys.executable, "-m", "dsmsg", "map", "try", str(MAPS / "rows.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "TERM": "xterm"}
    subprocess.run(words, stdout=worker, env=environment, check=True, timeout=PATIENCE_S)
    os.close(worker)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert '"label"' in shown
    assert "\n  " in shown


# The bridge and sub


def test_bridge_maps_and_counts(
    kafka_broker: Broker, mosquitto_broker: Broker, topic: str, tmp_path: Path
) -> None:
    """ThingsBoard's MQTT uplink on the way to Kafka; Kafka's client reads what arrived."""
    (tmp_path / "uplink.yaml").write_text(
        MQTT_UPLINK.replace("message:\n  device", "when: payload.skip != true\nmessage:\n  device")
    )
    to = new_topic(kafka_broker, topic)
    route = {
        "name": topic,
        "from": mosquitto_broker.url,
        "topics": [f"sensors/+/{topic}"],
        "to": f"kafka://{kafka_broker.address}",
        "topic": to,
        "key": "${topic[1]}",
        "map": "uplink.yaml",
    }
    file = tmp_path / "bridge.json"
    file.write_text(json.dumps({"routes": [route]}))
    payloads = [b'{"temp": 21.5, "hum": 40}', b"not json", b'{"skip": true}', b'{"temp": 3}']
    with dsmsg.Bridge(file) as bridge, dsmsg.connect(mosquitto_broker.url) as sender:
        running(bridge)
        for payload in payloads:
            sender.send(f"sensors/hall/{topic}", payload, timeout=PATIENCE_S)
        until(lambda: bridge.stats()[topic]["acknowledged"] == 3, "the messages")
        stats = bridge.stats()[topic]
    counted = {
        name: stats[name] for name in ("received", "sent", "left_out", "not_json", "refused")
    }
    assert counted == {"received": 4, "sent": 3, "left_out": 1, "not_json": 1, "refused": 0}
    arrived = read_topic(kafka_broker.address, to)
    assert [json.loads(each.value())["telemetry"] for each in arrived] == [
        {"temperature": 21.5, "humidity": 40},
        {},
        {"temperature": 3},
    ]
    assert {each.key() for each in arrived} == {b"hall"}


def test_bridge_refuses_wrong_maps(tmp_path: Path) -> None:
    route = {
        "name": "r",
        "from": "mqtt://localhost",
        "topics": ["a"],
        "to": "redis://localhost",
        "topic": "b",
        "map": "m.yaml",
    }
    file = tmp_path / "bridge.json"
    for text, change, expected in (
        ("each: message\nmessage: {a: '${topik}'}\n", {}, r"m\.yaml:2:17: .*did you mean topic"),
        ("message: {a: 1}\n", {}, "set each: message in it"),
        ("each: message\nmessage: {a: 1}\n", {"payload": "x"}, "leave one out"),
    ):
        (tmp_path / "m.yaml").write_text(text)
        file.write_text(json.dumps({"routes": [{**route, **change}]}))
        with pytest.raises(dsmsg.ConfigError, match=expected):
            dsmsg.Bridge(file)


def test_sub_maps(run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(
        "each: message\nwhen: payload.n > 1\nmessage: {n: '${payload.n}', t: '${topic}'}\n"
    )
    options = ("--map", str(file), "--count", "1")
    with subscriber(redis_broker.url, topic, *options) as process:
        run_dsmsg("pub", redis_broker.url, topic, '{"n": 1}')
        run_dsmsg("pub", redis_broker.url, topic, '{"n": 2}')
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert json.loads(out) == {"n": 2, "t": topic}


def test_the_page_lists_all_maps() -> None:
    page = (ROOT / "docs" / "maps.md").read_text(encoding="utf-8")
    for file in MAPS.glob("*.yaml"):
        assert f"`{file.name}`" in page, file.name


# How the sources of the values reach members of a structure, where a name alone would not tell.
REACHED = {
    "Findings": r"(?:Findings::|\bfindings(?:->|\.)|FindingsOf\(s\)->)",
    "Segmentation": r"SegmentationOf\(s\)->",
    "EventMeta": r"EventMetaOf\(s\)->",
    "Object": r"\bobject(?:->|\.)",
    "Frame": r"\bframe\.",
}


def members_of_the_model() -> set[str]:
    """`Object.label` and so on."""
    text = re.sub(r"//[^\n]*", "", (MSGCONV / "model.h").read_text(encoding="utf-8"))
    found = set()
    for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\};", text, re.DOTALL | re.MULTILINE):
        data = re.sub(r"enum class \w+ [^}]*\};", "", body.split("std::span<")[0])
        for each in data.split(";"):
            declared = re.sub(r"=\s*(\{[^}]*\}|[^,{}]+)|\{[^}]*\}", "", each).strip()
            names = re.match(r"[\w:]+(?:<.*>)?\s+(.+)$", declared, re.DOTALL)
            if names:
                found |= {f"{name}.{one.strip()}" for one in names[1].split(",")}
    return found


def test_every_member_has_a_value_or_a_reason() -> None:
    page = (ROOT / "docs" / "maps.md").read_text(encoding="utf-8")
    table = page.partition("### Without a value")[2].partition("\n## ")[0]
    left_out = set(re.findall(r"`(\w+\.\w+)`", table)) - {"model.h"}
    files = [*MSGCONV.glob("map_fields*.cc"), MSGCONV / "model_parts.cc"]
    files += [MSGCONV / "map_expression.cc", MSGCONV / "map_writer.cc", MSGCONV / "object_class.cc"]
    files.append(MSGCONV / "map_maker.cc")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    members = members_of_the_model()
    assert len(members) > 150
    without = set()
    for member in members:
        name, _, what = member.partition(".")
        reach = REACHED.get(name, r"(?:\.|->|::)")
        if not re.search(rf"{reach}{what}\b", source):
            without.add(member)
    assert without == left_out
