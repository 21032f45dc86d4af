# SPDX-License-Identifier: Apache-2.0
"""What `dsmsg doctor` checks on this machine: adaptors, elements, DeepStream, trial brokers.

Threads: any thread.
"""

from __future__ import annotations

import ctypes
import functools
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dsmsg import _settings
from dsmsg._find import available, search_folders
from dsmsg._plugin import PluginError, find_element
from dsmsg.brokers import KINDS, BrokerError

__all__ = [
    "CLIENT_LIBRARY",
    "CONTRACT",
    "DEEPSTREAM",
    "check",
    "examine",
    "examine_library",
    "is_ours",
]

CONTRACT = (
    "nvds_msgapi_connect",
    "nvds_msgapi_send",
    "nvds_msgapi_send_async",
    "nvds_msgapi_subscribe",
    "nvds_msgapi_do_work",
    "nvds_msgapi_disconnect",
    "nvds_msgapi_getversion",
    "nvds_msgapi_get_protocol_name",
    "nvds_msgapi_connection_signature",
)
"""The functions of include/nvds_msgapi.h."""
CLIENT_LIBRARY = "libnvds_msgbroker.so"
CLIENT_FUNCTIONS = (
    "nv_msgbroker_connect",
    "nv_msgbroker_send_async",
    "nv_msgbroker_subscribe",
    "nv_msgbroker_disconnect",
    "nv_msgbroker_version",
)
"""The functions of include/nvmsgbroker.h."""
DEEPSTREAM = Path("/opt/nvidia/deepstream/deepstream")


def examine() -> dict[str, Any]:
    """Returns {"ok": bool, "checks": [{"name", "ok", "needed", "text", "ms", "cure"}]}.

    "ok" as a whole means that at least one adaptor was found and that every one found loads. What
    only the elements, DeepStream or the trial brokers need is reported but does not count.
    """
    checks = [_adaptor(name) for name in dict.fromkeys((*_settings.ADAPTORS, *available()))]
    found = [each for each in checks if each["needed"]]
    ok = bool(found) and all(each["ok"] for each in found)
    return {"ok": ok, "checks": [*checks, _elements(), _deepstream(), *_brokers()]}


def check(
    name: str,
    find: Callable[[], str],
    *,
    needed: bool = True,
    cure: str = "",
    errors: tuple[type[Exception], ...] = (OSError, RuntimeError, ValueError),
) -> dict[str, Any]:
    """Makes one check and measures its time.

    Args:
        name: of what is checked.
        find: returns what to say of it, or raises one of `errors`.
        needed: a failure counts.
        cure: what to try after a failure, unless the error says it.
        errors: that mean a failure.
    """
    begin = time.monotonic()
    try:
        ok, text = True, find()
    except errors as error:
        ok, text = False, str(error)
    milliseconds = round((time.monotonic() - begin) * 1000, 1)
    return {
        "name": name,
        "ok": ok,
        "needed": needed,
        "text": text,
        "ms": milliseconds,
        "cure": "" if ok else cure,
    }


def is_ours(library: Path) -> bool:
    """Says whether a library is one of dsmsg's, without loading it.

    Raises:
        OSError: it cannot be read.
    """
    return b"dsmsg_describe" in library.read_bytes()


def _adaptor(name: str) -> dict[str, Any]:
    path = available().get(name)
    cure = "build it, or set DSMSG_LIB_DIR to its folder"
    if path is None:
        return check(name, lambda: _fail(f"not found ({cure})"), needed=False, cure=cure)
    try:
        import cffi  # noqa: F401 - without it no adaptor can be loaded from Python
    except ImportError as error:
        text = f"{path}: {error} (pip install cffi)"
        return check(name, lambda: _fail(text), cure="pip install cffi")
    return check(name, lambda: examine_library(path))


def examine_library(path: Path) -> str:
    """Loads an adaptor, or our client library, and returns what it is.

    Raises:
        OSError: it does not load, or a function of its contract is missing.
    """
    from dsmsg.adaptor import Adaptor

    if path.name == CLIENT_LIBRARY:
        client = ctypes.CDLL(str(path))
        _need(path, CLIENT_FUNCTIONS, lambda name: hasattr(client, name))
        client.nv_msgbroker_version.restype = ctypes.c_char_p
        return f"client library, contract {client.nv_msgbroker_version().decode()}: {path}"
    adaptor = Adaptor(path)
    symbols = path.read_bytes()
    _need(path, CONTRACT, lambda name: f"{name}\0".encode() in symbols)
    library = ""
    if "describe" in adaptor.extensions:
        about = adaptor.describe()
        library = f", dsmsg {about['version']} on {_loaded(path, about['library'])}"
    return f"{adaptor.protocol}, contract {adaptor.version}{library}: {path}"


def _need(path: Path, names: tuple[str, ...], has: Callable[[str], bool]) -> None:
    for name in names:
        if not has(name):
            raise OSError(f"{path}: the function {name} is missing")


def _loaded(path: Path, library: str) -> str:
    """A client library with the file that is loaded for it: librdkafka (librdkafka.so.1)."""
    needed = subprocess.run(
        ["ldd", str(path)], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    name = re.escape(library.removeprefix("lib").removesuffix("-c"))  # rabbitmq-c is librabbitmq
    found = re.search(rf"=> (\S*/lib{name}\.so\S*)", needed)
    return f"{library} ({Path(found.group(1)).resolve().name})" if found else library


def _elements() -> dict[str, Any]:
    """GStreamer finds the element dsmsgbroker, in its own folders or beside the adaptors."""
    beside = [folder / "gstreamer" for folder in search_folders()]
    return check(
        "gstreamer",
        lambda: find_element(beside),
        needed=False,
        errors=(OSError, PluginError, subprocess.TimeoutExpired),
    )


def _deepstream() -> dict[str, Any]:
    def find() -> str:
        folder = DEEPSTREAM.resolve() / "lib"
        libraries = sorted(folder.glob("libnvds_*_proto.so"))
        if not libraries:
            raise RuntimeError(f"no adaptors in {folder}")
        ours = [each.name for each in libraries if is_ours(each)]
        return f"{folder}: {len(libraries)} adaptors, {len(ours)} of them dsmsg's" + (
            f" ({', '.join(ours)})" if ours else ""
        )

    return check("deepstream", find, needed=False, cure="`dsmsg install` copies adaptors there")


def _brokers() -> list[dict[str, Any]]:
    needed = {name: find for kind in KINDS.values() for name, find in kind.needed().items()}
    return [
        check(name, functools.partial(_found, find), needed=False, errors=(BrokerError,))
        for name, find in needed.items()
    ]


def _found(find: Callable[[], object]) -> str:
    return str(find())


def _fail(text: str) -> str:
    raise RuntimeError(text)
