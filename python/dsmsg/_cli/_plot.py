# SPDX-License-Identifier: Apache-2.0
"""Draws the latencies of `dsmsg bench`."""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

__all__ = ["draw"]


def draw(path: str, latencies: list[tuple[float, float]], report: dict[str, Any]) -> None:
    """Draws latency over time, and by percentile, into a PNG file.

    Args:
        path: the file.
        latencies: moment and latency of each message, seconds.
        report: of `dsmsg bench`, for the title.

    Raises:
        OSError: it cannot be written.
    """
    figure, (over_time, by_percentile) = pyplot.subplots(1, 2, figsize=(12, 4.5))
    milliseconds = [1000 * latency for _, latency in latencies]
    over_time.plot([moment for moment, _ in latencies], milliseconds, ".", markersize=2)
    over_time.set(xlabel="seconds", ylabel="latency, ms", yscale="log", title="over time")
    ordered = sorted(milliseconds)
    # Number of nines: 90 %, 99 %, 99.9 % have the same distance.
    beyond = [1 - number / (len(ordered) + 1) for number in range(1, len(ordered) + 1)]
    by_percentile.plot([1 / each for each in beyond], ordered)
    by_percentile.set(xscale="log", yscale="log", xlabel="percentile", title="by percentile")
    ticks = [each for each in (2, 10, 100, 1000, 10000) if each <= len(ordered) + 1]
    by_percentile.set_xticks(ticks, [f"{100 - 100 / each:g} %" for each in ticks])
    figure.suptitle(
        f"{report['acknowledged']} messages of {report['size']} bytes, "
        f"{report['rate_asked']:g}/s asked, {report['messages_per_second']:g}/s acknowledged"
    )
    figure.tight_layout()
    figure.savefig(path, format="png")
    pyplot.close(figure)
