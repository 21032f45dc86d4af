# SPDX-License-Identifier: Apache-2.0
"""Sending to a server that is well."""

from __future__ import annotations

import os
import threading
import time

from dsmsg._abi import ffi
from dsmsg._certify.host import ERR, NAMES, OK, Check, Link, Message
from dsmsg._certify.requirements import MUST, SHOULD, requirement

__all__ = ["contact"]

_SOME, _MANY = 50, 500
_IDLE_S = 1.0
_WORK_S = 2.0
_BUSY = 0.3  # of a core: a loop that never waits takes nearly all of one
_CALLS = 2000  # in a second: a do_work that waits a millisecond gets by with half of them


@requirement(
    "S4.2",
    MUST,
    "Every message whose callback said OK is at the server.",
    "OK makes the sender forget the message.",
)
def _arrives(check: Check) -> str:
    link = check.connect()
    messages = [link.send_async() for _ in range(_MANY)]
    link.work_until_called()
    done = [each for each in messages if each.ok]
    check.require(done, "no callback said OK")
    missing = check.missing(done)
    check.require(not missing, f"{len(missing)} of {len(done)} messages called OK did not arrive")
    return f"{len(done)} messages"


@requirement(
    "S4.3",
    SHOULD,
    "Messages of one topic arrive in the order in which they were sent, duplicates aside.",
    "Consumers see a car leave before it came.",
)
def _order(check: Check) -> None:
    link = check.connect()
    messages = [link.send_async() for _ in range(_MANY)]
    link.work_until_called()
    sent = [each.number for each in messages if each.ok]
    there = set(sent)
    found = [number for number in check.order(messages) if number in there]
    check.require(found, "nothing arrived")
    check.require(found == sorted(found), "later messages arrived before earlier ones")


@requirement(
    "R01.1",
    MUST,
    "No send callback is called on the caller's stack of send_async.",
    "Hosts hold a lock around send_async that the callback takes: they stop for ever.",
)
def _no_callback_on_stack(check: Check) -> None:
    link = check.connect()
    for _ in range(_SOME):
        link.send_async()
    link.work_until_called()
    for message in link.messages:
        inside = [call for call in message.calls if "send_async" in call.inside]
        check.require(not inside, "a callback ran inside nvds_msgapi_send_async")


@requirement(
    "R01.2",
    MUST,
    "The connect callback is not called before connect has returned.",
    "DeepStream's client library holds a lock around connect; its callback does not have the "
    "handle yet.",
)
def _no_event_in_connect(check: Check) -> None:
    inside: list[str] = []
    callback = ffi.callback("connect_cb", lambda handle, event: inside.append(_where(check)))
    text, path = check.plan["conn_str"].encode(), check.plan["config"].encode() or ffi.NULL
    _in_connect.append(True)
    handle = check.library.call("connect", text, callback, path)
    _in_connect.clear()
    check.require(handle != ffi.NULL, "connect gave no handle")
    check.require("connect" not in inside, "an event came before connect had returned")


_in_connect: list[bool] = []


def _where(check: Check) -> str:
    return "connect" if _in_connect else check.library.inside()


@requirement(
    "R02.1",
    MUST,
    "Send callbacks run inside do_work or disconnect, on the thread that called it.",
    "Hosts touch unlocked state in them.",
)
def _inside_do_work(check: Check) -> None:
    link = check.connect()
    for _ in range(_SOME):
        link.send_async()
    time.sleep(0.3)  # for a callback on a thread of the library
    link.work_until_called()
    for message in link.messages:
        for call in message.calls:
            # A callback on the caller's stack is what R01.1 is about.
            wrong = call.inside or "a thread of the library"
            check.require(
                call.inside.endswith(("do_work", "disconnect", "send_async")),
                f"a callback ran in {wrong}",
            )


@requirement(
    "R02.2",
    MUST,
    "A send callback may call send_async again.",
    "Senders that keep a fixed number of messages under way do nothing else.",
)
def _send_in_callback(check: Check) -> None:
    link = check.connect()
    more: list[Message] = []

    def again(message: Message) -> None:
        if len(more) < _SOME:
            more.append(link.send_async(on_call=again))

    link.send_async(on_call=again)
    check.until_called(link.messages, link.work)
    deadline = time.monotonic() + check.patience
    while len(more) < _SOME and time.monotonic() < deadline:
        link.work()
    check.require(len(more) >= _SOME, f"only {len(more)} of {_SOME} messages could be sent")
    check.require(
        all(each.accepted for each in more), "send_async refused a message inside a callback"
    )


def _once(check: Check, messages: list[Message], waiting: list[Message]) -> None:
    check.require(
        not waiting, f"{len(waiting)} of {len(messages)} accepted messages were never called back"
    )
    twice = [each for each in messages if len(each.calls) > 1]
    check.require(not twice, f"{len(twice)} of {len(messages)} messages were called back twice")


@requirement(
    "R03.1",
    MUST,
    "Every accepted message is called back exactly once, also after disconnect.",
    "Without a callback a host waits for ever at the end; a second one frees memory twice.",
)
def _exactly_once(check: Check) -> None:
    link = check.connect()
    messages = [link.send_async(tail=b"x" * size) for size in (1, 100, 10_000)]
    messages += [link.send_async() for _ in range(_MANY)]
    waiting = link.work_until_called()
    _once(check, messages, waiting)
    link.disconnect()
    time.sleep(0.3)
    _once(check, messages, [])
    refused = [each for each in messages if not each.accepted and each.calls]
    check.require(not refused, "a message that was refused was called back")


@requirement(
    "R03.2",
    MUST,
    "send_async takes a NULL callback; the message arrives.",
    "Programs that do not care pass none.",
)
def _no_callback(check: Check) -> None:
    link = check.connect()
    message = link.send_async(callback=False)
    check.require(message.accepted, "send_async refused it")
    for _ in range(20):
        link.work()
        time.sleep(0.01)
    link.disconnect()
    check.require(not check.missing([message]), "the message did not arrive")


@requirement(
    "R03.3",
    MUST,
    "disconnect calls back for everything accepted; no callback begins after it has returned.",
    "Hosts stop their work thread first, and free what callbacks use after disconnect.",
)
def _at_disconnect(check: Check) -> None:
    link = check.connect()
    messages = [link.send_async() for _ in range(_MANY)]
    link.disconnect()
    end = time.monotonic()
    waiting = [each for each in messages if each.accepted and not each.calls]
    time.sleep(0.5)
    late = [each for each in messages if any(call.time > end for call in each.calls)]
    check.require(not late, f"{len(late)} callbacks came after disconnect had returned")
    check.require(
        not waiting, f"{len(waiting)} of {_MANY} messages were not called back by disconnect"
    )


def _usage() -> float:
    times = os.times()
    return times.user + times.system


def _loop(check: Check, link: Link) -> str:
    """Calls do_work for a while: it must wait, and not by burning time."""
    for _ in range(3):
        link.work()
    begin, used, calls = time.monotonic(), _usage(), 0
    while time.monotonic() - begin < _IDLE_S:
        link.work()
        calls += 1
    busy = (_usage() - used) / (time.monotonic() - begin)
    # On a busy machine a loop without a pause gets little of a core, but it still is one.
    check.require(
        busy < _BUSY and calls < _CALLS,
        f"{calls} calls in a second, {busy:.0%} of a core",
    )
    return f"{calls} calls in a second, {busy:.0%} of a core"


@requirement(
    "R04.1",
    SHOULD,
    f"do_work with nothing to do waits a little: a loop of it takes less than {_BUSY:.0%} of a "
    f"core, and makes fewer than {_CALLS} calls a second.",
    "DeepStream's sink calls it in a loop without a pause: the loop takes a core.",
)
def _idle(check: Check) -> str:
    link = check.connect()
    return _loop(check, link)


@requirement(
    "R04.2",
    SHOULD,
    f"The same while messages wait for a server that does not answer: less than {_BUSY:.0%} of a "
    f"core, fewer than {_CALLS} calls a second.",
    "In an outage the loop takes the core that decoding needs.",
)
def _waiting(check: Check) -> str:
    link = check.connect()
    check.fault("freeze")
    for _ in range(10):
        link.send_async()
    return _loop(check, link)


@requirement(
    "R04.3",
    MUST,
    f"do_work returns within {_WORK_S:g} seconds, whether there is something to do or not.",
    "Hosts join the thread that calls it when they stop.",
)
def _returns(check: Check) -> None:
    link = check.connect()
    longest = 0.0
    for count in (0, 0, 5, 5, 0):
        for _ in range(count):
            link.send_async()
        begin = time.monotonic()
        link.work()
        longest = max(longest, time.monotonic() - begin)
    check.require(longest < _WORK_S, f"it took {longest:.1f} s")


@requirement(
    "R05.1",
    SHOULD,
    "Messages reach the server without do_work.",
    "A host that is busy calls it late; the server's timeouts do not wait.",
)
def _without_do_work(check: Check) -> None:
    link = check.connect()
    messages = [link.send_async() for _ in range(_SOME)]
    missing = check.missing(messages)
    check.require(not missing, f"{len(missing)} of {_SOME} messages did not arrive")


@requirement(
    "R06.1",
    MUST,
    "send_async returns while its caller holds the callback's lock and nothing calls do_work.",
    "DeepStream's sink does so: a library that waits for a callback waits for ever.",
)
def _under_lock(check: Check) -> None:
    lock = threading.Lock()
    link = check.connect()

    def called(message: Message) -> None:
        with lock:
            pass

    with lock:
        for _ in range(4 * _MANY):
            link.send_async(on_call=called)
    waiting = link.work_until_called()
    check.require(not waiting, f"{len(waiting)} messages were never called back")


@requirement(
    "R09.1",
    MUST,
    "send needs no do_work, and OK means the same as for send_async.",
    "Sample programs call nothing else.",
)
def _synchronous(check: Check) -> None:
    link = check.connect()
    messages = [link.send() for _ in range(10)]
    answers = {NAMES.get(each.answer or 0, str(each.answer)) for each in messages}
    check.require(answers == {NAMES[OK]}, f"it returned {', '.join(sorted(answers))}")
    missing = check.missing(messages)
    check.require(not missing, f"{len(missing)} of 10 messages called OK did not arrive")


@requirement(
    "R11.1",
    MUST,
    "Several threads may send on one handle while another one calls do_work.",
    "DeepStream's client library shares a connection among the sinks of a process.",
)
def _threads(check: Check) -> None:
    link = check.connect()
    stop = threading.Event()
    workers = [
        threading.Thread(target=lambda: [link.send_async() for _ in range(100)]) for _ in range(4)
    ]
    workers.append(threading.Thread(target=lambda: [link.send() for _ in range(5)]))

    def work() -> None:
        while not stop.is_set():
            link.work()

    worker = threading.Thread(target=work)
    worker.start()
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    stop.set()
    worker.join()
    waiting = link.work_until_called()
    check.require(not waiting, f"{len(waiting)} messages were never called back")
    check.require(all(each.accepted for each in link.messages), "send_async refused a message")


@requirement(
    "R11.2",
    SHOULD,
    "disconnect from inside a send callback answers ERR.",
    "Otherwise it waits for the callback that called it, or frees what its caller still uses.",
)
def _disconnect_in_callback(check: Check) -> None:
    link = check.connect()
    answers: list[int] = []
    link.send_async(
        on_call=lambda _: answers.append(
            check.library.call("disconnect", link.handle, about="inside a send callback")
        )
    )
    link.work_until_called()
    check.require(answers, "there was no callback")
    check.require(answers[0] == ERR, f"it returned {NAMES.get(answers[0], answers[0])}")


@requirement(
    "R12.1",
    MUST,
    "A payload arrives byte by byte as it was sent: NULs, 0xFF, its length.",
    "Payloads are protobuf or pictures as often as text.",
)
def _bytes(check: Check) -> None:
    link = check.connect()
    sent = []
    for tail in (b"\0", bytes(range(256)), b"\xff" * 100, b"\0" * 5000):
        sent.append((link.send_async(tail=tail), tail))
    link.work_until_called()
    for message, tail in sent:
        check.require(message.ok, f"a payload that ends with {tail[:4]!r} was not called OK")
        found = check.content(message)
        check.require(
            found == message.payload,
            f"{len(message.payload)} bytes were sent, {len(found)} arrived, from byte "
            f"{_first_difference(found, message.payload)} on different",
        )


def _first_difference(left: bytes, right: bytes) -> int:
    for place, (one, other) in enumerate(zip(left, right)):
        if one != other:
            return place
    return min(len(left), len(right))


@requirement(
    "R12.2",
    MUST,
    "send_async copies the payload before it returns.",
    "Hosts free their buffer at once.",
)
def _copied(check: Check) -> None:
    link = check.connect()
    messages = []
    for _ in range(_SOME):
        messages.append(link.send_async(overwritten=True))
    link.work_until_called()
    missing = check.missing([each for each in messages if each.ok])
    check.require(
        not missing, f"{len(missing)} of {_SOME} payloads were read after send_async had returned"
    )


def contact(check: Check) -> None:
    """Sends until a message is called OK and arrives: topics are made, the reader reads."""
    link = check.connect()
    end = time.monotonic() + 3 * check.patience
    while time.monotonic() < end:
        link.send_async()
        check.until_called(link.messages, link.work)
        if any(each.ok for each in link.messages) and check.any_arrived(link.messages):
            return
        time.sleep(0.3)
    check.require(any(each.ok for each in link.messages), "no message was called OK")
    check.fail("the reader got no message that was called OK (is --reader right?)")
