# SPDX-License-Identifier: Apache-2.0
"""Spools that were edited by hand, or that cannot be read.

No traceback, and what can be shown is shown.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from dsmsg import cli, spool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_spool import NAME, ROWS, locked, make

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
Row = tuple[object, ...]

EDITED: dict[str, tuple[Row, str]] = {
    "accepted": (
        (5, "yesterday", 5, "t", None, None, 1, b"p"),
        "accepted_ms is not a whole number",
    ),
    "timestamp": ((5, 5, b"\xff", "t", None, None, 1, b"p"), "timestamp_ms is not a whole number"),
    "fraction": ((5, 5, 5.5, "t", None, None, 1, b"p"), "timestamp_ms is not a whole number"),
    "topic": ((5, 5, 5, None, None, None, 1, b"p"), "it has no topic"),
    "payload": ((5, 5, 5, "t", None, None, 1, None), "it has no payload"),
    "headers": ((5, 5, 5, "t", None, "a=b", 1, b"p"), "headers"),
    "header": ((5, 5, 5, "t", None, '[["a","b"],["c"]]', 1, b"p"), "headers"),
    "object": ((5, 5, 5, "t", None, '{"a":"b"}', 1, b"p"), "headers"),
    "number": ((5, 5, 5, "t", None, "7", 1, b"p"), "headers"),
    "value": ((5, 5, 5, "t", None, '[["a",7]]', 1, b"p"), "headers"),
    "base64": ((5, 5, 5, "t", None, '[["a",{"base64":"x"}]]', 1, b"p"), "headers"),
    "no base64": ((5, 5, 5, "t", None, '[["a",{}]]', 1, b"p"), "headers"),
    "surrogate": ((5, 5, 5, "t", None, r'[["a","\ud800"]]', 1, b"p"), "headers"),
    "nested": ((5, 5, 5, "t", None, "[" * 100_000, 1, b"p"), "headers"),
    "no text": ((5, 5, 5, "t", None, b"\xff\xfe", 1, b"p"), "headers"),
    "id": ((-5, 5, 5, "t", None, None, 1, b"p"), "is outside 1 to"),
}


def loose(path: Path, rows: list[Row]) -> None:
    """A spool whose columns accept any type."""
    connection = make(path, [])
    connection.execute("DROP VIEW readable")
    connection.execute("DROP TABLE messages")
    connection.execute(
        "CREATE TABLE messages (id, accepted_ms, timestamp_ms, topic, key, headers, bytes, payload)"
    )
    connection.executemany("INSERT INTO messages VALUES (?,?,?,?,?,?,?,?)", rows)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("case", EDITED)
def test_an_edited_row_is_named_and_the_others_go_on(
    run_dsmsg: Run, tmp_path: Path, case: str
) -> None:
    row, problem = EDITED[case]
    path = tmp_path / NAME
    loose(path, [*ROWS, row])
    for command in ("show", "export"):
        for more in ([], ["--json"]):
            result = run_dsmsg("spool", command, str(path), *more, check=False)
            assert result.returncode == 1
            (line,) = result.stderr.decode().splitlines()
            assert line.startswith(f"dsmsg: {path}: message {row[0]}: ")
            assert problem in line
            if command == "show" and more:
                shown = json.loads(result.stdout)
                by_id = {message["id"]: message for message in shown}
                assert set(by_id) == {3, 4, 9, row[0]}
                assert by_id[row[0]]["problems"]
                assert "problems" not in by_id[3]
            else:
                assert len(result.stdout.splitlines()) == 4
    inspected = run_dsmsg("spool", "ls", str(tmp_path)).stdout
    assert b"4 messages" in inspected


def test_what_the_adaptor_would_make_of_it(tmp_path: Path) -> None:
    loose(tmp_path / NAME, [(1, "7x", None, None, 5, '[["a","b"],["c"]]', 1, "text")])
    (message,) = spool.messages(tmp_path / NAME)
    assert (message.accepted_ms, message.timestamp_ms) == (7, 0)
    assert (message.topic, message.key, message.payload) == (b"", b"5", b"text")
    assert message.headers == [(b"a", b"b")]
    assert len(message.problems) == 4


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(),
    st.binary(),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text()),
        lambda inner: st.lists(inner) | st.dictionaries(st.just("base64") | st.text(), inner),
    ).map(json.dumps),
)


@given(
    rows=st.lists(st.tuples(*[VALUES] * 8), min_size=1, max_size=4),
    about=st.lists(st.tuples(st.sampled_from(["protocol", "endpoint", "x"]), VALUES), max_size=3),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_anything_in_the_tables(rows: list[Row], about: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        loose(path, rows)
        connection = sqlite3.connect(path)
        connection.execute("DROP TABLE about")
        connection.execute("CREATE TABLE about (name, value)")
        connection.executemany("INSERT INTO about VALUES (?,?)", about)
        connection.commit()
        connection.close()
        assert len(list(spool.messages(path))) == len(rows)
        for arguments in (["show", str(path)], ["export", str(path)], ["ls", folder]):
            for more in ([], ["--json"]):
                output = io.TextIOWrapper(io.BytesIO(), "ascii")
                with (
                    mock.patch.object(sys, "stdout", output),
                    contextlib.redirect_stderr(io.StringIO()),
                ):
                    code = cli.main(["spool", *arguments, *more])
                output.flush()
                text = output.buffer.getvalue()  # type: ignore[attr-defined]
                if arguments[0] == "ls":
                    assert code == 0
                elif more and arguments[0] == "show":
                    assert len(json.loads(text)) == len(rows)
                else:
                    assert len(text.splitlines()) == len(rows)


def test_a_file_that_is_damaged_in_the_middle(run_dsmsg: Run, tmp_path: Path) -> None:
    path = tmp_path / NAME
    rows = [(i, 1, 1, "t", None, None, 1, b"x" * 1000) for i in range(1, 201)]
    make(path, rows).close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\x5a" * 4096)
    for command, more in (("export", []), ("show", ["--json", "--limit", "500"])):
        result = run_dsmsg("spool", command, str(path), *more, check=False)
        assert result.returncode == 1
        assert b"malformed" in result.stderr
        assert b"Traceback" not in result.stderr
        count = len(json.loads(result.stdout)) if more else len(result.stdout.splitlines())
        assert 20 < count < 200


def test_a_table_that_is_not_there(run_dsmsg: Run, tmp_path: Path) -> None:
    connection = make(tmp_path / NAME)
    connection.executescript("DROP VIEW readable; DROP TABLE messages; DROP TABLE about")
    connection.close()
    for command in ("show", "export"):
        result = run_dsmsg("spool", command, str(tmp_path / NAME), check=False)
        assert result.returncode == 1
        assert result.stderr.startswith(b"dsmsg: cannot read ")
    assert b"no such table" in run_dsmsg("spool", "ls", str(tmp_path)).stdout


def test_a_database_in_use(run_dsmsg: Run, tmp_path: Path) -> None:
    connection = make(tmp_path / NAME)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    result = run_dsmsg("spool", "export", str(tmp_path / NAME), check=False)
    assert result.returncode == 1
    assert b"is locked" in result.stderr
    assert b"is locked" in run_dsmsg("spool", "ls", str(tmp_path)).stdout
    connection.close()


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    make(folder / NAME).close()
    output = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with mock.patch.object(sys, "stdout", output):
        assert cli.main(["spool", "ls", str(folder)]) == 0
        assert cli.main(["spool", "show", str(folder / NAME)]) == 0
        assert cli.main(["spool", "ls", str(folder), "--json"]) == 0
        assert cli.main(["spool", "purge", str(folder / NAME), "--yes"]) == 0


def test_a_topic_does_not_control_the_terminal(run_dsmsg: Run, tmp_path: Path) -> None:
    make(tmp_path / NAME, [(1, 1, 1, "a\x1b[2J\nb", None, None, 1, b"p")]).close()
    (line,) = run_dsmsg("spool", "show", str(tmp_path / NAME)).stdout.splitlines()
    assert b"\x1b" not in line
    assert b"topic a.[2J.b," in line


def test_no_traceback_for_odd_arguments(run_dsmsg: Run, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    for arguments in (
        ["ls", str(tmp_path / "none")],
        ["ls", str(plain)],
        ["ls", "/" + "x" * 300],
        *(
            [command, file]
            for command in ("show", "export", "purge")
            for file in (str(tmp_path), str(plain / NAME), "/" + "x" * 300, str(plain), "")
        ),
    ):
        result = run_dsmsg("spool", *arguments, check=False)
        assert result.returncode == 1, arguments
        assert re.match(rb"dsmsg: [^\[]*\n$", result.stderr), result.stderr


def test_ls_skips_what_goes_away_meanwhile(tmp_path: Path) -> None:
    make(tmp_path / NAME).close()
    gone = tmp_path / NAME.replace("-0.", "-1.")
    (tmp_path / NAME.replace("-0.", "-2.")).mkdir()
    output = io.StringIO()
    with (
        mock.patch("dsmsg.spool.find", return_value=[gone, *spool.find(tmp_path)]),
        contextlib.redirect_stdout(output),
    ):
        assert cli.main(["spool", "ls", str(tmp_path)]) == 0
    assert "3 messages" in output.getvalue()


def test_standard_input_that_is_closed(tmp_path: Path) -> None:
    make(tmp_path / NAME).close()
    with mock.patch.object(sys, "stdin", None):
        assert cli.main(["spool", "purge", str(tmp_path / NAME)]) == 1
    assert (tmp_path / NAME).exists()


@contextlib.contextmanager
def refused(part: str) -> Iterator[None]:
    """Nothing whose name ends with `part` may be looked at; the tests may run as root."""

    def refuse(real: Callable[..., object], path: object, *more: object, **named: object) -> object:
        if isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).endswith(part):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *more, **named)

    with contextlib.ExitStack() as stack:
        for owner, name in ((os, "stat"), (os, "open"), (io, "open"), (os, "unlink")):
            real = getattr(owner, name)
            replaced = lambda path, *more, real=real, **named: refuse(real, path, *more, **named)  # noqa: E731
            stack.enter_context(mock.patch.object(owner, name, replaced))
        yield


@pytest.mark.parametrize("part", [".db", ".lock"])
def test_permission_denied(tmp_path: Path, part: str) -> None:
    path = tmp_path / NAME
    make(path).close()
    with locked(path), refused(part):
        found = spool.inspect(path)
        if part == ".db":
            assert "Permission denied" in found.problem
            assert found.locked
            with pytest.raises(spool.SpoolError, match="Permission denied"):
                list(spool.messages(path))
        else:
            assert (found.messages, found.locked, found.problem) == (3, None, "")
        with pytest.raises(spool.SpoolError, match="Permission denied"):
            spool.purge(path)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            assert cli.main(["spool", "ls", str(tmp_path)]) == 0
            assert cli.main(["spool", "ls", str(tmp_path), "--json"]) == 0
        assert ("Permission denied" if part == ".db" else "its lock cannot be read") in (
            output.getvalue()
        )
    assert path.exists()


def test_what_is_being_saved_from_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / NAME.replace(".db", ".salvage.db")
    path.write_bytes(b"x")
    assert spool.find(tmp_path) == [path]
    assert "the next start continues" in spool.inspect(path).problem
    with locked(tmp_path / NAME):
        assert spool.inspect(path).locked
        with pytest.raises(spool.SpoolError, match="in use"):
            spool.purge(path)
    spool.purge(path)
    assert list(tmp_path.iterdir()) == []


def test_the_limit(run_dsmsg: Run, tmp_path: Path) -> None:
    make(tmp_path / NAME).close()
    assert run_dsmsg("spool", "show", str(tmp_path / NAME), "--limit", "0").stdout == b""
    for limit in ("-1", "x", str(2**70)):
        result = run_dsmsg("spool", "show", str(tmp_path / NAME), "--limit", limit, check=False)
        assert result.returncode == 2
        assert b"--limit" in result.stderr
