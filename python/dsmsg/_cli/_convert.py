# SPDX-License-Identifier: Apache-2.0
"""Makes files of ours from DeepStream's: of an adaptor, or of deepstream-app."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from dsmsg._cli._secrets import without_login
from dsmsg._cli._settings_file import Line, complaint, read_lines, table_of
from dsmsg._find import available
from dsmsg._inifile import GROUP, quote

__all__ = ["Converted", "convert"]

_LIBRARY = re.compile(r"libnvds_([a-z0-9_]+)_proto\.so")
_LOGIN = {"username": "USER", "password": "PASSWORD"}
_SINK_TYPE = "6"  # of deepstream-app: message converter and broker


@dataclass
class Converted:
    """A file of ours.

    Attributes:
        source: group or file that it is from.
        adaptor: its adaptor.
        conn_str: of a sink, without a login; "" if none is known.
        topic: likewise.
        text: the file.
        problems: what could not be converted.
    """

    source: str
    adaptor: str
    conn_str: str = ""
    topic: str = ""
    text: str = ""
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Returns its fields."""
        return dict(vars(self))


def convert(path: Path, adaptor: Optional[str]) -> list[Converted]:
    """Converts a file of an adaptor, or the sinks of a file of deepstream-app.

    Args:
        path: the file.
        adaptor: its adaptor; None: a sink, or the file's name, says it.

    Raises:
        OSError: it cannot be read.
        ValueError: the adaptor is not known.
    """
    lines = read_lines(path)
    groups: dict[str, dict[str, str]] = {}
    for line in lines:
        groups.setdefault(line.group, {})[line.name] = line.value
    sinks = {
        name: values
        for name, values in groups.items()
        if re.fullmatch(r"sink\d+", name) and values.get("type") == _SINK_TYPE
    }
    if sinks:
        return [_sink(path, name, values, adaptor) for name, values in sinks.items()]
    made = Converted(path.name, adaptor or _named(path.stem, path))
    _write(made, [line for line in lines if line.group == GROUP])
    return [made]


def _sink(path: Path, name: str, values: dict[str, str], adaptor: Optional[str]) -> Converted:
    library = _LIBRARY.search(values.get("msg-broker-proto-lib", ""))
    made = Converted(
        f"{path.name} [{name}]",
        library.group(1) if library else adaptor or _named("", path),
        conn_str=without_login(values.get("msg-broker-conn-str", "")),
        topic=values.get("topic", ""),
    )
    lines: list[Line] = []
    file = values.get("msg-broker-config")
    if file:
        try:
            lines = [line for line in read_lines(path.parent / file) if line.group == GROUP]
        except OSError as error:
            made.problems.append(f"cannot read {file}: {error.strerror}")
    _write(made, lines)
    return made


def _named(stem: str, path: Path) -> str:
    """The adaptor in a file's name, such as cfg_kafka.txt."""
    for name in sorted(available(), key=len, reverse=True):
        if name in stem.lower():
            return name
    raise ValueError(f"which adaptor is {path} for? (--adaptor names it)")


def _write(made: Converted, lines: list[Line]) -> None:
    table = table_of(made.adaptor)
    text = [f"# For libnvds_{made.adaptor}_proto.so; from {made.source}"]
    if made.conn_str:
        text.append(f"# conn-str: {made.conn_str}")
    if made.topic:
        text.append(f"# topic: {made.topic}")
    text += ["", f"[{GROUP}]"]
    for line in lines:
        wrong = complaint(made.adaptor, line.name, line.value)
        variable = _LOGIN.get(line.name)
        if variable is not None and not wrong:
            place = f"{variable}_{made.adaptor.upper()}"
            text += ["", f"# {line.name}: set {place} in the environment"]
            made.problems.append(f"{line.name} is left out: set {place} in the environment")
        elif wrong:
            text += ["", *_comment(wrong), f"#{line.name}={line.value}"]
            made.problems.append(wrong)
        else:
            doc = table[line.name]["doc"]
            text += ["", *_comment(doc), f"{line.name}={quote(line.value) if line.value else ''}"]
    made.text = "\n".join(text) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 96)]
