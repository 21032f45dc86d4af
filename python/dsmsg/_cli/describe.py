# SPDX-License-Identifier: Apache-2.0
"""`dsmsg describe`: the options of an adaptor."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmsg._cli import _output
from dsmsg._cli._where import complete

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg describe kafka",
    "dsmsg describe redis --json | jq '.options[].name'",
)


def command(
    adaptor: Annotated[
        str, typer.Argument(help="kafka, redis, ... or a path.", autocompletion=complete)
    ],
    json: _output.Json = False,
) -> None:
    """Shows an adaptor's options. One option in detail: `dsmsg config explain`."""
    from dsmsg.adaptor import Adaptor  # here: it takes cffi, which other commands do without

    table = Adaptor(adaptor).describe()
    if json:
        _output.print_json(table)
        return
    print(f"{table['protocol']}, dsmsg {table['version']}, {table['library']}")
    print(f"delivered: {table['delivery']}")
    for common, title in ((False, "options of this adaptor"), (True, "options of all adaptors")):
        print(f"\n{title}:")
        for option in table["options"]:
            if option["common"] == common:
                later = " (not in this version)" if option["unavailable"] else ""
                default = option["default"] or "-"
                _output.line(
                    f"  {option['name']:<24}",
                    f" {option['type']}, default {default}{later}",
                    style="bold",
                )
                print(f"  {'':<24}   {option['doc']}")
