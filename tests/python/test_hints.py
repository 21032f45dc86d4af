# SPDX-License-Identifier: Apache-2.0
"""Advice of error texts: it names the true cause, and never suspects a server that worked.

The table of texts is docs/troubleshooting.md; certificates, logins and rights are in
test_security.py, texts of one adaptor alone in test_hints_<name>.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from brokers.proxy import Proxy
from dsmsg import Adaptor
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port, wait_until
from hints import HINTS, PATIENCE_S, Script, ScriptedServer, address, advice, refusal
from hints.scripted import closes, speaks_http, stays_silent, wants_tls

every_adaptor = pytest.mark.parametrize("name", HINTS)


def has_tls(name: str) -> bool:
    """Tells whether the adaptor can use TLS."""
    return not any(
        option["name"] == "enable-tls" and option["unavailable"]
        for option in Adaptor(name).describe()["options"]
    )


with_tls = pytest.mark.parametrize("name", [name for name in HINTS if has_tls(name)])


@every_adaptor
def test_closed_port(name: str) -> None:
    text = refusal(name, address(free_port()))
    assert "connection refused (is the broker running, and is this its port?)" in text


@every_adaptor
def test_unknown_host(name: str) -> None:
    text = refusal(name, address(9, "no-such-host.invalid"))
    # Without a network there is no name server to ask.
    assert re.search(r"name lookup: .*(check the host name|reach its name server)", text), text


@pytest.mark.parametrize("script", [closes, stays_silent])
@every_adaptor
def test_port_of_something_unknown(name: str, script: Script) -> None:
    with closing(ScriptedServer(script)) as server:
        text = refusal(name, address(server.port))
    assert HINTS[name].kind in text
    assert ("enable-tls=1" in text) == has_tls(name)


# libzmq, which has no TLS either, looks at the first byte and closes.
@with_tls
def test_port_of_another_protocol(name: str) -> None:
    with closing(ScriptedServer(speaks_http)) as server:
        text = refusal(name, address(server.port))
    assert "an HTTP server answers (it is not " in text


@with_tls
def test_plain_on_a_tls_port(name: str) -> None:
    with closing(ScriptedServer(wants_tls)) as server:
        text = refusal(name, address(server.port))
    assert any(says in text for says in HINTS[name].tls_port), text


@with_tls
def test_tls_on_the_port_of_another_protocol(name: str) -> None:
    with closing(ScriptedServer(speaks_http)) as server:
        text = refusal(name, address(server.port), **{"enable-tls": 1})
    assert "that port does not speak TLS" in text


@with_tls
def test_a_missing_file_is_no_matter_of_the_server(name: str, tmp_path: Path) -> None:
    text = refusal(
        name, address(free_port()), **{"enable-tls": 1, "tls-cafile": tmp_path / "ca.pem"}
    )
    assert re.search(r"tls-cafile=.*cannot be read: No such file", text), text
    assert "running" not in text


@pytest.fixture(scope="module")
def brokers() -> Iterator[Callable[[str], Broker]]:
    """One server for all cases of an adaptor."""
    made: dict[str, Broker] = {}

    def get(name: str) -> Broker:
        make = HINTS[name].server
        assert make is not None
        if name not in made:
            made[name] = make().start()
        return made[name]

    yield get
    for broker in made.values():
        broker.close()


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("refuse", "connection refused (it answered before: it has stopped or is restarting)"),
        ("close", "(it answered before: it is restarting or overloaded, or out of connections)"),
        ("silent", "(it answered before: it is frozen or overloaded)"),
    ],
)
@pytest.mark.parametrize("name", [name for name, hints in HINTS.items() if hints.server])
def test_a_server_that_answered_before(
    name: str, mode: str, says: str, brokers: Callable[[str], Broker]
) -> None:
    broker = brokers(name)
    with Proxy(broker.port) as proxy:
        config = {
            "connect-timeout": "5s",
            "reconnect-interval": "100ms",
            "reconnect-max-interval": "200ms",
            **HINTS[name].settings,
        }
        with Adaptor(name).connect(address(proxy.port), config) as connection:
            proxy.mode(mode)
            advice(connection, says)
            proxy.mode("forward")
            assert wait_until(lambda: connection.stats()["link"] == "up", PATIENCE_S)
