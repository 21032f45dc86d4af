# SPDX-License-Identifier: Apache-2.0
"""The HTTP adaptor and those who would break it: servers that end, proxies, hostile clients."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from dsmsg.adaptor import DsmsgError, Message
from dsmsg.brokers._process import free_port
from dsmsg.errors import RefusedError
from web_site import Site

PATIENCE = 240.0
QUICK = {"reconnect_interval": "10ms", "reconnect_max_interval": "50ms"}


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


# ---------------------------------------------------------------- once, and not less


def test_a_connection_that_ends_doubles_nobody_elses_request(site: Site) -> None:
    began, go = threading.Event(), threading.Event()

    def answer(body: bytes) -> int:
        if b"slow" in body:
            began.set()
            assert go.wait(PATIENCE)
        elif site.bodies().count(body) == 1:
            return 0  # it ends the connection
        return 204

    site.answer = answer
    site.locks = False
    with site.connect(key="${k}", **QUICK) as connection:
        slow = connection.send_async("t", b'{"k":"slow"}')
        assert began.wait(PATIENCE)
        lost = connection.send_async("t", b'{"k":"lost"}')
        wait_for(lambda: site.bodies().count(b'{"k":"lost"}') == 1, "the other request")
        time.sleep(0.2)  # what the adaptor does in this time must not be a second "slow"
        go.set()
        slow.result(PATIENCE)
        lost.result(PATIENCE)
    assert site.bodies().count(b'{"k":"slow"}') == 1
    assert site.bodies().count(b'{"k":"lost"}') == 2


def test_a_server_that_ends_idle_connections(site: Site) -> None:
    site.closes = True  # without saying so
    with site.connect(linger=0, **QUICK) as connection:
        for number in range(50):
            connection.send("t", b"%d" % number, timeout=PATIENCE)
    keys = {body: request["Idempotency-Key"] for body, request in site.by_body()}
    assert sorted(map(int, keys)) == list(range(50))
    assert len({request["Idempotency-Key"] for _, request in site.by_body()}) == 50


def test_an_answer_that_breaks_off(site: Site) -> None:
    with site.connect(**QUICK) as connection:
        site.raw = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"]
        connection.send("t", b"answered", timeout=PATIENCE)
        site.raw = [b"HTTP/1.1 2"]
        connection.send("t", b"not answered", timeout=PATIENCE)
    assert site.bodies() == [b"answered", b"not answered", b"not answered"]
    ids = [request["Idempotency-Key"] for _, request in site.by_body()]
    assert ids[1] == ids[2]


def test_a_large_body_goes_at_once(site: Site) -> None:
    body = os.urandom(16 << 20)
    with site.connect() as connection:
        connection.send("t", body, timeout=PATIENCE)
    assert site.bodies() == [body]
    assert "Expect" not in site.requests[0][2]


_CHILD = """
import sys
from dsmsg.adaptor import Adaptor
options = {"spool-dir": sys.argv[3], "spool-mode": "always", "request-timeout": "60s"}
connection = Adaptor(sys.argv[1]).connect(sys.argv[2], options, work_thread=True)
for number in range(20):
    connection.send("t", b'{"n":%d}' % number)  # OK: it is on disk
print("sent", flush=True)
sys.stdin.read()
"""


def test_ids_survive_sigkill(site: Site, tmp_path: Path) -> None:
    site.answer = lambda _: 503
    command = [sys.executable, "-c", _CHILD, "http", f"http://127.0.0.1:{site.port}", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(2):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
        with subprocess.Popen(command, **pipes) as child:  # type: ignore[call-overload]
            assert child.stdout is not None
            assert child.stdout.readline() == b"sent\n"
            seen = len(site.requests)
            wait_for(lambda seen=seen: len(site.requests) > seen + 1, "a try of the first message")
            child.send_signal(signal.SIGKILL)
    tried = [(body, request["Idempotency-Key"]) for body, request in site.by_body()]
    site.answer = lambda _: 204
    with site.connect(host="127.0.0.1", spool_dir=tmp_path) as connection:
        wait_for(lambda: connection.stats()["spool_backlog"] == 0, "the spool is sent")
    ids: dict[bytes, set[str]] = {}
    for body, request in site.by_body()[len(tried) :]:
        ids.setdefault(body, set()).add(request["Idempotency-Key"])
    # Both children sent the same bodies, each as messages of its own.
    assert {len(found) for found in ids.values()} == {2}
    assert len(ids) == 20
    assert tried
    assert all(key in ids[body] for body, key in tried)


# ---------------------------------------------------------------- headers


def test_the_users_own_headers_replace_ours(site: Site) -> None:
    own = {"idempotency-KEY": "mine", "content-type": "text/plain", "authorization": "Own x"}
    with site.connect(bearer_token="t0ken") as connection:  # noqa: S106 - a test's
        connection.send_message("t", b"{}", headers=own).result(PATIENCE)
    _, request = site.by_body()[0]
    for name, value in own.items():
        assert request.get_all(name) == [value]


def test_a_header_of_a_message_cannot_change_the_request(site: Site) -> None:
    with site.connect() as connection:
        for name in ("A: 1\r\nB", "A B", "", "Content-Length"):
            with pytest.raises(RefusedError, match=r"not a header's name|set by the adaptor"):
                connection.send_message("t", b"{}", headers={name: "2"}).result(PATIENCE)
        connection.send("t", b"[]")
    assert site.bodies() == [b"[]"]


def test_what_was_received_can_be_passed_on(site: Site) -> None:
    port = free_port()
    with site.connect(listen=port) as connection:

        def pass_on(message: Message) -> None:
            texts = [(name, value.decode()) for name, value in message.headers]
            connection.send_message("on", message.payload + b"!", headers=texts)

        connection.subscribe(["t"], pass_on)
        assert post(port, "/t", b"{}", X_Camera="north", Idempotency_Key="k1") == 204
        wait_for(lambda: site.requests, "it is passed on")
    body, request = site.by_body()[0]
    assert body == b"{}!"
    assert request["Host"] == f"localhost:{site.port}"
    assert (request["X-Camera"], request.get_all("Idempotency-Key")) == ("north", ["k1"])


# ---------------------------------------------------------------- compression


def test_gzip(site: Site) -> None:
    large = json.dumps({"objects": ["person"] * 500}).encode()
    with site.connect(compression="gzip") as connection:
        connection.send("t", large)
        connection.send("t", b"{}")  # would not be smaller
        ready = gzip.compress(b"[]")
        connection.send_message("t", ready, headers={"Content-Encoding": "gzip"}).result(PATIENCE)
        site.plan = [(415, {})]
        with pytest.raises(RefusedError, match="compression=none"):
            connection.send("t", large)
    (first, head), (second, plain), (third, own), _ = site.by_body()
    assert gzip.decompress(first) == large
    assert (head["Content-Encoding"], plain["Content-Encoding"], second) == ("gzip", None, b"{}")
    assert (own.get_all("Content-Encoding"), third) == (["gzip"], ready)


def test_gzip_of_batches(site: Site) -> None:
    site.delay = 0.05
    with site.connect(compression="gzip", batch_size=50, max_inflight=1) as connection:
        for number in range(100):
            connection.send_async("t", b'{"i":%d}' % number)
        assert connection.flush(PATIENCE)
    numbers = []
    for body, request in site.by_body():
        text = gzip.decompress(body) if request["Content-Encoding"] else body
        numbers += [each["i"] for each in json.loads(text)]
    assert numbers == list(range(100))


# ---------------------------------------------------------------- proxies


class Proxy:
    """An HTTP proxy (requests, CONNECT) and a SOCKS5 one, on one port each."""

    def __init__(self, login: str = "") -> None:
        self.asked: list[str] = []
        self.refuses = 0  # a status
        self.login = login
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client:
            first = client.recv(1, socket.MSG_PEEK)
            try:
                if first == b"\x05":
                    self._socks(client)
                else:
                    self._http(client)
            except OSError:
                pass

    def _socks(self, client: socket.socket) -> None:
        client.recv(client.recv(2)[1])
        client.sendall(b"\x05\x00")
        kind = client.recv(4)[3]
        assert kind == 3  # a name: the proxy looks it up
        name = client.recv(client.recv(1)[0]).decode()
        port = int.from_bytes(client.recv(2), "big")
        self.asked.append(f"socks {name}:{port}")
        with socket.create_connection(("127.0.0.1", port)) as server:
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            self._copy(client, server, b"")

    def _http(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = client.recv(65536)
            if not part:
                return
            head += part
        line = head.split(b"\r\n")[0].decode()
        self.asked.append(line)
        given = re.search(rb"Proxy-Authorization: Basic (\S+)", head)
        wanted = base64.b64encode(self.login.encode())
        if self.login and (given is None or given.group(1) != wanted):
            client.sendall(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n")
            return
        if self.refuses:
            client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.refuses)
            return
        port = re.search(r":(\d+)", line.replace("http://", ""))
        assert port is not None
        with socket.create_connection(("127.0.0.1", int(port.group(1)))) as server:
            if line.startswith("CONNECT"):
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                self._copy(client, server, b"")
            else:
                self._copy(client, server, re.sub(rb"^(\S+) http://[^/]+", rb"\1 ", head))

    @staticmethod
    def _copy(client: socket.socket, server: socket.socket, first: bytes) -> None:
        server.sendall(first)
        while True:
            for each in select.select([client, server], [], [])[0]:
                part = each.recv(65536)
                if not part:
                    return
                (server if each is client else client).sendall(part)

    def close(self) -> None:
        """Takes no more connections."""
        self.socket.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy("me:p@ ss")
    yield made
    made.close()


def test_requests_go_through_the_proxy(site: Site, proxy: Proxy) -> None:
    url = f"http://me:p%40%20ss@127.0.0.1:{proxy.port}"
    with site.connect(proxy=url, host="nowhere.test") as connection:
        connection.send("a/b", b"{}", timeout=PATIENCE)
    assert proxy.asked == [f"POST http://nowhere.test:{site.port}/a/b HTTP/1.1"]
    assert site.bodies() == [b"{}"]
    assert "Proxy-Authorization" in site.requests[0][2]  # our proxy passes everything on


def test_tls_through_the_proxy(tmp_path: Path, proxy: Proxy) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    site = Site(context)
    options = {"proxy": f"http://me:p%40%20ss@127.0.0.1:{proxy.port}", **QUICK}
    with site.connect("https", tls_cafile=str(authority.cafile), **options) as connection:
        connection.send("t", b"{}", timeout=PATIENCE)
        assert proxy.asked == [f"CONNECT localhost:{site.port} HTTP/1.1"]
        assert "Proxy-Authorization" not in site.requests[0][2]
    with pytest.raises(DsmsgError, match="certificate"):
        site.connect("https", probe="/", **options)
    proxy.refuses = 403
    with pytest.raises(DsmsgError, match=r"the proxy 127.0.0.1:\d+ answered 403"):
        site.connect("https", probe="/", tls_cafile=str(authority.cafile), **options)
    site.close()


def test_socks5(site: Site) -> None:
    proxy = Proxy()
    with site.connect(proxy=f"socks5://127.0.0.1:{proxy.port}", host="nowhere.test") as connection:
        connection.send("t", b"{}", timeout=PATIENCE)
    assert proxy.asked == [f"socks nowhere.test:{site.port}"]
    proxy.close()


def test_a_proxy_that_refuses(site: Site, proxy: Proxy) -> None:
    for login, text in ("", "does it want a login"), ("me:wrong@", "check the user"):
        with pytest.raises(DsmsgError, match=f"the proxy .* answered 407 .*{text}") as caught:
            site.connect(proxy=f"http://{login}127.0.0.1:{proxy.port}", probe="/")
        assert "wrong" not in str(caught.value)
    with pytest.raises(DsmsgError, match=r"proxy: .*refused"):
        site.connect(proxy=f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    "text", ["https://p:1", "p:1", "http://s3cret@", "http://p:1/x", "ftp://p"]
)
def test_what_is_no_proxy(site: Site, text: str) -> None:
    with pytest.raises(DsmsgError, match=r"proxy: expected http://host:port") as caught:
        site.connect(proxy=text)
    assert "s3cret" not in str(caught.value)


def test_the_environments_proxy_is_not_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with site.connect() as connection:
        connection.send("t", b"{}", timeout=PATIENCE)


# ---------------------------------------------------------------- the endpoint


def post(
    port: int, path: str, body: bytes = b"{}", source: str = "127.0.0.1", **headers: str
) -> int:
    """Returns the status."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=PATIENCE, source_address=(source, 0)
    )
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, given)
        return connection.getresponse().status
    finally:
        connection.close()


def ended(client: socket.socket) -> bool:
    """Whether the endpoint has ended this connection, waiting for it."""
    client.settimeout(PATIENCE)
    try:
        while client.recv(1000):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    "slow", [b"", b"POST /t HT", b"POST /t HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"]
)
def test_slow_clients_are_ended(site: Site, slow: bytes) -> None:
    port = free_port()
    with site.connect(listen=port, listen_timeout="300ms", listen_connections=2) as connection:
        connection.subscribe(["t"], lambda _: None)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        over = threading.Event()

        def drip(client: socket.socket) -> None:
            with client:
                client.sendall(slow)
                while slow and not over.wait(0.05):  # never idle for long
                    client.sendall(b"x" if b"\r\n\r\n" in slow else b"a")

        def run(client: socket.socket) -> None:
            with contextlib.suppress(OSError):
                drip(client) if slow else ended(client)

        threads = [threading.Thread(target=run, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        try:
            assert post(port, "/t") == 204  # it gets a place when they have lost theirs
        finally:
            over.set()
            for thread in threads:
                thread.join(PATIENCE)
            for client in clients:
                client.close()


def test_a_request_that_waits_for_the_host_is_not_slow(site: Site) -> None:
    port = free_port()
    with site.connect(listen=port, listen_timeout="100ms") as connection:
        connection.subscribe(["t"], lambda _: time.sleep(1.0))
        assert post(port, "/t") == 204


def test_strangers_do_not_take_the_places_of_others(site: Site) -> None:
    port = free_port()
    options = {"listen": port, "listen_allow": "127.0.0.2", "listen_connections": 4}
    with site.connect(**options) as connection:
        connection.subscribe(["t"], lambda _: None)
        assert post(port, "/t") == 403
        strangers = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
        for stranger in strangers:
            with contextlib.suppress(ConnectionError):
                stranger.sendall(b"POST /t HTTP/1.1\r\n")
        assert post(port, "/t", source="127.0.0.2") == 204
        for stranger in strangers:
            stranger.close()


def test_503_while_the_inbox_is_full(site: Site) -> None:
    port, go = free_port(), threading.Event()
    body = bytes(20 << 20)
    answers: list[int] = []
    with site.connect(listen=port, listen_max_bytes="32M") as connection:
        connection.subscribe(["t"], lambda _: go.wait(PATIENCE) and None)

        def run() -> None:
            answers.append(post(port, "/t", body))

        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        wait_for(lambda: 503 in answers, "64 MiB are too much")
        assert 204 not in answers
        go.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert set(answers) == {204, 503}
