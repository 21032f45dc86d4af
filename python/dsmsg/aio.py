# SPDX-License-Identifier: Apache-2.0
"""Connections for asyncio.

    async with dsmsg.aio.connect("redis://localhost:6379") as connection:
        await connection.send("detections", b"{}")
        async for message in connection.messages("detections"):
            print(message.payload)

Threads: everything on the thread of the event loop in which the connection was made.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from dsmsg import _connect
from dsmsg._connect import Where
from dsmsg._message import Message
from dsmsg._results import SendResults
from dsmsg._types import Payload, Result
from dsmsg.adaptor import ConfigLike
from dsmsg.connection import Connection
from dsmsg.errors import DsmsgError

__all__ = ["AsyncConnection", "connect"]

_T = TypeVar("_T")

_LOOK = 0.5  # seconds: how long a thread waits at most, so that the interpreter can exit
_LARGE = 256 << 10  # bytes of a payload that could fill the adaptor's queue, which then blocks


class AsyncConnection:
    """A connection whose methods are awaited; made by `dsmsg.aio.connect`."""

    def __init__(self, connection: Connection, max_in_flight: int) -> None:
        """Takes over a connection, in a running event loop."""
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(max_in_flight)
        self._settled: deque[tuple[asyncio.Future[None], DsmsgError | None]] = deque()
        self._told = False  # the loop is to look at _settled

    def __repr__(self) -> str:
        return f"<Async{repr(self._connection)[1:]}"

    @property
    def closed(self) -> bool:
        """True after `disconnect`."""
        return self._connection.closed

    @property
    def pending(self) -> int:
        """Number of sends that have no result yet."""
        return self._connection.pending

    async def send(
        self,
        topic: str | None,
        payload: Payload,
        *,
        key: Payload | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        timestamp_ms: int = 0,
    ) -> None:
        """Sends one message and waits for the broker's acknowledgement, as long as it takes.

        While `max_in_flight` messages are under way, it waits before it sends. A task that is
        cancelled while it waits for the acknowledgement does not take the message back.

        Args:
            topic: None takes the configured one.
            payload: any bytes.
            key: as for `Connection.send_message`, and so the rest.
            headers: names and values, in this order.
            timestamp_ms: milliseconds since 1970; 0 is now.

        Raises:
            DsmsgError: it was not acknowledged; its class says why (`dsmsg.errors`).
        """
        await self._room.acquire()
        future: asyncio.Future[None] = self._loop.create_future()
        done = functools.partial(self._on_result, future, topic)
        submit = functools.partial(self._connection.send_async, topic, payload, done)
        if key is not None or headers or timestamp_ms:
            submit = functools.partial(
                self._connection.send_message,
                topic,
                payload,
                done,
                key=key,
                headers=headers,
                timestamp_ms=timestamp_ms,
            )
        try:
            if memoryview(payload).nbytes >= _LARGE if not isinstance(payload, str) else False:
                await self._run(submit)
            else:
                submit()
        except asyncio.CancelledError:
            raise  # the thread goes on and sends it; its result makes room
        except BaseException:
            self._room.release()
            raise
        await future

    async def send_many(
        self,
        topic: str | None,
        payloads: Sequence[Payload],
        *,
        keys: Sequence[Payload] | None = None,
        timeout: float | None = None,
    ) -> SendResults:
        """Sends many messages and waits for their results: `Connection.send_many`."""
        return await self._run(
            functools.partial(
                self._connection.send_many, topic, payloads, keys=keys, timeout=timeout
            )
        )

    async def messages(
        self,
        topics: str | Sequence[str],
        *,
        manual_ack: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[Message]:
        """Subscribes, and gives the messages to a loop, until the connection is closed.

        A message is acknowledged when the loop asks for the next one. One over which the loop broke
        off, or its task was cancelled, goes to the next loop over the same topics; when the
        connection has ended, a broker that can delivers it again. Messages that the loop does not
        ask for stay with the broker (at most 1000 come ahead).

        Args:
            topics: one or several; they replace what was subscribed to.
            manual_ack: the loop's body calls `Message.ack`.
            timeout: seconds; the loop ends when no message came for so long. None: never.

        Raises:
            DsmsgError: as `Connection.subscribe`.
        """
        # A thread of its own: one of the loop's would wait here as long as the subscription lives.
        with _Waiting() as waiting:
            source = await self._loop.run_in_executor(
                waiting,
                functools.partial(self._connection.source, topics, manual_ack=manual_ack),
            )
            heard = time.monotonic()
            look = _LOOK if timeout is None else min(_LOOK, timeout)
            # Waits there and takes here, so that a cancelled wait takes nothing.
            while await self._loop.run_in_executor(waiting, source.wait, look):
                messages = source.take(0)
                if messages is None:
                    return
                with messages:
                    for message in messages:
                        yield message
                        heard = time.monotonic()
                if timeout is not None and time.monotonic() - heard >= timeout:
                    return

    async def flush(self, timeout: float) -> bool:
        """Waits until every message is completed; False if some are not within `timeout` s."""
        return await self._run(functools.partial(self._connection.flush, timeout))

    async def disconnect(self) -> None:
        """Flushes (for at most `flush-timeout`) and ends the connection; twice does no harm.

        Sends that are waited for get their result, loops over `messages` end.
        """
        await self._run(self._connection.disconnect)
        self._deliver()

    def stats(self) -> dict[str, Any]:
        """Returns the connection's metrics."""
        return self._connection.stats()

    def last_error(self) -> str:
        """Returns the text of the connection's last error; "" without an error."""
        return self._connection.last_error()

    async def __aenter__(self) -> AsyncConnection:
        """Returns the connection itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnects, also when the task is cancelled meanwhile."""
        await asyncio.shield(self.disconnect())

    async def _run(self, call: Callable[[], _T]) -> _T:
        return await self._loop.run_in_executor(None, call)

    def _on_result(self, future: asyncio.Future[None], topic: str | None, result: Result) -> None:
        """On the work thread: one wake-up of the loop for many results."""
        error = None if result is Result.OK else self._connection.failed(topic, result)
        self._settled.append((future, error))
        if not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop was closed before the connection
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._told = False  # first: what is appended from here on tells again
        while self._settled:
            future, error = self._settled.popleft()
            self._room.release()
            if future.done():
                continue  # cancelled
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class _Waiting(ThreadPoolExecutor):
    """A thread that waits for messages; left behind, not waited for, at the end."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="dsmsg-messages")

    def __exit__(self, *error: object) -> None:
        """Lets the thread end by itself: it ends when the source is closed."""
        self.shutdown(wait=False)


class _Connecting:
    """Both `await connect(...)` and `async with connect(...)`."""

    def __init__(self, connect: Callable[[], Connection], max_in_flight: int) -> None:
        self._connect = connect
        self._max_in_flight = max_in_flight
        self._made: AsyncConnection | None = None

    def __await__(self) -> Generator[Any, None, AsyncConnection]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncConnection:
        self._made = await self._open()
        return self._made

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._made is not None:
            await self._made.__aexit__(kind, error, trace)

    async def _open(self) -> AsyncConnection:
        opening = asyncio.get_running_loop().run_in_executor(None, self._connect)
        try:
            connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # It may still succeed, and must not stay open then.
            opening.add_done_callback(_end)
            raise
        return AsyncConnection(connection, self._max_in_flight)


def _end(opening: asyncio.Future[Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, opening.result().disconnect)


def connect(
    where: Where = None,
    config: ConfigLike = None,
    *,
    on_link: Callable[[bool, str], None] | None = None,
    max_in_flight: int = 1000,
) -> _Connecting:
    """Connects to a broker; use it with `async with`, or with `await`.

    Args:
        where: as for `dsmsg.connect`.
        config: as for `dsmsg.connect`.
        on_link: as for `dsmsg.connect`; runs on a thread of the adaptor.
        max_in_flight: how many messages of `send` may be under way before it waits. Keep it below
            `queue-size`: a full queue would block the event loop for up to `overflow-timeout`.

    Raises:
        DsmsgError: as `dsmsg.connect`.
    """
    return _Connecting(
        functools.partial(_connect.connect, where, config, on_link=on_link), max_in_flight
    )
