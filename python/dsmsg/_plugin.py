# SPDX-License-Identifier: Apache-2.0
"""Why GStreamer does not find the elements, which it hardly says itself.

Threads: any thread.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dsmsg._native_module import native

__all__ = ["PluginError", "find_element"]

PLUGIN = "libgstdsmsg.so"
_TIMEOUT_S = 60.0
_FOLDER = "set GST_PLUGIN_PATH to the folder of libgstdsmsg.so"


class PluginError(RuntimeError):
    """The element was not found; the text says why and what to try."""


def find_element(beside: Sequence[Path]) -> str:
    """Returns version and file of the plugin that has the element dsmsgbroker.

    Args:
        beside: folders with plugins, searched after GST_PLUGIN_PATH.

    Raises:
        PluginError: GStreamer does not find it.
        subprocess.TimeoutExpired: gst-inspect-1.0 takes more than a minute.
    """
    given = os.environ.get("GST_PLUGIN_PATH", "").split(":")
    places = [place for place in (*given, *map(str, beside)) if place]
    environment = {**os.environ, "GST_PLUGIN_PATH": ":".join(places)}
    found = _inspect(environment)
    if found.returncode == 0:
        file = re.search(r"Filename +(\S+)", found.stdout)
        version = re.search(r"Version +(\S+)", found.stdout)
        return " ".join(each.group(1) for each in (version, file) if each)
    files = [Path(place) / PLUGIN for place in places if (Path(place) / PLUGIN).is_file()]
    if not files:
        raise PluginError(f"GStreamer finds no {PLUGIN} ({_FOLDER})")
    raise PluginError(_why(files[0], environment))


def _inspect(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["gst-inspect-1.0", "--no-colors", "dsmsgbroker"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise PluginError(
            f"there is no gst-inspect-1.0 to ask (Debian, Ubuntu: apt install gstreamer1.0-tools;"
            f" if an element is not found: {_FOLDER})"
        ) from None


def _why(file: Path, environment: dict[str, str]) -> str:
    """Why a plugin is not loaded, from GStreamer's own log of a scan without its cache."""
    explain = getattr(native(), "explain_load_error", None)
    machine = getattr(native(), "machine_of_library", lambda path: "")
    if explain is not None and machine(str(file)) != machine("/proc/self/exe"):
        return str(explain(str(file), "it is for another kind of machine"))
    with tempfile.TemporaryDirectory() as folder:
        log = {"GST_DEBUG": "GST_PLUGIN_LOADING:2", "GST_DEBUG_NO_COLOR": "1"}
        registry = {"GST_REGISTRY": f"{folder}/registry.bin", "GST_PLUGIN_PATH": str(file.parent)}
        said = _inspect({**environment, **log, **registry}).stderr
    versions = re.search(r"incompatible version \(plugin: ([\d.]+), gst: ([\d.]+)\)", said)
    if versions:
        return (
            f"{file} was built for GStreamer {versions[1]}, and {versions[2]} runs here"
            " (build it on this machine, or take the package for this release of the system)"
        )
    missing = re.search(r"module_open failed: (.*)", said)
    if missing and explain is not None:
        return str(explain(str(file), missing[1])).replace("the adaptor needs", "it needs")
    return f"GStreamer does not load {file} (`ldd {file}` shows whether a library is missing)"
