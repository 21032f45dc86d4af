# SPDX-License-Identifier: Apache-2.0
"""What all commands have in common: help with examples, --json, completion, light imports."""

from __future__ import annotations

import inspect
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from dsmsg._cli._typer import evaluated
from dsmsg._cli.app import app
from dsmsg.brokers import Broker
from typer.main import get_command

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

PYTHON = Path(__file__).parents[2] / "python"


def leaves() -> Iterator[tuple[str, click.Command]]:
    root = get_command(app)
    context = click.Context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if isinstance(command, click.Group):
            for each, inner in command.commands.items():
                yield f"{name} {each}", inner
        else:
            yield name, command


LEAVES = dict(leaves())


@pytest.mark.parametrize("name", LEAVES)
def test_help_has_examples(name: str) -> None:
    command = LEAVES[name]
    assert command.help
    epilog = command.epilog or ""
    assert epilog.startswith("Examples:")
    assert f"dsmsg {name}" in epilog


@pytest.mark.parametrize("name", sorted(set(LEAVES) - {"brokers serve"}))  # that speaks JSON only
def test_every_command_prints_json(name: str) -> None:
    options = [option for each in LEAVES[name].params for option in each.opts]
    assert "--json" in options


def test_help_tells_of_arguments(run_dsmsg: Run) -> None:
    assert b"Without a message or --file" in run_dsmsg("pub", "--help").stdout


def test_annotations_are_evaluated() -> None:
    """Typer leaves that to its caller with Python 3.9."""

    def function(number: int = 1) -> None: ...

    assert inspect.signature(function).parameters["number"].annotation == "int"
    assert inspect.signature(evaluated(function)).parameters["number"].annotation is int


def test_help_is_plain_text_in_a_pipe(run_dsmsg: Run) -> None:
    for arguments in (["--help"], ["pub", "-h"], ["spool", "replay", "--help"]):
        text = run_dsmsg(*arguments).stdout
        assert b"Usage: dsmsg" in text
        assert b"\33" not in text


def on_a_terminal(stream: str, *arguments: str) -> bytes:
    """What a command prints to standard output or error when that is a terminal."""
    parent, child = pty.openpty()
    other = "stderr" if stream == "stdout" else "stdout"
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmsg", *arguments],
        env={**os.environ, "PYTHONPATH": str(PYTHON), "TERM": "xterm"},
        **{stream: child, other: subprocess.DEVNULL},
    )
    os.close(child)
    text = b""
    try:
        while part := os.read(parent, 65536):
            text += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(parent)
    assert process.wait(300) == 0
    return text


def test_colour_on_a_terminal_only(run_dsmsg: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"\33" not in run_dsmsg("describe", "redis").stdout
    assert b"\33[1m" in on_a_terminal("stdout", "describe", "redis")
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\33[3" not in on_a_terminal("stdout", "doctor", "--help")


def test_progress_on_a_terminal_only(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    arguments = ("pub", redis_broker.url, topic, "x", "--count", "3")
    assert b"sending" in on_a_terminal("stderr", *arguments)
    assert run_dsmsg(*arguments).stderr == b""


def test_completion(run_dsmsg: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_DSMSG_COMPLETE", "complete_bash")

    def completed(line: str) -> list[bytes]:
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return run_dsmsg(check=False).stdout.split()

    assert completed("dsmsg de") == [b"debug", b"describe"]
    assert b"kafka" in completed("dsmsg pub ka")
    assert completed("dsmsg spool exp") == [b"export"]
    assert b"--from-beginning" in completed("dsmsg sub --from")


def test_importing_dsmsg_imports_neither_typer_nor_rich() -> None:
    code = "import sys, dsmsg, dsmsg.cli; print([n for n in ('typer', 'rich') if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PYTHON)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "[]\n"


def test_a_command_imports_only_its_own_module() -> None:
    code = (
        "import sys; from dsmsg.cli import main; main(['profile', 'ls', '--json']);"
        "print([n for n in sys.modules if n in ('cffi', 'dsmsg.brokers', 'dsmsg._cli.spool')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PYTHON)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.endswith("[]\n")


def test_without_typer_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('no typer here')\n")
    result = subprocess.run(
        [sys.executable, "-m", "dsmsg", "--version"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{PYTHON}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "dsmsg: no typer here (pip install typer rich)\n"
