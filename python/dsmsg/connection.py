# SPDX-License-Identifier: Apache-2.0
"""One connection of an adaptor; made by `Adaptor.connect`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, overload

from dsmsg._abi import ffi, forget, on_link, on_message, on_send, register
from dsmsg._check import check_config
from dsmsg._connection_core import ConnectionCore
from dsmsg._inifile import ConfigSource, SettingsFile
from dsmsg._types import (
    ConnectionEvent,
    DsmsgError,
    Message,
    Payload,
    Result,
    SendCallback,
    c_bytes,
    c_string,
)

__all__ = ["Connection", "ConnectionEvent", "DsmsgError", "Message", "Result"]

_KEPT_SUBSCRIPTIONS = 16  # the one in force, and previous ones


class Connection(ConnectionCore):
    """A connection to a broker.

    Threads: any thread may call any method; `disconnect` waits until calls on other threads have
    returned. Callbacks of `send_async` run, and its futures complete, on the thread that calls
    `do_work` or `disconnect` (or on the work thread); without either, they never come. Subscribe
    callbacks run one at a time on a thread of the adaptor, event and link callbacks on another.

    Exceptions in callbacks: of `send_async`'s, the first is raised by the `do_work` or `disconnect`
    that ran it and the others go to `threading.excepthook`; of all others, they go to
    `threading.excepthook`.

    Lifetime: a connection stays open, and alive, until `disconnect`; connections still open when
    the interpreter exits are disconnected then.

    Processes: in a child made by fork (`multiprocessing` with that start method) every call on a
    connection of the parent raises DsmsgError, except `disconnect`, which does nothing; the child
    opens its own connections.
    """

    # For users.

    def send(self, topic: str | None, payload: Payload) -> None:
        """Sends one message and waits for the broker's acknowledgement for at most `send-timeout`.

        Args:
            topic: None takes the configured one.
            payload: any bytes.

        Raises:
            DsmsgError: it was not acknowledged; `result` distinguishes an unknown topic from other
                failures.
            ValueError: the topic contains a NUL character.
        """
        with self._call() as handle:
            data = c_bytes(payload)
            code = self._library.send(handle, c_string(topic, "topic"), data, len(data))
            if code != Result.OK:
                raise self._error(f"cannot send to {topic!r}", code)

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

    def subscribe(self, topics: str | Sequence[str], callback: Callable[[Message], object]) -> None:
        """Receives the messages of some topics; a second call replaces topics and callback.

        All or nothing: after an error the previous topics and callback remain in force. May be
        called from inside any callback. When it returns, a call of the previous callback may still
        be running, but no new one begins.

        Args:
            topics: one or several.
            callback: called with each message on a thread of the adaptor, one at a time; the
                message is acknowledged to the broker when it returns.

        Raises:
            DsmsgError: the broker refused a topic, or did not answer within `connect-timeout`.
            ValueError: a topic contains a NUL character.
        """
        names = [topics] if isinstance(topics, str) else list(topics)
        texts = [c_string(name, "topic") for name in names]

        def receive(result: int, payload: bytes, topic: str) -> None:
            with self._inside():
                callback(Message(topic, payload, Result.of(result)))

        with self._call() as handle:
            self._need("subscribe")
            user_ptr = register(receive)
            code = self._library.subscribe(
                handle, ffi.new("char *[]", texts), len(texts), on_message, user_ptr
            )
            if code != Result.OK:
                forget(user_ptr)
                raise self._error(f"cannot subscribe to {names!r}", code)
            # A call of a previous one may have begun in C and wait for the interpreter lock: its
            # message would be acknowledged unseen.
            self._subscriptions.append(user_ptr)
            if len(self._subscriptions) > _KEPT_SUBSCRIPTIONS:
                forget(self._subscriptions.popleft())

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

    def reload(self, conn_str: str | None = None, config: ConfigSource | None = None) -> None:
        """Reconnects with another endpoint, certificate or password, and keeps the queue.

        Args:
            conn_str: connection string; None: that of `connect`.
            config: settings; None: those of `connect`, a file is read again.

        Raises:
            ConfigError: as `Adaptor.connect`.
            DsmsgError: the settings are wrong (nothing has changed then), or the adaptor has no
                dsmsg_reload. The link callback reports when the new broker is reached.
        """
        self._need("reload")
        check_config(self._library, self._protocol, config)
        with self._call() as handle, self._reloading:
            settings = SettingsFile(config)
            try:
                code = self._library.reload(
                    handle, c_string(conn_str, "conn_str"), c_string(settings.path, "config")
                )
                if code != Result.OK:
                    raise self._error("cannot reload", code)
            except BaseException:
                settings.close()
                raise
            if config is not None:
                self.hold(settings)

    def stats(self) -> dict[str, Any]:
        """Returns the connection's metrics.

        Raises:
            DsmsgError: the adaptor has no dsmsg_stats.
        """
        self._need("stats")
        with self._call() as handle:
            metrics: dict[str, Any] = json.loads(self._library.read_text("stats", handle))
            return metrics

    def last_error(self) -> str:
        """Returns the text of the connection's last error; "" without an error.

        It includes how many messages were lost since connect, by reason. After `disconnect`: only
        about the lost messages, "" if none was lost.
        """
        if not self._open:
            return self._last_words
        with self._call() as handle:
            return self._library.read_text("last_error", handle)

    def set_link_callback(self, callback: Callable[[bool, str], None] | None) -> None:
        """Sets or, with None, removes the callback for changes of the link.

        Args:
            callback: called with up (True) or down (False) and the reason, first with the present
                state.

        Raises:
            DsmsgError: the adaptor has no dsmsg_set_link_callback, or refused.
        """
        self._need("set_link_callback")

        def changed(state: int, reason: str) -> None:
            if callback is not None:
                with self._inside():
                    callback(state != 0, reason)

        with self._call() as handle:
            user_ptr = register(changed)
            code = self._library.set_link_callback(
                handle, ffi.NULL if callback is None else on_link, user_ptr
            )
            if code != Result.OK:
                forget(user_ptr)
                raise self._error("cannot set the link callback", code)
            previous, self._link = self._link, user_ptr
            if previous is not None:
                forget(previous)
