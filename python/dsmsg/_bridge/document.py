# SPDX-License-Identifier: Apache-2.0
"""A bridge's file, YAML or JSON, as text, lists and mappings whose lines are known."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Union

from dsmsg.errors import ConfigError

__all__ = ["Document", "Place", "Value"]

Value = Union[str, "list[Any]", "dict[str, Any]"]
Place = tuple[Union[str, int], ...]
_DEEPEST = 10


class Document:
    """The values of a file or of a mapping, and the mistakes found in them so far."""

    def __init__(self, source: str | os.PathLike[str] | Mapping[str, object]) -> None:
        """Reads the file.

        Raises:
            ConfigError: it is not YAML or JSON.
            OSError: it cannot be read.
        """
        self.mistakes: list[ConfigError] = []
        self._lines: dict[Place, int] = {}
        if isinstance(source, Mapping):
            self.name, self.folder = "", Path()
            self.root = self._plain(source, ())
        else:
            path = Path(source)
            self.name, self.folder = str(path), path.parent
            self.root = self._read(path)

    def wrong(self, place: Place, text: str) -> None:
        """Notes a mistake; `check` tells of it."""
        where = f"{self.name}:{self._line(place)}: " if self.name else ""
        field = dotted(place)
        self.mistakes.append(ConfigError(f"{where}{field and field + ': '}{text}", field=field))

    def check(self) -> None:
        """Raises ConfigError if there are mistakes: with the text of all, the first one's field."""
        if self.mistakes:
            text = "\n".join(str(each) for each in self.mistakes)
            raise ConfigError(text, field=self.mistakes[0].field)

    def mapping(self, place: Place, value: Value, allowed: Iterable[str] = ()) -> dict[str, Any]:
        """Returns a mapping; notes one that is none, and names that are not allowed, if any are."""
        names = list(allowed)
        if not isinstance(value, dict):
            example = f", such as {names[0]}: ..." if names else ", such as name: value"
            self.wrong(place, f"must be names with values{example}")
            return {}
        for name in value:
            if names and name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                self.wrong((*place, name), f"there is no such field ({hint})")
        return value

    def text(self, place: Place, value: Value) -> str:
        """Returns a text; notes what is none."""
        if isinstance(value, str):
            return value
        self.wrong(place, "must be one value, not several (a text with { or [ needs quotes)")
        return ""

    def _line(self, place: Place) -> int:
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def _read(self, path: Path) -> Value:
        import yaml

        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            text = text.replace("\t", " ")  # JSON indents with it, YAML does not
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark is not None else ""
            problem = getattr(error, "problem", None) or str(error)
            raise ConfigError(
                f"{path}{line}: is not YAML or JSON: {problem} (a text with braces needs quotes: "
                'topic: "${topic[1]}" inside { }; indentation is spaces)'
            ) from None
        return {} if node is None else self._of_node(node, ())

    def _of_node(self, node: Any, place: Place) -> Value:  # noqa: ANN401 - yaml has no types
        import yaml

        self._lines[place] = node.start_mark.line + 1
        if len(place) > _DEEPEST:
            self.wrong(place, "is nested too deeply")
            return ""
        if isinstance(node, yaml.SequenceNode):
            return [self._of_node(each, (*place, n)) for n, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            values: dict[str, Value] = {}
            for key, each in node.value:
                name = str(key.value)
                inner = (*place, name)
                if name in values:
                    self.wrong(inner, "comes twice")
                values[name] = self._of_node(each, inner)
                self._lines[inner] = key.start_mark.line + 1
            return values
        return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)

    def _plain(self, value: object, place: Place) -> Value:
        if isinstance(value, Mapping):
            return {str(name): self._plain(each, (*place, name)) for name, each in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            return [self._plain(each, (*place, n)) for n, each in enumerate(value)]
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)


def dotted(place: Place) -> str:
    """Writes a place as users know it: routes[0].topic."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
