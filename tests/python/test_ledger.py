# SPDX-License-Identifier: Apache-2.0
"""The delivery ledger: marks, sets of numbers, the audit, and the command with real servers."""

from __future__ import annotations

import fcntl
import json
import random
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import redis
from doc_blocks import blocks
from dsmsg._cli.audit import _print
from dsmsg.adaptor import Adaptor, Connection, DsmsgError, Message
from dsmsg.brokers import Broker
from dsmsg.brokers._process import free_port
from dsmsg.ledger import Audit, Mark, Numbers, Verdict, mark_of
from web_site import Site

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
NewBroker = Callable[[str], Broker]

PATIENCE_S = 180.0
FIRST, SECOND = "20260101T000000000Z-0000000a", "20260102T000000000Z-0000000b"


def mark(number: int, source: str = "cam", epoch: str = FIRST) -> str:
    return f"{epoch} {number:015} {source}"


def message(number: int, source: str = "cam", epoch: str = FIRST) -> dict[str, object]:
    """A line of `dsmsg sub --json`."""
    header = {"name": "dsmsg-ledger", "value": mark(number, source, epoch)}
    return {"topic": "t", "payload": "x", "headers": [header]}


def line(event: str, epoch: str = FIRST, **more: object) -> str:
    """A line of a ledger's file."""
    return json.dumps({"time": "2026-01-01T00:00:00.000Z", "epoch": epoch, "event": event, **more})


def lost(numbers: str, reason: str = "evicted", source: str = "cam", epoch: str = FIRST) -> str:
    times = {"from": "2026-01-01T00:00:01.000Z", "to": "2026-01-01T00:00:02.000Z"}
    kept = {"source": source, "reason": reason, "policy": "overflow=drop-oldest", **times}
    return line("lost", epoch, numbers=numbers, count=1, **kept)


def numbers_line(given: Mapping[str, int], epoch: str = FIRST, unnumbered: int = 0) -> str:
    return line("numbers", epoch, sources=given, unnumbered=unnumbered)


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(each + "\n" for each in lines), encoding="utf-8")
    return path


def judge(
    received: list[int], ledger: Path | None = None, *, from_beginning: bool = True
) -> Verdict:
    audit = Audit()
    if ledger is not None:
        audit.read_ledger(ledger)
    for number in received:
        audit.add([("dsmsg-ledger", mark(number))], b"")
    verdicts = audit.verdicts(from_beginning=from_beginning)
    return next(verdict for verdict in verdicts if verdict.epoch == FIRST)


# ---------------------------------------------------------------- numbers and marks


def test_numbers_are_sets() -> None:
    chance = random.Random(7)  # noqa: S311 - the seed is here
    for _ in range(300):
        plain: list[set[int]] = []
        made: list[Numbers] = []
        for _ in range(2):
            numbers, known = Numbers(), set[int]()
            for _ in range(chance.randrange(30)):
                first = chance.randrange(1, 60)
                if chance.random() < 0.5:
                    assert numbers.add(first) == (first not in known)
                    known.add(first)
                else:
                    numbers.add_range(first, first + 4)
                    known.update(range(first, first + 5))
            plain.append(known)
            made.append(numbers)
        (a, b), (x, y) = plain, made
        for numbers, known in ((x, a), (x - y, a - b), (x & y, a & b)):
            ranges = list(numbers.ranges())
            assert {n for first, last in ranges for n in range(first, last + 1)} == known
            assert all(one[1] + 1 < two[0] for one, two in zip(ranges, ranges[1:]))
            assert len(numbers) == len(known)
            assert bool(numbers) == bool(known)
            assert all((n in numbers) == (n in known) for n in range(70))
            assert Numbers.parse(str(numbers)) == numbers
            assert (numbers.first, numbers.last) == (min(known, default=0), max(known, default=0))
    assert str(Numbers([(1, 3), (7, 7)])) == "1-3,7"
    with pytest.raises(ValueError, match="no range"):
        Numbers.parse("3-1")


def test_a_mark_is_found_in_headers_and_payloads() -> None:
    expected = Mark(FIRST, 17, "north gate/é")
    text = mark(17, "north gate/%C3%A9")
    assert mark_of([("a", "b"), ("Dsmsg-Ledger", text.encode())], b"") == expected
    assert mark_of([], b'{"any":"' + text.encode() + b'","x":1}') == expected
    assert mark_of([], b'{"any":{"deeper":["' + text.encode() + b'"]}}') == expected
    assert mark_of([("dsmsg-ledger", "else")], b'{"any":"' + text.encode() + b'"}') is None
    assert mark_of([("x", text)], b'{"any":"' + text.encode()[:40] + b'"}') is None


# ---------------------------------------------------------------- the audit


def test_what_is_missing_between_received_numbers_is_unexplained_without_a_ledger() -> None:
    verdict = judge([3, 4, 4, 7], from_beginning=False)
    assert (verdict.first, verdict.last, verdict.known_by) == (3, 7, "topic")
    assert (verdict.received, verdict.duplicated) == (3, 1)
    assert str(verdict.missing) == str(verdict.unexplained) == "5-6"
    assert str(judge([3, 4, 7]).missing) == "1-2,5-6"


def test_a_ledger_explains_and_knows_the_end(tmp_path: Path) -> None:
    ledger = write(
        tmp_path / "ledger",
        line("begun", pid=1),
        lost("2-3"),
        lost("8", "expired"),
        lost("4"),  # and yet received
        numbers_line({"cam": 10}),
        lost("2", epoch=SECOND),
        line("ended"),
    )
    verdict = judge([1, 4, 6, 7], ledger)
    assert (verdict.last, verdict.known_by) == (10, "ledger")
    assert str(verdict.missing) == "2-3,5,8-10"
    assert {loss.reason: str(loss.numbers) for loss in verdict.dropped} == {
        "evicted": "2-3",
        "expired": "8",
    }
    assert verdict.dropped[0].policy == "overflow=drop-oldest"
    assert verdict.dropped[0].since == "2026-01-01T00:00:01.000Z"
    assert str(verdict.unexplained) == "5,9-10"


def test_the_file_before_belongs_to_it_and_odd_lines_are_told(tmp_path: Path) -> None:
    write(tmp_path / "ledger.1", lost("2"), "no json", "[]", '{"epoch":"x"}', numbers_line({}))
    audit = Audit()
    audit.read_ledger(write(tmp_path / "ledger", lost("3"), line("unrecorded", count=5)))
    audit.add([("dsmsg-ledger", mark(4))], b"")
    (verdict,) = audit.verdicts(from_beginning=True)
    assert str(verdict.dropped[0].numbers) == "2-3"
    assert [problem.rpartition("/")[2] for problem in audit.problems] == [
        "ledger.1: line 2 is not of a ledger",
        "ledger.1: line 3 is not of a ledger",
        "ledger.1: line 4 is not of a ledger",
        f"connection {FIRST}: 5 losses were not recorded",
    ]


def test_the_tail_of_a_connection_that_exists_is_on_its_way(tmp_path: Path) -> None:
    """Each connection has a byte of its own locked: another one of the same file says nothing."""
    ledger = write(tmp_path / "ledger", numbers_line({"cam": 6}), line("begun", SECOND))
    for epoch, expected in ((SECOND, ("2,5-6", "")), (FIRST, ("2", "5-6"))):
        with ledger.open("rb+") as held:
            place = (1 << 40) + int(epoch[-8:], 16)
            lock = struct.pack("hhqqi", fcntl.F_WRLCK, 0, place, 1, 0)
            fcntl.fcntl(held, fcntl.F_OFD_SETLK, lock)
            verdict = judge([1, 3, 4], ledger)
            assert (str(verdict.unexplained), str(verdict.on_the_way)) == expected
    with ledger.open("rb+") as held:
        fcntl.fcntl(held, fcntl.F_OFD_SETLK, lock)
        with ledger.open("a") as file:
            file.write(line("ended") + "\n")
        assert str(judge([1, 3, 4], ledger).unexplained) == "2,5-6"


def test_the_page_shows_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown, text = (
        block.text for block in blocks() if (block.page, block.language) == ("ledger", "text")
    )
    epoch = "20261130T184501123Z-9f3c1d2e"
    assert mark_of([], f'{{"any":"{text.strip()}"}}'.encode()) == Mark(epoch, 1204, "camera-3")
    audit = Audit()
    policy = "overflow=drop-oldest, queue-size=1000, queue-bytes=268435456"
    times = {"from": "2026-11-30T18:45:07.002Z", "to": "2026-11-30T18:45:09.117Z"}
    gone = {"source": "camera-3", "reason": "evicted", "policy": policy, **times}
    audit.read_ledger(write(tmp_path / "ledger", line("lost", epoch, numbers="17-24", **gone)))
    audit._book(epoch, "camera-3").waiting.add_range(1199, 1204)
    for number in (*range(1, 17), *range(25, 1199), 100, 200):
        audit.add([("dsmsg-ledger", mark(number, "camera-3", epoch))], b"")
    _print(audit, audit.verdicts(from_beginning=True), known=True)
    assert capsys.readouterr().out == shown


def test_the_command_reads_a_capture(run_dsmsg: Run, tmp_path: Path) -> None:
    lines = [json.dumps(message(number)) for number in (1, 2, 2, 5)]
    lines += [json.dumps(message(1, "b%20c", SECOND)), '{"topic":"t","payload":"unmarked"}']
    capture = write(tmp_path / "seen.jsonl", *lines)
    ledger = write(
        tmp_path / "ledger", lost("3-4"), numbers_line({"cam": 5}, unnumbered=2), line("ended")
    )
    where = ("audit", "--capture", str(capture), "--from-beginning")
    found = run_dsmsg(*where, check=False)
    assert found.returncode == 1
    assert b"unexplained: 2 (numbers 3-4)" in found.stdout
    assert b"without --ledger" in found.stdout
    found = run_dsmsg(*where, "--ledger", str(ledger))
    text = found.stdout.decode()
    assert f"cam  connection {FIRST}\n" in text
    assert "numbers 1 to 5: 3 received, 1 duplicates, 2 missing\n" in text
    assert "dropped: 2 (numbers 3-4), evicted (overflow=drop-oldest)\n" in text
    assert "from 2026-01-01T00:00:01.000Z to 2026-01-01T00:00:02.000Z\n" in text
    assert f"b c  connection {SECOND}\n" in text
    assert "1 messages have no number\n" in text
    assert "2 messages were sent without a number" in text
    report = json.loads(
        run_dsmsg(*where, "--json", "--ledger", str(ledger)).stdout,
    )
    assert report["explained"] is True
    assert report["sources"][0]["dropped"][0]["numbers"] == "3-4"
    nothing = run_dsmsg("audit", "--capture", "-", stdin=b'{"payload":"x"}\n', check=False)
    assert nothing.returncode == 1
    assert b"no message has a number" in nothing.stderr
    assert run_dsmsg("audit", check=False).returncode == 2
    assert run_dsmsg("audit", "redis", "x", "t", "--capture", "-", check=False).returncode == 2
    absent = run_dsmsg(*where, "--ledger", str(tmp_path / "absent"), check=False)
    assert absent.returncode == 1
    assert b"No such file" in absent.stderr


# ---------------------------------------------------------------- with real servers


def payload(number: int) -> bytes:
    return json.dumps({"n": number, "sensor": {"id": f"camera-{number % 2}"}}).encode()


def exchange(sender: Connection, receiver: Connection, topic: str, subscribed: str = "") -> None:
    """Sends four messages of two sources and checks the marks of what is received."""
    received: list[Message] = []
    changed = threading.Condition()

    def receive(each: Message) -> None:
        with changed:
            received.append(each)
            changed.notify()

    receiver.subscribe([subscribed or topic], receive)
    for number in range(4):
        sender.send(topic, payload(number))
    with changed:
        assert changed.wait_for(lambda: len(received) >= 4, PATIENCE_S)
    marks = {mark_of(each.headers, each.payload) for each in received}
    assert None not in marks
    kept = [each for each in marks if each is not None]
    assert len({each.epoch for each in kept}) == 1
    assert sorted((each.source, each.number) for each in kept) == [
        ("camera-0", 1),
        ("camera-0", 2),
        ("camera-1", 1),
        ("camera-1", 2),
    ]
    assert all(json.loads(each.payload)["n"] in range(4) for each in received)


@pytest.mark.parametrize(
    ("fixture", "adaptor", "options"),
    [
        ("redis_broker", "redis", {}),
        ("redis_broker", "redis", {"command": "publish", "ledger-field": "ledger"}),
        ("redis_broker", "redis", {"command": "rpush", "ledger-field": "ledger"}),
        ("kafka_broker", "kafka", {"offset-reset": "earliest"}),
        ("mosquitto_broker", "mqtt", {}),
        ("mosquitto_broker", "mqtt", {"protocol": "3.1.1", "ledger-field": "ledger"}),
        ("rabbitmq_broker", "amqp", {"exchange": "amq.topic"}),
        ("nats", "nats", {"jetstream": "0"}),
    ],
)
def test_a_server_carries_marks(
    request: pytest.FixtureRequest,
    new_broker: NewBroker,
    topic: str,
    fixture: str,
    adaptor: str,
    options: dict[str, object],
) -> None:
    broker = new_broker("nats").start() if fixture == "nats" else None
    broker = broker or request.getfixturevalue(fixture)
    connect = Adaptor(adaptor).connect
    with (
        connect(broker.conn_str, options, work_thread=True) as receiver,
        connect(broker.conn_str, {**options, "ledger": 1}, work_thread=True) as sender,
    ):
        exchange(sender, receiver, topic)
    if "ledger-field" in options:
        bare = {name: value for name, value in options.items() if name != "ledger-field"}
        with pytest.raises(DsmsgError, match="ledger-field=ledger"):
            connect(broker.conn_str, {**bare, "ledger": 1})


def test_zeromq_carries_marks_in_payloads(topic: str) -> None:
    address = f"zmq://tcp://127.0.0.1:{free_port()}"
    connect = Adaptor("zmq").connect
    pull = {"subscribe_socket_type": "PULL", "bind": "1"}
    push = {"socket_type": "PUSH", "ledger": 1, "ledger-field": "ledger"}
    with connect(address, pull) as receiver, connect(address, push, work_thread=True) as sender:
        exchange(sender, receiver, topic)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def test_http_carries_marks_in_headers_and_batches_in_payloads(site: Site) -> None:
    with site.connect(ledger=1) as connection:
        connection.send("t", payload(0))
    headers = site.requests[0][2]
    first = mark_of(headers.items(), b"")
    assert first is not None
    assert (first.number, first.source) == (1, "camera-0")
    with pytest.raises(DsmsgError, match="batch-size"):
        site.connect(ledger=1, batch_size=10)
    with site.connect(ledger=1, batch_size=10, ledger_field="ledger") as connection:
        connection.send("t", payload(1))
    found = mark_of([], site.requests[1][3])
    assert found is not None
    assert (found.number, found.source) == (1, "camera-1")


def test_several_destinations_get_one_number(
    redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    # The second one has a ledger of its own: a message that has a number keeps it.
    ledgers: list[dict[str, object]] = [{}, {"ledger": 1}]
    topics = [f"{topic}-{n}" for n in range(2)]
    handlers = {
        each: {
            "topics": "*",
            "uri": f"redis://{redis_broker.address}",
            "config": {"topic-template": each, **ledger},
        }
        for each, ledger in zip(topics, ledgers)
    }
    path = tmp_path / "handlers.json"
    path.write_text(json.dumps({"output": {"handlers": handlers}}), encoding="utf-8")
    with Adaptor("multi").connect(str(path), {"ledger": 1}, work_thread=True) as connection:
        for number in range(3):
            connection.send(topic, payload(number))
    client = redis.Redis(redis_broker.host, redis_broker.port)
    found = [
        [mark_of(fields.items(), b"") for _, fields in client.xrange(stream)] for stream in topics
    ]
    assert found[0] == found[1]
    sent = [each for each in found[0] if each is not None]
    assert [(each.source, each.number) for each in sent] == [
        ("camera-0", 1),
        ("camera-1", 1),
        ("camera-0", 2),
    ]


def exist(ledger: Path) -> int:
    """How many connections still have the file open, as their locks say."""
    audit = Audit()
    audit.read_ledger(ledger)
    return len(audit._exist)


def test_the_command_audits_a_topic(
    run_dsmsg: Run, redis_broker: Broker, topic: str, tmp_path: Path
) -> None:
    spool, ledger = tmp_path / "spool", tmp_path / "ledger"
    config = tmp_path / "cfg.txt"
    config.write_text(
        f"[message-broker]\nledger=1\nledger-file={ledger}\nspool-dir={spool}\n"
        "max-message-bytes=1000\nspool-mode=always\nflush-timeout=1ms\n",
        encoding="utf-8",
    )
    where = (redis_broker.conn_str, str(config))
    with Adaptor("redis").connect(*where, work_thread=True) as connection:
        for number in range(6):
            connection.send(topic, payload(number))
        with pytest.raises(DsmsgError):
            connection.send(topic, payload(6)[:-1] + b" " * 2000 + b"}")
        connection.send(topic, payload(8))
        assert connection.flush(PATIENCE_S)
        assert exist(ledger) == 1
    assert exist(ledger) == 0
    command = ("audit", "redis", *where[:1], topic, "--config", where[1], "--until-idle", "0.5")
    found = run_dsmsg(*command, "--from-beginning", "--json")
    first, second = json.loads(found.stdout)["sources"]
    assert (first["source"], first["last"], first["received"]) == ("camera-0", 5, 4)
    assert first["missing"]["numbers"] == first["dropped"][0]["numbers"] == "4"
    assert first["dropped"][0]["reason"] == "too-large"
    assert first["dropped"][0]["policy"] == "max-message-bytes=1000"
    assert (second["last"], second["received"], second["missing"]["count"]) == (3, 3, 0)
    # Somebody deletes one: that is not explained.
    with redis.Redis(redis_broker.host, redis_broker.port) as client:
        client.xdel(topic, client.xrange(topic)[2][0])
    found = run_dsmsg(*command, "--from-beginning", check=False)
    assert found.returncode == 1
    assert b"unexplained: 1 (numbers 2)" in found.stdout
