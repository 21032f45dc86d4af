# SPDX-License-Identifier: Apache-2.0
"""An Azure IoT Hub for trials and tests: a checker with TLS in front of a real Mosquitto.

It writes down what clients say (CONNECT, SUBSCRIBE, PUBLISH) byte for byte, checks their signatures
as a hub does, and ends connections whose token has expired. A looping one passes on to every device
and module what any of them sends.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import math
import ssl
import struct
import threading
import time
import urllib.parse
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["Connect", "Hub", "Publish", "Subscribe", "signature"]

_PUBLISH, _PUBACK, _SUBSCRIBE, _UNSUBSCRIBE = 3, 4, 8, 10
_NOT_AUTHORIZED = b"\x20\x02\x00\x05"


@dataclass(frozen=True)
class Connect:
    """What a client says first."""

    client_id: str
    user: str
    password: str | None
    protocol: str
    level: int
    flags: int
    keep_alive: int


@dataclass(frozen=True)
class Publish:
    """One message on its way to the hub."""

    topic: bytes
    payload: bytes
    qos: int
    retain: bool
    dup: bool


@dataclass(frozen=True)
class Subscribe:
    """The filters of one packet, with their QoS."""

    filters: tuple[tuple[str, int], ...]


Said = TypeVar("Said", Connect, Publish, Subscribe)


class Hub:
    """Listens on a free port of loopback.

    Attributes:
        keys: of the clients that may log in, by client id; decoded.
        skew: seconds by which the hub's clock is ahead of this machine's.
        forget: sessions are lost: every connection begins a new one.
        refusing: every login is refused.
        by_certificate: client ids that prove themselves with a certificate of `authority`.
        any_key: of all clients that are not in `keys`; None: there are no others.
        acknowledges: False keeps acknowledgements back, as a hub that throttles.
        ends_at: a message with these bytes ends its connection; b"": none does.

    Args:
        name: the hub's name, which user names and signatures have to carry.
        target: port of a Mosquitto on loopback that lets everybody in.
        cert: the listener's certificate (PEM).
        key: its key.
        authority: whose client certificates are accepted; None: none is requested.
        port: to listen on; 0: a free one.
        loops: everything that is sent is passed on to all that listen. At the Mosquitto its topic
            is "events", the topic (of a module its output, of a device its property "topic",
            percent-encoded) and the properties, in three levels.
        records: `said` is kept.
    """

    def __init__(
        self,
        name: str,
        target: int,
        cert: Path,
        key: Path,
        authority: Path | None = None,
        *,
        port: int = 0,
        loops: bool = False,
        records: bool = True,
    ) -> None:
        self.name = name
        self.keys: dict[str, bytes] = {}
        self.any_key: bytes | None = None
        self.acknowledges = True
        self.ends_at = b""
        self._loops = loops
        self._records = records
        self.skew = 0.0
        self.forget = self.refusing = False
        self.by_certificate: set[str] = set()
        self._target = target
        self._lock = threading.Lock()  # guards the next three
        self._said: list[Connect | Publish | Subscribe] = []
        self._refused: list[str] = []
        self._expired = 0
        self._writers: set[asyncio.StreamWriter] = set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if authority is not None:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_OPTIONAL
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", port, ssl=context))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all connections, and frees the port."""

        async def end() -> None:
            self._server.close()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        self.cut()
        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What tests ask.

    def said(self, kind: type[Said]) -> list[Said]:
        """What was said so far, of one kind."""
        with self._lock:
            return [each for each in self._said if isinstance(each, kind)]

    def forget_said(self) -> None:
        """Begins anew."""
        with self._lock:
            self._said.clear()

    @property
    def refused(self) -> list[str]:
        """Why logins were refused."""
        with self._lock:
            return list(self._refused)

    @property
    def expired(self) -> int:
        """How many connections were ended because their token had expired."""
        with self._lock:
            return self._expired

    def cut(self) -> None:
        """Ends all connections."""

        async def end() -> None:
            for writer in list(self._writers):
                writer.transport.abort()

        self._run(end())

    # How it works.

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await _packet(reader)
        connect = _read_connect(body)
        certificate = writer.get_extra_info("peercert")
        why, expires = self._check(connect, bool(certificate))
        with self._lock:
            self._said += [connect] if self._records else []
            self._refused += [why] if why else []
        if why:
            writer.write(_NOT_AUTHORIZED)
            await writer.drain()
            return
        if self.forget:  # the flag of a clean session, behind protocol name and level
            body = body[:7] + bytes([body[7] | 2]) + body[8:]
        from_broker, broker = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            broker.write(_framed(head, body))
            loop = _Loop(connect.client_id) if self._loops else None
            await self._pass_on(reader, writer, from_broker, broker, expires, loop)
        finally:
            broker.close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_broker: asyncio.StreamReader,
        broker: asyncio.StreamWriter,
        expires: float,
        loop: _Loop | None,
    ) -> None:
        async def up() -> None:
            while True:
                head, body = await _packet(reader)
                await asyncio.sleep(0)  # a lost connection shows only in between
                if self.ends_at and head >> 4 == _PUBLISH and self.ends_at in body:
                    return
                if self._records:
                    self._note(head, body)
                broker.write(_framed(head, loop.up(head, body) if loop else body))
                await broker.drain()

        async def down() -> None:
            while True:
                head, body = await _packet(from_broker)
                await asyncio.sleep(0)
                if head >> 4 != _PUBACK or self.acknowledges:
                    writer.write(_framed(head, loop.down(head, body) if loop else body))
                    await writer.drain()

        async def expire() -> None:
            while time.time() + self.skew < expires:
                await asyncio.sleep(0.05)  # between two looks at the clock
            with self._lock:
                self._expired += 1

        tasks = [asyncio.ensure_future(work()) for work in (up, down, expire)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check(self, connect: Connect, certified: bool) -> tuple[str, float]:
        """Returns why the login is refused, or "", and the end of its validity."""
        key = self.keys.get(connect.client_id, self.any_key)
        if self.refusing:
            return "the test wants it", 0
        if not connect.user.startswith(f"{self.name}/{connect.client_id}/?api-version="):
            return f"user name {connect.user}", 0
        if connect.client_id in self.by_certificate:
            good = certified and connect.password is None
            return ("" if good else "no certificate, or a password"), math.inf
        if key is None:
            return f"client id {connect.client_id} is not registered", 0
        scheme, _, token = (connect.password or "").partition(" ")
        fields = dict(urllib.parse.parse_qsl(token))
        if scheme != "SharedAccessSignature" or fields.keys() != {"sr", "sig", "se"}:
            return "no token", 0
        device, _, module = connect.client_id.partition("/")
        resource = f"{self.name}/devices/{device}" + (f"/modules/{module}" if module else "")
        if fields["sr"] != resource:
            return f"resource {fields['sr']}", 0
        text = urllib.parse.quote(resource, safe="~") + "\n" + fields["se"]
        if fields["sig"] != signature(key, text.encode()):
            return "signature", 0
        if float(fields["se"]) <= time.time() + self.skew:
            return "expired", 0
        return "", float(fields["se"])

    def _note(self, head: int, body: bytes) -> None:
        said: Publish | Subscribe
        if head >> 4 == _PUBLISH:
            topic, rest = _text(body)
            qos = head >> 1 & 3
            payload = rest[2 if qos else 0 :]
            said = Publish(topic, payload, qos, bool(head & 1), bool(head & 8))
        elif head >> 4 == _SUBSCRIBE:
            filters = []
            rest = body[2:]
            while rest:
                text, rest = _text(rest)
                filters.append((text.decode(), rest[0]))
                rest = rest[1:]
            said = Subscribe(tuple(filters))
        else:
            return
        with self._lock:
            self._said.append(said)


class _Loop:
    """The topics of one client, and those that a looping hub has at its Mosquitto."""

    def __init__(self, client_id: str) -> None:
        device, _, module = client_id.partition("/")
        path = f"devices/{device}" + (f"/modules/{module}" if module else "")
        self._module = bool(module)
        self._named = b"%24.on=" if module else b"topic="
        self._sent = f"{path}/messages/events/".encode()
        self._received = f"{path}/{'inputs' if module else 'messages/devicebound'}/".encode()

    def up(self, head: int, body: bytes) -> bytes:
        """What the client says as the Mosquitto is to hear it."""
        if head >> 4 == _PUBLISH:
            topic, rest = _text(body)
            if topic.startswith(self._sent):
                bag = topic[len(self._sent) :]
                found = [each for each in bag.split(b"&") if each.startswith(self._named)]
                name = found[0][len(self._named) :] if found else b""
                return _as_text(b"events/" + name + b"/" + bag) + rest
        if head >> 4 in (_SUBSCRIBE, _UNSUBSCRIBE):
            return body[:2] + body[2:].replace(
                _as_text(self._received + b"#"), _as_text(b"events/#")
            )
        return body

    def down(self, head: int, body: bytes) -> bytes:
        """What the Mosquitto says as the client is to hear it."""
        if head >> 4 == _PUBLISH:
            topic, rest = _text(body)
            first, _, more = topic.partition(b"/")
            name, _, bag = more.partition(b"/")
            if first == b"events":
                kept = b"&".join(each for each in bag.split(b"&") if each[:7] != b"%24.on=")
                return (
                    _as_text(self._received + (name + b"/" if self._module else b"") + kept) + rest
                )
        return body


def signature(key: bytes, text: bytes) -> str:
    """HMAC-SHA-256 in base64."""
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readexactly(1))[0]
    size, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return head, await reader.readexactly(size)


def _framed(head: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, low = divmod(size, 128)
        length += bytes([low | (128 if size else 0)])
        if not size:
            return bytes([head]) + length + body


def _text(body: bytes) -> tuple[bytes, bytes]:
    """A text with its length in front, and what is behind it."""
    (size,) = struct.unpack(">H", body[:2])
    return body[2 : 2 + size], body[2 + size :]


def _as_text(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def _read_connect(body: bytes) -> Connect:
    protocol, rest = _text(body)
    level, flags = rest[0], rest[1]
    (keep_alive,) = struct.unpack(">H", rest[2:4])
    client_id, rest = _text(rest[4:])
    user = password = None
    if flags & 0x80:
        user, rest = _text(rest)
    if flags & 0x40:
        password, rest = _text(rest)
    return Connect(
        client_id.decode(),
        (user or b"").decode(),
        None if password is None else password.decode(),
        protocol.decode(),
        level,
        flags,
        keep_alive,
    )
