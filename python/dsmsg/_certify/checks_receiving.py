# SPDX-License-Identifier: Apache-2.0
"""Subscriptions. A library that only sends is not held to them."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from dsmsg._abi import ffi
from dsmsg._certify.host import NAMES, OK, Check, Link, Message, NotApplicable
from dsmsg._certify.requirements import MUST, SHOULD, requirement

__all__: list[str] = []


class _Inbox:
    """What the subscribe callback got."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self.callback = ffi.callback("subscribe_cb", self._receive)
        self.got: dict[int, bytes] = {}
        self.topics: dict[int, str] = {}
        self.threads: set[int] = set()
        self.inside: set[str] = set()
        self._word = re.compile(rf"certify-{check.plan['run']}-{check.name}-(\d+)\. ".encode())

    def _receive(self, result: int, data: Any, size: int, topic: Any, user: Any) -> None:  # noqa: ANN401
        payload = bytes(ffi.buffer(data, size)) if data and size > 0 else b""
        found = self._word.match(payload)
        if found:
            number = int(found.group(1))
            self.topics[number] = ffi.string(topic).decode("utf-8", "replace") if topic else ""
            self.threads.add(threading.get_ident())
            self.inside.add(self._check.library.inside())
            self.got[number] = payload

    def missing(self, messages: list[Message], work: Any) -> list[Message]:  # noqa: ANN401
        """Waits for the messages; returns those that do not come."""
        heard, count = time.monotonic(), 0
        while True:
            left = [each for each in messages if each.number not in self.got]
            if not left:
                return []
            if len(self.got) != count:
                heard, count = time.monotonic(), len(self.got)
            if time.monotonic() - heard > self._check.patience:
                return left
            work()
            time.sleep(0.005)


def _subscribe(check: Check, link: Link, topics: list[str], inbox: _Inbox) -> None:
    answer = link.subscribe(topics, inbox.callback)
    if answer != OK:
        if not check.plan["receives"]:
            raise NotApplicable(
                f"subscribe returned {NAMES.get(answer, answer)}: it only sends, or is set to"
            )
        check.fail(f"subscribe returned {NAMES.get(answer, answer)}")


def _sender(check: Check, topics: list[str]) -> Link:
    """Connects another time and sends to the topics, which makes them where they are made so.

    That may fail: AMQP does not take what no queue is bound for.
    """
    sender = check.connect()
    check.until_called([sender.send_async(topic=topic) for topic in topics], sender.work)
    return sender


@contextlib.contextmanager
def _receiving(check: Check, topics: list[str]) -> Iterator[tuple[Link, Link, _Inbox]]:
    """Subscribes; gives receiver, sender and inbox once it is known to deliver.

    The receiver is disconnected at the end: a Kafka group waits long for a member that is gone.
    """
    link, inbox = check.connect(), _Inbox(check)
    try:
        sender = _sender(check, topics)
        _subscribe(check, link, topics, inbox)
        _wait(check, sender, inbox, topics)
        yield link, sender, inbox
    finally:
        if link.open:
            link.disconnect()


def _wait(check: Check, sender: Link, inbox: _Inbox, topics: list[str]) -> None:
    """Sends to the topics until the subscription delivers from all of them.

    It may begin a while after subscribe has returned: Kafka's groups take seconds.
    """
    sent: dict[str, list[Message]] = {topic: [] for topic in topics}
    end = time.monotonic() + 3 * check.patience
    while True:
        for topic in topics:
            sent[topic].append(sender.send_async(topic=topic))
        for _ in range(20):
            sender.work()
            time.sleep(0.01)
        silent = [
            topic for topic in topics if not any(each.number in inbox.got for each in sent[topic])
        ]
        if not silent:
            return
        if time.monotonic() > end:
            check.fail(f"nothing came from {', '.join(silent)} for {3 * check.patience:g} s")


@requirement(
    "R10.1",
    MUST,
    "What is published after subscribe reaches the callback, byte by byte and without do_work.",
    "A program that only receives does not call do_work.",
)
def _received(check: Check) -> None:
    with _receiving(check, [check.topic]) as (_, sender, inbox):
        messages = [sender.send_async(tail=bytes(range(256))) for _ in range(20)]
        left = inbox.missing(messages, sender.work)
        check.require(not left, f"{len(left)} of 20 messages did not come")
        wrong = [each for each in messages if inbox.got[each.number] != each.payload]
        check.require(not wrong, f"{len(wrong)} of 20 payloads differ")


@requirement(
    "R10.2",
    MUST,
    "One call subscribes to several topics, and the callback gets the topic of each message.",
    "DeepStream's samples subscribe to two.",
)
def _two_topics(check: Check) -> None:
    topics = [check.topic, check.topic2]
    with _receiving(check, topics) as (_, sender, inbox):
        pairs = [(topic, sender.send_async(topic=topic)) for topic in topics]
        left = inbox.missing([message for _, message in pairs], sender.work)
        check.require(not left, "a message did not come")
        for topic, message in pairs:
            told = inbox.topics[message.number]
            check.require(told == topic, f"a message of {topic} was said to be of {told!r}")


@requirement(
    "R10.3",
    SHOULD,
    "The callback runs on a thread of the library, one message at a time.",
    "A host's callback has no lock.",
)
def _thread(check: Check) -> None:
    with _receiving(check, [check.topic]) as (_, sender, inbox):
        messages = [sender.send_async() for _ in range(50)]
        inbox.missing(messages, sender.work)
        inside = {each for each in inbox.inside if each}
        check.require(not inside, f"a callback ran inside {', '.join(sorted(inside))}")


@requirement(
    "R10.4",
    SHOULD,
    "After an outage the subscription delivers again.",
    "Commands to a camera would stop with the first restart of the server.",
)
def _after_outage(check: Check) -> None:
    with _receiving(check, [check.topic]) as (_, sender, inbox):
        check.fault("cut")
        time.sleep(0.5)
        check.fault("heal")
        _wait(check, sender, inbox, [check.topic])


@requirement(
    "R10.5",
    MUST,
    "disconnect ends a subscription: no callback begins after it has returned.",
    "Hosts free what the callback uses.",
)
def _after_disconnect(check: Check) -> None:
    with _receiving(check, [check.topic]) as (link, sender, inbox):
        link.disconnect()
        known = set(inbox.got)
        messages = [sender.send_async() for _ in range(20)]
        sender.work_until_called(messages)
        time.sleep(0.3)
        late = {each.number for each in messages} & (set(inbox.got) - known)
        check.require(not late, f"{len(late)} callbacks came after disconnect had returned")
