# SPDX-License-Identifier: Apache-2.0
"""A real Redis Cluster for tests and trials: three masters, each with a replica."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from dsmsg.brokers._base import BrokerError
from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._process import wait_until
from dsmsg.brokers.redis import RedisBroker, find_redis

__all__ = ["RedisClusterBroker"]


def _find_cli() -> str:
    program = shutil.which(
        "redis-cli", path=os.environ.get("PATH", os.defpath) + ":/usr/local/bin:/usr/bin"
    )
    if not program:
        raise BrokerError(
            "redis-cluster: cannot find the program redis-cli (Debian, Ubuntu: apt-get install "
            "redis-tools)"
        )
    return program


class RedisClusterBroker(RedisBroker):
    """Six `redis-server` processes, made a cluster by `redis-cli --cluster create`.

    `start`, `stop`, `kill`, `pause` and `close` are for all of them. A single one is a number of
    `addresses`; `kill_node` and the like end and continue it. A master that is away for two seconds
    is replaced by its replica.
    """

    kind: ClassVar[str] = "redis-cluster"
    _settings: ClassVar[tuple[str, ...]] = (
        "cluster-enabled yes",
        "cluster-port {port:bus}",
        "cluster-node-timeout 2000",
        "cluster-config-file nodes.conf",
    )

    def __init__(
        self,
        *,
        port: int | None = None,
        folder: Path | str | None = None,
        config: Sequence[str] = (),
        masters: int = 3,
        replicas: int = 1,
    ) -> None:
        """Prepares the nodes.

        Args:
            port: of the first node; None finds a free one, as for the others.
            folder: for configuration, data and logs, kept at the end; None makes temporary ones.
            config: lines added to the configuration of each node.
            masters: how many share the slots, at least 3.
            replicas: of each master.
        """
        super().__init__(port=port, folder=folder, config=config)
        self._replicas = replicas
        self._password: str | None = None
        self._made = False
        self._others = [
            RedisBroker(folder=None if folder is None else self.dir / f"node-{number}")
            for number in range(1, masters * (1 + replicas))
        ]

    @classmethod
    def needed(cls) -> Mapping[str, Callable[[], object]]:
        """Returns what must be installed."""
        return {"redis-server": find_redis, "redis-cli": _find_cli}

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        lines = super()._guard_lines(identity, password)
        self._password = password
        if identity is not None:
            lines += ["tls-cluster yes", "tls-replication yes"]  # TLS clients are told TLS ports
        if password is not None:
            lines += [f"masteruser {USER}", f"masterauth {password}"]
        return lines

    @property
    def addresses(self) -> list[str]:
        """`host:port` of each node; the first is `address`."""
        return [self.address, *(node.address for node in self._others)]

    @property
    def seeds(self) -> str:
        """Connection string that names all nodes."""
        return ",".join(self.addresses)

    def start(self) -> RedisClusterBroker:
        """Starts the nodes that do not run, and waits until the cluster serves all slots.

        Raises:
            BrokerError: a node did not start, or they did not become a cluster.
        """
        with self._lock:
            for node in self._others:
                node.config = [*self._settings, *self.config]
            super().start()
            with ThreadPoolExecutor(len(self._others)) as pool:
                list(pool.map(RedisBroker.start, self._others))
            if not self._made:
                self.cli("--cluster", "create", *self.addresses, "--cluster-replicas",
                         str(self._replicas), "--cluster-yes")  # fmt: skip
                self._made = True
            if not wait_until(self.whole, self.start_timeout):
                self.keep()
                raise BrokerError(
                    f"redis-cluster: the nodes {self.seeds} do not become a cluster; the logs are "
                    f"kept: {', '.join(str(node.log_path) for node in [self, *self._others])}"
                )
            return self

    def whole(self) -> bool:
        """Tells whether all nodes run, serve all slots together, and all replicas are in step."""
        try:
            for number in range(len(self.addresses)):
                if "cluster_state:ok" not in self.cli("CLUSTER", "INFO", node=number):
                    return False
                replication = self.cli("INFO", "replication", node=number)
                if "role:slave" in replication and "master_link_status:up" not in replication:
                    return False
                slots = self.cli("--csv", "CLUSTER", "SLOTS", node=number)
                ports = [address.rpartition(":")[2] for address in self.addresses]
                if not all(f",{port}," in slots for port in ports):
                    return False
        except BrokerError:
            return False
        return True

    def owner(self, key: str, *, node: int = 0) -> int:
        """Returns the number of the node that is the master of a key, or -1.

        Args:
            key: decides the slot.
            node: the one that is asked.

        Raises:
            BrokerError: that node does not answer.
        """
        slot = int(self.cli("CLUSTER", "KEYSLOT", key, node=node))
        for line in self.cli("CLUSTER", "NODES", node=node).splitlines():
            words = line.split()
            for part in words[8:]:
                first, _, last = part.partition("-")
                if first.isdigit() and int(first) <= slot <= int(last or first):
                    return self.addresses.index(words[1].partition("@")[0])
        return -1

    def cli(self, *arguments: str, node: int = 0) -> str:
        """Runs redis-cli and returns its standard output.

        Args:
            arguments: of the program, behind the address.
            node: the one that it talks to.

        Raises:
            BrokerError: it failed.
        """
        host, _, port = self.addresses[node].rpartition(":")
        command = [_find_cli(), "--no-auth-warning"]
        environment = dict(os.environ)
        if self._password is not None:
            command += ["--user", USER]
            environment["REDISCLI_AUTH"] = self._password
        if arguments[:1] != ("--cluster",):
            command += ["-e", "-h", host, "-p", port]
        done = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise BrokerError(
                f"redis-cluster: {' '.join(arguments)} at {host}:{port} failed: "
                f"{(done.stdout + done.stderr).strip()[-2000:]}"
            )
        return done.stdout

    def ctl(self, *arguments: str) -> str:
        """Runs redis-cli on the first node."""
        return self.cli(*arguments)

    # A slot moves in three steps, in which clients are told MOVED or ASK at different moments.

    def begin_move(self, key: str, source: int, target: int) -> None:
        """Begins to move the slot of a key from one master to another."""
        slot = self.cli("CLUSTER", "KEYSLOT", key).strip()
        names = {number: self._id(number) for number in (source, target)}
        self.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source], node=target)
        self.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target], node=source)

    def move_keys(self, key: str, source: int, target: int) -> None:
        """Moves the keys that the slot of this key holds now."""
        slot = self.cli("CLUSTER", "KEYSLOT", key).strip()
        login = [] if self._password is None else ["AUTH2", USER, self._password]
        while keys := self.cli("CLUSTER", "GETKEYSINSLOT", slot, "100", node=source).split("\n"):
            names = [name for name in keys if name]
            if not names:
                return
            host, _, port = self.addresses[target].rpartition(":")
            self.cli("MIGRATE", host, port, "", "0", "60000", *login, "KEYS", *names, node=source)

    def end_move(self, key: str, source: int, target: int) -> None:
        """Makes the target the slot's master."""
        slot = self.cli("CLUSTER", "KEYSLOT", key).strip()
        name = self._id(target)
        for node in (target, source):
            self.cli("CLUSTER", "SETSLOT", slot, "NODE", name, node=node)

    def _id(self, number: int) -> str:
        return self.cli("CLUSTER", "MYID", node=number).strip()

    def kill_node(self, number: int) -> None:
        """Ends one node at once (SIGKILL). Its port and data stay."""
        super().kill() if number == 0 else self._others[number - 1].kill()

    def start_node(self, number: int) -> None:
        """Starts one node again."""
        super().start() if number == 0 else self._others[number - 1].start()

    def pause_node(self, number: int) -> None:
        """Freezes one node (SIGSTOP)."""
        super().pause() if number == 0 else self._others[number - 1].pause()

    def resume_node(self, number: int) -> None:
        """Ends `pause_node`."""
        super().resume() if number == 0 else self._others[number - 1].resume()

    def node_running(self, number: int) -> bool:
        """Tells whether one node runs, paused or not."""
        return self.running if number == 0 else self._others[number - 1].running

    def stop(self) -> None:
        """Ends all nodes by SIGTERM. Ports and data stay."""
        with ThreadPoolExecutor(len(self._others)) as pool:
            list(pool.map(RedisBroker.stop, self._others))
        super().stop()

    def kill(self) -> None:
        """Ends all nodes at once (SIGKILL). Ports and data stay."""
        for node in self._others:
            node.kill()
        super().kill()

    def pause(self) -> None:
        """Freezes all nodes."""
        for node in [self, *self._others]:
            RedisBroker.pause(node)

    def resume(self) -> None:
        """Ends a `pause`."""
        for node in [self, *self._others]:
            RedisBroker.resume(node)

    def keep(self) -> None:
        """Keeps the folders, with the logs, when the cluster is closed."""
        for node in self._others:
            node.keep()
        super().keep()

    def _end_helpers(self) -> None:
        for node in self._others:
            node.close()
