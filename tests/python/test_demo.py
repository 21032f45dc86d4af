# SPDX-License-Identifier: Apache-2.0
"""The demo shows a message, kills its broker in the middle, and loses nothing."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = Path(os.environ.get("DSMSG_LIB_DIR", ROOT / "build" / "dev" / "lib"))
HEADS = "sensor sent acknowledged waiting received lost people p50_ms p95_ms".replace("_", " ")
FRAMES = 60


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "video.avi"
    source = f"videotestsrc num-buffers={FRAMES + 30} ! video/x-raw,width=128,height=64"
    line = f"{source},framerate=30/1 ! jpegenc ! avimux ! filesink location={path}"
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True, timeout=300)
    return path


def command(video: Path, *more: str) -> list[str]:
    """The demo, with the tests' detector: every frame has something."""
    program = LIBRARIES.parent / "bin" / "dsmsg-demo"
    options = ("--video", str(video), "--frames", str(FRAMES), "--detector", "dsmsgtestdetect")
    return [str(program), *options, "--source", str(ROOT), "--python", sys.executable, *more]


def environment() -> dict[str, str]:
    return {**os.environ, "GST_PLUGIN_PATH": str(LIBRARIES / "test-plugins")}


def table(output: str) -> dict[str, str]:
    """The last table: each column's only value."""
    lines = output.splitlines()
    at = max(number for number, line in enumerate(lines) if "acknowledged  waiting" in line)
    heads, cells = (re.split(r" {2,}", lines[at + row].strip()) for row in (0, 1))
    assert " ".join(heads) == HEADS  # none runs into its neighbour
    assert len(lines[at]) <= 80
    return dict(zip(heads, cells))


@pytest.mark.parametrize("broker", ["mock", "redis"])
def test_an_outage_in_the_middle_loses_nothing(video: Path, broker: str) -> None:
    ran = subprocess.run(
        command(video, "--broker", broker),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout
    shown = re.search(
        r"^A message, as the consumer received it:\n(\{.*?^\})", ran.stdout, re.M | re.S
    )
    assert shown is not None, ran.stdout
    message = json.loads(shown[1])
    assert message["sensorId"] == "camera-1"
    assert len(message["objects"]) == 1
    last = table(ran.stdout)
    assert last["sent"] == last["acknowledged"] == last["received"] == str(FRAMES)
    assert (last["waiting"], last["lost"]) == ("0", "0")
    outage = re.search(
        r"^The broker was killed after ([\d.]+) s and came back after ([\d.]+) s\. "
        r"Meanwhile up to (\d+) messages waited; none was lost\.$",
        ran.stdout,
        re.MULTILINE,
    )
    assert outage is not None, ran.stdout
    assert int(outage[3]) > 0


def test_on_a_terminal_the_table_is_drawn_in_place(video: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(video, "--no-outage"), env=environment(), stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    try:
        while part := os.read(ours, 65536):
            output += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(300) == 0, output
    text = output.decode().replace("\r", "").replace("\x1b[K", "")
    assert "broker up" in text
    assert "The broker was killed" not in text
    assert table(text)["lost"] == "0"
    last = text[text.rindex("acknowledged  waiting") :]
    assert re.sub(r"\x1b\[\d+A", "", last) == last  # nothing is drawn over it
