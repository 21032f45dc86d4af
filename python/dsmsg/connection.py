# SPDX-License-Identifier: Apache-2.0
"""One connection of an adaptor; made by `Adaptor.connect`."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dsmsg._abi import ffi, forget, on_link, on_message, on_received, register
from dsmsg._check import check_config
from dsmsg._feed import Feed, Receiver, Source
from dsmsg._inifile import ConfigSource, SettingsFile
from dsmsg._native_module import new_receiver
from dsmsg._sending import Sending
from dsmsg._types import (
    ConnectionEvent,
    DsmsgError,
    Message,
    Result,
    c_string,
    encoded,
)

if TYPE_CHECKING:
    from dsmsg import _native

__all__ = ["Connection", "ConnectionEvent", "DsmsgError", "Message", "Result"]

_KEPT_SUBSCRIPTIONS = 16  # the one in force, and previous ones


class Connection(Sending):
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

    def subscribe(
        self,
        topics: str | Sequence[str],
        callback: Callable[[Message], object],
        *,
        manual_ack: bool = False,
    ) -> None:
        """Receives the messages of some topics; a second call replaces topics and callback.

        All or nothing: after an error the previous topics and callback remain in force. May be
        called from inside any callback. When it returns, a call of the previous callback may still
        be running, but no new one begins.

        Args:
            topics: one or several.
            callback: called with each message on a thread of the adaptor, one at a time; the
                message is acknowledged to the broker when it returns.
            manual_ack: messages are acknowledged by their `ack()`, in any order, on any thread. At
                most 1000 are received and not acknowledged.

        Raises:
            DsmsgError: the broker refused a topic, or did not answer within `connect-timeout`.
            NotSupportedError: `manual_ack` with an adaptor that has no dsmsg_subscribe_message.
            ValueError: a topic contains a NUL character.
        """
        self._subscribe(topics, callback, manual_ack, manual_ack)
        source, self._source = self._source, None
        if source is not None:
            source.receiver.close()

    def _subscribe(
        self,
        topics: str | Sequence[str],
        callback: Callable[[Message], object],
        manual_ack: bool,
        exposed: bool,
    ) -> None:
        """Subscribes; `exposed`: messages have a usable `ack`."""
        names = [topics] if isinstance(topics, str) else list(topics)
        texts = [c_string(name, "topic") for name in names]
        details = self._library.has("subscribe_message") and self._library.has("ack")
        self._need("subscribe_message" if manual_ack else "subscribe")

        def receive(result: int, payload: bytes, topic: str) -> None:
            with self._inside():
                callback(Message(topic, payload, Result.of(result)))

        def receive_message(received: Any) -> None:  # noqa: ANN401 - a C structure
            with self._inside():
                callback(self._message_of(received, exposed))

        with self._call() as handle:
            user_ptr = register(receive_message if details else receive)
            array = ffi.new("char *[]", texts)
            if details:
                code = self._library.subscribe_message(
                    handle, array, len(texts), on_received, int(manual_ack), user_ptr
                )
            else:
                code = self._library.subscribe(handle, array, len(texts), on_message, user_ptr)
            if code != Result.OK:
                forget(user_ptr)
                raise self._error(f"cannot subscribe to {names!r}", code)
            # A call of a previous one may have begun in C and wait for the interpreter lock: its
            # message would be acknowledged unseen.
            self._subscriptions.append(user_ptr)
            if len(self._subscriptions) > _KEPT_SUBSCRIPTIONS:
                forget(self._subscriptions.popleft())

    def _message_of(self, received: Any, exposed: bool) -> Message:  # noqa: ANN401 - a C structure
        message = Message(
            _text(received.topic),
            _bytes(received.payload, received.payload_len),
            Result.OK,
            _bytes(received.key, received.key_len) if received.key else None,
            tuple(
                (_text(header.name), _bytes(header.value, header.value_len))
                for header in received.headers[0 : received.num_headers]
            ),
            _present(received.timestamp_ms),
            _present(received.partition),
            _present(received.offset),
            _text(received.id),
            bool(received.redelivered),
        )
        message._number = int(received.ack)
        if exposed:
            message._ack = functools.partial(self.ack, message._number)
        return message

    def ack(self, number: int) -> None:
        """Acknowledges a message by its number; `Message.ack` calls it."""
        with self._call() as handle:
            code = self._library.ack(handle, number)
            if code != Result.OK:
                raise self._error("cannot acknowledge a message", code)

    def messages(
        self,
        topics: str | Sequence[str],
        *,
        manual_ack: bool = False,
        timeout: float | None = None,
    ) -> Iterator[Message]:
        """Subscribes, and gives the messages to a loop, until the connection is closed.

        A message is acknowledged when the loop asks for the next one. One over which the loop broke
        off goes to the next loop over the same topics; when the connection has ended, a broker that
        can delivers it again.

        Args:
            topics: one or several; they replace what was subscribed to.
            manual_ack: the loop's body calls `Message.ack`.
            timeout: seconds; the loop ends when no message came for so long. None: never.

        Raises:
            DsmsgError: as `subscribe`.
        """
        return self.source(topics, manual_ack=manual_ack).each(timeout)

    def source(self, topics: str | Sequence[str], *, manual_ack: bool) -> Source:
        """Subscribes, and returns what `messages` and `dsmsg.aio` take messages from."""
        names = [topics] if isinstance(topics, str) else list(topics)
        before = self._source
        if before is not None and before.serves(names, manual_ack=manual_ack):
            return before
        receiver: Receiver | None = self._new_receiver(names, manual_ack=manual_ack)
        if receiver is None:
            feed = Feed(self.ack)
            self._at_end.append(feed.close)
            self._subscribe(names, feed.put, manual_ack or self._library.has("ack"), manual_ack)
            receiver = feed
        self._source = Source(receiver, names, manual_ack=manual_ack)
        if before is not None:
            before.receiver.close()
        return self._source

    def _new_receiver(self, names: list[str], *, manual_ack: bool) -> _native.Receiver | None:
        """Subscribes with the native part; None where that is not there."""
        if self._sender is None:
            return None
        texts = [encoded(name, "topic") or b"" for name in names]

        def with_ack(*fields: Any) -> Message:  # noqa: ANN401 - as Message takes them
            message = Message(*fields)
            message._ack = functools.partial(self.ack, message._number)
            return message

        with self._call() as handle:
            number = int(ffi.cast("uintptr_t", handle))
            receiver = new_receiver(
                str(self._library.path), number, with_ack if manual_ack else Message
            )
            if receiver is not None:
                code = receiver.subscribe(texts)
                # A refused one may have been tried for a moment: it is kept as well.
                self._receivers.append(receiver)
                if code != 0:
                    raise self._error(f"cannot subscribe to {names!r}", code)
        return receiver

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


def _text(text: Any) -> str:  # noqa: ANN401 - a C string
    return ffi.string(text).decode("utf-8", "surrogateescape") if text else ""


def _bytes(data: Any, size: int) -> bytes:  # noqa: ANN401 - a C array
    return bytes(ffi.buffer(data, size)) if size > 0 else b""


def _present(value: int) -> int | None:
    return None if value < 0 else int(value)
