# SPDX-License-Identifier: Apache-2.0
"""What all senders do: walk through a batch, send, count, and keep exceptions from the pipeline.

Threads: `handle_metadata` may run on several streaming threads; one lock guards the state, which
classes below keep too, another one the counts.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Optional, TypeVar

from dsmsg._connect import Where, connect
from dsmsg.adaptor import ConfigLike, Connection
from dsmsg.errors import DsmsgError, Result
from dsmsg.senders._metadata import Meta, frames, source_of

__all__ = ["Sender", "SenderCounts", "Transform"]

Transform = Callable[[dict[str, Any]], Optional[Mapping[str, Any]]]
"""Gets each message before it is encoded; returns it, another one, or None for none at all."""

_logger = logging.getLogger("dsmsg.senders")
_LAST_CALLBACKS = 5.0  # seconds that flush waits for them
_QUIET = 60.0  # seconds between two log lines about errors
_S = TypeVar("_S", bound="Sender")


@dataclasses.dataclass(frozen=True)
class SenderCounts:
    """What a sender has done since it was made.

    Attributes:
        batches: calls of `handle_metadata`.
        frames: frames in them.
        messages: messages that the adaptor took.
        acknowledged: of these: acknowledged by the broker, or durable in the spool.
        failed: of these: ended with an error.
        refused: messages that the adaptor did not take (a full queue with `overflow=reject`, a
            closed connection).
        errors: batches, frames and objects that could not be read, and errors of `transform`.
        tracks: objects in view now.
        waiting: frames that wait for their message to be full.
    """

    batches: int = 0
    frames: int = 0
    messages: int = 0
    acknowledged: int = 0
    failed: int = 0
    refused: int = 0
    errors: int = 0
    tracks: int = 0
    waiting: int = 0


class Sender:
    """The base of all senders."""

    def __init__(
        self,
        where: Where | Connection,
        config: ConfigLike,
        *,
        every: int,
        transform: Transform | None,
        raise_errors: bool,
    ) -> None:
        """Connects, unless `where` is a connection; that one is not closed by this object."""
        if every < 1:
            raise ValueError(f"every={every}: at least 1")
        self._owns = not isinstance(where, Connection)
        if isinstance(where, Connection):
            self.connection = where
        else:
            self.connection = connect(where, config)
        self._every = every
        self._transform = transform
        self._raise = raise_errors
        self._lock = threading.Lock()
        self._counts_lock = threading.Condition()  # a send may wait for room with _lock held
        self._counts = dict.fromkeys((f.name for f in dataclasses.fields(SenderCounts)), 0)
        self._seen: dict[int | None, int] = {}  # frames of each source, for `every`
        self._quiet_until = 0.0
        self.last_error: Exception | None = None

    def __enter__(self: _S) -> _S:
        """Returns the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes."""
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.connection!r}>"

    # For probes.

    def handle_metadata(self, batch_meta: Meta) -> None:
        """Sends what a batch holds, without waiting for the broker.

        It keeps no reference to the metadata. An exception goes to the log (once a minute), to
        `last_error` and to `counts().errors`, and only with `raise_errors=True` to the caller.

        Args:
            batch_meta: `BatchMetadata` of pyservicemaker, or `NvDsBatchMeta` of pyds.
        """
        self._count("batches")
        with self._lock:
            try:
                for frame in frames(batch_meta):
                    self._count("frames")
                    try:
                        self._handle(frame, self._is_due(source_of(frame)))
                    except Exception as error:
                        self._failed("a frame", error)
            except Exception as error:
                if self._raise:
                    raise
                self._failed("a batch", error)

    def probe(self, name: str = "dsmsg") -> Meta:
        """Returns a `Probe` of pyservicemaker, for `pipeline.attach("tracker", sender.probe())`.

        Raises:
            ImportError: pyservicemaker is not installed.
        """
        import pyservicemaker

        handle = self.handle_metadata

        class Operator(pyservicemaker.BatchMetadataOperator):  # type: ignore[misc]  # Any
            def handle_metadata(self, batch_meta: Meta) -> None:
                handle(batch_meta)

        return pyservicemaker.Probe(name, Operator())

    def pad_probe(self, pad: Meta, info: Meta, *_: Meta) -> Meta:
        """A buffer probe with pyds: `pad.add_probe(Gst.PadProbeType.BUFFER, sender.pad_probe)`."""
        del pad
        import pyds
        from gi.repository import Gst

        buffer = info.get_buffer()
        batch = None if buffer is None else pyds.gst_buffer_get_nvds_batch_meta(hash(buffer))
        if batch is not None:
            self.handle_metadata(batch)
        return Gst.PadProbeReturn.OK

    # For the program.

    def counts(self) -> SenderCounts:
        """Returns what was done so far."""
        with self._lock, self._counts_lock:
            return SenderCounts(**{**self._counts, **self._state()})

    def flush(self, timeout: float = 10.0) -> bool:
        """Sends what waits, and waits for the acknowledgement of all; False if some are missing.

        Args:
            timeout: seconds.

        Raises:
            ClosedError: the connection was closed.
        """
        with self._lock:
            self._send_waiting()
        if not self.connection.flush(timeout):
            return False
        with self._counts_lock:  # the last callbacks may be under way
            sent = self._counts["messages"]
            self._counts_lock.wait_for(
                lambda: self._counts["acknowledged"] + self._counts["failed"] >= sent,
                min(timeout, _LAST_CALLBACKS),
            )
        return True

    def close(self) -> None:
        """Sends what waits, flushes (for at most `flush-timeout`) and ends the connection.

        A connection that was given is flushed and stays open.
        """
        if self.connection.closed:
            return
        try:
            with self._lock:
                self._at_end()
                self._send_waiting()
        except Exception as error:
            self._failed("what was left", error)
        finally:
            if self._owns:
                self.connection.disconnect()
            else:
                self.connection.flush(10)

    # For the classes below.

    def _handle(self, frame: Meta, due: bool) -> None:
        """Takes one frame, with the lock held; `due`: `every` says that it is to be sent."""
        raise NotImplementedError

    def _at_end(self) -> None:
        """Sends what the end itself has to tell, with the lock held."""

    def _send_waiting(self) -> None:
        """Sends what waits for more, with the lock held."""

    def _state(self) -> dict[str, int]:
        return {}

    def _is_due(self, source: int | None) -> bool:
        if self._every == 1:
            return True
        if len(self._seen) >= 4096 and source not in self._seen:
            self._seen.clear()
        seen = self._seen.get(source, 0)
        self._seen[source] = (seen + 1) % self._every
        return seen == 0

    def _encode(self, message: dict[str, Any]) -> bytes | None:
        wanted = message if self._transform is None else self._transform(message)
        if wanted is None:
            return None
        return json.dumps(wanted, separators=(",", ":"), allow_nan=False).encode()

    def _send(self, topic: str, message: dict[str, Any]) -> None:
        """Encodes and queues one message; its key is its source, which keeps those in order."""
        source = message["source_id"]
        payload = self._encode(message)
        if payload is not None:
            self._submit(topic, payload, None if source is None else b"%d" % source)

    def _submit(self, topic: str, payload: bytes, key: bytes | None) -> None:
        try:
            if key is None:
                self.connection.send_async(topic, payload, self._ended)
            else:
                self.connection.send_message(topic, payload, self._ended, key=key)
        except DsmsgError as error:
            self._count("refused")
            self._tell("a message was refused", error)
        else:
            self._count("messages")

    def _ended(self, result: Result) -> None:
        self._count("acknowledged" if result is Result.OK else "failed")

    def _count(self, what: str) -> None:
        with self._counts_lock:
            self._counts[what] += 1
            self._counts_lock.notify_all()

    def _failed(self, what: str, error: Exception) -> None:
        self._count("errors")
        self._tell(f"cannot read {what}", error)

    def _tell(self, what: str, error: Exception) -> None:
        if self._raise:
            raise error
        self.last_error = error
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            _logger.warning(
                "%s: %s: %s (counts() says how many)", what, type(error).__name__, error
            )
