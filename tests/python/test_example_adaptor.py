# SPDX-License-Identifier: Apache-2.0
"""The adaptor of docs/adding-an-adaptor.md does what the page says, and is the one on the page."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from dsmsg import Adaptor, DsmsgError, Result
from dsmsg._find import find

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "example_adaptor" / "driver.cc"
PAGE = (ROOT / "docs" / "adding-an-adaptor.md").read_text(encoding="utf-8")


@pytest.fixture
def adaptor() -> Adaptor:
    build = find("redis").parent.parent
    return Adaptor(build / "tests" / "example_adaptor" / "libnvds_file_proto.so")


@pytest.mark.parametrize("settings", [{}, {"fsync": True}])
def test_each_message_is_a_line(
    adaptor: Adaptor, tmp_path: Path, settings: dict[str, object]
) -> None:
    path = tmp_path / "a file"
    path.write_text("before\n")
    with adaptor.connect(f"{path};events", settings) as connection:
        futures = [connection.send_async(None, b"%d" % i) for i in range(1000)]
        assert connection.work_until_done(30)
        assert {future.result(0) for future in futures} == {Result.OK}
        with pytest.raises(DsmsgError, match="not one line"):
            connection.send(None, b"one\ntwo")
        connection.send("any", b"last")
    assert path.read_text() == "".join(f"{i}\n" for i in ["before", *range(1000), "last"])


def test_a_url_is_the_same_and_a_missing_folder_is_named(adaptor: Adaptor, tmp_path: Path) -> None:
    with adaptor.connect(f"file://{tmp_path}/x") as connection:
        connection.send("t", b"1")
    assert (tmp_path / "x").read_text() == "1\n"
    with pytest.raises(DsmsgError, match=f"cannot open {tmp_path}/no/x: No such file"):
        adaptor.connect(f"{tmp_path}/no/x")
    with pytest.raises(DsmsgError, match=r'expected a path .*"file:///run/name"'):
        adaptor.connect("kafka://localhost:9092")


def test_a_deleted_file_is_made_again(adaptor: Adaptor, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with adaptor.connect(str(path), {"reconnect-interval": "1ms"}) as connection:
        connection.send("t", b"1")
        path.unlink()
        future = connection.send_async("t", b"2")
        assert connection.work_until_done(30)
        assert future.result(0) == Result.OK
    assert path.read_text() == "2\n"


def test_it_only_sends(adaptor: Adaptor, tmp_path: Path) -> None:
    with adaptor.connect(str(tmp_path / "x")) as connection:
        with pytest.raises(DsmsgError, match="this adaptor only sends"):
            connection.subscribe(["t"], lambda message: None)
        connection.send("t", b"1")


def test_the_page_has_the_code_and_its_size() -> None:
    code = SOURCE.read_text(encoding="utf-8")
    assert f"```cpp\n{code}```\n" in PAGE
    lines = len(code.splitlines())
    assert lines < 100
    assert re.search(rf"\b{lines} lines\b", PAGE)


def test_every_path_on_the_page_is_there() -> None:
    paths = re.findall(r"`((?:csrc|tests|python|cmake|scripts)/[\w./]+)`", PAGE)
    assert len(paths) > 5
    for path in paths:
        if path.startswith("csrc/adaptors/file/"):  # where a reader would put it
            continue
        assert os.path.lexists(ROOT / path), path
