# SPDX-License-Identifier: Apache-2.0
"""Metadata as pyservicemaker and pyds show it to a probe, and stand-ins for both packages."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Any

Meta = Any

__all__ = ["Batch", "Frame", "Item", "Rect", "linked", "pyds_batch", "pyds_module", "servicemaker"]

UNTRACKED = 2**64 - 1


class Rect:
    """A box."""

    def __init__(self, left: float, top: float, width: float, height: float) -> None:
        self.left, self.top, self.width, self.height = left, top, width, height


class Item:
    """An object, with a memory that is taken back."""

    def __init__(self, object_id: int, class_id: int = 2, confidence: float = 0.5) -> None:
        self.object_id, self.class_id, self.confidence = object_id, class_id, confidence
        self.rect_params = Rect(1.0, 2.0, 30.0, 40.0)


class Frame:
    """A frame of pyservicemaker: `object_items` is an iterator that can be walked once."""

    def __init__(self, number: int, items: Sequence[Any] = (), source_id: int = 0) -> None:
        self.frame_number, self.source_id, self.pad_index = number, source_id, source_id
        self.buffer_pts, self.ntp_timestamp = number * 40_000_000, 1_700_000_000_000_000_000
        self.source_width, self.source_height = 1920, 1080
        self.pipeline_width, self.pipeline_height = 1280, 720
        self._items = items

    @property
    def object_items(self) -> Iterator[Any]:
        """Begins again each time."""
        return iter(self._items)


class Batch:
    """A batch of pyservicemaker."""

    def __init__(self, *frames: Meta) -> None:
        self._frames = frames

    @property
    def frame_items(self) -> Iterator[Any]:
        """Begins again each time."""
        return iter(self._frames)


class _Node:
    """A list of GLib, as pyds shows it: the end is StopIteration."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.data, self._rest = values[0], values[1:]

    @property
    def next(self) -> _Node:
        if not self._rest:
            raise StopIteration
        return _Node(self._rest)


def linked(*values: Meta) -> _Node | None:
    return _Node(values) if values else None


def pyds_batch(*frames: Frame) -> Meta:
    """The same frames under the names of pyds."""
    shown = []
    for frame in frames:
        shown.append(
            types.SimpleNamespace(
                frame_num=frame.frame_number,
                buf_pts=frame.buffer_pts,
                ntp_timestamp=frame.ntp_timestamp,
                source_id=frame.source_id,
                pad_index=frame.pad_index,
                source_frame_width=frame.source_width,
                source_frame_height=frame.source_height,
                pipeline_width=frame.pipeline_width,
                pipeline_height=frame.pipeline_height,
                obj_meta_list=linked(*frame.object_items),
            )
        )
    return types.SimpleNamespace(frame_meta_list=linked(*shown))


class _Cast:
    @staticmethod
    def cast(data: Meta) -> Meta:
        return data


def pyds_module(batches: dict[int, Any]) -> types.ModuleType:
    module = types.ModuleType("pyds")
    for name in ("NvDsFrameMeta", "NvDsObjectMeta", "NvDsClassifierMeta", "NvDsLabelInfo"):
        setattr(module, name, _Cast)
    module.gst_buffer_get_nvds_batch_meta = batches.get  # type: ignore[attr-defined]
    return module


def servicemaker() -> types.ModuleType:
    """`Probe` refuses what is not derived from its own base class, as the real one does."""
    module = types.ModuleType("pyservicemaker")

    class BatchMetadataOperator:
        pass

    class Probe:
        def __init__(self, name: str, operator: Meta) -> None:
            if not isinstance(operator, BatchMetadataOperator):
                raise TypeError("incompatible constructor arguments")
            self.name, self.operator = name, operator

    class Pipeline:
        """Gives three batches of two sources to its probes."""

        def __init__(self, name: str) -> None:
            self.name, self._probes = name, []

        def attach(self, element: str, probe: Probe) -> None:
            """Takes a probe, whatever the element."""
            del element
            self._probes.append(probe)

        def start(self) -> Pipeline:
            """Returns itself."""
            return self

        def wait(self) -> None:
            """Runs to the end."""
            for number in range(3):
                for probe in self._probes:
                    frames = (Frame(number, [Item(7), Item(8)], source) for source in (0, 1))
                    probe.operator.handle_metadata(Batch(*frames))

    module.Pipeline = Pipeline  # type: ignore[attr-defined]
    module.BatchMetadataOperator = BatchMetadataOperator  # type: ignore[attr-defined]
    module.Probe = Probe  # type: ignore[attr-defined]
    return module
