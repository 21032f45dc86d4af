#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All trackers of a class in Roboflow's "trackers" count their ids together, and reset() of one begins again for all: with a tracker for
# each camera, one that is reset when its stream begins again makes another camera give a new object an id that is in use.
source "$(dirname "$0")/common.bash"

python_with trackers==2.1.0 supervision==0.31.2
expect "a tracker has ids of its own: two objects in one frame have two, whatever happens to the tracker of another camera"

run_python 2>/dev/null <<'PYTHON'
import sys

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker, SORTTracker


def ids(tracker, *places):
    """Ids of objects at these places, after they were seen in five frames."""
    for shift in range(5):
        boxes = np.array([[x + shift, 10, x + shift + 40, 50] for x in places], float)
        frame = sv.Detections(xyxy=boxes, confidence=np.full(len(places), 0.9), class_id=np.zeros(len(places), int))
        seen = tracker.update(frame).tracker_id
    return seen.tolist()


result = []
for kind in (SORTTracker, ByteTrackTracker):
    gate, yard = kind(), kind()
    first, second = ids(gate, 10), ids(yard, 10)
    yard.reset()
    result.append((first, second, ids(gate, 15, 300)))
    print(f"seen: {kind.__name__}: first object of two cameras: {first}, {second}; after reset() of the second camera's tracker, "
          f"the first camera's two objects: {result[-1][2]}")
sys.exit(0 if result == [([0], [1], [0, 0])] * 2 else 1)
PYTHON
echo "so: make a new tracker instead of reset(), or keep each camera's tracker in a process of its own"
