# SPDX-License-Identifier: Apache-2.0
"""The cases about the pipeline itself: killed, shut down, waiting for a server that is away."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from dsmsg.spool import find, inspect

from faults.audit import check_ledger, ledger_options
from faults.books import Journal, Result, balance
from faults.cases import Scale, finish
from faults.programs import Proxy, Sender, wait_for
from faults.rigs import HOST_NAME, Rig

__all__ = ["POLICIES", "memory", "process_killed", "shutdown", "storm"]

_SPOOL_S = 150.0
_CORE_PERCENT = 1.0
_STEP_S = 0.010
_ATTEMPTS = 3
POLICIES = ("block", "drop-oldest", "drop-newest", "latest-per-key", "reject", "spool")


def _empty_spool(sender: Sender) -> None:
    wait_for(
        lambda: sender.status()["stats"]["spool_backlog"] == 0, _SPOOL_S, "the end of the backlog"
    )


def process_killed(rig: Rig, scale: Scale) -> Result:
    """The pipeline, with spool-mode=always, is killed at random moments and started again."""
    began = time.monotonic()
    result = Result("process killed", rig.name)
    topic = rig.new_topic()
    seed = time.time_ns() % (1 << 32)
    moments = random.Random(seed)  # noqa: S311 - the seed is told
    folder = rig.folder / f"spool-{topic}"
    spool = {"spool_dir": folder, "spool_mode": "always", **ledger_options(result, rig, topic)}
    for _ in range(scale.process_kills):
        sender = rig.sender(rig.direct(), topic, **spool)
        sender.start(scale.rate)
        time.sleep(moments.uniform(0.05, 1.0))
        result.memory_mb = max(result.memory_mb, sender.memory_mb())
        sender.kill()
    with rig.sender(rig.direct(), topic, **spool) as sender:
        sender.ask("burst 100")
        _empty_spool(sender)
        finish(result, sender)
        journal = Journal(sender.journal)
    received = rig.received(topic)
    balance(
        result,
        journal,
        received,
        keeps_order=rig.acknowledged,
        duplicates=rig.duplicates_after_restart,
        server_loses=not rig.acknowledged,
        missing_allowed=True,
    )
    result.note = f"{scale.process_kills} times (seed {seed})"
    check_ledger(result, rig, topic, journal, received, folder, killed=True)
    result.need(result.failed == 0, f"{result.failed} messages failed")
    result.seconds = time.monotonic() - began
    return result


def storm(rig: Rig, scale: Scale) -> Result:
    """Several pipelines lose their server at once: the cost of waiting, and their attempts."""
    began = time.monotonic()
    result = Result("server away", rig.name)
    with ExitStack() as stack:
        doors = [
            stack.enter_context(Proxy(rig.proxy_target(), rig.folder / "storm.log"))
            for _ in range(scale.clients)
        ]
        topic = rig.new_topic()
        senders = [
            stack.enter_context(
                rig.sender(rig.at(HOST_NAME, door.port), topic, name=f"{topic}-{number}")
            )
            for number, door in enumerate(doors)
        ]
        for sender in senders:
            sender.ask("burst 10")
            sender.drain(30)
        for door in (*doors, rig.proxy):
            door.become("reset")
        try:
            for sender in senders:
                sender.ask("burst 10")  # they wait, so that do_work is called
            closed = [len(door.attempts()) for door in doors]
            before, start = [s.status()["cpu_s"] for s in senders], time.monotonic()
            time.sleep(scale.storm_s)
            wait_for(
                lambda: all(
                    len(_distinct(door.attempts()[seen:])) >= _ATTEMPTS
                    for door, seen in zip(doors, closed)
                ),
                240,
                f"{_ATTEMPTS} attempts of each client",
            )
            after, took = [s.status()["cpu_s"] for s in senders], time.monotonic() - start
            knocks = [_distinct(door.attempts()[seen:]) for door, seen in zip(doors, closed)]
        finally:
            for door in (*doors, rig.proxy):
                door.become("open")
        cpu = [100 * (late - early) / took for early, late in zip(before, after)]
        result.cpu_percent = max(cpu)
        for sender in senders:
            finish(result, sender)
            journal = Journal(sender.journal)
            result.sent += journal.end
            result.acknowledged += len(journal.ok())
            result.failed += journal.failed()
            result.need(journal.missing() == 0, f"{journal.missing()} messages without a callback")
            result.need(journal.doubled() == 0, f"{journal.doubled()} messages called back twice")
    copies = Counter(rig.received(topic))  # all of them send the same numbers
    result.received = sum(min(count, len(senders)) for count in copies.values())
    result.duplicated = sum(copies.values()) - result.received
    result.lost = result.acknowledged - result.received
    result.need(result.lost == 0, f"acknowledged and lost: {result.lost}")
    result.need(rig.duplicates or result.duplicated == 0, f"{result.duplicated} duplicates")
    result.need(max(cpu) < _CORE_PERCENT, f"{max(cpu):.2f} percent of a core while waiting")
    result.need(result.failed == 0, f"{result.failed} messages failed")
    _look_for_step(result, knocks)
    result.seconds = time.monotonic() - began
    return result


def _distinct(times: list[float]) -> list[float]:
    """Attempts of a client that come together (versions, hosts of a list) count as one."""
    return [at for before, at in zip([0.0, *times], times) if at - before > 5 * _STEP_S]


def _look_for_step(result: Result, knocks: list[list[float]]) -> None:
    """Clients in step repeatedly try within the same few milliseconds."""
    worst = 0.0
    for one, other in itertools.permutations(knocks, 2):
        together = sum(any(abs(at - there) < _STEP_S for there in other) for at in one)
        worst = max(worst, together / max(1, len(one)))
    result.note = f"attempts {[len(each) for each in knocks]}, {100 * worst:.0f} % at the same time"
    result.need(worst <= 0.5, f"two clients are in step: {100 * worst:.0f} % at the same time")


def shutdown(rig: Rig, scale: Scale) -> Iterator[Result]:
    """A pipeline ends with a full queue: server there, away or silent; with and without spool."""
    for state, spooled in itertools.product(("open", "cut", "stall"), (False, True)):
        yield _shutdown(rig, scale, state, spooled)


def _shutdown(rig: Rig, scale: Scale, state: str, spooled: bool) -> Result:
    began = time.monotonic()
    words = {"open": "up", "cut": "away", "stall": "silent"}
    spool_word = ", spool" if spooled else ""
    result = Result(f"shutdown, server {words[state]}{spool_word}", rig.name)
    topic = rig.new_topic()
    options: dict[str, object] = {"queue_size": 2000, "overflow": "drop-newest"}
    folder = rig.folder / f"spool-{topic}"
    if spooled:
        options |= {"spool_dir": folder}
    options |= {"flush_timeout": "1s", **ledger_options(result, rig, topic)}
    with rig.sender(rig.proxied(), topic, **options) as sender:
        sender.ask("burst 1")
        sender.drain(30)
        rig.proxy.become(state)
        try:
            sender.ask("burst 3000")
            result.memory_mb = sender.memory_mb()
            status = sender.disconnect()
        finally:
            rig.proxy.become("open")
        journal = Journal(sender.journal)
    result.stall_ms = status["longest_send_ms"]
    result.note = f"disconnect took {status['disconnect_ms']:.0f} ms"
    # flush-timeout and a second, by the contract
    result.need(status["disconnect_ms"] < 2000, result.note)
    result.need(not sender.violations, f"rules broken: {sender.violations}")
    if spooled:
        kept = rig.spool_for_outages or state != "cut"
        failed = journal.failed()
        result.need(not kept or failed == 0, f"{failed} failed in spite of the spool")
        with rig.sender(rig.proxied(), topic, name=f"{topic}-next", **options) as after:
            _empty_spool(after)
            finish(result, after)
    received = rig.received(topic)
    balance(
        result,
        journal,
        received,
        keeps_order=rig.acknowledged,
        duplicates=rig.duplicates_after_restart,
        server_loses=not rig.acknowledged,
    )
    check_ledger(result, rig, topic, journal, received, folder if spooled else None)
    result.seconds = time.monotonic() - began
    return result


def memory(rig: Rig, scale: Scale, policies: tuple[str, ...] = ("block",)) -> Iterator[Result]:
    """The server is away for long, and the pipeline goes on: the resident memory stays flat."""
    with ExitStack() as stack:
        senders = {}
        folder = rig.folder / f"spool-{rig.new_topic()}"
        for policy in policies:
            topic = rig.new_topic()
            options: dict[str, object] = {
                "connect": "lazy",
                "queue_size": scale.memory_queue,
                "overflow": policy,
                "flush_timeout": "1s",
            }
            if policy == "latest-per-key":
                options["key"] = "${seq}"  # all different: the bound has to come from the queue
            if policy == "spool":
                options |= {
                    "spool_dir": folder,
                    "spool_max_bytes": max(1 << 20, scale.memory_queue * 300),
                }
            sender = rig.sender(rig.nowhere(), topic, **options)
            senders[policy] = stack.enter_context(sender)
        began = time.monotonic()
        for sender in senders.values():
            sender.start(scale.memory_rate)
        # Full after this time, and then some.
        time.sleep(2 * scale.memory_queue / scale.memory_rate)
        full = {policy: sender.memory_mb("VmRSS") for policy, sender in senders.items()}
        time.sleep(max(0.0, began + scale.memory_s - time.monotonic()))
        for sender in senders.values():
            sender.stop()
        for policy, sender in senders.items():
            result = _flat(rig, policy, sender, full[policy], time.monotonic() - began)
            if policy == "spool":
                _on_disk(result, folder)
            yield result


def _on_disk(result: Result, folder: Path) -> None:
    """Messages reported OK without a server are in the spool, exactly those."""
    rows = sum(inspect(path).messages for path in find(folder))
    result.received = rows
    result.lost = max(0, result.acknowledged - rows)
    result.need(rows == result.acknowledged, f"{result.acknowledged} reported OK, {rows} on disk")


def _flat(rig: Rig, policy: str, sender: Sender, full_mb: float, seconds: float) -> Result:
    result = Result(f"memory, {policy}", rig.name)
    result.memory_mb = sender.memory_mb()
    end_mb = sender.memory_mb("VmRSS")
    status = sender.disconnect()
    journal = Journal(sender.journal)
    result.sent, result.acknowledged = journal.end, len(journal.ok())
    result.failed = journal.failed() + len(journal.refused())
    result.stall_ms, result.seconds = status["longest_send_ms"], seconds
    result.cpu_percent = 100 * status["cpu_s"] / seconds
    result.note = f"{full_mb:.1f} MB when full, {end_mb:.1f} MB after {seconds:.0f} s"
    result.need(end_mb - full_mb < 2 + 0.05 * full_mb, f"memory grows: {result.note}")
    result.need(journal.missing() == 0, f"{journal.missing()} messages without a callback")
    result.need(journal.doubled() == 0, f"{journal.doubled()} messages called back twice")
    result.need((policy == "spool") == (result.acknowledged > 0), "OK says what it should not")
    result.need(status["disconnect_ms"] < 2000, f"disconnect took {status['disconnect_ms']:.0f} ms")
    return result
