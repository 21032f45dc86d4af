#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# COCOeval takes the annotation with id 0 for "no match": a detection that hits it exactly counts as wrong, and the object as missed.
# A converter that numbers from 0 makes such files; nothing warns.
source "$(dirname "$0")/common.bash"

python_with pycocotools==2.0.11
expect "two detections that equal the two boxes of the truth have an average precision of 1, whatever the ids of the annotations"

run_python <<'PYTHON'
import contextlib
import io
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def precision(first_id):
    boxes = [[10, 10, 20, 20], [60, 10, 20, 20]]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {"id": first_id + i, "image_id": 1, "category_id": 1, "bbox": box, "area": 400, "iscrowd": 0}
            for i, box in enumerate(boxes)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes([{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in boxes])
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


from_zero, from_one = precision(0), precision(1)
print(f"seen: average precision with the ids 0 and 1: {from_zero:.3f}; with the ids 1 and 2: {from_one:.3f}")
sys.exit(0 if from_one == 1 and from_zero < 0.5 else 1)
PYTHON
echo "so: number annotations from 1 when messages are turned into COCO files"
