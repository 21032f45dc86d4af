# SPDX-License-Identifier: Apache-2.0
"""What the tests of advice in error texts share.

`HINTS` of the module named like an adaptor has what is particular to its texts and server. Adding
the module is enough.
"""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest
from dsmsg import Adaptor, Connection, DsmsgError
from dsmsg.brokers._process import wait_until

from hints.rules import Hints
from hints.scripted import Script, ScriptedServer

__all__ = [
    "HINTS",
    "PATIENCE_S",
    "Hints",
    "Script",
    "ScriptedServer",
    "address",
    "advice",
    "refusal",
]

PATIENCE_S = 240.0
# No such advice may be given for a server that has worked.
SUSPICIONS = re.compile(r"is it an? |TLS|is the broker running|is this its port|conn-str|check ")

_MODULES = [
    importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)
]
HINTS: dict[str, Hints] = {
    module.__name__.rpartition(".")[2]: module.HINTS
    for module in _MODULES
    if hasattr(module, "HINTS")
}


def address(port: int, host: str = "127.0.0.1") -> str:
    """Returns a connection string that every adaptor takes."""
    return f"{host};{port}"


def refusal(name: str, conn_str: str, **config: object) -> str:
    """Returns the text of a connect that fails."""
    with pytest.raises(DsmsgError) as raised:
        Adaptor(name).connect(conn_str, {"connect-timeout": "3s", **config}).close()
    return str(raised.value)


def advice(connection: Connection, says: str) -> str:
    """Waits for a reason that contains `says`; no earlier one may be a suspicion."""
    seen: list[str] = []

    def look() -> bool:
        text = connection.last_error()
        if text and text not in seen:
            seen.append(text)
        return says in text

    assert wait_until(look, PATIENCE_S), seen
    for text in seen:
        # The text around the host is not advice.
        assert not SUSPICIONS.search(text), text
    return seen[-1]
