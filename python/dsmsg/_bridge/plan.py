# SPDX-License-Identifier: Apache-2.0
"""Reads a bridge's file, and checks all of it before anything is connected."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsmsg import _address
from dsmsg._bridge import sides
from dsmsg._bridge.document import Document, Place, Value
from dsmsg._bridge.loops import Certainty, find_loops
from dsmsg._bridge.sides import Side
from dsmsg._check import installed, what_is_wrong
from dsmsg._inifile import read_ini
from dsmsg._native_module import native
from dsmsg.adaptor import Adaptor
from dsmsg.errors import ConfigError, NotSupportedError

__all__ = ["BridgePlan", "RoutePlan", "read_plan"]

_TOP = ("routes", "brokers", "metrics-file", "report-interval")
_BROKER = ("url", "adaptor", "conn-str", "config", "options")
_REFUSED = ("stop", "skip", "dead-letter")
_ENCODINGS = ("none", "base64")
_DEFAULTS = {
    "name": "",
    "from": "",
    "topics": "",
    "to": "",
    "topic": "",
    "payload": "${.value}",
    "map": "",
    "key": "",
    "headers": "",
    "copy-headers": "true",
    "key-encoding": "none",
    "value-encoding": "none",
    "separator": "",
    "on-refused": "stop",
    "max-in-flight": "1000",
    "max-in-flight-bytes": "64M",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_KAFKA_TOPIC = re.compile(r"[A-Za-z0-9._-]*")


@dataclass(frozen=True)
class RoutePlan:
    """One route, checked."""

    name: str
    source: Side
    destination: Side
    topics: list[str]
    topic: str
    payload: str
    key: str | None
    headers: list[tuple[str, str]]
    copy_headers: bool
    key_base64: bool
    value_base64: bool
    separator: str
    on_refused: str
    most_messages: int
    most_bytes: int
    map: Any = None
    """A dsmsg._native.Map; None: `payload` makes the payload."""


@dataclass(frozen=True)
class BridgePlan:
    """A bridge, checked. `warnings` say what is allowed, and perhaps not meant."""

    routes: list[RoutePlan]
    metrics_file: str
    report_interval_s: float
    warnings: list[str] = field(default_factory=list)


def read_plan(source: str | os.PathLike[str] | Mapping[str, object]) -> BridgePlan:
    """Reads and checks a file, or the same as a mapping.

    Raises:
        ConfigError: something is wrong; the text has a line for each mistake.
        NotSupportedError: dsmsg._native was not built.
        OSError: a file cannot be read.
    """
    if native() is None:
        raise NotSupportedError(
            "a bridge needs the module dsmsg._native, which was not built (install the package, "
            "or pybind11 and Python's headers before the build)"
        )
    return _Reader(Document(source)).read()


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._warnings: list[str] = []
        self._top: dict[str, Any] = {}
        self._adaptors: dict[str, Adaptor] = {}

    def read(self) -> BridgePlan:
        wrong = self._document.wrong
        self._top = self._document.mapping((), self._document.root, _TOP)
        brokers = self._top.get("brokers", {})
        for name in self._document.mapping(("brokers",), brokers):
            self._broker(("brokers", name), brokers[name])
        rows = self._top.get("routes", [])
        if not isinstance(rows, list) or not rows:
            wrong(("routes",), "must be a list of routes: - name: ...")
            rows = []
        routes = [self._route(("routes", n), row) for n, row in enumerate(rows)]
        text = self._document.text(("report-interval",), self._top.get("report-interval", "60s"))
        interval = self._number(("report-interval",), text, _SECONDS, "60s, 500ms or 5m")
        metrics = self._document.text(("metrics-file",), self._top.get("metrics-file", ""))
        names = [each.name for each in routes if each is not None]
        for n, name in enumerate(names):
            if name in names[:n]:
                wrong(("routes", n, "name"), f"{name} is the name of an earlier route, too")
        self._document.check()
        good = [each for each in routes if each is not None]
        self._check_client_ids(good)
        self._check_loops(good)
        self._document.check()
        return BridgePlan(good, metrics, interval, self._warnings)

    def _route(self, place: Place, row: Value) -> RoutePlan | None:
        wrong, document = self._document.wrong, self._document
        given = document.mapping(place, row, tuple(_DEFAULTS))
        mistakes = len(document.mistakes)

        def text(name: str) -> str:
            return document.text((*place, name), given.get(name, _DEFAULTS[name]))

        def one_of(name: str, allowed: tuple[str, ...]) -> str:
            if text(name) not in allowed:
                wrong((*place, name), f"is {text(name)!r}; allowed are {', '.join(allowed)}")
            return text(name)

        name = text("name")
        if not _NAME.fullmatch(name):
            wrong(
                (*place, "name"),
                "must be 1 to 40 letters, digits, - or _: consumer group, client-id and queue of "
                "the source are made of it",
            )
        most = int(self._number((*place, "max-in-flight"), text("max-in-flight"), {"": 1}, "1000"))
        size = (*place, "max-in-flight-bytes")
        most_bytes = int(self._number(size, text("max-in-flight-bytes"), _UNITS, "64M"))
        source = self._side((*place, "from"), given.get("from", ""))
        destination = self._side((*place, "to"), given.get("to", ""))
        topics = self._topics((*place, "topics"), given.get("topics", ""))
        for template in ("topic", "payload", "key"):
            self._template((*place, template), text(template))
        if not text("topic"):
            wrong((*place, "topic"), "is needed: where to send to, such as ${.topic} or a name")
        headers = document.mapping((*place, "headers"), given.get("headers") or {})
        for header, value in headers.items():
            inner = (*place, "headers", header)
            self._template(inner, document.text(inner, value))
        mapped = self._map((*place, "map"), text("map"), given)
        copy = one_of("copy-headers", ("true", "false")) == "true"
        encodings = [one_of(f"{what}-encoding", _ENCODINGS) for what in ("key", "value")]
        refused = one_of("on-refused", _REFUSED)
        part = text("separator")
        if len(part.encode()) > 1:
            wrong((*place, "separator"), f"is {part!r}; it must be one character")
        if source is None or destination is None or len(document.mistakes) > mistakes:
            return None
        plan = RoutePlan(
            name, source, destination, topics, text("topic"), text("payload"),
            text("key") or None, list(headers.items()), copy, encodings[0] == "base64",
            encodings[1] == "base64", part or sides.separator(source.protocol), refused, most,
            most_bytes, mapped,
        )  # fmt: skip
        return self._with_settings(place, plan)

    def _with_settings(self, place: Place, plan: RoutePlan) -> RoutePlan:
        """Adds what the bridge sets itself, and checks what needs both sides."""
        source, to = plan.source, plan.destination
        settings, odd = sides.source_settings(source.protocol, plan.name, source.settings)
        losing = sides.loses(source.protocol, settings)
        if losing:
            self._warn(plan, f"messages in flight are lost if the bridge is killed: {losing}")
        own, unused = sides.destination_settings(to.settings, plan.most_messages, plan.most_bytes)
        for side, names in (("source", odd), ("destination", unused)):
            for name in names:
                self._warn(plan, f"{name} of the {side} is not used: the bridge sets it")
        if plan.on_refused == "dead-letter" and not (
            own.get("dead-letter-dir") or own.get("dead-letter-topic")
        ):
            self._document.wrong(
                (*place, "on-refused"),
                "dead-letter needs the option dead-letter-dir or dead-letter-topic of the "
                "destination (options: {dead-letter-dir: /var/lib/dsmsg/dead})",
            )
        if to.protocol == "KAFKA":
            self._check_kafka_topic(place, plan)
        return RoutePlan(
            **{
                **vars(plan),
                "source": Side(**{**vars(source), "settings": settings}),
                "destination": Side(**{**vars(to), "settings": own}),
            }
        )

    def _check_kafka_topic(self, place: Place, plan: RoutePlan) -> None:
        whole = re.fullmatch(r"\$\{\.?topic\}", plan.topic)
        bad = whole and next((t for t in plan.topics if "/" in t), None)
        rest = re.sub(r"\$\{[^}]*\}", "", plan.topic).replace("$$", "$")
        if bad or not _KAFKA_TOPIC.fullmatch(rest):
            self._document.wrong(
                (*place, "topic"),
                f"{bad or rest!r} cannot be in the name of a Kafka topic, which has letters, "
                "digits, dots, - and _ (take the topic apart: ${topic[0]}.${topic[1]})",
            )

    def _topics(self, place: Place, value: Value) -> list[str]:
        rows = value if isinstance(value, list) else [value] if value else []
        topics = [self._document.text((*place, n), each) for n, each in enumerate(rows)]
        if not topics or not all(topics):
            self._document.wrong(place, "is needed: what to read, such as [sensors/+/telemetry]")
        return topics

    def _map(self, place: Place, name: str, given: Mapping[str, Value]) -> Any:  # noqa: ANN401 - native
        if not name:
            return None
        if "payload" in given:
            self._document.wrong(place, "and payload both make the payload (leave one out)")
        try:
            loaded = native().Map.load(str(self._document.folder / name))
            if loaded.each == "message":
                return loaded
            self._document.wrong(
                place, f"{name} is for the metadata of frames; set each: message in it"
            )
        except (OSError, ValueError) as error:
            self._document.wrong(place, str(error))
        return None

    def _template(self, place: Place, text: str) -> None:
        try:
            native().check_template(text)
        except ValueError as error:
            self._document.wrong(place, str(error))

    def _number(self, place: Place, text: str, units: Mapping[str, float], example: str) -> float:
        match = re.fullmatch(r"(\d+)([A-Za-z]*)", text)
        number = float(match.group(1)) * units.get(match.group(2), 0) if match else 0
        if number <= 0:
            self._document.wrong(
                place, f"is {text!r}; it must be a number above 0, as in {example}"
            )
        return number or 1

    def _side(self, place: Place, value: Value) -> Side | None:
        name = self._document.text(place, value)
        brokers = self._top.get("brokers", {})
        if isinstance(brokers, dict) and name in brokers:
            mistakes, self._document.mistakes = self._document.mistakes, []  # told already
            side = self._broker(("brokers", name), brokers[name])
            self._document.mistakes = mistakes
            return side
        if "://" in name:
            return self._broker(place, {"url": name})
        self._document.wrong(
            place,
            f"{name!r} is neither the name of one of the brokers nor a URL (mqtt://localhost:1883)"
            if name
            else "is needed: a URL, or the name of a broker",
        )
        return None

    def _broker(self, place: Place, value: Value) -> Side | None:
        document = self._document
        given = document.mapping(place, value, _BROKER)
        named = next((field for field in ("adaptor", "url") if field in given), "")
        try:
            address = self._address(place, given)
            adaptor = self._adaptors.setdefault(address.adaptor, Adaptor(address.adaptor))
        except (ConfigError, OSError) as error:
            document.wrong((*place, named) if named else place, str(error))
            return None
        settings: dict[str, str] = {}
        config = document.text((*place, "config"), given.get("config", ""))
        if config:
            try:
                settings.update(read_ini(document.folder / config))
            except (OSError, ValueError) as error:
                document.wrong((*place, "config"), str(error))
        inner = (*place, "options")
        options = document.mapping(inner, given.get("options") or {})
        for name, text in options.items():
            settings[name.replace("_", "-")] = document.text((*inner, name), text)
        settings.update(address.options)
        library = installed(address.adaptor)
        for name, text in settings.items():
            at = (*inner, name) if name in options else place
            problem = what_is_wrong(library, name, text) if library is not None else ""
            if problem:
                document.wrong(at, problem)
        port = int(adaptor.describe().get("default_port") or 0)
        return Side(address.adaptor, adaptor.protocol, address.conn_str, port, settings)

    def _address(self, place: Place, given: Mapping[str, Value]) -> _address.Address:
        """The address of a broker: a URL, or an adaptor and what it calls a connection string."""
        document = self._document
        texts = {
            field: document.text((*place, field), given[field])
            for field in ("url", "adaptor", "conn-str")
            if field in given
        }
        if "adaptor" not in texts:
            if "conn-str" in texts:
                raise ConfigError("conn-str needs adaptor: the name of the adaptor it is for")
            return _address.parse(texts.get("url", ""))
        if "url" in texts:
            raise ConfigError("a broker has a url, or adaptor and conn-str, not both")
        name = texts["adaptor"]
        if name not in _address.known_adaptors():
            known = ", ".join(sorted(_address.known_adaptors()))
            raise ConfigError(f"there is no adaptor {name!r} (there are {known})")
        return _address.Address(name, texts.get("conn-str"), {})

    def _check_client_ids(self, routes: list[RoutePlan]) -> None:
        """Two connections with one client-id keep disconnecting each other."""
        seen: dict[object, str] = {}
        for n, route in enumerate(routes):
            for what, side in (("from", route.source), ("to", route.destination)):
                client = side.settings.get("client-id")
                for server in side.servers if client and side.protocol == "MQTT" else ():
                    other = seen.setdefault((client, server), f"{route.name}: {what}")
                    if other != f"{route.name}: {what}":
                        self._document.wrong(
                            ("routes", n, what),
                            f"the client-id {client} is that of {other}, too, so that the server "
                            "would disconnect one for the other: give each a broker of its own, or "
                            "leave client-id to the bridge",
                        )

    def _check_loops(self, routes: list[RoutePlan]) -> None:
        for circle, certainty in find_loops(routes):
            names = " -> ".join(each.name for each in [*circle, circle[0]])
            if certainty is Certainty.YES:
                self._document.wrong(
                    ("routes", routes.index(circle[0]), "topic"),
                    f"messages would go round for ever: {names} (send to a topic that no route of "
                    "this server reads)",
                )
            else:
                self._warnings.append(
                    f"{names}: messages go round for ever if a topic that is sent to is one that "
                    "is read; the templates do not tell"
                )

    def _warn(self, plan: RoutePlan, text: str) -> None:
        self._warnings.append(f"{plan.name}: {text}")
