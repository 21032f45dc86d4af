# SPDX-License-Identifier: Apache-2.0
"""The command `dsmsg`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(params=["redis", "kafka"])
def target(request: pytest.FixtureRequest) -> tuple[str, str]:
    broker: Broker = request.getfixturevalue(f"{request.param}_broker")
    return request.param, broker.conn_str


def subscriber(*arguments: str) -> subprocess.Popen[bytes]:
    """A `dsmsg sub` that is subscribed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmsg", "sub", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")},
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"receiving ")
    return process


def test_pub_and_sub(run_dsmsg: Run, target: tuple[str, str], topic: str) -> None:
    assert run_dsmsg("pub", *target, topic, "first").stdout == b"1 acknowledged\n"
    group = "consumergroup" if target[0] == "redis" else "consumer-group-id"
    options = ["-o", f"{group}={topic}", "--count", "4", "--timeout", "60", "--json"]
    with subscriber(*target, topic, *options) as process:
        result = run_dsmsg("pub", *target, topic, "--lines", "--json", stdin=b"a\nb\n\n\xff\x01\n")
        assert json.loads(result.stdout) == {"acknowledged": 3, "failed": 0, "reason": ""}
        if target[0] == "redis":  # a new group begins with new messages
            run_dsmsg("pub", *target, topic, "first", "--key", "k", "--header", "h=1")
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    messages = [json.loads(line) for line in output.splitlines()]
    assert {message["topic"] for message in messages} == {topic}
    payloads = sorted(m.get("payload", m.get("payload_base64")) for m in messages)
    assert payloads == ["/wE=", "a", "b", "first"]


def test_pub_sends_all_of_standard_input(
    run_dsmsg: Run, target: tuple[str, str], topic: str
) -> None:
    run_dsmsg("pub", *target, topic, stdin=b"one\ntwo\0")


def test_sub_ends_with_ctrl_c_and_with_time(
    run_dsmsg: Run, redis_broker: Broker, topic: str
) -> None:
    with subscriber("redis", redis_broker.conn_str, topic) as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
        assert process.returncode == 0
    result = run_dsmsg(
        "sub", "redis", redis_broker.conn_str, topic, "--timeout", "0.2", check=False
    )
    assert result.returncode == 1
    assert b"0 messages within 0.2 s" in result.stderr


def test_pub_without_a_broker_fails_with_a_reason(run_dsmsg: Run, topic: str) -> None:
    address = f"127.0.0.1;{free_port()}"
    result = run_dsmsg("pub", "redis", address, topic, "x", check=False)
    assert result.returncode == 1
    assert b"cannot connect to" in result.stderr
    assert b"refused" in result.stderr


def test_pub_with_wrong_usage(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    where = ("redis", redis_broker.conn_str, topic, "x")
    for arguments, text in (
        (("--header", "none"), b"is not of the form NAME=VALUE"),
        (("-o", "none"), b"is not of the form NAME=VALUE"),
        (("-o", "a=b", "--config", "c.txt"), b"cannot be used together"),
        (("--config", "/none.txt"), b"/none.txt"),
        (("-o", "queue-size=many"), b"queue-size"),
    ):
        result = run_dsmsg("pub", *where, *arguments, check=False)
        assert result.returncode == 1
        assert text in result.stderr
    assert run_dsmsg("pub", "pigeon", "h;1", "t", "x", check=False).returncode == 1
    assert run_dsmsg("fly", check=False).returncode == 2
    assert run_dsmsg(check=False).returncode == 2


def test_describe(run_dsmsg: Run) -> None:
    table = json.loads(run_dsmsg("describe", "kafka", "--json").stdout)
    assert table["protocol"] == "KAFKA"
    text = run_dsmsg("describe", "kafka").stdout.decode()
    assert "partition-key" in text
    assert "options of all adaptors:" in text


def test_doctor(run_dsmsg: Run) -> None:
    result = run_dsmsg("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert checks["kafka"]["ok"]
    assert checks["redis"]["ok"]
    assert checks["redis-server"]["ok"]
    assert b"KAFKA, contract" in run_dsmsg("doctor").stdout


def test_doctor_tells_what_does_not_load(
    run_dsmsg: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "libnvds_kafka_proto.so").write_text("no library")
    monkeypatch.setenv("DSMSG_LIB_DIR", str(tmp_path))
    result = run_dsmsg("doctor", check=False)
    assert result.returncode == 1
    assert b"MISSING kafka" in result.stdout
    assert b"cannot load " in result.stdout


def test_brokers_and_version(run_dsmsg: Run) -> None:
    assert b"start" in run_dsmsg("brokers", "--help").stdout
    assert run_dsmsg("--version").stdout.startswith(b"dsmsg ")
