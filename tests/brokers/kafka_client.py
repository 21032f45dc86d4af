# SPDX-License-Identifier: Apache-2.0
"""What tests ask of a Kafka server as another client: to create topics and to read them.

A request can end with an error that is about a connection and not about the request. librdkafka
2.12 to 2.16 adds one: a node that the first metadata do not list, because the cluster is just
starting, is forgotten together with the requests that wait for its answer (_DESTROY_BROKER, not
marked as retriable). So every request is repeated until a time limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from brokers.readers import PATIENCE_S, ReaderError

__all__ = ["KafkaRequestError", "delete_topic", "make_topic", "persist", "read_topic"]

Answer = TypeVar("Answer")

_PAUSE_S = 0.05
_QUIET_S = 8.0
_FOR_GOOD = frozenset(
    {
        KafkaError.TOPIC_ALREADY_EXISTS,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_REQUEST,
        KafkaError.POLICY_VIOLATION,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError._INVALID_ARG,
        KafkaError._AUTHENTICATION,
        KafkaError._FATAL,
    }
)
"""Answers that no repetition changes. There are many others, and each release has new ones."""


class KafkaRequestError(RuntimeError):
    """A request of the test's own client failed; the adaptor is not to blame."""


class _NotYetError(Exception):
    """A valid answer that does not have the expected content yet."""


def persist(
    what: str,
    request: Callable[[], Answer],
    *,
    done: Collection[int] = (),
    seconds: float = 180.0,
) -> Answer | None:
    """Repeats a request until it succeeds.

    Args:
        what: for the error.
        request: raises KafkaException if it fails.
        done: codes with which a repeated request is answered when an earlier one, whose answer was
            lost, has been carried out; the result is None then.
        seconds: after which no further attempt is made.

    Raises:
        KafkaRequestError: it was refused for good, or failed for all that time.
    """
    deadline = time.monotonic() + seconds
    attempts = 0
    while True:
        attempts += 1
        try:
            return request()
        except _NotYetError as error:
            last: object = error
        except KafkaException as error:
            code = error.args[0].code()
            if attempts > 1 and code in done:
                return None
            if code in _FOR_GOOD:
                raise KafkaRequestError(f"kafka: {what}: {error.args[0]}") from error
            last = error.args[0]
        if time.monotonic() > deadline:
            raise KafkaRequestError(
                f"kafka: {what}: {attempts} attempts in {seconds:g} s, last: {last}"
            )
        time.sleep(_PAUSE_S)  # between two attempts


def make_topic(
    admin: AdminClient,
    topic: str,
    partitions: int,
    replicas: int = 1,
    config: Mapping[str, str] | None = None,
) -> None:
    """Makes a topic and waits until each of its partitions has a leader.

    A broker that does not know yet that it leads a partition refuses a first message and may take
    the next: then messages arrive out of order (docs/kafka.md). Where order counts, `read_topic`
    first: its question goes to the leaders.

    Raises:
        KafkaRequestError: the server refuses, or such a topic exists already.
    """
    new = NewTopic(topic, partitions, replicas, config=dict(config or {}))

    def enough_nodes() -> None:
        nodes = len(admin.list_topics(timeout=10).brokers)
        if nodes < replicas:
            raise _NotYetError(f"{nodes} of {replicas} nodes are known")

    persist(f"finding {replicas} nodes", enough_nodes)
    persist(
        f"making the topic {topic}",
        lambda: admin.create_topics([new])[topic].result(30),
        done={KafkaError.TOPIC_ALREADY_EXISTS},
    )
    persist(f"finding the topic {topic}", lambda: _partitions(admin, topic, partitions))


def delete_topic(admin: AdminClient, topic: str) -> None:
    """Deletes a topic.

    Raises:
        KafkaRequestError: the server refuses.
    """
    persist(
        f"deleting the topic {topic}",
        lambda: admin.delete_topics([topic])[topic].result(30),
        done={KafkaError.UNKNOWN_TOPIC_OR_PART},
    )


def _partitions(client: Any, topic: str, wanted: int | None) -> list[int]:  # noqa: ANN401
    """Returns a topic's partitions, all of which have a leader; `wanted`: how many there are."""
    found = client.list_topics(topic, timeout=10).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    numbers = sorted(found.partitions)
    if numbers != list(range(len(numbers) if wanted is None else wanted)) or not numbers:
        raise _NotYetError(f"it has the partitions {numbers}, of {wanted or 'at least 1'}")
    if away := [number for number in numbers if found.partitions[number].leader < 0]:
        raise _NotYetError(f"the partitions {away} have no leader")
    return numbers


def read_topic(
    servers: str,
    topic: str,
    partitions: int | None = None,
    *,
    patience: float = PATIENCE_S,
    settings: Mapping[str, object] | None = None,
    at_least: int = 0,
) -> list[confluent_kafka.Message]:
    """Reads all partitions of a topic, from their beginnings to the ends that they have now.

    Args:
        servers: bootstrap servers.
        topic: neither compacted nor written to in transactions, so that offsets count messages.
        partitions: how many it has, if that is known.
        patience: how long to wait for partitions, and for the next message.
        settings: of the client, for TLS and the like.
        at_least: number of messages to read even if the ends promise fewer, until nothing more
            comes: the end that tansu (0.6.0) gives is within its last batch.

    Raises:
        ReaderError: not all that the server's offsets promise could be read.
    """
    client = confluent_kafka.Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "reader",
            "enable.auto.commit": False,
            "log_level": 0,  # servers are expected to go away here
            **(settings or {}),
        }
    )
    try:
        return _read(client, topic, partitions, patience, at_least)
    except KafkaRequestError as error:
        raise ReaderError(str(error)) from error
    finally:
        client.close()


def _read(
    client: confluent_kafka.Consumer,
    topic: str,
    partitions: int | None,
    patience: float,
    at_least: int,
) -> list[confluent_kafka.Message]:
    def ends_of(number: int) -> tuple[int, int]:
        place = confluent_kafka.TopicPartition(topic, number)
        ends: tuple[int, int] | None = client.get_watermark_offsets(place, timeout=10)
        if ends is None:
            raise _NotYetError("the offsets' answer did not come")
        return ends

    what = f"reading {topic}"
    numbers = persist(what, lambda: _partitions(client, topic, partitions), seconds=patience) or []
    left: dict[int, int] = {}  # messages, by partition
    places = []
    for number in numbers:
        low, high = persist(what, lambda: ends_of(number), seconds=patience) or (0, 0)  # noqa: B023
        left[number] = high - low
        places.append(confluent_kafka.TopicPartition(topic, number, low))
    client.assign(places)
    messages: list[confluent_kafka.Message] = []
    promised = sum(left.values())
    last = time.monotonic()
    while (count := max(promised, at_least) - len(messages)) > 0:
        for message in client.consume(min(5000, count), timeout=1):
            if (error := message.error()) is not None:
                if error.code() in _FOR_GOOD:
                    raise ReaderError(f"kafka: {what}: {error}")
                continue
            left[message.partition()] -= 1
            messages.append(message)
            last = time.monotonic()
        if len(messages) >= promised and time.monotonic() - last > _QUIET_S:
            break
        if time.monotonic() - last > patience:
            raise ReaderError(f"kafka: {what}: nothing came for {patience:g} s, missing {left}")
    if len(messages) == promised and any(left.values()):
        raise ReaderError(f"kafka: {what}: the offsets do not count messages: {left}")
    return messages
