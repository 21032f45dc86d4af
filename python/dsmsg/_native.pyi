# SPDX-License-Identifier: Apache-2.0
"""The hot path, in C++ (csrc/python): sends and receives without Python's lock.

`dsmsg.Connection` uses it; it knows an adaptor by its path and a connection by its handle, both of
which the Python side opened and will close. Topics are given as text or as bytes.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dsmsg._message import Message
from dsmsg._types import Payload

REFUSED: int
"""Code of a message that was not accepted (in `Sender.send_many`)."""
UNFINISHED: int
"""Code of a message without a result within the time-out."""

def explain_load_error(path: str, error: str) -> str:
    """Returns why an adaptor does not load and what to do; `error` is dlerror's text."""

def machine_of_library(path: str) -> str:
    """Returns the kind of machine a library is for ("x86-64", ...), "" for a file that is not one."""

def check_template(text: str) -> None:
    """Raises ValueError: the template of a route is wrong, and how."""

def space_rules(path: str) -> dict[str, Any]:
    """Returns the lines and zones of a file (docs/space.md), checked as a whole.

    `pixels` (else parts of the picture), `size` (width and height of the picture that the pixels
    refer to; 0: not said), and `sources`: by name or number ("*": all others) `lines` with `name`,
    `points` and `directions`, `zones` with `name` and `points`.

    Raises ValueError with file, line, column and what to do; OSError for what cannot be read.
    """

def map_tables() -> str:
    """Returns the tables of a map's values and lists, as Markdown."""

def full_sample() -> str:
    """Returns a sample of metadata, as JSON, in which every value has something."""

class Map:
    """A map (csrc/msgconv/map.h), checked.

    Raises ValueError with file, line, column and what to do; OSError for what cannot be read.
    """

    def __init__(self, text: str, origin: str) -> None: ...
    @staticmethod
    def load(path: str) -> Map: ...
    @property
    def each(self) -> str:
        """frame, object, event, track or message."""

    @property
    def format(self) -> str:
        """Json or protobuf."""

    @property
    def was_json(self) -> bool:
        """Whether the last payload given to `apply` was JSON."""

    def apply(
        self,
        payload: Payload,
        topic: str = "",
        key: Payload | None = None,
        headers: Sequence[tuple[str, bytes]] = ...,
        timestamp_ms: int = -1,
        offset: int = -1,
        partition: int = -1,
        id: str = "",
        separator: str = "/",
    ) -> bytes | None:
        """Maps a received message; None: the map's condition leaves it out."""

    def try_sample(self, sample: str, origin: str) -> list[bytes]:
        """Maps a sample of metadata (`full_sample`); `origin` is its file's name in errors."""

class Route:
    """A route of a bridge (csrc/bridge/route.h).

    After `end`: disconnect the destination, then the source; it must live until then.

    Raises ValueError for a template, RuntimeError for an adaptor that is not ours.
    """

    def __init__(
        self,
        source: tuple[str, int],
        destination: tuple[str, int],
        topics: Sequence[str],
        topic: str,
        payload: str,
        key: str | None,
        headers: Sequence[tuple[str, str]],
        copy_headers: bool,
        key_base64: bool,
        value_base64: bool,
        separator: str,
        stop_on_refused: bool,
        most_messages: int,
        most_bytes: int,
        map: Map | None = None,
    ) -> None: ...
    def start(self) -> int:
        """Subscribes; returns the adaptor's answer."""

    def end(self) -> None:
        """Takes no further message, and calls the destination no more."""

    def stats(self) -> dict[str, Any]:
        """Returns Route::Stats."""

class Sender:
    """Sends, and hands out results.

    Raises, in every call after `close`: dsmsg.ClosedError. A payload that is text: TypeError; one
    that is not contiguous: BufferError.
    """

    def __init__(self, path: str, handle: int) -> None: ...
    def send_async(
        self,
        topic: str | bytes | None,
        payload: Payload,
        done: Callable[..., object],
        key: Payload | None = None,
        headers: Sequence[tuple[str | bytes, str | bytes]] = ...,
        timestamp_ms: int = 0,
    ) -> int:
        """Queues one message; returns the adaptor's answer, and with 0 `done` comes from `work`."""

    def send_many(
        self,
        topic: str | bytes | None,
        payloads: Sequence[Payload],
        keys: Sequence[Payload] | None,
        timeout: float,
    ) -> bytes:
        """Queues all and waits for `timeout` seconds (negative: for ever); a code for each."""

    def work(self) -> list[tuple[Callable[..., object], int]] | None:
        """Calls do_work until there are results; None after `stop`. One thread at a time."""

    def take(self) -> list[tuple[Callable[..., object], int]]:
        """Returns the results that are there."""

    def stop(self) -> None:
        """Ends `work`."""

    def close(self) -> None:
        """Waits for calls that run, and refuses new ones."""

    @property
    def pending(self) -> int:
        """Messages without a result, and results not taken."""

class Receiver:
    """Receives; every message is acknowledged with `ack`. It must live until `disconnect`."""

    def __init__(self, path: str, handle: int, make: Callable[..., Message]) -> None: ...
    def subscribe(self, topics: Sequence[str | bytes]) -> int:
        """Subscribes; returns the adaptor's answer."""

    def take(self, most: int, timeout: float) -> list[Message] | None:
        """Waits for `timeout` seconds (negative: for ever); None after `close`."""

    def ack(self, number: int) -> int:
        """Acknowledges a message; returns the adaptor's answer."""

    def close(self) -> None:
        """Ends waiting; what waits is not acknowledged."""
