# SPDX-License-Identifier: Apache-2.0
"""The steps of `dsmsg doctor WHERE`.

Lookup, TCP and TLS are made without the adaptor, so that each has its own verdict; the login and
what follows are the adaptor's.
"""

from __future__ import annotations

import socket
import ssl
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from dsmsg._cli._address import Server, servers
from dsmsg._cli._where import Where
from dsmsg._cli.sub import connect_to_look
from dsmsg._looking import settings_of
from dsmsg._looking._base import dashed
from dsmsg.doctor import check

if TYPE_CHECKING:
    from dsmsg.adaptor import Connection

__all__ = ["Plan"]

Show = Callable[[dict[str, Any]], object]
_STAGES = ("adaptor", "lookup", "tcp", "tls", "login", "publish", "read back")
_FIRST_CODE = 10
_ONE_WAY = {
    "ZMQ": "not possible here: ZeroMQ has no server that would give it back",
    "AZURE_DEVICE_CLIENT": "not possible here: a hub gives it to services (az iot hub "
    "monitor-events), not to devices",
    "AZURE_MODULE_CLIENT": "not possible here: where it goes is up to the routes",
}


class Plan:
    """The steps for one broker."""

    def __init__(self, where: Where, topic: Optional[str], timeout_s: float) -> None:
        """Takes what to examine; `topic` None: publish nothing."""
        self._where = where
        self._topic = topic
        self._timeout_s = timeout_s
        file = settings_of(where.file) if where.file else {}
        given = {dashed(name): value for name, value in where.options.items()}
        self._settings = {**file, **given}
        self._servers: list[Server] = []
        self._schemes: list[str] = []
        self._tls_by_default = "0"
        self._protocol = ""
        self._open = ExitStack()
        self._mark = f"dsmsg doctor {uuid.uuid4().hex}".encode()
        self._found = threading.Event()
        self._reader: Optional[Connection] = None
        self._unread: Optional[Exception] = None

    def run(self, show: Optional[Show]) -> tuple[dict[str, Any], int]:
        """Makes the steps until one fails; returns the report and the exit code."""
        steps: dict[str, Callable[[], Optional[str]]] = {
            "adaptor": self._adaptor,
            "lookup": self._lookup,
            "tcp": self._tcp,
            "tls": self._tls,
            "login": self._login,
            "publish": self._publish,
            "read back": self._read_back,
        }
        checks = []
        with self._open:
            for number, stage in enumerate(_STAGES):
                made = self._step(stage, steps[stage])
                checks.append(made)
                if show is not None:
                    show(made)
                if made["ok"] is False:
                    return {"ok": False, "checks": checks}, _FIRST_CODE + number
        return {"ok": True, "checks": checks}, 0

    def _step(self, stage: str, step: Callable[[], Optional[str]]) -> dict[str, Any]:
        skipped: list[str] = []

        def run() -> str:
            try:
                return step() or ""
            except _SkippedError as reason:
                skipped.append(str(reason))
                return str(reason)

        made = {**check(stage, run, cure=_CURES.get(stage, "")), "stage": stage}
        if made["text"].endswith(")"):  # an adaptor's error ends with its own advice
            made["cure"] = ""
        return {**made, "ok": None} if skipped else made

    def _adaptor(self) -> str:
        adaptor = self._where.load()
        adaptor.check(self._where.options)
        self._protocol = adaptor.protocol
        port = 0
        if "describe" in adaptor.extensions:
            about = adaptor.describe()
            self._schemes, port = about["schemes"], about["default_port"]
            defaults = {option["name"]: option["default"] for option in about["options"]}
            self._tls_by_default = defaults.get("enable-tls", "0")
            self._bound_the_steps()

        def setting(name: str) -> str:
            return self._settings.get(name, "").strip("\"'")

        own = setting("connection-str") or f"{setting('hostname')};{setting('port')}"
        self._servers = servers(setting("gateway-hostname") or self._where.conn_str or own, port)
        return f"{adaptor.protocol}: {adaptor.path}"

    def _bound_the_steps(self) -> None:
        limit = f"{round(self._timeout_s * 1000)}ms"
        ours = {"connect-timeout": limit, "send-timeout": limit}
        missing = {name: value for name, value in ours.items() if name not in self._settings}
        self._where = replace(self._where, options={**missing, **self._where.options})

    def _lookup(self) -> str:
        self._need_servers()
        texts = []
        for server in self._servers:
            try:
                answers = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise RuntimeError(f"{server.host}: {error.strerror}") from None
            addresses = dict.fromkeys(str(answer[4][0]) for answer in answers)
            texts.append(f"{server.host} is {', '.join(addresses)}")
        return "; ".join(texts)

    def _tcp(self) -> str:
        self._need_servers()
        return "; ".join(self._each(lambda server, link: f"{server} accepts"))

    def _tls(self) -> str:
        self._need_servers()
        if not self._wants_tls():
            raise _SkippedError("not asked for (enable-tls=1, or a URL with TLS such as rediss://)")
        context = self._context()

        def shake(server: Server, link: socket.socket) -> str:
            name = self._settings.get("tls-server-name", "").strip("\"'") or server.host
            with context.wrap_socket(link, server_hostname=name) as stream:
                return f"{server}: {stream.version()}{_expiry(stream)}"

        return "; ".join(self._each(shake))

    def _each(self, examine: Callable[[Server, socket.socket], str]) -> list[str]:
        """Connects to all servers; one that works is enough, the others are told."""
        good, bad = [], []
        for server in self._servers:
            try:
                address = (server.host, server.port)
                with socket.create_connection(address, self._timeout_s) as link:
                    good.append(examine(server, link))
            except OSError as error:
                bad.append(f"{server}: {_reason(error)}")
        if not good:
            raise RuntimeError("; ".join(bad))
        return good + bad

    def _wants_tls(self) -> bool:
        scheme, mark, _ = (self._where.conn_str or "").partition("://")
        # Of an adaptor's schemes, the second is the one with TLS: mqtt, mqtts.
        return (bool(mark) and scheme in self._schemes[1:]) or self._settings.get(
            "enable-tls", self._tls_by_default
        ).strip("\"'").lower() in ("1", "true", "yes", "on")

    def _context(self) -> ssl.SSLContext:
        def given(name: str) -> Optional[str]:
            return self._settings.get(name, "").strip("\"'") or None

        ca_file, ca_folder = given("tls-cafile"), given("tls-capath")
        context = ssl.create_default_context(cafile=ca_file, capath=ca_folder)
        if given("tls-verify") == "0":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        certificate = given("tls-certfile")
        if certificate is not None:
            context.load_cert_chain(certificate, given("tls-keyfile"))
        return context

    def _login(self) -> str:
        with self._where.connect() as connection:
            stats = connection.stats() if self._schemes else {}
            about = [stats.get("library", ""), stats.get("library_version", "")]
            return f"accepted {' '.join(filter(None, about))}".strip()

    def _publish(self) -> str:
        self._need_topic()
        # First, because AMQP refuses what no queue takes.
        self._listen()
        with self._where.connect() as connection:
            connection.send(self._topic, self._mark)
        return f"{len(self._mark)} bytes to {self._topic}: acknowledged"

    def _listen(self) -> None:
        """Subscribes; a refusal is the next step's."""

        def receive(message: Any) -> None:  # noqa: ANN401 - Message
            if message.payload == self._mark:
                self._found.set()

        if self._protocol in _ONE_WAY:
            return
        try:
            reader, plan = connect_to_look(self._where, [str(self._topic)])
            self._reader = self._open.enter_context(reader)
            reader.subscribe(plan.topics, receive)
        except (OSError, RuntimeError, ValueError) as error:
            self._unread = error

    def _read_back(self) -> str:
        self._need_topic()
        if self._protocol in _ONE_WAY:
            raise _SkippedError(_ONE_WAY[self._protocol])
        if self._unread is not None:
            raise self._unread
        if not self._found.wait(self._timeout_s):
            reason = self._reader.last_error() if self._reader and self._schemes else ""
            raise RuntimeError(
                f"the message did not come back from {self._topic} within {self._timeout_s:g} s"
                f"{reason and ': '}{reason}"
            )
        return f"the message came back from {self._topic}"

    def _need_servers(self) -> None:
        if not self._servers:
            raise _SkippedError("the connection string names no host and port")

    def _need_topic(self) -> None:
        if self._topic is None:
            raise _SkippedError("not asked for (--no-publish)")


class _SkippedError(Exception):
    """A step that does not apply."""


_CURES = {
    "adaptor": "`dsmsg doctor` shows which adaptors are found",
    "lookup": "check the host name, and whether this machine reaches its name server",
    "tcp": "is the broker running, is this its port, does a firewall drop the packets?",
    "tls": "is this the server's TLS port? tls-cafile names the authority that signed its "
    "certificate",
    "login": "check username and password (USER_..., PASSWORD_... in the environment)",
    "publish": "may this user write to the topic? --topic names another",
    "read back": "may this user read the topic? does another consumer take its messages?",
}


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate: {error.verify_message}"
    if isinstance(error, socket.timeout):
        return "no answer in time"
    return error.strerror or str(error)


def _expiry(stream: ssl.SSLSocket) -> str:
    certificate = stream.getpeercert() or {}
    end = certificate.get("notAfter")
    if not isinstance(end, str):
        return ""
    seconds = ssl.cert_time_to_seconds(end) - datetime.now(timezone.utc).timestamp()
    return f", its certificate holds for {seconds / 86400:.0f} days"
