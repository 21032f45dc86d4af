# SPDX-License-Identifier: Apache-2.0
"""dsmsg.brokers against real servers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from dsmsg.brokers import Broker, BrokerError, KafkaBroker, RedisBroker, make
from dsmsg.brokers._base import exchange
from dsmsg.brokers._process import free_port, wait_until
from dsmsg.brokers.kafka_jars import KAFKA_VERSION, cache_folder, kafka_libs

NewBroker = Callable[[str], Broker]


def redis_call(broker: Broker, line: str) -> bytes:
    return exchange(broker.host, broker.port, line.encode() + b"\r\n", framed=False)


def is_process(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("kind", ["redis", "kafka"])
def test_lifecycle(new_broker: NewBroker, kind: str) -> None:
    broker = new_broker(kind)
    assert not broker.running
    assert broker.pid is None
    broker.start()
    port, first = broker.port, broker.pid
    assert broker.running
    assert is_process(first)
    assert broker.start() is broker  # runs already
    assert broker.pid == first
    broker.kill()
    assert not broker.running
    assert not is_process(first)
    broker.start()
    second = broker.pid
    assert (broker.port, second != first) == (port, True)
    broker.restart()
    third = broker.pid
    assert (broker.port, third != second) == (port, True)
    broker.stop()
    assert not is_process(third)
    assert broker.dir.is_dir()
    broker.close()
    assert not broker.dir.exists()
    broker.close()
    with pytest.raises(BrokerError, match="closed"):
        broker.start()


def test_redis_data_survive_kill_and_restart(new_broker: NewBroker) -> None:
    broker = new_broker("redis").start()
    for number in range(100):
        assert redis_call(broker, f"RPUSH list {number}") == b":%d" % (number + 1)
    broker.kill()
    broker.start()
    assert redis_call(broker, "LLEN list") == b":100"
    broker.restart()
    assert redis_call(broker, "LLEN list") == b":100"


def test_kafka_data_survive_kill(new_broker: NewBroker) -> None:
    from confluent_kafka import Consumer, Producer, TopicPartition

    broker = new_broker("kafka").start()
    producer = Producer({"bootstrap.servers": broker.address, "acks": "all"})
    for number in range(100):
        producer.produce("numbers", str(number), partition=0)
    assert producer.flush(30) == 0
    broker.kill()
    broker.start()
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "g"})
    consumer.assign([TopicPartition("numbers", 0, 0)])
    received = [message.value() for message in consumer.consume(100, timeout=30)]
    consumer.close()
    assert received == [str(number).encode() for number in range(100)]


@pytest.mark.parametrize("kind", ["redis", "kafka"])
def test_pause_and_resume(new_broker: NewBroker, kind: str) -> None:
    broker = new_broker(kind).start()
    request, framed = (
        (b"PING\r\n", False)
        if kind == "redis"
        else (b"\0\0\0\x0f\0\x12\0\0\0\0\0\x01\0\5dsmsg", True)  # ApiVersions 0
    )
    broker.pause()
    assert broker.running
    assert exchange(broker.host, broker.port, request, framed=framed, timeout=0.5) == b""
    broker.resume()
    assert exchange(broker.host, broker.port, request, framed=framed, timeout=10) != b""
    broker.pause()
    broker.stop()  # a stopped process can be ended, too
    assert not broker.running


def test_two_at_once_do_not_meet(new_broker: NewBroker) -> None:
    first, second = new_broker("redis").start(), new_broker("redis").start()
    assert first.port != second.port
    assert first.dir != second.dir
    assert redis_call(first, "SET name first") == b"+OK"
    assert redis_call(second, "EXISTS name") == b":0"


def test_settings_are_used(new_broker: NewBroker) -> None:
    broker = RedisBroker(config=["requirepass secret"])
    with broker:
        assert redis_call(broker, "GET x").startswith(b"-NOAUTH")
    assert not broker.dir.exists()


def test_a_start_that_fails_keeps_the_log_and_names_it() -> None:
    broker = RedisBroker(config=["no-such-setting 1"])
    with pytest.raises(BrokerError, match="no-such-setting") as caught:
        broker.start()
    assert not broker.running
    broker.close()
    assert str(broker.log_path) in str(caught.value)
    assert "no-such-setting" in broker.log_path.read_text()
    RedisBroker(folder=broker.dir).close()
    broker.log_path.unlink()


def test_a_start_of_kafka_that_fails_keeps_the_log_and_names_it() -> None:
    broker = KafkaBroker(properties={"num.partitions": "many"})
    with pytest.raises(BrokerError, match=r"num\.partitions") as caught:
        broker.start()
    broker.close()
    assert str(broker.log_path) in str(caught.value)
    assert broker.log_path.exists()


def test_a_server_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RedisBroker, "start_timeout", 0.5)
    monkeypatch.setattr(RedisBroker, "_ready", lambda self, offset: False)
    broker = RedisBroker()
    with pytest.raises(BrokerError, match=r"does not answer within 0\.5 s"):
        broker.start()
    assert broker.pid is None
    broker.close()


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        broker = RedisBroker(port=port)
        with pytest.raises(BrokerError, match=f"{port}: the port is in use"):
            broker.start()
        broker.close()


def test_a_free_port_taken_meanwhile_is_replaced() -> None:
    broker = RedisBroker()
    with socket.create_server(("127.0.0.1", broker.port)), broker:
        assert redis_call(broker, "PING") == b"+PONG"


def test_free_ports_are_no_client_ports() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < low for _ in range(50))


def test_the_log_is_kept_when_the_block_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), make("redis") as broker:
        raise ZeroDivisionError
    assert not broker.running
    assert broker.log_path.exists()
    assert str(broker.log_path) in capsys.readouterr().err


def test_a_broker_survives_the_thread_that_started_it(new_broker: NewBroker) -> None:
    broker = new_broker("redis")
    thread = threading.Thread(target=broker.start)
    thread.start()
    thread.join()
    pid = broker.pid
    assert not wait_until(lambda: not is_process(pid), 0.5)
    assert redis_call(broker, "PING") == b"+PONG"


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    kafka = KafkaBroker()
    with pytest.raises(BrokerError, match="JAVA_HOME"):
        kafka.start()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match=r"cannot find java .*apt-get install"):
        kafka.start()
    kafka.close()
    monkeypatch.setenv("REDIS_SERVER", str(tmp_path / "none"))
    redis = RedisBroker()
    with pytest.raises(BrokerError, match=r"cannot start .*none: No such file"):
        redis.start()
    redis.close()


def test_kafka_home_is_honoured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, new_broker: NewBroker
) -> None:
    libs = kafka_libs()
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(BrokerError, match="KAFKA_HOME is"):
        kafka_libs()
    (tmp_path / "libs").symlink_to(libs)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-cache"))
    assert kafka_libs() == tmp_path / "libs"
    assert new_broker("kafka").start().running
    assert not (tmp_path / "no-cache").exists()


def test_jars_are_fetched_once_into_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a stand-in for Maven: two threads at once, one fetch, nothing half-done left behind."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    calls = tmp_path / "calls"
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(
        f"#!{sys.executable}\n"
        "import sys, pathlib, time\n"
        f"open({str(calls)!r}, 'a').write('x')\n"
        "out = [a for a in sys.argv if a.startswith('-DoutputDirectory=')][0].partition('=')[2]\n"
        "pathlib.Path(out).mkdir()\n"
        "(pathlib.Path(out) / 'kafka_2.13-test.jar').write_text('jar')\n"
        "time.sleep(0.3)\n"
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:{os.environ['PATH']}")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(kafka_libs())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    libs = cache_folder() / f"kafka-{KAFKA_VERSION}" / "libs"
    assert found == [libs] * 3
    assert calls.read_text() == "x"
    assert [path.name for path in libs.iterdir()] == ["kafka_2.13-test.jar"]
    left = {path.name for path in cache_folder().iterdir()}
    assert left == {f"kafka-{KAFKA_VERSION}", f"kafka-{KAFKA_VERSION}.lock"}


def test_a_fetch_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] no route to the repository'; exit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BrokerError, match="no route to the repository"):
        kafka_libs()
    assert [path.suffix for path in cache_folder().iterdir()] == [".lock"]
    with pytest.raises(BrokerError, match=r"python -m dsmsg\.brokers fetch kafka"):
        kafka_libs(fetch=False)


def test_brokers_need_the_standard_library_only() -> None:
    code = "import sys, dsmsg.brokers.__main__; sys.exit('cffi' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")}
    subprocess.run([sys.executable, "-S", "-c", code], env=environment, check=True)
