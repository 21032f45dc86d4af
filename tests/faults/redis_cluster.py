# SPDX-License-Identifier: Apache-2.0
"""A Redis Cluster of six real nodes whose masters are killed and whose slots move."""

from __future__ import annotations

import time
from typing import ClassVar

import redis
from brokers.readers import read_stream
from dsmsg.brokers import RedisClusterBroker

from faults.books import Result, number_of
from faults.cases import Scale, broken, flow
from faults.programs import Sender, wait_for
from faults.rigs import Rig

__all__ = ["RedisClusterRig", "master_killed", "slot_moved"]


class RedisClusterRig(Rig):
    """Streams, read with redis-py's client for clusters."""

    name = kind = "redis-cluster"
    adaptor = "redis"
    options: ClassVar[dict[str, object]] = {"streamsize": 0}  # trimmed, a stream loses its oldest
    broker: RedisClusterBroker

    def direct(self) -> str:
        """Connection string that names all nodes."""
        return self.broker.seeds

    def received(self, topic: str) -> list[int]:
        """Reads the stream in pages."""
        with redis.RedisCluster.from_url(f"redis://{self.broker.address}") as client:
            return [number_of(fields[b"metadata"]) for fields in read_stream(client, topic)]


def master_killed(rig: RedisClusterRig, scale: Scale) -> Result:
    """The topic's master is killed, its replica takes over, and it comes back as a replica.

    Redis replicates after it has answered: what a killed master had acknowledged in its last
    moments is not the adaptor's to save, and counted apart.
    """
    cluster = rig.broker

    def fault(sender: Sender, topic: str) -> None:
        for _ in range(scale.leader_kills):
            next_time = time.monotonic() + scale.restart_s
            victim = cluster.owner(topic)
            witness = (victim + 1) % len(cluster.addresses)
            cluster.kill_node(victim)
            wait_for(
                lambda gone=victim, asked=witness: (
                    cluster.owner(topic, node=asked) not in (-1, gone)
                ),
                240,
                "a new master",
            )
            flow(sender, int(scale.rate))
            cluster.start_node(victim)
            wait_for(cluster.whole, 240, "the node's return")
            time.sleep(max(0.0, next_time - time.monotonic()))

    return broken("master killed", rig, scale, rig.direct(), fault, server_loses=True)


def slot_moved(rig: RedisClusterRig, scale: Scale) -> Result:
    """The topic's slot moves to another master and back: MOVED, ASK and then MOVED again."""
    cluster = rig.broker

    def fault(sender: Sender, topic: str) -> None:
        source = cluster.owner(topic)
        masters = [n for n in range(len(cluster.addresses)) if is_master(cluster, n)]
        target = next(number for number in masters if number != source)
        for here, there in ((source, target), (target, source)):
            cluster.begin_move(topic, here, there)
            flow(sender, int(scale.rate * scale.calm_s))
            cluster.move_keys(topic, here, there)
            flow(sender, int(scale.rate * scale.calm_s))
            cluster.end_move(topic, here, there)
            flow(sender, int(scale.rate * scale.calm_s))

    return broken("slot moved", rig, scale, rig.direct(), fault, duplicates=False)


def is_master(cluster: RedisClusterBroker, number: int) -> bool:
    """Tells whether a node is a master now."""
    return cluster.cli("ROLE", node=number).startswith("master")
