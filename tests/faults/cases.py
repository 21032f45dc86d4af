# SPDX-License-Identifier: Apache-2.0
"""The cases in which a server or the network fails while a pipeline sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from faults.audit import check_ledger, ledger_options
from faults.books import Journal, Result, balance
from faults.programs import FaultError, Sender, wait_for
from faults.rigs import Rig

__all__ = ["LONG", "SHORT", "Scale", "broken", "cut", "deleted", "finish", "flow", "names"]
__all__ += ["paused", "refused", "restarts", "slow", "stalled", "vanished"]

_DRAIN_S = 150.0
# librdkafka uses an address for a second after it has asked for it (broker.address.ttl),
# and may have asked just now.
_ADDRESS_KEPT_S = 1.5


@dataclass(frozen=True)
class Scale:
    """How long and how much; the short form is for every test run.

    Attributes:
        rate: messages a second.
        restarts: how often a server is killed.
        restart_s: seconds between two kills.
        leader_kills: how often the leader of a cluster is killed.
        cut_s, pause_s, slow_s, names_s, refuse_s: how long each of these lasts.
        calm_s: undisturbed sending before and after.
        process_kills: how often the pipeline is killed.
        clients: of the storm; storm_s: how long their server is away.
        memory_s, memory_rate, memory_queue: how long a server is away, messages a second, and the
            bound of the queue.
        reconnect_max: option reconnect-max-interval.
    """

    rate: float
    restarts: int
    restart_s: float
    leader_kills: int
    cut_s: float
    pause_s: float
    slow_s: float
    names_s: float
    refuse_s: float
    calm_s: float
    process_kills: int
    clients: int
    storm_s: float
    memory_s: float
    memory_rate: float
    memory_queue: int
    reconnect_max: str


LONG = Scale(
    rate=2000,
    restarts=5,
    restart_s=12,
    leader_kills=3,
    cut_s=30,
    pause_s=20,
    slow_s=20,
    names_s=10,
    refuse_s=10,
    calm_s=2,
    process_kills=20,
    clients=4,
    storm_s=20,
    memory_s=600,
    memory_rate=900,
    memory_queue=20000,
    reconnect_max="5s",
)
SHORT = Scale(
    rate=500,
    restarts=1,
    restart_s=2,
    leader_kills=1,
    cut_s=1.5,
    pause_s=1.5,
    slow_s=1.5,
    names_s=1,
    refuse_s=1,
    calm_s=0.3,
    process_kills=2,
    clients=2,
    storm_s=4,
    memory_s=8,
    memory_rate=2000,
    memory_queue=2000,
    reconnect_max="1s",
)


def flow(sender: Sender, messages: int) -> None:
    """Waits until that many more messages were acknowledged."""
    goal = sender.status()["ok"] + messages
    try:
        wait_for(lambda: sender.status()["ok"] >= goal, 240, "acknowledgements")
    except FaultError as error:
        raise FaultError(f"{error}: {sender.status()}") from None


def finish(result: Result, sender: Sender, patience: float = _DRAIN_S) -> None:
    """Stops a sender, waits for its callbacks, ends it and notes what it measured."""
    sender.stop()
    status = sender.drain(patience)
    result.need(
        status["drained"], f"no callback for {patience:g} s, some missing: {status['stats']}"
    )
    result.memory_mb = max(result.memory_mb, sender.memory_mb())
    status = sender.disconnect()
    result.stall_ms = max(result.stall_ms, status["longest_send_ms"])
    result.need(not sender.violations, f"rules broken: {sender.violations}")
    result.need(status["service_down"] == 0, "EVT_SERVICE_DOWN although it did not give up")


def broken(
    case: str,
    rig: Rig,
    scale: Scale,
    connection: str,
    fault: Callable[[Sender, str], object],
    *,
    keeps_order: bool = True,
    duplicates: bool | None = None,
    server_loses: bool = False,
    may_fail: bool = False,
    **options: object,
) -> Result:
    """Sends at a steady rate while `fault` does its work, and balances the books.

    Args:
        case: name of the case.
        rig: adaptor and server.
        scale: how much.
        connection: the rig's `direct` or `proxied`.
        fault: is given the sender and the topic; returns when the fault is over.
        keeps_order: see `balance`.
        duplicates: see `balance`; None: as the rig says.
        server_loses: see `balance`.
        may_fail: callbacks may say ERR.
        options: of the adaptor.
    """
    began = time.monotonic()
    result = Result(case, rig.name)
    topic = rig.new_topic()
    settings = {"queue_size": 400000, "reconnect_max_interval": scale.reconnect_max, **options}
    settings |= ledger_options(result, rig, topic)
    with rig.sender(connection or rig.direct(), topic, **settings) as sender:
        sender.start(scale.rate)
        flow(sender, int(scale.rate * scale.calm_s))
        fault(sender, topic)
        time.sleep(scale.calm_s)  # some more traffic
        finish(result, sender)
        journal = Journal(sender.journal)
    received = rig.received(topic)
    balance(
        result,
        journal,
        received,
        keeps_order=keeps_order and rig.keeps_order and rig.acknowledged,
        duplicates=rig.duplicates if duplicates is None else duplicates,
        server_loses=server_loses or not rig.acknowledged,
    )
    if not server_loses:
        check_ledger(result, rig, topic, journal, received)
    result.need(may_fail or result.failed == 0, f"{result.failed} messages failed in an outage")
    result.seconds = time.monotonic() - began
    return result


def restarts(rig: Rig, scale: Scale) -> Result:
    """The server is killed and started again, several times."""

    def fault(sender: Sender, topic: str) -> None:
        for _ in range(scale.restarts):
            next_time = time.monotonic() + scale.restart_s
            rig.broker.kill()
            rig.broker.start()
            flow(sender, 1)
            time.sleep(max(0.0, next_time - time.monotonic()))

    return broken("server killed", rig, scale, "", fault, server_loses=not rig.keeps_acknowledged)


def _for_a_time(begin: Callable[[], object], seconds: float, end: Callable[[], object]) -> None:
    begin()
    try:
        time.sleep(seconds)
    finally:
        end()


def cut(rig: Rig, scale: Scale) -> Result:
    """All connections are reset, and the port refuses for a time."""

    def fault(sender: Sender, topic: str) -> None:
        _for_a_time(lambda: rig.proxy.become("cut"), scale.cut_s, lambda: rig.proxy.become("open"))

    return broken("network cut", rig, scale, rig.proxied(), fault)


def stalled(rig: Rig, scale: Scale) -> Result:
    """No byte passes for a time; connections stay."""

    def fault(sender: Sender, topic: str) -> None:
        _for_a_time(
            lambda: rig.proxy.become("stall"), scale.pause_s, lambda: rig.proxy.become("open")
        )

    return broken("network stalled", rig, scale, rig.proxied(), fault)


def vanished(rig: Rig, scale: Scale) -> Result:
    """The connections die without notice to the client; new ones work afterwards."""

    def fault(sender: Sender, topic: str) -> None:
        _for_a_time(
            lambda: rig.proxy.become("vanish"), scale.pause_s, lambda: rig.proxy.become("open")
        )
        flow(sender, 1)

    options = {name.replace("-", "_"): value for name, value in rig.quick.items()}
    return broken("half-open", rig, scale, rig.proxied(), fault, **options)


def paused(rig: Rig, scale: Scale) -> Result:
    """The server is stopped (SIGSTOP) for a time."""

    def fault(sender: Sender, topic: str) -> None:
        _for_a_time(rig.broker.pause, scale.pause_s, rig.broker.resume)

    return broken("server paused", rig, scale, "", fault)


def slow(rig: Rig, scale: Scale) -> Result:
    """The network takes a third of what is sent: a small queue holds the pipeline back."""

    def fault(sender: Sender, topic: str) -> None:
        began, before = time.monotonic(), sender.status()["next"]

        def held_back() -> bool:
            sent = sender.status()["next"] - before
            return bool(sent < 0.9 * scale.rate * (time.monotonic() - began))

        rig.proxy.slow(20, int(scale.rate * 300 / 3))
        try:
            time.sleep(scale.slow_s)
            wait_for(held_back, 60, "the network to hold the pipeline back")
        finally:
            rig.proxy.slow(0, 0)

    queue = int(scale.rate * scale.slow_s / 4)  # soon full
    return broken("slow network", rig, scale, rig.proxied(), fault, queue_size=queue)


def names(rig: Rig, scale: Scale) -> Result:
    """The connection breaks, and for a while the server's name cannot be resolved."""

    def fault(sender: Sender, topic: str) -> None:
        rig.resolve(False)
        try:
            rig.proxy.become("cut")
            wait_for(lambda: sender.status()["stats"]["link"] == "down", 240, "the link's end")
            time.sleep(_ADDRESS_KEPT_S)
            rig.proxy.become("open")  # a client that kept the address would be let in again
            time.sleep(scale.names_s)
            if sender.status()["stats"]["link"] == "up":
                raise FaultError("it found its way without the name")
        finally:
            rig.proxy.become("open")
            rig.resolve(True)
        flow(sender, 1)

    return broken("name unknown", rig, scale, rig.proxied(), fault)


def refused(rig: Rig, scale: Scale) -> Result | None:
    """The server takes no messages for a time, and says so. None: not possible with this server."""
    if type(rig).refuse_writes is Rig.refuse_writes:
        return None

    def fault(sender: Sender, topic: str) -> None:
        end = rig.refuse_writes(topic)
        assert end is not None
        try:
            time.sleep(scale.refuse_s)
        finally:
            end()
        flow(sender, 1)

    keeps_order = "refused" not in rig.reorders
    return broken(
        "writes refused", rig, scale, "", fault, keeps_order=keeps_order, duplicates=False
    )


def deleted(rig: Rig, scale: Scale) -> Result | None:
    """The topic is deleted while a pipeline is connected. None: there is nothing to delete.

    The messages of a topic are deleted with it: sending pauses while it is read and deleted. Later
    messages may fail while it does not exist, but acknowledged ones must be in the new one.
    """
    if type(rig).delete_topic is Rig.delete_topic:
        return None
    began = time.monotonic()
    result = Result("topic deleted", rig.name)
    topic = rig.new_topic()
    with rig.sender(rig.direct(), topic, queue_size=400000) as sender:
        sender.start(scale.rate)
        flow(sender, int(scale.rate * scale.calm_s))
        sender.stop()
        if not sender.drain(_DRAIN_S)["drained"]:
            raise FaultError("callbacks are missing before anything happened")
        before = rig.received(topic)
        rig.delete_topic(topic)
        sender.start(scale.rate)
        time.sleep(scale.refuse_s)
        rig.restore_topic(topic)
        flow(sender, int(scale.rate * scale.calm_s))
        finish(result, sender)
        journal = Journal(sender.journal)
    received = before + rig.received(topic)
    keeps_order = "deleted" not in rig.reorders
    balance(result, journal, received, keeps_order=keeps_order, duplicates=rig.duplicates)
    result.seconds = time.monotonic() - began
    return result
