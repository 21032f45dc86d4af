# SPDX-License-Identifier: Apache-2.0
"""The server, a proxy before it for each check, and the reader behind it.

Threads: `Rig.session` from any thread; a session belongs to one check.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsmsg._certify.requirements import all_requirements
from dsmsg.brokers import KINDS, Broker, BrokerError, make
from dsmsg.brokers._process import free_port
from dsmsg.brokers._proxy import Proxy

__all__ = ["BROKERS", "Rig", "Session", "Target"]

_RECEIVING = "R10."
_MODES = {"cut": "refuse", "freeze": "stall", "silent": "silent", "end": "close", "heal": "forward"}
_ADDRESS = re.compile(
    r"^(?P<before>(?:[a-z0-9+.-]+://(?:[^@/]*@)?)*)(?P<host>[A-Za-z0-9_.-]+)(?P<sep>[;:])"
    r"(?P<port>\d+)(?P<after>[;/?].*|)$"
)


@dataclass(frozen=True)
class _Preset:
    """How a server of `dsmsg.brokers` is used here."""

    kind: str
    conn_str: str = "{host};{port}"
    settings: dict[str, Any] = field(default_factory=dict)
    keeps: bool = False
    """What it acknowledged survives its SIGKILL, and its reader is served again."""
    sub: tuple[str, ...] = ()
    """Options of `dsmsg sub`."""
    reader: tuple[str, ...] = ()
    """Instead of `dsmsg sub`; places as for --reader."""


BROKERS = {
    "redis": _Preset(
        "redis", settings={"config": ["appendonly yes", "appendfsync always"]}, keeps=True
    ),
    "kafka": _Preset("kafka", keeps=True),
    "mqtt": _Preset("mosquitto"),
    # A named queue outlives the server; one of a reader's own does not.
    "amqp": _Preset("rabbitmq", keeps=True, sub=("--group", "certify")),
    "nats": _Preset("nats", settings={"streams": {}}, keeps=True),
    "pulsar": _Preset("pulsar"),
    "zmq": _Preset("zmq", "tcp://{host}:{port}", keeps=True),
    "http": _Preset("http", keeps=True, reader=("tail", "-n", "+1", "-F", "{dir}/messages")),
}
"""By the name of --broker. Other kinds of `dsmsg.brokers` are used as they are."""


@dataclass(frozen=True)
class Target:
    """What the user says of the library's surroundings.

    Attributes:
        broker: starts this server; None: `conn_str` leads to one.
        conn_str: for the library; `{host}` and `{port}` are the proxy's.
        server: `host:port` behind the proxy; None: found in `conn_str`.
        topic: of most messages; another one has "-2" at its end.
        reader: shell words of the reading program, with `{host}`, `{port}`, `{topic}`, `{topic2}`
            and `{dir}`, the server's folder; None: `dsmsg sub` for `broker`, else none.
        fault_command: is called with cut, freeze, silent, end or heal; None: a proxy does it.
    """

    broker: str | None = None
    conn_str: str | None = None
    server: str | None = None
    topic: str = "certify"
    reader: str | None = None
    fault_command: str | None = None


class Rig:
    """The surroundings of a run; a context manager.

    Args:
        target: what the user says.
        protocol: of the library.

    Raises:
        BrokerError: the server does not start.
        ValueError: the target makes no sense.
    """

    def __init__(self, target: Target, protocol: str) -> None:
        self.target = target
        self._stack = contextlib.ExitStack()
        self._broker: Broker | None = None
        self._shared: Proxy | None = None
        self.serial = target.fault_command is not None
        self._reason = ""
        self.conn_str, self._server = self._address()
        if target.fault_command is None and self._server is None:
            self._reason = "no address of a server is known (--server HOST:PORT)"
        elif target.fault_command is None and protocol == "KAFKA" and self._shared is None:
            self._reason = (
                "Kafka names its own address to clients, past the proxy (use --broker kafka or "
                "--fault-command)"
            )

    def _address(self) -> tuple[str, tuple[str, int] | None]:
        target = self.target
        if target.broker is not None:
            preset = BROKERS.get(target.broker, _Preset(target.broker))
            if preset.kind not in KINDS:
                raise ValueError(f"--broker {target.broker} is unknown (known: {_known()})")
            self._preset = preset
            self._broker = make(preset.kind)
            self._stack.callback(self._broker.close)
            template = target.conn_str or preset.conn_str
            if preset.kind == "kafka":
                self._lead_through_a_proxy(self._broker)
                return template, (self._broker.host, self._behind)
            self._broker.configure(preset.settings)
            return template, (self._broker.host, self._broker.port)
        if target.conn_str is None:
            raise ValueError("name a server: --broker KIND starts one, --conn-str leads to yours")
        if target.server is not None:
            host, _, port = target.server.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(f"--server {target.server} is not HOST:PORT")
            return target.conn_str.replace(target.server, "{host}:{port}"), (host, int(port))
        found = _ADDRESS.match(target.conn_str)
        if found is None:
            return target.conn_str, None
        template = f"{found['before']}{{host}}{found['sep']}{{port}}{found['after']}"
        return template, (found["host"], int(found["port"]))

    def _lead_through_a_proxy(self, broker: Broker) -> None:
        """Kafka tells clients where it is: here the address of one proxy, for all checks."""
        self._behind = free_port()
        self._shared = Proxy(self._behind)
        self._stack.enter_context(self._shared)
        self.serial = True
        own, controller = "PLAINTEXT://{host}:{port}", "CONTROLLER://{host}:{port:controller}"
        broker.configure(
            {
                "properties": {
                    "num.partitions": "1",  # there is no order between several
                    "listeners": f"{own},{controller},PROXY://{{host}}:{self._behind}",
                    "advertised.listeners": f"{own},PROXY://{{host}}:{self._shared.port}",
                    "listener.security.protocol.map": (
                        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXY:PLAINTEXT"
                    ),
                }
            }
        )

    def __enter__(self) -> Rig:
        """Starts the server."""
        try:
            if self._broker is not None:
                self._broker.start()
                self._prepare(self._broker)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the server."""
        self._stack.close()

    def _prepare(self, broker: Broker) -> None:
        request = getattr(broker, "request", None)
        if broker.kind == "nats" and request is not None:
            names = ["", *(name for name in all_requirements() if name.startswith(_RECEIVING))]
            for topic in (topic for name in names for topic in self.topics(name)):
                config = {"name": topic, "subjects": [topic]}
                request(f"$JS.API.STREAM.CREATE.{topic}", config)

    def topics(self, check: str = "") -> tuple[str, str]:
        """Returns the topics of a check: those of the run, which the reader reads.

        A check that subscribes has its own two, as readers in one group would share the messages.
        """
        own = f"-{check.replace('.', '-')}" if check.startswith(_RECEIVING) else ""
        return f"{self.target.topic}{own}", f"{self.target.topic}{own}-2"

    @property
    def server(self) -> str:
        """What the server is, in words."""
        if self._broker is not None:
            return f"{self._broker.kind}, started for this run"
        return "that of --conn-str"

    def reader(self) -> tuple[list[str], str, dict[str, str] | None] | None:
        """Returns the reading program, its text when ready, and its environment; or None."""
        topic, topic2 = self.topics()
        places = {"topic": topic, "topic2": topic2, "host": "", "port": "", "dir": ""}
        if self._server is not None:
            places.update(host=self._server[0], port=str(self._server[1]))
        if self._broker is not None:
            places.update(port=str(self._broker.port), dir=str(self._broker.dir))
        given = shlex.split(self.target.reader) if self.target.reader else None
        if given is None and self._broker is not None and self._preset.reader:
            given = list(self._preset.reader)
        if given is not None:
            return [_filled(word, places) for word in given], "", None
        if self._broker is None:
            return None
        command = [sys.executable, "-m", "dsmsg", "sub", self._broker.url, topic, topic2, "--json"]
        command += self._preset.sub
        package = Path(__file__).resolve().parents[2]
        paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        return command, "receiving ", {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def session(self) -> Session:
        """Returns the surroundings of one check."""
        places = dict(zip(("host", "port"), map(str, self._server))) if self._server else {}
        if self.target.fault_command is not None:
            command = shlex.split(self.target.fault_command)
            return Session(self._conn_str(places), lambda kind: _run(command, kind), self)
        if self._reason or self._server is None:
            return Session(self._conn_str(places), self._cannot, self)
        proxy = self._shared or Proxy(self._server[1], host=self._server[0])
        end = (lambda: proxy.mode("forward")) if self._shared else (lambda: proxy.mode("refuse"))
        places = {"host": "127.0.0.1", "port": str(proxy.port)}

        def fault(kind: str) -> int:
            proxy.mode(_MODES[kind])
            return proxy.accepted

        return Session(self._conn_str(places), fault, self, end)

    def _conn_str(self, places: dict[str, str]) -> str:
        return _filled(self.conn_str, places)

    def _cannot(self, kind: str) -> None:
        raise _CannotError(self._reason)

    def kill_or_start(self, kind: str) -> None:
        """Kills the server or starts it again.

        Raises:
            _CannotError: it is not ours, or loses what it acknowledged.
        """
        if self._broker is None or not self._preset.keeps:
            raise _CannotError(
                "needs a server that is started here and keeps what it acknowledged (--broker "
                f"{', '.join(name for name, each in BROKERS.items() if each.keeps)})"
            )
        if kind == "kill":
            self._broker.kill()
        else:
            self._broker.start()


class _CannotError(Exception):
    """A fault cannot be made here; the text says why."""


class Session:
    """The surroundings of one check.

    Args:
        conn_str: for the library.
        fault: makes a fault of the network; returns how many connections there were so far.
        rig: whose server it is.
        end: what is done at the end.
    """

    def __init__(
        self,
        conn_str: str,
        fault: Callable[[str], int | None],
        rig: Rig,
        end: Callable[[], object] = lambda: None,
    ) -> None:
        self.conn_str = conn_str
        self._fault, self._rig, self._end = fault, rig, end
        self._lock = threading.Lock()
        self._killed = False

    def fault(self, kind: str) -> dict[str, Any]:
        """Makes a fault; returns an answer for the check."""
        try:
            with self._lock:
                if kind in ("kill", "start"):
                    self._killed = kind == "kill"
                    self._rig.kill_or_start(kind)
                else:
                    return {"accepted": self._fault(kind)}
            return {}
        except (_CannotError, BrokerError, OSError, subprocess.SubprocessError) as error:
            self._killed = False
            return {"error": str(error)}

    def close(self) -> None:
        """Ends the faults."""
        if self._killed:
            self.fault("start")
        with contextlib.suppress(OSError):
            self._end()


def _run(command: list[str], kind: str) -> None:
    subprocess.run([*command, kind], check=True, stdin=subprocess.DEVNULL, timeout=120)


def _filled(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _known() -> str:
    return ", ".join([*BROKERS, *sorted(set(KINDS) - set(BROKERS))])
