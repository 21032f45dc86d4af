# SPDX-License-Identifier: Apache-2.0
"""dsmsg.connect: addresses, settings, exceptions by kind; mostly with a Redis server."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import dsmsg
import pytest
from dsmsg import ConfigError, KafkaConfig, RedisConfig
from dsmsg._address import parse
from dsmsg.brokers import Broker


def _url(broker: Broker, query: str = "") -> str:
    return f"redis://{broker.address}{query}"


def test_a_url_names_the_adaptor_and_holds_settings() -> None:
    address = parse("rediss://user:p%40ss@h:6380/1?send-timeout=2s&stream_maxlen=10")
    assert address.adaptor == "redis"
    assert address.conn_str == "rediss://user:p%40ss@h:6380/1"
    assert address.options == {"send-timeout": "2s", "stream-maxlen": "10"}
    assert parse("zmq://tcp://*:5555").adaptor == "zmq"
    assert parse("kafka://a:1,b:2").conn_str == "kafka://a:1,b:2"
    assert parse("mqtts://h").adaptor == "mqtt"
    assert parse("pulsar+ssl://h").adaptor == "pulsar"
    assert parse("natss://h").adaptor == "nats"
    assert parse("https://h/p?send-timeout=2s").conn_str == "https://h/p"
    assert parse("multi:///etc/handlers.json").conn_str == "multi:///etc/handlers.json"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:9092", "is not a URL .*an address looks like"),
        ("pigeon://h", "no adaptor has the scheme 'pigeon'"),
        ("kafka://h?compression", "name=value"),
        ("kafka://h?a=1&a=2", "a comes twice"),
    ],
)
def test_an_address_that_is_wrong_says_what_is_right(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(url)


def test_errors_about_addresses_hide_passwords() -> None:
    mistaken = "azure://HostName=h;DeviceId=d;SharedAccessKey=geheim"
    for url in ("//user:geheim@h", "kafka://user:geheim@h?x", mistaken):
        with pytest.raises(ConfigError) as caught:
            dsmsg.connect(url)
        assert "geheim" not in str(caught.value)


def test_an_unknown_setting_in_the_address_is_named() -> None:
    with pytest.raises(ConfigError, match="compresion") as caught:
        dsmsg.connect("kafka://localhost:1?compresion=zstd")
    assert caught.value.field == "compresion"


def test_a_wrong_value_names_field_and_what_is_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        KafkaConfig(send_timeout="soon")
    assert caught.value.field == "send-timeout"
    assert caught.value.allowed == "ms(1,86400000)"
    with pytest.raises(ConfigError) as caught:  # by the adaptor, at connect
        dsmsg.connect("kafka://localhost:1?send-timeout=soon")
    assert caught.value.field == "send-timeout"
    assert isinstance(caught.value, (ValueError, dsmsg.DsmsgError))


def test_settings_from_a_url_an_environment_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = KafkaConfig.from_url("kafka://user:geheim@h:9092?compression=zstd")
    assert config.compression == "zstd"
    assert config.address == "kafka://user:geheim@h:9092"
    assert "geheim" not in repr(config)
    assert config != KafkaConfig(compression="zstd")
    with pytest.raises(ConfigError, match="kafka adaptor, but this URL is for redis"):
        KafkaConfig.from_url("redis://h")

    path = KafkaConfig(compression="zstd", headers={"a": "x;y"}).to_file(tmp_path / "k.txt")
    assert path.stat().st_mode & 0o077 == 0
    assert KafkaConfig.from_file(path).compression == "zstd"
    assert (
        KafkaConfig.from_file(path).to_dict()
        == KafkaConfig(compression="zstd", headers={"a": "x;y"}).to_dict()
    )
    path.write_text("[message-broker]\ncompresion=zstd\n")
    with pytest.raises(ConfigError, match="compresion"):
        KafkaConfig.from_file(path)

    monkeypatch.setenv("DSMSG_REDIS_SEND_TIMEOUT", "2s")
    monkeypatch.setenv("DSMSG_REDIS_URL", "redis://h:1")
    from_environment = RedisConfig.from_env()
    assert (from_environment.send_timeout, from_environment.address) == ("2s", "redis://h:1")
    monkeypatch.setenv("DSMSG_REDIS_SEND_TIMEOT", "2s")
    with pytest.raises(ConfigError, match=r"send.timeot"):
        RedisConfig.from_env()


def test_the_address_may_come_from_the_environment(
    redis_broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DSMSG_URL", raising=False)
    with pytest.raises(ConfigError, match="DSMSG_URL"):
        dsmsg.connect()
    monkeypatch.setenv("DSMSG_URL", _url(redis_broker))
    with dsmsg.connect() as connection:
        connection.send(topic, b"x")


def test_futures_complete_by_themselves(redis_broker: Broker, topic: str) -> None:
    with dsmsg.connect(_url(redis_broker, "?send-timeout=20s")) as connection:
        futures = [connection.send_async(topic, b"x") for _ in range(100)]
        assert [future.result(120) for future in futures] == [dsmsg.Result.OK] * 100
        done = threading.Event()
        connection.send_async(topic, b"x", lambda result: done.set())
        assert done.wait(120)


def test_a_publisher_calls_back(redis_broker: Broker, topic: str) -> None:
    results: queue.Queue[dsmsg.Result] = queue.Queue()
    with dsmsg.Publisher(_url(redis_broker, f"?consumergroup=g-{topic}")) as publisher:
        messages = publisher.connection.messages(topic, timeout=120)
        publisher.send_async(topic, b"x", results.put, key=b"k", headers={"h": "v"})
        assert results.get(timeout=120) is dsmsg.Result.OK
        message = next(messages)
        assert (message.payload, message.key, message.headers) == (b"x", b"k", (("h", b"v"),))
        assert publisher.send_async(topic, b"y", key=b"k").result(120) is dsmsg.Result.OK


def test_settings_object_and_query_go_together(redis_broker: Broker, topic: str) -> None:
    config = RedisConfig(payloadkey="data")
    with dsmsg.connect(_url(redis_broker, "?connect-timeout=20s"), config) as connection:
        connection.send(topic, b"x")
    with dsmsg.connect(RedisConfig.from_url(_url(redis_broker))) as connection:
        connection.send(topic, b"y")


def test_repr_shows_state_and_no_secret(redis_broker: Broker) -> None:
    url = f"redis://default:@{redis_broker.address}"
    with dsmsg.connect(_url(redis_broker)) as connection:
        assert repr(connection).startswith("<Connection REDIS to 'redis://")
        assert "open, 0 pending" in repr(connection)
    assert repr(connection).endswith("closed>")
    assert "default" not in repr(dsmsg.RedisConfig.from_url(url))


def test_text_as_payload_says_what_to_do(redis_broker: Broker, topic: str) -> None:
    with dsmsg.connect(_url(redis_broker)) as connection:
        for send in (connection.send, connection.send_async, connection.send_message):
            with pytest.raises(TypeError, match=r'payload\.encode\("utf-8"\)'):
                send(topic, "text")  # type: ignore[arg-type, operator]


def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        hub = f"HostName=127.0.0.1:{port};DeviceId=d;SharedAccessKey=c2VjcmV0"
        with pytest.raises(dsmsg.BrokerUnavailableError, match="refused"):
            dsmsg.connect(dsmsg.AzureConfig(connection_str=hub))
        with pytest.raises(dsmsg.BrokerUnavailableError, match="refused") as caught:
            dsmsg.connect(f"redis://127.0.0.1:{port}")
    assert caught.value.reason


def test_no_answer_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(dsmsg.TimedOutError) as caught:
            dsmsg.connect(f"redis://127.0.0.1:{port}?connect-timeout=300ms")
    assert isinstance(caught.value, TimeoutError)


def test_login_is_refused(redis_broker: Broker) -> None:
    with pytest.raises(dsmsg.LoginError):
        dsmsg.connect(f"redis://nobody:wrong@{redis_broker.address}")


def test_tls_where_the_server_has_none(redis_broker: Broker) -> None:
    with pytest.raises(dsmsg.TlsError):
        dsmsg.connect(f"rediss://{redis_broker.address}?connect-timeout=5s")


def test_a_message_that_is_too_large(redis_broker: Broker, topic: str) -> None:
    with dsmsg.connect(_url(redis_broker, "?max-message-bytes=10")) as connection:
        with pytest.raises(dsmsg.TooLargeError):
            connection.send(topic, b"x" * 11)
        assert isinstance(
            connection.send_async(topic, b"x" * 11).exception(120), dsmsg.TooLargeError
        )


def test_a_refused_message(redis_broker: Broker, topic: str) -> None:
    with dsmsg.connect(_url(redis_broker, "?command=rpush")) as connection:
        connection.send(topic, b"x")
    with (
        dsmsg.connect(_url(redis_broker)) as connection,
        pytest.raises(dsmsg.RefusedError, match="WRONGTYPE"),
    ):
        connection.send(topic, b"x")  # the key is a list


def test_a_closed_connection(redis_broker: Broker, topic: str) -> None:
    connection = dsmsg.connect(_url(redis_broker))
    connection.disconnect()
    with pytest.raises(dsmsg.ClosedError):
        connection.send(topic, b"x")


def test_an_unknown_topic(new_broker: Callable[[str], Broker], topic: str) -> None:
    broker = new_broker("kafka")
    broker.configure({"properties": {"auto.create.topics.enable": "false"}})
    broker.start()
    with dsmsg.connect(f"{broker.url}?connect-timeout=30s&send-timeout=2s") as connection:
        with pytest.raises(dsmsg.UnknownTopicError, match=r"allow auto\.create") as one:
            connection.send(topic, b"x", timeout=120)
        assert "Unknown" in one.value.reason
        assert topic in one.value.reason
        future = connection.send_async(topic, b"x")
        assert isinstance(future.exception(120), dsmsg.UnknownTopicError)


def test_messages_with_all_that_the_broker_says(redis_broker: Broker, topic: str) -> None:
    url = _url(redis_broker, f"?consumergroup=g-{topic}&consumername=one")
    with dsmsg.connect(url) as connection:
        messages = connection.messages(topic, timeout=120)
        connection.send_message(topic, b"one", key=b"k", headers={"h": "v"}).result(120)
        message = next(messages)
        assert (message.topic, message.payload, message.key) == (topic, b"one", b"k")
        assert message.headers == (("h", b"v"),)
        assert message.id.startswith(str(message.timestamp_ms))
        assert message.timestamp is not None
        assert not message.redelivered
        assert "key=b'k'" in repr(message)
        with pytest.raises(dsmsg.NotSupportedError, match="manual_ack"):
            message.ack()  # the loop does it
        connection.send(topic, b"two")
        assert next(messages).payload == b"two"
    assert list(messages) == []
    # The loop never asked for the one after "two", so it was not handled for certain.
    with dsmsg.connect(url) as connection:
        again = next(connection.messages(topic, timeout=120))
        assert (again.payload, again.redelivered) == (b"two", True)


def test_manual_acknowledgement(redis_broker: Broker, topic: str) -> None:
    url = _url(redis_broker, f"?consumergroup=g-{topic}&consumername=one")
    with dsmsg.connect(url) as connection:
        messages = connection.messages(topic, manual_ack=True, timeout=120)
        for number in range(3):
            connection.send(topic, b"%d" % number)
        received = [next(messages) for _ in range(3)]
        received[1].ack()
        with pytest.raises(dsmsg.RefusedError, match="no unacknowledged"):
            received[1].ack()
    with dsmsg.connect(url) as connection:
        messages = connection.messages(topic, timeout=120)
        assert [next(messages).payload for _ in range(2)] == [b"0", b"2"]


def test_a_loop_ends_when_the_connection_is_closed(redis_broker: Broker, topic: str) -> None:
    connection = dsmsg.connect(_url(redis_broker))
    messages = connection.messages(topic)
    ended = threading.Thread(target=lambda: list(messages))
    ended.start()
    connection.disconnect()
    ended.join(120)
    assert not ended.is_alive()


def test_log_lines_go_to_logging_when_asked(redis_broker: Broker) -> None:
    program = f"""
import logging, dsmsg
logging.basicConfig(format="%(name)s|%(levelname)s|%(message)s")
dsmsg.log_to_logging()
dsmsg.log_to_logging()
try:
    dsmsg.connect("redis://nobody:wrong@{redis_broker.address}")
except dsmsg.LoginError:
    pass
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(dsmsg.__file__).parent.parent)}
    result = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )
    lines = result.stderr.splitlines()
    assert lines
    assert all(line.startswith("dsmsg.redis|") for line in lines), lines
    assert any("|ERROR|connect: " in line for line in lines)
    assert "wrong" not in result.stderr.replace("WRONGPASS", "")
