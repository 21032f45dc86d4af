# SPDX-License-Identifier: Apache-2.0
"""A real Pulsar: its rigs need Java, so `make faults` and `make test-pulsar` run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from brokers.pulsar_client import PulsarClient
from dsmsg.brokers.pulsar import PulsarBroker

from faults.books import number_of
from faults.rigs import HOST_NAME, Rig

__all__ = ["PulsarDedupRig", "PulsarRig"]

_LISTENER = "faults"
_TOPICS = "persistent/public/default"


class PulsarRig(Rig):
    """Topics without partitions, read with the official client."""

    name: ClassVar[str] = "pulsar"
    adaptor = kind = "pulsar"
    reorders = ("refused",)
    properties: ClassVar[dict[str, str]] = {}
    broker: PulsarBroker

    def _configure(self) -> None:
        # Clients that come through the proxy are led through the proxy, by name.
        own = "own:pulsar://{host}:{port}"
        listeners = f"{own},{_LISTENER}:pulsar://{HOST_NAME}:{self.proxy.port}"
        self.broker.configure(
            {
                "properties": {
                    "advertisedListeners": listeners,
                    "internalListenerName": "own",
                    "backlogQuotaCheckIntervalInSeconds": "1",
                    **self.properties,
                }
            }
        )

    @cached_property
    def _reader(self) -> PulsarClient:
        return PulsarClient(self.broker.url)

    def close(self) -> None:
        """Ends everything."""
        if "_reader" in self.__dict__:
            self._reader.close()
        super().close()

    def sender(self, connection: str, topic: str, *, name: str = "", **more: object) -> Any:  # noqa: ANN401
        """Connects a pipeline."""
        if connection.startswith(HOST_NAME):
            more["listener_name"] = _LISTENER
        return super().sender(connection, topic, name=name, **more)

    def make_topic(self, topic: str) -> None:
        """Makes it: the reader cannot read one that nothing was sent to."""
        self.broker.admin("PUT", f"{_TOPICS}/{topic}", "{}")

    def received(self, topic: str) -> list[int]:
        """Reads the topic to its end."""
        return [number_of(message.payload) for message in self._reader.read(topic)]

    def refuse_writes(self, topic: str) -> Callable[[], object] | None:
        """Makes its backlog full: an unread subscription, and a quota of ten bytes."""
        quota = json.dumps({"limitSize": 10, "limitTime": -1, "policy": "producer_exception"})
        subscription = f"{_TOPICS}/{topic}/subscription/slow"
        self.broker.admin("PUT", subscription, '{"ledgerId":-1,"entryId":-1}')
        self.broker.admin("POST", "namespaces/public/default/backlogQuota", quota)

        def end() -> None:
            self.broker.admin("DELETE", "namespaces/public/default/backlogQuota")
            self.broker.admin("DELETE", f"{subscription}?force=true")

        return end

    def delete_topic(self, topic: str) -> None:
        """Deletes it with its producers; the server makes it again for the next one."""
        self.broker.admin("DELETE", f"{_TOPICS}/{topic}?force=true")


class PulsarDedupRig(PulsarRig):
    """With deduplication: what is sent again over a lost link is there once."""

    name = "pulsar-dedup"
    duplicates = False
    properties: ClassVar[dict[str, str]] = {"brokerDeduplicationEnabled": "true"}
