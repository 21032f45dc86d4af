# SPDX-License-Identifier: Apache-2.0
"""What the suite measures: one `Case` is one run of a program, with the server it starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BROKERS", "Case", "cases_of", "frame_cases"]

BROKERS = ("kafka", "mqtt", "amqp", "redis", "zmq")
"""Targets that are measured in every way; the others only unbounded."""

_GROWTH = {
    "sensors": "1,10,100",
    "topics": "1,10,100",
    "connections": "1,8,64",
    "bytes": "100,1000,10000,100000,1000000",
}
_FAR = ("--round-trip", "20")


@dataclass(frozen=True)
class Case:
    """One run of a program of `benchmarks/`.

    Attributes:
        name: what is varied against the plain case: "unbounded", "paced", "growth-topics".
        target: of the program `load`, or "frames".
        arguments: of the program.
        condition: "quiet", "busy" (with a busy loop on each core) or "far" (behind a proxy).
    """

    name: str
    target: str
    arguments: tuple[str, ...]
    condition: str = "quiet"

    @property
    def key(self) -> str:
        """Names the case in files and on the command line."""
        return f"{self.target}-{self.name}-{self.condition}"


def _load(
    name: str, target: str, text: str, condition: str = "quiet", more: tuple[str, ...] = ()
) -> Case:
    return Case(name, target, (target, *text.split(), *more), condition)


def cases_of(target: str) -> Iterator[Case]:
    """Yields the cases of one target of the program `load`."""
    yield _load("unbounded", target, "--rounds 3 --seconds 2")
    if target not in BROKERS:
        return
    hosts = "--pattern paced --rounds 2 --seconds 3 --sides raw,host-a,host-b"
    yield _load("windowed", target, "--pattern windowed --rounds 2 --seconds 1.5")
    yield _load("sync", target, "--pattern sync --rounds 2 --seconds 1")
    large = 1_000_000 if target == "kafka" else 1_100_000  # brokers refuse more than 1048588
    yield _load("sync-1mb", target, f"--pattern sync --rounds 2 --seconds 1 --bytes {large}")
    yield _load("paced", target, f"{hosts},adaptor,null")
    yield _load("bursts", target, f"{hosts} --burst 30")
    if target != "zmq":  # which has no server
        yield _load("tuned", target, "--rounds 3 --seconds 1.5 --server tuned")
    yield _load("unbounded", target, "--rounds 4 --seconds 2", "busy")
    near = "--pattern paced --rounds 2 --seconds 3 --sides raw,host-a"
    yield _load("paced", target, near, "busy")
    yield _load("unbounded", target, "--rounds 3 --seconds 2", "far", _FAR)
    yield _load("paced", target, near, "far", _FAR)
    for varied, values in _GROWTH.items():
        # As many messages under way through all connections as through one.
        pattern = "windowed --window 1000" if varied == "connections" else "unbounded"
        arguments = f"--pattern {pattern} --rounds 1 --seconds 0.7 --vary {varied}={values}"
        yield _load(f"growth-{varied}", target, arguments)
    if target == "kafka":
        for count in (1, 50, 500):
            yield _load(
                f"growth-partitions-{count}",
                target,
                f"--rounds 1 --seconds 1.5 --partitions {count} --sensors 1000",
            )


def frame_cases() -> Iterator[Case]:
    """Yields the cases of the program `frames`."""
    for dialect in ("dsmsg", "deepstream"):
        yield Case(f"sources-{dialect}", "frames", ("--dialect", dialect))
