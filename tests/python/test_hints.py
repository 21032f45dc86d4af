# SPDX-License-Identifier: Apache-2.0
"""Advice of error texts: it names the true cause, and never suspects a server that worked.

The table of texts is docs/troubleshooting.md; certificates, logins and rights are in
test_security.py.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from brokers.proxy import Proxy
from dsmsg import Adaptor, Connection, DsmsgError
from dsmsg.brokers import Broker, RedisBroker, make
from dsmsg.brokers._process import free_port, wait_until
from faults.programs import program

ADAPTORS = ("redis", "mqtt", "amqp", "kafka", "zmq")
BROKERS = {"redis": "redis", "mqtt": "mosquitto", "amqp": "rabbitmq", "zmq": "zmq"}
PATIENCE_S = 30.0
# Nothing of this may be said of a server that has worked.
SUSPICIONS = re.compile(r"is it an? |TLS|is the broker running|is this its port|conn-str|check ")

Script = Callable[[socket.socket], None]


class ScriptedServer:
    """Does the same with every connection, which stays open unless the script closes it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Ends all connections."""
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        try:
            self._script(connection)
        except OSError:  # the other side was faster
            connection.close()


def closes(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.close()


def stays_silent(connection: socket.socket) -> None:
    pass


def speaks_http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def wants_tls(connection: socket.socket) -> None:
    """The alert of a TLS server that reads something else."""
    connection.recv(4096)
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
    connection.close()


def is_full(connection: socket.socket) -> None:
    """What Redis does beyond maxclients, before it has read a byte."""
    connection.sendall(b"-ERR max number of clients reached\r\n")
    connection.close()


def is_protected(connection: socket.socket) -> None:
    """What Redis does in protected mode."""
    connection.sendall(b"-DENIED Redis is running in protected mode because it is on\r\n")
    connection.close()


def ends_the_login(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"+OK\r\n")
    connection.recv(4096)
    connection.close()


def stops_in_the_login(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"+OK\r\n")


def address(name: str, port: int, host: str = "127.0.0.1") -> str:
    return f"zmq://tcp://{host}:{port}" if name == "zmq" else f"{host};{port}"


def refusal(name: str, conn_str: str, **config: object) -> str:
    """Returns the text of a connect that fails."""
    with pytest.raises(DsmsgError) as raised:
        Adaptor(name).connect(conn_str, {"connect-timeout": "1s", **config}).close()
    return str(raised.value)


@pytest.mark.parametrize("name", ADAPTORS)
def test_closed_port(name: str) -> None:
    text = refusal(name, address(name, free_port()))
    assert "connection refused (is the broker running, and is this its port?)" in text


@pytest.mark.parametrize("name", ADAPTORS)
def test_unknown_host(name: str) -> None:
    text = refusal(name, address(name, 9, "no-such-host.invalid"))
    # Without a network there is no name server to ask.
    assert re.search(r"name lookup: .*(check the host name|reach its name server)", text), text


KINDS = {
    "redis": "is it a Redis server",
    "mqtt": "is it an MQTT server",
    "amqp": "is it an AMQP 0-9-1 broker",
    "kafka": "is it a Kafka broker",
    "zmq": "is it a ",
}


@pytest.mark.parametrize("script", [closes, stays_silent])
@pytest.mark.parametrize("name", ADAPTORS)
def test_port_of_something_unknown(name: str, script: Script) -> None:
    with closing(ScriptedServer(script)) as server:
        text = refusal(name, address(name, server.port))
    assert KINDS[name] in text
    assert ("enable-tls=1" in text) == (name != "zmq")


# A ZeroMQ socket looks at the first byte and closes.
@pytest.mark.parametrize("name", ADAPTORS[:-1])
def test_port_of_another_protocol(name: str) -> None:
    with closing(ScriptedServer(speaks_http)) as server:
        text = refusal(name, address(name, server.port))
    assert "an HTTP server answers (it is not " in text


@pytest.mark.parametrize("name", ADAPTORS[:-1])
def test_plain_on_a_tls_port(name: str) -> None:
    with closing(ScriptedServer(wants_tls)) as server:
        text = refusal(name, address(name, server.port))
    # librdkafka mostly notices the end of the connection first.
    says = "port want TLS, enable-tls=1" if name == "kafka" else "that port speaks TLS: set enable-"
    assert says in text or "that port speaks TLS" in text


@pytest.mark.parametrize("name", ADAPTORS[:-1])
def test_tls_on_the_port_of_another_protocol(name: str) -> None:
    with closing(ScriptedServer(speaks_http)) as server:
        text = refusal(name, address(name, server.port), **{"enable-tls": 1})
    assert "that port does not speak TLS" in text


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (is_full, r"max number of clients reached \(raise maxclients"),
        (is_protected, r"DENIED .*\(its protected mode"),
        (ends_the_login, r"closed it \(it is a Redis server and answered"),
        (stops_in_the_login, r"no answer to PING .*\(it began to answer: it is frozen"),
    ],
)
def test_redis_says_why(script: Script, says: str) -> None:
    with closing(ScriptedServer(script)) as server:
        text = refusal("redis", address("redis", server.port), **{"password": "word"})
    assert re.search(says, text), text


@pytest.mark.parametrize("tls", [0, 1])
def test_redis_is_full(tls: int) -> None:
    # TLS to a port without it: Redis refuses before a byte of the handshake is read.
    with (
        RedisBroker(config=["maxclients 1"]) as broker,
        socket.create_connection(("127.0.0.1", broker.port)) as other,
    ):
        other.sendall(b"PING\r\n")
        assert other.recv(64) == b"+PONG\r\n"
        text = refusal("redis", broker.conn_str, **{"enable-tls": tls})
    assert ("that port does not speak TLS" if tls else "raise maxclients") in text


@pytest.mark.parametrize("name", ADAPTORS[:-1])
def test_a_missing_file_is_no_matter_of_the_server(name: str, tmp_path: Path) -> None:
    text = refusal(
        name, address(name, free_port()), **{"enable-tls": 1, "tls-cafile": tmp_path / "ca.pem"}
    )
    assert re.search(r"tls-cafile=.*cannot be read: No such file", text), text
    assert "running" not in text


@pytest.fixture(scope="module")
def brokers() -> Iterator[Callable[[str], Broker]]:
    """One server for all cases of an adaptor."""
    made: dict[str, Broker] = {}

    def get(name: str) -> Broker:
        if name == "zmq":
            os.environ.setdefault("DSMSG_ZMQ_RECEIVER", program("dsmsg_zmq_receiver"))
        if name not in made:
            made[name] = make(BROKERS[name]).start()
        return made[name]

    yield get
    for broker in made.values():
        broker.close()


def advice(connection: Connection, says: str) -> str:
    """Waits for a reason that holds `says`; none on the way may be a suspicion."""
    seen: list[str] = []

    def look() -> bool:
        text = connection.last_error()
        if text and text not in seen:
            seen.append(text)
        return says in text

    assert wait_until(look, PATIENCE_S), seen
    for text in seen:
        # The text around the host is not advice.
        assert not SUSPICIONS.search(text), text
    return seen[-1]


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("refuse", "connection refused (it answered before: it has stopped or is restarting)"),
        ("close", "(it answered before: it is restarting or overloaded, or out of connections)"),
        ("silent", "(it answered before: it is frozen or overloaded)"),
    ],
)
@pytest.mark.parametrize("name", BROKERS)
def test_a_server_that_answered_before(
    name: str, mode: str, says: str, brokers: Callable[[str], Broker]
) -> None:
    broker = brokers(name)
    with Proxy(broker.port) as proxy:
        config = {"connect-timeout": "1s", "reconnect-interval": "100ms"}
        if name == "zmq":
            config["socket_type"] = "REQ"
        if name == "mqtt":
            config["client-id"] = f"client-{mode}"
        with Adaptor(name).connect(
            address(name, proxy.port), {**config, "reconnect-max-interval": "200ms"}
        ) as connection:
            proxy.mode(mode)
            advice(connection, says)
            proxy.mode("forward")
            assert wait_until(lambda: connection.stats()["link"] == "up", PATIENCE_S)


def test_a_kafka_broker_that_answered_before(new_broker: Callable[[str], Broker]) -> None:
    broker = new_broker("kafka").start()
    with Adaptor("kafka").connect(broker.conn_str, {"reconnect-interval": "100ms"}) as connection:
        broker.kill()
        advice(connection, "(it answered before: it has stopped or is restarting)")
