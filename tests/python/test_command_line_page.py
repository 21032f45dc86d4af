# SPDX-License-Identifier: Apache-2.0
"""docs/command-line.md: its console blocks do what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from dsmsg import _settings
from dsmsg._address import known_adaptors
from dsmsg._cli.app import app
from dsmsg._looking import _PLANS, STARTS, starting_at
from dsmsg.brokers._process import free_port
from quirks import table_with, title_of
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PATIENCE_S = 240.0


class Shell:
    """Runs the page's commands, one after the other, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = 0
        program = folder / "bin" / "dsmsg"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dsmsg "$@"\n')
        program.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "python"),
            "XDG_CONFIG_HOME": str(folder),
            "DSMSG_LOG": "error",
        }
        self.ports = {each: str(free_port()) for each in ("6379", "6380")}
        self.running: list[tuple[subprocess.Popen[bytes], Path, int]] = []

    def close(self) -> None:
        """Ends what still runs."""
        for process, _, _ in self.running:
            process.terminate()
        for process, _, _ in self.running:
            process.wait(300)

    def run(self, command: str, expected: str) -> None:
        """Runs one command and compares what it prints."""
        for port, ours in self.ports.items():
            command, expected = command.replace(port, ours), expected.replace(port, ours)
        if command.endswith(" &"):
            self._start(command[:-2], expected)
        elif command == "wait":
            process, log, seen = self.running.pop()
            process.wait(PATIENCE_S)
            matches(expected, log.read_text()[seen:])
        elif command == "echo $?":
            assert f"{self.code}\n" == expected
        else:
            done = self._popen(["bash", "-c", command], subprocess.PIPE)
            output, _ = done.communicate(timeout=PATIENCE_S)
            self.code = done.returncode
            matches(expected, output.decode())

    def _start(self, command: str, expected: str) -> None:
        log = self.folder / f"{len(self.running)}-{time.monotonic_ns()}.log"
        with log.open("wb") as file:
            process = self._popen(shlex.split(command), file.fileno())
        self.running.append((process, log, 0))
        deadline = time.monotonic() + PATIENCE_S
        while not pattern(expected).fullmatch(log.read_text()) or not log.stat().st_size:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        self.running[-1] = (process, log, len(log.read_text()))

    def _popen(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def pattern(expected: str) -> re.Pattern[str]:
    """What a text stands for: `...` anything, a time any other, blanks any number of them."""
    text = re.escape(expected).replace("\\ ", " ").replace(r"\.\.\.", ".*")
    return re.compile(
        re.sub("  +", " +", re.sub(r" \d+\\\.\d+ ms", r" [\\d.]+ ms", text)), re.DOTALL
    )


def matches(expected: str, output: str) -> None:
    """Fails with both texts."""
    if not pattern(expected).fullmatch(output):
        pytest.fail(f"expected:\n{expected}\nprinted:\n{output}")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.close()


def test_the_console_blocks(shell: Shell) -> None:
    assert len(BLOCKS) >= 9
    for block in BLOCKS:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            shell.run(command, expected)


def test_every_command_has_a_section_or_a_row() -> None:
    from dsmsg._cli.app import _COMMANDS

    for name in _COMMANDS:
        assert re.search(rf"^\| .*`{name}`.* \|", PAGE, re.MULTILINE), name


def test_what_sub_can_do_with_each_adaptor() -> None:
    section = PAGE.partition("\n## sub\n")[2].partition("\n## ")[0]
    told = {name: (group, start) for name, _, group, start in table_with(section, "adaptor")[1:]}
    assert set(told) == {title_of(name) for name in _PLANS}
    for name, plan in _PLANS.items():
        group, start = told[title_of(name)]
        assert (group == "-") == (plan.GROUP_OPTION is None), name
        option, _, values = getattr(plan, "START", ("-", "", ""))
        words = set(re.findall(r"`(.*?)`", start)) or {"-"}
        assert words == {option, *re.findall(r"earliest|latest|all|new|oldest", values)}, name
    for name in known_adaptors() - set(_PLANS):
        assert title_of(name) in " ".join(section.split()), name


def test_the_help_of_offset_names_what_each_adaptor_takes() -> None:
    root = get_command(app)
    assert isinstance(root, click.Group)
    command = root.get_command(click.Context(root), "sub")
    assert command is not None
    (offset,) = (each for each in command.params if each.name == "offset")
    assert len(STARTS) == 4
    assert isinstance(offset, click.Option)
    assert [each for each in STARTS if each not in (offset.help or "")] == []


@pytest.mark.parametrize("name", [n for n, plan in _PLANS.items() if hasattr(plan, "START")])
def test_an_adaptor_takes_what_offset_promises(name: str) -> None:
    option, oldest, values = _PLANS[name].START
    settings = getattr(_settings, _settings.ADAPTORS[name])
    for value in {oldest, *re.findall(r"earliest|latest|all|new|oldest", values)}:
        assert starting_at(name, frozenset([option]), value) == {option: value}
        assert settings(**{option.replace("-", "_"): value}).to_dict() == {option: value}
