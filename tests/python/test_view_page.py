# SPDX-License-Identifier: Apache-2.0
"""The page of `dsmsg view` in a real browser.

`scripts/setup test` installs one where Debian has it; elsewhere any Chromium or Chrome does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browser
import pytest
import redis
from browser import Browser, Page
from dsmsg.brokers import Broker
from viewing import NAME, evidence_of, jpeg, message, viewing

DEBIAN = "\nID=debian\n" in Path("/etc/os-release").read_text()
pytestmark = pytest.mark.skipif(
    browser.program() is None and not DEBIAN, reason="no Chromium or Chrome is installed"
)

HOSTILE = "<img src=x onerror=\"document.title='harm'\"><script>document.title='harm'</script>"
BOXES = """[...document.querySelectorAll('.source .boxes .box')].map(box => {
  const rect = box.querySelector('rect');
  return [box.dataset.id, box.textContent,
          ...['x', 'y', 'width', 'height'].map(name => +rect.getAttribute(name))];
})"""
SPACE = """
sources:
  "*":
    lines: {gate: {points: [[0.1, 0.5], [0.9, 0.5]], directions: [in, out]}}
    zones: {yard: {points: [[0.5, 0.2], [0.9, 0.2], [0.9, 0.8]]}}
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


class Camera:
    """Sends messages to the view."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._client = redis.Redis(broker.host, broker.port)
        self._topic = topic

    def send(self, payload: bytes) -> None:
        """Sends one."""
        self._client.xadd(self._topic, {"metadata": payload})


def with_counts(payload: bytes, *counts: tuple[str, str, float]) -> bytes:
    told: dict[str, Any] = json.loads(payload)
    names = ("kind", "name", "value")
    told["counts"] = [dict(zip(names, each)) for each in counts]
    return json.dumps(told).encode()


def on_screen(page: Page, selector: str) -> list[float]:
    """Left, top, right and bottom of what the browser draws."""
    edges: list[float] = page.evaluate(
        f"(({{left, top, right, bottom}}) => [left, top, right, bottom])"
        f"(document.querySelector({selector!r}).getBoundingClientRect())"
    )
    return edges


def test_boxes_lines_and_events(
    chromium: Browser, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(SPACE)
    camera = Camera(redis_broker, topic)
    where = (redis_broker.url, topic)
    with viewing(*where, "--space", str(space), "--size", "640x480") as view:
        page = chromium.open(view.url)
        page.wait("document.querySelector('#link').dataset.state === 'up'")
        event = {"type": "line-crossing", "name": "gate", "direction": "in"}
        camera.send(
            with_counts(
                message(1, events=[event]), ("zone", "yard", 2), ("lineTotal", "gate.in", 3)
            )
        )
        page.wait("document.querySelector('.source .box')")
        assert page.evaluate(BOXES) == [["7", "person 7 88 %", 100, 50, 60, 200]]
        # Where it is on the screen, as a part of the picture.
        box, scene = on_screen(page, ".box rect"), on_screen(page, ".source .scene")
        width, height = scene[2] - scene[0], scene[3] - scene[1]
        assert width / height == pytest.approx(640 / 480, rel=0.01)
        parts = [
            (edge - scene[number % 2]) / (width, height)[number % 2]
            for number, edge in enumerate(box)
        ]
        assert parts == pytest.approx([100 / 640, 50 / 480, 160 / 640, 250 / 480], abs=0.01)
        line = page.evaluate("document.querySelector('.line polyline').getAttribute('points')")
        assert line == "64,240 576,240"
        assert page.evaluate("document.querySelector('.line').textContent") == "gate: in 3, out 0"
        assert page.evaluate("document.querySelector('.zone').textContent") == "yard: 2"
        row = page.evaluate("document.querySelector('#events tbody tr').innerText")
        assert row.split("\t")[:5] == [
            *("10:15:01.000", "camera-1", "person 7", "line-crossing", "gate in"),
        ]
        camera.send(message(2, bbox={"topleftx": 5, "toplefty": 6}))  # has no box
        camera.send(message(2, source="camera-2"))
        page.wait("document.querySelectorAll('.source').length === 2")
        page.wait(f"({BOXES}).length === 1")
        page.wait("document.querySelector('.source .rate').textContent.endsWith('2 in all')")
        assert page.complaints() == []


def test_narrow_and_wide(chromium: Browser, redis_broker: Broker, topic: str) -> None:
    camera = Camera(redis_broker, topic)
    with viewing(redis_broker.url, topic) as view:
        page = chromium.open(view.url, width=400)
        page.wait("document.querySelector('#link').dataset.state === 'up'")
        for number in range(3):
            camera.send(message(number, f"camera-{number}", events=[{"type": "entry"}]))
        page.wait("document.querySelectorAll('.source').length === 3")
        columns = "getComputedStyle(document.querySelector('#sources')).gridTemplateColumns"
        widest = "document.documentElement.scrollWidth"
        assert page.evaluate(widest) <= 400  # nothing is cut, nothing scrolls sideways
        assert len(page.evaluate(columns).split()) == 1
        page.resize(1280, 900)
        page.wait(f"{columns}.split(' ').length > 1")
        assert page.evaluate(widest) <= 1280


def test_pictures(chromium: Browser, redis_broker: Broker, topic: str, tmp_path: Path) -> None:
    crop, frame = NAME, NAME.replace("o2-crop", "frame")
    files = {crop: jpeg("red"), frame: jpeg("blue", (640, 480))}
    (tmp_path / crop).parent.mkdir()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    told = {
        kind: evidence_of((tmp_path / name).as_uri(), files[name])
        for kind, name in (("crop", crop), ("frame", frame))
    }
    camera = Camera(redis_broker, topic)
    with viewing(redis_broker.url, topic, "--evidence", str(tmp_path)) as view:
        page = chromium.open(view.url)
        page.wait("document.querySelector('#link').dataset.state === 'up'")
        camera.send(message(1, events=[{"type": "zone-enter", "name": "yard"}], evidence=told))
        camera.send(message(2, evidence={"crop": {"state": "lost", "reason": "disk full"}}))
        camera.send(message(3, evidence={"crop": evidence_of("file:///etc/passwd")}))
        page.wait("document.querySelectorAll('#pictures figure').length === 4")
        # The frame's picture has the boxes of its message, and is behind the live ones.
        box = "document.querySelector('#pictures .scene .box rect')"
        page.wait(f"{box}.getAttribute('x') === '100'")
        page.wait(
            "document.querySelector('.source .scene').getAttribute('viewBox') === '0 0 640 480'"
        )
        assert page.evaluate(
            "document.querySelector('.source image').classList.contains('earlier')"
        )
        assert page.complaints() == []  # from here on also of pictures that are not there
        other = evidence_of((tmp_path / crop).as_uri(), b"other")
        gone = evidence_of((tmp_path / frame.replace("f41", "f42")).as_uri())
        camera.send(message(4, evidence={"crop": other, "frame": gone}))
        page.wait("document.querySelectorAll('#pictures figure').length === 6")
        page.wait("document.querySelectorAll('#pictures .none').length === 4")
        page.wait("[...document.querySelectorAll('#pictures img')].every(i => i.naturalWidth)")
        assert page.evaluate("document.querySelector('#pictures img').naturalWidth") == 64
        text = page.evaluate("document.querySelector('#pictures').innerText")
        assert "Lost: disk full" in text
        assert "Not shown: it is not among the pictures" in text
        assert "Not shown: it is not the picture of the message" in text
        assert "Not shown: it is no longer in the folder" in text
        page.wait("!document.querySelector('.source image').hasAttribute('href')")
        assert "a guess" not in page.evaluate("document.querySelector('.caption').textContent")
        page.evaluate("document.querySelector('#events button').click()")
        page.wait("document.querySelector('#large').open")
        page.wait("document.querySelector('#large img').naturalWidth === 64")


def test_text_stays_text(chromium: Browser, redis_broker: Broker, topic: str) -> None:
    camera = Camera(redis_broker, topic)
    with viewing(redis_broker.url, topic) as view:
        page = chromium.open(view.url)
        page.wait("document.querySelector('#link').dataset.state === 'up'")
        event = {"type": HOSTILE, "name": HOSTILE, "direction": HOSTILE}
        lost = {"crop": {"state": "lost", "reason": HOSTILE}}
        camera.send(
            with_counts(
                message(1, HOSTILE, type=HOSTILE, id=HOSTILE, events=[event], evidence=lost),
                ("zone", HOSTILE, 1),
            )
        )
        camera.send(message(1, "__proto__"))
        page.wait("document.querySelectorAll('.source').length === 2")
        page.wait("document.querySelectorAll('#events tbody tr').length === 1")
        for place in (".source h2", ".box text", "#events tbody", "#pictures"):
            assert HOSTILE in page.evaluate(f"document.querySelector({place!r}).textContent"), place
        made = "document.querySelectorAll('body script, body img, [onerror]').length"
        assert page.evaluate(made) == 0
        assert "harm" not in page.evaluate("document.title")
        assert page.complaints() == []


def test_the_link_goes_down_and_up(
    chromium: Browser, new_broker: Callable[[str], Broker], topic: str
) -> None:
    broker = new_broker("redis").start()
    with viewing(broker.url, topic, "-o", "reconnect-interval=100ms") as view:
        page = chromium.open(view.url)
        page.wait("document.querySelector('#link').innerText.startsWith('link up since')")
        broker.kill()
        page.wait("document.querySelector('#link').dataset.state === 'down'")
        assert page.evaluate("document.querySelector('#link .reason').textContent")
        broker.start()
        page.wait("document.querySelector('#link').dataset.state === 'up'")
        Camera(broker, topic).send(message(1))
        page.wait("document.querySelector('.source .box')")
    page.wait("!document.querySelector('#page-link').hidden")  # the view itself is gone
