# SPDX-License-Identifier: Apache-2.0
"""Detections, tracking events and frame metadata, each to a topic of its own.

Threads: as in `_sender`.
"""

from __future__ import annotations

from dsmsg._connect import Where
from dsmsg.adaptor import ConfigLike, Connection
from dsmsg.senders._metadata import Meta, frame_header
from dsmsg.senders._sender import Transform
from dsmsg.senders._single import FrameSender
from dsmsg.senders._tracks import Tracks

__all__ = ["MultiTopicSender"]


class MultiTopicSender(FrameSender):
    """Sends what is in a frame to up to three topics.

    All messages have `frame_number`, `buffer_pts`, `ntp_timestamp` and `source_id`; beside these,
    detections have `detections`, frame metadata `object_count`, and tracking events `events`: of
    the type "new" with the fields of the object, or of the type "lost" with `object_id`,
    `class_id`, `first_frame`, `last_frame`, `frames` (in which it was seen) and `reason`. A frame
    in which no track began or ended has no tracking events.
    """

    def __init__(
        self,
        where: Where | Connection = None,
        config: ConfigLike = None,
        *,
        detections: str | None = "object-detections",
        tracking: str | None = "tracking-events",
        frames: str | None = "frame-metadata",
        lost_after: int = 30,
        max_tracks: int = 10_000,
        every: int = 1,
        transform: Transform | None = None,
        raise_errors: bool = False,
    ) -> None:
        """Connects.

        Args:
            where: as for `SingleTopicSender`.
            config: as for `SingleTopicSender`.
            detections: topic; None sends none.
            tracking: topic; None sends none.
            frames: topic of the frame metadata; None sends none.
            lost_after: a track is lost after so many frames of its source without it.
            max_tracks: tracks to remember for each source; beyond it, the one that was unseen for
                longest is lost.
            every: sends detections and metadata of each so many frames of a source; tracks are
                followed in all.
            transform: as for `SingleTopicSender`.
            raise_errors: as for `SingleTopicSender`.

        Raises:
            DsmsgError: as `dsmsg.connect`.
            ValueError: a number is less than 1.
        """
        if lost_after < 1 or max_tracks < 1:
            raise ValueError(f"lost_after={lost_after}, max_tracks={max_tracks}: at least 1")
        super().__init__(where, config, every=every, transform=transform, raise_errors=raise_errors)
        self._detections, self._tracking, self._frames = detections, tracking, frames
        self._tracks = Tracks(lost_after, max_tracks)

    def _handle(self, frame: Meta, due: bool) -> None:
        found = list(self._objects(frame))
        header = frame_header(frame)
        if self._tracking is not None:
            events = self._tracks.see(header["source_id"], header["frame_number"], found)
            if events:
                self._send(self._tracking, {**header, "events": events})
        if due and self._detections is not None:
            self._send(self._detections, {**header, "detections": found})
        if due and self._frames is not None:
            self._send(self._frames, {**header, "object_count": len(found)})

    def _at_end(self) -> None:
        for source, events in self._tracks.end():
            header = dict.fromkeys(("frame_number", "buffer_pts", "ntp_timestamp"))
            if self._tracking is not None:
                self._send(self._tracking, {**header, "source_id": source, "events": events})

    def _state(self) -> dict[str, int]:
        return {"tracks": len(self._tracks)}
