# SPDX-License-Identifier: Apache-2.0
"""The HTTP adaptor against web servers that answer as they like, and clients of its endpoint."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from certificates import Authority
from dsmsg.adaptor import Adaptor, DsmsgError, Message
from dsmsg.brokers._process import free_port
from dsmsg.errors import RefusedError, TooLargeError, UnknownTopicError
from web_site import Site

PATIENCE = 240.0
LOGIN = {"username": "me", "password": "pw"}
OLD = {"bearer-token": "old"}


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def test_request(site: Site) -> None:
    options = {
        "path": "/in/${topic}?cam=${sensor.id}",
        "headers": "X-Cam=${sensor.id}",
        "bearer_token": "t0ken",
        "cloudevents": 1,
        "key": "${sensor.id}",
        "key_header": "X-Key",
    }
    with site.connect(**options) as connection:
        connection.send("a/b", b'{"sensor":{"id":"north 1"}}')
    method, path, headers, body = site.requests[0]
    assert (method, path) == ("POST", "/in/a/b?cam=north%201")
    assert body == b'{"sensor":{"id":"north 1"}}'
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["X-Cam"] == headers["X-Key"] == "north 1"
    assert headers["Content-Type"] == "application/json"
    assert headers["ce-id"] == headers["Idempotency-Key"]
    assert (headers["ce-specversion"], headers["ce-subject"]) == ("1.0", "a/b")
    assert "Expect" not in headers


def test_attributes_of_events_are_percent_encoded(site: Site) -> None:
    """CloudEvents' HTTP binding, 3.1.3.2: readers decode them."""
    with site.connect(path="/in", cloudevents=1, ce_source="/site 1") as connection:
        connection.send('north gate/50%"é', b"{}")
    headers = site.requests[0][2]
    assert headers["ce-subject"] == "north%20gate/50%25%22%C3%A9"
    assert headers["ce-source"] == "/site%201"
    assert headers["ce-type"] == "dsmsg.message"


def _signature(method: str, path: str, headers: dict[str, str], body: bytes, secret: str) -> str:
    """What Signature Version 4 demands for this request."""
    scheme, credential, signed, _ = re.fullmatch(
        r"(\S+) Credential=[^/]+/(\S+?), ?SignedHeaders=(\S+?), ?Signature=(\w+)",
        headers["authorization"],
    ).groups()  # type: ignore[union-attr]
    digest = hashlib.sha256(body).hexdigest()
    assert headers["x-amz-content-sha256"] == digest
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed.split(";"))
    target, _, query = path.partition("?")
    canonical = f"{method}\n{target}\n{query}\n{lines}\n{signed}\n{digest}"
    key = b"AWS4" + secret.encode()
    for part in credential.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{scheme}\n{headers['x-amz-date']}\n{credential}\n{hashed}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def test_signed_for_s3(site: Site) -> None:
    word = "se/cr+et"
    options = {"sign": "aws-v4", "sign-region": "eu-west-1", "method": "PUT", "headers": "X-A=b"}
    login = {"username": "AKEY", "password": word}
    with site.connect(path="/bucket/${topic}?b=1&c=a%20b", **options, **login) as connection:
        connection.send("north gate/ä.jpg", b"\x00\xff\xd8")
    method, path, headers, body = site.requests[0]
    assert (method, path) == ("PUT", "/bucket/north%20gate/%C3%A4.jpg?b=1&c=a%20b")
    assert body == b"\x00\xff\xd8"
    small = {name.lower(): value for name, value in headers.items()}
    day = small["x-amz-date"][:8]
    assert f"Credential=AKEY/{day}/eu-west-1/s3/aws4_request," in small["authorization"]
    assert "Signature=" + _signature(method, path, small, body, word) in small["authorization"]


def test_signing_needs_keys(site: Site) -> None:
    with pytest.raises(DsmsgError, match="access key as user name"):
        site.connect(sign="aws-v4")


def test_put_without_a_topic(site: Site) -> None:
    with site.connect(base="/hook", method="PUT", **LOGIN) as connection:
        connection.send("", b"\x00\x01" * 1_000_000)
    method, path, headers, body = site.requests[0]
    assert (method, path) == ("PUT", "/hook")
    assert len(body) == 2_000_000
    assert headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_waits(site: Site, status: int) -> None:
    site.plan = [(status, {}), (status, {}), (200, {})]
    with site.connect() as connection:
        connection.send("t", b"{}")
        assert connection.stats()["retried"] == 2
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in site.requests}) == 1


@pytest.mark.parametrize("retry_after", ["1", "-5", "nonsense", "a date"])
def test_retry_after(site: Site, retry_after: str) -> None:
    if retry_after == "a date":
        retry_after = formatdate(time.time() - 99, usegmt=True)
    site.plan = [(503, {"Retry-After": retry_after})]
    begin = time.monotonic()
    with site.connect() as connection:
        connection.send("t", b"{}")
    if retry_after == "1":
        assert time.monotonic() - begin >= 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError),
        (301, RefusedError),
        (404, UnknownTopicError),
        (410, UnknownTopicError),
        (413, TooLargeError),
    ],
)
def test_refuses(site: Site, tmp_path: Path, status: int, error: type[Exception]) -> None:
    site.plan = [(status, {"Location": "http://elsewhere/"})]
    with site.connect(dead_letter_dir=str(tmp_path)) as connection:
        with pytest.raises(error, match=str(status)):
            connection.send("t", b"{}")
        connection.send("t", b"[]")
    assert site.bodies() == [b"{}", b"[]"]
    letters = [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert len(letters) == 1


def test_a_wrong_token_costs_no_message(site: Site) -> None:
    site.plan = [(401, {})] * 3
    with site.connect(reconnect_interval="10ms", **OLD) as connection:
        connection.send("t", b"{}", timeout=PATIENCE)
        assert connection.stats()["failed"] == {}
    assert len(site.requests) == 4


def test_a_probe_finds_it_at_once(site: Site) -> None:
    site.plan = [(401, {})]
    with pytest.raises(DsmsgError, match="bearer-token"):
        site.connect(probe="/health", **OLD)
    assert site.requests[0][:2] == ("GET", "/health")
    site.plan = [(404, {})]
    with pytest.raises(DsmsgError, match=r"probe.*404"):
        site.connect(probe="health")


def test_a_request_without_an_answer_is_sent_again_with_its_id(site: Site) -> None:
    with site.connect(reconnect_interval="10ms", linger=0) as connection:
        connection.send("t", b"0")  # the next request finds an idle connection
        site.plan = [(0, {})]
        connection.send("t", b"1", timeout=PATIENCE)
        assert connection.stats()["retried"] == 1
    assert site.bodies() == [b"0", b"1", b"1"]
    ids = [headers["Idempotency-Key"] for _, _, headers, _ in site.requests]
    assert ids[0] != ids[1] == ids[2]


def test_an_answer_without_an_end_is_an_answer(site: Site) -> None:
    site.plan = [(200, {"Transfer-Encoding": "chunked"})]
    with site.connect(request_timeout="60s") as connection:
        connection.send("t", b"{}")
        connection.send("t", b"[]")
    assert site.bodies() == [b"{}", b"[]"]


def test_a_server_that_ends_over_a_message_costs_that_message(site: Site) -> None:
    def of_bad(body: bytes) -> int:
        return 0 if body == b"bad" else 204

    site.answer = of_bad
    options = {"max_inflight": 1, "reconnect_interval": "10ms"}
    with site.connect(probe="/", **options) as connection:
        with pytest.raises(RefusedError, match="over this message"):
            connection.send("t", b"bad", timeout=PATIENCE)
        connection.send("t", b"good")
    # Without a probe it may be a proxy in front of a server that is down.
    count = len(site.requests)
    with site.connect(**options) as connection:
        result = connection.send_async("t", b"bad")
        while len(site.requests) < count + 6:
            time.sleep(0.01)
        assert not result.done()
        site.answer = lambda _: 204
        result.result(PATIENCE)


def test_a_server_that_does_not_answer_costs_no_message(site: Site) -> None:
    options = {"max_inflight": 1, "reconnect_interval": "10ms", "reconnect_max_interval": "20ms"}
    site.delay = 2.0
    with site.connect(poison_attempts=1, request_timeout="500ms", **options) as connection:
        result = connection.send_async("t", b"{}")
        while connection.stats()["retried"] < 3:
            time.sleep(0.01)
        assert not result.done()
        site.delay = 0.0
        result.result(PATIENCE)


def test_one_key_stays_in_order_and_others_go_beside_it(site: Site) -> None:
    site.delay = 0.002
    site.plan = [(503, {})] * 5
    with site.connect(key="${k}", max_inflight=8) as connection:
        for i in range(400):
            connection.send_async("t", json.dumps({"k": i % 20, "i": i}).encode())
        assert connection.flush(PATIENCE)
    last: dict[int, int] = {}
    accepted = [json.loads(body) for body in site.bodies()][5:]
    for message in accepted:
        assert message["i"] > last.get(message["k"], -1)
        last[message["k"]] = message["i"]
    assert len(accepted) == 400
    assert 1 < site.most_at_once <= 8


def test_batches(site: Site) -> None:
    site.delay = 0.05
    with site.connect(batch_size=50, max_inflight=1) as connection:
        results = [connection.send_async("t", b'{"i":%d}' % i) for i in range(200)]
        assert connection.flush(PATIENCE)
        for result in results:
            result.result()
    lists = [json.loads(body) for body in site.bodies()]
    assert [each["i"] for part in lists for each in part] == list(range(200))
    assert max(len(part) for part in lists) == 50


def test_of_a_refused_batch_only_the_culprit_is_refused(site: Site) -> None:
    site.delay = 0.05
    with site.connect(batch_size=50, max_inflight=1) as connection:
        connection.send_async("t", b"0")  # the others wait meanwhile
        while not site.requests:
            time.sleep(0.001)
        results = [connection.send_async("t", b"%d" % i) for i in range(1, 6)]
        site.plan = [(400, {}), (204, {}), (204, {}), (400, {})]
        connection.flush(PATIENCE)
        outcomes = [result.exception() is None for result in results]
    assert outcomes == [True, True, False, True, True]
    assert site.bodies() == [b"[0]", b"[1,2,3,4,5]", b"[1]", b"[2]", b"[3]", b"[4]", b"[5]"]


def test_what_a_payload_says_cannot_change_the_request(site: Site) -> None:
    options = {"path": "/in/${id}", "headers": "X-Id=${id}"}
    with site.connect(**options) as connection:
        connection.send("t", json.dumps({"id": "../admin?x#y"}).encode())
        with pytest.raises(RefusedError, match=r"\.\."):
            connection.send("t", json.dumps({"id": ".."}).encode())
        connection.send("t", json.dumps({"id": "a\r\nX-Admin: 1"}).encode())
    assert site.requests[0][1] == "/in/..%2Fadmin%3Fx%23y"
    assert all("X-Admin" not in headers for _, _, headers, _ in site.requests)


@pytest.mark.parametrize("host", ["localhost", "localhost."])
@pytest.mark.parametrize("http2", [0, 1])
def test_tls(tmp_path: Path, http2: int, host: str) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    site = Site(context)
    trust = {"tls_cafile": str(authority.cafile), "http2": http2}
    with site.connect("https", host=host, **trust) as connection:
        connection.send("t", b"{}")
    assert site.bodies() == [b"{}"]
    with pytest.raises(DsmsgError, match="certificate"):
        site.connect("https")


# ---------------------------------------------------------------- the endpoint


def post(port: int, path: str, body: bytes = b"{}", method: str = "POST", **headers: str) -> int:
    """Returns the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, given)
        return connection.getresponse().status
    finally:
        connection.close()


def test_endpoint(site: Site) -> None:
    port = free_port()
    got: list[Message] = []
    with site.connect(listen=port) as connection:
        connection.subscribe(["cam/#", "one"], got.append)
        assert (
            post(port, "/cam/1", b"\x00x", Idempotency_Key="7", Authorization="Basic eA==") == 204
        )
        assert post(port, "/one", method="PUT") == 204
        assert post(port, "/two") == 404
        assert post(port, "/one", method="GET") == 405
    assert [(m.topic, m.payload) for m in got] == [("cam/1", b"\x00x"), ("one", b"{}")]
    assert got[0].id == "7"
    assert all(name.lower() != "authorization" for name, _ in got[0].headers)


def test_endpoint_answers_after_the_callback(site: Site) -> None:
    port = free_port()
    go = threading.Event()
    answers: list[int] = []
    with site.connect(listen=port) as connection:
        connection.subscribe(["t"], lambda _: go.wait(PATIENCE) and None)
        thread = threading.Thread(target=lambda: answers.append(post(port, "/t")))
        thread.start()
        thread.join(0.3)
        assert not answers
        go.set()
        thread.join(PATIENCE)
    assert answers == [204]


def test_who_is_not_let_in(site: Site) -> None:
    port = free_port()
    options = {"listen": port, "listen_headers": "X-Camera=s3cret", "listen_max_bytes": 1000}
    got: list[Message] = []
    with site.connect(**options) as connection:
        connection.subscribe(["t"], got.append)
        assert post(port, "/t") == 401
        assert post(port, "/t", X_Camera="s3creT") == 401
        assert post(port, "/t", b"x" * 1001, X_Camera="s3cret") == 413
        with pytest.raises((http.client.HTTPException, OSError)):  # chunked, without a size
            post(port, "/t", iter([b"x" * 600] * 2), X_Camera="s3cret")  # type: ignore[arg-type]
        assert post(port, "/t", X_Camera="s3cret") == 204
    assert [m.payload for m in got] == [b"{}"]
    assert all(name.lower() != "x-camera" for name, _ in got[0].headers)
    port = free_port()
    with site.connect(listen=port, listen_allow="10.0.0.0/8") as connection:
        connection.subscribe(["t"], got.append)
        assert post(port, "/t") == 403


def test_endpoint_with_tls(site: Site, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("localhost")
    port = free_port()
    files = {"listen_certfile": str(server.cert), "listen_keyfile": str(server.key)}
    got: list[Message] = []
    with site.connect(listen=port, **files) as connection:
        connection.subscribe(["t"], got.append)
        context = ssl.create_default_context(cafile=str(authority.cafile))
        client = http.client.HTTPSConnection("localhost", port, context=context)
        client.request("POST", "/t", b"{}")
        assert client.getresponse().status == 204
        client.close()
    assert len(got) == 1


def test_listen_is_asked_for(site: Site) -> None:
    with site.connect() as connection, pytest.raises(DsmsgError, match=r"listen=127\.0\.0\.1:8088"):
        connection.subscribe(["t"], print)
    taken = Site()
    with (
        site.connect(listen=taken.port) as connection,
        pytest.raises(DsmsgError, match="another program has this port"),
    ):
        connection.subscribe(["t"], print)


def test_an_endpoint_needs_no_url() -> None:
    port = free_port()
    got: list[Message] = []
    with Adaptor("http").connect(None, {"listen": f"127.0.0.1:{port}"}, work_thread=True) as only:
        only.subscribe("#", got.append)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        client.request("POST", "/a/b", b"x")
        assert client.getresponse().status == 204
        assert [(each.topic, each.payload) for each in got] == [("a/b", b"x")]
        with pytest.raises(DsmsgError, match="this connection only receives"):
            only.send("t", b"y")
    with pytest.raises(DsmsgError, match="connection string: it is empty"):
        Adaptor("http").connect(None, {})
