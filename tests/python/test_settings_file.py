# SPDX-License-Identifier: Apache-2.0
"""Settings that are not in a file: a password is never left behind, and no folder is needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from dsmsg import Adaptor, DsmsgError
from dsmsg._inifile import SettingsFile

SETTINGS = {"connect": "lazy", "password": "geheim", "flush-timeout": "10ms"}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_process_that_is_ended_in_connect_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import dsmsg, sys\n"
        "settings = {'password': 'geheim', 'connect-timeout': '60s'}\n"
        "dsmsg.Adaptor('redis').connect(f'127.0.0.1;{sys.argv[1]}', settings)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        child = subprocess.Popen(
            [sys.executable, "-c", code, port],
            env={
                **os.environ,
                "TMPDIR": str(tmp_path),
                "PYTHONPATH": str(Path(__file__).parents[2] / "python"),
            },
        )
        try:
            silent.settimeout(60)
            connection, _ = silent.accept()  # the settings have been read
            with connection:
                child.send_signal(signal.SIGTERM)
                assert child.wait(300) == -signal.SIGTERM
        finally:
            child.kill()
            child.wait()
    assert list(tmp_path.iterdir()) == []


def test_no_folder_has_to_be_writable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    Adaptor("redis").connect("127.0.0.1;9", SETTINGS).disconnect()


def test_a_reload_reads_the_settings_of_connect_again() -> None:
    adaptor = Adaptor("redis")
    before = descriptors()
    first = adaptor.connect("127.0.0.1;9", SETTINGS)
    second = adaptor.connect("127.0.0.1;9", {**SETTINGS, "queue-size": 7})
    first.reload("127.0.0.1;10")
    first.reload("127.0.0.1;10", {**SETTINGS, "password": "other"})
    with pytest.raises(DsmsgError, match=r"settings given in Python:2: queue-size = many: must be"):
        adaptor.connect("127.0.0.1;9", {"queue-size": "many"})
    first.reload()
    first.disconnect()
    second.reload()
    second.disconnect()
    assert descriptors() == before


def test_without_files_in_memory_the_file_is_removed_after_connect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = SettingsFile(SETTINGS)
    (made,) = tmp_path.iterdir()
    assert settings.path == str(made)
    assert made.stat().st_mode & 0o777 == 0o600
    settings.close()
    with Adaptor("redis").connect("127.0.0.1;9", SETTINGS):
        assert list(tmp_path.iterdir()) == []
