# SPDX-License-Identifier: Apache-2.0
"""Redis says itself why it ends a connection: see test_hints.py."""

from __future__ import annotations

import re
import socket
from contextlib import closing

import pytest
from dsmsg.brokers import RedisBroker
from hints import Script, ScriptedServer, address, refusal


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
        text = refusal("redis", address(server.port), **{"password": "word"})
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
