# SPDX-License-Identifier: Apache-2.0
"""Lifetime, callbacks and threads of a connection; `connection` adds the messages."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dsmsg._abi import (
    EventSlot,
    Library,
    collect_errors,
    error_kind,
    ffi,
    forget,
    register,
    report,
)
from dsmsg._feed import Source
from dsmsg._inifile import SettingsFile
from dsmsg._native_module import new_sender
from dsmsg._types import ConnectionEvent, DsmsgError, Payload, Result, SendCallback, encoded
from dsmsg.errors import ClosedError, NotSupportedError, error_class

if TYPE_CHECKING:
    from dsmsg import _native

__all__ = ["ConnectionCore", "disconnect_all"]

_C = TypeVar("_C", bound="ConnectionCore")

_CALLS_TIMEOUT_S = 120.0  # longest wait of disconnect for calls of other threads
_thread = threading.local()
_RESULTS = (Result.OK, Result.ERROR, Result.UNKNOWN_TOPIC)


class ConnectionCore:
    """Implements what `Connection` documents about threads, exceptions and lifetime."""

    def __init__(self, library: Library, protocol: str, address: str = "") -> None:
        """Makes a closed connection; `Adaptor.connect` opens it.

        Args:
            library: the adaptor.
            protocol: its name.
            address: for `repr`, without secrets.
        """
        self._address = address
        self._library = library
        self._protocol = protocol
        self._handle: Any = ffi.NULL
        self._slot: EventSlot | None = None
        self._on_event: Callable[[ConnectionEvent], None] | None = None
        self._early_events: list[int] = []
        self._condition = threading.Condition()  # guards _open, _calls
        self._open = False
        self._last_words = ""  # of the adaptor, when the connection ended
        self._process = os.getpid()
        self._calls = 0
        self._pending: dict[int, Any] = {}  # number -> user pointer of a send not called back yet
        self._subscriptions: deque[Any] = deque()  # user pointers, the last one is in force
        self._link: Any = None
        self._settings: list[SettingsFile] = []  # that the adaptor may read again
        self._reloading = threading.Lock()  # guards _settings
        self._sender: _native.Sender | None = None  # with a work thread, if it is there
        self._receivers: list[_native.Receiver] = []  # must live until disconnect
        self._source: Source | None = None  # of the last `messages`
        self._at_end: list[Callable[[], object]] = []  # called when `disconnect` begins
        self._wake = threading.Event()
        self._worker: threading.Thread | None = None

    # For Adaptor.

    def hold(self, settings: SettingsFile) -> None:
        """Keeps the settings of `connect` and of the last `reload`: a later one reads them."""
        settings.drop_name()
        for replaced in self._settings[1:]:
            replaced.close()
        self._settings = [*self._settings[:1], settings]

    def open(
        self,
        handle: Any,  # noqa: ANN401 - a void pointer
        slot: EventSlot,
        on_event: Callable[[ConnectionEvent], None] | None,
        *,
        work_thread: bool,
    ) -> None:
        """Takes over a handle."""
        self._handle, self._slot = handle, slot
        self._open = True
        _connections.add(self)
        self._on_event = on_event
        early, self._early_events = self._early_events, []
        for event in early:
            self.handle_event(handle, event)
        if work_thread:
            number = int(ffi.cast("uintptr_t", handle))
            if self._library.has("describe"):  # one of ours, which calls back exactly once
                self._sender = new_sender(str(self._library.path), number)
            name = f"dsmsg-{self._protocol.lower()}-work"
            self._worker = threading.Thread(target=self._work, name=name, daemon=True)
            self._worker.start()

    def handle_event(self, handle: Any, event: int) -> None:  # noqa: ANN401 - a void pointer
        """Passes an event on; one that comes before `open` (ours send none) waits for it."""
        if not self._handle:
            self._early_events.append(event)
        elif handle == self._handle and self._on_event is not None:
            with self._inside():
                self._on_event(ConnectionEvent(event))

    # For users.

    def __repr__(self) -> str:
        """Shows where it leads, without secrets, and how it is."""
        to = f" to {self._address!r}" if self._address else ""
        state = "closed" if self.closed else f"open, {len(self._pending)} pending"
        return f"<{type(self).__name__} {self._protocol}{to}: {state}>"

    @property
    def protocol(self) -> str:
        """Protocol name of the adaptor."""
        return self._protocol

    @property
    def closed(self) -> bool:
        """True after `disconnect`, and in a forked child."""
        return not self._open or self._process != os.getpid()

    @property
    def pending(self) -> int:
        """Number of asynchronous sends that have not been called back yet."""
        if self._sender is None or self._process != os.getpid():  # its locks are the parent's
            return len(self._pending)
        return len(self._pending) + self._sender.pending

    def do_work(self) -> None:
        """Runs the callbacks that are due; if none is, waits for one for at most `work-wait`.

        Raises:
            BaseException: the first exception of a callback.
        """
        with self._call() as handle, collect_errors() as errors:
            self._library.do_work(handle)
            self._run_results()
        _raise_first(errors)

    def work_until_done(self, timeout: float) -> bool:
        """Calls `do_work` until every asynchronous send has been called back.

        Args:
            timeout: seconds.

        Returns:
            False when some are still pending.
        """
        deadline = time.monotonic() + timeout
        while self.pending:
            if time.monotonic() >= deadline:
                return False
            began, before = time.monotonic(), self.pending
            self.do_work()
            self._pause_if_idle(began, before)
        return True

    def disconnect(self) -> None:
        """Flushes (for at most `flush-timeout`), calls back for the rest, and ends the connection.

        A second call does nothing, and neither does one in a forked child: the connection belongs
        to the parent.

        Raises:
            DsmsgError: called from inside a callback of this connection, or the adaptor refused.
            BaseException: the first exception of a callback.
        """
        if self in getattr(_thread, "inside", ()):
            raise DsmsgError(
                "cannot disconnect from inside a callback of the same connection "
                "(let it return, then disconnect on another thread)"
            )
        if self._process != os.getpid():
            return  # without the locks, which a thread of the parent may have held
        with self._condition:
            if not self._open:
                return
            self._open = False
        for call in self._at_end:
            call()
        self._wake.set()
        for receiver in self._receivers:
            receiver.close()
        if self._sender is not None:
            self._sender.close()
            self._sender.stop()
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join(_CALLS_TIMEOUT_S)
        with self._condition:
            if not self._condition.wait_for(lambda: self._calls == 0, _CALLS_TIMEOUT_S):
                self._open = True
                raise DsmsgError(
                    f"cannot disconnect: {self._calls} calls on other threads did not return "
                    f"within {_CALLS_TIMEOUT_S:g} s"
                )
        for receiver in self._receivers:
            receiver.close()  # also one whose subscription was being made
        with collect_errors() as errors:
            code = self._library.disconnect(self._handle)
            self._last_words = self._library.read_text("last_error", ffi.NULL)
            self._run_results()
        self._release()
        _raise_first(errors)
        if code != Result.OK:
            raise DsmsgError("the adaptor refused to disconnect (see its log)", Result.of(code))

    def __enter__(self: _C) -> _C:
        """Returns the connection itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnects."""
        self.disconnect()

    # For Connection.

    @contextlib.contextmanager
    def _call(self) -> Iterator[Any]:
        """Keeps `disconnect` out during a call into the adaptor."""
        if self._process != os.getpid():
            raise ClosedError(
                f"this connection belongs to the parent process (pid {self._process}): after "
                "fork(), the child must open its own connection"
            )
        with self._condition:
            if not self._open:
                raise ClosedError("the connection is closed")
            self._calls += 1
        try:
            yield self._handle
        finally:
            with self._condition:
                self._calls -= 1
                if self._calls == 0:
                    self._condition.notify_all()

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Marks the thread as running a callback of this connection."""
        before: tuple[ConnectionCore, ...] = getattr(_thread, "inside", ())
        _thread.inside = (*before, self)
        try:
            yield
        finally:
            _thread.inside = before

    def _submit(
        self, submit: Callable[[Any, Any], int], topic: str | None, callback: SendCallback | None
    ) -> Future[Result] | None:
        future: Future[Result] | None = None
        if callback is None:
            future = Future()
            future.set_running_or_notify_cancel()  # the adaptor cannot take a message back

        def complete(code: int) -> None:
            self._pending.pop(number, None)
            result = Result.of(code)
            with self._inside():
                if callback is not None:
                    callback(result)
                elif future is not None:
                    self._settle(future, topic, result)

        with self._call() as handle:
            user_ptr = register(complete)
            number = int(ffi.cast("uintptr_t", user_ptr))
            self._pending[number] = user_ptr
            self._wake.set()
            code = submit(handle, user_ptr)
            if code != Result.OK:
                self._pending.pop(number, None)
                forget(user_ptr)
                raise self._error(f"cannot queue a message to {topic!r}", code)
        return future

    def _submit_native(
        self,
        sender: _native.Sender,
        topic: str | None,
        payload: Payload,
        callback: SendCallback | None,
        key: Payload | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
        timestamp_ms: int = 0,
    ) -> Future[Result] | None:
        future: Future[Result] | None = None
        done: SendCallback
        if callback is None:
            future = Future()
            future.set_running_or_notify_cancel()  # the adaptor cannot take a message back
            done = functools.partial(self._settle, future, topic)
        else:
            done = callback
        name = encoded(topic, "topic")
        if key is None and not headers and timestamp_ms == 0:
            code = sender.send_async(name, payload, done)
        else:
            code = sender.send_async(name, payload, done, key, headers, timestamp_ms)
        if code != 0:
            raise self._error(f"cannot queue a message to {topic!r}", code)
        return future

    def _settle(self, future: Future[Result], topic: str | None, result: Result) -> None:
        if result is Result.OK:
            future.set_result(result)
        else:
            future.set_exception(self.failed(topic, result))

    def _run_results(self) -> None:
        """Runs the callbacks of results that the native part holds."""
        if self._sender is not None:
            self._run(self._sender.take())

    def _run(self, results: list[tuple[Callable[..., object], int]]) -> None:
        with self._inside():
            for call, code in results:
                try:
                    call(_RESULTS[code])
                except BaseException as error:
                    report(error)

    def _work(self) -> None:
        if self._sender is not None:
            while (results := self._sender.work()) is not None:
                self._run(results)
            return
        always = self._protocol == "MQTT"  # hosts drive that protocol without pending sends, too
        while self._open:
            if not self._pending and not always:
                self._wake.clear()
                if not self._pending and self._open:
                    self._wake.wait(1.0)
                continue
            began, before = time.monotonic(), self.pending
            try:
                with self._call() as handle, collect_errors() as errors:
                    self._library.do_work(handle)
            except ClosedError:
                return
            for error in errors:
                report(error)
            self._pause_if_idle(began, before)

    def _pause_if_idle(self, began: float, before: int) -> None:
        """Pauses briefly after a `do_work` that neither waited nor completed anything."""
        if self.pending == before and time.monotonic() - began < 0.001:
            time.sleep(0.005)

    def _release(self) -> None:
        _connections.discard(self)
        for settings in self._settings:
            settings.close()
        for user_ptr in self._subscriptions:
            forget(user_ptr)
        if self._link is not None:
            forget(self._link)
        if self._slot is not None:
            self._slot.give_back()
        left = list(self._pending.values())
        for user_ptr in left:  # an adaptor that breaks the contract
            target = forget(user_ptr)
            if target is not None:
                try:
                    target(int(Result.ERROR))
                except BaseException as error:
                    report(error)

    def _need(self, function: str) -> None:
        if not self._library.has(function):
            prefix = "nvds_msgapi_" if function == "subscribe" else "dsmsg_"
            raise NotSupportedError(
                f"the adaptor {self._library.path.name} has no {prefix}{function}"
            )

    def failed(self, topic: str | None, result: Result) -> DsmsgError:
        """Makes the exception for a message that was accepted and failed."""
        reason = self._library.read_text("last_error", self._handle)
        text = f"a message to {topic!r} failed with {result.name}"
        kind = error_class(error_kind(self._library, self._handle), result)
        return kind(text + (f": {reason}" if reason else ""), result, reason)

    def _error(self, what: str, code: int) -> DsmsgError:
        """Makes the exception for a call of this thread that the adaptor has just refused."""
        teller = ffi.NULL
        reason = self._library.read_text("last_error", teller)
        if not reason:
            teller = self._handle
            reason = self._library.read_text("last_error", teller)
        result = Result.of(code)
        text = f"{self._library.path.name}: {what}: {result.name}"
        kind = error_class(error_kind(self._library, teller), result)
        return kind(text + (f": {reason}" if reason else ""), result, reason)


_connections: set[ConnectionCore] = set()


@atexit.register
def disconnect_all() -> None:
    """Ends the connections still open, before the interpreter exits and no callback can run."""
    for connection in list(_connections):
        try:
            connection.disconnect()
        except BaseException as error:
            report(error)


# A child process has the handles, but none of the threads behind them: every call but disconnect
# raises there.
os.register_at_fork(after_in_child=_connections.clear)


def _raise_first(errors: list[BaseException]) -> None:
    for error in errors[1:]:
        report(error)
    if errors:
        raise errors[0]
