# SPDX-License-Identifier: Apache-2.0
"""`python -m dsmsg.brokers` as another program uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dsmsg.brokers._probe import exchange
from dsmsg.brokers._process import port_is_free, wait_until

COMMAND = [sys.executable, "-S", "-m", "dsmsg.brokers"]


def spawn(*arguments: str) -> subprocess.Popen[str]:
    python = str(Path(__file__).parents[2] / "python")
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": python},
    )


class Server:
    """A `serve` process."""

    def __init__(self, kind: str) -> None:
        self.process = spawn("serve", kind)

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Sends a command, returns the answer."""
        request = {"cmd": command, **({"args": arguments} if arguments else {})}
        return self.ask_text(json.dumps(request))

    def ask_text(self, line: str) -> dict[str, Any]:
        """Sends a line, returns the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> int:
        """Ends the input; returns the exit code."""
        self.process.communicate(timeout=300)
        return self.process.returncode


@pytest.fixture
def redis() -> Iterator[Server]:
    server = Server("redis")
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.wait(300)


def ping(answer: dict[str, Any], timeout: float = 120.0) -> bytes:
    return exchange(answer["host"], answer["port"], b"PING\r\n", framed=False, timeout=timeout)


def all_gone(answer: dict[str, Any]) -> bool:
    return not Path(f"/proc/{answer['pid']}").exists() and not Path(answer["dir"]).exists()


def test_serve_redis(redis: Server) -> None:
    up = redis.ask("start", config=["maxmemory 10mb", "maxmemory-policy noeviction"])
    assert up["ok"], up
    assert ping(up) == b"+PONG"
    assert Path(up["log"]).exists()
    assert redis.ask("start")["pid"] == up["pid"]
    assert redis.ask("start", config=["appendonly no"])["ok"] is False  # it runs already
    assert redis.ask("pause")["ok"]
    assert ping(up, timeout=1) == b""
    assert redis.ask("resume")["ok"]
    assert ping(up) == b"+PONG"
    down = redis.ask("kill")
    assert down["ok"]
    assert down["pid"] is None
    assert ping(up, timeout=1) == b""
    assert redis.ask("pause") == {
        "ok": False,
        "error": "redis: cannot pause a server that is not running (start it)",
    }
    again = redis.ask("start")
    assert (again["port"], again["dir"]) == (up["port"], up["dir"])
    last = redis.ask("restart")
    assert last["pid"] not in (up["pid"], again["pid"])
    assert redis.ask("stop")["pid"] is None
    assert redis.ask("quit")["ok"]
    assert redis.close() == 0
    assert not Path(up["dir"]).exists()


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", "{}", "7", '{"cmd": "fly"}', '{"cmd": ["start"]}'],
)
def test_serve_survives_bad_requests(redis: Server, line: str) -> None:
    answer = redis.ask_text(line)
    assert answer["ok"] is False
    assert answer["error"]
    assert redis.ask("start")["ok"]


def test_serve_says_why_a_start_failed(redis: Server) -> None:
    answer = redis.ask("start", config=["no-such-setting 1"])
    assert answer["ok"] is False
    assert "no-such-setting" in answer["error"]
    assert "unknown args" in redis.ask("start", properties={"a": "b"})["error"]
    assert redis.ask("start", config=["maxmemory 10mb"])["ok"]


def test_serve_kafka() -> None:
    server = Server("kafka")
    up = server.ask("start", properties={"num.partitions": "1"})
    assert up["ok"], up
    assert "num.partitions=1" in (Path(up["dir"]) / "server.properties").read_text().split()
    assert server.ask("kill")["pid"] is None
    again = server.ask("start")
    assert again["port"] == up["port"]
    assert server.close() == 0  # end of input
    assert all_gone(again)


def test_serve_mosquitto() -> None:
    server = Server("mosquitto")
    up = server.ask("start", config=["listener {port:second} 127.0.0.1"])
    assert up["ok"], up
    assert list(up["ports"]) == ["second"]
    assert server.ask("kill")["pid"] is None
    assert server.ask("start")["ports"] == up["ports"]
    assert "no control program" in server.ask_text('{"cmd": "ctl", "args": ["x"]}')["error"]
    assert server.close() == 0


def test_serve_rabbitmq_and_nothing_is_left_after_kill() -> None:
    server = Server("rabbitmq")
    up = server.ask("start", plugins=["rabbitmq_mqtt"])
    assert up["ok"], up
    assert up["ports"]["mqtt"] != up["port"]
    answer = server.ask_text('{"cmd": "ctl", "args": ["list_vhosts", "--no-table-headers"]}')
    assert answer["output"].split() == ["/"]
    assert server.ask_text('{"cmd": "ctl", "args": "list_vhosts"}')["ok"] is False
    server.process.kill()
    server.process.wait(300)
    assert wait_until(lambda: all_gone(up), 120)
    assert wait_until(lambda: port_is_free(up["ports"]["epmd"]), 120)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serve_cleans_up_after_signals(redis: Server, number: signal.Signals) -> None:
    up = redis.ask("start")
    redis.process.send_signal(number)
    assert redis.process.wait(300) == 0
    assert all_gone(up)


def test_nothing_is_left_when_the_controlling_process_is_killed(redis: Server) -> None:
    up = redis.ask("start")
    redis.process.kill()
    redis.process.wait(300)
    assert wait_until(lambda: all_gone(up), 120)


def test_nothing_is_left_when_it_is_killed_while_the_server_is_paused(redis: Server) -> None:
    up = redis.ask("start")
    redis.ask("pause")
    redis.process.kill()
    redis.process.wait(300)
    assert wait_until(lambda: all_gone(up), 120)


def test_start_prints_json_and_ends_with_ctrl_c() -> None:
    process = spawn("start", "redis", "--print-json", "--set", "maxmemory 10mb")
    assert process.stdout is not None
    up = json.loads(process.stdout.readline())
    assert up["conn_str"] == f"127.0.0.1;{up['port']}"
    assert ping(up) == b"+PONG"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert all_gone(up)


def test_start_prints_what_to_paste() -> None:
    process = spawn("start", "redis")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0].startswith("redis is up at 127.0.0.1:")
    assert lines[1].startswith('conn-str="127.0.0.1;')
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 0


def test_start_tells_when_the_server_ends_by_itself() -> None:
    process = spawn("start", "redis", "--print-json")
    assert process.stdout is not None
    up = json.loads(process.stdout.readline())
    os.kill(up["pid"], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert up["log"] in errors
    assert Path(up["log"]).exists()


def test_start_with_wrong_settings_fails() -> None:
    process = spawn("start", "kafka", "--set", "no equals sign")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "not of the form" in errors
