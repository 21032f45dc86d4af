# SPDX-License-Identifier: Apache-2.0
"""dsmsg.aio with a Redis server: sends, loops, cancellation, back-pressure, a clean exit."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import dsmsg
import dsmsg.aio
import pytest
from dsmsg.brokers import Broker

PATIENCE = 240


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs one test, for at most PATIENCE seconds, with asyncio's checks."""

    async def bounded() -> None:
        await asyncio.wait_for(coroutine, PATIENCE)

    asyncio.run(bounded(), debug=True)


def _url(broker: Broker, topic: str, query: str = "") -> str:
    return f"redis://{broker.address}?consumergroup=g-{topic}&consumername=one{query}"


def test_send_and_receive(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with dsmsg.aio.connect(_url(redis_broker, topic)) as connection:
            messages = connection.messages(topic, timeout=PATIENCE)
            first = asyncio.ensure_future(messages.__anext__())
            while not first.done():  # sent again until the subscription is made
                await connection.send(topic, b"x", key=b"k", headers={"h": "v"})
            message = await first
            assert (message.payload, message.key) == (b"x", b"k")
            assert message.headers == (("h", b"v"),)
            assert connection.pending == 0
            assert repr(connection).startswith("<AsyncConnection REDIS")
            await messages.aclose()  # type: ignore[attr-defined]
        assert connection.closed

    run(main())


def test_a_loop_gets_all_in_order(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with dsmsg.aio.connect(_url(redis_broker, topic)) as connection:
            await _join(connection, topic)
            results = await connection.send_many(topic, [b"%d" % n for n in range(3000)])
            assert results.ok
            received = []
            async for message in connection.messages(topic, timeout=PATIENCE):
                received.append(int(message.payload))
                if len(received) == 3000:
                    break
            assert received == list(range(3000))

    run(main())


async def _join(connection: dsmsg.aio.AsyncConnection, topic: str) -> None:
    """Makes the group, so that it gets what is sent from now on."""
    async for _ in connection.messages(topic, timeout=0.1):
        pass


def test_awaiting_connect(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        connection = await dsmsg.aio.connect(_url(redis_broker, topic))
        await connection.send(topic, b"x")
        assert await connection.flush(PATIENCE)
        assert connection.stats()["link"] == "up"
        assert connection.last_error() == ""
        await connection.disconnect()
        await connection.disconnect()
        with pytest.raises(dsmsg.ClosedError):
            await connection.send(topic, b"x")

    run(main())


def test_errors_have_kinds(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        with pytest.raises(dsmsg.LoginError):
            await dsmsg.aio.connect(f"redis://nobody:wrong@{redis_broker.address}")
        url = _url(redis_broker, topic, "&max-message-bytes=10")
        async with dsmsg.aio.connect(url) as connection:
            with pytest.raises(dsmsg.TooLargeError):
                await connection.send(topic, b"x" * 11)
            with pytest.raises(TypeError, match="encode"):
                await connection.send(topic, "text")  # type: ignore[arg-type]
            await connection.send(topic, b"x")  # neither kept its place

    run(main())


def test_back_pressure(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with dsmsg.aio.connect(_url(redis_broker, topic), max_in_flight=10) as connection:
            most = 0

            async def send() -> None:
                nonlocal most
                await connection.send(topic, b"x")

            tasks = [asyncio.ensure_future(send()) for _ in range(500)]
            while not all(task.done() for task in tasks):
                most = max(most, connection.pending)
                await asyncio.sleep(0)
            assert 0 < most <= 10

    run(main())


def test_a_cancelled_send_is_still_sent_and_makes_room(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with dsmsg.aio.connect(_url(redis_broker, topic), max_in_flight=1) as connection:
            await _join(connection, topic)
            for number in range(20):
                task = asyncio.ensure_future(connection.send(topic, b"%d" % number))
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await connection.send(topic, b"last")
            received = []
            async for message in connection.messages(topic, timeout=PATIENCE):
                received.append(message.payload)
                if message.payload == b"last":
                    break
            # A task that was cancelled while it waited for room has sent nothing.
            assert received[0] == b"0"
            assert received == sorted(set(received), key=received.index)

    run(main())


def test_a_cancelled_loop_loses_nothing(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        received: list[bytes] = []

        async def receive(connection: dsmsg.aio.AsyncConnection) -> None:
            async for message in connection.messages(topic):
                received.append(message.payload)
                if len(received) == 5:
                    await asyncio.sleep(PATIENCE)  # cancelled here, over the fifth message

        async with dsmsg.aio.connect(_url(redis_broker, topic)) as connection:
            await _join(connection, topic)
            assert (await connection.send_many(topic, [b"%d" % n for n in range(10)])).ok
            task = asyncio.ensure_future(receive(connection))
            while len(received) < 5:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with dsmsg.aio.connect(_url(redis_broker, topic)) as connection:
            again = []
            async for message in connection.messages(topic, timeout=PATIENCE):
                again.append(message.payload)
                if len(again) == 6:
                    break
        assert again == [b"4", b"5", b"6", b"7", b"8", b"9"]

    run(main())


def test_a_loop_ends_with_the_connection(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        connection = await dsmsg.aio.connect(_url(redis_broker, topic))

        async def receive() -> int:
            return len([message async for message in connection.messages(topic)])

        task = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await connection.send(topic, b"x")
        await connection.disconnect()
        with_error = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(with_error, (int, dsmsg.ClosedError))

    run(main())


def test_sends_under_way_at_disconnect_get_a_result(new_broker: Any, topic: str) -> None:  # noqa: ANN401
    broker = new_broker("redis").start()

    async def main() -> None:
        url = f"redis://{broker.address}?flush-timeout=200ms"
        connection = await dsmsg.aio.connect(url)
        await connection.send(topic, b"x")
        broker.stop()
        tasks = [asyncio.ensure_future(connection.send(topic, b"y")) for _ in range(10)]
        while connection.pending < 10:
            await asyncio.sleep(0.01)
        await connection.disconnect()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, dsmsg.DsmsgError)

    run(main())


def test_no_thread_is_left(redis_broker: Broker, topic: str) -> None:
    async def main() -> None:
        async with dsmsg.aio.connect(_url(redis_broker, topic)) as connection:
            await _join(connection, topic)

    run(main())
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("dsmsg-"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_a_program_that_forgets_to_disconnect_exits(redis_broker: Broker, topic: str) -> None:
    program = f"""
import asyncio, dsmsg.aio
async def main():
    connection = await dsmsg.aio.connect({_url(redis_broker, topic)!r})
    messages = connection.messages({topic!r})
    task = asyncio.ensure_future(messages.__anext__())
    await connection.send({topic!r}, b"x")
    global kept
    kept = connection
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(dsmsg.__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE, env=environment)
