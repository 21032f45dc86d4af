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


def told_of_messages() -> dict[str, set[str]]:
    """The attributes that the page's table gives the messages of each adaptor."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    at = next(n for n, line in enumerate(lines) if line.startswith("| attribute "))
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[at : at + 10]]
    names = [column.split()[0].lower().replace("zeromq", "zmq") for column in cells[0][1:]]
    attributes = [re.findall(r"`(\w+)`", row[0]) for row in cells[2:]]
    return {
        name: {each for row, found in zip(cells[2:], attributes) for each in found if row[number]}
        for number, name in enumerate(names, 1)
    }


# Beside what a message of the conformance suite has: by an option, or by what the other side does.
MORE = {"http": {"key"}, "pulsar": {"partition", "redelivered"}, "azure": {"id"}}


def test_the_table_says_what_the_messages_of_each_adaptor_have() -> None:
    told = told_of_messages()
    assert set(told) == known_adaptors() - {"multi", "azure_edge"}
    for name, attributes in told.items():
        header = "azure_quirks.h" if name == "azure" else f"quirks_{name}.cc"
        quirks = (ROOT / "tests" / "conformance" / header).read_text(encoding="utf-8")
        fields = re.search(r'received_fields\(\) const override { return "(.*)"; }', quirks)
        expected = set(fields.group(1).split()) - {"bytes", "append"} if fields else set()
        if "marks_redelivered() const override { return true; }" in quirks:
            expected.add("redelivered")
        expected |= MORE.get(name, set()) | {"topic", "payload"}
        if "timestamp" in expected:
            expected.add("timestamp_ms")
        if name == "kafka":
            expected.add("offset")
        assert attributes == expected, name


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
        page = (ROOT / "docs" / f"options-{name}.md").read_text(encoding="utf-8")
        title = re.findall("^# Options of (.*)$", page, re.MULTILINE)[0].lower()
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
