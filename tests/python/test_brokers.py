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
from brokers.kafka_client import read_topic
from brokers.wire import AmqpClient, MqttClient
from dsmsg.brokers import (
    KINDS,
    Broker,
    BrokerError,
    KafkaBroker,
    MosquittoBroker,
    RabbitMqBroker,
    RedisBroker,
    make,
)
from dsmsg.brokers._probe import exchange, first_bytes
from dsmsg.brokers._process import free_port, wait_until
from dsmsg.brokers._registries import cargo_program
from dsmsg.brokers.kafka_jars import KAFKA_VERSION, cache_folder, kafka_libs
from dsmsg.brokers.nats import NatsBroker

NewBroker = Callable[[str], Broker]
# What packages or downloads bring; the receiver of ZeroMQ comes from the C++ build.
SERVERS = ["redis", "kafka", "mosquitto", "rabbitmq"]


def redis_call(broker: Broker, line: str) -> bytes:
    return exchange(broker.host, broker.port, line.encode() + b"\r\n", framed=False, timeout=120)


def is_process(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}").exists()


def left_behind(broker: Broker) -> list[str]:
    """Commands of processes that were started in, or for, the broker's folder."""
    mark = str(broker.dir).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            about = b"".join((process / name).read_bytes() for name in ("cmdline", "environ"))
            if mark in about or process.joinpath("cwd").readlink() == broker.dir:
                found.append((process / "cmdline").read_text())
        except OSError:  # ended meanwhile
            continue
    return found


@pytest.mark.parametrize("kind", SERVERS)
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
    assert wait_until(lambda: not left_behind(broker), 120), left_behind(broker)
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
    from confluent_kafka import Producer

    broker = new_broker("kafka").start()
    producer = Producer({"bootstrap.servers": broker.address, "acks": "all"})
    for number in range(100):
        producer.produce("numbers", str(number), partition=0)
    assert producer.flush(300) == 0
    broker.kill()
    broker.start()
    received = [int(message.value() or b"-1") for message in read_topic(broker.address, "numbers")]
    # The new topic's leader may refuse a first message, which then comes after later ones.
    assert sorted(received) == list(range(100))


def test_mosquitto_data_survive_restart_and_an_old_enough_kill(new_broker: NewBroker) -> None:
    broker = new_broker("mosquitto").start()
    with MqttClient(broker.host, broker.port) as client:
        client.publish_retained("first", b"1")
    database = broker.dir / "mosquitto.db"
    assert wait_until(lambda: database.exists() and b"first" in database.read_bytes(), 120)
    broker.kill()
    broker.start()
    with MqttClient(broker.host, broker.port) as client:
        assert client.retained("first") == b"1"
        client.publish_retained("second", b"2")
    broker.restart()
    with MqttClient(broker.host, broker.port) as client:
        assert client.retained("second") == b"2"


def test_rabbitmq_data_survive_kill_and_restart(new_broker: NewBroker) -> None:
    broker = new_broker("rabbitmq").start()
    with AmqpClient(broker.host, broker.port) as client:
        assert client.declare("queue") == 0
        for number in range(100):
            client.publish("queue", b"%d" % number)
    broker.kill()
    broker.start()
    with AmqpClient(broker.host, broker.port) as client:
        assert client.declare("queue") == 100
    broker.restart()
    with AmqpClient(broker.host, broker.port) as client:
        assert client.declare("queue") == 100


def test_rabbitmq_is_controlled(new_broker: NewBroker) -> None:
    broker = new_broker("rabbitmq")
    with pytest.raises(BrokerError, match="not running"):
        broker.ctl("list_vhosts")
    broker.start()
    assert broker.ctl("list_vhosts", "--no-table-headers").split() == ["/"]
    with pytest.raises(BrokerError, match=r"rabbitmqctl fly ended with exit code \d+:\n.*fly"):
        broker.ctl("fly")
    with pytest.raises(BrokerError, match="redis: it has no control program"):
        new_broker("redis").ctl("list_vhosts")


def test_two_rabbitmq_and_their_plugins(new_broker: NewBroker) -> None:
    first, second = new_broker("rabbitmq"), new_broker("rabbitmq")
    first.configure({"plugins": ["rabbitmq_mqtt"]})
    second.configure({"config": ["heartbeat = 7"]})
    threads = [threading.Thread(target=broker.start) for broker in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first.running
    assert second.running
    with MqttClient(first.host, first.ports["mqtt"]) as client:
        client.publish_retained("topic", b"x")
    second.ctl("add_vhost", "mine")
    assert "mine" not in first.ctl("list_vhosts")
    first.kill()
    assert "mine" in second.ctl("list_vhosts")
    assert "{heartbeat,7}" in second.ctl("environment")


_REQUESTS = {
    "redis": b"PING\r\n",
    "kafka": b"\0\0\0\x0f\0\x12\0\0\0\0\0\x01\0\5dsmsg",  # ApiVersions 0
    "mosquitto": b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0",
    "rabbitmq": b"AMQP\0\0\x09\x01",
}


@pytest.mark.parametrize("kind", SERVERS)
def test_pause_and_resume(new_broker: NewBroker, kind: str) -> None:
    broker = new_broker(kind).start()
    request = _REQUESTS[kind]
    broker.pause()
    assert broker.running
    assert first_bytes(broker.host, broker.port, request, 1, timeout=0.5) == b""
    broker.resume()
    assert first_bytes(broker.host, broker.port, request, 1, timeout=120) != b""
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


def test_ports_of_more_listeners_stay(new_broker: NewBroker) -> None:
    broker = new_broker("mosquitto")
    broker.configure({"config": ["listener {port:second} {host}", "allow_anonymous true"]})
    assert broker.ports == {}
    broker.start()
    ports = broker.ports
    assert list(ports) == ["second"]
    assert ports["second"] != broker.port
    broker.restart()
    assert broker.ports == ports
    with MqttClient(broker.host, ports["second"]) as client:
        client.publish_retained("topic", b"by the second listener")
    with MqttClient(broker.host, broker.port) as client:
        assert client.retained("topic") == b"by the second listener"


def test_a_taken_port_of_a_second_listener_is_replaced(new_broker: NewBroker) -> None:
    broker = new_broker("mosquitto")
    broker.configure({"config": ["listener {port:second} 127.0.0.1"]})
    with socket.create_server(("127.0.0.1", broker._extra_port("second"))) as server:
        taken = server.getsockname()[1]
        assert broker.start().ports["second"] != taken
        broker.stop()
        again = broker.ports["second"]
    in_use = pytest.raises(BrokerError, match=f"{again}: the port is in use")
    with socket.create_server(("127.0.0.1", again)), in_use:
        broker.start()
    broker.log_path.unlink()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{"colour": 1}, {"config": 7}, {"properties": 7}])
def test_wrong_settings_are_named(
    new_broker: NewBroker, kind: str, settings: dict[str, object]
) -> None:
    with pytest.raises(BrokerError, match=f"^{kind}: .*{next(iter(settings))}"):
        new_broker(kind).configure(settings)


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


@pytest.mark.parametrize(
    ("kind", "line"), [("mosquitto", "no_such_setting 1"), ("rabbitmq", "no.such.setting = 1")]
)
def test_a_start_with_a_wrong_line_names_it(kind: str, line: str) -> None:
    broker = make(kind)
    broker.configure({"config": [line]})
    with pytest.raises(BrokerError, match=line.split()[0]) as caught:
        broker.start()
    broker.close()
    assert str(broker.log_path) in str(caught.value)
    assert not left_behind(broker)


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


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_free_port_taken_meanwhile_is_replaced(new_broker: NewBroker, kind: str) -> None:
    broker = new_broker(kind)
    with socket.create_server(("127.0.0.1", broker.port)) as server:
        assert broker.start().port != server.getsockname()[1]


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
    monkeypatch.setenv("MOSQUITTO", str(tmp_path / "none"))
    mosquitto = MosquittoBroker()
    with pytest.raises(BrokerError, match=r"cannot start .*none: No such file"):
        mosquitto.start()
    mosquitto.close()
    monkeypatch.setenv("RABBITMQ_BIN", str(tmp_path))
    rabbitmq = RabbitMqBroker()
    with pytest.raises(BrokerError, match=r"RABBITMQ_BIN is .* no program rabbitmq-server "):
        rabbitmq.start()
    rabbitmq.close()
    monkeypatch.setenv("NATS_SERVER", str(tmp_path / "none"))
    nats = NatsBroker()
    with pytest.raises(BrokerError, match=r"NATS_SERVER is .*none, which is no program"):
        nats.start()
    nats.close()


@pytest.mark.parametrize("kind", ["redis", "mosquitto", "rabbitmq"])
def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, new_broker: NewBroker, kind: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda *arguments, **more: None)
    with pytest.raises(BrokerError, match=rf"{kind}: cannot find .* apt-get install {kind}"):
        new_broker(kind).start()


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


def test_a_crate_is_built_on_from_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a stand-in for cargo that gets half of it done each time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cargo = tmp_path / "cargo"
    cargo.write_text(
        "#!/bin/sh -e\n"
        "if [ -e $CARGO_TARGET_DIR/half ]; then mkdir -p bin && echo done >bin/crate; exit; fi\n"
        "mkdir $CARGO_TARGET_DIR; touch $CARGO_TARGET_DIR/half; echo 'linker not found'; exit 1\n"
    )
    cargo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BrokerError, match=r"cannot build crate 1\.2\.3: .*linker not found"):
        cargo_program("crate", "1.2.3")
    assert cargo_program("crate", "1.2.3").read_text() == "done\n"
    left = {path.name for path in cache_folder().iterdir()}
    assert left == {"crate-1.2.3", "crate-1.2.3.lock"}


def test_brokers_need_the_standard_library_only() -> None:
    code = "import sys, dsmsg.brokers.__main__; sys.exit('cffi' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")}
    subprocess.run([sys.executable, "-S", "-c", code], env=environment, check=True)
