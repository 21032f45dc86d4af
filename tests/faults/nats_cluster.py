# SPDX-License-Identifier: Apache-2.0
"""A NATS cluster of three real nodes; the one that leads the stream is killed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from brokers.readers import read_nats
from dsmsg.brokers import BrokerError
from dsmsg.brokers._process import free_port
from dsmsg.brokers.nats import NatsBroker

from faults.books import Result, number_of
from faults.cases import Scale, broken, flow
from faults.programs import Sender, wait_for
from faults.rigs import Rig

__all__ = ["NatsClusterRig", "stream_leader_killed"]


class NatsClusterRig(Rig):
    """Streams with three replicas."""

    name = "nats-cluster"
    adaptor = kind = "nats"
    duplicates: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        """Starts the nodes, together: none is ready before two are there."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.names = folder / "names"
        self.resolve(True)
        ports = [free_port() for _ in range(3)]
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports)
        self.nodes: dict[str, NatsBroker] = {}
        for number, port in enumerate(ports):
            name = f"node-{number}"
            cluster = f"name: faults, listen: 127.0.0.1:{port}, routes: [ {routes} ]"
            lines = [f"server_name: {name}", f"cluster {{ {cluster} }}"]
            self.nodes[name] = NatsBroker()
            self.nodes[name].configure({"streams": {}, "config": lines})
        try:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(lambda node: node.start(), self.nodes.values()))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the nodes."""
        for node in self.nodes.values():
            node.close()

    def keep(self) -> None:
        """Leaves the nodes' files where they are."""
        for node in self.nodes.values():
            node.keep()

    def direct(self) -> str:
        """Connection string that names all nodes."""
        return ",".join(node.address for node in self.nodes.values())

    def _request(self, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Asks one node after the other: those without a leader say nothing."""
        for node in self.nodes.values():
            try:
                return node.request(subject, body)
            except (OSError, ValueError, BrokerError):
                continue
        return {}

    def _cluster(self, topic: str) -> dict[str, Any]:
        found: dict[str, Any] = self._request(f"$JS.API.STREAM.INFO.{topic}").get("cluster", {})
        return found

    def leader(self, topic: str) -> str:
        """Returns the name of the node that leads the stream, or an empty one."""
        return str(self._cluster(topic).get("leader", ""))

    def in_sync(self, topic: str) -> bool:
        """Tells whether both followers have everything."""
        replicas = self._cluster(topic).get("replicas", [])
        return len(replicas) == 2 and all(
            each.get("current") and not each.get("offline") for each in replicas
        )

    def make_topic(self, topic: str) -> None:
        """Makes the stream."""
        config = {"name": topic, "subjects": [topic], "num_replicas": 3}
        wait_for(
            lambda: self._request(f"$JS.API.STREAM.CREATE.{topic}", config).get("config"),
            240,
            f"nats: making the stream {topic}",
        )
        wait_for(lambda: self.in_sync(topic), 240, f"nats: the replicas of {topic}")

    def received(self, topic: str) -> list[int]:
        """Reads the stream through a consumer that pushes all of it."""
        node = next(iter(self.nodes.values()))
        return [number_of(payload) for payload in read_nats(node.host, node.port, topic)]


def stream_leader_killed(rig: NatsClusterRig, scale: Scale) -> Result:
    """The node that leads the stream is killed, and comes back."""

    def fault(sender: Sender, topic: str) -> None:
        for _ in range(scale.leader_kills):
            next_time = time.monotonic() + scale.restart_s
            victim = rig.leader(topic)
            rig.nodes[victim].kill()
            wait_for(lambda gone=victim: rig.leader(topic) not in ("", gone), 240, "a new leader")
            flow(sender, int(scale.rate))
            rig.nodes[victim].start()
            wait_for(lambda: rig.in_sync(topic), 240, "the node's return")
            time.sleep(max(0.0, next_time - time.monotonic()))

    return broken("leader killed", rig, scale, rig.direct(), fault, keeps_order=False)
