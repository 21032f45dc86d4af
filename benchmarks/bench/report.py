# SPDX-License-Identifier: Apache-2.0
"""Writes report.md: the targets first, then every case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import TARGETS, latency, ratios, runs, spread
from bench.run import Json

__all__ = ["write_report"]

_SIDES = ("raw", "adaptor", "host-a", "host-b", "null")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _cell(values: Sequence[float], digits: int = 2) -> str:
    found = spread(values)
    return found.text(digits) if found else "-"


def _targets(results: Sequence[Json]) -> Iterator[str]:
    rows = []
    for goal in TARGETS:
        found = spread(goal.values(results))
        if found is None:
            continue
        worst = found.high if goal.most else found.low
        bound = f"{'at most' if goal.most else 'at least'} {goal.bound:g}"
        reached = "yes" if goal.reached(worst) else "median" if goal.reached(found.median) else "no"
        rows.append((goal.what, bound, f"{found.median:.2f}", f"{worst:.2f}", reached))
    if rows:
        yield "## Targets"
        yield ""
        yield (
            "In units of the raw client library in the same run, if no unit is given. Reached: yes "
            "(also in the worst run), only by the median, no."
        )
        yield ""
        yield from _table(("what", "target", "median", "worst run", "reached"), rows)


def _throughputs(results: Sequence[Json]) -> Iterator[str]:
    rows = []
    for result in results:
        if result.get("pattern") in ("unbounded", "windowed", "sync") and not result[
            "case"
        ].startswith("growth"):
            rows.append(
                (
                    f"{result['target']}, {result['case']}, {result['condition']}",
                    *(
                        _cell([run["per_s"] for run in runs(result, side)], 0)
                        for side in ("raw", "adaptor")
                    ),
                    _cell(ratios(result, "adaptor", lambda run: float(run["per_s"]))),
                    *(
                        _cell([run["cpu_us"] for run in runs(result, side)], 1)
                        for side in ("raw", "adaptor")
                    ),
                    *(
                        _cell([run["server_cpu_us"] for run in runs(result, side)], 1)
                        for side in ("raw", "adaptor")
                    ),
                    _cell([run["memory_mb"] for run in runs(result, "adaptor")], 0),
                )
            )
    if rows:
        yield "## Throughput"
        yield ""
        head = (
            "case",
            "raw, messages/s",
            "adaptor, messages/s",
            "ratio",
            "raw, CPU µs",
            "adaptor, CPU µs",
            "server, CPU µs, raw",
            "adaptor",
            "adaptor, memory MB",
        )
        yield from _table(head, rows)


def _latencies(results: Sequence[Json]) -> Iterator[str]:
    rows = []
    for result in results:
        for side in _SIDES:
            if result.get("pattern") == "unbounded" or not latency(result, side, "p50"):
                continue
            of_side = runs(result, side)
            calls = [run["call_us"]["p50"] for run in of_side if "call_us" in run]
            slow_calls = [run["call_us"]["p99"] for run in of_side if "call_us" in run]
            rows.append(
                (
                    f"{result['target']}, {result['case']}, {result['condition']}: {side}",
                    *(_cell(latency(result, side, part), 0) for part in ("p50", "p99", "max")),
                    _cell([run["cpu_us"] for run in of_side], 1),
                    _cell(calls, 1),
                    _cell(slow_calls, 1),
                )
            )
    if rows:
        yield "## Latency"
        yield ""
        yield (
            "Microseconds from the time at which a message was due to its acknowledgement; of "
            "send_async itself in the last two columns."
        )
        yield ""
        head = ("case", "p50", "p99", "max", "CPU µs", "call p50", "call p99")
        yield from _table(head, rows)


def _growth(results: Sequence[Json]) -> Iterator[str]:
    rows = []
    for result in results:
        if not result["case"].startswith("growth"):
            continue
        for run in runs(result, "adaptor"):
            value = run["value"] if "partitions" not in result["case"] else result["partitions"]
            raw = [each for each in runs(result, "raw") if each["value"] == run["value"]]
            ratio = f"{run['per_s'] / raw[0]['per_s']:.2f}" if raw else "-"
            rows.append(
                (
                    result["target"],
                    result["case"].split("-")[1],
                    f"{value:,}",
                    f"{run['per_s']:,.0f}",
                    ratio,
                    f"{run['cpu_us']:.1f}",
                    f"{run['memory_mb']:.0f}",
                )
            )
    if rows:
        yield "## How cost grows"
        yield ""
        yield from _table(
            ("adaptor", "more", "value", "messages/s", "to raw", "CPU µs", "memory MB"), rows
        )


def _frames(results: Sequence[Json]) -> Iterator[str]:
    rows = []
    for result in results:
        for run in result.get("frames", []):
            late = run["latency_us"]
            rows.append(
                (
                    result["dialect"],
                    f"{run['sources']:,}",
                    f"{run['asked_per_s']:,.0f}",
                    f"{run['frames_per_s']:,.0f}",
                    f"{run['dropped']:,}",
                    f"{run['cpu_us_per_frame']:.0f}",
                    f"{late['p50']:,.0f}",
                    f"{late['p99']:,.0f}",
                    f"{late['max']:,.0f}",
                )
            )
    if rows:
        yield "## From frame to consumer"
        yield ""
        yield (
            "Ten objects a frame; from the time at which a frame was due at the converter to the "
            "consumer's receipt of a message, microseconds."
        )
        yield ""
        head = (
            "dialect",
            "sources",
            "frames/s due",
            "frames/s",
            "messages lost",
            "CPU µs a frame",
            "p50",
            "p99",
            "max",
        )
        yield from _table(head, rows)


def _google(google: Json) -> Iterator[str]:
    micro = google.get("micro", {}).get("benchmarks", [])
    rows = [
        (each["name"], f"{each['cpu_time']:,.1f} {each['time_unit']}")
        for each in micro
        if each.get("run_type") == "iteration" or each.get("aggregate_name") == "median"
    ]
    if rows:
        yield "## Parts"
        yield ""
        yield from _table(("part", "CPU"), rows)
    rows = [
        (f"{name}: {each['name'].split('/')[1]}", f"{each[time]:,.1f} {each['time_unit']}")
        for name, time in (("space", "cpu_time"), ("evidence", "real_time"))  # that of a thread
        for each in google.get(name, {}).get("benchmarks", [])
    ]
    if rows:
        yield "## Frames with lines, zones, maps and pictures"
        yield ""
        yield from _table(("program: a frame", "CPU"), rows)
    rows = [
        (each["name"].removesuffix("/manual_time"), f"{each['items_per_second']:,.0f}")
        for each in google.get("elements", {}).get("benchmarks", [])
    ]
    if rows:
        yield "## Converter elements"
        yield ""
        yield from _table(("objects, element, payload-type", "objects/s on one core"), rows)
    forms = [
        (name, f"{figures['objects_per_second']:,.0f}", f"{figures['bytes_per_object']:.0f}")
        for name, figures in google.get("payload", {}).items()
        if isinstance(figures, dict)
    ]
    if forms:
        yield "## Payloads"
        yield ""
        yield from _table(("form", "objects/s on one core", "bytes"), forms)


def _failures(results: Sequence[Json]) -> Iterator[str]:
    for result in results:
        if "error" in result:
            where = f"{result['target']}, {result['case']}, {result['condition']}"
            yield f"- FAILED: {where}: {result['error']}"


def write_report(report: Json, plots: Sequence[Path]) -> str:
    """Returns the text of report.md.

    Args:
        report: content of report.json.
        plots: pictures beside it.
    """
    machine = report["machine"]
    results = report["results"]
    lines = [
        "# Benchmark report",
        "",
        f"{machine['cores']} cores of {machine['processor']}, {machine['system']}, Linux "
        f"{machine['kernel']}; servers on the same machine; load average before: "
        f"{machine['load_before']:.1f}; {report['took_s'] / 60:.0f} minutes.",
        "",
        "Every cell is the median of the rounds, with the smallest and the largest. Ratios compare "
        "runs that followed each other. What the cases are: docs/performance.md.",
        "",
        *_failures(results),
        "",
        *_targets(results),
        *_throughputs(results),
        *_latencies(results),
        *_growth(results),
        *_frames(results),
        *_google(report["google"]),
        *(f"![{plot.stem}]({plot.name})\n" for plot in plots),
    ]
    clients = sorted({str(each["client"]) for each in results if "client" in each})
    lines.append(f"Client libraries: {', '.join(clients)}.")
    return "\n".join(lines) + "\n"
