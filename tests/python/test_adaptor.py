# SPDX-License-Identifier: Apache-2.0
"""dsmsg.Adaptor with a third-party adaptor: the bare contract, no broker."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dsmsg
import pytest
from dsmsg._abi import ffi, on_message
from dsmsg._find import find, search_folders
from dsmsg.adaptor import Adaptor, Connection, ConnectionEvent, DsmsgError, Message, Result


@pytest.fixture
def adaptor(foreign_library: Path) -> Adaptor:
    return Adaptor(foreign_library)


@pytest.fixture
def connection(adaptor: Adaptor) -> Iterator[Connection]:
    with adaptor.connect("localhost;1") as connection:
        yield connection


@pytest.fixture
def thread_errors(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    errors: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(args.exc_value))
    return errors


def test_what_it_says_of_itself(adaptor: Adaptor) -> None:
    assert adaptor.protocol == "FOREIGN"
    assert adaptor.version == "2.0"
    assert adaptor.extensions == frozenset()
    assert adaptor.signature("localhost;1") == ""
    assert "libnvds_foreign_proto.so" in repr(adaptor)


def test_extensions_that_are_missing_are_named(connection: Connection, adaptor: Adaptor) -> None:
    with pytest.raises(DsmsgError, match="has no dsmsg_describe"):
        adaptor.describe()
    with pytest.raises(DsmsgError, match="has no dsmsg_stats"):
        connection.stats()
    with pytest.raises(DsmsgError, match="has no dsmsg_flush"):
        connection.flush(1)
    with pytest.raises(DsmsgError, match="has no dsmsg_send_message"):
        connection.send_message("t", b"x", key=b"k")
    with pytest.raises(DsmsgError, match="has no dsmsg_set_link_callback"):
        connection.set_link_callback(lambda up, reason: None)
    assert connection.last_error() == ""


def test_a_link_callback_that_cannot_be_set_ends_the_connection(adaptor: Adaptor) -> None:
    with pytest.raises(DsmsgError, match="has no dsmsg_set_link_callback"):
        adaptor.connect("localhost;1", on_link=lambda up, reason: None)


def test_a_refused_connect_is_an_error(adaptor: Adaptor) -> None:
    with pytest.raises(DsmsgError, match="cannot connect to 'nowhere;1'"):
        adaptor.connect("nowhere;1")
    with pytest.raises(DsmsgError, match="cannot connect to None"):
        adaptor.connect(None)


def test_send(connection: Connection) -> None:
    connection.send("t", b"payload")
    with pytest.raises(DsmsgError) as caught:
        connection.send("unknown", b"payload")
    assert caught.value.result is Result.UNKNOWN_TOPIC
    with pytest.raises(DsmsgError) as caught:
        connection.send(None, b"payload")
    assert caught.value.result is Result.ERROR


def test_callbacks_run_in_do_work_on_its_thread(connection: Connection) -> None:
    called: list[tuple[Result, int]] = []
    for _ in range(10):
        connection.send_async("t", b"x", lambda r: called.append((r, threading.get_ident())))
    assert connection.pending == 10
    assert called == []
    connection.do_work()
    assert called == [(Result.OK, threading.get_ident())] * 10
    assert connection.pending == 0


def test_futures(connection: Connection) -> None:
    good, bad = connection.send_async("t", b"x"), connection.send_async("unknown", b"x")
    assert not good.done()
    assert not good.cancel()
    assert connection.work_until_done(10)
    assert good.result(0) is Result.OK
    error = bad.exception(0)
    assert isinstance(error, DsmsgError)
    assert error.result is Result.UNKNOWN_TOPIC


def test_a_refused_send_is_raised_and_never_called_back(connection: Connection) -> None:
    called: list[Result] = []
    with pytest.raises(DsmsgError, match="cannot queue a message to 'refuse'"):
        connection.send_async("refuse", b"x", called.append)
    connection.do_work()
    assert (called, connection.pending) == ([], 0)


def test_the_work_thread_completes_futures(adaptor: Adaptor) -> None:
    with adaptor.connect("localhost;1", work_thread=True) as connection:
        futures = [connection.send_async("t", b"x") for _ in range(1000)]
        assert [future.result(300) for future in futures] == [Result.OK] * 1000


def test_callbacks_stay_alive_without_any_other_reference(connection: Connection) -> None:
    called: list[int] = []
    for number in range(1000):
        connection.send_async("t", b"x", lambda result, number=number: called.append(number))
        if number % 100 == 0:
            gc.collect()
    connection.do_work()
    assert called == list(range(1000))


def test_a_callback_may_send_again(connection: Connection) -> None:
    results: list[Result] = []

    def again(result: Result) -> None:
        results.append(result)
        if len(results) < 5:
            connection.send_async("t", b"x", again)

    connection.send_async("t", b"x", again)
    assert connection.work_until_done(10)
    assert results == [Result.OK] * 5


def test_an_exception_in_a_callback_comes_out_of_do_work(
    connection: Connection, thread_errors: list[BaseException | None]
) -> None:
    called: list[Result] = []

    def fail(result: Result) -> None:
        raise LookupError("mine")

    for callback in (fail, called.append, fail, called.append):
        connection.send_async("t", b"x", callback)
    with pytest.raises(LookupError, match="mine"):
        connection.do_work()
    assert called == [Result.OK] * 2  # the others ran
    assert [str(error) for error in thread_errors] == ["mine"]  # the second one


def test_an_exception_in_the_work_thread_is_reported_and_does_not_end_it(
    adaptor: Adaptor, thread_errors: list[BaseException | None]
) -> None:
    def fail(result: Result) -> None:
        raise LookupError("mine")

    with adaptor.connect("localhost;1", work_thread=True) as connection:
        connection.send_async("t", b"x", fail)
        assert connection.send_async("t", b"x").result(300) is Result.OK
    assert [str(error) for error in thread_errors] == ["mine"]


@pytest.mark.parametrize(
    "payload",
    [
        b"\x00\xff\x00end",
        bytearray(b"a\0b"),
        memoryview(b"0123456789")[2:5],
        memoryview(b"0123456789")[::2],
        memoryview(bytearray(b"\1\0\2\0")).cast("H"),
        b"",
        bytes(1_000_000),
    ],
    ids=["bytes", "bytearray", "memoryview", "strided", "words", "empty", "large"],
)
def test_payloads_arrive_unchanged(
    connection: Connection, payload: bytes | bytearray | memoryview
) -> None:
    received: list[Message] = []
    connection.subscribe(["loop"], received.append)
    connection.send_async("loop", payload)
    assert received == [Message("loop", bytes(payload), Result.OK)]


@pytest.mark.parametrize("payload", ["text", None, 7, [1, 2]])
def test_what_is_not_bytes_is_a_type_error(connection: Connection, payload: object) -> None:
    with pytest.raises(TypeError):
        connection.send("t", payload)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        connection.send_async("t", payload)  # type: ignore[call-overload]
    assert connection.pending == 0


def test_strings_with_nul_are_refused(connection: Connection, adaptor: Adaptor) -> None:
    for call in (
        lambda: connection.send("a\0b", b"x"),
        lambda: connection.send_async("a\0b", b"x"),
        lambda: connection.subscribe("a\0b", print),
        lambda: adaptor.connect("local\0host;1"),
    ):
        with pytest.raises(ValueError, match="NUL"):
            call()


def test_subscribe_again_replaces_the_callback(connection: Connection) -> None:
    first: list[Message] = []
    second: list[Message] = []
    connection.subscribe("loop", first.append)
    connection.send_async("loop", b"1")
    connection.subscribe("loop", second.append)
    connection.send_async("loop", b"2")
    assert [m.payload for m in first] == [b"1"]
    assert [m.payload for m in second] == [b"2"]
    with pytest.raises(DsmsgError, match="cannot subscribe"):
        connection.subscribe([], first.append)
    connection.send_async("loop", b"3")
    assert [m.payload for m in second] == [b"2", b"3"]


def test_a_late_call_of_a_replaced_callback_is_not_lost(connection: Connection) -> None:
    first: list[Message] = []
    second: list[Message] = []
    connection.subscribe("loop", first.append)
    before = connection._subscriptions[-1]
    connection.subscribe("loop", second.append)
    # It has begun in C before the second subscription was in force.
    on_message(0, ffi.new("char[]", b"x"), 1, ffi.new("char[]", b"loop"), before)
    assert [m.payload for m in first] == [b"x"]
    for _ in range(40):
        connection.subscribe("loop", second.append)
    assert len(connection._subscriptions) == 16


def test_an_exception_in_a_subscriber_is_reported(
    connection: Connection, thread_errors: list[BaseException | None]
) -> None:
    def fail(message: Message) -> None:
        raise LookupError(message.payload.decode())

    connection.subscribe("loop", fail)
    connection.send_async("loop", b"mine")
    assert [str(error) for error in thread_errors] == ["mine"]


def test_an_early_event_arrives_after_connect(adaptor: Adaptor) -> None:
    events: list[ConnectionEvent] = []
    with adaptor.connect("localhost;1", on_event=events.append):
        assert events == [ConnectionEvent.SUCCESS]


def test_disconnect_from_inside_a_callback_is_refused(connection: Connection) -> None:
    connection.send_async("t", b"x", lambda result: connection.disconnect())
    with pytest.raises(DsmsgError, match="from inside a callback"):
        connection.do_work()
    assert not connection.closed
    connection.send("t", b"x")


def test_disconnect_calls_back_what_is_left(adaptor: Adaptor) -> None:
    connection = adaptor.connect("localhost;1")
    futures = [connection.send_async("t", b"x") for _ in range(10)]
    connection.disconnect()
    assert [future.result(0) for future in futures] == [Result.OK] * 10
    assert connection.closed
    connection.disconnect()
    for call in (
        lambda: connection.send("t", b"x"),
        lambda: connection.send_async("t", b"x"),
        lambda: connection.subscribe("t", print),
        connection.do_work,
    ):
        with pytest.raises(DsmsgError, match="closed"):
            call()
    assert connection.last_error() == ""  # nothing was lost


def test_a_message_that_the_adaptor_forgets_fails_at_the_end(adaptor: Adaptor) -> None:
    connection = adaptor.connect("localhost;1")
    future = connection.send_async("never", b"x")
    assert not connection.work_until_done(0.2)
    connection.disconnect()
    error = future.exception(0)
    assert isinstance(error, DsmsgError)
    assert error.result is Result.ERROR


def test_a_second_callback_for_one_send_is_reported(connection: Connection) -> None:
    called: list[Result] = []
    connection.send_async("twice", b"x", called.append)
    with pytest.raises(RuntimeError, match="called back twice"):
        connection.do_work()
    assert called == [Result.OK]


def test_disconnect_waits_for_the_calls_of_other_threads(adaptor: Adaptor) -> None:
    connection = adaptor.connect("localhost;1")
    inside, go_on = threading.Event(), threading.Event()

    def slow(result: Result) -> None:
        inside.set()
        assert go_on.wait(300)

    connection.send_async("t", b"x", slow)
    worker = threading.Thread(target=connection.do_work)
    worker.start()
    assert inside.wait(300)
    closer = threading.Thread(target=connection.disconnect)
    closer.start()
    closer.join(0.2)
    assert closer.is_alive()
    go_on.set()
    closer.join(300)
    worker.join(300)
    assert not closer.is_alive()
    assert connection.closed


def test_many_threads_on_one_connection(adaptor: Adaptor) -> None:
    counts: list[Result] = []

    def send_many() -> None:
        for _ in range(500):
            connection.send_async("t", b"x", counts.append)

    with adaptor.connect("localhost;1", work_thread=True) as connection:
        threads = [threading.Thread(target=send_many) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [Result.OK] * 4000


def test_config_forms(adaptor: Adaptor, tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("[message-broker]\n")
    for config in (None, path, str(path), {"share_connection": True}):
        adaptor.connect("localhost;1", config).disconnect()
    with pytest.raises(dsmsg.ConfigError, match="settings of the kafka adaptor"):
        adaptor.connect("localhost;1", dsmsg.KafkaConfig())
    with pytest.raises(TypeError, match="not int"):
        adaptor.connect("localhost;1", 7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="line breaks"):
        adaptor.connect("localhost;1", {"topic": "a\nb"})


def test_an_open_connection_is_flushed_when_the_interpreter_ends(foreign_library: Path) -> None:
    code = (
        "import sys, dsmsg\n"
        "connection = dsmsg.Adaptor(sys.argv[1]).connect('localhost;1')\n"
        "connection.send_async('t', b'x', lambda result: print(result.name))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(foreign_library)],
        capture_output=True,
        text=True,
        timeout=300,
        env={"PYTHONPATH": str(Path(dsmsg.__file__).parents[1])},
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "OK\n", "")


def test_what_is_no_adaptor_is_named(tmp_path: Path) -> None:
    with pytest.raises(dsmsg.AdaptorNotFoundError, match="is the path right"):
        Adaptor(tmp_path / "none.so")
    text = tmp_path / "text.so"
    text.write_text("text")
    with pytest.raises(OSError, match=r"invalid ELF header|file too short"):
        Adaptor(text)
    with pytest.raises(OSError, match="is not an adaptor: it has no nvds_msgapi_connect"):
        Adaptor(_any_library())


def test_an_adaptor_for_another_machine(tmp_path: Path) -> None:
    foreign = bytearray(Path(_any_library()).read_bytes()[:4096])
    foreign[18:20] = (40).to_bytes(2, "little")
    library = tmp_path / "libnvds_zmq_proto.so"
    library.write_bytes(foreign)
    with pytest.raises(OSError, match=r"it is for ARM \(32 bits\), and this process is "):
        Adaptor(library)


def _any_library() -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "/libc.so" in line:
            return line.split()[-1]
    raise LookupError("no libc in this process")


def test_short_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (second / "libnvds_azure_edge_proto.so").touch()
    monkeypatch.setenv("DSMSG_LIB_DIR", f"{first}:{second}")
    assert search_folders()[:2] == [first, second]
    assert find("azure-edge") == second / "libnvds_azure_edge_proto.so"
    assert find("AZURE_EDGE") == second / "libnvds_azure_edge_proto.so"
    with pytest.raises(dsmsg.AdaptorNotFoundError, match=r"libnvds_pigeon_proto\.so is not in"):
        find("pigeon")


def test_names_of_the_package() -> None:
    assert set(dsmsg.__all__) <= set(dir(dsmsg))
    for name in dsmsg.__all__:
        assert getattr(dsmsg, name) is not None
    with pytest.raises(AttributeError, match="pigeon"):
        dsmsg.pigeon  # noqa: B018


def test_the_build_folders_of_a_source_tree(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "python" / "dsmsg").mkdir(parents=True)
    (tmp_path / "csrc").mkdir()
    (tmp_path / "CMakeLists.txt").touch()
    for age, name in enumerate(("asan", "dev", "release", "tsan", "empty")):
        folder = tmp_path / "build" / name / "lib"
        folder.mkdir(parents=True)
        if name != "empty":
            (folder / "libnvds_kafka_proto.so").touch()
            os.utime(folder / "libnvds_kafka_proto.so", (1e9 - age, 1e9 - age))
    monkeypatch.setattr("dsmsg._find.__file__", str(tmp_path / "python" / "dsmsg" / "_find.py"))
    monkeypatch.delenv("DSMSG_LIB_DIR", raising=False)
    found = [folder for folder in search_folders() if tmp_path in folder.parents]
    assert [folder.parent.name for folder in found] == ["dev", "release"]
