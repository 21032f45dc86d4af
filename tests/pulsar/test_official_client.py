# SPDX-License-Identifier: Apache-2.0
"""What the official client of Pulsar reads and writes, with a real server (`make test-pulsar`)."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import dsmsg
import pytest
from brokers.pulsar_client import CLIENT_VERSION
from certificates import Authority
from dsmsg.brokers._registries import pip_folder
from dsmsg.brokers.pulsar import PulsarBroker

COMPRESSIONS = ("LZ4", "ZLib", "ZSTD", "SNAPPY")


@pytest.fixture(scope="module")
def server() -> Iterator[PulsarBroker]:
    with PulsarBroker() as broker:
        yield broker


@pytest.fixture
def topic() -> str:
    return f"t-{uuid.uuid4().hex}"


def official(*arguments: str, cafile: str = "") -> str:
    """Runs the official client and returns what it printed."""
    folder = pip_folder("pulsar-client", CLIENT_VERSION)
    program = Path(__file__).with_name("reader.py")
    result = subprocess.run(
        [sys.executable, str(program), *arguments],
        env={**os.environ, "PYTHONPATH": str(folder), "DSMSG_PULSAR_CA": cafile},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_it_reads_what_the_adaptor_sent(server: PulsarBroker, topic: str) -> None:
    with dsmsg.connect(server.url, {"linger": "50ms"}) as connection:
        futures = [
            connection.send_message(topic, b"\0\xff%d" % n, key=b"k%d" % n, headers={"n": str(n)})
            for n in range(200)
        ]
        for future in futures:
            future.result(60)
        connection.send(topic, b"y" * 5_200_000)
    found = [json.loads(line) for line in official("read", server.url, topic, "201").splitlines()]
    assert [each["data"] for each in found[:-1]] == [f"\0\xff{n}" for n in range(200)]
    assert [each["key"] for each in found[:-1]] == [f"k{n}" for n in range(200)]
    assert found[7]["properties"] == {"n": "7"}
    assert all(each["event_time"] > 1_500_000_000_000 for each in found)
    assert len(found[-1]["data"]) == 5_200_000


def test_the_adaptor_reads_what_it_sent(server: PulsarBroker, topic: str) -> None:
    settings = {"subscription": "s", "initial-position": "earliest"}
    with dsmsg.connect(server.url, settings) as connection:
        messages = connection.messages(topic, timeout=60)
        official("write", server.url, topic)
        found = []
        for message in messages:
            found.append(message)
            if message.payload == b"last":
                break
    compressed = [
        f"{name} {number} ".encode() + b"c" * 10_000 for name in COMPRESSIONS for number in range(2)
    ]
    chunked = [random.Random(1).randbytes(12_000_000)] * 2  # noqa: S311 - as the writer
    expected = [*(b"batched %d" % n for n in range(10)), b"alone", *compressed, *chunked, b"last"]
    assert [message.payload for message in found] == expected
    assert found[0].key == b"k"
    assert dict(found[10].headers) == {"a": b"1"}


def test_tls(topic: str, tmp_path: Path) -> None:
    secure = PulsarBroker()
    secure.configure(secure.settings_from_lines(secure.guarded(tls=True)))
    with secure:
        url = f"pulsar+ssl://{secure.host}:{secure.ports['tls']}"
        settings = {
            **secure.client_settings(tls=True),
            "subscription": "s",
            "initial-position": "earliest",
        }
        with dsmsg.connect(url, settings) as connection:
            messages = connection.messages(topic, timeout=60)
            for number in range(100):
                connection.send_async(topic, b"%d" % number)
            found = [next(messages).payload for _ in range(100)]
        assert found == [b"%d" % number for number in range(100)]
        cafile = settings["tls-cafile"]
        lines = official("read", url, topic, "100", cafile=cafile).splitlines()
        assert [json.loads(line)["data"].encode() for line in lines] == found
        other = Authority(tmp_path / "other").cafile
        with pytest.raises(dsmsg.DsmsgError, match="certificate"):
            dsmsg.connect(url, {"tls-cafile": str(other)})
        with pytest.raises(dsmsg.DsmsgError, match="TLS"):  # the port without TLS
            dsmsg.connect(f"pulsar+ssl://{secure.address}", {"tls-cafile": cafile})
