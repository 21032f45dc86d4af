# SPDX-License-Identifier: Apache-2.0
"""What all kinds of test brokers share."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from dsmsg.brokers._identity import USER, BrokerError, Identity, make_identity
from dsmsg.brokers._process import Guard, ServerProcess, free_port, port_is_free, wait_until

__all__ = ["Broker", "BrokerError"]

_B = TypeVar("_B", bound="Broker")
_PLACEHOLDER = re.compile(r"\{(host|dir|port(?::[A-Za-z0-9_-]+)?)\}")


class Broker(ABC):
    """A real broker on a free loopback port, with its own folder.

    The port and the data stay the same over `stop`, `kill` and `start`; `close` (or the end of a
    `with` block) removes the folder, unless something failed: then the log stays and the error
    names it. The server dies with this process, however it ends.

    Settings may hold placeholders: `{port:tls}` becomes a free port of that name (any name), the
    same over all starts and found in `ports`; `{port}`, `{host}` and `{dir}` become the attributes.

    Threads: any thread may call any method; calls wait for each other.
    """

    kind: ClassVar[str]
    """Name on the command line, for example "redis"."""
    scheme: ClassVar[str]
    """Scheme of the URL form of the connection string."""
    settings: ClassVar[tuple[str, ...]] = ("config",)
    """Names that `configure` takes."""
    set_help: ClassVar[str]
    """What a line of `--set` is, with an example."""
    can_tls: ClassVar[bool] = False
    """`guarded` takes `tls`."""
    can_password: ClassVar[bool] = False
    """`guarded` takes `password`."""
    sasl: ClassVar[str] = ""
    """Kafka's mechanism for it."""
    start_timeout: ClassVar[float] = 180.0
    """Seconds until `start` gives up."""
    stop_timeout: ClassVar[float] = 10.0
    """Seconds between SIGTERM and SIGKILL."""

    def __init__(self, *, port: int | None = None, folder: Path | str | None = None) -> None:
        """Prepares a broker without starting it.

        Args:
            port: port to listen on; None finds a free one.
            folder: for configuration, data and log, kept at the end; None makes a temporary one.
        """
        self.host = "127.0.0.1"
        self._fixed_port = port is not None
        self._port = port if port is not None else free_port()
        self._ports: dict[str, int] = {}
        self._own_folder = folder is None
        if folder is None:
            self.dir = Path(tempfile.mkdtemp(prefix=f"dsmsg-{self.kind}-"))
        else:
            self.dir = Path(folder).resolve()
            self.dir.mkdir(parents=True, exist_ok=True)
        self.log_path = self.dir / f"{self.kind}.log"
        self._lock = threading.RLock()
        self._guard: Guard | None = None
        self._process: ServerProcess | None = None
        self._keep = False
        self._closed = False
        self._started_once = False

    # What a kind of broker defines.

    @classmethod
    def needed(cls) -> Mapping[str, Callable[[], object]]:
        """Returns what must be installed for `dsmsg doctor` to report, by name.

        Each function returns where the thing was found, or raises BrokerError with what to do.
        """
        return {}

    @classmethod
    def fetch(cls) -> Path:
        """Fetches what the first start would fetch, into the cache; returns its folder.

        Raises:
            BrokerError: it cannot be fetched, or this kind has nothing to fetch.
        """
        raise BrokerError(f"{cls.kind}: there is nothing to fetch before a start")

    @abstractmethod
    def _prepare(self) -> list[str]:
        """Writes the configuration; returns the command. Called before every start.

        Raises:
            BrokerError: something needed is not installed.
        """

    @abstractmethod
    def _set(self, name: str, value: object) -> None:
        """Takes one of `settings`; raises TypeError when the value is of the wrong kind."""

    @classmethod
    def settings_from_lines(cls, lines: Sequence[str]) -> dict[str, Any]:
        """Turns the lines of `--set` into what `configure` takes.

        Raises:
            BrokerError: a line cannot be read.
        """
        return {"config": list(lines)}

    def guarded(self, *, tls: bool = False, password: str | None = None) -> list[str]:
        """Returns lines of `--set` that protect the server.

        Args:
            tls: with a certificate for localhost from the authority that `client_settings` names;
                on a second port, `ports["tls"]`, if the kind has one.
            password: only the user `USER` with this password may do anything.

        Raises:
            BrokerError: this kind cannot, or the program openssl is missing.
        """
        lacks = ["--tls"] * (tls and not self.can_tls)
        lacks += ["--password"] * (password is not None and not self.can_password)
        if lacks:
            raise BrokerError(
                f"{self.kind}: {' and '.join(lacks)} cannot be set up for it (--set may: "
                f"{self.set_help})"
            )
        identity = make_identity(self.dir) if tls else None
        return self._guard_lines(identity, password)

    def client_settings(self, *, tls: bool = False, password: str | None = None) -> dict[str, str]:
        """Returns the adaptor's options for a server with `guarded`."""
        settings = {"enable-tls": "1", "tls-cafile": str(self.dir / "ca.pem")} if tls else {}
        if password is not None:
            settings.update({"username": USER, "password": password})
            settings.update({"sasl-mechanism": self.sasl} if self.sasl else {})
        return settings

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        """Returns the lines of `guarded`; called only with what this kind can."""
        return []

    def ctl(self, *arguments: str) -> str:
        """Runs the server's control program and returns its standard output.

        Raises:
            BrokerError: this kind of server has none, or it failed.
        """
        raise BrokerError(f"{self.kind}: it has no control program")

    def _environment(self) -> Mapping[str, str] | None:
        """Returns the server's environment; None means that of this process."""
        return None

    def _failure(self) -> str:
        """Returns the lines of the log that say why the server did not start."""
        return self.log_tail()

    def _end_helpers(self) -> None:  # noqa: B027 - most have none
        """Ends what this kind started in addition to the server; called once, by `close`."""

    @abstractmethod
    def _ready(self, log_offset: int) -> bool:
        """Tells whether the server answers requests; raises no OSError, waits at most a second.

        Args:
            log_offset: size of the log before this start.
        """

    # What a user calls.

    @property
    def port(self) -> int:
        """TCP port."""
        return self._port

    @property
    def ports(self) -> dict[str, int]:
        """Ports of the additional listeners, by the names of their placeholders."""
        with self._lock:
            return dict(self._ports)

    @property
    def pid(self) -> int | None:
        """Process id, None when not running."""
        with self._lock:
            return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """True from the start to the end of the process, paused or not."""
        with self._lock:
            return self._process is not None and self._process.exit_code is None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def conn_str(self) -> str:
        """Connection string in the form `host;port`."""
        return f"{self.host};{self.port}"

    @property
    def url(self) -> str:
        """Connection string in the form of a URL."""
        return f"{self.scheme}://{self.address}"

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Replaces the settings; others get their defaults. Takes effect at the next start.

        Args:
            settings: by name, see the attribute `settings` of the class.

        Raises:
            BrokerError: the setting is unknown, or its value is of the wrong kind.
        """
        unknown = sorted(set(settings) - set(self.settings))
        if unknown:
            raise BrokerError(
                f"{self.kind}: unknown args {unknown} (known: {sorted(self.settings)})"
            )
        with self._lock:
            for name in self.settings:
                try:
                    self._set(name, settings.get(name, ()))
                except TypeError as error:
                    raise BrokerError(f"{self.kind}: {name}: {error}") from None

    def start(self: _B) -> _B:
        """Starts the server and waits until it answers. Does nothing if it is already running.

        Returns:
            The broker itself.

        Raises:
            BrokerError: it did not start; the text ends with the log's last lines and names the
                file, which stays.
        """
        with self._lock:
            if self._closed:
                raise BrokerError(
                    f"{self.kind}: cannot start a broker that was closed (create another)"
                )
            if self.running:
                return self
            for attempt in (1, 2, 3):
                try:
                    self._start_once()
                    break
                except _PortTaken as taken:
                    # Another process took the port between our check and the server's bind.
                    mine = taken.port == self.port and self._fixed_port
                    if mine or self._started_once or attempt == 3:
                        self._keep = True
                        raise BrokerError(
                            f"{self.kind}: cannot start on port {taken.port}: the port is in use "
                            "(`ss -ltnp` shows by which process; or choose another port)"
                        ) from None
                    if not self._fixed_port:
                        self._port = free_port([self._port])
                    self._ports.clear()
            self._started_once = True
            return self

    def stop(self) -> None:
        """Ends the server by SIGTERM, then SIGKILL after `stop_timeout`. Port and data stay."""
        with self._lock:
            if self._process is not None:
                self._process.terminate(self.stop_timeout)
                self._process = None

    def kill(self) -> None:
        """Ends the server at once (SIGKILL). Port and data stay."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process = None

    def restart(self: _B) -> _B:
        """`stop` and `start` on the same port with the same data."""
        with self._lock:
            self.stop()
            return self.start()

    def pause(self) -> None:
        """Freezes the server (SIGSTOP): connections stay open, nothing is answered.

        Raises:
            BrokerError: the server is not running.
        """
        with self._lock:
            self._need_process("pause").pause()

    def resume(self) -> None:
        """Ends a `pause` (SIGCONT).

        Raises:
            BrokerError: the server is not running.
        """
        with self._lock:
            self._need_process("resume").resume()

    def keep(self) -> None:
        """Keeps the folder, with the log, when the broker is closed."""
        self._keep = True

    def log_tail(self, lines: int = 30) -> str:
        """Returns the last lines of the log, "" when there is none."""
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(max(0, self.log_path.stat().st_size - 65536))
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
        return ""

    def close(self) -> None:
        """Stops the server and removes its temporary folder. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self.stop()
            finally:
                self._end_helpers()
                if self._guard is not None:
                    self._guard.close()
                    self._guard = None
                if self._own_folder and not self._keep:
                    shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self: _B) -> _B:
        """Starts the broker."""
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the broker; after an error its folder stays and is named on stderr."""
        if isinstance(error, Exception):
            self.keep()
            print(f"{self.kind}: the log is kept: {self.log_path}", file=sys.stderr)
        self.close()

    # Parts.

    def _start_once(self) -> None:
        if self._guard is None:  # first: preparing may take a while
            self._guard = Guard(self.dir if self._own_folder else None)
        command = self._prepare()
        self._check_ports()
        log_offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        try:
            process = ServerProcess(
                command,
                cwd=self.dir,
                log_path=self.log_path,
                environment=self._environment(),
                guard=self._guard,
            )
        except OSError as error:
            raise BrokerError(
                f"{self.kind}: cannot start {command[0]}: {error.strerror}"
            ) from error
        self._process = process
        try:
            answered = wait_until(
                lambda: process.exit_code is not None or self._ready(log_offset), self.start_timeout
            )
            if process.exit_code is not None:
                self._check_ports()
                self._fail(f"it ended with {_describe_exit(process.exit_code)}")
            if not answered:
                self._fail(f"it does not answer within {self.start_timeout:g} s")
        except BaseException:  # also Ctrl-C: a half-started server is useless
            self.kill()
            raise

    def _check_ports(self) -> None:
        for port in (self.port, *self._ports.values()):
            if not port_is_free(port):
                raise _PortTaken(port)

    def _extra_port(self, name: str) -> int:
        """Returns the port of this name, found on first use and then kept."""
        if name not in self._ports:
            self._ports[name] = free_port([self.port, *self._ports.values()])
        return self._ports[name]

    def _expand(self, text: str) -> str:
        """Replaces the placeholders of a setting."""

        def value(match: re.Match[str]) -> str:
            name, _, port = match.group(1).partition(":")
            if port:
                return str(self._extra_port(port))
            return str({"host": self.host, "port": self.port, "dir": self.dir}[name])

        return _PLACEHOLDER.sub(value, text)

    def _fail(self, reason: str) -> None:
        self._keep = True
        raise BrokerError(
            f"{self.kind}: cannot start the server on {self.address}: {reason}; "
            f"the log is kept: {self.log_path}; its end:\n{self._failure()}"
        )

    def _need_process(self, action: str) -> ServerProcess:
        if self._process is None or not self.running:
            raise BrokerError(
                f"{self.kind}: cannot {action} a server that is not running (start it)"
            )
        return self._process


class _PortTaken(Exception):  # noqa: N818 - control flow inside this module
    """A port is in use."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port


def texts(value: object) -> list[str]:
    """Returns a list or tuple of texts as a list.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{value!r} is not a list of texts")
    return list(value)


def _describe_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
