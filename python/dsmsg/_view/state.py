# SPDX-License-Identifier: Apache-2.0
"""The last of what messages said: sources, events, pictures, the link. Bounded in everything."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, Callable

from dsmsg._view.payloads import Evidence, Seen, Sighting

__all__ = ["Picture", "State"]

MOST_SOURCES = 64
MOST_EVENTS = 200
_MOST_OBJECTS = 300
_MOST_COUNTS = 300
_RECENT = 32  # events among which the same one is not shown twice
_RATE_S = 5


@dataclass
class Picture:
    """A picture that a message named."""

    number: int
    source: str
    time: str
    about: str
    evidence: Evidence
    why_not: str
    objects: list[Seen]
    version: int


@dataclass
class _Source:
    version: int = 0
    total: int = 0
    time: str = ""
    objects: list[Seen] = field(default_factory=list)
    counts: dict[tuple[str, str], float] = field(default_factory=dict)
    background: int = 0  # number of its last picture of a whole frame
    pictures: deque[int] = field(default_factory=deque)
    seconds: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_RATE_S + 1))

    def rate(self, now: float) -> float:
        """Messages a second, over the last whole seconds."""
        last = int(now)
        return sum(n for second, n in self.seconds if last - _RATE_S <= second < last) / _RATE_S


class State:
    """What the page shows.

    Readers ask for what changed since a version; what each of them missed costs no memory here.

    Threads: any thread may call any method.
    """

    def __init__(
        self,
        title: str,
        *,
        keep: int = 24,
        size: tuple[int, int] | None = None,
        readable: Callable[[str], str] = lambda uri: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts empty.

        Args:
            title: what is looked at, for people.
            keep: pictures of a source.
            size: width and height of the cameras' picture, in pixels; None: the page guesses.
            readable: says why a picture with this URI cannot be shown; "" if it can.
            clock: monotonic seconds.
        """
        self.token = secrets.token_hex(4)
        """Part of the pictures' addresses: numbers begin anew with each view."""
        self._title = title
        self._keep = keep
        self._size = size
        self._readable = readable
        self._clock = clock
        self._changed = threading.Condition()  # guards all below
        self._version = 1
        self._sources: OrderedDict[str, _Source] = OrderedDict()  # the one heard last at the end
        self._events: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        self._recent: deque[tuple[Any, ...]] = deque(maxlen=_RECENT)
        self._pictures: dict[int, Picture] = {}
        self._numbers = 0
        self._link: dict[str, Any] = {"state": "none", "since": time.time(), "reason": ""}
        self._link_version = 1
        self._unreadable = 0
        self._note = ""
        self._places: dict[str, Any] = {}
        self._places_version = 1
        self._closed = False

    def add(self, sighting: Sighting, topic: str) -> None:
        """Takes a message; `topic` names the source if the message does not."""
        with self._changed:
            self._version += 1
            name = sighting.source or topic
            source = self._sources.get(name)
            if source is None:
                source = self._sources[name] = _Source()
            self._sources.move_to_end(name)
            while len(self._sources) > MOST_SOURCES:
                for number in self._sources.popitem(last=False)[1].pictures:
                    del self._pictures[number]
            self._count(source)
            # Other objects of the same frame come in messages of their own.
            if sighting.whole or sighting.time != source.time or not sighting.time:
                source.objects = []
            new = {each.id for each in sighting.objects if each.id}
            source.objects = [each for each in source.objects if each.id not in new]
            source.objects = [*source.objects, *sighting.objects][-_MOST_OBJECTS:]
            source.time = sighting.time
            if any(kind == "zone" for kind, _ in sighting.counts):
                source.counts = {
                    key: value for key, value in source.counts.items() if key[0] == "lineTotal"
                }
            source.counts.update(sighting.counts)
            if len(source.counts) > _MOST_COUNTS:
                source.counts = dict(sighting.counts)
            source.version = self._version
            for each in sighting.objects:
                numbers = self._add_pictures(name, source, sighting, each)
                self._add_events(name, sighting.time, each, numbers)
            self._changed.notify_all()

    def cannot_show(self, reason: str) -> None:
        """Takes a message that could not be read."""
        with self._changed:
            self._version += 1
            self._unreadable += 1
            self._note = reason
            self._changed.notify_all()

    def link(self, up: bool, reason: str) -> None:
        """Takes the state of the connection."""
        self._set_link("up" if up else "down", reason)

    def no_link(self, reason: str) -> None:
        """There is no connection, or none that tells."""
        self._set_link("none", reason)

    def set_places(self, places: dict[str, Any]) -> None:
        """Takes lines and zones: see `dsmsg._view.places`."""
        with self._changed:
            self._version += 1
            self._places, self._places_version = places, self._version
            self._changed.notify_all()

    def picture(self, number: int) -> Picture | None:
        """Returns a picture that is still shown."""
        with self._changed:
            return self._pictures.get(number)

    def close(self) -> None:
        """Ends `changes`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, version: int, timeout: float) -> bool:
        """Waits for something newer than `version`, `timeout` seconds at most; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._version > version, timeout)
            return not self._closed

    def changes(self, version: int) -> tuple[int, dict[str, Any]]:
        """Returns what is newer than `version` (0: everything), and the version now."""
        with self._changed:
            now = self._clock()
            update: dict[str, Any] = {
                "rates": {
                    name: [round(source.rate(now), 1), source.total]
                    for name, source in sorted(self._sources.items())
                },
                "unreadable": {"count": self._unreadable, "last": self._note},
                "sources": [
                    self._show_source(name, source)
                    for name, source in self._sources.items()
                    if source.version > version
                ],
                "events": [each for each in self._events if each["version"] > version],
                "pictures": [
                    self._show_picture(each)
                    for each in self._pictures.values()
                    if each.version > version
                ],
                "kept": sorted(self._pictures),
            }
            if version == 0:
                update.update(title=self._title, token=self.token, size=self._size)
            if self._link_version > version:
                update["link"] = self._link
            if self._places_version > version:
                update["places"] = self._places
            return self._version, update

    # With the lock held.

    def _set_link(self, state: str, reason: str) -> None:
        with self._changed:
            self._version += 1
            self._link = {"state": state, "since": time.time(), "reason": reason}
            self._link_version = self._version
            self._changed.notify_all()

    def _count(self, source: _Source) -> None:
        source.total += 1
        second = int(self._clock())
        if source.seconds and source.seconds[-1][0] == second:
            source.seconds[-1] = (second, source.seconds[-1][1] + 1)
        else:
            source.seconds.append((second, 1))

    def _add_pictures(
        self, name: str, source: _Source, sighting: Sighting, seen: Seen
    ) -> list[int]:
        """Returns the numbers of the object's pictures."""
        numbers = []
        for evidence in seen.evidence:
            same = self._same_picture(source, evidence)
            if same is None:
                self._numbers += 1
                same = Picture(
                    self._numbers, name, sighting.time, "", evidence, "", [], self._version
                )
                if evidence.stored:
                    same.why_not = self._readable(evidence.uri)
                self._pictures[same.number] = same
                source.pictures.append(same.number)
                if evidence.kind == "frame" and evidence.stored and not same.why_not:
                    source.background = same.number
            same.version = self._version
            others = sighting.objects if evidence.kind == "frame" else (seen,)
            known = {each.id for each in same.objects}
            same.objects += [each for each in others if not each.id or each.id not in known]
            del same.objects[_MOST_OBJECTS:]
            if not same.about:
                events = ", ".join(filter(None, (_describe(each) for each in seen.events)))
                same.about = " ".join(filter(None, (seen.label, seen.id, events)))
            numbers.append(same.number)
        while len(source.pictures) > self._keep:
            del self._pictures[source.pictures.popleft()]
        return numbers

    def _same_picture(self, source: _Source, evidence: Evidence) -> Picture | None:
        """The frame's picture belongs to all its objects."""
        if evidence.kind == "frame" and evidence.stored:
            for number in source.pictures:
                if self._pictures[number].evidence.uri == evidence.uri:
                    return self._pictures[number]
        return None

    def _add_events(self, name: str, moment: str, seen: Seen, numbers: list[int]) -> None:
        for event in seen.events:
            key = (name, moment, seen.id, event)
            if key in self._recent:
                continue  # several events of an object are several messages, each with all
            self._recent.append(key)
            self._events.append(
                {
                    "version": self._version,
                    "source": name,
                    "time": moment,
                    "object": " ".join(filter(None, (seen.label, seen.id))),
                    "type": event.type,
                    "where": " ".join(filter(None, (event.name, event.direction))),
                    "seconds": event.seconds,
                    "count": event.count,
                    "pictures": numbers,
                }
            )

    def _show_source(self, name: str, source: _Source) -> dict[str, Any]:
        return {
            "name": name,
            "time": source.time,
            "objects": [_show_object(each) for each in source.objects],
            "counts": [[kind, what, value] for (kind, what), value in source.counts.items()],
            "background": source.background,
        }

    def _show_picture(self, picture: Picture) -> dict[str, Any]:
        evidence = picture.evidence
        return {
            "number": picture.number,
            "source": picture.source,
            "time": picture.time,
            "kind": evidence.kind,
            "about": picture.about,
            "uri": evidence.uri,
            "reason": picture.why_not if evidence.stored else evidence.reason or "no reason given",
            "state": ("hidden" if picture.why_not else "shown") if evidence.stored else "lost",
            "objects": [_show_object(each) for each in picture.objects],
        }


def _show_object(seen: Seen) -> dict[str, Any]:
    return {"id": seen.id, "label": seen.label, "confidence": seen.confidence, "box": seen.box}


def _describe(event: Any) -> str:  # noqa: ANN401 - Event
    return " ".join(filter(None, (event.type, event.name, event.direction)))
