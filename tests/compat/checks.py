# SPDX-License-Identifier: Apache-2.0
"""The battery: what is done with each server, through the adaptor, and what another client sees.

A check returns remarks about what it saw, raises Differs if the outcome is not the one that all
servers should have, and Absent if the server or the protocol has no such thing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dsmsg import LoginError
from dsmsg.adaptor import Connection, DsmsgError, Message, Result
from dsmsg.brokers._process import free_port

from compat.reach_stock import HttpStock
from compat.stock import Seen, Stock, wait_for
from compat.subject import Absent, Differs, Subject

__all__ = ["CHECKS"]

DONE_S = 120.0
_LARGE = 200 * 1024
_PORTION = 500
"""Mosquitto drops what a reader is more than 1,000 messages behind, HiveMQ likewise."""
_CHILD = Path(__file__).with_name("will_child.py")


def _payloads(count: int, size: int) -> list[bytes]:
    body = bytes(range(256)) * (size // 256 + 1)
    return [b"%06d " % number + body[: size - 7] for number in range(count)]


def _send(
    connection: Connection,
    topic: str,
    payloads: Sequence[bytes],
    results: list[Result] | None = None,
) -> list[Result]:
    results = [] if results is None else results
    for payload in payloads:
        connection.send_async(topic, payload, results.append)
    return results


def _finish(connection: Connection, results: Sequence[Result], count: int) -> None:
    if not connection.work_until_done(DONE_S):
        raise Differs(
            f"{count - len(results)} of {count} messages have no answer after {DONE_S:g} s: "
            f"{connection.last_error() or connection.stats().get('link')}"
        )
    if refused := sum(result is not Result.OK for result in results):
        raise Differs(f"{refused} of {count} messages end with ERR: {connection.last_error()}")


def _compare(sent: Sequence[bytes], seen: Sequence[Seen], *, duplicates: bool = False) -> None:
    got = [each.payload for each in seen]
    missing = len(set(sent) - set(got))
    if missing:
        raise Differs(f"{missing} of {len(sent)} acknowledged messages did not reach the reader")
    if foreign := set(got) - set(sent):
        raise Differs(f"{len(foreign)} messages arrived changed")
    if not duplicates and len(got) != len(sent):
        raise Differs(f"{len(got) - len(sent)} messages arrived twice")
    if not duplicates and got != list(sent):
        raise Differs("all messages arrived, in another order")


def connects(subject: Subject) -> str:
    """Connect, and the link is up."""
    with subject.connect() as connection:
        link = connection.stats()["link"]
    if link != "up":
        raise Differs(f"connected, but the link is {link}")
    return ""


def _sizes(subject: Subject, name: str, count: int, size: int) -> str:
    topic = subject.topic(name)
    payloads = _payloads(count, size)
    with subject.stock() as stock:
        stock.listen(topic)
        with subject.connect() as connection:
            results: list[Result] = []
            for begin in range(0, count, _PORTION):
                _send(connection, topic, payloads[begin : begin + _PORTION], results)
                _finish(connection, results, min(count, begin + _PORTION))
                stock.keep_up(topic, len(results))
            losses, cause = connection.stats()["reconnects"], connection.last_error()
        seen = stock.read(topic, count)
    # Sent again, as after any loss of the link; that a server ends a connection is worth a note.
    _compare(payloads, seen, duplicates=losses > 0)
    return f"the link was lost {losses} times: {cause}" if losses else ""


def small(subject: Subject) -> str:
    """Many messages of 1 KB."""
    return _sizes(subject, "small", subject.scale.small, 1024)


def large(subject: Subject) -> str:
    """Messages of 200 KB, or as large as the server takes them."""
    size = min(_LARGE, subject.largest or _LARGE)
    seen = _sizes(subject, "large", subject.scale.large, size)
    if size < _LARGE:
        raise Differs(f"messages of {size} bytes arrive; it takes no larger ones")
    return seen


class _Inbox:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[Message] = []

    def put(self, message: Message) -> None:
        with self._lock:
            self._messages.append(message)

    def payloads(self) -> list[bytes]:
        with self._lock:
            return [message.payload for message in self._messages]


def subscribes(subject: Subject) -> str:
    """Two topics in one call: wildcards where the protocol has them, else a group."""
    inbox = _Inbox()
    payloads = _payloads(40, 300)
    topics = [subject.topic("sub") for _ in range(2)]
    filters = {
        "mqtt": [topics[0].replace("compat", "+"), topics[1].removesuffix("x") + "#"],
        "amqp": [topics[0].removesuffix("x") + "*", topics[1].removesuffix("x") + "#"],
    }.get(subject.protocol, topics)
    with subject.stock() as stock:
        if subject.protocol in ("kafka", "nats"):
            for topic in topics:
                stock.listen(topic)
        group = _group(subject, topics[0])
        with subject.connect(**group) as connection:
            connection.subscribe(filters, inbox.put)
            _forward(stock, group)
            stock.write(topics[0], payloads[:20])
            stock.write(topics[1], payloads[20:])
            wait_for(lambda: len(set(inbox.payloads())) >= len(payloads), 40)
    _compare(sorted(payloads), [Seen(each, {}) for each in sorted(inbox.payloads())])
    return ""


def _group(subject: Subject, name: str) -> dict[str, object]:
    return {
        "kafka": {"consumer-group-id": name},
        "redis": {"consumergroup": name},
        "nats": {"durable": name.replace(".", "-")},
        "http": {"listen": free_port()},
        "pulsar": {"subscription": name},
    }.get(subject.protocol, {})


def _forward(stock: Stock, group: dict[str, object]) -> None:
    """HTTP: somebody has to post to the endpoint."""
    if isinstance(stock, HttpStock):
        stock.forward(int(str(group["listen"])))


def _restart(subject: Subject, name: str, end: Callable[[], None]) -> str:
    """The server ends and starts again with messages before, while and after."""
    topic = subject.topic(name)
    count = subject.scale.restart
    payloads = _payloads(count, 300)
    third = count // 3
    with subject.stock() as stock:
        stock.listen(topic)
        with subject.connect(flush_timeout="60s") as connection:
            results = _send(connection, topic, payloads[:third])
            connection.work_until_done(DONE_S)
            stock.keep_up(topic, third)
            _send(connection, topic, payloads[third : 2 * third], results)
            end()
            subject.broker.start()
            _send(connection, topic, payloads[2 * third :], results)
            _finish(connection, results, count)
        seen = stock.read(topic, count)
    _compare(payloads, seen, duplicates=True)
    twice = len(seen) - len({each.payload for each in seen})
    return f"{twice} arrived twice" if twice else ""


def terminated(subject: Subject) -> str:
    """SIGTERM in the middle."""
    return _restart(subject, "term", subject.broker.stop)


def killed(subject: Subject) -> str:
    """SIGKILL in the middle."""
    return _restart(subject, "kill", subject.broker.kill)


def session(subject: Subject) -> str:
    """What comes while a receiver is away waits for it."""
    topic = subject.topic("session")
    kept: dict[str, object] = {
        "mqtt": {"client-id": "compat-session", "clean-session": 0},
        "amqp": {"queue": topic},
    }.get(subject.protocol, _group(subject, topic))
    inbox = _Inbox()
    first, second = _payloads(20, 100)[:10], _payloads(20, 100)[10:]
    with subject.stock() as stock:
        if subject.protocol in ("kafka", "nats"):
            stock.listen(topic)
        with subject.connect(**kept) as connection:
            connection.subscribe(topic, inbox.put)
            _forward(stock, kept)
            stock.write(topic, first)
            wait_for(lambda: len(set(inbox.payloads())) >= len(first), DONE_S)
        before = inbox.payloads()
        stock.write(topic, second)
        with subject.connect(**kept) as connection:
            connection.subscribe(topic, inbox.put)
            wait_for(lambda: set(second) <= set(inbox.payloads()), DONE_S)
    _compare(first, [Seen(each, {}) for each in before])
    _compare(first + second, [Seen(each, {}) for each in inbox.payloads()])
    return ""


def will(subject: Subject) -> str:
    """A client that is lost without a word leaves its will."""
    if subject.protocol != "mqtt":
        raise Absent("MQTT only")
    topic = subject.topic("will")
    with subject.stock() as stock:
        stock.listen(topic)
        child = subprocess.Popen(
            [sys.executable, str(_CHILD), f"{subject.at.host};{subject.at.port}", topic],
            stdout=subprocess.PIPE,
            env={**os.environ, "COMPAT_OPTIONS": repr(dict(subject.options))},
        )
        try:
            assert child.stdout is not None
            if child.stdout.readline() != b"up\n":
                raise Differs("a client with a will is refused")
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        seen = stock.read(topic, 1)
    if [each.payload for each in seen] != [b"gone"]:
        raise Differs(f"the will did not come ({len(seen)} messages)")
    return ""


def retain(subject: Subject) -> str:
    """The last message of a topic waits for newcomers, by name and by wildcard."""
    if subject.protocol != "mqtt":
        raise Absent("MQTT only")
    topic = subject.topic("retain")
    with subject.connect(retain=1) as connection:
        connection.send(topic, b"first")
        connection.send(topic, b"last")
    for name in (topic, topic.removesuffix("x") + "+"):
        how = "by name" if name == topic else "by wildcard"
        with subject.stock() as stock:
            stock.listen(name)
            seen = stock.read(name, 1)
        if [each.payload for each in seen] != [b"last"]:
            got = [each.payload.decode() for each in seen]
            raise Differs(f"a newcomer that subscribes {how} gets {got}, not the last message")
        if not seen[0].retained:
            raise Differs(f"{how} the message comes without the retain flag")
    return ""


def headers(subject: Subject) -> str:
    """Headers arrive with the message."""
    if subject.protocol == "mqtt" and not subject.v5:
        raise Absent("MQTT 3.1.1 has none")
    topic = subject.topic("headers")
    with subject.stock() as stock:
        stock.listen(topic)
        with subject.connect() as connection:
            future = connection.send_message(topic, b"body", headers={"camera": "7", "ort": "süd"})
            connection.work_until_done(DONE_S)
            future.result(0)
        seen = stock.read(topic, 1)
    if len(seen) != 1 or {n: seen[0].headers.get(n) for n in ("camera", "ort")} != {
        "camera": "7",
        "ort": "süd",
    }:
        raise Differs(f"arrived with the headers {[each.headers for each in seen]}")
    return ""


def password(subject: Subject) -> str:
    """A wrong password is refused in connect, with the reason."""
    with subject.secured("password") as other:
        with other.connect():
            pass
        began = time.monotonic()
        try:
            with other.connect(password="wrong-Zaphod"):  # noqa: S106
                raise Differs("a wrong password is accepted")
        except DsmsgError as error:
            if not isinstance(error, LoginError) and "cannot log in" not in str(error):
                why = _short((error.reason or str(error)).removeprefix("connect: "))
                # The advice in brackets is for whoever has that other reason.
                raise Differs(f"refused, but with: {why.partition(' (')[0]}") from error
            return f"in {time.monotonic() - began:.1f} s: {_short(str(error))}"


def rights(subject: Subject) -> str:
    """A message to a topic without right ends with ERR, and the others pass."""
    with subject.secured("rights") as other:
        good, bad = ("open/x", "closed/x") if other.protocol == "mqtt" else ("open.x", "closed.x")
        return _culprit(other, good, bad, b"refused")


def too_large(subject: Subject) -> str:
    """A message over the server's limit ends with ERR, and the others pass."""
    if subject.too_large is None:
        raise Absent("it has no limit that is met by default")
    topic = subject.topic("big")
    more = {} if subject.protocol == "mqtt" else {"max-message-bytes": "200M"}
    return _culprit(subject, topic, topic, os.urandom(subject.too_large), **more)


def _culprit(subject: Subject, good: str, bad: str, payload: bytes, **options: object) -> str:
    payloads = _payloads(60, 300)
    with subject.stock() as stock:
        stock.listen(good)
        with subject.connect(**options) as connection:
            verdict: list[Result] = []
            results = _send(connection, good, payloads[:30])
            connection.send_async(bad, payload, verdict.append)
            _send(connection, good, payloads[30:], results)
            deadline = time.monotonic() + DONE_S
            while not connection.work_until_done(5) and time.monotonic() < deadline:
                # The traffic continues: silence is blamed on a message when another one is
                # acknowledged.
                payloads.append(b"more %d" % len(payloads))
                connection.send_async(good, payloads[-1], results.append)
            open_ends = len(payloads) + 1 - len(results) - len(verdict)
            reason = connection.last_error()
        seen = [each for each in stock.read(good, len(payloads)) if each.payload != payload]
    if open_ends:
        raise Differs(
            f"{open_ends} of {len(payloads) + 1} messages have no answer after {DONE_S:g} s: "
            f"{_short(reason)}"
        )
    if others := sum(result is not Result.OK for result in results):
        raise Differs(f"{others} innocent messages end with ERR: {_short(reason)}")
    _compare(payloads, seen, duplicates=True)
    if verdict == [Result.OK]:
        raise Differs("the message is acknowledged all the same")
    return f"{verdict[0].name}: {_short(reason)}"


def tls(subject: Subject) -> str:
    """TLS with a certificate of a private authority."""
    with subject.secured("TLS") as other:
        topic = other.topic("tls")
        payloads = _payloads(200, 1024)
        with other.stock() as stock:
            stock.listen(topic)
            with other.connect() as connection:
                results = _send(connection, topic, payloads)
                _finish(connection, results, len(payloads))
            _compare(payloads, stock.read(topic, len(payloads)))
    return ""


def _short(text: str) -> str:
    line = text.strip().split("\n")[0]
    return line if len(line) < 200 else line[:197] + "..."


CHECKS: dict[str, Callable[[Subject], str]] = {
    "connect": connects,
    "1 KB": small,
    "200 KB": large,
    "subscribe": subscribes,
    "SIGTERM": terminated,
    "SIGKILL": killed,
    "session": session,
    "will": will,
    "retain": retain,
    "headers": headers,
    "password": password,
    "rights": rights,
    "too large": too_large,
    "TLS": tls,
}
