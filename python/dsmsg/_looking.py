# SPDX-License-Identifier: Apache-2.0
"""Settings for `dsmsg sub`, which only watches and takes no message away from a running consumer.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from dsmsg._inifile import GROUP, quote

__all__ = ["Look", "look"]

_Settings = dict[str, Optional[str]]  # None: not set, whatever the file says


@dataclass(frozen=True)
class Look:
    """How to subscribe.

    Attributes:
        settings: what to set in addition to the user's own settings; None removes a setting.
        topics: what to subscribe to.
        place: where it reads, as an end of "receiving ...".
        warning: why messages are taken away nevertheless; "" if they are not.
    """

    settings: _Settings
    topics: list[str]
    place: str = ""
    warning: str = ""

    def over(self, path: str | None, options: Mapping[str, str]) -> _Merged:
        """Returns settings for `Adaptor.connect`: a file, these over it, and options over both."""
        return _Merged(path, {**self.settings, **options})


@dataclass(frozen=True)
class _Merged:
    path: str | None
    settings: Mapping[str, str | None]

    def to_ini(self) -> str:
        """Returns the file's text with these settings replacing its own.

        Raises:
            OSError: the file cannot be read.
        """
        text = "" if self.path is None else Path(self.path).read_text(encoding="utf-8-sig")
        names = {_dashed(name) for name in self.settings}
        kept = [line for line, name in _lines(text) if name not in names]
        added = [f"{name}={quote(v)}" for name, v in self.settings.items() if v is not None]
        heading = f"[{GROUP}]"
        at = next((n for n, line in enumerate(kept) if line.strip() == heading), None)
        if at is None:
            kept.append(heading)
            at = len(kept) - 1
        return "\n".join(kept[: at + 1] + added + kept[at + 1 :]) + "\n"


def look(
    protocol: str,
    known: frozenset[str],
    topics: list[str],
    group: str | None,
    file: Mapping[str, str],
    options: Mapping[str, str],
) -> Look:
    """Says how to read alongside running consumers.

    Args:
        protocol: protocol name of the adaptor.
        known: names of its options; empty if it has no dsmsg_describe.
        topics: topics wanted.
        group: name of a group whose messages to share; None: a separate group.
        file: settings of the user's file, which other programs may share.
        options: settings of the command line. One that names a group is followed.

    Raises:
        ValueError: the protocol has no groups.
    """
    if group == "":
        raise ValueError("--group needs a name")
    plan = _PLANS.get(protocol)
    if plan is None or not known:
        if group is not None:
            raise ValueError(
                f"--group is not supported for the {protocol} adaptor (set its own option)"
            )
        return Look({}, topics, warning="" if known else _UNKNOWN)
    chosen = {_dashed(name): value for name, value in options.items()}
    if _GROUP_OPTIONS.get(protocol) in chosen:
        if group is not None:
            raise ValueError(
                f"--group and -o {_GROUP_OPTIONS[protocol]} mean the same: give only one of them"
            )
        return Look({}, topics)
    return plan(topics, group, {**file, **chosen})


_UNKNOWN = "third-party adaptor: it reads as its settings say, perhaps in a shared group"


def _unique() -> str:
    return f"dsmsg-sub-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _kafka(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    if group is not None:
        return Look({"consumer-group-id": group}, topics, f" as a member of the group {group}")
    # Without a committed offset the broker forgets the group soon after its only member has left.
    return Look({"consumer-group-id": _unique(), "commit-offsets": "0"}, topics)


def _redis(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    command = given.get("command", "xadd").strip("\"'").lower()
    if command == "publish":
        if group is not None:
            raise ValueError("--group: Redis Pub/Sub (command=publish) has no groups")
        return Look({}, topics)
    if command == "rpush":
        if group is not None:
            raise ValueError("--group: Redis lists (command=rpush) have no groups")
        return Look(
            {},
            topics,
            warning="a list gives each message to one reader only: no other reader gets the "
            "messages shown here",
        )
    if group is None:
        return Look({"consumergroup": ""}, topics)
    # The same name next time: what was not acknowledged by then is read again.
    settings: _Settings = {
        "consumergroup": group,
        "consumername": f"dsmsg-sub-{socket.gethostname()}",
    }
    return Look(settings, topics, f" as a member of the group {group}")


def _mqtt(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    # A second connection with a client-id ends the first one; a will is the other's to leave.
    settings: _Settings = {
        "client-id": _unique(),
        "clean-session": "1",
        "session-expiry": None,
        "will-topic": None,
        "will-payload": None,
        "will-qos": None,
        "will-retain": None,
    }
    if group is None:
        return Look(settings, topics)
    if any(char in group for char in "/+#"):
        raise ValueError(f"--group {group}: MQTT does not allow '/', '+' or '#' in a group name")
    shared = [f"$share/{group}/{topic}" for topic in topics]
    return Look(settings, shared, f" as a member of the group {group}")


def _amqp(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    if group is not None:
        return Look({"queue": group}, topics, f" from the queue {group}, with its other readers")
    return Look({"queue": None}, topics)


def _zmq(topics: list[str], group: str | None, given: Mapping[str, str]) -> Look:
    if group is not None:
        raise ValueError("--group: ZeroMQ has no groups")
    kind = given.get("subscribe-socket-type", "SUB").strip("\"'").upper()
    if kind == "SUB":
        return Look({}, topics)
    return Look(
        {},
        topics,
        warning=f"a {kind} socket removes its messages: no other reader gets the messages shown "
        "here",
    )


_GROUP_OPTIONS = {
    "KAFKA": "consumer-group-id",
    "REDIS": "consumergroup",
    "MQTT": "client-id",
    "AMQP": "queue",
}
_PLANS: dict[str, Callable[[list[str], str | None, Mapping[str, str]], Look]] = {
    "KAFKA": _kafka,
    "REDIS": _redis,
    "MQTT": _mqtt,
    "AMQP": _amqp,
    "ZMQ": _zmq,
}


def settings_of(path: str) -> dict[str, str]:
    """Returns the settings of a file as they are written.

    Raises:
        OSError: it cannot be read.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    return {name: line.partition("=")[2].strip() for line, name in _lines(text) if name}


def _lines(text: str) -> list[tuple[str, str]]:
    """The lines of a file, each with the option that it sets in our group, or ""."""
    group = ""
    lines = []
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("["):
            group = bare[1:].rstrip("]")
        sets = group == GROUP and "=" in bare and bare[0] not in "#;["
        lines.append((line, _dashed(bare.partition("=")[0].strip()) if sets else ""))
    return lines


def _dashed(name: str) -> str:
    return name.replace("_", "-")
