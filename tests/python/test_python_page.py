# SPDX-License-Identifier: Apache-2.0
"""Runs every Python snippet of docs/ that imports dsmsg, and the typed example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import dsmsg
import pytest
from dsmsg._address import known_adaptors, parse
from dsmsg.brokers import Broker
from quirks import received_fields, table_with, title_of

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BROKERS = {"redis": 6379, "kafka": 9092, "mosquitto": 1883, "rabbitmq": 5672, "nats": 4222}


def _run(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    ).stdout


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_runs(redis_broker: Broker, number: int) -> None:
    snippet = SNIPPETS[number]
    assert "localhost:6379" in snippet or "localhost;6379" in snippet or "localhost:1" in snippet
    for separator in (":", ";"):
        host = f"127.0.0.1{separator}{redis_broker.port}"
        snippet = snippet.replace(f"localhost{separator}6379", host)
    output = _run("-c", snippet)
    for line in SNIPPETS[number].splitlines():
        shown = re.search(r"print\(.*\)  +# ([<\[R].*)$", line)  # what a comment says is printed
        if shown is not None:
            assert shown.group(1) in output.replace(
                f"127.0.0.1:{redis_broker.port}", "localhost:6379"
            )


@pytest.mark.parametrize("kind", BROKERS)
def test_the_snippets_of_a_brokers_page_run(request: pytest.FixtureRequest, kind: str) -> None:
    if kind == "nats":
        broker: Broker = request.getfixturevalue("new_broker")(kind).start()
    else:
        broker = request.getfixturevalue(f"{kind}_broker")
    found = 0
    for name in ("quick-python", {"mosquitto": "mqtt", "rabbitmq": "amqp"}.get(kind, kind)):
        page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        for snippet in re.findall(r"```python\n(import dsmsg\n.*?)```", page, re.DOTALL):
            if kind != "kafka":  # whose groups take seconds; the others need not wait for more
                snippet = snippet.replace("timeout=5)", "timeout=1)")
            if f":{BROKERS[kind]}" in snippet:
                _run("-c", snippet.replace(f"localhost:{BROKERS[kind]}", broker.address))
                found += 1
    assert found


def test_the_typed_example_runs(redis_broker: Broker) -> None:
    example = Path(__file__).with_name("typed_example.py")
    assert "received 4 of 4" in _run(str(example), f"redis://{redis_broker.address}")


def test_the_page_names_every_exception() -> None:
    for name in dsmsg.__all__:
        if name.endswith("Error"):
            assert f"`{name}`" in PAGE, name


# Beside what a message of the conformance suite has: by an option, or by what the other side does.
MORE = {"http": {"key"}, "pulsar": {"partition", "redelivered"}, "azure": {"id"}}


def test_the_table_says_what_the_messages_of_each_adaptor_have() -> None:
    head, *rows = table_with(PAGE, "attribute")
    columns = {column.split()[0]: number for number, column in enumerate(head)}
    adaptors = {title_of(name).split()[0]: name for name in known_adaptors() - {"multi"}}
    assert set(columns) == {"attribute", *adaptors}
    for title, name in adaptors.items():
        named = [row[0] for row in rows if row[columns[title]]]
        told = set(re.findall(r"`(\w+)`", " ".join(named)))
        expected = {"topic", "payload"} | received_fields(name) | MORE.get(title.lower(), set())
        expected -= {"bytes", "append"}
        if "timestamp" in expected:
            expected.add("timestamp_ms")
        if name == "kafka":
            expected.add("offset")
        assert told == expected, name


def test_every_scheme_and_adaptor_is_named() -> None:
    schemes = set()
    for driver in (ROOT / "csrc" / "adaptors").glob("*/driver.cc"):
        found = re.search(r"kSchemes(?:\[\])? = {(.*?)};", driver.read_text(encoding="utf-8"))
        schemes |= set(re.findall(r'"(.*?)"', found.group(1))) if found else set()
    assert len(schemes) >= 15
    for text in (PAGE, dsmsg.connect.__doc__, parse.__doc__):
        assert text is not None
        assert [scheme for scheme in schemes if f"`{scheme}://" not in text] == []
    senders = (ROOT / "docs" / "senders.md").read_text(encoding="utf-8").lower()
    acks = PAGE.partition("What `ack` does")[2].partition("\n\n")[0].lower()
    for name in known_adaptors():
        title = title_of(name).lower()
        assert title in " ".join(senders.split()), name
        assert name == "multi" or title.split()[0] in acks, name


def test_importing_the_package_is_cheap() -> None:
    loaded = _run(
        "-c",
        "import sys; before = set(sys.modules); import dsmsg; "
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('dsmsg')))",
    )
    for module in ("cffi", "asyncio", "json", "numpy", "urllib", "concurrent.futures"):
        assert module not in loaded
