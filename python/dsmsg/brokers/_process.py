# SPDX-License-Identifier: Apache-2.0
"""One server process: started in its own process group, and never left behind.

A small shell, the guard, holds the read end of a pipe whose write end only this process has. When
this process ends, however it ends, the guard reads the end of the file, kills the server's process
group and removes its folder. (PR_SET_PDEATHSIG would not do: it fires when the *thread* that
started the server ends.)

Threads: an object is used by one thread at a time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

__all__ = ["Guard", "ServerProcess", "free_port", "port_is_free", "wait_until"]

# Lines on standard input are process ids to guard; an empty line means none.
_GUARD_SCRIPT = """
trap '' INT TERM HUP QUIT
pid=
while IFS= read -r line; do pid=$line; done
if [ -n "$pid" ]; then kill -s KILL -- "-$pid" 2>/dev/null; fi
if [ -n "$1" ]; then sleep 0.2; rm -rf -- "$1"; fi
"""


class Guard:
    """Kills a process group and removes a folder when this process ends without having done so."""

    def __init__(self, folder: Path | None) -> None:
        """Starts the guard.

        Args:
            folder: removed together with the process; None keeps everything.
        """
        self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD_SCRIPT, "dsmsg-guard", str(folder or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int | None) -> None:
        """Names the process group to kill, or none."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(b"%d\n" % pid if pid else b"\n")
                self._process.stdin.flush()

    def close(self) -> None:
        """Ends the guard, which then does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(timeout=10)
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


class ServerProcess:
    """A running server whose output goes to a log file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        guard: Guard | None = None,
    ) -> None:
        """Starts `command`.

        Args:
            command: program and arguments.
            cwd: working folder.
            log_path: receives standard output and error, appended.
            environment: replaces the environment, when given.
            guard: gets the process id.

        Raises:
            OSError: the program cannot be started.
        """
        self._guard = guard
        log: IO[bytes]
        with log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                list(command),
                cwd=cwd,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal is ours to handle
            )
        if guard is not None:
            guard.watch(self._popen.pid)

    @property
    def pid(self) -> int:
        """Process id, also after the end."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while running; negative: the signal that ended it."""
        return self._popen.poll()

    def terminate(self, patience: float, kill_patience: float = 60.0) -> None:
        """Sends SIGTERM, and SIGKILL when the process is still there after `patience` seconds.

        Raises:
            TimeoutError: it survived SIGKILL for `kill_patience` seconds.
        """
        if self.exit_code is None:
            self._signal(signal.SIGCONT)  # a stopped process takes no SIGTERM
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout=patience)
        self.kill(kill_patience)

    def kill(self, patience: float = 60.0) -> None:
        """Sends SIGKILL and waits for the end.

        Raises:
            TimeoutError: the process is still there after `patience` seconds.
        """
        if self.exit_code is None:
            self._signal(signal.SIGKILL)
            try:
                self._popen.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                raise TimeoutError(
                    f"process {self.pid} did not end within {patience:g} s after SIGKILL"
                ) from None
        if self._guard is not None:
            self._guard.watch(None)

    def pause(self, patience: float = 60.0) -> None:
        """Sends SIGSTOP and waits until every thread has stopped.

        Raises:
            TimeoutError: a thread still runs after `patience` seconds.
        """
        self._signal(signal.SIGSTOP)
        if not wait_until(self._all_threads_stopped, patience):
            raise TimeoutError(f"process {self.pid} did not stop within {patience:g} s")

    def resume(self) -> None:
        """Sends SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._popen.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGTERM:  # the server decides whether to pass it on
                os.kill(self._popen.pid, number)
            else:
                os.killpg(self._popen.pid, number)

    def _all_threads_stopped(self) -> bool:
        states = []
        for stat in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                # "pid (name) S ...": the name may hold spaces and parentheses
                states.append(stat.read_text().rpartition(")")[2].split()[0])
        return bool(states) and all(state in "TtZX" for state in states)


def wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.02) -> bool:
    """Polls `condition`; False when it is not true within `timeout` s.

    Args:
        condition: what to wait for.
        timeout: seconds.
        interval: seconds between two looks; later up to 0.2, a twentieth of the time so far,
            because looking takes processor time from what is waited for.
    """
    begin = time.monotonic()
    while not condition():
        waited = time.monotonic() - begin
        if waited >= timeout:
            return False
        time.sleep(max(interval, min(0.2, waited / 20)))
    return True


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tells whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


_reserved: deque[socket.socket] = deque(maxlen=64)


def _reserve(port: int) -> bool:
    """Takes a name that only one process on this machine can have; False: another one has it."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0dsmsg-port-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name)
    return True


def free_port(taken: Sequence[int] = ()) -> int:
    """Finds a free loopback port outside the range that the kernel gives to clients.

    Inside that range another connection could take the port while a server is down, and a client
    that tries a closed port again and again would now and then be connected to itself.

    It is given to no other process that asks this function, for the next 64 calls in this process.

    Args:
        taken: ports not to return.

    Raises:
        OSError: none was found in 200 attempts.
    """
    first_ephemeral = 32768
    with contextlib.suppress(OSError, ValueError, IndexError):
        first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    low, high = (10240, first_ephemeral) if first_ephemeral > 12000 else (61001, 65535)
    for _ in range(200):
        port = low + int.from_bytes(os.urandom(4), "big") % (high - low)
        if port not in taken and _reserve(port) and port_is_free(port):
            return port
    raise OSError(f"no free loopback port between {low} and {high - 1} found in 200 attempts")
