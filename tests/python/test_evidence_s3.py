# SPDX-License-Identifier: Apache-2.0
"""Pictures of events in an S3 server, read back with AWS's own client."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from brokers.proxy import Proxy
from brokers.s3 import S3Server
from dsmsg.brokers import Broker

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARIES = Path(os.environ.get("DSMSG_LIB_DIR", ROOT / "build" / "dev" / "lib"))
BUCKET = "pictures"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """A server with a user and a bucket."""
    with S3Server() as server:
        server.start()
        server.add_user()
        server.client().create_bucket(Bucket=BUCKET)
        yield server


class Camera:
    """A pipeline whose cars have pictures, and its messages."""

    def __init__(
        self, broker: Broker, topic: str, folder: Path, store: str, **options: object
    ) -> None:
        config = folder / "evidence.txt"
        given = {"when": 'object.label == "car"', "margin": 0, "timeout": "60s", **options}
        lines = [f"{name.replace('_', '-')}={value}" for name, value in given.items()]
        config.write_text("[evidence]\n" + "\n".join(lines) + "\n")
        self._stream = redis.Redis(broker.host, broker.port)
        self._topic = topic
        source = "videotestsrc is-live=true num-buffers={} ! video/x-raw,format=I420,width=128"
        self._line = (
            f"gst-launch-1.0 -q -e {source},height=64,framerate=20/1 ! dsmsgtestdetect ! dsmsgconv"
            f" payload-type=minimal msg2p-newapi=true frame-interval=1 evidence={store}"
            f" evidence-config={config}"
            f" ! dsmsgbroker adaptor=redis conn-str={broker.conn_str.replace(';', chr(92) + ';')}"
            f" topic={topic}"
        )
        self._environment = {
            **os.environ,
            "GST_PLUGIN_PATH": f"{LIBRARIES / 'gstreamer'}:{LIBRARIES / 'test-plugins'}",
            "GST_REGISTRY": str(folder / "registry.bin"),
            "DSMSG_LIB_DIR": str(LIBRARIES),
        }

    def messages(self) -> list[dict[str, Any]]:
        """What arrived so far: the evidence of each car."""
        # It may be written to meanwhile.
        entries = (entry.values() for _, entry in self._stream.xrange(self._topic))
        objects = (each for (text,) in entries for each in json.loads(text)["objects"])
        return [each["evidence"]["crop"] for each in objects if each["type"] == "car"]

    def run(self, frames: int) -> list[dict[str, Any]]:
        """Runs it for so many frames."""
        with self.running(frames) as pipeline:
            assert pipeline.wait(PATIENCE_S) == 0
        return self.messages()

    @contextlib.contextmanager
    def running(self, frames: int = -1) -> Iterator[subprocess.Popen[bytes]]:
        """Runs it until the end of the block."""
        command = ["bash", "-c", "exec " + self._line.format(frames)]
        with subprocess.Popen(command, env=self._environment) as pipeline:
            try:
                yield pipeline
            finally:
                if pipeline.poll() is None:
                    pipeline.send_signal(signal.SIGINT)
                    pipeline.wait(PATIENCE_S)

    def await_state(self, state: str, then: Callable[[dict[str, Any]], bool] = bool) -> None:
        """Waits for a picture that became this."""
        deadline = time.monotonic() + PATIENCE_S
        while not any(each["state"] == state and then(each) for each in self.messages()):
            assert time.monotonic() < deadline, self.messages()[-3:]
            time.sleep(0.05)


def _options(server: S3Server, **others: object) -> dict[str, object]:
    known = {"endpoint": server.url, "access_key": server.key, "secret_key": server.secret}
    return {**known, **others}


def _stored(server: S3Server, crop: dict[str, Any]) -> bytes:
    """The picture that a message names."""
    assert crop["state"] == "stored", crop
    prefix = f"s3://{BUCKET}/"
    assert crop["uri"].startswith(prefix)
    found = server.client().get_object(Bucket=BUCKET, Key=crop["uri"][len(prefix) :])
    assert found["ContentType"] == "image/jpeg"
    picture: bytes = found["Body"].read()
    assert hashlib.sha256(picture).hexdigest() == crop["digest"]
    assert len(picture) == crop["size"]
    return picture


def test_pictures_are_in_the_bucket(
    server: S3Server, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    camera = Camera(redis_broker, topic, tmp_path, f"s3://{BUCKET}/site", **_options(server))
    crops = camera.run(10)
    assert len({crop["uri"] for crop in crops}) == len(crops) == 10
    for crop in crops:
        assert crop["uri"].startswith(f"s3://{BUCKET}/site/")
        assert _stored(server, crop).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("store", "options", "reason"),
    [
        (BUCKET, {"secret_key": "another"}, "403"),
        ("no-such-bucket", {}, "404"),
    ],
    ids=["wrong key", "missing bucket"],
)
def test_what_the_server_refuses_is_lost(
    store: str,
    options: dict[str, object],
    reason: str,
    server: S3Server,
    redis_broker: Broker,
    topic: str,
    tmp_path: Path,
) -> None:
    given = _options(server, **options)
    crops = Camera(redis_broker, topic, tmp_path, f"s3://{store}", **given).run(3)
    assert len(crops) == 3
    for crop in crops:
        assert crop["state"] == "lost"
        assert reason in crop["reason"]


def test_a_server_that_is_away_and_comes_back(
    server: S3Server, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    with Proxy(server.port) as proxy:
        proxy.mode("refuse")
        given = _options(server, endpoint=f"http://127.0.0.1:{proxy.port}", timeout="200ms")
        camera = Camera(redis_broker, topic, tmp_path, f"s3://{BUCKET}/away", **given)
        with camera.running():
            camera.await_state("lost")
            proxy.mode("forward")
            camera.await_state("stored")
    for crop in camera.messages():
        if crop["state"] == "stored":
            _stored(server, crop)


def test_with_a_spool_nothing_is_lost(
    server: S3Server, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    with Proxy(server.port) as proxy:
        proxy.mode("refuse")
        url = f"http://127.0.0.1:{proxy.port}"
        given = _options(server, endpoint=url, spool_dir=tmp_path / "spool")
        camera = Camera(redis_broker, topic, tmp_path, f"s3://{BUCKET}/spooled", **given)
        bucket = server.client()
        with camera.running():
            camera.await_state("stored")
            proxy.mode("forward")
            known = camera.messages()[0]["uri"].removeprefix(f"s3://{BUCKET}/")
            deadline = time.monotonic() + PATIENCE_S
            while not any(
                each["Key"] == known
                for each in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])
            ):
                assert time.monotonic() < deadline
                time.sleep(0.05)
    assert {crop["state"] for crop in camera.messages()} == {"stored"}
