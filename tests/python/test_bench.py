# SPDX-License-Identifier: Apache-2.0
"""The benchmark suite: what its report says of results."""

from __future__ import annotations

from typing import Any

from bench.cases import BROKERS, cases_of, frame_cases
from bench.figures import TARGETS, find, ratios
from bench.report import write_report

Json = dict[str, Any]


def run(side: str, number: int, per_s: float, **more: object) -> Json:
    figures = {"cpu_us": 2.0, "server_cpu_us": 3.0, "memory_mb": 10.0, "value": 1000}
    return {"side": side, "round": number, "per_s": per_s, "failed": 0, **figures, **more}


def result(target: str, case: str, runs: list[Json], **more: object) -> Json:
    shape = {"pattern": "unbounded", "client": "client 1.0", "partitions": 1, "condition": "quiet"}
    return {**shape, "target": target, "case": case, "runs": runs, **more}


def report(*results: Json, google: Json | None = None) -> str:
    machine = {"cores": 2, "processor": "x", "system": "y", "kernel": "z", "load_before": 0.1}
    content = {"machine": machine, "results": list(results), "google": google or {}, "took_s": 60.0}
    return write_report(content, [])


def redis(*rates: tuple[float, float]) -> Json:
    runs = []
    for number, (raw, ours) in enumerate(rates):
        runs += [run("raw", number, raw), run("adaptor", number, ours)]
    return result("redis", "unbounded", runs)


def row(text: str, begin: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {begin}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_ratios_compare_neighbouring_runs() -> None:
    # The machine became half as fast: the ratio did not change.
    measured = redis((1000, 1100), (500, 550))
    assert ratios(measured, "adaptor", lambda each: each["per_s"]) == [1.1, 1.1]


def test_a_target_is_reached_by_its_worst_run() -> None:
    goal = "redis, unbounded, quiet: throughput"
    assert row(report(redis((100, 130), (100, 120))), goal)[2:] == ["1.25", "1.20", "yes"]
    assert row(report(redis((100, 120), (100, 120), (100, 50))), goal)[3:] == ["0.50", "median"]
    assert row(report(redis((100, 90), (100, 80))), goal)[4] == "no"


def test_a_target_with_a_largest_value() -> None:
    paced = [run("raw", 0, 900, cpu_us=40.0), run("host-a", 0, 900, cpu_us=60.0)]
    text = report(result("mqtt", "paced", paced, pattern="paced"))
    assert row(text, "mqtt, host A at 900/s")[1:] == ["at most 1.25", "1.50", "1.50", "no"]


def test_a_failed_case_is_named_first() -> None:
    text = report(redis((100, 100)), {**result("amqp", "sync", []), "error": "exit code 1: why"})
    assert text.index("FAILED: amqp, sync, quiet: exit code 1: why") < text.index("## Targets")


def test_latencies_growth_and_frames_are_shown() -> None:
    late = {"p50": 1.0, "p90": 2.0, "p99": 3.0, "p99.9": 4.0, "max": 5000.0}
    paced = result("amqp", "paced", [run("host-b", 0, 900, latency_us=late, call_us=late)],
                   pattern="paced")  # fmt: skip
    growth = result("zmq", "growth-topics", [run("adaptor", 0, 5.0, value=100)])
    frame = {"sources": 1000, "asked_per_s": 30000, "frames_per_s": 5000.0, "dropped": 7,
             "cpu_us_per_frame": 90.0, "latency_us": late}  # fmt: skip
    frames = {**result("frames", "sources-dsmsg", []), "dialect": "dsmsg", "frames": [frame]}
    text = report(paced, growth, frames)
    assert "5,000 (5,000 to 5,000)" in row(text, "amqp, paced, quiet: host-b")
    assert row(text, "zmq | topics")[2] == "100"
    assert row(text, "dsmsg | 1,000")[4] == "7"


def test_frames_of_space_and_evidence_are_shown() -> None:
    def frame(name: str, **times: float) -> Json:
        return {"benchmarks": [{"name": f"Frames/{name}", "time_unit": "us", **times}]}

    text = report(
        google={
            "space": frame("space_and_map", cpu_time=5.1, real_time=9),
            "evidence": frame("crop/iterations:100/manual_time", cpu_time=900, real_time=82),
        }
    )
    assert row(text, "space: space_and_map")[1] == "5.1 us"
    assert row(text, "evidence: crop ")[1] == "82.0 us"


def test_every_target_is_measured_by_a_case() -> None:
    targets = (*BROKERS, "zmq-ipc", "zmq-inproc", "nats", "http", "multi", "pulsar")
    cases = {
        (case.target, case.name, case.condition) for target in targets for case in cases_of(target)
    }
    assert {(goal.target, goal.case, goal.condition) for goal in TARGETS} <= cases


def test_cases_have_names_of_their_own() -> None:
    keys = [case.key for target in (*BROKERS, "zmq-req") for case in cases_of(target)]
    keys += [case.key for case in frame_cases()]
    assert len(keys) == len(set(keys))


def test_what_was_not_run_is_left_out() -> None:
    text = report(redis((100, 120)))
    assert "kafka" not in text
    assert "## Latency" not in text
    assert find([], "kafka", "unbounded") == {}
