# SPDX-License-Identifier: Apache-2.0
"""What `dsmsg doctor` checks: the adaptors, and what the trial brokers need."""

from __future__ import annotations

from typing import Any

from dsmsg import _settings
from dsmsg._find import available
from dsmsg.brokers import KINDS, BrokerError

__all__ = ["examine"]


def examine() -> dict[str, Any]:
    """Returns {"ok": bool, "checks": [{"name", "ok", "needed", "text"}]}.

    "ok" as a whole means that at least one adaptor was found and that every one found loads. What
    only the trial brokers need is reported but does not count.
    """
    checks = [_adaptor(name) for name in dict.fromkeys((*_settings.ADAPTORS, *available()))]
    found = [check for check in checks if check["needed"]]
    ok = bool(found) and all(check["ok"] for check in found)
    return {"ok": ok, "checks": checks + _brokers()}


def _adaptor(name: str) -> dict[str, Any]:
    path = available().get(name)
    if path is None:
        return _check(
            name, False, False, "not found (build it, or set DSMSG_LIB_DIR to its folder)"
        )
    try:
        from dsmsg.adaptor import Adaptor

        adaptor = Adaptor(path)
        library = ""
        if "describe" in adaptor.extensions:
            about = adaptor.describe()
            library = f", dsmsg {about['version']} on {about['library']}"
        return _check(
            name, True, True, f"{adaptor.protocol}, contract {adaptor.version}{library}: {path}"
        )
    except ImportError as error:
        return _check(name, False, True, f"{path}: {error} (pip install cffi)")
    except (OSError, RuntimeError) as error:
        return _check(name, False, True, str(error))


def _brokers() -> list[dict[str, Any]]:
    checks = []
    needed = {name: find for kind in KINDS.values() for name, find in kind.needed().items()}
    for name, find in needed.items():
        try:
            checks.append(_check(name, True, False, str(find())))
        except BrokerError as error:
            checks.append(_check(name, False, False, str(error)))
    return checks


def _check(name: str, ok: bool, needed: bool, text: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "needed": needed, "text": text}
