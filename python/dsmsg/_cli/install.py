# SPDX-License-Identifier: Apache-2.0
"""`dsmsg install`: adaptors into a DeepStream tree, with a way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dsmsg._cli import _output, _tree
from dsmsg._find import search_folders
from dsmsg.doctor import DEEPSTREAM

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "sudo dsmsg install",
    "dsmsg install --check",
    "sudo dsmsg install --undo",
    "dsmsg install --tree /opt/nvidia/deepstream/deepstream-9.1 --from build/release/lib",
)


def command(
    tree: Annotated[str, typer.Option(metavar="DIR", help="The DeepStream tree.")] = str(
        DEEPSTREAM
    ),
    source: Annotated[
        Optional[str],
        typer.Option("--from", metavar="DIR", help="Folder of dsmsg's libraries (default: found)."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; say what is installed.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Put back what was there before, byte for byte.")
    ] = False,
    json: _output.Json = False,
) -> int:
    """Copies adaptors and client library into a DeepStream tree, and keeps what was there.

    The files that they replace go to lib/dsmsg-backup in the tree. --check fails if a file is
    missing, old or was changed by others since; --undo leaves such files alone and says so.
    """
    if check and undo:
        raise typer.BadParameter("give --check or --undo, not both")
    target = _tree.Tree(Path(tree))
    if undo:
        done = target.undo()
    else:
        files = _tree.libraries(Path(source) if source else _source())
        done = target.check(files) if check else target.install(files)
    ok = all(each.good for each in done)
    if json:
        _output.print_json({"ok": ok, "tree": tree, "files": [each.to_json() for each in done]})
    else:
        for each in done:
            _output.line(
                f"{each.state:<10}",
                f" {each.name}{each.why and ': '}{each.why}",
                style="green" if each.good else "red",
            )
        if not done:
            print(f"{tree}: nothing was installed by `dsmsg install`")
    return 0 if ok else 1


def _source() -> Path:
    """The first folder with our libraries that is not the tree itself."""
    for folder in search_folders():
        if folder != DEEPSTREAM / "lib" and _tree.libraries(folder):
            return folder
    raise ValueError("no folder with dsmsg's adaptors is found (--from names one)")
