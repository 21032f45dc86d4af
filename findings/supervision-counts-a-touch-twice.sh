#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# supervision's LineZone counts an object that touches a line and goes back as one crossing in each direction, and it never counts an
# object whose box is wider than the line.
source "$(dirname "$0")/common.bash"

python_with supervision==0.31.2
expect "a touch is no crossing; an object that walks through the line's middle is one"

run_python 2>/dev/null <<'PYTHON'
import sys

import numpy as np
import supervision as sv


def crossings(boxes, **options):
    """(in, out) of one object at a line from (100, 100) to (200, 100)."""
    line = sv.LineZone(sv.Point(100, 100), sv.Point(200, 100), **options)
    for box in boxes:
        line.trigger(sv.Detections(xyxy=np.array([box], float), class_id=np.array([0]), tracker_id=np.array([1])))
    return line.in_count, line.out_count


feet = {"triggering_anchors": [sv.Position.BOTTOM_CENTER]}
touch = crossings([[140, y - 20, 160, y] for y in (80, 90, 100, 90, 80)], **feet)
short_of_it = crossings([[140, y - 20, 160, y] for y in (80, 90, 99, 90, 80)], **feet)
held = crossings([[140, y - 20, 160, y] for y in (80, 90, 100, 90, 80)], minimum_crossing_threshold=2, **feet)
narrow = crossings([[140, y, 160, y + 10] for y in range(50, 200, 10)])
wide = crossings([[95, y, 205, y + 10] for y in range(50, 200, 10)])
wide_feet = crossings([[95, y, 205, y + 10] for y in range(50, 200, 10)], **feet)
print(f"seen: (in, out) of a track whose feet reach the line and go back: {touch}; one pixel short of it: {short_of_it}; "
      f"with minimum_crossing_threshold=2: {held}")
print(f"seen: (in, out) of a box that goes through: narrower than the line: {narrow}; wider: {wide}; wider, by its feet: {wide_feet}")
counted = (touch, short_of_it, held, narrow, wide, wide_feet)
sys.exit(0 if counted == ((1, 1), (0, 0), (0, 0), (0, 1), (0, 0), (0, 1)) else 1)
PYTHON
echo "so: give triggering_anchors one point, draw the line beyond the way, and use minimum_crossing_threshold against touches"
