# SPDX-License-Identifier: Apache-2.0
"""Whether the Python package's memory stays flat: sends in every way and receives, for ten minutes.

A Redis server, one connection that does all of it, and a sender of metadata with tracks that come
and go. Prints the resident memory now and then, and at the end one JSON object; fails if it grew by
more than 2 MB after the first quarter.

Usage: python_memory.py [--seconds N]
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

import dsmsg  # noqa: E402
from dsmsg.brokers import make  # noqa: E402
from dsmsg.senders import MultiTopicSender  # noqa: E402

PAYLOAD = b"x" * 1000
ALLOWED_MB = 2.0


def resident_mb() -> float:
    """Returns this process's resident memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def batch(number: int) -> SimpleNamespace:
    """Returns metadata of two cameras, with new objects all the time."""
    box = SimpleNamespace(left=1.0, top=2.0, width=3.0, height=4.0)
    frames = [
        SimpleNamespace(
            frame_number=number,
            source_id=source,
            object_items=[
                SimpleNamespace(class_id=1, confidence=0.5, object_id=number + at, rect_params=box)
                for at in range(5)
            ],
        )
        for source in (0, 1)
    ]
    return SimpleNamespace(frame_items=frames)


def main() -> int:
    """Runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    seconds = parser.parse_args().seconds
    found: list[float] = []
    sent = received = 0
    with make("redis") as broker:
        url = f"redis://{broker.address}?consumergroup=flat&streamsize=2000"
        with dsmsg.connect(url) as connection, MultiTopicSender(connection) as sender:
            messages = connection.messages("flat", timeout=30)
            begin = time.monotonic()
            while (now := time.monotonic() - begin) < seconds:
                connection.send_many("flat", [PAYLOAD] * 400).raise_for_failure()
                futures = [connection.send_async("flat", PAYLOAD) for _ in range(50)]
                for future in futures:
                    future.result()
                connection.send("flat", PAYLOAD, key=b"k", headers={"h": "v"})
                sender.handle_metadata(batch(sent))
                sent += 451
                for _ in range(451):
                    next(messages)
                    received += 1
                if now >= len(found) * seconds / 20:
                    found.append(resident_mb())
                    print(f"{now:6.1f} s  {found[-1]:7.2f} MB  {sent} sent", flush=True)
    grown = max(found[-5:]) - max(found[: len(found) // 4])
    print(
        json.dumps(
            {
                "seconds": seconds,
                "sent": sent,
                "received": received,
                "resident_mb": [round(found[0], 2), round(found[-1], 2)],
                "grown_after_first_quarter_mb": round(grown, 2),
            }
        )
    )
    return 0 if grown <= ALLOWED_MB else 1


if __name__ == "__main__":
    sys.exit(main())
