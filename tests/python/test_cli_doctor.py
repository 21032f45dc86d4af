# SPDX-License-Identifier: Apache-2.0
"""`dsmsg doctor` against servers that work, refuse and are not there; `dsmsg brokers`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from dsmsg._cli._address import servers
from dsmsg.brokers import KINDS, Broker, BrokerError, make
from dsmsg.brokers._process import free_port

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

ADAPTORS = {"redis": "redis", "kafka": "kafka", "mosquitto": "mqtt", "rabbitmq": "amqp"}
PASSWORD = "tr1al-Slartibartfast"  # noqa: S105 - a test's


@contextmanager
def started(*arguments: str) -> Iterator[dict[str, Any]]:
    """A server that `dsmsg brokers start` runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmsg", "brokers", "start", *arguments, "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "python")},
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 0


def settings(up: dict[str, Any], **changed: str) -> list[str]:
    pairs = {**up["settings"], **changed}
    return [part for name, value in pairs.items() for part in ("-o", f"{name}={value}")]


def examined(run_dsmsg: Run, *arguments: str, timeout: str = "60") -> tuple[dict[str, Any], int]:
    result = run_dsmsg("doctor", *arguments, "--json", "--timeout", timeout, check=False)
    report = json.loads(result.stdout)
    assert report["exit_code"] == result.returncode
    return {check["name"]: check for check in report["checks"]}, result.returncode


@pytest.mark.parametrize("kind", ADAPTORS)
def test_tls_and_password(run_dsmsg: Run, kind: str) -> None:
    """`doctor` finds what `brokers start` set up, a wrong password and a wrong authority."""
    adaptor = ADAPTORS[kind]
    with started(kind, "--tls", "--password", PASSWORD) as up:
        where = (adaptor, up["conn_str"])
        assert up["url"].endswith(f"://localhost:{up['ports']['tls']}")
        checks, code = examined(run_dsmsg, *where, *settings(up))
        assert code == 0, checks
        assert [check["ok"] for check in checks.values()] == [True] * 7
        assert checks["tls"]["text"].startswith(f"localhost:{up['ports']['tls']}: TLSv1.")
        assert "its certificate holds for" in checks["tls"]["text"]
        wrong = settings(up, password="wr0ng")  # noqa: S106 - a test's
        checks, code = examined(run_dsmsg, *where, *wrong, timeout="6")
        assert (code, checks["login"]["ok"]) == (14, False), checks
        assert checks["tls"]["ok"]
        assert "publish" not in checks
        foreign = settings(up, **{"tls-cafile": "/etc/ssl/certs/ca-certificates.crt"})
        checks, code = examined(run_dsmsg, *where, *foreign)
        assert code == 13, checks
        assert "certificate" in checks["tls"]["text"]
        assert "tls-cafile" in checks["tls"]["cure"]


@pytest.mark.parametrize("kind", ADAPTORS)
def test_a_closed_port(run_dsmsg: Run, kind: str) -> None:
    checks, code = examined(run_dsmsg, ADAPTORS[kind], f"127.0.0.1;{free_port()}")
    assert code == 12
    assert "refused" in checks["tcp"]["text"]
    assert "is the broker running" in checks["tcp"]["cure"]
    assert [check["ok"] for check in checks.values()] == [True, True, False]


def test_text_for_people(run_dsmsg: Run, redis_broker: Broker, topic: str) -> None:
    good = run_dsmsg("doctor", redis_broker.url, "--topic", topic).stdout.decode()
    assert f"the message came back from {topic}" in good
    assert "\33" not in good
    quiet = run_dsmsg("doctor", redis_broker.url, "--no-publish").stdout.decode()
    assert "not asked for (--no-publish)" in quiet
    bad = run_dsmsg("doctor", "redis", f"localhost;{free_port()}", check=False)
    assert b"FAILED  tcp " in bad.stdout
    assert b"try: is the broker running" in bad.stdout


def test_steps_before_the_broker(run_dsmsg: Run) -> None:
    checks, code = examined(run_dsmsg, "redis", "no-such-host.invalid;6379")
    assert (code, checks["lookup"]["ok"]) == (11, False)
    checks, code = examined(run_dsmsg, "redis", "localhost;6379", "-o", "payloadky=x")
    assert code == 10
    assert "payloadkey" in checks["adaptor"]["text"]
    assert examined(run_dsmsg, "pigeon", "localhost;1")[1] == 10


def test_missing_rights(run_dsmsg: Run, new_broker: Callable[[str], Broker], topic: str) -> None:
    broker = new_broker("redis")
    rights = {"reader": "+@all -xadd", "writer": "+@all -xread -xreadgroup"}
    lines = [f"user {user} on >{PASSWORD} ~* &* {each}" for user, each in rights.items()]
    broker.configure({"config": lines})
    broker.start()
    for user, step, expected in (("reader", "publish", 15), ("writer", "read back", 16)):
        options = ("-o", f"username={user}", "-o", f"password={PASSWORD}", "--topic", topic)
        checks, code = examined(run_dsmsg, broker.url, *options, timeout="5")
        assert (code, checks[step]["ok"]) == (expected, False), checks
        assert "NOPERM" in checks[step]["text"]


def test_the_machine(run_dsmsg: Run) -> None:
    report = json.loads(run_dsmsg("doctor", "--json").stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert "librdkafka.so" in checks["kafka"]["text"]
    assert {"gstreamer", "deepstream"} <= set(checks)
    for check in checks.values():
        assert check["ms"] >= 0
        assert (check["cure"] == "") or not check["ok"]


def test_a_library_without_a_function_is_told(
    run_dsmsg: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "adaptor.c"
    source.write_text("char *nvds_msgapi_getversion(void) { return 0; }\n")
    library = tmp_path / "libnvds_pigeon_proto.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("DSMSG_LIB_DIR", str(tmp_path))
    result = run_dsmsg("doctor", check=False)
    assert result.returncode == 1
    line = next(each for each in result.stdout.splitlines() if b" pigeon " in each)
    assert line.startswith(b"MISSING ")
    assert b"nvds_msgapi_connect" in line


def test_a_hub(run_dsmsg: Run, tmp_path: Path) -> None:
    with started("iothub") as up:
        good = up["conn_str"]
        checks, code = examined(run_dsmsg, "azure", good, *settings(up))
        assert code == 0, checks
        assert [check["ok"] for check in checks.values()] == [True] * 6 + [None]
        assert "monitor-events" in checks["read back"]["text"]

        file = tmp_path / "cfg_azure.txt"
        cafile = up["settings"]["tls-cafile"]
        file.write_text(f"[message-broker]\nconnection_str={good}\ntls-cafile={cafile}\n")
        checks, code = examined(run_dsmsg, "azure", "", "--config", str(file))
        assert code == 0, checks

        module = good.replace(";SharedAccessKey", ";ModuleId=m;SharedAccessKey")
        checks, code = examined(run_dsmsg, "azure_edge", module, *settings(up))
        assert code == 0, checks

        checks, code = examined(run_dsmsg, "azure", good[:-4] + "AAAA", *settings(up))
        assert code == 14
        assert "the key in the connection string" in checks["login"]["text"]

        identity, _, _ = good.partition(";SharedAccessKey")
        old = "SharedAccessSignature sr=x&sig=x&se=1700000000"
        expired = f"{identity};SharedAccessSignature={old}"
        checks, code = examined(run_dsmsg, "azure", expired, *settings(up))
        assert code == 14
        assert "has expired (give another" in checks["login"]["text"]

        nowhere = good.replace(f":{up['port']}", f":{free_port()}")
        checks, code = examined(run_dsmsg, "azure", nowhere, *settings(up))
        assert code == 12
        assert "firewall" in checks["tcp"]["cure"]

        checks, code = examined(run_dsmsg, "azure", good)
        assert code == 13
        assert "tls-cafile" in checks["tls"]["cure"]


@pytest.mark.parametrize(
    ("conn_str", "found"),
    [
        ("host;9092", "host:9092"),
        ("host;9092;topic", "host:9092"),
        ("h1:1,h2", "h1:1 h2:7"),
        ("kafka://h1:1,[::1]:2/x", "h1:1 [::1]:2"),
        ("amqps://user:p@ss@host/vhost", "host:7"),
        ("zmq://tcp://host:5", "host:5"),
        ("[::1];5", "[::1]:5"),
        ("HostName=hub;DeviceId=d;SharedAccessKey=a2V5", "hub:7"),
        ("DeviceId=d;hostname=hub:5;SharedAccessKey=a=", "hub:5"),
        ("HostName=hub;DeviceId=d;ModuleId=m;GatewayHostName=edge", "edge:7"),
        ("zmq://ipc:///tmp/x", ""),
        ("", ""),
    ],
)
def test_servers_of_a_connection_string(conn_str: str, found: str) -> None:
    assert " ".join(map(str, servers(conn_str, 7))) == found


def test_brokers_are_listed(run_dsmsg: Run) -> None:
    kinds = json.loads(run_dsmsg("brokers", "ls", "--json").stdout)
    assert {"redis", "kafka", "nats", "hivemq", "valkey"} <= set(kinds)
    assert kinds["redis"]["tls"]
    assert b"--tls, --password" in run_dsmsg("brokers", "ls").stdout
    unknown = run_dsmsg("brokers", "start", "pigeon", check=False)
    assert unknown.returncode == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_protected_or_says_that_it_cannot(kind: str) -> None:
    with closing(make(kind)) as broker:
        for can, name, wanted in (
            (broker.can_tls, "--tls", {"tls": True}),
            (broker.can_password, "--password", {"password": PASSWORD}),
        ):
            if can:
                lines = broker.guarded(**wanted)
                assert lines
                broker.configure(broker.settings_from_lines(lines))
            else:
                with pytest.raises(BrokerError, match=f"{kind}: {name} cannot be set up"):
                    broker.guarded(**wanted)


def test_without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = make("redis")
    monkeypatch.setenv("PATH", "/none")
    try:
        with pytest.raises(BrokerError, match="apt-get install openssl"):
            broker.guarded(tls=True)
    finally:
        broker.close()
