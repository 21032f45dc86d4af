# SPDX-License-Identifier: Apache-2.0
"""A real Apache Pulsar for tests and trials: broker and bookie in one process."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dsmsg.brokers._base import Broker, BrokerError
from dsmsg.brokers._identity import USER, Identity
from dsmsg.brokers._maven import find_java, maven_libs

__all__ = ["PulsarBroker"]

_VERSION = "4.2.4"
_LOG4J = """\
Configuration:
  status: warn
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "%d %p %c{1}: %m%n%throwable{3}"}}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: out}}
"""
_JVM = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:MaxDirectMemorySize=256m",
    "-Xms128m",
    "-Xmx512m",
    "-Djava.awt.headless=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
)
# What Pulsar's own start script opens.
_OPENS = (
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.platform",
    "java.base/java.lang",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util.zip",
    "java.base/jdk.internal.misc",
    "java.base/sun.net",
    "java.management/sun.management",
)
_TIMEOUT_S = 30.0
_METHODS = ("GET", "PUT", "POST", "DELETE")


class PulsarBroker(Broker):
    """A standalone Pulsar, without functions, its data in the broker's folder.

    What the server acknowledged survives `kill`. Topics are made on first use, in the namespace
    public/default, and keep what they get (`defaultRetentionSizeInMB`), which Pulsar's own default
    does not do without a subscription.
    """

    kind: ClassVar[str] = "pulsar"
    scheme: ClassVar[str] = "pulsar"
    settings: ClassVar[tuple[str, ...]] = ("properties", "users")
    set_help: ClassVar[str] = (
        'line of standalone.conf ("maxMessageSize=1048576"), or "user.NAME=PASSWORD"'
    )
    can_tls: ClassVar[bool] = True
    can_password: ClassVar[bool] = True
    start_timeout: ClassVar[float] = 240.0
    stop_timeout: ClassVar[float] = 15.0
    version: ClassVar[str] = _VERSION

    def __init__(
        self,
        *,
        port: int | None = None,
        folder: Path | str | None = None,
        properties: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
    ) -> None:
        """Prepares a server.

        Args:
            port: port to listen on; None finds a free one.
            folder: for configuration, data and log, kept at the end; None makes a temporary one.
            properties: added to `standalone.conf`; they replace the defaults.
            users: passwords by name; empty: no login is needed. USER is always included, and only
                USER may do anything unless others are granted it.
        """
        self.properties = dict(properties or {})
        self.users = dict(users or {})
        super().__init__(port=port, folder=folder)

    @classmethod
    def needed(cls) -> Mapping[str, Callable[[], object]]:
        """Returns what must be installed, or fetched."""
        return {"java": lambda: find_java(cls.kind), "pulsar jars": lambda: cls._libs(fetch=False)}

    @classmethod
    def fetch(cls) -> Path:
        """Fetches the jars, unless they are there."""
        return cls._libs(fetch=True)

    @classmethod
    def _libs(cls, *, fetch: bool) -> Path:
        name = f"pulsar-{cls.version}"
        found = maven_libs(
            name,
            [("org.apache.pulsar", "pulsar-broker", cls.version)],
            managed=[("org.apache.pulsar", "pulsar", cls.version)],
            fetch=fetch,
        )
        if found is None:
            raise BrokerError(
                f"{cls.kind}: no jars of {name} in the cache "
                "(fetch them with `python -m dsmsg.brokers fetch pulsar`)"
            )
        return found

    def _set(self, name: str, value: object) -> None:
        if not isinstance(value, Mapping) and value != ():
            raise TypeError(f"{value!r} is not an object of names and values")
        pairs = value.items() if isinstance(value, Mapping) else ()
        setattr(self, name, {str(key): str(text) for key, text in pairs})

    @classmethod
    def settings_from_lines(cls, lines: Sequence[str]) -> dict[str, Any]:
        """Turns "name=value" lines into properties, "user.NAME=PASSWORD" into users.

        Raises:
            BrokerError: a line has no name or no equals sign.
        """
        pairs = [line.partition("=") for line in lines]
        for name, equals, _ in pairs:
            if not equals or not name:
                raise BrokerError(f"{cls.kind}: --set {name!r} is not of the form name=value")
        found = {name.strip(): value.strip() for name, _, value in pairs}
        users = {name[5:]: found.pop(name) for name in list(found) if name.startswith("user.")}
        return {"properties": found, "users": users}

    def _guard_lines(self, identity: Identity | None, password: str | None) -> list[str]:
        lines = []
        if identity is not None:
            lines += [
                "brokerServicePortTls={port:tls}",
                f"tlsCertificateFilePath={identity.cert}",
                f"tlsKeyFilePath={identity.key}",
                f"tlsTrustCertsFilePath={identity.ca}",
            ]
        return lines + ([] if password is None else [f"user.{USER}={password}"])

    def _login_properties(self) -> dict[str, str]:
        """Lets in users with passwords; the broker calls itself as the one named USER."""
        own = self.users.setdefault(USER, secrets.token_hex(16))
        users = self.dir / "htpasswd"
        users.touch(mode=0o600)
        lines = [f"{name}:{_hashed(password)}\n" for name, password in self.users.items()]
        users.write_text("".join(lines), encoding="utf-8")
        classes = "org.apache.pulsar"
        return {
            "authenticationEnabled": "true",
            "authorizationEnabled": "true",
            "authenticationProviders": f"{classes}.broker.authentication"
            ".AuthenticationProviderBasic",
            "basicAuthConf": f"file://{users}",
            "superUserRoles": USER,
            "brokerClientAuthenticationPlugin": f"{classes}.client.impl.auth.AuthenticationBasic",
            "brokerClientAuthenticationParameters": json.dumps({"userId": USER, "password": own}),
        }

    def _prepare(self) -> list[str]:
        libs = self._libs(fetch=True)
        (self.dir / "log4j2.yaml").write_text(_LOG4J, encoding="utf-8")
        own = {name: self._expand(value) for name, value in self.properties.items()}
        login = self._login_properties() if self.users else {}
        properties = {**self._defaults(), **login, **own}
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        path = self.dir / "standalone.conf"
        path.touch(mode=0o600)
        path.write_text(lines, encoding="utf-8")
        opens = [word for each in _OPENS for word in ("--add-opens", f"{each}=ALL-UNNAMED")]
        return [
            find_java(self.kind),
            *_JVM,
            *opens,
            f"-Dlog4j2.configurationFile={self.dir / 'log4j2.yaml'}",
            "-cp",
            f"{libs}/*",
            "org.apache.pulsar.PulsarStandaloneStarter",
            f"--config={path}",
            "--no-functions-worker",
            "--no-stream-storage",
            f"--advertised-address={self.host}",
            f"--bookkeeper-dir={self.dir / 'data' / 'bookkeeper'}",
            f"--bookkeeper-port={self._extra_port('bookie')}",
            f"--metadata-dir={self.dir / 'data' / 'metadata'}",
        ]

    def _defaults(self) -> dict[str, str]:
        return {
            "clusterName": "standalone",
            "bindAddress": self.host,
            "advertisedAddress": self.host,
            "brokerServicePort": str(self.port),
            "webServicePort": str(self._extra_port("web")),
            "managedLedgerDefaultEnsembleSize": "1",
            "managedLedgerDefaultWriteQuorum": "1",
            "managedLedgerDefaultAckQuorum": "1",
            "nettyMaxFrameSizeBytes": "5253120",
            "defaultRetentionTimeInMinutes": "-1",
            "defaultRetentionSizeInMB": "-1",
            "defaultNumberOfNamespaceBundles": "1",
            "brokerDeleteInactiveTopicsEnabled": "false",
            "loadBalancerEnabled": "false",
            "transactionCoordinatorEnabled": "false",
            "numIOThreads": "2",
            "numHttpServerThreads": "8",
            "numExecutorThreadPoolSize": "2",
            "managedLedgerNumSchedulerThreads": "2",
            "bookkeeperClientNumWorkerThreads": "2",
        }

    def _ready(self, log_offset: int) -> bool:
        try:
            # The first alone until it is there: the broker logs an error for an unknown tenant.
            if "public" not in json.loads(self.admin("GET", "tenants")):
                return False
            if "public/default" not in json.loads(self.admin("GET", "namespaces/public")):
                return False
            # The first topic takes seconds, because everything is loaded for it: not in a test.
            self.admin("GET", "/lookup/v2/topic/persistent/public/default/dsmsg")
            return self.admin("GET", "brokers/health") == "ok"
        except (OSError, ValueError, http.client.HTTPException):
            return False
        except BrokerError as error:
            return " 401 " in str(error)  # it wants a login that this class does not know

    def ctl(self, *arguments: str) -> str:
        """`restart` and lines replace the settings; `GET` (and the like), a path and a body ask.

        The path is that of Pulsar's admin interface behind `/admin/v2/`.

        Raises:
            BrokerError: the server does not start with these lines, or refuses the request.
        """
        if arguments and arguments[0] == "restart":
            self.configure(self.settings_from_lines(arguments[1:]))
            self.restart()
            return ""
        if len(arguments) in (2, 3) and arguments[0] in _METHODS:
            return self.admin(*arguments)
        raise BrokerError(
            f"{self.kind}: the commands are restart, and {', '.join(_METHODS)} a path"
        )

    def admin(self, method: str, path: str, body: str = "") -> str:
        """Asks the admin interface and returns the body of its answer.

        Args:
            method: GET, PUT, POST or DELETE.
            path: behind `/admin/v2/`, or all of it with its first slash.
            body: JSON.

        Raises:
            BrokerError: the answer is an error.
            OSError: there is no answer.
        """
        headers = {"Content-Type": "application/json"} if body else {}
        if self.users:
            login = base64.b64encode(f"{USER}:{self.users[USER]}".encode()).decode("ascii")
            headers["Authorization"] = f"Basic {login}"
        connection = http.client.HTTPConnection(
            self.host, self._extra_port("web"), timeout=_TIMEOUT_S
        )
        try:
            path = path if path.startswith("/") else f"/admin/v2/{path}"
            connection.request(method, path, body=body or None, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if answer.status >= 300:
            raise BrokerError(
                f"{self.kind}: {method} {path}: {answer.status} {answer.reason}: {text[:500]}"
            )
        return text


def _hashed(password: str) -> str:
    """Returns the password as in an htpasswd file.

    Raises:
        BrokerError: the program openssl is missing or failed.
    """
    try:
        result = subprocess.run(
            ["openssl", "passwd", "-apr1", "-stdin"],
            input=password,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except OSError as error:
        raise BrokerError(f"pulsar: cannot run openssl: {error.strerror}") from error
    if result.returncode != 0:
        raise BrokerError(f"pulsar: openssl passwd failed: {result.stderr.strip()}")
    return result.stdout.strip()
