# SPDX-License-Identifier: Apache-2.0
"""`dsmsg.Bridge`: passes messages from brokers to brokers, as a file of routes says.

The messages go through C++ (csrc/bridge); here are only the file, the connections and the counters.
"""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dsmsg._abi import ffi
from dsmsg._bridge.plan import RoutePlan, read_plan
from dsmsg._native_module import native
from dsmsg.adaptor import Adaptor
from dsmsg.errors import BrokerUnavailableError, DsmsgError, TimedOutError

if TYPE_CHECKING:
    from dsmsg import _native
    from dsmsg.connection import Connection

__all__ = ["Bridge"]

_log = logging.getLogger("dsmsg.bridge")
_RETRY_S = 2.0
_LOOK_S = 0.2
_COUNTERS = {
    "received": "messages received from the source",
    "sent": "messages given to the destination",
    "acknowledged": "messages that the destination acknowledged, and then the bridge to the source",
    "refused": "messages that the destination refused for good",
    "left_out": "messages that the map's condition left out",
    "not_json": "messages with a map whose payload is not JSON",
}
_GAUGES = {
    "in_flight": "messages that the destination has not acknowledged yet",
    "in_flight_bytes": "their payload bytes",
    "lag_ms": "age of the oldest message in flight, else of the last one when it was acknowledged",
    "running": "1: the route is connected and reads",
}


class Bridge:
    """Routes between brokers; docs/bridge.md has the file.

        with dsmsg.Bridge("bridge.yaml") as bridge:
            bridge.wait()

    A message is acknowledged to its source once the destination has acknowledged it: what is in
    flight when the bridge ends, however it ends, the source delivers again.

    Threads: any thread may call any method.
    """

    def __init__(self, config: str | os.PathLike[str] | Mapping[str, object]) -> None:
        """Reads and checks everything; nothing is connected.

        Args:
            config: a YAML or JSON file, or the same as a mapping.

        Raises:
            ConfigError: something is wrong; the text has a line for each mistake.
            NotSupportedError: dsmsg._native was not built.
            OSError: a file cannot be read.
        """
        self._plan = read_plan(config)
        self._name = "" if isinstance(config, Mapping) else os.fspath(config)
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._runners = [_Runner(each, self._changed, self._ending) for each in self._plan.routes]
        self._reporter = threading.Thread(
            target=self._report, name="dsmsg-bridge-report", daemon=True
        )
        self._started = False

    def __repr__(self) -> str:
        """Shows the routes and their state, without settings and secrets."""
        routes = ", ".join(
            f"{each.plan.name} ({each.state}): {each.plan.source} -> {each.plan.destination}"
            for each in self._runners
        )
        return f"<Bridge {self._name!r}: {routes}>"

    @property
    def warnings(self) -> list[str]:
        """What is allowed in the file, and perhaps not meant."""
        return list(self._plan.warnings)

    @property
    def report_interval(self) -> float:
        """Seconds between two reports, as the file says."""
        return self._plan.report_interval_s

    def start(self) -> None:
        """Connects in the background; a broker that is away is tried again and again.

        Raises:
            RuntimeError: the bridge was started before; make another one.
        """
        if self._started:
            raise RuntimeError("a bridge can be started once: make another one")
        self._started = True
        atexit.register(self.stop)
        for runner in self._runners:
            runner.start()
        if self._plan.metrics_file:
            self._reporter.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until a route has failed or stopped, or the bridge is stopped.

        Args:
            timeout: seconds; None: for ever.

        Returns:
            True if that happened.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: self._ending.is_set() or bool(self.failures), timeout
            )

    def wait_until_running(self, timeout: float | None = None) -> bool:
        """Waits until every route reads.

        Args:
            timeout: seconds; None: for ever.

        Returns:
            False after the time-out, or when a route has failed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: bool(self.failures) or all(r.state != "connecting" for r in self._runners),
                timeout,
            )
            return all(each.state == "running" for each in self._runners)

    @property
    def failures(self) -> dict[str, str]:
        """Why routes have ended, by name; empty while all is well."""
        return {each.plan.name: each.error for each in self._runners if each.error}

    def stats(self) -> dict[str, dict[str, Any]]:
        """Returns the counters of each route, by name.

        received, sent, acknowledged, refused, left_out and not_json (of maps) in messages,
        in_flight, in_flight_bytes (bytes of payload), lag_ms (milliseconds: the age of the oldest
        message in flight, else the age of the last one when it was acknowledged), state
        (connecting, running, failed, stopped), error.
        """
        return {each.plan.name: each.stats() for each in self._runners}

    def stop(self) -> None:
        """Reads no further, waits for messages in flight (`flush-timeout`), and disconnects."""
        with self._changed:
            self._ending.set()
            self._changed.notify_all()
        for thread in (*self._runners, self._reporter):
            if thread.ident is not None:
                thread.join()
        atexit.unregister(self.stop)

    def __enter__(self) -> Bridge:
        """Starts it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops it."""
        self.stop()

    def _report(self) -> None:
        last = False
        while not last:
            last = self._ending.wait(min(5.0, self._plan.report_interval_s))
            for runner in self._runners if last else ():
                runner.join()
            try:
                _write(Path(self._plan.metrics_file), _prometheus(self.stats()))
            except OSError as error:
                _log.error("cannot write metrics-file: %s", error)


class _Runner(threading.Thread):
    """Connects one route, watches it and ends it."""

    def __init__(
        self, plan: RoutePlan, changed: threading.Condition, ending: threading.Event
    ) -> None:
        super().__init__(name=f"bridge-{plan.name}"[:15], daemon=True)
        self.plan = plan
        self.state = "connecting"
        self.error = ""
        self._changed = changed
        self._ending = ending
        self._route: _native.Route | None = None
        self._sides: list[Connection] = []  # destination, source
        self._last: dict[str, Any] = {}

    def stats(self) -> dict[str, Any]:
        """Returns the counters; those of the end, once it has ended."""
        route = self._route
        counters = dict.fromkeys((*_COUNTERS, "in_flight", "in_flight_bytes", "lag_ms"), 0)
        counters.update(self._last if route is None else route.stats())
        for name in ("stopped", "last_refusal"):
            counters.pop(name, None)
        return {**counters, "state": self.state, "error": self.error}

    def run(self) -> None:
        """The thread."""
        try:
            if self._open():
                self._become("running")
                _log.info("%s: %s -> %s", self.plan.name, self.plan.source, self.plan.destination)
                self._watch()
        except Exception as error:
            self._fail(str(error))
        finally:
            self._close()
            self._become("failed" if self.error else "stopped")

    def _open(self) -> bool:
        """Connects, as often as it takes; false if the bridge ends before."""
        told = ""
        while not self._ending.is_set():
            try:
                self._connect()
                return True
            except (BrokerUnavailableError, TimedOutError) as error:
                self._close()
                if str(error) != told:
                    told = str(error)
                    _log.warning("%s: %s; trying again", self.plan.name, told)
            self._ending.wait(_RETRY_S)
        return False

    def _connect(self) -> None:
        plan = self.plan
        for side in (plan.destination, plan.source):
            self._sides.append(Adaptor(side.adaptor).connect(side.conn_str, dict(side.settings)))
        destination, source = self._sides
        self._route = native().Route(
            source=_handle(source),
            destination=_handle(destination),
            topics=plan.topics,
            topic=plan.topic,
            payload=plan.payload,
            key=plan.key,
            headers=plan.headers,
            copy_headers=plan.copy_headers,
            key_base64=plan.key_base64,
            value_base64=plan.value_base64,
            separator=plan.separator,
            stop_on_refused=plan.on_refused == "stop",
            most_messages=plan.most_messages,
            most_bytes=plan.most_bytes,
            map=plan.map,
        )
        code = self._route.start()
        if code != 0:
            raise source._error(f"cannot subscribe to {plan.topics!r}", code)

    def _watch(self) -> None:
        refused = 0
        while self._route is not None and not self._ending.wait(_LOOK_S):
            stats = self._route.stats()
            if stats["refused"] > refused:
                count, refused = stats["refused"] - refused, stats["refused"]
                what = f"refused: {count}, the last: {stats['last_refusal']}"
                if stats["stopped"]:
                    self._fail(
                        f"{what}. The route ends, and the source keeps the message (mend the "
                        "cause, or set on-refused to skip or dead-letter)"
                    )
                    return
                _log.error("%s: %s (%s)", self.plan.name, what, self.plan.on_refused)

    def _close(self) -> None:
        """Disconnects the destination first: what it flushes is acknowledged to the source."""
        route = self._route
        if route is not None:
            route.end()
        for side in self._sides:
            try:
                side.disconnect()
            except DsmsgError as error:
                _log.error("%s: %s", self.plan.name, error)
        self._sides = []
        if route is None:
            return
        self._last, self._route = route.stats(), None
        left = self._last["sent"] - self._last["acknowledged"] - self._last["refused"]
        if left > 0:
            _log.warning(
                "%s: %d messages were not acknowledged within flush-timeout; the source delivers "
                "them again",
                self.plan.name,
                left,
            )

    def _fail(self, text: str) -> None:
        self.error = text
        _log.error("%s: %s", self.plan.name, text)

    def _become(self, state: str) -> None:
        with self._changed:
            self.state = state
            self._changed.notify_all()


def _handle(connection: Connection) -> tuple[str, int]:
    number = int(ffi.cast("uintptr_t", connection._handle))
    return str(connection._library.path), number


def _prometheus(stats: Mapping[str, Mapping[str, Any]]) -> str:
    """The counters in Prometheus' text format."""
    lines = []
    for names, kind in ((_COUNTERS, "counter"), (_GAUGES, "gauge")):
        for name, text in names.items():
            unit = "lag_seconds" if name == "lag_ms" else name
            metric = f"dsmsg_bridge_{unit}" + ("_total" if kind == "counter" else "")
            lines += [f"# HELP {metric} {text}", f"# TYPE {metric} {kind}"]
            for route, counters in stats.items():
                value = counters["state"] == "running" if name == "running" else counters[name]
                number = value / 1000 if name == "lag_ms" else int(value)
                lines.append(f'{metric}{{route="{route}"}} {number}')
    lines += [
        "# HELP dsmsg_bridge_written_timestamp_seconds when this file was written",
        "# TYPE dsmsg_bridge_written_timestamp_seconds gauge",
        f"dsmsg_bridge_written_timestamp_seconds {time.time():.3f}",
    ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """Replaces a file as a whole; everybody may read it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary = Path(name)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
