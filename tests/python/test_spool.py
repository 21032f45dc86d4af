# SPDX-License-Identifier: Apache-2.0
"""Looking into spools, and the command `dsmsg spool`."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dsmsg import spool

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

SOURCE = Path(__file__).parents[2] / "csrc" / "core" / "spool" / "spool_store.cc"
NAME = "kafka-0123456789abcdef-0.db"
ROWS = [
    (3, 1_700_000_000_123, 5, "events", None, None, 80, b'{"id":1}'),
    (4, 1_700_000_000_200, 6, "events", "k1", '[["a","b"],["raw",{"base64":"/wE="}]]', 90, b"\xff"),
    (9, 1_700_000_001_000, 7, b"\xfe", b"\xfd\x00", None, 70, b"x" * 500),
]


def make(path: Path, rows: list[tuple[object, ...]] = ROWS) -> sqlite3.Connection:
    """A spool with the adaptor's own schema, open."""
    schema = re.search(r'kSchema\[\] = R"\((.*?)\)"', SOURCE.read_text(), re.DOTALL)
    assert schema is not None
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(schema.group(1))
    connection.executemany("INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,NULL)", rows)
    about = {"protocol": "KAFKA", "endpoint": "localhost:9092", "spool-name": "n"}
    connection.executemany("INSERT INTO about VALUES (?,?)", about.items())
    connection.commit()
    return connection


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The lock as an adaptor holds it."""
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
    try:
        os.write(fd, b"pid 4711\n")
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))
        yield
    finally:
        os.close(fd)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    make(path).close()
    return path


def test_inspect(file: Path) -> None:
    found = spool.inspect(file)
    assert (found.protocol, found.endpoint, found.name) == ("KAFKA", "localhost:9092", "n")
    assert (found.messages, found.bytes, found.oldest_ms) == (3, 240, 1_700_000_000_123)
    assert (found.locked, found.pid, found.problem) == (False, None, "")
    assert found.file_bytes == file.stat().st_size
    with locked(file):
        found = spool.inspect(file)
        assert (found.locked, found.pid) == (True, 4711)
    assert not spool.inspect(file).locked


def test_messages(file: Path) -> None:
    first, second, third = spool.messages(file)
    assert (first.topic, first.key, first.headers, first.payload) == (
        *(b"events", None, []),
        b'{"id":1}',
    )
    assert (second.id, second.accepted_ms, second.timestamp_ms) == (4, 1_700_000_000_200, 6)
    assert second.headers == [(b"a", b"b"), (b"raw", b"\xff\x01")]
    assert (third.topic, third.key) == (b"\xfe", b"\xfd\x00")
    assert [message.id for message in spool.messages(file, limit=2)] == [3, 4]


def test_what_a_killed_process_left_is_seen(tmp_path: Path) -> None:
    connection = make(tmp_path / "live.db")
    copy = tmp_path / NAME  # database and log as a kill leaves them
    for end in ("", "-wal"):
        Path(f"{copy}{end}").write_bytes(Path(f"{tmp_path / 'live.db'}{end}").read_bytes())
    connection.close()
    assert spool.inspect(copy).messages == 3


def test_an_empty_spool(tmp_path: Path) -> None:
    make(tmp_path / NAME, []).close()
    found = spool.inspect(tmp_path / NAME)
    assert (found.messages, found.bytes, found.oldest_ms) == (0, 0, None)
    assert list(spool.messages(tmp_path / NAME)) == []


def test_what_is_no_spool(tmp_path: Path) -> None:
    garbage = tmp_path / NAME
    garbage.write_bytes(b"garbage" * 1000)
    assert "not a database" in spool.inspect(garbage).problem
    with pytest.raises(spool.SpoolError, match="not a database"):
        list(spool.messages(garbage))
    other = tmp_path / NAME.replace("-0.", "-1.")
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert "not a spool of this version" in spool.inspect(other).problem
    aside = tmp_path / NAME.replace(".db", ".corrupt-20260101T000000Z.db")
    aside.write_bytes(b"")
    assert "set aside" in spool.inspect(aside).problem
    (tmp_path / "other.db").write_bytes(b"")
    assert spool.find(tmp_path) == [aside, garbage, other]
    for call in (spool.inspect, spool.purge, lambda path: list(spool.messages(path))):
        with pytest.raises(spool.SpoolError, match="does not exist"):
            call(tmp_path / "none.db")
    with pytest.raises(spool.SpoolError, match="cannot read the folder"):
        spool.find(tmp_path / "none")


def test_purge(file: Path) -> None:
    with locked(file), pytest.raises(spool.SpoolError, match=r"in use .*\(process 4711\)"):
        spool.purge(file)
    assert file.exists()
    spool.purge(file)
    assert list(file.parent.iterdir()) == []


def test_purge_deletes_no_other_file(run_dsmsg: Run, tmp_path: Path) -> None:
    other = tmp_path / "customers.db"
    other.write_bytes(b"of somebody else")
    result = run_dsmsg("spool", "purge", str(other), "--yes", check=False)
    assert result.returncode == 1
    assert b"not named like a spool" in result.stderr
    assert list(tmp_path.iterdir()) == [other]


def test_ls(run_dsmsg: Run, file: Path) -> None:
    text = run_dsmsg("spool", "ls", str(file.parent)).stdout.decode()
    assert f"{NAME}  free" in text
    assert "KAFKA localhost:9092, spool-name n" in text
    assert "3 messages, 240 bytes, the oldest of 2023-11-14T22:13:20.123Z" in text
    file.with_name(NAME.replace("-0.", "-1.")).write_bytes(b"garbage" * 1000)
    with locked(file):
        text = run_dsmsg("spool", "ls", str(file.parent)).stdout.decode()
        assert f"{NAME}  in use by process 4711" in text
        assert "not a database" in text
        files = json.loads(run_dsmsg("spool", "ls", str(file.parent), "--json").stdout)
    assert [each["messages"] for each in files] == [3, 0]
    assert files[0]["locked"]
    assert run_dsmsg("spool", "ls", str(file.parent / "none"), check=False).returncode == 1


def test_ls_of_an_empty_folder(run_dsmsg: Run, tmp_path: Path) -> None:
    assert b"no spools in" in run_dsmsg("spool", "ls", str(tmp_path)).stdout


def test_show(run_dsmsg: Run, file: Path) -> None:
    lines = run_dsmsg("spool", "show", str(file)).stdout.decode().splitlines()
    assert lines[0] == ('3  2023-11-14T22:13:20.123Z  topic events, key -, 8 bytes  {"id":1}')
    assert "key 'k1'" in lines[1]
    assert lines[2].endswith("500 bytes  " + "x" * 60 + "...")
    assert len(run_dsmsg("spool", "show", str(file), "--limit", "1").stdout.splitlines()) == 1
    shown = json.loads(run_dsmsg("spool", "show", str(file), "--json", "--limit", "2").stdout)
    assert [message["id"] for message in shown] == [3, 4]


def test_export(run_dsmsg: Run, file: Path) -> None:
    lines = run_dsmsg("spool", "export", str(file)).stdout.decode().splitlines()
    first, second, third = map(json.loads, lines)
    assert first == {
        "id": 3,
        "accepted": "2023-11-14T22:13:20.123Z",
        "timestamp_ms": 5,
        "topic": "events",
        "headers": [],
        "payload": '{"id":1}',
    }
    assert second["headers"] == [
        {"name": "a", "value": "b"},
        {"name": "raw", "value_base64": "/wE="},
    ]
    assert (second["key"], second["payload_base64"]) == ("k1", "/w==")
    assert (third["topic_base64"], third["key_base64"]) == ("/g==", "/QA=")
    result = run_dsmsg("spool", "export", str(file.parent / "none.db"), check=False)
    assert result.returncode == 1
    assert b"does not exist" in result.stderr


def test_purge_asks(run_dsmsg: Run, file: Path) -> None:
    for answer in (b"", b"n\n"):
        result = run_dsmsg("spool", "purge", str(file), stdin=answer, check=False)
        assert result.returncode == 1
        assert b"3 messages for KAFKA localhost:9092" in result.stderr
        assert file.exists()
    with locked(file):
        result = run_dsmsg("spool", "purge", str(file), "--yes", check=False)
        assert result.returncode == 1
        assert b"in use by a running process" in result.stderr
    assert b"deleted" in run_dsmsg("spool", "purge", str(file), stdin=b"y\n").stdout
    assert not file.exists()


def test_purge_without_a_question(run_dsmsg: Run, file: Path) -> None:
    aside = file.with_name(NAME.replace(".db", ".corrupt-20260101T000000Z.db"))
    aside.write_bytes(b"x")
    for path, count in ((file, 3), (aside, 0)):
        result = run_dsmsg("spool", "purge", str(path), "--yes", "--json")
        assert json.loads(result.stdout) == {"path": str(path), "messages": count}
        assert not path.exists()
