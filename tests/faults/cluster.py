# SPDX-License-Identifier: Apache-2.0
"""A Kafka cluster of three real nodes whose leader is killed."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from brokers.kafka_client import make_topic, persist
from confluent_kafka.admin import AdminClient
from dsmsg.brokers import KafkaCluster

from faults.books import Result
from faults.cases import Scale, broken, flow
from faults.programs import Sender, wait_for
from faults.rigs import Rig, read_kafka

__all__ = ["KafkaClusterRig", "leader_killed"]


class KafkaClusterRig(Rig):
    """Topics with three replicas, two of which must have a message before it counts."""

    name = "kafka-cluster"
    adaptor = kind = "kafka"
    duplicates: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        """Starts the nodes."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.names = folder / "names"
        self.resolve(True)
        self.cluster = KafkaCluster(3)
        try:
            self.cluster.start()
        except BaseException:
            self.cluster.close()
            raise

    def close(self) -> None:
        """Ends the nodes."""
        self.cluster.close()

    def keep(self) -> None:
        """Leaves the nodes' files where they are."""
        for node in self.cluster.nodes:
            node.keep()

    def direct(self) -> str:
        """Connection string that names all nodes."""
        return self.cluster.url

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.cluster.address, "log_level": 0})

    def leader(self, topic: str) -> int:
        """Returns the number of the node that leads the topic's first partition, or -1."""
        partitions = self._partitions(topic)
        return int(partitions[0].leader) if 0 in partitions else -1

    def in_sync(self, topic: str) -> bool:
        """Tells whether all replicas of all partitions have everything."""
        partitions = self._partitions(topic)
        return len(partitions) == 4 and all(len(each.isrs) == 3 for each in partitions.values())

    def _partitions(self, topic: str) -> dict[int, Any]:
        found = persist(
            f"looking at {topic}", lambda: self._admin.list_topics(topic, timeout=10).topics[topic]
        )
        return {} if found is None else found.partitions

    def make_topic(self, topic: str) -> None:
        """Makes it with three replicas, two of which must be in sync."""
        make_topic(self._admin, topic, 4, 3, {"min.insync.replicas": "2"})
        assert read_kafka(self.cluster.address, topic) == []  # so the leaders know that they are
        wait_for(lambda: self.in_sync(topic), 240, f"kafka: making the topic {topic}")

    def received(self, topic: str) -> list[int]:
        """Reads each partition to its end."""
        return read_kafka(self.cluster.address, topic)


def leader_killed(rig: KafkaClusterRig, scale: Scale) -> Result:
    """The node that leads a partition is killed, and comes back; with acks=all."""

    def fault(sender: Sender, topic: str) -> None:
        for _ in range(scale.leader_kills):
            next_time = time.monotonic() + scale.restart_s
            victim = rig.cluster.node(rig.leader(topic))
            victim.kill()
            wait_for(
                lambda gone=victim.node: rig.leader(topic) not in (-1, gone), 240, "a new leader"
            )
            flow(sender, int(scale.rate))
            victim.start()
            wait_for(lambda: rig.in_sync(topic), 240, "the node's return")
            time.sleep(max(0.0, next_time - time.monotonic()))

    return broken("leader killed", rig, scale, rig.direct(), fault, acks="all")
