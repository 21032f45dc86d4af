# SPDX-License-Identifier: Apache-2.0
"""The hosts of the field, imitated: which thread calls what, with which lock held."""

from __future__ import annotations

import threading
import time

from dsmsg._abi import ffi
from dsmsg._certify.host import NAMES, OK, Check, Link, Message
from dsmsg._certify.requirements import MUST, requirement

__all__: list[str] = []

_MESSAGES = 200


class _Host:
    """Sends under a lock that the send callback takes, and calls do_work on another thread.

    Args:
        check: the check.
        link: the connection.
        endless: do_work also when nothing is pending.
        pause: seconds between two calls of do_work.
    """

    def __init__(self, check: Check, link: Link, *, endless: bool, pause: float) -> None:
        self._check, self.link = check, link
        self._endless, self._pause = endless, pause
        self._lock = threading.Condition(threading.Lock())  # not to be taken twice
        self._pending, self._running = 0, True
        self.messages: list[Message] = []
        self._worker = threading.Thread(target=self._work)
        self._worker.start()

    def render(self) -> bool:
        """Sends one message; False: it was refused, which ends the pipeline."""
        with self._lock:
            message = self.link.send_async(on_call=self._called)
            self.messages.append(message)
            if message.accepted:
                self._pending += 1
                self._lock.notify_all()
            return message.accepted

    def _called(self, message: Message) -> None:
        with self._lock:
            self._pending -= 1
            self._lock.notify_all()

    def _work(self) -> None:
        while True:
            with self._lock:
                while self._running and not self._endless and self._pending <= 0:
                    self._lock.wait()
                if not self._running:
                    return
            self.link.work()
            time.sleep(self._pause)

    def drain(self) -> None:
        """Waits until every message was called back, or nothing more comes."""
        left, heard = -1, time.monotonic()
        with self._lock:
            while self._pending > 0 and time.monotonic() - heard < self._check.patience:
                if self._pending != left:
                    left, heard = self._pending, time.monotonic()
                self._lock.wait(0.05)

    def stop(self) -> int:
        """Joins the worker, then disconnects: from now on nothing calls do_work."""
        with self._lock:
            self._running = False
            self._lock.notify_all()
        self._worker.join()
        return self.link.disconnect()


def _pipeline(check: Check, host: _Host, *, cut: bool) -> str:
    for number in range(_MESSAGES):
        if cut and number == _MESSAGES // 4:
            check.fault("cut")
        if cut and number == _MESSAGES // 2:
            time.sleep(0.5)
            check.fault("heal")
        check.require(host.render(), f"message {number} was refused: the pipeline ends")
        time.sleep(0.001)
    host.drain()
    answer = host.stop()
    check.require(answer == OK, f"disconnect returned {NAMES.get(answer, answer)}")
    silent = [each for each in host.messages if not each.calls]
    check.require(not silent, f"{len(silent)} of {_MESSAGES} messages were never called back")
    done = [each for each in host.messages if each.ok]
    missing = check.missing(done)
    check.require(not missing, f"{len(missing)} of {len(done)} messages called OK are lost")
    return f"{len(done)} of {_MESSAGES} messages called OK arrived"


@requirement(
    "H.1",
    MUST,
    "Under DeepStream's sink (do_work only while messages are pending, no pause) all arrives.",
    "nvmsgbroker with a library of any name but MQTT's.",
)
def _sink(check: Check) -> str:
    host = _Host(check, check.connect(), endless=False, pause=0)
    return _pipeline(check, host, cut=False)


@requirement(
    "H.2",
    MUST,
    "The same with an outage in the middle: no message is refused, all that is called OK arrives.",
    "nvmsgbroker ends the pipeline when a message is refused.",
)
def _sink_cut(check: Check) -> str:
    host = _Host(check, check.connect(), endless=False, pause=0)
    return _pipeline(check, host, cut=True)


@requirement(
    "H.3",
    MUST,
    "Under the sink for MQTT (do_work for ever) all arrives, and it stops.",
    "nvmsgbroker with libnvds_mqtt_proto.so.",
)
def _endless(check: Check) -> str:
    host = _Host(check, check.connect(), endless=True, pause=0)
    return _pipeline(check, host, cut=False)


@requirement(
    "H.4",
    MUST,
    "Under DeepStream's client library (signature first, connect under a lock that the connect "
    "callback takes, 10 ms between two calls of do_work) all arrives.",
    "nvmsgbroker with new-api=1, and programs that use nv_msgbroker.",
)
def _client_library(check: Check) -> str:
    text, path = check.plan["conn_str"].encode(), check.plan["config"].encode() or ffi.NULL
    signature = ffi.new("char[]", 2048)
    check.library.call("connection_signature", text, path, signature, 2048)
    lock = threading.Lock()
    callback = ffi.callback("connect_cb", lambda handle, event: _take(lock))
    with lock:
        handle = check.library.call("connect", text, callback, path)
    check.require(handle != ffi.NULL, "connect gave no handle")
    link = check.adopt(handle)
    host = _Host(check, link, endless=False, pause=0.01)
    return _pipeline(check, host, cut=False)


def _take(lock: threading.Lock) -> None:
    with lock:
        pass


@requirement(
    "H.5",
    MUST,
    "Under a sample program (send; then send_async and do_work once in a while until all is "
    "called back) all arrives.",
    "DeepStream's test programs for adaptors.",
)
def _sample(check: Check) -> str:
    link = check.connect()
    first = link.send()
    check.require(first.answer == OK, f"send returned {NAMES.get(first.answer or 0)}")
    messages = [link.send_async() for _ in range(5)]

    def work() -> None:
        link.work()
        time.sleep(0.2)

    waiting = check.until_called(messages, work)
    check.require(not waiting, f"{len(waiting)} of 5 messages were never called back")
    check.require(link.disconnect() == OK, "disconnect did not return OK")
    done = [first, *(each for each in messages if each.ok)]
    missing = check.missing(done)
    check.require(not missing, f"{len(missing)} of {len(done)} messages called OK are lost")
    return ""
