# SPDX-License-Identifier: Apache-2.0
"""The programs of the suite as objects: the pipeline under test, and the proxy."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from dsmsg._find import find
from dsmsg._inifile import to_ini

__all__ = ["FaultError", "Proxy", "Sender", "program", "wait_for"]

_ANSWER_S = 120.0


class FaultError(RuntimeError):
    """The suite itself cannot continue."""


def program(name: str) -> str:
    """Returns a program of the C++ build, from the folder beside that of the adaptors.

    Raises:
        FaultError: it is not built.
    """
    build = find("redis").parent.parent
    folders = ("tests/faults", "csrc/adaptors/zmq")
    for folder in folders:
        if (build / folder / name).is_file():
            return str(build / folder / name)
    raise FaultError(f"{name} is not in {build} (build the target of that name)")


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until a condition holds.

    Raises:
        FaultError: it does not within the time; the text names it.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise FaultError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)  # between two looks


class _Program:
    """A process that answers lines with lines; it ends when its standard input does."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self._rest = b""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def _read(self, timeout: float = _ANSWER_S) -> str:
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise FaultError(f"no answer within {timeout:g} s (log: {self.log})")
            part = os.read(self._process.stdout.fileno(), 65536)
            if not part:
                code = self._process.wait()
                raise FaultError(f"the program ended with {code} (log: {self.log})")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """Ends it at once (SIGKILL)."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Ends it if it still runs; waits."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Proxy(_Program):
    """`dsmsg_fault_proxy`: the network between adaptor and server."""

    def __init__(self, target: int, log: Path) -> None:
        """Starts it in front of a port of this machine."""
        super().__init__([program("dsmsg_fault_proxy"), str(target)], log)
        self.port = int(self._read())

    def __enter__(self) -> Proxy:
        return self

    def become(self, mode: str) -> None:
        """Sets the mode: open, cut, reset, stall or vanish."""
        self._ask(mode)

    def slow(self, delay_ms: int, bytes_per_second: int) -> None:
        """Opens it with a delay of each way and a limit (0: none)."""
        self._ask(f"slow {delay_ms} {bytes_per_second}")

    def attempts(self) -> list[float]:
        """Returns when connections came, in seconds of the steady clock."""
        return [int(text) / 1000 for text in self._ask("attempts").split()]

    def _ask(self, line: str) -> str:
        self._tell(line)
        word, _, rest = self._read().partition(" ")
        if word != "ok":
            raise FaultError(f"proxy: {word} {rest}")
        return rest


class Sender(_Program):
    """`dsmsg_fault_sender`: a pipeline that sends numbered messages."""

    def __init__(
        self,
        adaptor: str,
        connection: str,
        options: Mapping[str, object],
        topic: str,
        folder: Path,
        *,
        name: str = "sender",
        names: Path | None = None,
        messages: int = 2_000_000,
    ) -> None:
        """Connects.

        Args:
            adaptor: short name.
            connection: connection string.
            options: the adaptor's settings.
            topic: topic of all messages.
            folder: for configuration, journal and log.
            name: of these files; a sender of the same name goes on with the journal.
            names: file with the host names that can be looked up.
            messages: size of the journal.

        Raises:
            FaultError: there is no handle; the text holds the reason.
        """
        self.violations: list[str] = []  # each is in one status only
        self.journal = folder / f"{name}.journal"
        config = folder / f"{name}.txt"
        config.write_text(to_ini(options), encoding="utf-8")
        library = str(find(adaptor))
        arguments = [library, connection, str(config), topic, str(self.journal), "8", "300"]
        environment = {"DSMSG_FAULT_NAMES": str(names)} if names is not None else {}
        super().__init__(
            [program("dsmsg_fault_sender"), *arguments, str(messages)],
            folder / f"{name}.log",
            environment,
        )
        answer = self._read()
        if answer != "ready":
            self.close()
            raise FaultError(f"{adaptor}: {answer} (log: {self.log})")

    def __enter__(self) -> Sender:
        return self

    def ask(self, command: str, timeout: float = _ANSWER_S) -> dict[str, Any]:
        """Carries out a command and returns the status (see sender_main.cc)."""
        self._tell(command)
        status: dict[str, Any] = json.loads(self._read(timeout))
        if "error" in status:
            raise FaultError(status["error"])
        self.violations += status["violations"]
        return status

    def status(self) -> dict[str, Any]:
        """Returns the status."""
        return self.ask("status")

    def start(self, rate: float) -> None:
        """Sends that many messages a second from now on."""
        self.ask(f"start {rate}")

    def stop(self) -> dict[str, Any]:
        """Ends the sending."""
        return self.ask("stop")

    def drain(self, patience: float) -> dict[str, Any]:
        """Waits for the callbacks that are due; "drained" says whether all came.

        Args:
            patience: gives up when none came for so many seconds.
        """
        called, last = -1, 0.0
        while True:
            status = self.ask("drain 1000")
            if status["called"] != called:
                called, last = status["called"], time.monotonic()
            if status["drained"] or time.monotonic() - last > patience:
                return status

    def disconnect(self) -> dict[str, Any]:
        """Ends the connection and the program."""
        status = self.ask("disconnect")
        self.close()
        return status

    def memory_mb(self, what: str = "VmHWM") -> float:
        """Returns the peak of the resident memory, or with VmRSS what it is now."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
        raise FaultError(f"there is no {what} of process {self.pid}")
