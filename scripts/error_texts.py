# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of docs/troubleshooting.md from the sources: what a message says, and the cure.

Advice about connections is one table, csrc/core/net/hints.cc: the comment above each of its
rows says at which step this happens, and what. Other messages are in error_texts.txt, with the file
that has the text and the cure. A text that is no longer in its file is an error, so that page and
sources agree.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["MessageText", "cell", "fill", "messages", "source_text"]

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "scripts" / "error_texts.txt"
HINTS = ROOT / "csrc" / "core" / "net" / "hints.cc"
TABLE = re.compile(r"(<!-- texts: ([^>]+) -->\n).*?(<!-- end of texts -->\n)", re.DOTALL)


class MessageText(NamedTuple):
    """A message that people meet.

    Attributes:
        source: the file that has the text, from the top of the tree; "-" for another program's.
        text: the text, with … where it varies.
        cure: what to do, for the page.
    """

    source: str
    text: str
    cure: str


def messages() -> dict[str, list[MessageText]]:
    """Returns the messages of error_texts.txt, by heading."""
    found: dict[str, list[MessageText]] = {}
    for block in LIST.read_text(encoding="utf-8").split("\n\n"):
        lines = block.strip().splitlines()
        if lines[0].startswith("## "):
            rows = found.setdefault(lines[0][3:], [])
        elif not lines[0].startswith("#"):
            source, text, *cure = lines
            rows.append(MessageText(source, text, " ".join(cure)))
    return found


def source_text(path: Path) -> str:
    """Returns a source with the parts of each text literal joined, and quotes as they are read."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'"\s*\n\s*f?"', "", text).replace('\\"', '"')


def cell(text: str) -> str:
    """Returns the text for a cell of a table. In code spans, between backticks, "<" is itself."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(
        part if place % 2 else part.replace("<", "&lt;") for place, part in enumerate(parts)
    )


def messages_table(rows: list[MessageText]) -> list[str]:
    """Returns the rows of a table of messages.

    Raises:
        ValueError: a text is not in its source.
    """
    table = ["| the message says | what to do |", "|---|---|"]
    for message in rows:
        text = "" if message.source == "-" else source_text(ROOT / message.source)
        for part in message.text.split("…"):
            if text and part not in text:
                raise ValueError(f"{message.source} has no text {part!r} (error_texts.txt)")
        says = "`" + message.text.rstrip(" (") + "`"
        table.append(f"| {cell(says)} | {cell(message.cure)} |")
    return table


def hints() -> dict[str, list[tuple[str, str]]]:
    """Returns for each step of a connection what happens and the advice, as hints.cc has it.

    Raises:
        ValueError: a row has no comment.
    """
    text = source_text(HINTS)
    table = text[text.index("kRows[] = {") : text.index("\n};\n", text.index("kRows[] = {"))]
    steps: dict[str, list[tuple[str, str]]] = {}
    pattern = r"(?:// ([^:\n]+): ([^\n]+)\n\s*)?\{\.situation = Situation::(\w+),(.*?)\},?\n"
    for step, what, name, fields in re.findall(pattern, table + "\n", re.DOTALL):
        if not step:
            raise ValueError(f"hints.cc: the row of {name} has no comment with its step")
        says: dict[str, str] = dict(
            re.findall(r'\.(\w+) = "([^"]*(?:"[^"]*"[^"]*)*?)"(?=,\s*\.|\s*$)', fields.strip())
        )
        rows = steps.setdefault(step, [])
        rows.append((what, says.get("plain", says["never"])))
        for field, when in (
            ("never", "the same, over TLS"),
            ("partly", "the same, in the middle of it"),
            ("before", "the same, and it worked before"),
        ):
            if field in says and (field != "never" or "plain" in says):
                rows.append((when, says[field]))
    return steps


def hints_table(step: str) -> list[str]:
    """Returns the rows of a step, in MQTT's words."""
    rows = ["| what happened | advice |", "|---|---|"]
    for what, advice in hints()[step]:
        rows.append(f"| {cell(what)} | {cell(advice.replace('KIND', 'an MQTT server'))} |")
    return rows


def fill(page: str) -> str:
    """Returns the page with its tables made anew.

    Raises:
        ValueError: sources and tables do not agree.
    """
    steps, lists = hints(), messages()
    named = [name for _, name, _ in TABLE.findall(page)]
    if missing := ({*steps, *lists} ^ set(named)):
        raise ValueError(f"docs/troubleshooting.md: marks of texts that do not agree: {missing}")

    def table(match: re.Match[str]) -> str:
        rows = messages_table(lists[match[2]]) if match[2] in lists else hints_table(match[2])
        return f"{match[1]}{chr(10).join(rows)}\n{match[3]}"

    return TABLE.sub(table, page)
