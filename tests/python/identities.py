# SPDX-License-Identifier: Apache-2.0
"""Settings without which an adaptor cannot even be told where to connect, by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

__all__ = ["IDENTITIES", "address"]

_DEVICE = "HostName=h;DeviceId=d;SharedAccessKey=AAAA"
IDENTITIES: dict[str, Mapping[str, str]] = {
    "azure": {"connection-str": _DEVICE},
    "azure_edge": {"connection-str": f"{_DEVICE};ModuleId=m"},
}


def address(adaptor: str, port: int, folder: Path) -> str:
    """The connection string of a port of the loopback."""
    if adaptor != "multi":
        return f"127.0.0.1;{port}"
    path = folder / "handlers.json"
    handlers = {"one": {"uri": f"redis://127.0.0.1:{port}"}}
    path.write_text(json.dumps({"output": {"handlers": handlers}}), encoding="utf-8")
    return str(path)
