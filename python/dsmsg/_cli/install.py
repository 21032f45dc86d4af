# SPDX-License-Identifier: Apache-2.0
"""`dsmsg install`: adaptors into a DeepStream tree, with a way back."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Optional

import typer

from dsmsg._cli import _output, _tree
from dsmsg._find import search_folders
from dsmsg.doctor import CLIENT_LIBRARY, DEEPSTREAM

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "sudo dsmsg install",
    "sudo dsmsg install --adaptor kafka --adaptor mqtt",
    "dsmsg install --check",
    "sudo dsmsg install --undo",
    "dsmsg install /opt/nvidia/deepstream/deepstream-9.1 --from build/release/lib",
)


def command(
    tree: Annotated[str, typer.Argument(help="The DeepStream tree.")] = str(DEEPSTREAM),
    source: Annotated[
        Optional[str],
        typer.Option("--from", metavar="DIR", help="Folder of dsmsg's libraries (default: found)."),
    ] = None,
    other: Annotated[Optional[str], typer.Option("--tree", hidden=True)] = None,
    adaptor: Annotated[
        Optional[list[str]],
        typer.Option(metavar="NAME", help="Only this adaptor; may be repeated (default: all)."),
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

    Checks first that the folder can be written to, has room and is for the same kind of machine;
    afterwards that each file loads and has the functions of its contract. The files that they
    replace go to lib/dsmsg-backup in the tree. An adaptor whose client library is missing is left
    out, and the exit code is 1: install the package that is named, or choose with --adaptor.
    --check fails if a file is missing, old or was changed by others since; --undo leaves such files
    alone and says so.
    """
    if check and undo:
        raise typer.BadParameter("give --check or --undo, not both")
    tree = other or tree
    target = _tree.Tree(Path(tree))
    if undo:
        done = target.undo()
    else:
        files = _chosen(_tree.libraries(Path(source) if source else _source()), adaptor)
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
        elif not check and not undo:
            print(f"To put back what was there: dsmsg install {shlex.quote(tree)} --undo")
    return 0 if ok else 1


def _chosen(files: list[Path], names: Optional[list[str]]) -> list[Path]:
    """Those of the adaptors that are named, and the client library; all without names."""
    if not names:
        return files
    wanted = {f"libnvds_{name.replace('-', '_')}_proto.so": name for name in names}
    missing = wanted.keys() - {file.name for file in files}
    for name in sorted(missing):
        raise ValueError(
            f"{wanted[name]}: there is no {name} (there are {', '.join(f.name for f in files)})"
        )
    return [file for file in files if file.name in wanted or file.name == CLIENT_LIBRARY]


def _source() -> Path:
    """The first folder with our libraries that is not the tree itself."""
    for folder in search_folders():
        if folder != DEEPSTREAM / "lib" and _tree.libraries(folder):
            return folder
    raise ValueError("no folder with dsmsg's adaptors is found (--from names one)")
