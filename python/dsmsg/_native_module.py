# SPDX-License-Identifier: Apache-2.0
"""Finds `dsmsg._native`: in the package (a wheel), or in the build folder of the source tree.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, Any

from dsmsg._find import search_folders

if TYPE_CHECKING:
    from dsmsg import _native

__all__ = ["native", "new_receiver", "new_sender"]


@functools.cache
def native() -> Any:  # noqa: ANN401 - a module, or None
    """Returns the module; None where it was not built: then cffi does its work, more slowly."""
    try:
        return importlib.import_module("dsmsg._native")
    except ImportError:
        pass
    for folder in search_folders():
        for suffix in EXTENSION_SUFFIXES:
            path = folder / "python" / f"_native{suffix}"
            spec = importlib.util.spec_from_file_location("dsmsg._native", path)
            if path.is_file() and spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                sys.modules["dsmsg._native"] = module
                return module
    return None


def new_sender(path: str, handle: int) -> _native.Sender | None:
    """Returns a sender; None without the module, or for an adaptor that is not ours."""
    module = native()
    try:
        return None if module is None else module.Sender(path, handle)
    except RuntimeError:
        return None


def new_receiver(path: str, handle: int, make: object) -> _native.Receiver | None:
    """Returns a receiver; None as `new_sender`."""
    module = native()
    try:
        return None if module is None else module.Receiver(path, handle, make)
    except RuntimeError:
        return None
