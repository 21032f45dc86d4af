# SPDX-License-Identifier: Apache-2.0
"""The file of a bridge: what is checked before anything is connected."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dsmsg
import pytest
from dsmsg._address import known_adaptors
from dsmsg._bridge.plan import read_plan
from quirks import ROOT, received_fields, table_with, title_of

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

GOOD = """
brokers:
  site:
    url: mqtt://user:secret@localhost:1883
    options: {qos: 1}
  central:
    url: kafka://localhost:9092?acks=all
routes:
  - name: telemetry
    from: site
    topics: [sensors/+/telemetry]
    to: central
    topic: site.${topic[1]}
    key: ${topic[1]}
    headers: {origin: "${.topic}"}
"""


def mistakes(text: str, tmp_path: Path) -> str:
    """What is said about a file, without its folder."""
    file = tmp_path / "bridge.yaml"
    file.write_text(text)
    with pytest.raises(dsmsg.ConfigError) as raised:
        dsmsg.Bridge(file)
    return str(raised.value).replace(f"{tmp_path}/", "")


def route(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A good route, changed; None takes a field out."""
    fields: dict[str, Any] = {
        "name": "r",
        "from": "mqtt://localhost:1883",
        "topics": ["in/#"],
        "to": "kafka://localhost:9092",
        "topic": "out",
    }
    fields.update(changes)
    return {name.replace("_", "-"): value for name, value in fields.items() if value is not None}


def complaint(*routes: dict[str, Any], **top: object) -> dsmsg.ConfigError:
    with pytest.raises(dsmsg.ConfigError) as raised:
        dsmsg.Bridge({"routes": list(routes), **top})
    return raised.value


def test_a_good_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(GOOD)
    plan = read_plan(file)
    (one,) = plan.routes
    assert (one.topic, one.key, one.payload) == ("site.${topic[1]}", "${topic[1]}", "${.value}")
    assert one.headers == [("origin", "${.topic}")]
    assert one.source.settings["client-id"] == "dsmsg-bridge-telemetry"
    assert one.source.settings["clean-session"] == "0"
    assert one.destination.settings["acks"] == "all"
    assert one.destination.settings["overflow"] == "block"
    assert plan.warnings == []
    assert "secret" not in repr(dsmsg.Bridge(file)) + repr(plan)


def test_json_says_the_same(tmp_path: Path) -> None:
    import yaml

    file = tmp_path / "bridge.json"
    file.write_text(json.dumps(yaml.safe_load(GOOD), indent="\t"))
    (one,) = read_plan(file).routes
    assert one.topics == ["sensors/+/telemetry"]
    assert read_plan(yaml.safe_load(GOOD)).routes == [one]


def test_settings_come_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "kafka.txt").write_text("[message-broker]\nlinger=1ms\nacks=1\n")
    to = {"url": "kafka://localhost:9092", "config": "kafka.txt", "options": {"acks": "all"}}
    file = tmp_path / "bridge.json"
    file.write_text(json.dumps({"brokers": {"b": to}, "routes": [route(to="b")]}))
    settings = read_plan(file).routes[0].destination.settings
    assert (settings["linger"], settings["acks"]) == ("1ms", "all")


def test_every_mistake_is_told_with_line_and_field(tmp_path: Path) -> None:
    text = GOOD.replace("qos: 1", "qos: 7, qoz: 1").replace("    key:", "    kye:")
    text = text.replace("to: central", "to: centre").replace("site.${topic[1]}", "${topics}")
    lines = mistakes(text, tmp_path).splitlines()
    assert lines[0].startswith("bridge.yaml:5: brokers.site.options.qos: ")
    assert "bridge.yaml:5: brokers.site.options.qoz: " in lines[1]
    assert "bridge.yaml:14: routes[0].kye: there is no such field (did you mean key?)" in lines
    assert any(line.startswith("bridge.yaml:12: routes[0].to: 'centre' is nei") for line in lines)
    assert any(
        line.startswith(
            "bridge.yaml:13: routes[0].topic: there is no field ${topics} at position 0"
        )
        for line in lines
    )
    assert len(lines) == 5


def test_what_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    assert mistakes("routes:\n  - {topic: ${.x}}\n", tmp_path).startswith("bridge.yaml:2: is not")
    assert "comes twice" in mistakes("routes: []\nroutes: []\n", tmp_path)
    assert "bridge.yaml:1: must be names with values" in mistakes("- a\n", tmp_path)
    assert "routes: must be a list of routes" in mistakes("", tmp_path)


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"name": "a b"}, "routes[0].name", "must be 1 to 40 letters"),
        ({"topic": None}, "routes[0].topic", "is needed"),
        ({"topics": None}, "routes[0].topics", "is needed: what to read"),
        ({"from": None}, "routes[0].from", "is needed: a URL"),
        ({"to": "nosuch://x"}, "routes[0].to", "no adaptor has the scheme 'nosuch'"),
        ({"topic": "${.topic}"}, "routes[0].topic", "cannot be in the name of a Kafka topic"),
        ({"topic": "a/${topic[0]}"}, "routes[0].topic", "'a/' cannot be in the name"),
        ({"payload": "${.value"}, "routes[0].payload", "has no closing }"),
        ({"headers": {"h": "${x}"}}, "routes[0].headers.h", "there is no field ${x}"),
        ({"headers": "h"}, "routes[0].headers", "must be names with values"),
        ({"key_encoding": "hex"}, "routes[0].key-encoding", "allowed are none, base64"),
        ({"on_refused": "drop"}, "routes[0].on-refused", "allowed are stop, skip, dead-letter"),
        ({"on_refused": "dead-letter"}, "routes[0].on-refused", "needs the option dead-letter-dir"),
        ({"max_in_flight": "0"}, "routes[0].max-in-flight", "a number above 0"),
        ({"max_in_flight_bytes": "5 MB"}, "routes[0].max-in-flight-bytes", "as in 64M"),
        ({"separator": "::"}, "routes[0].separator", "must be one character"),
        ({"topics": [{"a": "b"}]}, "routes[0].topics[0]", "must be one value"),
    ],
)
def test_a_mistake_says_what_to_do(changes: dict[str, Any], field: str, text: str) -> None:
    error = complaint(route(**changes))
    assert (error.field or "").startswith(field)
    assert text in str(error)


def test_a_broker_without_a_url(tmp_path: Path) -> None:
    hub = {"adaptor": "azure", "conn-str": "HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0"}
    plan = read_plan({"brokers": {"hub": hub}, "routes": [route(**{"from": "hub"})]})
    side = plan.routes[0].source
    assert (side.adaptor, side.conn_str) == ("azure", hub["conn-str"])
    assert "c2VjcmV0" not in repr(plan)
    assert plan.warnings == []


@pytest.mark.parametrize(
    ("broker", "field", "text"),
    [
        ({"adaptor": "azur"}, "brokers.b.adaptor", "there is no adaptor 'azur' (there are "),
        ({"conn-str": "h;1"}, "brokers.b", "conn-str needs adaptor"),
        ({"adaptor": "mqtt", "url": "mqtt://h"}, "brokers.b.adaptor", "not both"),
    ],
)
def test_a_broker_half_named(broker: dict[str, str], field: str, text: str) -> None:
    error = complaint(route(to="b"), brokers={"b": broker})
    assert (error.field, text in str(error)) == (field, True), str(error)


def test_two_routes_need_two_names() -> None:
    assert "the name of an earlier route" in str(complaint(route(), route()))


def test_a_client_id_is_used_once() -> None:
    site = {"url": "mqtt://localhost:1883", "options": {"client-id": "one"}}
    error = complaint(
        route(**{"from": "site"}), route(name="s", **{"from": "site"}), brokers={"site": site}
    )
    assert "the client-id one is that of r: from, too" in str(error)


MQTT, SAME = "mqtt://localhost:1883", "mqtt://127.0.0.1"


@pytest.mark.parametrize(
    ("topics", "topic"),
    [
        ("in/#", "in/a/b"),
        ("in/+", "${.topic}"),
        ("$share/g/a", "a"),
        ("in/#", "in"),
        ("$$a", "$$a"),
    ],
)
def test_a_loop_is_refused(topics: str, topic: str) -> None:
    read = topics.replace("$$", "$")
    error = complaint(route(**{"from": MQTT}, to=SAME, topics=[read], topic=topic))
    assert "messages would go round for ever: r -> r" in str(error)
    assert error.field == "routes[0].topic"


def test_a_loop_over_two_routes_is_refused() -> None:
    there = route(**{"from": MQTT}, topics="a", topic="b")
    back = route(name="s", **{"from": "kafka://localhost"}, topics="b", to=SAME, topic="a")
    assert "r -> s -> r" in str(complaint(there, back))
    back["topic"] = "c"
    assert dsmsg.Bridge({"routes": [there, back]}).warnings == []


def test_what_may_be_a_loop_is_warned_of() -> None:
    routes = [route(**{"from": MQTT}, to=SAME, topics="in/+/x", topic="in/${.key}/x")]
    (warning,) = dsmsg.Bridge({"routes": routes}).warnings
    assert warning.startswith("r -> r: messages go round for ever if ")
    routes = [route(**{"from": MQTT}, to=SAME, topics="in/+/x", topic="out/${.key}")]
    assert dsmsg.Bridge({"routes": routes}).warnings == []


@pytest.mark.parametrize("url", ["redis://localhost/1", "amqp://localhost/other"])
def test_another_database_is_another_server(url: str) -> None:
    source = url.rpartition("/")[0]
    routes = [route(**{"from": source}, to=url, topics="a", topic="a")]
    assert dsmsg.Bridge({"routes": routes}).warnings == []
    assert "for ever" in str(complaint(route(**{"from": url}, to=url, topics="a", topic="a")))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("mqtt://h?clean-session=1", "clean-session=1"),
        ("mqtt://h?qos=0", "qos=0"),
        ("redis://h?command=rpush", "command=rpush"),
        ("kafka://h?commit-offsets=0", "commit-offsets=0"),
        ("zmq://tcp://h:5555", "ZMQ has no acknowledgement"),
    ],
)
def test_a_source_that_loses_is_warned_of(source: str, text: str) -> None:
    routes = [route(**{"from": source})]
    (warning,) = dsmsg.Bridge({"routes": routes}).warnings
    assert warning == f"r: messages in flight are lost if the bridge is killed: {text}" or (
        warning.startswith("r: messages in flight are lost") and text in warning
    )


def test_settings_that_would_lose_messages_are_not_used() -> None:
    to = "kafka://h?overflow=drop-oldest&message-timeout=5s&reconnect=true"
    source = "mqtt://h?reconnect=0&value-encoding=base64"
    bridge = dsmsg.Bridge({"routes": [route(**{"from": source}, to=to)]})
    assert [each.split(" ")[1] for each in bridge.warnings] == [
        "reconnect",
        "value-encoding",
        "overflow",
        "message-timeout",
    ]


def test_the_command_checks_only(run_dsmsg: Run, tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(GOOD)
    assert run_dsmsg("bridge", str(file), "--check").stdout.decode() == (
        f"{file}: good, 1 routes: telemetry\n"
    )
    shown = json.loads(run_dsmsg("bridge", str(file), "--check", "--json").stdout)
    assert shown == {"routes": ["telemetry"], "warnings": []}
    file.write_text(GOOD.replace("central:", "centrum:"))
    result = run_dsmsg("bridge", str(file), "--check", check=False)
    assert result.returncode == 1
    assert f"{file}:12: routes[0].to: 'central' is neither" in result.stderr.decode()
    missing = run_dsmsg("bridge", str(tmp_path / "none.yaml"), check=False)
    assert missing.returncode == 1
    assert "No such file" in missing.stderr.decode()


def test_the_page_says_what_arrives_where() -> None:
    page = (ROOT / "docs" / "bridge.md").read_text(encoding="utf-8")
    head, key, headers, values = table_with(page, "part")
    columns = {column.split()[0]: number for number, column in enumerate(head)}
    adaptors = {title_of(name).split()[0]: name for name in known_adaptors() - {"multi"}}
    assert set(columns) == {"part", *adaptors}
    for title, name in adaptors.items():
        at, fields = columns[title], received_fields(name)
        assert (key[at] != "-") == ("key" in fields or name == "http"), name
        assert (headers[at] != "-") == (values[at] != "-") == ("headers" in fields), name
        assert (values[at] == "bytes") == ("bytes" in fields), name
