# SPDX-License-Identifier: Apache-2.0
"""Servers that are away, cut off, frozen or killed, and the books of what was sent meanwhile."""

from __future__ import annotations

import time

from dsmsg._certify.host import NAMES, OK, Check, Link, Message, NotTested
from dsmsg._certify.requirements import MUST, SHOULD, requirement

__all__: list[str] = []

_SOME = 30
_AT_ONCE_S = 5.0  # of 200 calls, on a busy machine
_TRIES = 30
_QUIET_S = 1.0  # of a server that does not answer: long enough for an answer from it


def _work_for(link: Link, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        link.work()
        time.sleep(0.005)


def _send(link: Link, count: int = _SOME) -> list[Message]:
    return [link.send_async() for _ in range(count)]


def _books(check: Check, messages: list[Message]) -> str:
    """Compares what was called OK with what arrived."""
    done = [each for each in messages if each.ok]
    missing = check.missing(done)
    check.require(not missing, f"{len(missing)} of {len(done)} messages called OK are lost")
    errors = sum(1 for each in messages if each.accepted and not each.ok)
    return f"{len(done)} messages called OK arrived" + (f", {errors} ended with ERR" * bool(errors))


@requirement(
    "S4.1",
    MUST,
    "No callback says OK while the server cannot have the message.",
    "OK makes the sender forget the message; the next restart loses it.",
)
def _no_early_ok(check: Check) -> None:
    link = check.connect()
    _first(check, link)
    check.fault("freeze")
    messages = _send(link, 10)
    _work_for(link, _QUIET_S)
    early = [each for each in messages if each.ok]
    if early and len(check.missing(early)) < len(early):
        raise NotTested("the library reaches the server past the proxy (--fault-command)")
    check.require(not early, f"{len(early)} of 10 messages were called OK while nothing passed")


def _first(check: Check, link: Link) -> None:
    """Sends one message and waits for it: connections are up, topics are known."""
    message = link.send_async()
    check.until_called([message], link.work)
    check.require(message.ok, "the first message, with the server there, was not called OK")


@requirement(
    "R07.1",
    MUST,
    "send_async accepts messages while the server is away.",
    "DeepStream's sink ends the pipeline when send_async returns anything but OK.",
)
def _accepts(check: Check) -> None:
    link = check.connect()
    _first(check, link)
    check.fault("cut")
    _work_for(link, 0.5)
    refused = []
    for _ in range(5):
        refused += [each for each in _send(link, 5) if not each.accepted]
        _work_for(link, 0.1)
    answers = {NAMES.get(each.answer or 0, "?") for each in refused}
    check.require(not refused, f"{len(refused)} of 25 messages got {', '.join(answers)}")


@requirement(
    "R07.2",
    MUST,
    "After an outage the library is connected again by itself and sends.",
    "Nothing else reconnects: DeepStream's sink knows nothing of connections.",
)
def _comes_back(check: Check) -> None:
    link = check.connect()
    _first(check, link)
    check.fault("cut")
    _work_for(link, 0.5)
    check.fault("heal")
    end = time.monotonic() + check.patience
    message: Message | None = None
    while time.monotonic() < end:
        message = link.send_async()
        if message.accepted:
            check.until_called([message], link.work)
        if message.ok:
            return
        _work_for(link, 0.2)
    check.fail(f"no message was called OK for {check.patience:g} s after the server was back")


@requirement(
    "R07.3",
    MUST,
    "Messages accepted in an outage of a second arrive after it.",
    "Each restart of the server would tear a hole into the records.",
)
def _nothing_lost(check: Check) -> str:
    link = check.connect()
    _first(check, link)
    check.fault("cut")
    messages = _send(link)
    _work_for(link, _QUIET_S)
    check.fault("heal")
    waiting = check.until_called(messages, link.work)
    check.require(not waiting, f"{len(waiting)} messages were never called back")
    accepted = [each for each in messages if each.accepted]
    failed = [each for each in accepted if not each.ok]
    check.require(not failed, f"{len(failed)} of {len(accepted)} messages ended with ERR")
    return _books(check, messages)


@requirement(
    "R07.4",
    SHOULD,
    "An outage of a second is no event for the connect callback.",
    "DeepStream's client library answers events with a reconnect loop of its own, and refuses "
    "messages meanwhile.",
)
def _no_event(check: Check) -> None:
    link = check.connect()
    _first(check, link)
    check.fault("cut")
    _send(link, 5)
    _work_for(link, _QUIET_S)
    check.fault("heal")
    link.work_until_called()
    bad = [event for event in link.events if event != 0]
    check.require(not bad, f"{len(bad)} events came (1: disconnected, 2: service down)")


@requirement(
    "R08.1",
    MUST,
    "disconnect sends what was accepted before it.",
    "The last second of every recording would be missing.",
)
def _flush(check: Check) -> str:
    link = check.connect()
    _first(check, link)
    messages = _send(link)
    link.disconnect()
    lost = [each for each in messages if each.accepted and not each.ok]
    check.require(not lost, f"{len(lost)} of {_SOME} messages were not called OK")
    return _books(check, messages)


def _ends(check: Check, fault: str) -> str:
    link = check.connect()
    _first(check, link)
    check.fault(fault)
    messages = _send(link)
    begin = time.monotonic()
    link.disconnect()  # the watchdog knows the bound
    took = time.monotonic() - begin
    waiting = [each for each in messages if each.accepted and not each.calls]
    check.require(not waiting, f"{len(waiting)} of {_SOME} messages were never called back")
    return f"{took:.1f} s"


@requirement(
    "R08.2",
    MUST,
    "disconnect returns, and calls back for everything, while the server is away.",
    "The pipeline cannot be stopped.",
)
def _disconnect_down(check: Check) -> str:
    return _ends(check, "cut")


@requirement(
    "R08.3",
    MUST,
    "disconnect returns, and calls back for everything, while the server does not answer.",
    "The pipeline cannot be stopped.",
)
def _disconnect_frozen(check: Check) -> str:
    return _ends(check, "freeze")


@requirement(
    "R09.2",
    MUST,
    "send returns while the server does not answer, and not with OK.",
    "A frame's thread would wait for ever.",
)
def _send_frozen(check: Check) -> str:
    link = check.connect()
    _first(check, link)
    check.fault("freeze")
    begin = time.monotonic()
    message = link.send()
    check.require(message.answer != OK, "it returned OK")
    return f"{time.monotonic() - begin:.1f} s"


@requirement(
    "R17.1",
    MUST,
    "connect returns while the port is closed.",
    "The pipeline neither starts nor says why.",
)
def _closed(check: Check) -> str:
    return _connect(check, "cut")


@requirement(
    "R17.2",
    MUST,
    "connect returns while the server accepts the connection and never answers.",
    "The pipeline neither starts nor says why.",
)
def _silent(check: Check) -> str:
    return _connect(check, "silent")


def _connect(check: Check, fault: str) -> str:
    check.fault(fault)
    begin = time.monotonic()
    link = check.open()
    took = time.monotonic() - begin
    return f"{'no handle' if link is None else 'a handle'} after {took:.1f} s"


@requirement(
    "R17.3",
    MUST,
    "send_async returns at once while the server does not answer.",
    "It is called by the thread that handles frames.",
)
def _async_frozen(check: Check) -> None:
    link = check.connect()
    _first(check, link)
    check.fault("freeze")
    begin = time.monotonic()
    _send(link, 200)
    took = time.monotonic() - begin
    check.require(took < _AT_ONCE_S, f"200 calls took {took:.1f} s")


@requirement(
    "R17.4",
    SHOULD,
    f"A server that ends every connection at once is not tried more than {_TRIES} times in a "
    "second, also while messages are sent.",
    "A hundred cameras keep a server from coming up again.",
)
def _paced(check: Check) -> str:
    link = check.connect()
    _first(check, link)
    before = check.fault("end")
    for _ in range(20):
        link.send_async()
        _work_for(link, _QUIET_S / 20)
    after = check.fault("end")
    if before is None or after is None:
        raise NotTested("the connections are not counted with --fault-command")
    check.require(after - before <= _TRIES, f"it was tried {after - before} times")
    return f"{after - before} times"


@requirement(
    "R20.1",
    MUST,
    "Five cuts while messages are sent lose nothing that was called OK, and each accepted "
    "message is called back once.",
    "Networks do this every day.",
)
def _cuts(check: Check) -> str:
    link = check.connect()
    _first(check, link)
    messages: list[Message] = []
    for _ in range(5):
        for _ in range(10):
            messages.append(link.send_async())
            link.work()
        check.fault("cut")
        messages += _send(link, 5)
        _work_for(link, 0.1)
        check.fault("heal")
    return _account(check, link, messages)


def _account(check: Check, link: Link, messages: list[Message]) -> str:
    waiting = check.until_called(messages, link.work)
    check.require(not waiting, f"{len(waiting)} messages were never called back")
    twice = [each for each in messages if len(each.calls) > 1]
    check.require(not twice, f"{len(twice)} messages were called back twice")
    return _books(check, messages)


@requirement(
    "R20.2",
    MUST,
    "A server that freezes and is then cut off costs nothing that was called OK.",
    "A machine that hangs is restarted.",
)
def _frozen_then_cut(check: Check) -> str:
    link = check.connect()
    _first(check, link)
    check.fault("freeze")
    messages = _send(link)
    _work_for(link, 0.3)
    check.fault("cut")
    messages += _send(link)
    _work_for(link, 0.3)
    check.fault("heal")
    return _account(check, link, messages)


@requirement(
    "R20.3",
    MUST,
    "A server that is killed and started again costs nothing that was called OK.",
    "Servers are updated.",
    alone=True,
)
def _killed(check: Check) -> str:
    link = check.connect()
    _first(check, link)
    messages = _send(link)
    check.fault("kill")
    messages += _send(link)
    _work_for(link, _QUIET_S)
    check.fault("start")
    return _account(check, link, messages)
