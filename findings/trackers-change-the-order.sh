#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ByteTrackTracker returns detections in another order than it was given: the confident ones first. Its sibling SORTTracker keeps the
# order. A list beside them (crops, attributes, metadata of a buffer) then belongs to other objects, without an error.
source "$(dirname "$0")/common.bash"

python_with trackers==2.1.0 supervision==0.31.2
expect "update() returns the detections with their ids, each in its place"

run_python 2>/dev/null <<'PYTHON'
import sys

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker, SORTTracker

CONFIDENCE = [0.3, 0.9, 0.4, 0.8]
seen = {}
for kind in (SORTTracker, ByteTrackTracker):
    tracker = kind()
    for shift in range(4):
        boxes = np.array([[x + shift, 10, x + shift + 40, 50] for x in (10, 110, 210, 310)], float)
        found = tracker.update(sv.Detections(xyxy=boxes, confidence=np.array(CONFIDENCE), class_id=np.arange(4)))
    seen[kind] = found.class_id.tolist()
    print(f"seen: {kind.__name__}: detections 0, 1, 2, 3 with confidence {CONFIDENCE} come back as {seen[kind]}")
kept, changed = seen[SORTTracker], seen[ByteTrackTracker]
sys.exit(0 if kept == [0, 1, 2, 3] and changed != kept and sorted(changed) == kept else 1)
PYTHON
echo "so: put what belongs to a detection into its data (Detections.data), which is moved with it, not into a list beside it"
