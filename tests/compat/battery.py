# SPDX-License-Identifier: Apache-2.0
"""Runs the battery over one server and returns the results."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from certificates import Authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from dsmsg.brokers import Broker
from dsmsg.brokers._process import port_is_free

from compat.checks import CHECKS
from compat.scenes import ALICE, BOB, KEYSTORE_PASSWORD, Pki, Scene
from compat.server import Server
from compat.stock import Address, wait_for
from compat.subject import Absent, Differs, Scale, Subject

__all__ = ["Outcome", "Report", "run"]


@dataclass
class Outcome:
    """What a check saw: "works", "differs", "absent" or "not run"."""

    state: str
    seen: str = ""
    seconds: float = 0.0


@dataclass
class Report:
    """All checks of one server."""

    name: str
    title: str
    protocol: str
    version: str
    client: str
    date: str
    checks: dict[str, Outcome] = field(default_factory=dict)
    not_run: str = ""
    """Why the server did not start; empty: it did."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def of(data: dict[str, Any]) -> Report:
        """The inverse of `as_dict`."""
        checks = {name: Outcome(**outcome) for name, outcome in data["checks"].items()}
        return Report(**{**data, "checks": checks})


def run(
    server: Server,
    scale: Scale,
    folder: Path,
    client: str,
    tell: Callable[[str, Outcome], None],
    only: Sequence[str] = (),
) -> Report:
    """Runs the battery.

    Args:
        server: which.
        scale: how much.
        folder: for certificates and password files.
        client: version of the client library, for the table.
        tell: called with each outcome.
        only: checks; empty: all.
    """
    today = time.strftime("%Y-%m-%d")
    report = Report(server.name, server.title, server.protocol, server.version(), client, today)
    pki = _make_pki(folder)
    with ExitStack() as stack:
        broker = stack.enter_context(_started(server.make()))
        subject = _subject(server, broker, scale, pki, stack)
        for name, check in CHECKS.items():
            if only and name not in only:
                continue
            began = time.monotonic()
            try:
                if name in server.lacks:
                    raise Absent(server.lacks[name])
                outcome = Outcome("works", check(subject))
            except Absent as error:
                outcome = Outcome("absent", str(error))
            except Differs as error:
                outcome = Outcome("differs", str(error))
            except Exception as error:
                outcome = Outcome("differs", (str(error) or repr(error)).split("\n")[0][:300])
            outcome.seconds = round(time.monotonic() - began, 1)
            outcome.seen = _neutral(outcome.seen)
            report.checks[name] = outcome
            tell(name, outcome)
            broker.start()  # where the check has ended it
    return report


@contextmanager
def _started(broker: Broker) -> Iterator[Broker]:
    try:
        yield broker.start()
    finally:
        broker.close()


def _subject(server: Server, broker: Broker, scale: Scale, pki: Pki, stack: ExitStack) -> Subject:
    running: dict[object, tuple[Broker, set[object]]] = {}
    at = Address(broker.host, broker.ports[server.port] if server.port else broker.port)

    @contextmanager
    def secured(check: str) -> Iterator[Subject]:
        scene = server.scenes.get(check)
        if scene is None:
            raise Absent("it has none, or not without a plug-in")
        if scene.settings not in running:
            made = server.make()
            made.configure(scene.settings(pki))
            stack.enter_context(_started(made))
            wait_for(lambda: not any(map(port_is_free, _listeners(made, scene))), 20)
            running[scene.settings] = made, set()
        other, prepared = running[scene.settings]
        if scene.prepare not in prepared:
            scene.prepare(other)
            prepared.add(scene.prepare)
        yield _scene_subject(server, other, scale, pki, scene, check)

    return Subject(
        broker,
        server.protocol,
        at,
        at,
        server.options,
        server.v5,
        server.too_large,
        server.largest,
        scale,
        secured,
        server.quiet,
    )


def _listeners(broker: Broker, scene: Scene) -> list[int]:
    """Ports that some servers open a little later than the first one."""
    return [broker.ports[name] for name in {scene.port, scene.reader_port} - {""}]


def _scene_subject(
    server: Server, broker: Broker, scale: Scale, pki: Pki, scene: Scene, check: str
) -> Subject:
    def port(name: str) -> int:
        return broker.ports[name] if name else broker.port

    user = {"password": ALICE, "rights": BOB}.get(check, ("", ""))
    cafile = str(pki.cafile) if check == "TLS" else ""
    reader_cafile = cafile if scene.reader_port == scene.port else ""

    def none(check: str) -> Any:  # noqa: ANN401
        raise Absent("no scene in a scene")

    return Subject(
        broker,
        server.protocol,
        Address(broker.host, port(scene.port or server.port), *user, cafile),
        Address(broker.host, port(scene.reader_port or server.port), *scene.reader, reader_cafile),
        {**server.options, **scene.options},
        server.v5,
        None,
        server.largest,
        scale,
        none,
        server.quiet,
    )


def _make_pki(folder: Path) -> Pki:
    authority = Authority(folder / "pki")
    identity = authority.issue("server")
    keystore = identity.cert.with_suffix(".p12")
    keystore.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"server",
            serialization.load_pem_private_key(identity.key.read_bytes(), None),  # type: ignore[arg-type]
            x509.load_pem_x509_certificate(identity.cert.read_bytes()),
            None,
            serialization.BestAvailableEncryption(KEYSTORE_PASSWORD.encode()),
        )
    )
    return Pki(
        authority.cafile,
        identity.cert,
        identity.key,
        identity.both,
        keystore,
        folder,
    )


def _neutral(text: str) -> str:
    """Without ports and folders, which change from run to run."""
    text = re.sub(r"127\.0\.0\.1([:;])\d+", r"127.0.0.1\1PORT", text)
    return re.sub(r"/tmp/[^\s:]+", "FILE", text)  # noqa: S108
