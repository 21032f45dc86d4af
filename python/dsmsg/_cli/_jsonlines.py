# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON objects, one a line: what `sub --json` and `spool export` print."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, Optional, Union

if TYPE_CHECKING:
    from dsmsg.adaptor import Connection

__all__ = ["Input", "Outgoing", "field_of", "read", "text_input"]

Input = Union[IO[bytes], io.BufferedReader]


@dataclass(frozen=True)
class Outgoing:
    """A message to send; `topic` None is the configured one, `timestamp_ms` 0 is now."""

    topic: Optional[str] = None
    payload: bytes = b""
    key: Optional[bytes] = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    timestamp_ms: int = 0

    def carrying(self, payload: bytes) -> Outgoing:
        """Returns the same with another payload."""
        return replace(self, payload=payload)

    def send(self, connection: Connection, callback: Callable[..., object]) -> None:
        """Sends it; only what needs `dsmsg_send_message` asks for it.

        Raises:
            DsmsgError: the adaptor refused it.
        """
        if self.key is None and not self.headers and not self.timestamp_ms:
            connection.send_async(self.topic, self.payload, callback)
        else:
            connection.send_message(
                self.topic,
                self.payload,
                callback,
                key=self.key,
                headers=self.headers,
                timestamp_ms=self.timestamp_ms,
            )


def text_input(data: bytes) -> Input:
    """Returns bytes as an input."""
    return io.BytesIO(data)


def field_of(name: str, value: bytes) -> dict[str, object]:
    """Returns a field for JSON; what is not UTF-8 is under `<name>_base64`."""
    try:
        return {name: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode("ascii")}


def read(lines: Input, plain: Outgoing) -> Iterator[Outgoing]:
    """Reads messages; `plain` has what a line does not say.

    Raises:
        ValueError: a line is not such an object.
    """
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            yield _message(json.loads(text), plain)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"line {number} is not a message: {error!r} (expected a JSON object such as "
                '{"topic": "detections", "key": "camera-1", "payload": "text"})'
            ) from None


def _message(fields: dict[str, Any], plain: Outgoing) -> Outgoing:
    payload = _bytes(fields, "payload")
    if payload is None:
        raise KeyError("payload")
    key, topic = _bytes(fields, "key"), _bytes(fields, "topic")
    headers = fields.get("headers")
    return Outgoing(
        topic=plain.topic if topic is None else topic.decode("utf-8", "surrogateescape"),
        payload=payload,
        key=plain.key if key is None else key,
        headers=plain.headers if headers is None else list(_headers(headers)),
        timestamp_ms=int(fields.get("timestamp_ms") or 0),
    )


def _headers(headers: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - of JSON
    """From an object, or from a list of objects with name and value."""
    if isinstance(headers, dict):
        headers = [{"name": name, "value": value} for name, value in headers.items()]
    for each in headers:
        name, value = _bytes(each, "name"), _bytes(each, "value")
        if name is None or value is None:
            raise KeyError("name and value of a header")
        yield name.decode(), value.decode("utf-8", "surrogateescape")


def _bytes(fields: dict[str, Any], name: str) -> Optional[bytes]:
    """A field's bytes: a text, base64 of bytes, or any other value as JSON."""
    if f"{name}_base64" in fields:
        return base64.b64decode(fields[f"{name}_base64"], validate=True)
    value = fields.get(name)
    if value is None:
        return None
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8")
