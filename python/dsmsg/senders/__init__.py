# SPDX-License-Identifier: Apache-2.0
"""Senders: DeepStream's metadata to a broker, from a probe of pyservicemaker or of pyds.

    with SingleTopicSender("kafka://localhost:9092", topic="detections") as sender:
        pipeline.attach("tracker", sender.probe("sender"))
        pipeline.start().wait()

`SingleTopicSender` sends a message for each frame, `MultiTopicSender` detections, tracking events
and frame metadata to topics of their own, `BatchedSender` several frames in a message, and
`ResilientSender` goes through a spool on the disk. Any adaptor will do.

Threads: `handle_metadata` may run on several streaming threads; all other methods on any thread.
"""

from __future__ import annotations

from dsmsg.senders._batched import BatchedSender
from dsmsg.senders._multi import MultiTopicSender
from dsmsg.senders._sender import SenderCounts, Transform
from dsmsg.senders._single import ResilientSender, SingleTopicSender

__all__ = [
    "BatchedSender",
    "MultiTopicSender",
    "ResilientSender",
    "SenderCounts",
    "SingleTopicSender",
    "Transform",
]
