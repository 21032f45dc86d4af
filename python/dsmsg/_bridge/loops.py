# SPDX-License-Identifier: Apache-2.0
"""Finds routes that would send messages round in circles.

Two brokers are the same if they have a server (and its database) in common; that two names lead to
one server, or that two servers are one cluster, is not known here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsmsg._bridge.plan import RoutePlan

__all__ = ["Certainty", "find_loops"]


class Certainty(enum.IntEnum):
    """Whether a topic that a route sends to is one that a route reads."""

    NO = 0
    PERHAPS = 1
    YES = 2


def find_loops(routes: Sequence[RoutePlan]) -> Iterator[tuple[list[RoutePlan], Certainty]]:
    """Gives each circle once, with its least certain step."""
    follows = [[_feeds(one, other) for other in routes] for one in routes]

    def walk(path: list[int], least: Certainty) -> Iterator[tuple[list[int], Certainty]]:
        for after, certainty in enumerate(follows[path[-1]]):
            if certainty is Certainty.NO:
                continue
            if after == path[0]:
                yield path, min(least, certainty)
            elif after > path[0] and after not in path:
                yield from walk([*path, after], min(least, certainty))

    for first in range(len(routes)):
        for path, certainty in walk([first], Certainty.YES):
            yield [routes[n] for n in path], certainty


def _feeds(one: RoutePlan, other: RoutePlan) -> Certainty:
    """Whether `other` reads what `one` sends."""
    to, source = one.destination, other.source
    if to.protocol != source.protocol or not to.servers & source.servers:
        return Certainty.NO
    unchanged = re.fullmatch(r"\$\{\.?topic\}", one.topic) is not None
    literal = None if "${" in one.topic else one.topic.replace("$$", "$")
    best = Certainty.NO
    for topic in other.topics:
        plain = re.sub(r"^\$share/[^/]*/", "", topic) if source.protocol == "MQTT" else topic
        if literal is not None:
            matches = re.fullmatch(_pattern(source.protocol, plain), literal, re.DOTALL)
            found = Certainty.YES if matches else Certainty.NO
        elif unchanged and topic in one.topics and one.source.protocol == source.protocol:
            found = Certainty.YES
        elif unchanged:
            found = max(_may_meet(source.protocol, plain, t) for t in one.topics)
        else:
            made = re.sub(r"\$\{[^}]*\}", "\0", one.topic)
            found = _may_meet(source.protocol, plain, made)
        best = max(best, found)
    return best


def _pattern(protocol: str, topic: str) -> str:
    """A topic that is read, as a regular expression."""
    if protocol == "KAFKA" and topic.startswith("^"):
        return f"(?:{topic}).*"
    if protocol in ("MQTT", "HTTP"):
        return (
            re.escape(topic)
            .replace(r"\+", "[^/]*")
            .replace(r"/\#", "(?:/.*)?")
            .replace(r"\#", ".*")
        )
    if protocol == "NATS":
        return re.escape(topic).replace(r"\*", "[^.]*").replace(">", ".*")
    if protocol == "AMQP":
        return re.escape(topic).replace(r"\*", "[^.]*").replace(r"\#", ".*")
    return re.escape(topic)


def _may_meet(protocol: str, read: str, sent: str) -> Certainty:
    """Whether a topic that is read may be one that is sent; NUL in `sent` stands for any text."""
    if protocol == "KAFKA" and read.startswith("^"):
        return Certainty.PERHAPS
    wild = {"MQTT": "+#", "AMQP": "*#", "NATS": "*>", "HTTP": "#"}.get(protocol, "")
    return Certainty.PERHAPS if _meet(read, wild, sent, wild + "\0") else Certainty.NO


def _meet(one: str, wild: str, other: str, other_wild: str) -> bool:
    """Whether some text matches both; their wildcards stand for any text."""
    row = [True] + [False] * len(other)
    for n, char in enumerate(other):
        row[n + 1] = row[n] and char in other_wild
    for left in one:
        above, row = row, [row[0] and left in wild]
        for n, right in enumerate(other):
            if left in wild or right in other_wild:
                row.append(above[n + 1] or row[n] or above[n])
            else:
                row.append(above[n] and left == right)
    return row[-1]
