# SPDX-License-Identifier: Apache-2.0
"""The native part, and the same without it: payloads, batches, threads, ends; a Redis server."""

from __future__ import annotations

import array
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dsmsg
import numpy
import pytest
from dsmsg import _connection_core, _native_module
from dsmsg.brokers import Broker


@pytest.fixture(params=["native", "cffi"])
def connect(
    request: pytest.FixtureRequest, redis_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., dsmsg.Connection]]:
    """Connects, with and without the native part."""
    if request.param == "cffi":
        monkeypatch.setattr(_connection_core, "new_sender", lambda path, handle: None)
    else:
        assert _native_module.native() is not None
    made = []

    def connect(query: str = "") -> dsmsg.Connection:
        made.append(dsmsg.connect(f"redis://{redis_broker.address}{query}"))
        return made[-1]

    yield connect
    for connection in made:
        connection.disconnect()


def _group(topic: str) -> str:
    return f"?consumergroup=g-{topic}&consumername=one"


def _received(connection: dsmsg.Connection, topic: str, count: int) -> list[bytes]:
    payloads = []
    for message in connection.messages(topic, timeout=240):
        payloads.append(message.payload)
        if len(payloads) == count:
            break
    return payloads


def test_payloads_of_every_kind(connect: Callable[..., dsmsg.Connection], topic: str) -> None:
    connection = connect(_group(topic))
    next(connection.messages(topic, timeout=0.1), None)
    data = bytes(range(256))
    kinds: list[Any] = [
        data,
        bytearray(data),
        memoryview(data)[10:20],
        array.array("i", [1, 2, 3]),
        numpy.frombuffer(data, dtype=numpy.uint8).reshape(16, 16),
        numpy.array([1.5, 2.5]),
    ]
    for payload in kinds:
        connection.send(topic, payload)
    for payload in kinds:
        assert connection.send_async(topic, payload).result(240) is dsmsg.Result.OK
    assert connection.send_many(topic, kinds).ok
    expected = [memoryview(payload).tobytes() for payload in kinds]
    assert _received(connection, topic, 3 * len(kinds)) == 3 * expected


def test_payloads_that_are_none(connect: Callable[..., dsmsg.Connection], topic: str) -> None:
    connection = connect()
    for wrong in ("text", 5, None):
        for call in (connection.send, connection.send_async):
            with pytest.raises(TypeError):
                call(topic, wrong)  # type: ignore[operator]
        with pytest.raises(TypeError):
            connection.send_many(topic, [b"x", wrong])  # type: ignore[list-item]
    with pytest.raises((BufferError, ValueError)):
        connection.send_async(topic, numpy.arange(10)[::2])
    with pytest.raises(ValueError, match="NUL"):
        connection.send_async("a\0b", b"x")
    assert connection.pending == 0


def test_many_have_a_result_each(connect: Callable[..., dsmsg.Connection], topic: str) -> None:
    connection = connect("?max-message-bytes=10")
    results = connection.send_many(topic, [b"x", b"y" * 11, b"z"], keys=[b"1", b"2", b"3"])
    assert list(results) == [dsmsg.Result.OK, dsmsg.Result.ERROR, dsmsg.Result.OK]
    assert results[1] is dsmsg.Result.ERROR
    assert (results.ok, results.failed, results.acknowledged) == (False, [1], 2)
    assert repr(results) == "<SendResults: 2 of 3 acknowledged>"
    with pytest.raises(dsmsg.TooLargeError):
        results.raise_for_failure()
    assert connection.send_many(topic, []).ok
    connection.send_many(topic, [b"x"]).raise_for_failure()
    with pytest.raises(ValueError, match="as many keys"):
        connection.send_many(topic, [b"x", b"y"], keys=[b"k"])
    assert len(connection.send_many(topic, [b"x"] * 5000)) == 5000


def test_many_within_a_time_limit(new_broker: Any, topic: str) -> None:  # noqa: ANN401
    broker = new_broker("redis").start()
    connection = dsmsg.connect(f"redis://{broker.address}?flush-timeout=100ms")
    broker.stop()
    results = connection.send_many(topic, [b"x"] * 10, timeout=0.2)
    assert list(results) == [None] * 10
    with pytest.raises(dsmsg.TimedOutError):
        results.raise_for_failure()
    with pytest.raises(dsmsg.TimedOutError, match="still sent"):
        connection.send(topic, b"x", timeout=0.1)
    waiting = threading.Thread(target=connection.send_many, args=(topic, [b"x"]))
    waiting.start()
    while connection.pending < 12:
        time.sleep(0.01)
    connection.disconnect()  # ends the wait: each message has a result then
    waiting.join(240)
    assert not waiting.is_alive()
    with pytest.raises(dsmsg.ClosedError):
        connection.send_many(topic, [b"x"])


def test_keys_headers_and_time(connect: Callable[..., dsmsg.Connection], topic: str) -> None:
    connection = connect(_group(topic))
    next(connection.messages(topic, timeout=0.1), None)
    connection.send(topic, b"x", key=b"k", headers=[("h", "1"), ("ü", "ö")])
    message = next(connection.messages(topic, timeout=240))
    assert message.key == b"k"
    assert message.headers == (("h", b"1"), ("ü", "ö".encode()))


def test_what_a_loop_did_not_handle_goes_to_the_next(
    connect: Callable[..., dsmsg.Connection], topic: str
) -> None:
    connection = connect(_group(topic))
    next(connection.messages(topic, timeout=0.1), None)
    assert connection.send_many(topic, [b"0", b"1", b"2"]).ok
    with pytest.raises(LookupError):
        for message in connection.messages(topic, timeout=240):
            if message.payload == b"1":
                raise LookupError("over the second message")
    assert _received(connection, topic, 2) == [b"1", b"2"]
    connection.subscribe(topic, lambda message: None)  # replaces the loops' subscription
    assert list(connection.messages(f"{topic}-other", timeout=0.1)) == []


def test_a_subscription_that_disconnect_overtakes_ends(
    redis_broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = dsmsg.connect(f"redis://{redis_broker.address}")
    ending = threading.Thread(target=connection.disconnect)
    new_receiver = _native_module.new_receiver

    def overtaken(*arguments: Any) -> Any:  # noqa: ANN401
        ending.start()
        while not connection.closed:
            time.sleep(0.001)
        return new_receiver(*arguments)

    monkeypatch.setattr("dsmsg.connection.new_receiver", overtaken)
    loop = threading.Thread(target=lambda: list(connection.messages(topic)), daemon=True)
    loop.start()
    loop.join(60)
    assert not loop.is_alive()
    ending.join(240)


def test_an_exception_in_a_callback_goes_to_the_hook(
    connect: Callable[..., dsmsg.Connection], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(args.exc_value))
    connection = connect()

    def fail(result: dsmsg.Result) -> None:
        assert result is dsmsg.Result.OK
        raise LookupError("of a test")

    connection.send_async(topic, b"x", fail)
    assert connection.send_async(topic, b"x").result(240) is dsmsg.Result.OK
    while not errors:
        time.sleep(0.01)
    assert isinstance(errors[0], LookupError)


def test_disconnect_from_a_callback_is_refused(
    connect: Callable[..., dsmsg.Connection], topic: str
) -> None:
    connection = connect()
    seen: list[BaseException] = []
    done = threading.Event()

    def end(result: dsmsg.Result) -> None:
        try:
            connection.disconnect()
        except dsmsg.DsmsgError as error:
            seen.append(error)
        done.set()

    connection.send_async(topic, b"x", end)
    assert done.wait(240)
    assert "from inside a callback" in str(seen[0])


def test_threads_send_together(connect: Callable[..., dsmsg.Connection], topic: str) -> None:
    connection = connect()
    counts: list[int] = []

    def send() -> None:
        futures = [connection.send_async(topic, b"x") for _ in range(200)]
        counts.append(sum(future.result(240) is dsmsg.Result.OK for future in futures))
        counts.append(connection.send_many(topic, [b"y"] * 200).acknowledged)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert counts == [200] * 8
    assert connection.pending == 0


def test_callbacks_run_at_disconnect_too(
    connect: Callable[..., dsmsg.Connection], topic: str
) -> None:
    for _ in range(5):
        connection = connect()
        results: list[dsmsg.Result] = []
        for _ in range(500):
            connection.send_async(topic, b"x", results.append)
        connection.disconnect()
        assert results == [dsmsg.Result.OK] * 500


def test_the_stub_has_what_the_module_has() -> None:
    stub = Path(_native_module.__file__).with_name("_native.pyi").read_text(encoding="utf-8")
    module = _native_module.native()
    for kind in ("Sender", "Receiver"):
        for name in dir(getattr(module, kind)):
            if not name.startswith("_"):
                assert f"def {name}(" in stub, (kind, name)
    assert (module.REFUSED, module.UNFINISHED) == (3, 4)
