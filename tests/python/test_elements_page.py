# SPDX-License-Identifier: Apache-2.0
"""docs/elements.md: every property is there, its tests exist, its Python example works."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "elements.md").read_text()
LIBRARIES = Path(os.environ.get("DSMSG_LIB_DIR", ROOT / "build" / "dev" / "lib"))


def _properties(element: str, folder: Path) -> set[str]:
    """Names that gst-inspect-1.0 lists."""
    listing = subprocess.run(
        ["gst-inspect-1.0", "--no-colors", element],
        env={
            **os.environ,
            "GST_PLUGIN_PATH": str(LIBRARIES / "gstreamer"),
            "GST_REGISTRY": str(folder / "registry.bin"),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout
    return set(re.findall(r"^  ([a-z0-9-]+) +: ", listing, re.MULTILINE))


@pytest.mark.parametrize(
    ("element", "base"), [("dsmsgconv", "identity"), ("dsmsgbroker", "fakesink")]
)
def test_every_property_is_in_the_table_of_its_element(
    element: str, base: str, tmp_path: Path
) -> None:
    start = PAGE.index(f"\n`{element}`:\n")
    table = re.match(r"\n\S+\n\n((?:\|.*\n)+)", PAGE[start:]).group(1)
    described = set()
    for line in table.splitlines()[2:]:
        described |= set(re.findall(r"`([\w-]+)`", line.split("|")[1]))
    own = _properties(element, tmp_path) - _properties(base, tmp_path)
    assert own <= described
    # What the base class has, too.
    assert described - own <= {"sync", "async", "stats"}


def test_every_pitfall_is_shown_by_a_test_that_exists() -> None:
    table = PAGE[PAGE.index("| pitfall |") :].splitlines()[2:]
    rows = [line.strip("| ").split(" | ") for line in table if line.startswith("|")]
    assert len(rows) >= 12
    sources = "".join(
        path.read_text()
        for folder in ("gst", "unit")
        for path in (ROOT / "tests" / folder).glob("*_test.cc")
    )
    for pitfall, _, shown_by in rows:
        names = re.findall(r"`([\w.]+)`", shown_by)
        assert names, pitfall
        for name in names:
            if name.endswith(".py"):
                assert (Path(__file__).parent / name).exists()
            else:
                suite, test = name.split(".")
                assert f"({suite}, {test})" in sources, name


def test_the_python_example_attaches_an_event() -> None:
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)
    names: dict[str, object] = {}
    exec(compile(example, "docs/elements.md", "exec"), names)  # noqa: S102 - our own page
    gst = names["gst"]
    gst.gst_init(None, None)
    gst.gst_buffer_new.restype = ctypes.c_void_p
    gst.gst_buffer_get_custom_meta.restype = ctypes.c_void_p
    gst.gst_structure_to_string.restype = ctypes.c_char_p
    buffer = gst.gst_buffer_new()
    for tracking_id in (7, 8):
        names["add_event"](buffer, "entry", "car", tracking_id, 0.5)
    meta = gst.gst_buffer_get_custom_meta(ctypes.c_void_p(buffer), b"DsmsgEventMeta")
    fields = gst.gst_custom_meta_get_structure(ctypes.c_void_p(meta))
    text = gst.gst_structure_to_string(ctypes.c_void_p(fields)).decode()
    for part in (
        "event=(string)entry",
        "label=(string)car",
        "id=(guint64)7",
        "confidence=(double)0.5",
    ):
        assert part in text.replace("uint64", "guint64").replace("gguint64", "guint64"), text
    gst.gst_mini_object_unref(ctypes.c_void_p(buffer))
