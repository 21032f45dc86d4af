# SPDX-License-Identifier: Apache-2.0
"""Which objects are in view of which source: tells of new and of lost tracks.

What it remembers is bounded, so it can watch cameras for months.

Threads: one at a time; the owner has a lock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Tracks"]

_MOST_SOURCES = 4096


@dataclass
class _Track:
    class_id: int | None
    first_frame: int | None
    last_frame: int | None
    seen_at: int  # the source's own count of frames
    frames: int = 1


@dataclass
class _Source:
    count: int = 0
    tracks: OrderedDict[int, _Track] = field(default_factory=OrderedDict)  # longest unseen first


class Tracks:
    """State across frames."""

    def __init__(self, lost_after: int, most: int) -> None:
        """Takes the bounds.

        Args:
            lost_after: frames of its source without an object until its track is lost.
            most: tracks of one source; a new one then replaces the one that was unseen for longest,
                which is lost.
        """
        self._lost_after = lost_after
        self._most = most
        self._sources: OrderedDict[int | None, _Source] = OrderedDict()

    def __len__(self) -> int:
        """Returns how many tracks are in view, of all sources."""
        return sum(len(source.tracks) for source in self._sources.values())

    def see(
        self, source_id: int | None, frame: int | None, objects: Iterable[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Takes the objects of one frame; returns the events, new ones first."""
        source = self._sources.setdefault(source_id, _Source())
        self._sources.move_to_end(source_id)
        if len(self._sources) > _MOST_SOURCES:
            self._sources.popitem(last=False)
        source.count += 1
        new: list[dict[str, Any]] = []
        lost: list[dict[str, Any]] = []
        for item in objects:
            number = item["object_id"]
            if number is None:
                continue
            track = source.tracks.get(number)
            if track is None:
                source.tracks[number] = _Track(item["class_id"], frame, frame, source.count)
                new.append({"type": "new", **item})
                if len(source.tracks) > self._most:
                    lost.append(_lost(*source.tracks.popitem(last=False), "too many tracks"))
            elif track.seen_at != source.count:
                track.last_frame, track.seen_at = frame, source.count
                track.frames += 1
                source.tracks.move_to_end(number)
        while source.tracks:
            number, track = next(iter(source.tracks.items()))
            if source.count - track.seen_at < self._lost_after:
                break
            lost.append(_lost(number, source.tracks.pop(number), "unseen"))
        return new + lost

    def end(self) -> list[tuple[int | None, list[dict[str, Any]]]]:
        """Ends all tracks; returns the events of each source that had some."""
        ended = [
            (name, [_lost(number, track, "end") for number, track in source.tracks.items()])
            for name, source in self._sources.items()
            if source.tracks
        ]
        self._sources.clear()
        return ended


def _lost(number: int, track: _Track, reason: str) -> dict[str, Any]:
    return {
        "type": "lost",
        "object_id": number,
        "class_id": track.class_id,
        "first_frame": track.first_frame,
        "last_frame": track.last_frame,
        "frames": track.frames,
        "reason": reason,
    }
