# SPDX-License-Identifier: Apache-2.0
"""What a connection sends; `connection` adds what it receives."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, overload

from dsmsg._abi import ffi, on_send
from dsmsg._connection_core import ConnectionCore
from dsmsg._results import REFUSED, UNFINISHED, SendResults
from dsmsg._types import DsmsgError, Payload, Result, SendCallback, c_bytes, c_string, encoded
from dsmsg.errors import ClosedError, TimedOutError

__all__ = ["Sending"]


class Sending(ConnectionCore):
    """Implements what `Connection` sends."""

    def send(
        self,
        topic: str | None,
        payload: Payload,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
        timeout: float | None = None,
    ) -> None:
        """Sends one message and waits for the broker's acknowledgement.

        Args:
            topic: None takes the configured one.
            payload: any bytes.
            key: as for `send_message`.
            headers: as for `send_message`.
            timestamp_ms: as for `send_message`.
            timeout: seconds; None is `send-timeout` of the settings. With a time-out of its own, a
                message that was not acknowledged in time is still sent.

        Raises:
            DsmsgError: it was not acknowledged; its class says why (`dsmsg.errors`).
            ValueError: the topic contains a NUL character.
        """
        if key is not None or headers or timestamp_ms or timeout is not None:
            future = self.send_message(
                topic, payload, key=key, headers=headers, timestamp_ms=timestamp_ms
            )
            return self._wait(future, topic, timeout)
        with self._call() as handle:
            data = c_bytes(payload)
            code = self._library.send(handle, c_string(topic, "topic"), data, len(data))
            if code != Result.OK:
                raise self._error(f"cannot send to {topic!r}", code)

    def _wait(self, future: Future[Result], topic: str | None, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not future.done():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimedOutError(
                    f"a message to {topic!r} was not acknowledged within {timeout:g} s; it is "
                    "still sent"
                )
            if self._worker is None:
                self.do_work()
            else:
                wait([future], left)
        future.result()

    @overload
    def send_async(self, topic: str | None, payload: Payload) -> Future[Result]: ...

    @overload
    def send_async(self, topic: str | None, payload: Payload, callback: SendCallback) -> None: ...

    def send_async(
        self, topic: str | None, payload: Payload, callback: SendCallback | None = None
    ) -> Future[Result] | None:
        """Queues a copy of one message.

        Args:
            topic: None takes the configured one.
            payload: any bytes.
            callback: called once with the result, by `do_work` or `disconnect`.

        Returns:
            Without `callback`, a future (not cancellable): its result is `Result.OK`, its exception
            a DsmsgError. It completes in `do_work` or `disconnect`.

        Raises:
            DsmsgError: the adaptor refused the message; nothing will be called back.
            ValueError: the topic contains a NUL character.
        """
        if self._sender is not None:
            return self._submit_native(self._sender, topic, payload, callback)
        data = c_bytes(payload)
        name = c_string(topic, "topic")

        def submit(handle: Any, user_ptr: Any) -> int:  # noqa: ANN401 - void pointers
            code: int = self._library.send_async(handle, name, data, len(data), on_send, user_ptr)
            return code

        return self._submit(submit, topic, callback)

    @overload
    def send_message(
        self,
        topic: str | None,
        payload: Payload,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
    ) -> Future[Result]: ...

    @overload
    def send_message(
        self,
        topic: str | None,
        payload: Payload,
        callback: SendCallback,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
    ) -> None: ...

    def send_message(
        self,
        topic: str | None,
        payload: Payload,
        callback: SendCallback | None = None,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
    ) -> Future[Result] | None:
        """`send_async` with a key, headers and a time.

        Args:
            topic: None takes the configured one.
            payload: any bytes.
            callback: as for `send_async`.
            key: None takes the configured one.
            headers: names and values, in this order; a name may come twice.
            timestamp_ms: milliseconds since 1970; 0 is now.

        Returns:
            As `send_async`.

        Raises:
            DsmsgError: as `send_async`; also when the adaptor has no dsmsg_send_message.
            ValueError: topic or headers contain a NUL character.
        """
        self._need("send_message")
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if self._sender is not None:
            both = [(_header(name), _header(value)) for name, value in pairs]
            return self._submit_native(
                self._sender, topic, payload, callback, key, both, timestamp_ms
            )
        texts = [(c_string(name, "header"), c_string(value, "header")) for name, value in pairs]
        data, name = c_bytes(payload), c_string(topic, "topic")
        key_data = None if key is None else c_bytes(key)
        message = ffi.new("DsmsgMessage *")
        message.size = ffi.sizeof("DsmsgMessage")
        message.topic, message.payload, message.payload_len = name, data, len(data)
        if key_data is not None:
            message.key, message.key_len = key_data, len(key_data)
        header_array = ffi.new("DsmsgHeader[]", len(texts))
        for header, (header_name, value) in zip(header_array, texts):
            header.name, header.value = header_name, value
        message.headers, message.num_headers = header_array, len(texts)
        message.timestamp_ms = timestamp_ms

        def submit(handle: Any, user_ptr: Any) -> int:  # noqa: ANN401 - void pointers
            code: int = self._library.send_message(handle, message, on_send, user_ptr)
            return code

        return self._submit(submit, topic, callback)

    def send_many(
        self,
        topic: str | None,
        payloads: Sequence[Payload],
        *,
        keys: Sequence[Payload] | None = None,
        timeout: float | None = None,
    ) -> SendResults:
        """Sends many messages and waits for their results: far cheaper than one call for each.

        Args:
            topic: None takes the configured one.
            payloads: any bytes each.
            keys: one for each payload; None takes the configured one.
            timeout: seconds for all of them; None waits until each has a result.

        Returns:
            A result for each, in their order. What has none within `timeout` is still sent.

        Raises:
            ClosedError: the connection was closed.
            ValueError: topic contains a NUL character, or there are not as many keys as payloads.
        """
        if self._sender is not None:
            limit = -1.0 if timeout is None else max(0.0, timeout)
            codes = self._sender.send_many(encoded(topic, "topic"), payloads, keys, limit)
        else:
            codes = self._send_each(topic, payloads, keys, timeout)
        return SendResults(codes, self._error_of(topic, codes) if any(codes) else None)

    def _send_each(
        self,
        topic: str | None,
        payloads: Sequence[Payload],
        keys: Sequence[Payload] | None,
        timeout: float | None,
    ) -> bytes:
        if keys is not None and len(keys) != len(payloads):
            raise ValueError("there must be as many keys as payloads")
        for payload in payloads:
            c_bytes(payload)  # all are checked before one is sent
        codes = bytearray([UNFINISHED]) * len(payloads)
        ended = threading.Semaphore(0)

        def end(place: int, code: int) -> None:
            codes[place] = code
            ended.release()

        for place, payload in enumerate(payloads):
            done = functools.partial(end, place)
            try:
                if keys is None:
                    self.send_async(topic, payload, done)
                else:
                    self.send_message(topic, payload, done, key=keys[place])
            except ClosedError:
                raise
            except DsmsgError:
                end(place, REFUSED)
        deadline = None if timeout is None else time.monotonic() + timeout
        for _ in payloads:
            while not ended.acquire(timeout=0.05):
                if self._worker is None and not self.closed:
                    self.do_work()
                if deadline is not None and time.monotonic() >= deadline:
                    return bytes(codes)
        return bytes(codes)

    def _error_of(self, topic: str | None, codes: bytes) -> DsmsgError:
        if UNFINISHED in codes:
            count = codes.count(UNFINISHED)
            return TimedOutError(f"{count} of {len(codes)} messages have no result yet")
        if REFUSED in codes:
            return self._error(f"cannot queue a message to {topic!r}", int(Result.ERROR))
        return self.failed(topic, Result.of(max(codes)))

    def flush(self, timeout: float) -> bool:
        """Waits until every accepted message is completed (callbacks still need `do_work`).

        Args:
            timeout: seconds.

        Returns:
            False if some are not.

        Raises:
            DsmsgError: the adaptor has no dsmsg_flush.
        """
        self._need("flush")
        with self._call() as handle:
            milliseconds = max(0, min(int(timeout * 1000), 2**31 - 1))
            return bool(self._library.flush(handle, milliseconds) == Result.OK)


def _header(text: str) -> bytes:
    return encoded(text, "header") or b""
