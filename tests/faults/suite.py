# SPDX-License-Identifier: Apache-2.0
"""The cases for each adaptor, and how they are run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from faults import cases, pipeline_cases
from faults.books import Result
from faults.cases import Scale
from faults.cluster import KafkaClusterRig, leader_killed
from faults.live_rigs import AzureEdgeRig, AzureRig, MqttQos0Rig, MqttRig, ZmqPubRig, ZmqPushRig
from faults.nats_cluster import NatsClusterRig, stream_leader_killed
from faults.pulsar_rig import PulsarDedupRig, PulsarRig
from faults.reach_rigs import HttpRig, MultiFailoverRig, MultiRig
from faults.redis_cluster import RedisClusterRig, master_killed, slot_moved
from faults.rigs import AmqpRig, KafkaRig, NatsRig, RedisRig, Rig, ZmqReqRig

__all__ = ["ABSENT", "ALL", "LARGE", "PLAN", "run_chain", "wanted"]

Case = Callable[[Any, Scale], "Result | Iterable[Result]"]


def _memory_of_all_policies(rig: Rig, scale: Scale) -> Iterator[Result]:
    return pipeline_cases.memory(rig, scale, pipeline_cases.POLICIES)


_NETWORK: dict[str, Case] = {
    "cut": cases.cut,
    "stalled": cases.stalled,
    "half-open": cases.vanished,
    "slow": cases.slow,
    "names": cases.names,
}
_PIPELINE: dict[str, Case] = {
    "process-killed": pipeline_cases.process_killed,
    "away": pipeline_cases.storm,
    "shutdown": pipeline_cases.shutdown,
}
_SERVER: dict[str, Case] = {"server-killed": cases.restarts, "paused": cases.paused}
_WRITES: dict[str, Case] = {"refused": cases.refused, "deleted": cases.deleted}
_MEMORY: dict[str, Case] = {"memory": pipeline_cases.memory}

PLAN: dict[type[Rig], dict[str, Case]] = {
    KafkaRig: {**_SERVER, **_NETWORK, **_WRITES, **_PIPELINE, **_MEMORY},
    RedisRig: {**_SERVER, **_NETWORK, **_WRITES, **_PIPELINE, "memory": _memory_of_all_policies},
    NatsRig: {**_SERVER, **_NETWORK, **_WRITES, **_PIPELINE, **_MEMORY},
    AmqpRig: {**_SERVER, **_NETWORK, **_WRITES, **_PIPELINE, **_MEMORY},
    MqttRig: {**_SERVER, **_NETWORK, **_PIPELINE, **_MEMORY},
    AzureRig: {**_SERVER, **_NETWORK, **_PIPELINE, **_MEMORY},
    AzureEdgeRig: {**_SERVER, "cut": cases.cut, "process-killed": pipeline_cases.process_killed},
    ZmqReqRig: {**_SERVER, **_NETWORK, **_PIPELINE, **_MEMORY},
    MqttQos0Rig: {**_SERVER, "cut": cases.cut},
    ZmqPushRig: {"server-killed": cases.restarts, "cut": cases.cut, "stalled": cases.stalled},
    ZmqPubRig: {"server-killed": cases.restarts, "cut": cases.cut, "stalled": cases.stalled},
    HttpRig: {**_SERVER, **_NETWORK, "refused": cases.refused, **_PIPELINE, **_MEMORY},
    MultiRig: {
        **_SERVER,
        **{name: case for name, case in _NETWORK.items() if name != "names"},
        "refused": cases.refused,
        **{name: case for name, case in _PIPELINE.items() if name != "away"},
        **_MEMORY,
    },
    MultiFailoverRig: {"server-killed": cases.restarts, "cut": cases.cut, "stalled": cases.stalled},
    PulsarRig: {**_SERVER, **_NETWORK, **_WRITES, **_PIPELINE, **_MEMORY},
    PulsarDedupRig: {"paused": cases.paused, "cut": cases.cut},
    KafkaClusterRig: {"leader-killed": leader_killed},
    NatsClusterRig: {"leader-killed": stream_leader_killed},
    RedisClusterRig: {"master-killed": master_killed, "slot-moved": slot_moved},
}
"""Cases of each rig, in the order in which they run."""

ABSENT = {
    "mqtt, writes refused": "Mosquitto refuses a message permanently or not at all",
    "mqtt, topic deleted": "MQTT has no topics to delete",
    "azure, writes refused": "a hub that takes nothing does not answer, or ends connections: "
    "see paused and cut",
    "azure, topic deleted": "a hub has no topics to delete",
    "azure_edge": "the same driver as azure with other topics",
    "http, topic deleted": "there are no topics",
    "multi, topic deleted": "redis:deleted has it; the other destination makes no difference",
    "multi, name unknown": "the link is up while one destination is",
    "multi, server away": "the same: the destination's adaptor waits, see redis:away",
    "pulsar-dedup": "the same driver as pulsar: only what makes duplicates without it. A "
    "standalone server, killed again soon after its start, may not open the topic any more",
    "zmq, writes refused": "there is no broker",
    "zmq, topic deleted": "there is no broker that holds topics",
    "zmq-push and zmq-pub, server paused": "their receiver is a thread of the suite; see stalled",
}
"""Combinations that make no sense, and why."""

LARGE = ("pulsar", "pulsar-dedup")
"""Rigs with a large server, which `make test` leaves out."""

ALL = [(rig.name, case) for rig, plan in PLAN.items() for case in plan]


def wanted(words: Iterable[str], rig: str, case: str) -> bool:
    """Tells whether a case is chosen.

    Args:
        words: names of cases or of rigs, or "rig:case"; none: everything.
        rig: name of the rig.
        case: name of the case.
    """
    chosen = list(words)
    return not chosen or any(word in (rig, case, f"{rig}:{case}") for word in chosen)


def run_chain(
    kind: type[Rig],
    chosen: Iterable[str],
    scale: Scale,
    folder: Path,
    tell: Callable[[str, list[Result]], object],
) -> None:
    """Runs cases of one rig, one after the other, with one server.

    Args:
        kind: the rig.
        chosen: names of cases of its plan.
        scale: how much.
        folder: for files.
        tell: called with the case's name and its rows as soon as it is done; a case that could not
            be carried out is a row with that as its problem.
    """
    rig: Rig | None = None
    chosen = list(chosen)
    for name in chosen:
        began = time.monotonic()
        try:
            if rig is None:
                rig = kind(folder / kind.name)
            outcome = PLAN[kind][name](rig, scale)
            rows = [outcome] if isinstance(outcome, Result) else list(outcome)
        except Exception as error:
            rows = [_not_carried_out(name, kind, error, began)]
            if rig is not None:  # in an unknown state
                rows += _closed(name, rig, keep=True)
                rig = None
        if rig is not None and name == chosen[-1]:
            rows += _closed(name, rig)
        tell(name, rows)


def _not_carried_out(case: str, kind: type[Rig], error: Exception, began: float) -> Result:
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-3))
    return Result(case, kind.name, problems=[text.strip()], seconds=time.monotonic() - began)


def _closed(case: str, rig: Rig, *, keep: bool = False) -> list[Result]:
    """Closes a rig; a failure then counts for the case before it."""
    began = time.monotonic()
    try:
        if keep:
            rig.keep()
        rig.close()
    except Exception as error:
        return [_not_carried_out(f"{case}, the end of its server", type(rig), error, began)]
    return []
