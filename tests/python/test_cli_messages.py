# SPDX-License-Identifier: Apache-2.0
"""`dsmsg pub`, `sub`, `bench` and profiles with real servers."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from dsmsg.brokers import Broker
from test_cli import subscriber

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

ROOT = Path(__file__).resolve().parents[2]


def entries(broker: Broker, topic: str) -> list[dict[bytes, bytes]]:
    """What another client finds in a stream."""
    return [fields for _, fields in redis.Redis(broker.host, broker.port).xrange(topic)]


def payloads(broker: Broker, topic: str) -> list[bytes]:
    return [fields[b"metadata"] for fields in entries(broker, topic)]


def test_pub_takes_a_url(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    run_dsmsg("pub", redis_broker.url, topic, "by url")
    assert payloads(redis_broker, topic) == [b"by url"]


def test_pub_sends_files(run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"one\ntwo\n")
    second.write_bytes(b"\xff\0")
    where = (redis_broker.url, topic, "-f", str(first), "-f", str(second))
    assert run_dsmsg("pub", *where, "-f", "-", stdin=b"in").stdout == b"3 acknowledged\n"
    run_dsmsg("pub", *where[:4], "--lines", "--count", "1")
    assert payloads(redis_broker, topic) == [b"one\ntwo\n", b"\xff\0", b"in", b"one", b"two"]
    missing = run_dsmsg("pub", *where[:2], "-f", str(tmp_path / "no"), check=False)
    assert missing.returncode == 1
    assert b"No such file" in missing.stderr


def test_pub_repeats_at_a_rate(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    run_dsmsg("pub", redis_broker.url, topic, "again", "--count", "5", "--rate", "200")
    assert payloads(redis_broker, topic) == [b"again"] * 5


def test_pub_takes_what_sub_prints(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    lines = [
        {"topic": topic, "payload": "text", "key": "k", "headers": {"h": "1"}},
        {"topic": topic, "payload_base64": base64.b64encode(b"\xff\0").decode()},
        {"payload": {"a": [1]}, "headers": [{"name": "n", "value": "v"}]},
    ]
    text = "\n".join(map(json.dumps, lines)).encode()
    run_dsmsg("pub", redis_broker.url, topic, "--jsonl", stdin=text)
    assert payloads(redis_broker, topic) == [b"text", b"\xff\0", b'{"a": [1]}']
    other = f"{topic}-copy"
    with subscriber("redis", redis_broker.conn_str, other, "--json", "--count", "3") as process:
        run_dsmsg("pub", redis_broker.url, other, "--jsonl", stdin=text.replace(b'"topic"', b'"t"'))
        output, _ = process.communicate(timeout=300)
    run_dsmsg("pub", redis_broker.url, "--jsonl", stdin=output)
    assert payloads(redis_broker, other) == payloads(redis_broker, topic) * 2


@pytest.mark.parametrize(
    "line", [b"no json", b"[]", b"{}", b'{"payload": "x", "headers": [{"name": "n"}]}']
)
def test_pub_says_which_line_is_wrong(
    run_dsmsg: Run, redis_broker: Broker, topic: str, line: bytes
) -> None:
    result = run_dsmsg(
        "pub", redis_broker.url, topic, "--jsonl", stdin=b'{"payload": "x"}\n' + line, check=False
    )
    assert result.returncode == 1
    assert b"line 2 is not a message" in result.stderr


def test_pub_sends_key_headers_and_time_to_kafka(
    run_dsmsg: Run, kafka_broker: Broker, topic: str
) -> None:
    from confluent_kafka import Consumer

    hour_ago_ms = (int(time.time()) - 3600) * 1000 + 123  # Kafka removes what is older than a week
    line = {"payload": "x", "key": "k", "headers": {"h": "1"}, "timestamp_ms": hour_ago_ms}
    run_dsmsg("pub", kafka_broker.url, topic, "--jsonl", stdin=json.dumps(line).encode())
    consumer = Consumer(
        {
            "bootstrap.servers": kafka_broker.address,
            "group.id": topic,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    message = consumer.poll(300)
    consumer.close()
    assert message is not None
    assert (message.key(), message.headers()) == (b"k", [("h", b"1")])
    assert message.timestamp()[1] == hour_ago_ms


def test_sub_begins_with_the_oldest(
    run_dsmsg: Run, kafka_broker: Broker, mosquitto_broker: Broker, topic: str
) -> None:
    run_dsmsg("pub", kafka_broker.url, topic, "old")
    where = ("sub", kafka_broker.url, topic, "--count", "1", "--timeout", "110")
    latest = ("-o", "offset-reset=latest")
    assert run_dsmsg(*where, *latest, "--from-beginning").stdout == b"old\n"
    assert run_dsmsg(*where, *latest, "--offset", "earliest").stdout == b"old\n"
    refused = run_dsmsg("sub", mosquitto_broker.url, topic, "--from-beginning", check=False)
    assert refused.returncode == 1
    assert b"not supported for the MQTT adaptor" in refused.stderr


def test_sub_begins_where_a_redis_stream_is_to_begin(
    run_dsmsg: Run, redis_broker: Broker, topic: str
) -> None:
    client = redis.Redis(port=redis_broker.port)
    ids = [client.xadd(topic, {"metadata": text}).decode() for text in ("one", "two", "three")]

    def sub(count: int, *more: str) -> bytes:
        words = ("sub", redis_broker.url, topic, "--timeout", "110", "--count", str(count), *more)
        return run_dsmsg(*words).stdout

    assert sub(3, "--from-beginning") == b"one\ntwo\nthree\n"
    assert sub(2, "--offset", ids[0]) == b"two\nthree\n"
    assert sub(3, "--from-beginning", "--group", "new") == b"one\ntwo\nthree\n"
    for command in ("publish", "spublish", "rpush"):
        where = ("sub", redis_broker.url, topic, "-o", f"command={command}", "--from-beginning")
        refused = run_dsmsg(*where, check=False)
        assert refused.returncode == 1
        assert b"only streams keep what was sent before" in refused.stderr
    wrong = run_dsmsg("sub", redis_broker.url, topic, "--offset", "yesterday", check=False)
    assert b"an entry id such as" in wrong.stderr


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("{topic} {size} {payload}\\n", b"TOPIC 30 PAYLOAD\n"),
        ("{json.sensorId}/{json.objects.0.id}\\t{json.none}|", b"cam/7\t|"),
        ("{n}:{key}\\\\", b"1:\\"),
        ("\u00e9\\0", b"\xc3\xa9\0"),
    ],
)
def test_sub_prints_a_format(
    run_dsmsg: Run, redis_broker: Broker, topic: str, form: str, printed: bytes
) -> None:
    payload = b'{"sensorId":"cam","objects":[{"id":7}]}'
    printed = printed.replace(b"30", b"%d" % len(payload)).replace(b"PAYLOAD", payload)
    where = ("redis", redis_broker.conn_str, topic, "--count", "1", "--format", form)
    with subscriber(*where) as process:
        run_dsmsg("pub", redis_broker.url, topic, stdin=payload)
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    assert output == printed.replace(b"TOPIC", topic.encode())


def test_sub_refuses_an_unknown_place(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    result = run_dsmsg("sub", redis_broker.url, topic, "--format", "{payloda}", check=False)
    assert result.returncode == 1
    assert b"there is no {payloda}" in result.stderr


def test_sub_decodes_protobuf(
    run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    text = tmp_path / "frame.txt"
    text.write_text(
        'version: "4.0" id: "7" timestamp { seconds: 1700000000 nanos: 5000000 } sensorId: "cam"'
        ' objects { id: "3" bbox { leftX: 1.5 } type: "car" confidence: 0.5'
        ' info { key: "color" value: "red" } }'
    )
    frame = subprocess.run(
        ["protoc", f"-I{ROOT / 'include'}", "--encode=nv.Frame", "nv.proto"],
        input=text.read_bytes(),
        capture_output=True,
        check=True,
    ).stdout
    where = ("redis", redis_broker.conn_str, topic, "--decode", "frame", "--json", "--count", "1")
    with subscriber(*where) as process:
        run_dsmsg("pub", redis_broker.url, topic, stdin=frame)
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    assert json.loads(output)["payload"] == {
        "version": "4.0",
        "id": "7",
        "timestamp": "2023-11-14T22:13:20.005Z",
        "sensorId": "cam",
        "objects": [
            {
                "id": "3",
                "bbox": {"leftX": 1.5},
                "type": "car",
                "confidence": 0.5,
                "info": {"color": "red"},
            }
        ],
    }


def test_sub_says_what_it_cannot_decode(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    with subscriber("redis", redis_broker.conn_str, topic, "--decode", "message") as process:
        run_dsmsg("pub", redis_broker.url, topic, stdin=b"\xff\xff\xff")
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert b"a payload is no nv.Message" in errors


def test_bench_counts_and_measures(
    run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    plot = tmp_path / "latency.png"
    options = ["--rate", "200", "--seconds", "1", "--size", "2k", "--json", "--plot", str(plot)]
    report = json.loads(run_dsmsg("bench", redis_broker.url, topic, *options).stdout)
    assert (report["sent"], report["acknowledged"], report["failed"]) == (200, 200, 0)
    assert {len(payload) for payload in payloads(redis_broker, topic)} == {2048}
    assert report["stats"]["acknowledged"] == 200
    times = report["latency_ms"]
    assert 0 < times["p50"] <= times["p90"] <= times["p99"] <= times["p99.9"] <= times["max"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert (
        b"p99.9 "
        in run_dsmsg("bench", redis_broker.url, topic, "--rate", "20", "--seconds", "0.5").stdout
    )
    assert run_dsmsg("bench", redis_broker.url, topic, "--size", "x", check=False).returncode == 2


def test_profiles(
    run_dsmsg: Run,
    redis_broker: Broker,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    none = run_dsmsg("pub", "@", topic, "x", check=False)
    assert none.returncode == 1
    assert b"no profile is in use" in none.stderr
    options = ["-o", "password=geheim", "-o", "streamsize=5"]
    run_dsmsg("profile", "add", "broken", "redis", "localhost;1;user;geheim", *options)
    run_dsmsg("profile", "add", "site-a", redis_broker.url, "-o", "payloadkey=p")
    assert (tmp_path / "dsmsg" / "profiles.json").stat().st_mode & 0o777 == 0o600
    listed = run_dsmsg("profile", "ls").stdout
    assert listed.startswith(b"* broken ")
    assert b"geheim" not in listed + run_dsmsg("profile", "ls", "--json").stdout
    run_dsmsg("pub", "@site-a", topic, "named")
    run_dsmsg("profile", "use", "site-a")
    run_dsmsg("pub", "@", topic, "in use", "-o", "payloadkey=q")
    assert entries(redis_broker, topic)[0][b"p"] == b"named"
    assert entries(redis_broker, topic)[1][b"q"] == b"in use"
    monkeypatch.setenv("DSMSG_PROFILE", "broken")
    assert run_dsmsg("pub", "@", topic, "x", check=False).returncode == 1
    run_dsmsg("profile", "rm", "broken")
    gone = run_dsmsg("pub", "@", topic, "x", check=False)
    assert b"there is no profile 'broken' (there are: site-a" in gone.stderr


def test_a_file_and_a_profile(
    run_dsmsg: Run,
    redis_broker: Broker,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Options on the command line are put over the file of a profile."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "settings.txt"
    file.write_text("[message-broker]\npayloadkey=p\nstreamsize=7\n")
    run_dsmsg("profile", "add", "a", redis_broker.url, "--config", str(file))
    run_dsmsg("pub", "@a", topic, "x")
    run_dsmsg("pub", "@a", topic, "y", "-o", "payloadkey=q")
    assert [list(each) for each in entries(redis_broker, topic)] == [[b"p"], [b"q"]]


def test_sub_shows_all_that_kafka_says(run_dsmsg: Run, kafka_broker: Broker, topic: str) -> None:
    # Kafka removes what is older than a week, at its next look around.
    hour_ago = int(time.time()) - 3600
    line = {
        "payload": "x",
        "key": "k",
        "headers": {"h": "1"},
        "timestamp_ms": hour_ago * 1000 + 123,
    }
    run_dsmsg("pub", kafka_broker.url, topic, "--jsonl", stdin=json.dumps(line).encode())
    where = ("sub", kafka_broker.url, topic, "--count", "1", "--timeout", "110")
    message = json.loads(run_dsmsg(*where, "--json").stdout)
    assert message.pop("partition") in range(4)
    assert message == {
        "topic": topic,
        "length": 1,
        "key": "k",
        "offset": 0,
        "timestamp_ms": hour_ago * 1000 + 123,
        "headers": [{"name": "h", "value": "1"}],
        "payload": "x",
    }
    form = "{key} {offset} {time}\\n"
    shown = time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(hour_ago))
    assert run_dsmsg(*where, "--format", form).stdout == f"k 0 {shown}\n".encode()


def test_what_redis_says_goes_around(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    where = ("redis", redis_broker.conn_str, topic, "--json", "--count", "1")
    with subscriber(*where) as process:
        options = ("--key", "k", "--header", "h=1")
        run_dsmsg("pub", redis_broker.url, topic, "first", *options)
        output, _ = process.communicate(timeout=300)
    message = json.loads(output)
    assert message["key"] == "k"
    assert {"name": "h", "value": "1"} in message["headers"]
    assert message["id"].count("-") == 1
