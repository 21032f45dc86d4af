# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka cluster for tests: several nodes, each broker and controller."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from dsmsg.brokers._process import free_port
from dsmsg.brokers.kafka import KafkaBroker, new_cluster_id

__all__ = ["KafkaCluster"]


class KafkaCluster:
    """Several Kafka servers that know each other, with little memory each.

    What a majority of the replicas acknowledged survives the `kill` of any one node. Topics made on
    first use have three replicas.

    Threads: any thread may call any method of a node; `start` and `close` belong to one.
    """

    def __init__(self, nodes: int = 3, *, folder: Path | str | None = None) -> None:
        """Prepares the nodes without starting them.

        Args:
            nodes: how many; a cluster of three works without any one of them.
            folder: for configuration, data and logs, kept at the end, one sub-folder per node;
                None makes temporary ones.
        """
        ports: list[int] = []
        for _ in range(nodes):
            ports.append(free_port(ports))
        voters = list(enumerate(ports, 1))
        cluster = new_cluster_id()
        self.nodes = [
            KafkaBroker(
                folder=None if folder is None else Path(folder) / f"node-{number}",
                node=number,
                voters=voters,
                cluster=cluster,
            )
            for number, _ in voters
        ]

    @property
    def address(self) -> str:
        """All nodes as `host:port,host:port`."""
        return ",".join(node.address for node in self.nodes)

    @property
    def url(self) -> str:
        """Connection string in the form of a URL."""
        return f"kafka://{self.address}"

    def node(self, number: int) -> KafkaBroker:
        """Returns the node of that number (`node.id`), which is at least 1."""
        return self.nodes[number - 1]

    def start(self) -> KafkaCluster:
        """Starts all nodes together, because none is ready without a majority of them.

        Raises:
            BrokerError: one did not start.
        """
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(KafkaBroker.start, self.nodes))
        return self

    def close(self) -> None:
        """Stops all nodes and removes their temporary folders."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(KafkaBroker.close, self.nodes))

    def __enter__(self) -> KafkaCluster:
        """Starts the cluster."""
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the cluster; after an error the folders stay."""
        if isinstance(error, Exception):
            for node in self.nodes:
                node.keep()
        self.close()
