# SPDX-License-Identifier: Apache-2.0
"""Every pipeline of docs/pipelines.md, taken from the page and run against real servers."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
from brokers.kafka_client import read_topic
from brokers.readers import read_stream
from certificates import Authority
from dsmsg.adaptor import Adaptor, Message
from dsmsg.brokers import Broker, MosquittoBroker

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "pipelines.md"
LIBRARIES = Path(os.environ.get("DSMSG_LIB_DIR", ROOT / "build" / "dev" / "lib"))
FRAMES = 60
CAMERA = "videotestsrc is-live=true num-buffers=30 ! video/x-raw,width=128,height=64,framerate=30/1"


class Recipe(NamedTuple):
    """A section of the page: files to write, then shell lines to run."""

    title: str
    files: dict[str, str]
    shell: str


def _recipes() -> dict[int, Recipe]:
    recipes = {}
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        number, title = re.match(r"(\d+)\. (.*)", section).groups()
        files = dict(re.findall(r"```c\n// file: (\S+)\n(.*?)```", section, re.DOTALL))
        shell = "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
        recipes[int(number)] = Recipe(title, files, shell)
    return recipes


RECIPES = _recipes()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables that the page asks for, except those of brokers."""
    folder = tmp_path_factory.mktemp("pipelines")
    values = {
        **os.environ,
        "GST_PLUGIN_PATH": f"{LIBRARIES / 'gstreamer'}:{LIBRARIES / 'test-plugins'}",
        "GST_REGISTRY": str(folder / "registry.bin"),
        "DSMSG_LIB_DIR": str(LIBRARIES),
        "DSMSG_INCLUDE": str(ROOT / "include"),
        "DETECTOR": "dsmsgtestdetect",
        "VIDEO": str(folder / "video.avi"),
        "CAMERA": CAMERA,
        "CAMERA_2": CAMERA + " ! identity",
        "DISPLAY_SINK": "fakesink",
    }
    make = (
        f"gst-launch-1.0 -q videotestsrc num-buffers={FRAMES} "
        "! video/x-raw,width=128,height=64,framerate=30/1 ! jpegenc ! avimux ! filesink location="
    )
    subprocess.run(["bash", "-c", f'{make}"$VIDEO"'], env=values, check=True, timeout=300)
    return values


def _run(number: int, environment: dict[str, str], folder: Path, **brokers: str) -> str:
    recipe = RECIPES[number]
    for name, text in recipe.files.items():
        (folder / name).write_text(text)
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", recipe.shell],
        cwd=folder,
        env={**environment, **brokers},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{recipe.title}: {result.stdout}"
    assert "WARNING" not in result.stdout, f"{recipe.title}: {result.stdout}"
    return result.stdout


def _stream(broker: Broker, name: str) -> Iterator[bytes]:
    client = redis.Redis(broker.host, broker.port)
    for fields in read_stream(client, name):
        yield fields[b"payload"] if b"payload" in fields else next(iter(fields.values()))
    client.delete(name)


def test_the_page_has_ten_pipelines() -> None:
    assert sorted(RECIPES) == list(range(1, 11))
    assert all(recipe.shell for recipe in RECIPES.values())


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, {"file-events": (2 * FRAMES / 10, b'"car"')}),
        (2, {"live-events": (5, b'"objects":')}),
        (3, {"tee-events": (4, b"person")}),
        (4, {"cam-gate": (1, b'"gate"'), "cam-yard": (1, b'"yard"')}),
        (7, {"protobuf-events": (FRAMES / 10, b"person")}),
        (8, {"custom-events": (FRAMES / 10, b" object(s)")}),
        (9, {"dynamic-events": (60, b'"object"')}),
        (10, {"readings": (10, b'{"reading": ')}),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_redis(
    number: int,
    expected: dict[str, tuple[float, bytes]],
    environment: dict[str, str],
    redis_broker: Broker,
    tmp_path: Path,
) -> None:
    output = _run(number, environment, tmp_path, REDIS=redis_broker.conn_str)
    for stream, (count, part) in expected.items():
        payloads = list(_stream(redis_broker, stream))
        assert len(payloads) >= count, output
        assert any(part in payload for payload in payloads), payloads[:3]
        if number in (1, 7, 10):
            assert len(payloads) == count, output


def test_kafka_with_keys(environment: dict[str, str], kafka_broker: Broker, tmp_path: Path) -> None:
    _run(5, environment, tmp_path, KAFKA=kafka_broker.conn_str)
    messages = read_topic(f"{kafka_broker.host}:{kafka_broker.port}", "kafka-events")
    assert len(messages) == 2 * FRAMES // 10
    assert {message.key() for message in messages} == {b"gate"}
    assert len({message.partition() for message in messages}) == 1


def test_mqtt_with_tls(environment: dict[str, str], tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    server = authority.issue("server")
    broker = MosquittoBroker(
        config=[
            "listener {port:tls} 127.0.0.1",
            "per_listener_settings false",
            "allow_anonymous true",
            f"certfile {server.cert}",
            f"keyfile {server.key}",
        ]
    )
    arrived: queue.Queue[Message] = queue.Queue()
    with broker, Adaptor("mqtt").connect(broker.conn_str) as listener:
        listener.subscribe(["street/#"], arrived.put)
        port, ca_file = broker.ports["tls"], str(authority.cafile)
        _run(6, environment, tmp_path, MQTT_TLS=f"localhost;{port}", CA_FILE=ca_file)
        first = arrived.get(timeout=300)
    assert first.topic == "street/events"
    assert json.loads(first.payload)["event"]["type"] == "entry"


@pytest.mark.parametrize("name", ["redis", "quick-gstreamer"])
def test_a_file_is_one_message(
    name: str, environment: dict[str, str], redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    """The first example of the page, with a file larger than what filesrc reads at once."""
    page = (ROOT / "docs" / f"{name}.md").read_text()
    example = re.search(r"gst-launch-1\.0 filesrc .*\\\n.*", page).group(0)
    document = json.dumps({"sensorId": "camera-1", "objects": ["x" * 100] * 1000})
    (tmp_path / "message.json").write_text(document)
    shell = example
    for of_the_page, ours in {
        "localhost;6379": redis_broker.conn_str,
        "cfg/cfg_redis.txt": str(ROOT / "cfg" / "cfg_redis.txt"),
        "topic=detections": f"topic={topic}",
    }.items():
        shell = shell.replace(of_the_page, ours)
    result = subprocess.run(
        ["bash", "-ec", shell],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr
    assert list(_stream(redis_broker, topic)) == [document.encode()]
