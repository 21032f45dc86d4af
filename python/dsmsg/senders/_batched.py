# SPDX-License-Identifier: Apache-2.0
"""Several frames in one message.

Threads: as in `_sender`.
"""

from __future__ import annotations

import time

from dsmsg._connect import Where
from dsmsg.adaptor import ConfigLike, Connection
from dsmsg.senders._metadata import Meta
from dsmsg.senders._sender import Transform
from dsmsg.senders._single import FrameSender

__all__ = ["BatchedSender"]

_OPEN, _CLOSE = b'{"frames":[', b"]}"


class BatchedSender(FrameSender):
    """Sends `{"frames": [...]}`, with frames as `SingleTopicSender` sends them.

    A message goes when it has `batch_size` frames, when one more would make it larger than
    `max_bytes`, when a frame comes and the first one has waited for `max_delay`, and at `flush` and
    `close`. It has no key, since it may hold frames of several sources.
    """

    def __init__(
        self,
        where: Where | Connection = None,
        config: ConfigLike = None,
        *,
        topic: str,
        batch_size: int = 10,
        max_bytes: int = 900_000,
        max_delay: float = 1.0,
        every: int = 1,
        transform: Transform | None = None,
        raise_errors: bool = False,
    ) -> None:
        """Connects.

        Args:
            where: as for `SingleTopicSender`.
            config: as for `SingleTopicSender`.
            topic: where to.
            batch_size: frames of a message, at most.
            max_bytes: size of a message; a frame that is larger by itself is sent alone.
            max_delay: seconds.
            every: as for `SingleTopicSender`.
            transform: gets each frame, and may change it; None in return: it is left out.
            raise_errors: as for `SingleTopicSender`.

        Raises:
            DsmsgError: as `dsmsg.connect`.
            ValueError: `batch_size` or `every` is less than 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: at least 1")
        super().__init__(where, config, every=every, transform=transform, raise_errors=raise_errors)
        self.topic = topic
        self._batch_size, self._max_bytes, self._max_delay = batch_size, max_bytes, max_delay
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._since = 0.0

    def _handle(self, frame: Meta, due: bool) -> None:
        text = self._encode(self._message(frame)) if due else None
        if text is not None:
            if self._bytes + len(text) + 1 > self._max_bytes:
                self._send_waiting()
            if not self._waiting:
                self._since, self._bytes = time.monotonic(), len(_OPEN) + len(_CLOSE)
            self._waiting.append(text)
            self._bytes += len(text) + 1
        late = time.monotonic() - self._since >= self._max_delay
        if len(self._waiting) >= self._batch_size or late:
            self._send_waiting()

    def _send_waiting(self) -> None:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if waiting:
            self._submit(self.topic, _OPEN + b",".join(waiting) + _CLOSE, None)

    def _state(self) -> dict[str, int]:
        return {"waiting": len(self._waiting)}
