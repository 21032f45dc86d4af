# SPDX-License-Identifier: Apache-2.0
"""Reads DeepStream's metadata by attribute names: pyservicemaker's, and those of pyds.

Nothing here keeps a reference to metadata: DeepStream takes its memory back when the probe returns.
What is missing, or is no value that JSON has (NaN, infinity), is None.

Threads: pure functions; the metadata belongs to the calling thread.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from itertools import islice
from typing import Any

__all__ = [
    "frame_header",
    "frame_size",
    "frames",
    "integer",
    "object_of",
    "objects",
    "pad_index",
    "source_of",
]

Meta = Any  # metadata, or one of its attributes, of one of two packages

_MOST = 100_000  # items of one list: a damaged list may have no end
_UNTRACKED = 2**64 - 1  # UNTRACKED_OBJECT_ID of nvdsmeta.h


def frames(batch: Meta) -> Iterator[Meta]:
    """Yields the frames of a batch: `frame_items`, or pyds' `frame_meta_list`.

    Raises:
        TypeError: it has neither.
    """
    if not hasattr(batch, "frame_items") and not hasattr(batch, "frame_meta_list"):
        raise TypeError(
            f"{type(batch).__name__} is no batch: it has neither frame_items (pyservicemaker) nor "
            "frame_meta_list (pyds)"
        )
    return _items(batch, "frame_items", "frame_meta_list", "NvDsFrameMeta")


def objects(frame: Meta) -> Iterator[Meta]:
    """Yields the objects of a frame: `object_items` (an iterator), or pyds' `obj_meta_list`."""
    return _items(frame, "object_items", "obj_meta_list", "NvDsObjectMeta")


def source_of(frame: Meta) -> int | None:
    """Returns the number of the frame's source."""
    return integer(_get(frame, "source_id"))


def frame_header(frame: Meta) -> dict[str, Any]:
    """Returns the fields that say which frame it is. Times are in nanoseconds."""
    return {
        "frame_number": integer(_get(frame, "frame_number", "frame_num")),
        "buffer_pts": integer(_get(frame, "buffer_pts", "buf_pts")),
        "ntp_timestamp": integer(_get(frame, "ntp_timestamp")),
        "source_id": source_of(frame),
    }


def frame_size(frame: Meta) -> dict[str, Any]:
    """Returns the sizes of the source and of the pipeline, in pixels."""
    return {
        "source_width": integer(_get(frame, "source_width", "source_frame_width")),
        "source_height": integer(_get(frame, "source_height", "source_frame_height")),
        "pipeline_width": integer(_get(frame, "pipeline_width")),
        "pipeline_height": integer(_get(frame, "pipeline_height")),
    }


def pad_index(frame: Meta) -> int | None:
    """Returns the pad of the stream muxer that the frame came from."""
    return integer(_get(frame, "pad_index"))


def object_of(item: Meta) -> dict[str, Any]:
    """Returns the fields of a detected object; `object_id` is None if no tracker gave it one."""
    rect = _get(item, "rect_params")
    number = integer(_get(item, "object_id"))
    fields: dict[str, Any] = {
        "class_id": integer(_get(item, "class_id")),
        "confidence": _number(_get(item, "confidence")),
        "object_id": None if number == _UNTRACKED else number,
        "bbox": {side: _number(_get(rect, side)) for side in ("left", "top", "width", "height")},
    }
    label = _get(item, "label", "obj_label")
    if isinstance(label, str) and label:
        fields["label"] = label
    attributes = _attributes(item)
    if attributes:
        fields["attributes"] = attributes
    return fields


def integer(value: object) -> int | None:
    """Returns an integer, also NumPy's, or a number without a fraction; None for anything else."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = _number(value)
        return int(number) if number is not None and number.is_integer() else None


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _attributes(item: Meta) -> dict[str, list[str]]:
    """What secondary classifiers said, by their `unique_component_id`."""
    found: dict[str, list[str]] = {}
    for each in _items(item, "classifier_items", "classifier_meta_list", "NvDsClassifierMeta"):
        if _get(each, "label_info_list") is not None:
            infos = _items(each, "", "label_info_list", "NvDsLabelInfo")
            labels = [_get(info, "result_label") for info in infos]
        else:
            count = min(integer(_get(each, "n_labels")) or 0, _MOST)
            labels = [each.get_n_label(place) for place in range(count)]
        texts = [label for label in labels if isinstance(label, str) and label]
        if texts:
            found.setdefault(str(integer(_get(each, "unique_component_id"))), []).extend(texts)
    return found


def _get(item: Meta, *names: str) -> Meta:
    """The first of these attributes that is there; None if none is, or cannot be read."""
    for name in names:
        try:
            value = getattr(item, name)
        except Exception:  # noqa: S112 - a binding raises what it likes
            continue
        if value is not None:
            return value
    return None


def _items(item: Meta, iterator: str, linked: str, kind: str) -> Iterator[Meta]:
    found = _get(item, iterator) if iterator else None
    if found is not None:
        return islice(found, _MOST)
    return islice(_linked(_get(item, linked), kind), _MOST)


def _linked(node: Meta, kind: str) -> Iterator[Meta]:
    """Walks a list of pyds: `data` has to be cast, and the end may be None or StopIteration."""
    cast = None
    if node is not None:
        try:
            import pyds

            cast = getattr(pyds, kind).cast
        except (ImportError, AttributeError):
            cast = None
    while node is not None:
        yield node.data if cast is None else cast(node.data)
        try:
            node = node.next
        except StopIteration:
            return
