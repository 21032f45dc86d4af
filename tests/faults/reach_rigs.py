# SPDX-License-Identifier: Apache-2.0
"""HTTP, and one sink with several destinations."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from dsmsg.brokers import Broker, make

from faults.books import number_of
from faults.rigs import RedisRig, Rig, read_redis

__all__ = ["HttpRig", "MultiFailoverRig", "MultiRig"]


class HttpRig(Rig):
    """A web server that keeps each request in a file before it answers; the file is read.

    A request whose Idempotency-Key it has already counts once, as with a server that knows the
    header. So a message that is sent again under another key is a duplicate.
    """

    name = adaptor = kind = "http"
    duplicates = duplicates_after_restart = False
    options: ClassVar[dict[str, object]] = {"key": "${sensor.id}"}
    quick: ClassVar[dict[str, object]] = {"connect-timeout": "1500ms", "request-timeout": "1500ms"}

    def received(self, topic: str) -> list[int]:
        """Reads the file."""
        numbers, keys = [], set()
        with (self.broker.dir / "messages").open(encoding="ascii") as lines:
            for line in lines:
                entry = json.loads(line)
                key = entry["headers"]["Idempotency-Key"]
                if entry["topic"] != topic or key in keys:
                    continue
                keys.add(key)
                numbers.append(number_of(base64.b64decode(entry["body"])))
        return numbers

    def refuse_writes(self, topic: str) -> Callable[[], object] | None:
        """Has it answer 503."""

        def answer(status: int) -> None:
            order = json.dumps({"topic": topic, "status": status})
            client = http.client.HTTPConnection(self.broker.host, self.broker.port, timeout=60)
            client.request("POST", "/.store/refuse", order)
            assert client.getresponse().status == 200
            client.close()

        answer(503)
        return lambda: answer(0)


class MultiRig(RedisRig):
    """Two Redis servers, of which the second is never disturbed: both must have every message.

    Each may hold up the other while it is up (overflow=block): on a busy machine the second is the
    slower one at times, and its queue of 500 would evict.
    """

    name: ClassVar[str] = "multi"
    adaptor = "multi"
    audited = ()  # nothing can be read back through it
    options: ClassVar[dict[str, object]] = {}
    mode: ClassVar[str] = "all"
    # While one destination is up, the other one's queue decides, not the spool of both.
    spool_for_outages = False

    def __init__(self, folder: Path) -> None:
        """Starts both servers."""
        self._other = self._durable(make(self.kind)).start()
        super().__init__(folder)

    @staticmethod
    def _durable(broker: Broker) -> Broker:
        broker.configure({"config": ["appendonly yes", "appendfsync always"]})
        return broker

    def close(self) -> None:
        """Ends both."""
        self._other.close()
        super().close()

    def at(self, host: str, port: int) -> str:
        """Path of a handlers file."""
        uris = {"near": f"redis://{host}:{port}", "far": f"redis://{self._other.address}"}
        config = {"streamsize": 0, "overflow": "block"}
        handlers = {
            name: {"topics": "*", "uri": uri, "config": config} for name, uri in uris.items()
        }
        path = self.folder / f"handlers-{port}.json"
        path.write_text(json.dumps({"output": {"handlers": handlers}}), encoding="utf-8")
        return str(path)

    def sender(self, connection: str, topic: str, *, name: str = "", **more: object) -> Any:  # noqa: ANN401
        """Connects a pipeline."""
        return super().sender(connection, topic, name=name, mode=self.mode, **more)

    def received(self, topic: str) -> list[int]:
        """Reads both streams: what only one of them has is lost."""
        far = set(read_redis(self._other, topic))
        return [number for number in read_redis(self.broker, topic) if number in far]


class MultiFailoverRig(MultiRig):
    """The second one has what the first one did not take."""

    name = "multi-failover"
    mode = "failover"
    keeps_order = False

    def sender(self, connection: str, topic: str, *, name: str = "", **more: object) -> Any:  # noqa: ANN401
        """Connects a pipeline that goes over soon."""
        quick = {"failover_after": "200ms", "failback_after": "200ms"}
        return super().sender(connection, topic, name=name, **{**quick, **more})

    def received(self, topic: str) -> list[int]:
        """Reads both streams."""
        return read_redis(self.broker, topic) + read_redis(self._other, topic)
