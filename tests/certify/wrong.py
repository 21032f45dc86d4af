# SPDX-License-Identifier: Apache-2.0
"""The mistakes of wrong_adaptor.c: what each one breaks, and what follows from that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["MISTAKES", "build_template", "build_wrong"]

ROOT = Path(__file__).resolve().parents[2]
_TEMPLATE = ROOT / "python" / "dsmsg" / "_certify" / "template"

MISTAKES: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: (the requirement meant, others that do not hold without it)
    "small-name": ("S1.2", ()),
    "crashes-on-null": ("S1.4", ()),
    "subscribes-to-nothing": ("S1.5", ()),
    "ok-too-early": ("S4.1", ()),
    # The callback takes the lock that its caller holds, and says OK of what is only queued.
    "calls-on-the-stack": ("R01.1", ("S4.1", "R06.1", "H.1", "H.2", "H.3", "H.4")),
    "event-inside-connect": ("R01.2", ("H.4",)),
    "calls-on-a-thread": ("R02.1", ("R11.2",)),
    "calls-twice-for-large": ("R03.1", ()),
    "never-calls-for-large": ("R03.1", ()),
    "forgets-at-disconnect": ("R03.3", ("R08.1", "R08.2", "R08.3")),
    "calls-after-disconnect": ("R03.3", ("R08.1", "R08.2", "R08.3")),
    "spins": ("R04.1", ("R04.2",)),
    "sleeps-when-idle": ("R04.3", ()),
    "refuses-in-an-outage": ("R07.1", ("H.2",)),
    "fails-in-an-outage": ("R07.3", ()),
    "loses-in-an-outage": ("R20.1", ("R07.3", "R20.2", "R20.3", "H.2")),
    "waits-for-the-server": ("R08.2", ("R08.3",)),
    "send-says-ok": ("R09.2", ()),
    "send-waits-for-ever": ("R09.2", ()),
    "sends-text": ("R12.1", ()),
    # It is sent by do_work only, and in a child of fork never.
    "keeps-the-pointer": ("R12.2", ("R05.1", "R23.1")),
    # It is also the same for all.
    "signature-too-long": ("R13.1", ("R13.2",)),
    "same-signature": ("R13.2", ()),
    "prints-passwords": ("R14.1", ()),
    "signature-has-password": ("R14.2", ()),
    "never-pauses": ("R17.4", ()),
    "ignores-sigpipe": ("R16.1", ()),
    "leaks-a-descriptor": ("R18.1", ()),
    "leaks-a-thread": ("R18.2", ()),
    "hangs-after-fork": ("R23.1", ()),
}


def _compile(library: Path, *sources: Path) -> Path:
    subprocess.run(
        [
            *(os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-fvisibility=hidden"),
            *("-pthread", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "include")),
            *("-I", str(_TEMPLATE), "-Wl,--version-script", str(ROOT / "cmake" / "adaptor.map")),
            *("-o", str(library), *map(str, sources)),
        ],
        check=True,
    )
    return library


def build_wrong(folder: Path) -> dict[str, Path]:
    """Compiles wrong_adaptor.c; returns its file for each mistake."""
    wrong = Path(__file__).with_name("wrong_adaptor.c")
    library = _compile(folder / "libnvds_wrong_none_proto.so", wrong, _TEMPLATE / "wire.c")
    files = {name: folder / f"libnvds_wrong_{name}_proto.so" for name in MISTAKES}
    for file in files.values():
        file.symlink_to(library)
    return files


def build_template(folder: Path) -> Path:
    """Compiles the template adaptor."""
    sources = (_TEMPLATE / "adaptor.c", _TEMPLATE / "wire.c")
    return _compile(folder / "libnvds_template_proto.so", *sources)
