# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/payloads.md match the library's output, and its custom library works.

With DSMSG_WRITE_DOCS=1 the examples are rewritten.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from google.protobuf import text_format
from payload_library import HAS_CONFIDENCE, HAS_ID, ROOT, CData, PayloadLibrary
from test_payloads import (
    EXAMPLE,
    FULL,
    MINIMAL,
    PROTOBUF,
    TIME_NS,
    compile_messages,
    parse,
    rich_object,
)

PAGE = ROOT / "docs" / "payloads.md"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def example(name: str) -> re.Match[str]:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```\n", text, flags=re.DOTALL)
    assert found is not None, f"{PAGE} has no example {name}"
    return found


def check(name: str, made: str) -> None:
    """Compares with the page, or writes it."""
    found = example(name)
    if os.environ.get("DSMSG_WRITE_DOCS") == "1":
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(text[: found.start(1)] + made + text[found.end(1) :], encoding="utf-8")
        return
    assert UUID.sub("UUID", found[1]) == UUID.sub("UUID", made)


def pretty(payload: bytes) -> str:
    """JSON of a page: indented, with lists of numbers on one line."""
    text = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    text = re.sub(r"\[\s+([^][{}\"]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    return text + "\n"


@pytest.fixture
def library() -> PayloadLibrary:
    return PayloadLibrary()


def street(lib: PayloadLibrary) -> CData:
    car = {
        **{"present": HAS_ID | HAS_CONFIDENCE, "id": 18, "label": lib.text("car")},
        **{"confidence": 0.875, "left": 100, "top": 200, "width": 200, "height": 150, "event": 1},
        "attributes": lib.attributes({"color": "blue", "make": "audi"}),
        "attribute_count": 2,
    }
    person = {
        **{"present": HAS_ID | HAS_CONFIDENCE, "id": 19, "label": lib.text("person")},
        **{"confidence": 0.75, "left": 400, "top": 150, "width": 50, "height": 200},
    }
    return lib.frame([car, person], number=42, time_ns=TIME_NS)


def test_full(library: PayloadLibrary) -> None:
    check("full", pretty(library.payloads(EXAMPLE, FULL, street(library))[0]))


def test_rich(library: PayloadLibrary) -> None:
    outline = {"points": library.array("float", [1, 2, 3, 4, 5, 6]), "point_count": 3}
    mask = {"outlines": library.array("DsmsgPolygon", [outline]), "outline_count": 1}
    frame = library.frame([{**rich_object(library), **mask}], time_ns=TIME_NS)
    check("rich", pretty(library.payloads(None, FULL, frame)[0]))


def test_minimal(library: PayloadLibrary) -> None:
    check("minimal", pretty(library.payloads(EXAMPLE, MINIMAL, street(library))[0]))


def test_delimited(library: PayloadLibrary, tmp_path: Path) -> None:
    config = tmp_path / "conv.txt"
    text = EXAMPLE.read_text(encoding="utf-8")
    config.write_text(text + "\n[message-converter]\nminimal-format=delimited\n", encoding="utf-8")
    check("delimited", pretty(library.payloads(config, MINIMAL, street(library))[0]))


def test_protobuf(library: PayloadLibrary, tmp_path: Path) -> None:
    frame = parse(
        compile_messages(tmp_path), "Frame", library.payloads(EXAMPLE, PROTOBUF, street(library))[0]
    )
    check("protobuf", text_format.MessageToString(frame))


def test_custom_library(library: PayloadLibrary, tmp_path: Path) -> None:
    source, built = tmp_path / "count.c", tmp_path / "libcount.so"
    source.write_text(example("library")[1], encoding="utf-8")
    subprocess.run(
        [
            *(os.environ.get("CC", "cc"), "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared"),
            *("-fPIC", "-I", str(ROOT / "include"), "-o", str(built), str(source)),
        ],
        check=True,
        timeout=300,
    )
    custom = PayloadLibrary(built)
    frame = custom.frame([{}, {}], source_id=3)
    assert custom.payloads(None, 257, frame) == [b"source=3 objects=2"]
