# SPDX-License-Identifier: Apache-2.0
"""What the library does to the process that loads it."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

from dsmsg._certify.host import ERR, NAMES, Check
from dsmsg._certify.requirements import MUST, SHOULD, requirement

__all__: list[str] = []

_WARM, _CYCLES = 3, 10


def _signals() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    pairs = (line.split(":\t") for line in lines)
    return {name: value for name, value in pairs if name in ("SigIgn", "SigCgt")}


def _names(mask: int) -> str:
    numbers = [number for number in range(1, 65) if mask >> (number - 1) & 1]
    known = {each.value: each.name for each in signal.Signals}
    return ", ".join(known.get(number, str(number)) for number in numbers)


@requirement(
    "R16.1",
    MUST,
    "No signal is handled or ignored after a connection's life that was not so before.",
    "SIGPIPE ignored for the whole process changes other parts of it; a handler replaces the "
    "host's.",
)
def _handlers(check: Check) -> None:
    before = _signals()
    link = check.connect()
    for _ in range(5):
        link.send_async()
    link.work_until_called()
    link.disconnect()
    for name, what in (("SigIgn", "ignored"), ("SigCgt", "handled")):
        changed = int(before[name], 16) ^ int(_signals()[name], 16)
        check.require(not changed, f"what is {what} changed for {_names(changed)}")


@requirement(
    "R16.2",
    MUST,
    "A connection that the server ends, while messages are written to it, does not end the "
    "process (SIGPIPE).",
    "Hosts leave SIGPIPE as it is: it kills.",
)
def _sigpipe(check: Check) -> None:
    link = check.connect()
    for _ in range(5):
        for _ in range(10):
            link.send_async()
        check.fault("cut")
        for _ in range(10):
            link.send_async()
            link.work()
            time.sleep(0.005)
        check.fault("heal")
        time.sleep(0.05)


def _cycles(check: Check, count: int, look: Callable[[], list[str]]) -> list[str]:
    """Loads, uses and unloads the library; returns what `look` sees when that is over."""
    for _ in range(count):
        check.reload()
        link = check.connect()
        link.send_async()
        link.work_until_called()
        link.disconnect()
        check.library.unload()
    return look()


def _grows(check: Check, look: Callable[[], list[str]], what: str) -> str:
    check.library.unload()
    before = _cycles(check, _WARM, look)
    after = _cycles(check, _CYCLES, look)
    end = time.monotonic() + min(check.patience, 5)  # a thread may end a moment later
    while len(after) > len(before) + 2 and time.monotonic() < end:
        time.sleep(0.05)
        after = look()
    more = len(after) - len(before)
    new = ", ".join(sorted(set(after) - set(before))[:3])
    check.require(more <= 2, f"after {_CYCLES} connections there are {more} {what} more: {new}")
    return f"{len(before)} {what}, then {len(after)}"


def _descriptors() -> list[str]:
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.append(f"{each.name} -> {each.readlink()}")
        except OSError:
            continue
    return found


def _threads() -> list[str]:
    return [each.name for each in Path("/proc/self/task").iterdir()]


@requirement(
    "R18.1",
    MUST,
    "Ten times loaded, connected, disconnected and unloaded, it leaves no descriptors open.",
    "A host that restarts its pipeline each hour runs out of them after weeks.",
)
def _leaks_no_descriptor(check: Check) -> str:
    return _grows(check, _descriptors, "descriptors")


@requirement(
    "R18.2",
    MUST,
    "Ten times loaded, connected, disconnected and unloaded, it leaves no threads running.",
    "A thread whose code was unloaded crashes the process.",
)
def _leaks_no_thread(check: Check) -> str:
    return _grows(check, _threads, "threads")


@requirement(
    "R23.1",
    SHOULD,
    "In a child of fork, send_async on the parent's handle answers ERR at once.",
    "The child has none of the library's threads: the call would wait for ever.",
)
def _fork(check: Check) -> None:
    link = check.connect()
    link.send_async()
    link.work_until_called()
    child = os.fork()
    if child == 0:
        signal.alarm(max(1, min(5, int(check.bound))))
        message = link.send_async()
        os._exit(0 if message.answer == ERR else 1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    check.require(code != -signal.SIGALRM, "it did not return")
    check.require(code >= 0, f"the child died of {_names(1 << (-code - 1))}" if code < 0 else "")
    check.require(code == 0, f"it returned {NAMES[0]}")
    message = link.send_async()
    waiting = link.work_until_called([message])
    check.require(not waiting and message.ok, "after it the parent's connection no longer sends")


@requirement(
    "R24.1",
    SHOULD,
    "Without free descriptors connect gives no handle, or one that works later; nothing ends.",
    "A host near its limit must not die because one more connection is made.",
)
def _no_descriptors(check: Check) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    link = check.open()
    if link is not None:
        link.disconnect()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    check.connect().disconnect()
