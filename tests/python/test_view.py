# SPDX-License-Identifier: Apache-2.0
"""`dsmsg view`: what it serves and what it never serves; test_view_page.py has the page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from brokers.s3 import S3Server
from dsmsg._view.payloads import Evidence, read
from dsmsg._view.pictures import Pictures
from dsmsg._view.server import ViewServer
from dsmsg._view.state import State
from dsmsg.brokers import Broker
from viewing import NAME, View, evidence_of, jpeg, message, viewing

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture, and secrets around it."""
    folder = tmp_path / "pictures"
    (folder / NAME).parent.mkdir(parents=True)
    (folder / NAME).write_bytes(jpeg())
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    return folder


def recorded(tmp_path: Path, *payloads: bytes) -> tuple[str, str]:
    """--messages with these."""
    file = tmp_path / "messages.jsonl"
    lines = [json.dumps({"topic": "t", "payload": each.decode()}) for each in payloads]
    file.write_text("\n".join(lines))
    return "--messages", str(file)


def shown(view: View, count: int = 1) -> list[tuple[int, bytes]]:
    """Status and body of that many pictures."""
    token, pictures = view.pictures(count)
    return [view.get(f"/picture/{token}/{each['number']}")[::2] for each in pictures]


def test_serves_its_page_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    with viewing(*recorded(tmp_path), "--evidence", str(folder)) as view:
        status, headers, body = view.get("/")
        assert (status, b"view.js" in body) == (200, True)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert b"http://" not in body.replace(b"http://www.w3.org", b"")
        for path in ("/view.js", "/view.css", "/favicon.ico"):
            assert view.get(path)[0] in (200, 204)
        for path in (
            *("/view.html", "/../view.css", "/page/view.css", "//etc/passwd", "/%2e%2e/view.css"),
            *("/picture/", "/picture/1", "/picture/../view.css", f"/picture/{NAME}"),
            *(f"/picture/x/{NAME}", "/picture/x/1", "/picture//etc/passwd", "/pictures"),
            *("/picture/x/" + "9" * 5000, "/picture/x/²", "/picture/x/-1"),
        ):
            assert view.get(path.replace("²", "%C2%B2"))[0] == 404, path
        token = next(view.changes())["token"]
        for path in ("1", "0", "-1", "../1", "1/../../view.css", "%2e%2e/%2e%2e/etc/passwd"):
            assert view.get(f"/picture/{token}/{path}")[0] == 404, path


def test_shows_a_picture_of_the_folder(folder: Path, tmp_path: Path) -> None:
    data = (folder / NAME).read_bytes()
    here = message(evidence={"crop": evidence_of((folder / NAME).as_uri(), data)})
    mounted = message(evidence={"crop": evidence_of(f"file:///elsewhere/{NAME}", data)})
    with viewing(*recorded(tmp_path, here, mounted), "--evidence", str(folder)) as view:
        assert shown(view, 2) == [(200, data), (200, data)]
        token, _ = view.pictures(2)
        kind = view.get(f"/picture/{token}/1")[1]["Content-Type"]
        assert kind == "image/jpeg"


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "file://{folder}/../secret.jpg",
        "file://{folder}/%2e%2e/secret.jpg",
        "file://{folder}/2026-11-30/../../secret.jpg",
        "file://{folder}/other.jpg",
        "file://{folder}/../../../2026-11-30/101530.123-s0-f41-o2-crop-1a2b3c4d.jpg/../x",
        "file://{folder}/2026-11-30/101530.123-s0-f41-o2-crop-1a2b3c4d.jpg%00.txt",
        "/etc/passwd",
        "http://127.0.0.1:1/" + NAME,
        "redis://127.0.0.1:1/0?key=evidence:" + NAME,
        "s3://bucket/" + NAME,
    ],
)
def test_a_message_cannot_name_another_file(uri: str, folder: Path) -> None:
    pictures = Pictures([str(folder)])
    evidence = Evidence("crop", True, uri.replace("{folder}", str(folder)))
    assert pictures.why_not(evidence.uri)
    with pytest.raises(OSError, match="--evidence"):
        pictures.read(evidence)


def test_links_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    pictures = Pictures([str(folder)])
    evidence = Evidence("crop", True, (folder / NAME).as_uri())
    assert pictures.read(evidence) == jpeg()
    (folder / NAME).unlink()
    (folder / NAME).symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(OSError, match="symbolic link"):
        pictures.read(evidence)
    (folder / NAME).unlink()
    (folder / NAME).parent.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / Path(NAME).name).write_bytes(jpeg())
    (folder / NAME).parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        pictures.read(evidence)


def test_only_the_picture_of_the_message(folder: Path) -> None:
    pictures = Pictures([str(folder)])
    uri = (folder / NAME).as_uri()
    with pytest.raises(OSError, match="the digest differs"):
        pictures.read(Evidence("crop", True, uri, "0" * 64))
    (folder / NAME).write_bytes(b"root:x:0:0")
    with pytest.raises(OSError, match="not a JPEG"):
        pictures.read(Evidence("crop", True, uri))
    (folder / NAME).unlink()
    os.mkfifo(folder / NAME)  # must not hang
    with pytest.raises(OSError, match="no picture"):
        pictures.read(Evidence("crop", True, uri))
    (folder / NAME).unlink()
    with pytest.raises(OSError, match="no longer in the folder"):
        pictures.read(Evidence("crop", True, uri))


def test_pictures_in_redis(redis_broker: Broker, folder: Path, tmp_path: Path) -> None:
    data, place = jpeg("blue"), f"redis://{redis_broker.host}:{redis_broker.port}/0"
    client = redis.Redis(redis_broker.host, redis_broker.port)
    client.set(f"evidence:{NAME}", data)
    client.set("password", "secret")
    payloads = [
        message(evidence={"crop": evidence_of(f"{place}?key={key}")})
        for key in (f"evidence:{NAME}", "password", f"gone:{NAME}")
    ]
    with viewing(*recorded(tmp_path, *payloads), "--evidence", place) as view:
        first, second, third = shown(view, 3)
    assert first == (200, data)
    assert (second[0], third[0]) == (404, 404)
    assert b"--evidence" in second[1]
    assert b"no longer in Redis" in third[1]


def test_pictures_in_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    data, key = jpeg("green"), f"north/{NAME}"
    with S3Server() as server:
        server.start()
        server.add_user()
        client = server.client()
        client.create_bucket(Bucket="pictures")
        for name in (f"site/{key}", f"other/{NAME}", f"site/{NAME}"):
            client.put_object(Bucket="pictures", Key=name, Body=data)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret)
        pictures = Pictures(["s3://pictures/site"])
        for name in (NAME, key):
            assert pictures.read(Evidence("crop", True, f"s3://pictures/site/{name}")) == data
        for uri in (
            f"s3://pictures/other/{NAME}",
            f"s3://c/site/{NAME}",
            f"s3://pictures/site/../other/{NAME}",
        ):
            assert pictures.why_not(uri)
        assert not Pictures(["s3://b/north gate"]).why_not(f"s3://b/north%20gate/{NAME}")
        with pytest.raises(OSError, match="404"):
            pictures.read(
                Evidence("crop", True, f"s3://pictures/site/{NAME.replace('f41', 'f42')}")
            )
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(OSError, match="403"):
            Pictures(["s3://pictures/site"]).read(
                Evidence("crop", True, f"s3://pictures/site/{NAME}")
            )


def test_other_names_are_refused(tmp_path: Path) -> None:
    """A page elsewhere that has its name point to the loopback reads nothing."""
    with viewing(*recorded(tmp_path)) as view:
        assert view.get("/", Host="evil.example:8090")[0] == 421
        assert view.get("/events", Host="evil.example")[0] == 421
        for host in ("localhost:8090", "127.0.0.1", "[::1]:8090"):
            assert view.get("/", Host=host)[0] == 200


def test_a_slow_browser_costs_no_memory() -> None:
    """It is left out, or told the newest; what it missed is kept nowhere."""
    state = State("t")
    server = ViewServer("127.0.0.1", 0, state, Pictures([]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with server, socket.create_connection(server.server_address[:2]) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
        for number in range(5000):
            state.add(read(message(number % 60, events=[{"type": "entry"}])), "")
        assert len(state._events) == 200
        text = b""
        deadline = time.monotonic() + 60
        while b", 5000]" not in text:  # how many messages there were in all
            text += slow.recv(1 << 16)
            assert time.monotonic() < deadline
        assert len(text) < 1 << 20
        state.close()
        server.shutdown()


def test_browsers_are_counted(tmp_path: Path) -> None:
    with viewing(*recorded(tmp_path)) as view:
        streams = [view.changes() for _ in range(16)]
        assert all("token" in next(each) for each in streams)
        assert view.get("/events")[0] == 503
        assert view.get("/")[0] == 200
        for each in streams:
            each.close()


def test_another_adaptor(run_dsmsg: Run, mosquitto_broker: Broker, topic: str) -> None:
    with viewing(mosquitto_broker.url, topic) as view:
        updates = view.changes()
        next(each for each in updates if each.get("link", {}).get("state") == "up")
        run_dsmsg("pub", mosquitto_broker.url, topic, message(1).decode())
        (source,) = next(each["sources"] for each in updates if each["sources"])
    assert source["objects"][0]["box"] == [100, 50, 160, 250]


def test_ctrl_c_ends_it(redis_broker: Broker, topic: str) -> None:
    with viewing(redis_broker.url, topic) as view:
        next(view.changes())
        view.process.send_signal(signal.SIGINT)
        assert view.process.wait(120) == 0


def test_protobuf_needs_decode(redis_broker: Broker, topic: str) -> None:
    client = redis.Redis(redis_broker.host, redis_broker.port)
    frame = bytes.fromhex("220161") + b"*\x07\x0a\x01\x37\x1a\x02ab"  # sensorId a, an object
    with (
        viewing(redis_broker.url, topic) as view,
        viewing(redis_broker.url, topic, "--decode", "frame") as decoding,
    ):
        client.xadd(topic, {"metadata": frame})
        plain = next(each for each in view.changes() if each["unreadable"]["count"])
        assert "--decode" in plain["unreadable"]["last"]
        (source,) = next(each["sources"] for each in decoding.changes() if each["sources"])
        assert (source["name"], source["objects"][0]["label"]) == ("a", "ab")


def test_space_is_checked_and_read_again(run_dsmsg: Run, tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    zone = "sources: {'*': {zones: {yard: {points: [[0, 0], [192, 0], [0, 108]]}}}}\n"
    space.write_text("coordinates: pixels\nsize: [1920, 1080]\n" + zone)
    with viewing(*recorded(tmp_path), "--space", str(space)) as view:
        updates = view.changes()
        points = next(updates)["places"]["sources"]["*"]["zones"][0]["points"]
        assert points == [[0, 0], [0.1, 0], [0, 0.1]]
        space.write_text(zone.replace("192", "0.5").replace("108", "0.5"))
        changed = next(each["places"] for each in updates if "places" in each)
        assert changed["sources"]["*"]["zones"][0]["points"][1] == [0.5, 0]
    space.write_text("sources: {'*': {zones: {yard: {point: []}}}}\n")
    wrong = run_dsmsg("view", *recorded(tmp_path), "--space", str(space), check=False)
    assert b"did you mean points?" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], b"either WHERE TOPIC"),
        (["redis://h", "t", "--messages", "x"], b"either WHERE TOPIC"),
        (["--messages", "{file}", "--evidence", "/no/such"], b"/no/such is not a folder"),
        (["--messages", "{file}", "--evidence", "s3://"], b"s3://bucket/prefix"),
        (["--messages", "{file}", "--size", "big"], b"1920x1080"),
        (["--messages", "{file}", "--port", "{port}"], b"--port 0"),
        (["--messages", "/no/such"], b"/no/such"),
    ],
)
def test_says_what_is_wrong(
    arguments: list[str], why: bytes, run_dsmsg: Run, tmp_path: Path
) -> None:
    _, file = recorded(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = [each.replace("{file}", file).replace("{port}", port) for each in arguments]
        result = run_dsmsg("view", *arguments, check=False)
    assert result.returncode in (1, 2)
    assert why in result.stderr


def test_warns_who_can_see_it(tmp_path: Path) -> None:
    with viewing(*recorded(tmp_path), "--host", "0.0.0.0") as view:  # noqa: S104
        assert view.process.stderr is not None
        assert b"neither login nor TLS" in view.process.stderr.readline()
