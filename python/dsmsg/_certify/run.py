# SPDX-License-Identifier: Apache-2.0
"""Runs the checks, several at a time, and says what became of each.

Threads: each worker has one, and a process that forks for its checks (child.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsmsg._certify.reader import Reader
from dsmsg._certify.requirements import CONTACT, MUST, Requirement, all_requirements
from dsmsg._certify.rig import Rig, Session, Target
from dsmsg._certify.wire import Packets

__all__ = ["Outcome", "Result", "Run", "Settings", "Worker", "certify"]

_LOG_LINES = 10


@dataclass(frozen=True)
class Settings:
    """What to do.

    Attributes:
        library: the file under test.
        target: its surroundings.
        config: its configuration file.
        bound: seconds after which a call that must end has not.
        patience: seconds without news after which a message or callback is missing.
        jobs: checks at the same time.
        only: beginnings of ids; empty: all.
        receives: the library must take subscriptions.
        acknowledged: OK says that the server has the message; False: only that it was taken.
        secrets: texts that must not appear in its output.
    """

    library: Path
    target: Target
    config: Path | None = None
    bound: float = 30.0
    patience: float = 10.0
    jobs: int = 4
    only: Sequence[str] = ()
    receives: bool = False
    acknowledged: bool = True
    secrets: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one requirement.

    Attributes:
        requirement: which.
        state: "pass", "fail", "n/a" (it says nothing about this library), "not tested" (what that
            needs is not there) or "error" (the check itself failed: a mistake of dsmsg).
        text: what was seen, or why not.
        seconds: that it took.
        log: the last lines that the library printed, unless it passed.
    """

    requirement: Requirement
    state: str
    text: str
    seconds: float
    log: Sequence[str] = ()

    @property
    def bad(self) -> bool:
        """Whether a must fails."""
        return self.state == "fail" and self.requirement.level == MUST


@dataclass
class Result:
    """A whole run.

    Attributes:
        settings: of the run.
        about: of the library: protocol, version, digest.
        server: in words.
        outcomes: in the order of the table.
        warnings: of the run as a whole.
        seconds: that it took.
    """

    settings: Settings
    about: dict[str, str]
    server: str
    outcomes: list[Outcome] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, level: str, state: str) -> int:
        """Returns how many requirements of a level have a state."""
        return sum(
            1 for each in self.outcomes if each.requirement.level == level and each.state == state
        )

    @property
    def failed(self) -> list[str]:
        """Ids of the musts that fail."""
        return [each.requirement.id for each in self.outcomes if each.bad]

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.failed:
            return f"does not conform: {', '.join(self.failed)}"
        open_ = [each for each in self.outcomes if each.state in ("not tested", "error")]
        untested = sum(1 for each in open_ if each.requirement.level == MUST)
        if untested:
            return f"conforms as far as tested ({untested} of the musts could not be tested)"
        if self.settings.only:
            return "conforms in what was asked for"
        return "conforms"

    @property
    def exit_code(self) -> int:
        """0: all musts that were tested hold; 1: some do not."""
        return 1 if self.failed else 0


class Worker:
    """A process that forks for each check, and the thread that serves its questions."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._packets, theirs = Packets.pair()
        package = Path(__file__).resolve().parents[2]
        paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dsmsg._certify.child", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,
            )

    def check(self, name: str, library: Path | None = None) -> tuple[str, str, float, list[str]]:
        """Makes one check.

        Args:
            name: id of the requirement.
            library: another one than that of the settings.

        Returns:
            State, text, seconds and the end of the output.
        """
        session = self._run.rig.session()
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._run.folder))
        log = folder / "output.txt"
        begin = time.monotonic()
        try:
            self._packets.send(self._run.plan(name, session, library, folder))
            state, text = self._serve(name, session)
        finally:
            session.close()
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        return state, text, time.monotonic() - begin, lines[-_LOG_LINES:]

    def _serve(self, name: str, session: Session) -> tuple[str, str]:
        result: dict[str, str] | None = None
        while True:
            packet = self._packets.receive()
            if "ask" in packet:
                self._packets.send(self._answer(name, session, packet))
            elif "result" in packet:
                result = packet["result"]
            elif "ended" in packet:
                break
        if result is not None:
            return result["state"], result["text"]
        code, during = packet["ended"], packet["during"] or "loading the library"
        if code < 0:
            with contextlib.suppress(ValueError):
                return "fail", f"the process died of {signal.Signals(-code).name}: {during}"
        return "fail", f"the process ended with the code {code}: {during}"

    def _answer(self, name: str, session: Session, packet: dict[str, Any]) -> dict[str, Any]:
        if packet["ask"] == "fault":
            return session.fault(packet["kind"])
        if self._run.reader is None:
            return {"error": "there is no reader (--reader, or --broker)"}
        return self._run.reader.read(name, packet["numbers"], packet["patience"])

    def close(self) -> None:
        """Ends the process with all that it forked."""
        self._packets.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Run:
    """What the workers share."""

    def __init__(self, settings: Settings, rig: Rig, folder: Path) -> None:
        self.settings, self.rig, self.folder = settings, rig, folder
        self.word = uuid.uuid4().hex[:8]
        self.reader: Reader | None = None
        reading = rig.reader()
        if reading is not None:
            command, ready, environment = reading
            self.reader = Reader(command, self.word, ready=ready, environment=environment)

    def plan(
        self, name: str, session: Session, library: Path | None, folder: Path
    ) -> dict[str, Any]:
        """Returns what the child has to know."""
        settings = self.settings
        topic, topic2 = self.rig.topics(name)
        return {
            "id": name,
            "run": self.word,
            "library": str(library or settings.library),
            "conn_str": session.conn_str,
            "config": str(settings.config or ""),
            "topic": topic,
            "topic2": topic2,
            "bound": settings.bound,
            "patience": settings.patience,
            "receives": settings.receives,
            "secrets": list(settings.secrets),
            "log": str(folder / "output.txt"),
            "folder": str(folder),
        }

    def close(self) -> None:
        """Ends the reader."""
        if self.reader is not None:
            self.reader.close()


def certify(settings: Settings, show: Callable[[Outcome], object] = lambda outcome: None) -> Result:
    """Holds a library to the requirements.

    Args:
        settings: what to do.
        show: called with each outcome, in no order, by one thread at a time.

    Raises:
        BrokerError: the server does not start.
        ValueError: the settings make no sense.
        RuntimeError: the library does not load, or the reader does not read.
    """
    begin = time.monotonic()
    table = {
        name: each
        for name, each in all_requirements().items()
        if not settings.only or name.startswith(tuple(settings.only))
    }
    if not table:
        raise ValueError(f"no requirement begins with {', '.join(settings.only)}")
    about = _about(settings.library)
    with (
        tempfile.TemporaryDirectory(prefix="dsmsg-certify-") as folder,
        Rig(settings.target, about["protocol"]) as rig,
    ):
        run = Run(settings, rig, Path(folder))
        try:
            if run.reader is not None:
                run.reader.wait_until_ready()
            result = Result(settings, about, rig.server)
            outcomes = _all(run, table, result, show)
        finally:
            run.close()
    result.outcomes = [outcomes[name] for name in table]
    result.seconds = time.monotonic() - begin
    return result


def _all(
    run: Run,
    table: dict[str, Requirement],
    result: Result,
    show: Callable[[Outcome], object],
) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    lock = threading.Lock()
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    together = [name for name, each in table.items() if not each.alone]
    for name in sorted(together, key=_turn):
        todo.put(name)

    def check(worker: Worker, name: str) -> None:
        outcome = _excused(run.settings, table[name])
        if outcome is None:
            state, text, seconds, log = worker.check(name)
            outcome = Outcome(table[name], state, text, seconds, () if state == "pass" else log)
        with lock:
            outcomes[name] = outcome
            show(outcome)

    def work(worker: Worker) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                check(worker, todo.get_nowait())

    with contextlib.ExitStack() as stack:
        first = Worker(run)
        stack.callback(first.close)
        state, text, _, log = first.check(CONTACT)
        if state != "pass":
            result.warnings.append(f"first message: {text}{''.join(f' | {e}' for e in log[-2:])}")
        workers = [first]
        for _ in range(0 if run.rig.serial else max(0, min(run.settings.jobs, len(together)) - 1)):
            workers.append(Worker(run))
            stack.callback(workers[-1].close)
        threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in table:
            if table[name].alone:
                check(first, name)
    return outcomes


def _turn(name: str) -> int:
    """The longest first: with a frozen server libraries wait for their own time limits.

    Last what leaves a Kafka group with a member that it thinks alive: the next one would wait.
    """
    return 2 if name == "R10.4" else int(not name.startswith(("R08", "R09.2", "R18")))


_OF_ACKNOWLEDGED = ("S4.1", "S4.2", "R07.3", "R08.1", "R20.1", "R20.2", "R20.3", "H.2")


def _excused(settings: Settings, requirement: Requirement) -> Outcome | None:
    if settings.acknowledged or requirement.id not in _OF_ACKNOWLEDGED:
        return None
    text = "OK says only that the message was taken (--ok taken)"
    return Outcome(requirement, "n/a", text, 0.0)


def _about(library: Path) -> dict[str, str]:
    """Loads the library in another process, which says what it is.

    Raises:
        RuntimeError: it does not load.
    """
    code = (
        "import ctypes, sys; l = ctypes.CDLL(sys.argv[1]); print('loaded', flush=True)\n"
        "for n in ('get_protocol_name', 'getversion'):\n"
        "  f = getattr(l, 'nvds_msgapi_' + n, None)\n"
        "  if f: f.restype = ctypes.c_char_p\n"
        "  print(n, (f() or b'').decode('utf-8', 'replace') if f else '', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(library)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    if "loaded" not in done.stdout:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise RuntimeError(f"cannot load {library}: {why[0]}")
    said = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    return {
        "file": library.name,
        "sha256": hashlib.sha256(library.read_bytes()).hexdigest(),
        "protocol": said.get("get_protocol_name", ""),
        "version": said.get("getversion", ""),
    }
