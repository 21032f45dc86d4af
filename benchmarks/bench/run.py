# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of the suite, and what else is to go on meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.cases import Case

__all__ = ["Json", "busy_cores", "machine", "run_case", "run_program"]

Json = dict[str, Any]
_LIMIT_S = 180.0


def machine() -> Json:
    """Describes where the figures come from."""
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else ""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model or platform.machine(),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "")
        if hasattr(platform, "freedesktop_os_release")
        else "",
        "load_before": os.getloadavg()[0],
    }


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Keeps every core busy with a loop, in processes of this process's priority."""
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def run_program(command: list[str], log: Path) -> tuple[str, str]:
    """Runs a program; returns its output, and "" or why it failed.

    Args:
        command: path and arguments.
        log: where its standard error goes.
    """
    with log.open("w", encoding="utf-8") as stderr:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                timeout=_LIMIT_S,
                check=False,
                text=True,
            )
        except subprocess.TimeoutExpired:
            return "", f"it took more than {_LIMIT_S:g} s"
        except OSError as error:
            return "", str(error)
    if done.returncode == 0:
        return done.stdout, ""
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    return done.stdout, f"exit code {done.returncode}: {' '.join(last)}"


def run_case(case: Case, programs: Path, logs: Path) -> Json:
    """Runs a case; returns what the program printed with the case's name, or "error"."""
    begin = time.monotonic()
    program = "frames" if case.target == "frames" else "load"
    load = busy_cores() if case.condition == "busy" else contextlib.nullcontext()
    with load:
        output, error = run_program(
            [str(programs / program), *case.arguments], logs / f"{case.key}.log"
        )
    result: Json = {"target": case.target}
    try:
        result = json.loads(output)
    except ValueError:
        error = error or "its output is not JSON"
    result.update(case=case.name, condition=case.condition, took_s=time.monotonic() - begin)
    if error:
        result["error"] = error
    return result
