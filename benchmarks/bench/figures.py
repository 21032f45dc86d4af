# SPDX-License-Identifier: Apache-2.0
"""What is read out of the results: ratios of neighbouring runs, and the targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.run import Json

__all__ = ["TARGETS", "Goal", "Spread", "find", "latency", "ratios", "runs", "spread"]


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of some figures."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 2) -> str:
        """Shows it as "median (low to high)"."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def spread(values: Sequence[float]) -> Spread | None:
    """Sums up figures; None for an empty list."""
    return Spread(median(values), min(values), max(values)) if values else None


def find(results: Sequence[Json], target: str, case: str, condition: str = "quiet") -> Json:
    """Returns the result of a case; an empty one if it was not run."""
    for result in results:
        if (result["target"], result["case"], result["condition"]) == (target, case, condition):
            return result
    return {}


def runs(result: Json, side: str) -> list[Json]:
    """Returns the runs of one side."""
    return [run for run in result.get("runs", []) if run["side"] == side]


def latency(result: Json, side: str, percentile: str) -> list[float]:
    """Returns a percentile of each run of one side, in microseconds."""
    return [run["latency_us"][percentile] for run in runs(result, side) if "latency_us" in run]


def ratios(result: Json, side: str, figure: Callable[[Json], float]) -> list[float]:
    """Returns a figure of each run of a side, divided by that of the raw run before it."""
    pairs = zip(runs(result, side), runs(result, "raw"))
    return [figure(ours) / figure(raw) for ours, raw in pairs if figure(raw) > 0]


def _rate(run: Json) -> float:
    return float(run["per_s"])


def _cpu(run: Json) -> float:
    return float(run["cpu_us"])


def _p50(run: Json) -> float:
    return float(run["latency_us"]["p50"])


@dataclass(frozen=True)
class Goal:
    """One target.

    Attributes:
        what: for the reader.
        target: of the program `load`.
        case, condition: see `Case`.
        side: whose figure.
        figure: of a run, in units of the raw client's, unless `absolute`.
        bound: the median has to reach it.
        most: the bound is the largest allowed value, not the smallest.
    """

    what: str
    target: str
    case: str
    condition: str
    side: str
    figure: Callable[[Json], float]
    bound: float
    most: bool = False
    absolute: bool = False

    def values(self, results: Sequence[Json]) -> list[float]:
        """Returns the figure of each round."""
        result = find(results, self.target, self.case, self.condition)
        if self.absolute:
            return [self.figure(run) for run in runs(result, self.side)]
        return ratios(result, self.side, self.figure)

    def reached(self, value: float) -> bool:
        """Tells whether a value meets the bound."""
        return value <= self.bound if self.most else value >= self.bound


def _throughput(
    target: str, bound: float, case: str = "unbounded", condition: str = "quiet"
) -> Goal:
    what = f"{target}, {case}, {condition}: throughput"
    return Goal(what, target, case, condition, "adaptor", _rate, bound)


TARGETS = (
    _throughput("kafka", 0.75),
    Goal(
        "kafka: CPU of a message, µs",
        "kafka",
        "unbounded",
        "quiet",
        "adaptor",
        _cpu,
        2.0,
        most=True,
        absolute=True,
    ),
    _throughput("kafka", 0.5, condition="busy"),
    _throughput("kafka", 0.9, condition="far"),
    _throughput("mqtt", 0.9),
    _throughput("amqp", 0.95),
    Goal(
        "amqp, sync, 1.1 MB: time of a send",
        "amqp",
        "sync-1mb",
        "quiet",
        "adaptor",
        _p50,
        1.5,
        most=True,
    ),
    _throughput("redis", 1.1),
    _throughput("nats", 0.9),
    _throughput("http", 0.9),
    _throughput("multi", 0.9),
    _throughput("pulsar", 0.9),
    _throughput("zmq", 0.95),
    _throughput("zmq-ipc", 0.95),
    _throughput("zmq-inproc", 0.95),
    *(
        Goal(
            f"{target}, host A at 900/s: CPU of a message",
            target,
            "paced",
            "quiet",
            "host-a",
            _cpu,
            1.25,
            most=True,
        )
        for target in ("kafka", "mqtt", "redis", "amqp")
    ),
    *(
        Goal(
            f"{target}, host A, bursts of 30: CPU of a message, µs",
            target,
            "bursts",
            "quiet",
            "host-a",
            _cpu,
            12.0,
            most=True,
            absolute=True,
        )
        for target in ("kafka", "mqtt", "redis", "amqp")
    ),
)
"""What is to be reached; the report says of each by how much it was, in the worst run too."""
