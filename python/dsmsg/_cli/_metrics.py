# SPDX-License-Identifier: Apache-2.0
"""Reads the files of the option metrics-file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Connection", "read_metrics"]

_SAMPLE = re.compile(r"dsmsg_(\w+)\{([^}]*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OWN = ("protocol", "endpoint", "connection")


@dataclass
class Connection:
    """One connection's metrics: by name without `dsmsg_`, summed over other labels, and in full."""

    protocol: str
    endpoint: str
    number: str
    file: str
    sums: dict[str, float] = field(default_factory=dict)
    samples: dict[str, float] = field(default_factory=dict)

    def value(self, name: str) -> float:
        """Returns a metric, 0 if the file has none."""
        return self.sums.get(name, 0.0)

    @property
    def up(self) -> bool:
        """The broker is reached."""
        return self.value("link_up") == 1

    @property
    def written(self) -> float:
        """When the file was written, seconds since 1970."""
        return self.value("written_timestamp_seconds")

    def to_json(self) -> dict[str, object]:
        """Returns labels and samples; of histograms only sum and count."""
        return {
            "protocol": self.protocol,
            "endpoint": self.endpoint,
            "connection": self.number,
            "file": self.file,
            **{name: value for name, value in self.samples.items() if "_bucket" not in name},
        }


def read_metrics(paths: Iterable[Path]) -> dict[str, Connection]:
    """Returns the connections of some files, by what tells them apart.

    Raises:
        OSError: a file cannot be read.
    """
    found: dict[str, Connection] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            sample = _SAMPLE.fullmatch(line)
            if sample is None:
                continue
            metric, labels, value = sample.groups()
            named = dict(_LABEL.findall(labels))
            own = [named.pop(label, "") for label in _OWN]
            name = " ".join([own[0], own[1], f"#{own[2]}"])
            each = found.setdefault(name, Connection(own[0], own[1], own[2], str(path)))
            each.sums[metric] = each.sums.get(metric, 0.0) + float(value)
            more = ",".join(named.values())
            each.samples[f"{metric}.{more}" if more else metric] = float(value)
    return found
