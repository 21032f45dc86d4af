# SPDX-License-Identifier: Apache-2.0
"""dsmsg.Adaptor with our adaptors and real brokers; another client checks what arrived."""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import confluent_kafka
import pytest
import redis
from brokers.kafka_client import read_topic
from brokers.readers import read_stream
from dsmsg import ConfigError
from dsmsg.adaptor import Adaptor, Connection, DsmsgError, Message, Result
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port

PAYLOADS = [b"text", b"\x00", b"a\x00b\xff\x00", bytes(range(256)) * 40, "äöü ☃".encode()]


class Seen(NamedTuple):
    """What an independent client found at the broker."""

    payload: bytes
    key: bytes | None
    headers: list[tuple[str, bytes]]


class Rig(ABC):
    """An adaptor with its broker."""

    name: ClassVar[str]
    config: ClassVar[Mapping[str, object]] = {}

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.adaptor = Adaptor(self.name)

    def connect(self, **options: object) -> Connection:
        """Connects with settings of this rig's and the caller's."""
        return self.adaptor.connect(self.broker.conn_str, {**self.config, **options})

    @abstractmethod
    def read(self, topic: str) -> list[Seen]:
        """Reads all that is in the topic with another client."""

    @abstractmethod
    def write(self, topic: str, payload: bytes) -> None:
        """Writes a message with another client."""

    def prepare(self, topic: str) -> None:  # noqa: B027 - most need nothing
        """Makes a topic that can be subscribed to."""

    @abstractmethod
    def bad_topic(self, topic: str) -> str:
        """Returns a topic of which the broker takes nothing."""


class RedisRig(Rig):
    """Streams, checked with redis-py."""

    name = "redis"

    def _client(self) -> redis.Redis:
        return redis.Redis(self.broker.host, self.broker.port)

    def read(self, topic: str) -> list[Seen]:
        """Reads from the first entry on."""
        with self._client() as client:
            entries = read_stream(client, topic)
        seen = []
        for fields in entries:
            payload, key = fields.pop(b"metadata"), fields.pop(b"key", None)
            seen.append(Seen(payload, key, [(n.decode(), v) for n, v in fields.items()]))
        return seen

    def write(self, topic: str, payload: bytes) -> None:
        """Writes one message."""
        with self._client() as client:
            client.xadd(topic, {"metadata": payload})

    def bad_topic(self, topic: str) -> str:
        """A key that holds something else than a stream."""
        with self._client() as client:
            client.set(f"{topic}-bad", "no stream")
        return f"{topic}-bad"


class KafkaRig(Rig):
    """Checked with confluent-kafka."""

    name = "kafka"
    # What is not there yet when the group starts must not be missed.
    config: ClassVar[Mapping[str, object]] = {"partition-key": "", "offset-reset": "earliest"}

    def read(self, topic: str) -> list[Seen]:
        """Reads from the first offset on."""
        messages = read_topic(self.broker.address, topic)
        return [Seen(m.value(), m.key(), m.headers() or []) for m in messages]

    def write(self, topic: str, payload: bytes) -> None:
        """Writes one message."""
        client = confluent_kafka.Producer({"bootstrap.servers": self.broker.address})
        client.produce(topic, payload)
        assert client.flush(300) == 0

    def prepare(self, topic: str) -> None:
        """Makes it by a first message."""
        self.write(topic, b"first")

    def bad_topic(self, topic: str) -> str:
        """A name that Kafka does not allow."""
        return f"{topic} bad"


@pytest.fixture(params=["redis", "kafka"])
def rig(request: pytest.FixtureRequest) -> Rig:
    if request.param == "redis":
        return RedisRig(request.getfixturevalue("redis_broker"))
    return KafkaRig(request.getfixturevalue("kafka_broker"))


@pytest.fixture
def connection(rig: Rig) -> Iterator[Connection]:
    with rig.connect() as connection:
        yield connection


def test_send(rig: Rig, connection: Connection, topic: str) -> None:
    for payload in PAYLOADS:
        connection.send(topic, payload)
    assert sorted(seen.payload for seen in rig.read(topic)) == sorted(PAYLOADS)


def test_send_async(rig: Rig, connection: Connection, topic: str) -> None:
    results: list[Result] = []
    for number in range(5000):
        connection.send_async(topic, b"%d" % number, results.append)
    assert connection.work_until_done(60)
    assert results == [Result.OK] * 5000
    seen = sorted(int(seen.payload) for seen in rig.read(topic))
    assert seen == list(range(5000))


def test_futures_with_a_work_thread(rig: Rig, topic: str) -> None:
    with rig.adaptor.connect(rig.broker.conn_str, work_thread=True) as connection:
        futures = [connection.send_async(topic, payload) for payload in PAYLOADS]
        assert [future.result(300) for future in futures] == [Result.OK] * len(PAYLOADS)


def test_several_threads(rig: Rig, topic: str) -> None:
    def send_many(first: int) -> None:
        for number in range(first, first + 500):
            connection.send_async(topic, b"%d" % number, results.append)

    results: list[Result] = []
    with rig.adaptor.connect(rig.broker.conn_str, work_thread=True) as connection:
        threads = [threading.Thread(target=send_many, args=(500 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [Result.OK] * 2000
    assert {int(seen.payload) for seen in rig.read(topic)} == set(range(2000))


def test_key_and_headers(rig: Rig, connection: Connection, topic: str) -> None:
    future = connection.send_message(
        topic, b"a\0b", key=b"k\0ey", headers=[("one", "1"), ("two", "zwei ☃")]
    )
    assert connection.work_until_done(30)
    assert future.result(0) is Result.OK
    headers = [("one", b"1"), ("two", "zwei ☃".encode())]
    assert rig.read(topic) == [Seen(b"a\0b", b"k\0ey", headers)]


def test_key_from_the_payload(rig: Rig, topic: str) -> None:
    with rig.connect(key="${sensor.id}") as connection:
        connection.send(topic, b'{"sensor": {"id": "cam-7"}}')
    assert [seen.key for seen in rig.read(topic)] == [b"cam-7"]


def test_topic_of_the_settings(rig: Rig, topic: str) -> None:
    with rig.connect(topic=topic) as connection:
        connection.send(None, b"x")
    assert [seen.payload for seen in rig.read(topic)] == [b"x"]


def test_subscribe(rig: Rig, topic: str) -> None:
    topics = [f"{topic}-1", f"{topic}-2"]
    received: queue.Queue[Message] = queue.Queue()
    for name in topics:
        rig.prepare(name)
    threads = set()

    def receive(message: Message) -> None:
        threads.add(threading.get_ident())
        received.put(message)

    with rig.connect(**_group(rig, topic)) as connection:
        connection.subscribe(topics, receive)
        expected = set()
        for number, payload in enumerate(PAYLOADS):
            name = topics[number % 2]
            rig.write(name, payload)
            expected.add((name, payload))
        seen = set()
        deadline = time.monotonic() + 240
        while not expected <= seen and time.monotonic() < deadline:
            message = received.get(timeout=300)
            assert message.result is Result.OK
            seen.add((message.topic, message.payload))
        assert expected <= seen
    assert threading.get_ident() not in threads


def test_a_refused_subscribe_keeps_what_was_in_force(rig: Rig, topic: str) -> None:
    rig.prepare(topic)
    first: queue.Queue[Message] = queue.Queue()
    second: queue.Queue[Message] = queue.Queue()
    with rig.connect(**_group(rig, topic)) as connection:
        connection.subscribe(topic, first.put)
        rig.write(topic, b"1")
        while first.get(timeout=300).payload != b"1":  # what prepare() wrote
            pass
        with pytest.raises(DsmsgError, match="cannot subscribe"):
            connection.subscribe([topic, rig.bad_topic(topic)], second.put)
        rig.write(topic, b"2")
        while first.get(timeout=300).payload != b"2":  # what was not acknowledged may come again
            pass
    assert second.empty()


def test_send_and_subscribe_on_one_connection(rig: Rig, topic: str) -> None:
    rig.prepare(topic)
    received: queue.Queue[bytes] = queue.Queue()
    with rig.connect(**_group(rig, topic)) as connection:
        connection.subscribe(topic, lambda message: received.put(message.payload))
        connection.send(topic, b"\0me\0")
        seen = [received.get(timeout=300)]
        while seen[-1] != b"\0me\0":
            seen.append(received.get(timeout=300))


def _group(rig: Rig, topic: str) -> dict[str, object]:
    return {"consumer-group-id" if rig.name == "kafka" else "consumergroup": f"g-{topic}"}


def test_stats(connection: Connection, rig: Rig, topic: str) -> None:
    for _ in range(10):
        connection.send_async(topic, b"0123456789")
    assert connection.work_until_done(30)
    stats = connection.stats()
    assert stats["protocol"] == rig.adaptor.protocol
    assert stats["link"] == "up"
    assert (stats["accepted"], stats["acknowledged"], stats["bytes"]) == (10, 10, 100)
    assert stats["failed"] == {}


def test_reload_leads_to_a_broker_that_is_there(rig: Rig, topic: str, tmp_path: Path) -> None:
    with rig.adaptor.connect("127.0.0.1;9", {**rig.config, "connect": "lazy"}) as connection:
        sent = connection.send_async(topic, b"waited")
        with pytest.raises(DsmsgError, match="cannot reload"):
            connection.reload("127.0.0.1;9", {"queue-size": "many"})
        with pytest.raises(DsmsgError, match="cannot reload"):
            connection.reload("127.0.0.1;9", tmp_path / "none.txt")
        connection.reload(rig.broker.conn_str, rig.config)
        assert connection.flush(300)
        connection.do_work()
        assert sent.result(timeout=0) is Result.OK
    assert [seen.payload for seen in rig.read(topic)] == [b"waited"]


def test_flush(connection: Connection, topic: str) -> None:
    future = connection.send_async(topic, b"x")
    assert connection.flush(300)
    assert not future.done()  # that needs do_work
    connection.do_work()
    assert future.result(0) is Result.OK


def test_describe_and_signature(rig: Rig) -> None:
    about = rig.adaptor.describe()
    assert about["protocol"] == rig.adaptor.protocol == rig.name.upper()
    assert {"send-timeout", "queue-size", "password"} <= {o["name"] for o in about["options"]}
    assert rig.adaptor.version.count(".") == 1
    assert rig.adaptor.signature("h;1") == ""
    first = rig.adaptor.signature("h;1", {"share-connection": 1, "send-timeout": "2s"})
    same = rig.adaptor.signature("h:1", {"share_connection": "yes", "send_timeout": 2000})
    other = rig.adaptor.signature("h;1", {"share-connection": 1, "send-timeout": "3s"})
    assert len(first) == 64
    assert first == same != other


def test_a_closed_port_is_named(rig: Rig) -> None:
    port = free_port()
    with pytest.raises(DsmsgError, match=rf"(?s)connect.*127\.0\.0\.1:{port}"):
        rig.adaptor.connect(f"127.0.0.1;{port}", {"connect-timeout": "3s"})


def test_connect_lazy_accepts_without_a_broker(rig: Rig, topic: str) -> None:
    config = {"connect": "lazy", "flush-timeout": "200ms"}
    connection = rig.adaptor.connect(f"127.0.0.1;{free_port()}", config)
    future = connection.send_async(topic, b"x")
    assert connection.stats()["link"] == "down"
    assert connection.pending == 1
    connection.disconnect()
    error = future.exception(0)
    assert isinstance(error, DsmsgError)
    assert error.result is Result.ERROR


def test_bad_settings_name_file_key_and_value(
    rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cfg") / "bad.txt"
    path.write_text("[message-broker]\nqueue-size = many\n")
    with pytest.raises(DsmsgError, match=r"bad\.txt:2: queue-size = many: must be"):
        rig.adaptor.connect(rig.broker.conn_str, path)
    with pytest.raises(DsmsgError, match=r"none\.txt"):
        rig.adaptor.connect(rig.broker.conn_str, path.with_name("none.txt"))


def test_an_unknown_option_is_an_error_that_names_the_nearest(rig: Rig) -> None:
    with pytest.raises(ConfigError, match="did you mean queue-size"):
        rig.connect(**{"queue-sise": "7"})


@pytest.mark.parametrize(
    "conn_str", ["", "localhost;port", "localhost;0", "http://localhost:1", ";;;"]
)
def test_bad_connection_strings_are_refused(rig: Rig, conn_str: str) -> None:
    with pytest.raises(DsmsgError, match=r"conn"):
        rig.adaptor.connect(conn_str)


def test_no_connection_string_is_refused(rig: Rig) -> None:
    with pytest.raises(DsmsgError):
        rig.adaptor.connect(None)


def test_host_and_port_of_the_settings(rig: Rig, topic: str) -> None:
    config = {"hostname": rig.broker.host, "port": rig.broker.port}
    with rig.adaptor.connect(None, config) as connection:
        connection.send(topic, b"x")


def test_an_empty_payload_is_refused(connection: Connection, topic: str) -> None:
    with pytest.raises(DsmsgError, match="empty"):
        connection.send_async(topic, b"")
    with pytest.raises(DsmsgError, match="empty"):
        connection.send(topic, b"")
    assert connection.pending == 0


def test_a_message_without_topic_is_an_error(connection: Connection) -> None:
    with pytest.raises(DsmsgError):
        connection.send(None, b"x")


def test_url_form(rig: Rig, topic: str) -> None:
    with rig.adaptor.connect(rig.broker.url) as connection:
        connection.send(topic, b"x")


def test_link_callback(rig: Rig) -> None:
    states: queue.Queue[tuple[bool, str]] = queue.Queue()
    with rig.adaptor.connect(rig.broker.conn_str, on_link=lambda up, why: states.put((up, why))):
        assert states.get(timeout=300)[0] is True


@pytest.mark.parametrize("kind", ["redis", "kafka"])
def test_a_restart_of_the_broker_loses_nothing(
    new_broker: Callable[[str], Broker], kind: str, topic: str
) -> None:
    broker = new_broker(kind).start()
    rig: Rig = RedisRig(broker) if kind == "redis" else KafkaRig(broker)
    results: list[Result] = []
    with rig.connect(**{"flush-timeout": "60s"}) as connection:
        for number in range(3000):
            connection.send_async(topic, b"%d" % number, results.append)
            if number == 1000:
                assert connection.flush(300)
                broker.kill()
            if number == 2000:
                broker.start()
            if number % 100 == 0:
                connection.do_work()
        assert connection.work_until_done(90)
    assert results == [Result.OK] * 3000
    seen = [int(seen.payload) for seen in rig.read(topic)]
    assert set(seen) == set(range(3000))


def test_refused_for_good_completes_with_an_error(redis_broker: Broker, topic: str) -> None:
    with redis.Redis(redis_broker.host, redis_broker.port) as client:
        client.set(topic, "no stream")
    with Adaptor("redis").connect(redis_broker.conn_str) as connection:
        future = connection.send_async(topic, b"x")
        assert connection.work_until_done(30)
        error = future.exception(0)
        assert isinstance(error, DsmsgError)
        assert "WRONGTYPE" in connection.last_error()
        with pytest.raises(DsmsgError, match="WRONGTYPE"):
            connection.send(topic, b"x")


def test_dead_letters_have_the_reason_and_the_bytes(rig: Rig, topic: str, tmp_path: Path) -> None:
    bad, dead = rig.bad_topic(topic), f"{topic}-dead"
    options = {
        "dead-letter-topic": dead,
        "dead-letter-dir": tmp_path / "dead",
        "max-message-bytes": 1000,
    }
    large = b"\xff\0" * 501
    with rig.connect(**options) as connection:
        refused = connection.send_message(bad, b"\0\xff", key=b"k", headers={"one": "1"})
        too_large = connection.send_message(topic, large, key=b"k")
        assert connection.work_until_done(60)
        assert connection.flush(300)
        stats = connection.stats()
    assert refused.exception(0) is not None
    assert too_large.exception(0) is not None
    assert (stats["dead_lettered"], stats["dead_letters_lost"]) == (2, 0)
    # What the broker refused goes to the topic.
    (letter,) = rig.read(dead)
    headers = dict(letter.headers)
    assert (letter.payload, letter.key, headers["one"]) == (b"\0\xff", b"k", b"1")
    assert headers["dsmsg-dead-letter-topic"] == bad.encode()
    assert headers["dsmsg-dead-letter-reason"]
    # What no topic would take goes to the directory.
    (file,) = (tmp_path / "dead").iterdir()
    (line,) = map(json.loads, file.read_text().splitlines())
    assert base64.b64decode(line["payload_base64"]) == large
    assert (line["topic"], line["key"], line["code"]) == (topic, "k", "too-large")
    assert "max-message-bytes" in line["reason"]


def test_two_adaptors_in_one_process(
    redis_broker: Broker, kafka_broker: Broker, topic: str
) -> None:
    first, second = Adaptor("redis"), Adaptor("kafka")
    with first.connect(redis_broker.conn_str) as one, second.connect(kafka_broker.conn_str) as two:
        one.send(topic, b"x")
        two.send(topic, b"x")
        assert one.stats()["protocol"] == "REDIS"
        assert two.stats()["protocol"] == "KAFKA"


def test_disconnect_with_a_frozen_broker_is_bounded(
    new_broker: Callable[[str], Broker], topic: str
) -> None:
    broker = new_broker("redis").start()
    connection = Adaptor("redis").connect(broker.conn_str, {"flush-timeout": "500ms"})
    connection.send(topic, b"x")
    broker.pause()
    future = connection.send_async(topic, b"x")
    began = time.monotonic()
    connection.disconnect()
    assert time.monotonic() - began < 20
    assert future.exception(0) is not None
    assert connection.closed
