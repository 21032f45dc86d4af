# SPDX-License-Identifier: Apache-2.0
"""Files from package registries, fetched once and kept in a cache outside every source tree.

Processes that need the same thing at the same time wait for the one that fetches it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from dsmsg.brokers._base import BrokerError

__all__ = ["ATTEMPTS", "FETCH_TIMEOUT_S", "cache_folder", "cached", "run_tool", "say"]

FETCH_TIMEOUT_S = 900.0
"""Time limit for one attempt."""
ATTEMPTS = 3


def cache_folder() -> Path:
    """Returns `$XDG_CACHE_HOME/dsmsg` or `~/.cache/dsmsg`; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "dsmsg"


def cached(name: str, fill: Callable[[Path], str], *, fetch: bool = True) -> Path | None:
    """Returns a folder of the cache.

    Args:
        name: of the folder, with the version; its part before the dash begins the messages.
        fill: fetches into a work folder; returns "" or why it failed, which is tried again.
        fetch: False: return None if it is not there yet.

    Raises:
        BrokerError: `fill` raised it, or failed in all attempts.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    if not fetch:
        return None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f"{name}.lock", name):
        if not folder.is_dir():
            _fill(folder, fill)
    return folder


def run_tool(
    what: str,
    command: Sequence[str],
    work: Path,
    hint: str,
    environment: Mapping[str, str] | None = None,
    timeout: float = FETCH_TIMEOUT_S,
) -> str:
    """Runs a package manager without input; returns "" or the end of its output.

    Args:
        what: for the error of a missing program.
        command: program and arguments.
        work: its folder.
        hint: how to get the program.
        environment: variables to set.
        timeout: seconds.

    Raises:
        BrokerError: the program is not there.
    """
    if not shutil.which(command[0]):
        raise BrokerError(f"{what}: cannot find the program {command[0]} ({hint})")
    try:
        result = subprocess.run(
            list(command),
            cwd=work,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} was not done within {timeout:g} s"
    if result.returncode == 0:
        return ""
    return " ".join(result.stdout.split("\n")[-6:]) or f"exit code {result.returncode}"


def say(text: str) -> None:
    """Reports what takes long."""
    print(text, file=sys.stderr, flush=True)


def _fill(folder: Path, fill: Callable[[Path], str]) -> None:
    what = folder.name.partition("-")[0]
    for stale in folder.parent.glob(f"{folder.name}.part-*"):
        shutil.rmtree(stale, ignore_errors=True)  # of a process that was killed; we hold the lock
    for attempt in range(1, ATTEMPTS + 1):
        work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
        try:
            error = fill(work)
            if not error:
                work.rename(folder)  # all or nothing
                return
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if attempt < ATTEMPTS:
            say(f"{what}: attempt {attempt} of {ATTEMPTS} failed, trying again: {error[-200:]}")
    raise BrokerError(f"{what}: cannot fetch {folder.name}: {error}")


@contextlib.contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    with path.open("w", encoding="ascii") as lock:
        told = False
        deadline = time.monotonic() + FETCH_TIMEOUT_S * ATTEMPTS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f"{name}: another process is fetching it; waiting for it")
                    told = True
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"{name}: gave up waiting for the process that holds {path} (end it, or "
                        "remove the file)"
                    ) from None
                time.sleep(0.1)
        yield
