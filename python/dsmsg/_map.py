# SPDX-License-Identifier: Apache-2.0
"""`dsmsg.Map`: messages made as a YAML file says (docs/maps.md); compiled and run in C++.

Threads: one at a time for each Map.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dsmsg._native_module import native
from dsmsg._types import Payload
from dsmsg.errors import ConfigError, NotSupportedError

if TYPE_CHECKING:
    from dsmsg import _native
    from dsmsg.adaptor import Message

__all__ = ["Map", "full_sample"]


class Map:
    """A map, checked as a whole.

    map = dsmsg.Map("uplink.yaml")
    made = map.apply(b'{"temp": 21.5}', topic="sensors/hall/telemetry")
    """

    def __init__(self, path: str | os.PathLike[str] = "", *, text: str | None = None) -> None:
        """Reads and checks it.

        Args:
            path: the file; with `text`, its name in errors.
            text: what would be in the file.

        Raises:
            ConfigError: something is wrong (the text is file:line:column and what to do), or the
                file cannot be read.
            NotSupportedError: dsmsg._native was not built.
        """
        module = native()
        if module is None:
            raise NotSupportedError(
                "a map needs the module dsmsg._native, which was not built (install the package, "
                "or pybind11 and Python's headers before the build)"
            )
        self._path = os.fspath(path)
        try:
            self._map: _native.Map = (
                module.Map.load(self._path)
                if text is None
                else module.Map(text, self._path or "map")
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def __repr__(self) -> str:
        """Shows the file and what it is for."""
        return f"<Map {self._path!r}: each {self.each}>"

    @property
    def each(self) -> str:
        """What there is a message for: message (received), or frame, object, event, track."""
        return self._map.each

    @property
    def format(self) -> str:
        """Json or protobuf."""
        return self._map.format

    @property
    def was_json(self) -> bool:
        """Whether the last payload given to `apply` was JSON; another one is read as a text."""
        return self._map.was_json

    def apply(
        self,
        payload: Payload,
        *,
        topic: str = "",
        key: Payload | None = None,
        headers: Sequence[tuple[str, bytes | str]] = (),
        timestamp_ms: int | None = None,
        offset: int | None = None,
        partition: int | None = None,
        id: str = "",
        separator: str = "/",
    ) -> bytes | None:
        """Maps a received message.

        Args:
            payload: its bytes.
            topic: that it was sent to.
            key: of the message.
            headers: names and values.
            timestamp_ms: milliseconds since 1970.
            offset: Kafka's.
            partition: Kafka's.
            id: Redis: entry id, AMQP: message-id.
            separator: between the parts of the topic, one character.

        Returns:
            A JSON document; None: the map's condition leaves the message out.

        Raises:
            ConfigError: the map is for metadata.
            TypeError: the payload is text, not bytes.
        """
        rows = [(n, v.encode("utf-8") if isinstance(v, str) else bytes(v)) for n, v in headers]
        try:
            return self._map.apply(
                payload,
                topic,
                key,
                rows,
                -1 if timestamp_ms is None else timestamp_ms,
                -1 if offset is None else offset,
                -1 if partition is None else partition,
                id,
                separator,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def apply_to(self, message: Message, separator: str = "/") -> bytes | None:
        """Maps a received `dsmsg.Message`; see `apply`."""
        return self.apply(
            message.payload,
            topic=message.topic,
            key=message.key,
            headers=message.headers,
            timestamp_ms=message.timestamp_ms,
            offset=message.offset,
            partition=message.partition,
            id=message.id,
            separator=separator,
        )

    def try_sample(self, sample: str, name: str = "sample") -> list[bytes]:
        """Maps a sample of metadata, to see what dsmsgconv would make of it.

        Args:
            sample: JSON, with the names that maps have for the values (`full_sample`).
            name: of the sample, in errors.

        Returns:
            The messages.

        Raises:
            ConfigError: the sample is wrong, or the map is for received messages.
        """
        try:
            return self._map.try_sample(sample, name)
        except ValueError as error:
            raise ConfigError(str(error)) from None


def full_sample() -> str:
    """Returns a sample of metadata in which every value has something."""
    text: str = native().full_sample()
    return text
