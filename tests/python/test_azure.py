# SPDX-License-Identifier: Apache-2.0
"""The adaptors of Azure IoT Hub against a checking hub, and beside Microsoft's own SDK."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import paho.mqtt.client as paho
import pytest
from certificates import Authority
from dsmsg.adaptor import Adaptor, DsmsgError, Message
from dsmsg.brokers import Broker, make
from dsmsg.brokers._hub import Connect, Hub, Publish, Subscribe, signature
from dsmsg.connection import Connection
from dsmsg.ledger import mark_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 240.0
KEY = b"0123456789abcdef0123456789abcdef"
HUB = "localhost"


class Rig:
    """A hub with one device and one module."""

    def __init__(self, hub: Hub, broker: Broker, authority: Authority) -> None:
        self.hub = hub
        self.broker = broker
        self.authority = authority
        self.cafile = str(authority.cafile)
        hub.keys = {"dev-1": KEY, "dev-1/mod.A": KEY}

    def connection(self, module: bool = False, *, port: bool = True, key: bytes = KEY) -> str:
        """A connection string."""
        host = f"{HUB}:{self.hub.port}" if port else HUB
        part = ";ModuleId=mod.A" if module else ""
        secret = base64.b64encode(key).decode()
        return f"HostName={host};DeviceId=dev-1{part};SharedAccessKey={secret}"

    def connect(self, module: bool = False, **options: object) -> Connection:
        """Connects our adaptor."""
        return Adaptor("azure_edge" if module else "azure").connect(
            self.connection(module),
            {"tls-cafile": self.cafile, "connect-timeout": "60s", **options},
            work_thread=True,
        )

    def service(self, topic: str, payload: bytes) -> None:
        """What the service's side does to send something to the device."""
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.connect(self.broker.host, self.broker.port)
        client.loop_start()
        client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE)
        client.loop_stop()
        client.disconnect()

    def sdk(self, **job: object) -> subprocess.Popen[str]:
        """Starts Microsoft's SDK with a job."""
        folder = subprocess.run(
            [sys.executable, str(ROOT / "scripts/azure_sdk.py")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("azure_sdk_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": folder},
        )
        assert process.stdin is not None
        job = {"port": self.hub.port, "cafile": self.cafile, **job}
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        return process


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[Broker]:
    broker = make("mosquitto")
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def rig(mosquitto: Broker, tmp_path: Path) -> Iterator[Rig]:
    authority = Authority(tmp_path / "pki")
    server = authority.issue("hub")
    with Hub(HUB, mosquitto.port, server.cert, server.key, authority.cafile) as hub:
        yield Rig(hub, mosquitto, authority)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---------------------------------------------------------------- beside the SDK

NAMES = st.text(
    st.characters(min_codepoint=1, max_codepoint=0x2FFF, blacklist_categories=["Cs"]),
    min_size=1,
    max_size=12,
)
VALUES = st.text(
    st.characters(min_codepoint=1, max_codepoint=0x2FFF, blacklist_categories=["Cs"]), max_size=12
)


def sdk_fields(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same message's headers for our adaptor."""
    system = [
        (f"$.{short}", message[short])
        for short in ("mid", "cid", "uid", "ct", "ce", "exp")
        if short in message
    ]
    return [*system, *message.get("properties", {}).items()]


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    message: dict[str, Any] = {"payload": draw(st.text(min_size=1, max_size=40))}
    for short in ("mid", "cid", "uid", "ct", "ce", "exp"):
        if draw(st.booleans()):
            message[short] = draw(NAMES)
    message["properties"] = draw(
        st.dictionaries(NAMES.filter(lambda name: not name.startswith("$")), VALUES, max_size=4)
    )
    message["output"] = draw(NAMES)
    return message


def as_the_service_sees(topic: bytes) -> list[tuple[str, str]]:
    """The properties that a hub finds in the topic of a message."""
    _, _, bag = topic.decode().partition("/messages/events/")
    pairs = [each.partition("=") for each in bag.split("&") if each]
    return sorted((unquote(name), unquote(value)) for name, _, value in pairs)


def in_the_docs(rows: list[tuple[str, object, object]]) -> None:
    """Checks the comparison in docs/azure.md: what, the SDK's, ours."""
    page = (ROOT / "docs/azure.md").read_text(encoding="utf-8")
    for what, theirs, ours in rows:
        same = "the same" if ours == theirs else f"`{ours}`"
        line = f"| {what} | `{theirs}` | {same} |"
        assert line in page.splitlines(), line


@pytest.mark.parametrize("module", [False, True], ids=["device", "module"])
def test_everything_on_the_wire_is_as_the_sdk_has_it(rig: Rig, module: bool) -> None:
    batch: list[dict[str, Any]] = []

    @settings(
        max_examples=50,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(messages())
    def collect(message: dict[str, Any]) -> None:
        batch.append(message)

    batch.append({"payload": "{}", "mid": "m/1", "ct": "application/json", "output": "out"})
    batch[0]["properties"] = {"a b": "c/d&e", "none": ""}
    collect()
    assert len(batch) > 50

    sdk = rig.sdk(connection=rig.connection(module, port=False), messages=batch)
    assert sdk.wait(PATIENCE) == 0
    theirs = rig.hub.said(Publish)
    their_login = rig.hub.said(Connect)
    rig.hub.forget_said()
    with rig.connect(module) as connection:
        for message in batch:
            connection.send_message(
                message["output"], message["payload"].encode(), headers=sdk_fields(message)
            ).result(PATIENCE)
    ours = rig.hub.said(Publish)
    assert [each.topic for each in ours] == [each.topic for each in theirs]
    assert [each.payload for each in ours] == [each.payload for each in theirs]
    assert [as_the_service_sees(each.topic) for each in ours] == [
        sorted([*sdk_fields(message), *([("$.on", message["output"])] if module else [])])
        for message in batch
    ]
    assert {(each.qos, each.retain, each.dup) for each in ours} == {(1, False, False)}
    assert {(each.qos, each.retain, each.dup) for each in theirs} == {(1, False, False)}

    [they], [we] = their_login[:1], rig.hub.said(Connect)
    assert (we.client_id, we.protocol, we.level, we.flags, we.keep_alive) == (
        they.client_id,
        they.protocol,
        they.level,
        they.flags,
        they.keep_alive,
    )
    their_user, our_user = (re.sub("DeviceClientType=.*", "", each.user) for each in (they, we))
    assert our_user == their_user
    assert re.search(r"&DeviceClientType=dsmsg%2F[0-9.]+$", we.user)
    shape = r"SharedAccessSignature sr=([^&]*)&sig=[A-Za-z0-9%]+&se=([0-9]+)"
    theirs_token, our_token = (re.fullmatch(shape, each.password or "") for each in (they, we))
    assert theirs_token and our_token
    assert our_token[1] == theirs_token[1]
    assert abs(int(our_token[2]) - int(theirs_token[2])) < 300
    if module:
        return

    def first(login: Connect) -> str:
        flags = f"flags {login.flags:#x}, keep-alive {login.keep_alive} s"
        return f"{login.protocol}, level {login.level}, {flags}"

    form = "SharedAccessSignature sr={}&sig=...&se=..."
    in_the_docs(
        [
            ("CONNECT", first(they), first(we)),
            ("client id", they.client_id, we.client_id),
            (
                "user name",
                f"{their_user}DeviceClientType=azure-iot-device-iothub-py...",
                f"{our_user}DeviceClientType=dsmsg%2F...",
            ),
            ("password", form.format(theirs_token[1]), form.format(our_token[1])),
            ("topic of a message", theirs[0].topic.decode(), ours[0].topic.decode()),
            ("PUBLISH", "QoS 1, retain 0, DUP 0", "QoS 1, retain 0, DUP 0"),  # asserted above
        ]
    )


@pytest.mark.parametrize("module", [False, True], ids=["device", "module"])
def test_what_the_service_sends_arrives_as_at_the_sdk(rig: Rig, module: bool) -> None:
    path = (
        "devices/dev-1/modules/mod.A/inputs/in%201/"
        if module
        else ("devices/dev-1/messages/devicebound/")
    )
    bag = (
        "%24.to=%2Fdevices%2Fdev-1&%24.mid=m%2F1&%24.ct=application%2Fjson&%24.ce=utf-8&"
        "a%20b=c%2Fd%26e&none="
    )
    sdk = rig.sdk(connection=rig.connection(module, port=False), expect=1)
    assert sdk.stdout is not None
    assert sdk.stdout.readline() == "ready\n"
    wait_until(lambda: rig.hub.said(Subscribe))
    their_filters = [each.filters for each in rig.hub.said(Subscribe)]
    rig.service(path + bag, b"hello")
    [theirs] = json.loads(sdk.stdout.readline())
    assert sdk.wait(PATIENCE) == 0
    rig.hub.forget_said()

    got: list[Message] = []
    with rig.connect(module) as connection:
        connection.subscribe(["in 1" if module else "any"], got.append)
        assert [each.filters for each in rig.hub.said(Subscribe)][:1] == their_filters
        if not module:
            [(text, qos)] = their_filters[0]
            both = f"{text}, QoS {qos}"
            in_the_docs([("SUBSCRIBE", both, both)])
        connection.send("out", b"on the same connection")
        rig.service(path + bag, b"hello")
        wait_until(lambda: got)
    assert len(rig.hub.said(Connect)) == 1
    assert [each.payload for each in rig.hub.said(Publish)] == [b"on the same connection"]
    assert len(got) == 1
    assert got[0].payload == theirs["payload"].encode()
    assert got[0].topic == ("in 1" if module else "devicebound")
    assert theirs["properties"] == {"a b": "c/d&e", "none": ""}
    headers = {name: value.decode() for name, value in got[0].headers}
    assert headers == {
        **theirs["properties"],
        "$.mid": theirs["mid"],
        "$.ct": theirs["ct"],
        "$.ce": theirs["ce"],
    }


def without_client(user: str) -> str:
    """The user name without the name and version of the client."""
    return re.sub("DeviceClientType=[^&]*", "DeviceClientType=", user)


def test_a_model_is_named_as_the_sdk_does(rig: Rig) -> None:
    model = "dtmi:com:example:Camera;1"
    sdk = rig.sdk(connection=rig.connection(port=False), product=model)
    assert sdk.wait(PATIENCE) == 0
    [theirs] = rig.hub.said(Connect)
    rig.hub.forget_said()
    with rig.connect(**{"model-id": model}):
        pass
    [ours] = rig.hub.said(Connect)
    assert without_client(ours.user) == without_client(theirs.user)
    assert ours.user.endswith("&model-id=dtmi%3Acom%3Aexample%3ACamera%3B1")


@pytest.mark.parametrize("module", [False, True], ids=["device", "module"])
def test_behind_a_gateway_the_hub_is_named(mosquitto: Broker, tmp_path: Path, module: bool) -> None:
    """TLS is with the gateway, login and tokens are for the hub: as the SDK has it."""
    authority = Authority(tmp_path / "pki")
    server = authority.issue("gateway")  # for localhost
    name = "contoso-hub.example.test"
    with Hub(name, mosquitto.port, server.cert, server.key, authority.cafile) as hub:
        rig = Rig(hub, mosquitto, authority)
        plain = rig.connection(module, port=False).replace("HostName=localhost", f"HostName={name}")
        sdk = rig.sdk(
            connection=f"{plain};GatewayHostName=localhost",
            messages=[{"payload": "{}", "output": "out"}],
        )
        assert sdk.wait(PATIENCE) == 0
        said = hub.said(Connect), hub.said(Publish)
        hub.forget_said()
        adaptor = Adaptor("azure_edge" if module else "azure")
        options = {"tls-cafile": rig.cafile, "connect-timeout": "60s"}
        gateway = f"localhost:{hub.port}"
        for text, more in [
            (f"{plain};GatewayHostName={gateway}", {}),
            (plain, {"gateway-hostname": gateway}),
            (f"{plain};GatewayHostName=localhost.:{hub.port}", {}),
        ]:
            hub.forget_said()
            with adaptor.connect(text, {**options, **more}, work_thread=True) as connection:
                connection.send("out", b"{}")
            assert [each.topic for each in hub.said(Publish)] == [each.topic for each in said[1]]
            [they], [we] = said[0], hub.said(Connect)
            assert without_client(we.user) == without_client(they.user)
            assert (we.password or "").partition("&")[0] == (they.password or "").partition("&")[0]
            assert name in we.user
        # The certificate is checked for the gateway's name.
        with pytest.raises(DsmsgError, match=r"127\.0\.0\.2"):
            adaptor.connect(f"{plain};GatewayHostName=127.0.0.2:{hub.port}", options)


# ---------------------------------------------------------------- the hub's ways


@pytest.mark.parametrize("module", [False, True], ids=["device", "module"])
def test_a_dot_behind_the_hubs_name_is_dropped(rig: Rig, module: bool) -> None:
    """In the certificate's check, the user name and the token."""
    text = rig.connection(module).replace(f"HostName={HUB}:", f"HostName={HUB}.:")
    options = {"tls-cafile": rig.cafile, "connect-timeout": "60s"}
    adaptor = Adaptor("azure_edge" if module else "azure")
    with adaptor.connect(text, options, work_thread=True) as connection:
        connection.send("out", b"{}")
    assert rig.hub.refused == []
    assert len(rig.hub.said(Publish)) == 1


def test_properties_of_options_and_of_the_payload(rig: Rig) -> None:
    with rig.connect(
        **{
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "custom-msg-properties": "site=north;line=3",
            "headers": "camera=${sensor.id};$.mid=${messageid};$.cid=run 7;line=4",
        }
    ) as connection:
        connection.send("t", b'{"messageid": "m/1", "sensor": {"id": "cam 1&2"}}')
    assert [each.topic for each in rig.hub.said(Publish)] == [
        b"devices/dev-1/messages/events/%24.mid=m%2F1&%24.cid=run%207"
        b"&%24.ct=application%2Fjson&%24.ce=utf-8&camera=cam%201%262&line=4&site=north"
    ]


def test_a_property_carries_the_number_of_a_message(rig: Rig) -> None:
    with rig.connect(ledger=1) as connection:
        connection.send("t", b'{"sensor": {"id": "cam 1&2"}}')
    (topic,) = (each.topic.decode() for each in rig.hub.said(Publish))
    found = re.search(r"[/&]dsmsg-ledger=([^&]*)", topic)
    assert found is not None
    mark = mark_of([("dsmsg-ledger", unquote(found[1]))], b"")
    assert mark is not None
    assert (mark.number, mark.source) == (1, "cam 1&2")


def test_a_token_made_elsewhere(rig: Rig) -> None:
    def connection(seconds: float) -> str:
        end = int(time.time() + seconds)
        resource = f"{HUB}%2Fdevices%2Fdev-1"
        signed = quote(signature(KEY, f"{resource}\n{end}".encode()), safe="")
        token = f"SharedAccessSignature sr={resource}&sig={signed}&se={end}"
        return f"HostName={HUB}:{rig.hub.port};DeviceId=dev-1;SharedAccessSignature={token}"

    options = {"tls-cafile": rig.cafile, "connect-timeout": "60s"}
    with Adaptor("azure").connect(connection(600), options, work_thread=True) as link:
        link.send(None, b"x")
    assert len(rig.hub.said(Publish)) == 1
    with pytest.raises(DsmsgError, match=r"SharedAccessSignature has expired.*SharedAccessKey"):
        Adaptor("azure").connect(connection(-1), options)


def test_stock_configuration_file(rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "cfg_azure.txt"
    file.write_text(
        "[message-broker]\n"
        f"connection_str = {rig.connection()}\n"
        "custom_msg_properties = key1=value1;key2=value2;\n"
        "share-connection = 1\ncleanup-timeout = 20\n"
        f"tls-cafile = {rig.cafile}\n"
    )
    with Adaptor("azure").connect(None, str(file), work_thread=True) as connection:
        connection.send(None, b"x")
        # DeepStream's sink takes what follows the last ';' for a topic.
        connection.send(rig.connection().rpartition(";")[2], b"y")
    assert [each.topic for each in rig.hub.said(Publish)] == [
        b"devices/dev-1/messages/events/key1=value1&key2=value2"
    ] * 2


def test_tokens_are_renewed_under_load(rig: Rig) -> None:
    # The shortest life that sas-ttl takes is the hardest: less time for all that is on its way
    # than with 30 s, and three renewals within the test.
    futures = []
    with rig.connect(**{"sas-ttl": "10s"}) as connection:
        while len(rig.hub.said(Connect)) < 4:
            begin = len(futures)
            futures += [connection.send_async(None, b"%d" % (begin + i)) for i in range(10)]
            time.sleep(0.02)
        for future in futures:
            future.result(PATIENCE)
    seen = [int(each.payload) for each in rig.hub.said(Publish)]
    assert seen == list(range(len(futures)))  # none lost, none twice, in order
    assert rig.hub.expired == 0
    assert len({each.password for each in rig.hub.said(Connect)}) == 4


def test_messages_to_the_device_survive_renewals(rig: Rig) -> None:
    got: list[bytes] = []
    with rig.connect(**{"sas-ttl": "10s"}) as connection:
        connection.subscribe(["any"], lambda message: got.append(message.payload))
        sent = 0
        while len(rig.hub.said(Connect)) < 3:
            rig.service("devices/dev-1/messages/devicebound/", b"%d" % sent)
            sent += 1
        wait_until(lambda: len(got) >= sent)
    assert got == [b"%d" % number for number in range(sent)]


def test_qos_0(rig: Rig) -> None:
    with rig.connect(qos=0) as connection:
        connection.send(None, b"x")
        wait_until(lambda: rig.hub.said(Publish))
    assert [(each.qos, each.payload) for each in rig.hub.said(Publish)] == [(0, b"x")]


@pytest.mark.parametrize("skew", [300, -300])
def test_clocks_five_minutes_apart(rig: Rig, skew: int) -> None:
    rig.hub.skew = skew
    with rig.connect() as connection:
        connection.send(None, b"x")
    assert len(rig.hub.said(Publish)) == 1


def test_a_lost_session_is_subscribed_to_again(rig: Rig) -> None:
    got: list[bytes] = []
    with rig.connect() as connection:
        connection.subscribe(["any"], lambda message: got.append(message.payload))
        rig.hub.forget = True
        rig.hub.cut()
        count = len(rig.hub.said(Subscribe))
        wait_until(lambda: len(rig.hub.said(Subscribe)) > count)
        while not got:
            rig.service("devices/dev-1/messages/devicebound/", b"still here")
            time.sleep(0.1)


def test_a_rotated_key_keeps_the_messages(rig: Rig) -> None:
    with rig.connect() as connection:
        connection.send(None, b"before")
        rig.hub.keys["dev-1"] = b"another key"
        rig.hub.cut()
        wait_until(lambda: rig.hub.refused)
        future = connection.send_async(None, b"meanwhile")
        rig.hub.keys["dev-1"] = KEY
        connection.reload(rig.connection())
        future.result(PATIENCE)
    assert rig.hub.said(Publish)[-1].payload == b"meanwhile"


def test_requests_are_answered(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    logged = ["a direct method was called, and answered with status 501", "desired properties of"]
    said = ""

    def is_done() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return bool(answers) and all(line in said for line in logged)

    answers: list[paho.MQTTMessage] = []
    watcher = paho.Client(paho.CallbackAPIVersion.VERSION2)
    subscribed = threading.Event()
    watcher.on_subscribe = lambda *_: subscribed.set()
    watcher.on_message = lambda _client, _data, message: answers.append(message)
    watcher.connect(rig.broker.host, rig.broker.port)
    watcher.subscribe("$iothub/methods/res/#")
    watcher.loop_start()
    assert subscribed.wait(PATIENCE)
    with rig.connect() as connection:
        connection.subscribe(["any"], lambda _message: None)
        wait_until(lambda: len(rig.hub.said(Subscribe)) == 3)
        while not is_done():
            rig.service("$iothub/twin/PATCH/properties/desired/?$version=2", b"{}")
            rig.service("$iothub/methods/POST/reboot/?$rid=7", b"{}")
            time.sleep(0.1)
    watcher.loop_stop()
    assert answers[0].topic == "$iothub/methods/res/501/?$rid=7"
    assert [said.count(line) for line in logged] == [1, 1]  # however often it happened


def test_two_programs_with_one_identity_are_told(
    rig: Rig, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ""

    def is_told() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return "another program use the identity dev-1?" in said

    with rig.connect() as one, rig.connect() as other:
        futures = [each.send_async(None, b"x") for each in (one, other)]
        wait_until(is_told)
        logins = len(rig.hub.said(Connect))
        assert logins < 30  # the pauses grow
    for future in futures:
        future.result(PATIENCE)


def test_a_hub_that_ends_connections_over_a_message(rig: Rig) -> None:
    rig.hub.ends_at = b"this one"
    with rig.connect(**{"poison-attempts": 3, "reconnect-interval": "50ms"}) as connection:
        futures = [connection.send_async(None, b"%d" % number) for number in range(20)]
        bad = connection.send_async(None, b"this one")
        futures += [connection.send_async(None, b"%d" % number) for number in range(20, 40)]
        for future in futures:
            future.result(PATIENCE)
        with pytest.raises(DsmsgError, match="8 bytes"):
            bad.result(PATIENCE)
    seen = dict.fromkeys(
        int(each.payload) for each in rig.hub.said(Publish) if len(each.payload) < 3
    )
    assert list(seen) == list(range(40))  # in order, apart from repeats


def test_a_slow_hub_and_tokens_that_end(rig: Rig) -> None:
    """Without acknowledgements for longer than a token lives: none is lost."""
    with rig.connect(**{"sas-ttl": "10s", "queue-size": 100}) as connection:
        connection.send(None, b"first")
        rig.hub.acknowledges = False
        futures = [connection.send_async(None, b"%d" % number) for number in range(50)]
        wait_until(lambda: len(rig.hub.said(Connect)) == 3)
        assert not any(future.done() for future in futures)
        rig.hub.acknowledges = True
        rig.hub.cut()
        for future in futures:
            future.result(PATIENCE)


def test_a_clock_that_was_wrong_at_first(rig: Rig) -> None:
    """A login refused because of the clock is tried again with a new token."""
    with rig.connect() as connection:
        rig.hub.skew = 7200  # all tokens have expired
        rig.hub.cut()
        wait_until(lambda: "expired" in rig.hub.refused)
        future = connection.send_async(None, b"meanwhile")
        rig.hub.skew = 0
        future.result(PATIENCE)


def test_too_large_is_refused_and_kept(rig: Rig, tmp_path: Path) -> None:
    with rig.connect(**{"dead-letter-dir": str(tmp_path / "letters")}) as connection:
        with pytest.raises(DsmsgError, match="262200 bytes"):
            connection.send(None, b"x" * 262200)
        with pytest.raises(DsmsgError, match=r"262144|256"):
            connection.send(None, b"x" * 262145)
        connection.send(None, b"x" * 262000)
    assert len(rig.hub.said(Publish)) == 1
    letters = list((tmp_path / "letters").iterdir())
    assert sum(len(each.read_text().splitlines()) for each in letters if each.is_file()) == 2


def test_a_certificate_in_place_of_a_key(rig: Rig) -> None:
    mine = rig.authority.issue("dev-1")
    rig.hub.by_certificate = {"dev-1"}
    text = f"HostName={HUB}:{rig.hub.port};DeviceId=dev-1;x509=true"
    options = {"tls-cafile": rig.cafile, "connect-timeout": "60s"}
    with pytest.raises(DsmsgError, match="tls-certfile"):
        Adaptor("azure").connect(text, options)
    options.update({"tls-certfile": str(mine.cert), "tls-keyfile": str(mine.key)})
    with Adaptor("azure").connect(text, options, work_thread=True) as connection:
        connection.send(None, b"x")
    assert [each.password for each in rig.hub.said(Connect)] == [None]


class WorkloadService(BaseHTTPRequestHandler):
    """The IoT Edge runtime's side of the workload API."""

    bundle: ClassVar[str]
    length: ClassVar[bool] = True  # else an answer ends with its connection
    signed: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """The certificates of the gateway."""
        assert self.path == "/trust-bundle?api-version=2019-01-30"
        self._answer({"certificate": self.bundle})

    def do_POST(self) -> None:
        """A signature."""
        assert self.path == "/modules/mod.A/genid/gen%207/sign?api-version=2019-01-30"
        assert self.headers["Host"] == "localhost"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (body["keyId"], body["algo"]) == ("primary", "HMACSHA256")
        text = base64.b64decode(body["data"])
        self.signed.append(text.decode())
        self._answer({"digest": signature(KEY, text)})

    def _answer(self, value: object) -> None:
        assert self.request_version == "HTTP/1.0"  # an answer in chunks would be wrong
        data = json.dumps(value).encode()
        self.send_response(200)
        if self.length:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for part in (data[:5], data[5:]):
            self.wfile.write(part)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is no log."""

    def address_string(self) -> str:
        """A name for the log: a Unix socket has none."""
        return "module"


class UnixServer(ThreadingHTTPServer):
    """HTTP on a Unix socket."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """Without the host names that the library looks for."""
        self.socket.bind(str(self.server_address))


@pytest.fixture
def edge(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """What an IoT Edge runtime gives its module; the gateway is the hub of the tests."""
    path = str(tmp_path / "workload.sock")
    WorkloadService.bundle = rig.authority.cafile.read_text()
    WorkloadService.signed.clear()
    server = UnixServer(path, WorkloadService, bind_and_activate=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in {
        "MODULEID": "mod.A",
        "DEVICEID": "dev-1",
        "IOTHUBHOSTNAME": HUB,
        "GATEWAYHOSTNAME": f"localhost:{rig.hub.port}",
        "APIVERSION": "2018-06-28",
        "MODULEGENERATIONID": "gen 7",
        "WORKLOADURI": f"unix://{path}",
    }.items():
        monkeypatch.setenv(f"IOTEDGE_{name}", value)
    try:
        yield rig
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("length", [False, True])
def test_a_module_of_the_edge_runtime(
    edge: Rig, length: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkloadService, "length", length)
    with Adaptor("azure_edge").connect(
        None, {"sas-ttl": "10s", "connect-timeout": "60s"}, work_thread=True
    ) as connection:
        connection.send("detections", b"x")
        wait_until(lambda: len(edge.hub.said(Connect)) == 2)  # renewed: signed again
        connection.send("detections", b"y")
    assert {each.topic for each in edge.hub.said(Publish)} == {
        b"devices/dev-1/modules/mod.A/messages/events/%24.on=detections"
    }
    assert len(WorkloadService.signed) == 2
    assert WorkloadService.signed[0].startswith("localhost%2Fdevices%2Fdev-1%2Fmodules%2Fmod.A\n")


def test_without_the_edge_runtime_it_says_what_is_missing(
    edge: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTEDGE_WORKLOADURI", "unix:///run/no-such.sock")
    with pytest.raises(DsmsgError, match=r"workload API at /run/no-such\.sock.*runtime running"):
        Adaptor("azure_edge").connect(None, {"connect-timeout": "5s"})
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer(said: bytes) -> None:
            with listener.accept()[0] as client:
                client.recv(4096)
                client.sendall(said)

        monkeypatch.setenv("IOTEDGE_WORKLOADURI", f"unix://{path}")
        for said, expected in [
            (b"HTTP/1.1 404 Not Found\r\n\r\n{}", "404 Not Found"),
            (b"HTTP/1.1 200 OK\r\n\r\n{}", 'no "certificate"'),
            (b"HTTP/1.1 200 OK\r\n", "not complete HTTP"),
        ]:
            thread = threading.Thread(target=answer, args=(said,))
            thread.start()
            with pytest.raises(DsmsgError, match=expected):
                Adaptor("azure_edge").connect(None, {"connect-timeout": "60s"})
            thread.join()
    monkeypatch.delenv("IOTEDGE_WORKLOADURI")
    with pytest.raises(DsmsgError, match="no SharedAccessKey"):
        Adaptor("azure_edge").connect(None)
    monkeypatch.delenv("IOTEDGE_MODULEID")
    with pytest.raises(DsmsgError, match="ModuleId"):
        Adaptor("azure_edge").connect(None)


BAD = {
    "no-device": ("HostName={host};SharedAccessKey={key}", "DeviceId is missing"),
    "no-key": ("HostName={host};DeviceId=dev-1", "SharedAccessKey"),
    "no-base64": ("HostName={host};DeviceId=dev-1;SharedAccessKey=c2VjcmV0x", "not valid base64"),
    "plus": ("HostName={host};DeviceId=dev+1;SharedAccessKey={key}", r"contains '\+'"),
    "unknown-host": ("HostName=hub.invalid;DeviceId=dev-1;SharedAccessKey={key}", "hub.invalid"),
    "wrong-key": ("HostName={host};DeviceId=dev-1;SharedAccessKey=d3Jvbmc=", "not authorized.*key"),
    "other-device": ("HostName={host};DeviceId=dev-2;SharedAccessKey={key}", "not authorized"),
    "policy": ("HostName={host};SharedAccessKeyName=own;SharedAccessKey={key}", "for services"),
    "no-token": (
        "HostName={host};DeviceId=dev-1;SharedAccessSignature=sr=c2VjcmV0",
        "does not begin with",
    ),
    "two-hubs": ("HostName=a,{host};DeviceId=dev-1;SharedAccessKey={key}", "one hub"),
    "module": ("HostName={host};DeviceId=dev-1;ModuleId=m;SharedAccessKey={key}", "azure_edge"),
}


@pytest.mark.parametrize("option", ["custom-msg-properties", "headers", "topic-property"])
def test_names_that_only_the_hub_gives_are_refused(rig: Rig, option: str) -> None:
    value = "$.iothub" if option == "topic-property" else "$.iothub=x"
    with pytest.raises(DsmsgError, match=r"cannot be named \"\$\.iothub\""):
        rig.connect(**{option: value})


@pytest.mark.parametrize("name", list(BAD))
def test_what_is_wrong_is_said(
    rig: Rig, name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSMSG_LOG", "debug")
    key = base64.b64encode(KEY).decode()
    template, expected = BAD[name]
    text = template.format(host=f"{HUB}:{rig.hub.port}", key=key)
    with pytest.raises(DsmsgError, match=expected) as error:
        Adaptor("azure").connect(text, {"tls-cafile": rig.cafile, "connect-timeout": "60s"})
    said = str(error.value) + capfd.readouterr().err
    assert key not in said
    assert "c2VjcmV0" not in said
    assert "d3Jvbmc" not in said
    assert "sig=" not in said
