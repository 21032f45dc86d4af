# SPDX-License-Identifier: Apache-2.0
"""The plots of the report, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from bench.figures import latency, runs
from bench.run import Json

__all__ = ["draw"]

_PARTS = ("p50", "p90", "p99", "p99.9", "max")
_SIDES = {"raw": "0.5", "adaptor": "tab:blue", "host-a": "tab:orange", "host-b": "tab:green"}


def _save(path: Path) -> Path:
    plt.tight_layout()
    plt.savefig(path, dpi=110)
    plt.close()
    return path


def _throughput(results: Sequence[Json], path: Path) -> Path | None:
    """Bars of the medians, the raw client's as a line across each."""
    chosen = [each for each in results if each["case"] in ("unbounded", "tuned") and each["runs"]]
    if not chosen:
        return None
    plt.figure(figsize=(9, 0.42 * len(chosen) + 1.4))
    for at, result in enumerate(reversed(chosen)):
        ours = [run["per_s"] for run in runs(result, "adaptor")]
        raw = median([run["per_s"] for run in runs(result, "raw")])
        plt.barh(at, median(ours), height=0.6, color=_SIDES["adaptor"])
        plt.plot([min(ours), max(ours)], [at, at], color="black", linewidth=1)
        plt.plot([raw, raw], [at - 0.45, at + 0.45], color="tab:red", linewidth=2)
    names = [f"{each['target']} {each['case']} {each['condition']}" for each in reversed(chosen)]
    plt.yticks(range(len(chosen)), names, fontsize=8)
    plt.xscale("log")
    slowest = min(run["per_s"] for each in chosen for run in each["runs"])
    plt.xlim(left=slowest / 10)
    plt.xlabel("messages a second (red: the client library alone; black: slowest to fastest run)")
    return _save(path)


def _latencies(results: Sequence[Json], path: Path) -> Path | None:
    chosen = [each for each in results if each.get("pattern") == "paced" and each["runs"]]
    if not chosen:
        return None
    columns = 3
    rows = (len(chosen) + columns - 1) // columns
    plt.figure(figsize=(11, 2.4 * rows))
    for at, result in enumerate(chosen):
        plt.subplot(rows, columns, at + 1)
        for side, color in _SIDES.items():
            if runs(result, side):
                worst = [max(latency(result, side, part)) for part in _PARTS]
                plt.plot(
                    range(len(_PARTS)), worst, marker="o", markersize=3, color=color, label=side
                )
        plt.xticks(range(len(_PARTS)), _PARTS, fontsize=7)
        plt.yticks(fontsize=7)
        plt.yscale("log")
        plt.title(f"{result['target']} {result['case']} {result['condition']}, µs", fontsize=8)
        plt.legend(fontsize=6)
    return _save(path)


def _over_time(results: Sequence[Json], path: Path) -> Path | None:
    """CPU and memory of the process in the unbounded runs."""
    chosen = [
        each
        for each in results
        if each["case"] == "unbounded" and each["condition"] == "quiet" and each["runs"]
    ]
    if not chosen:
        return None
    plt.figure(figsize=(10, 2 * len(chosen)))
    for at, result in enumerate(chosen):
        for column, what in enumerate(("cores in use", "resident memory, MB")):
            plt.subplot(len(chosen), 2, 2 * at + column + 1)
            for side in ("raw", "adaptor"):
                for run in runs(result, side):
                    samples = run["samples"]
                    plt.plot(
                        [each[0] for each in samples],
                        [each[column + 1] for each in samples],
                        color=_SIDES[side],
                        linewidth=0.9,
                    )
            plt.title(f"{result['target']}: {what} over seconds", fontsize=8)
            plt.xticks(fontsize=7)
            plt.yticks(fontsize=7)
            plt.ylim(bottom=0)
    return _save(path)


def _growth(results: Sequence[Json], path: Path) -> Path | None:
    """Throughput over what grows, a line for each adaptor."""
    lines: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for result in results:
        if not result["case"].startswith("growth") or not result["runs"]:
            continue
        what = result["case"].split("-")[1]
        for run in runs(result, "adaptor"):
            value = result["partitions"] if what == "partitions" else run["value"]
            points = lines.setdefault(what, {}).setdefault(result["target"], [])
            points.append((float(value), float(run["per_s"])))
    if not lines:
        return None
    plt.figure(figsize=(3.4 * len(lines), 3.2))
    for at, (what, by_target) in enumerate(lines.items()):
        plt.subplot(1, len(lines), at + 1)
        for target, points in by_target.items():
            plt.plot(*zip(*sorted(points)), marker="o", markersize=3, label=target)
        plt.xscale("log")
        plt.yscale("log")
        plt.title(f"messages/s over {what}", fontsize=8)
        plt.xticks(fontsize=7)
        plt.yticks(fontsize=7)
        plt.legend(fontsize=6)
    return _save(path)


def _frames(results: Sequence[Json], path: Path) -> Path | None:
    chosen = [each for each in results if each.get("frames")]
    if not chosen:
        return None
    plt.figure(figsize=(9, 3.2))
    for column, (what, key) in enumerate(
        (("frames a second", "frames_per_s"), ("CPU µs a frame", "cpu_us_per_frame"))
    ):
        plt.subplot(1, 2, column + 1)
        for result in chosen:
            sources = [each["sources"] for each in result["frames"]]
            plt.plot(
                sources,
                [each[key] for each in result["frames"]],
                marker="o",
                label=result["dialect"],
            )
        if column == 0:
            asked = chosen[0]["frames"]
            plt.plot(
                [each["sources"] for each in asked],
                [each["asked_per_s"] for each in asked],
                color="tab:red",
                label="due",
            )
            plt.yscale("log")
        plt.xscale("log")
        plt.title(f"{what} over sources", fontsize=9)
        plt.legend(fontsize=7)
    return _save(path)


def draw(results: Sequence[Json], folder: Path) -> list[Path]:
    """Draws what the results allow; returns the files."""
    usable = [{"runs": [], **each} for each in results]
    kinds = {
        "throughput": _throughput,
        "latency": _latencies,
        "over-time": _over_time,
        "growth": _growth,
        "frames": _frames,
    }
    drawn = [plot(usable, folder / f"{name}.png") for name, plot in kinds.items()]
    return [path for path in drawn if path is not None]
