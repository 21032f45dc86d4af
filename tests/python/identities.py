# SPDX-License-Identifier: Apache-2.0
"""Settings without which an adaptor cannot even be told where to connect, by its name."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["IDENTITIES"]

_DEVICE = "HostName=h;DeviceId=d;SharedAccessKey=AAAA"
IDENTITIES: dict[str, Mapping[str, str]] = {
    "azure": {"connection-str": _DEVICE},
    "azure_edge": {"connection-str": f"{_DEVICE};ModuleId=m"},
}
