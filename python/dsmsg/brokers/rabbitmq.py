# SPDX-License-Identifier: Apache-2.0
"""A real RabbitMQ (AMQP 0-9-1) server for tests and trials, as any user and without systemd.

Each server has its own node name registry (epmd): a shared one would outlive its server and be
found by the next.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dsmsg.brokers._base import Broker, BrokerError, texts
from dsmsg.brokers._debian import debian13_programs
from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._probe import first_bytes
from dsmsg.brokers._process import Guard, ServerProcess, port_is_free, wait_until

__all__ = ["RabbitMq13Broker", "RabbitMqBroker", "find_rabbitmq"]

_HEADER = b"AMQP\x00\x00\x09\x01"
_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
# Schedulers that wait without spinning leave the processor to the program under test.
_NO_BUSY_WAIT = "+sbwt none +sbwtdcpu none +sbwtdio none"
# Not the commands of /usr/sbin: those change to the user "rabbitmq".
_FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin")
_CTL_TIMEOUT_S = 180.0


class RabbitMqBroker(Broker):
    """A RabbitMQ node: an Erlang virtual machine, whose process id is `pid`.

    The user "guest" with the password "guest" may do everything. What the server confirmed of
    persistent messages in durable queues survives `kill`.
    """

    kind: ClassVar[str] = "rabbitmq"
    scheme: ClassVar[str] = "amqp"
    settings: ClassVar[tuple[str, ...]] = ("config", "plugins")
    set_help: ClassVar[str] = 'line of rabbitmq.conf ("heartbeat = 5"), or plugin=rabbitmq_mqtt'
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    start_timeout: ClassVar[float] = 180.0

    @classmethod
    def needed(cls) -> Mapping[str, Callable[[], object]]:
        """Returns what must be installed."""
        return {"rabbitmq-server": find_rabbitmq}

    def __init__(
        self,
        *,
        port: int | None = None,
        folder: Path | str | None = None,
        config: Sequence[str] = (),
        plugins: Sequence[str] = (),
    ) -> None:
        """Prepares a server; a change of the attributes takes effect at the next start.

        Args:
            port: port to listen on; None finds a free one.
            folder: for configuration, data and log, kept at the end; None makes a temporary one.
            config: lines of `rabbitmq.conf`, for example "heartbeat = 5".
            plugins: names of plugins. "rabbitmq_mqtt" and "rabbitmq_management" listen on their own
                ports, found in `ports` as "mqtt" and "management", unless `config` says otherwise.
        """
        self.config = list(config)
        self.plugins = list(plugins)
        self._epmd: ServerProcess | None = None
        self._epmd_port = 0
        self._epmd_guard: Guard | None = None
        super().__init__(port=port, folder=folder)

    def _set(self, name: str, value: object) -> None:
        if name == "config":
            self.config = texts(value)
        else:
            self.plugins = texts(value)

    @classmethod
    def settings_from_lines(cls, lines: Sequence[str]) -> dict[str, Any]:
        """Takes lines of rabbitmq.conf, and `plugin=NAME`."""
        plugins = [line[len("plugin=") :] for line in lines if line.startswith("plugin=")]
        return {
            "config": [line for line in lines if not line.startswith("plugin=")],
            "plugins": plugins,
        }

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        lines = []
        if password is not None:
            lines += [f"default_user = {USER}", f"default_pass = {password}"]
        if identity is not None:
            lines += [
                "listeners.ssl.default = {host}:{port:tls}",
                f"ssl_options.cacertfile = {identity.ca}",
                f"ssl_options.certfile = {identity.cert}",
                f"ssl_options.keyfile = {identity.key}",
                "ssl_options.verify = verify_none",
            ]
        return lines

    def ctl(self, *arguments: str) -> str:
        """Runs `rabbitmqctl` for this node and returns its standard output.

        Args:
            arguments: for example "set_vm_memory_high_watermark", "absolute", "1".

        Raises:
            BrokerError: it failed; the text ends with its output.
        """
        with self._lock:
            self._need_process("control")
            command = [str(self._program("rabbitmqctl")), "--quiet", *arguments]
            try:
                result = subprocess.run(
                    command,
                    cwd=self.dir,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=_CTL_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise BrokerError(
                    f"rabbitmq: rabbitmqctl {' '.join(arguments)} took over {_CTL_TIMEOUT_S:g} s "
                    f"(is the server paused?)"
                ) from None
        if result.returncode != 0:
            raise BrokerError(
                f"rabbitmq: rabbitmqctl {' '.join(arguments)} ended with exit code "
                f"{result.returncode}:\n{(result.stderr or result.stdout).strip()[:2000]}"
            )
        return result.stdout

    def _program(self, name: str) -> Path:
        return find_rabbitmq(name)

    def _prepare(self) -> list[str]:
        server = self._program("rabbitmq-server")
        self._start_epmd()
        for name in ("dist", "ctl"):
            self._extra_port(name)
        lines = [
            f"listeners.tcp.default = {self.host}:{self.port}",
            "loopback_users.guest = true",
            "log.console.level = info",
            # A disk alarm would block publishers for a reason that no test intends.
            "disk_free_limit.absolute = 1MB",
            *self._plugin_lines(),
            *(self._expand(line) for line in self.config),
        ]
        (self.dir / "rabbitmq.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.dir / "enabled_plugins").write_text(
            f"[{','.join(self.plugins)}].\n", encoding="ascii"
        )
        (self.dir / "no-env.conf").touch()
        return [str(server)]

    def _plugin_lines(self) -> list[str]:
        named = {line.partition("=")[0].strip() for line in self.config}
        lines = []
        if "rabbitmq_mqtt" in self.plugins and "mqtt.listeners.tcp.default" not in named:
            lines.append(f"mqtt.listeners.tcp.default = {self.host}:{self._extra_port('mqtt')}")
        if "rabbitmq_management" in self.plugins and "management.tcp.port" not in named:
            lines += [
                f"management.tcp.ip = {self.host}",
                f"management.tcp.port = {self._extra_port('management')}",
            ]
        return lines

    def _start_epmd(self) -> None:
        if self._epmd is not None and self._epmd.exit_code is None:
            self._ports["epmd"] = self._epmd_port  # also when the server needs other ports
            return
        program = shutil.which("epmd")
        if not program:
            raise BrokerError(
                "rabbitmq: cannot find the program epmd, which belongs to Erlang (Debian, Ubuntu: "
                "apt-get install rabbitmq-server)"
            )
        if self._epmd_guard is None:
            self._epmd_guard = Guard(None)
        self._epmd_port = port = self._extra_port("epmd")
        self._epmd = ServerProcess(
            [program, "-address", "127.0.0.1", "-port", str(port)],
            cwd=self.dir,
            log_path=self.dir / "epmd.log",
            guard=self._epmd_guard,
        )
        epmd = self._epmd
        wait_until(lambda: epmd.exit_code is not None or not port_is_free(port), 60)
        if epmd.exit_code is not None:
            self._fail(f"its epmd ended with exit code {epmd.exit_code}")

    def _end_helpers(self) -> None:
        epmd, self._epmd = self._epmd, None
        guard, self._epmd_guard = self._epmd_guard, None
        if epmd is not None:
            epmd.terminate(2.0)
        if guard is not None:
            guard.close()

    def _check_ports(self) -> None:
        epmd = self._ports.pop("epmd", None)  # is up already, and ours
        try:
            super()._check_ports()
        finally:
            if epmd is not None:
                self._ports["epmd"] = epmd

    def _environment(self) -> dict[str, str]:
        ports = self._ports
        own = {
            "HOME": str(self.dir),  # of the cookie
            "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the virtual machine
            "RABBITMQ_NODENAME": "dsmsg@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(ports["dist"]),
            "RABBITMQ_CTL_DIST_PORT_MIN": str(ports["ctl"]),
            "RABBITMQ_CTL_DIST_PORT_MAX": str(ports["ctl"]),
            "RABBITMQ_CTL_ERL_ARGS": _LOOPBACK,
            "RABBITMQ_MNESIA_BASE": str(self.dir / "data"),
            "RABBITMQ_LOG_BASE": str(self.dir / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self.dir / "rabbitmq.pid"),
            "RABBITMQ_CONFIG_FILE": str(self.dir / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.dir / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.dir / "no-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.dir / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.dir / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_LOOPBACK} {_NO_BUSY_WAIT} -start_epmd false",
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "LC_ALL": "C.UTF-8",
        }
        # Such variables of this process are meant for another server.
        foreign = ("RABBITMQ_", "ERL_", "NOTIFY_SOCKET")
        rest = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        return {**rest, **own}

    def _failure(self) -> str:
        # The reason comes before pages of Erlang's crash reports.
        text = self.log_tail(500)
        start = text.rfind("Error during startup:")
        end = text.find("\n", start)
        if start < 0 or end < 0:
            return self.log_tail()
        return "\n".join(text[:end].splitlines()[-30:])

    def _ready(self, log_offset: int) -> bool:
        # The listener is opened last; a method frame (Connection.Start) is its answer.
        return first_bytes(self.host, self.port, _HEADER, 1) == b"\x01"


class RabbitMq13Broker(RabbitMqBroker):
    """Debian 13's RabbitMQ, in a separate root folder."""

    kind: ClassVar[str] = "rabbitmq13"

    def _program(self, name: str) -> Path:
        return debian13_programs() / name


def find_rabbitmq(name: str = "rabbitmq-server") -> Path:
    """Returns a script of RabbitMQ: of the folder RABBITMQ_BIN when that is set.

    Raises:
        BrokerError: RabbitMQ is not installed.
    """
    folder = os.environ.get("RABBITMQ_BIN")
    if folder:
        found = shutil.which(name, path=folder)
        if not found:
            raise BrokerError(
                f"rabbitmq: RABBITMQ_BIN is {folder}, but it contains no program {name} "
                f"(correct or unset RABBITMQ_BIN)"
            )
        return Path(found)
    found = shutil.which(name, path=":".join((*_FOLDERS, os.environ.get("PATH", os.defpath))))
    if not found:
        raise BrokerError(
            f"rabbitmq: cannot find the program {name} (Debian, Ubuntu: apt-get install "
            f"rabbitmq-server; or name its folder in the environment variable RABBITMQ_BIN)"
        )
    return Path(found)
