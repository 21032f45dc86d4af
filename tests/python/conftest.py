# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the Python tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))  # for the package `brokers`

from brokers.fixtures import (  # noqa: E402
    add_broker_logs,
    kafka_broker,
    mosquitto_broker,
    new_broker,
    rabbitmq_broker,
    redis_broker,
)

__all__ = ["kafka_broker", "mosquitto_broker", "new_broker", "rabbitmq_broker", "redis_broker"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    add_broker_logs(report)
    return report


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Puts files kept after failures, such as brokers' logs, where pytest cleans up."""
    folder = str(tmp_path_factory.mktemp("kept"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"t-{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def foreign_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third-party adaptor: no extensions, do_work returns at once."""
    path = tmp_path_factory.mktemp("foreign") / "libnvds_foreign_proto.so"
    source = Path(__file__).with_name("foreign_adaptor.c")
    subprocess.run(
        [
            *(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-pthread", "-Wall", "-Werror"),
            *("-I", str(TESTS.parent / "include"), "-o", str(path), str(source)),
        ],
        check=True,
    )
    return path


@pytest.fixture
def run_dsmsg() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs the command `dsmsg`."""

    def run(
        *arguments: str, stdin: bytes = b"", check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        result = subprocess.run(
            [sys.executable, "-m", "dsmsg", *arguments],
            input=stdin,
            capture_output=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(TESTS.parent / "python")},
        )
        if check:
            assert result.returncode == 0, result.stderr.decode()
        return result

    return run
