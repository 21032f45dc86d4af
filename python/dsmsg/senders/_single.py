# SPDX-License-Identifier: Apache-2.0
"""A message for each frame.

Threads: as in `_sender`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from dsmsg._connect import Where, with_settings
from dsmsg.adaptor import ConfigLike, Connection
from dsmsg.senders._metadata import Meta, frame_header, frame_size, object_of, objects, pad_index
from dsmsg.senders._sender import Sender, Transform

__all__ = ["FrameSender", "ResilientSender", "SingleTopicSender"]


class FrameSender(Sender):
    """What makes a message of a frame."""

    def _objects(self, frame: Meta) -> Iterator[dict[str, Any]]:
        """Yields the readable objects of a frame."""
        for item in objects(frame):
            try:
                fields = object_of(item)
            except Exception as error:
                self._failed("an object", error)
            else:
                yield fields

    def _message(self, frame: Meta) -> dict[str, Any]:
        found = list(self._objects(frame))
        return {
            **frame_header(frame),
            "pad_index": pad_index(frame),
            "frame_metadata": frame_size(frame),
            "objects": found,
            "object_count": len(found),
        }


class SingleTopicSender(FrameSender):
    """Sends a message for each frame, with its objects, to one topic.

    `frame_number`, `buffer_pts` and `ntp_timestamp` (ns), `source_id`, `pad_index`,
    `frame_metadata` (sizes in pixels), `objects` (`class_id`, `confidence`, `object_id`, `bbox`,
    where there are, `label` and `attributes`), `object_count`. The key is the source.
    """

    def __init__(
        self,
        where: Where | Connection = None,
        config: ConfigLike = None,
        *,
        topic: str,
        every: int = 1,
        transform: Transform | None = None,
        raise_errors: bool = False,
    ) -> None:
        """Connects.

        Args:
            where: an address, as for `dsmsg.connect`, or a connection, which stays yours.
            config: more settings, as for `dsmsg.connect`.
            topic: where to.
            every: sends each so many frames of a source.
            transform: gets each message, and may change it; None in return: it is not sent.
            raise_errors: exceptions leave `handle_metadata`, and so may end the pipeline.

        Raises:
            DsmsgError: as `dsmsg.connect`.
            ValueError: `every` is less than 1.
        """
        super().__init__(where, config, every=every, transform=transform, raise_errors=raise_errors)
        self.topic = topic

    def _handle(self, frame: Meta, due: bool) -> None:
        if due:
            self._send(self.topic, self._message(frame))


class ResilientSender(SingleTopicSender):
    """A `SingleTopicSender` that starts without its broker and keeps messages on the disk.

    While the broker is away, messages go to the spool, and from there to the broker when it is
    back, also after a restart of the program or of the machine (`spool-sync=full`).
    """

    def __init__(
        self,
        where: Where = None,
        config: ConfigLike = None,
        *,
        topic: str,
        spool_dir: str | os.PathLike[str],
        every: int = 1,
        transform: Transform | None = None,
        raise_errors: bool = False,
    ) -> None:
        """Connects, sooner or later.

        Args:
            where: an address, as for `dsmsg.connect`.
            config: more settings; they win over those that make this class.
            topic: where to.
            spool_dir: a folder of this sender's own.
            every: as for `SingleTopicSender`.
            transform: as for `SingleTopicSender`.
            raise_errors: as for `SingleTopicSender`.

        Raises:
            DsmsgError: a setting is wrong, or the folder cannot be used; not: no broker.
        """
        settings: Mapping[str, object] = {"connect": "lazy", "spool-dir": os.fspath(spool_dir)}
        where, config = with_settings(where, config, settings)
        super().__init__(
            where, config, topic=topic, every=every, transform=transform, raise_errors=raise_errors
        )
