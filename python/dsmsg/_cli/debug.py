# SPDX-License-Identifier: Apache-2.0
"""`dsmsg debug`: one archive for a report of a problem."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import sys
import tarfile
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Callable, Optional

import typer

from dsmsg import __version__
from dsmsg._cli import _output
from dsmsg._cli._secrets import HIDDEN, is_secret
from dsmsg._cli._settings_file import read_lines
from dsmsg._find import available
from dsmsg.doctor import examine

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg debug",
    "dsmsg debug --config kafka.txt --adaptor kafka --metrics dsmsg.prom --log pipeline.log",
)

_ENVIRONMENT = ("DSMSG_", "NVDS_", "DEEPSTREAM_", "GST_")
_TAIL_BYTES = 4_000_000


def command(
    output: Annotated[
        Optional[str],
        typer.Option(metavar="FILE", help="The archive (default: dsmsg-debug-TIME.tar.gz)."),
    ] = None,
    configs: Annotated[
        Optional[list[str]],
        typer.Option("--config", metavar="FILE", help="Configuration, without its secrets."),
    ] = None,
    adaptor: Annotated[
        str, typer.Option(help="Adaptor of the configuration; it knows which options are secret.")
    ] = "",
    metrics: Annotated[
        Optional[list[str]], typer.Option(metavar="FILE", help="Metrics file.")
    ] = None,
    logs: Annotated[
        Optional[list[str]], typer.Option("--log", metavar="FILE", help="Log; its last lines.")
    ] = None,
    lines: Annotated[int, typer.Option(min=1, help="How many lines of a log.")] = 2000,
    json_: _output.Json = False,
) -> None:
    """Packs versions, configuration without secrets, metrics and last log lines into one archive.

    Nothing is sent anywhere. Look into it before you hand it on: a log holds what programs wrote.
    """
    path = Path(output or f"dsmsg-debug-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
    parts: dict[str, Callable[[], str]] = {
        "versions.json": lambda: _as_json(_versions()),
        "doctor.json": lambda: _as_json(examine()),
        "adaptors.json": lambda: _as_json(_adaptors()),
        "environment.json": lambda: _as_json(_environment()),
    }
    for number, name in enumerate(configs or ()):
        parts[f"config-{number}-{Path(name).name}"] = partial(_without_secrets, name, adaptor)
    for number, name in enumerate(metrics or ()):
        parts[f"metrics-{number}-{Path(name).name}"] = partial(_tail, name, sys.maxsize)
    for number, name in enumerate(logs or ()):
        parts[f"log-{number}-{Path(name).name}"] = partial(_tail, name, lines)
    written = _pack(path, parts)
    if json_:
        _output.print_json({"path": str(path), "files": written})
    else:
        print(f"{path}: {', '.join(written)}")


def _pack(path: Path, parts: dict[str, Callable[[], str]]) -> list[str]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with (
        os.fdopen(handle, "wb") as file,
        tarfile.open(fileobj=file, mode="w:gz") as archive,
        _output.progress("packing", len(parts)) as show,
    ):
        for number, (name, make) in enumerate(parts.items(), 1):
            try:
                text = make()
            except (OSError, ValueError, RuntimeError) as error:
                text = f"{error}\n"
            data = text.encode("utf-8", "backslashreplace")
            entry = tarfile.TarInfo(f"{path.name.partition('.')[0]}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(data))
            show(number)
    return list(parts)


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _versions() -> dict[str, Any]:
    packages = sorted(
        (each.metadata["Name"] or "", each.version) for each in importlib.metadata.distributions()
    )
    release = {}
    with_release = Path("/etc/os-release")
    if with_release.exists():
        pairs = (line.partition("=") for line in with_release.read_text().splitlines())
        release = {name: value.strip('"') for name, _, value in pairs if name}
    return {
        "dsmsg": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "system": release.get("PRETTY_NAME", ""),
        "packages": dict(packages),
    }


def _adaptors() -> dict[str, Any]:
    from dsmsg.adaptor import Adaptor  # here: it takes cffi, which other commands do without

    found: dict[str, Any] = {}
    for name, path in available().items():
        try:
            adaptor = Adaptor(path)
            about = adaptor.describe() if "describe" in adaptor.extensions else {}
            about.pop("options", None)
            found[name] = {"path": str(path), "extensions": sorted(adaptor.extensions), **about}
        except (OSError, RuntimeError) as error:
            found[name] = {"path": str(path), "error": str(error)}
    return found


def _environment() -> dict[str, str]:
    """Variables of dsmsg, DeepStream and GStreamer; of logins only that they are set."""
    values = {name: text for name, text in os.environ.items() if name.startswith(_ENVIRONMENT)}
    logins = {name: HIDDEN for name in os.environ if name.startswith(("USER_", "PASSWORD_"))}
    return {**values, **logins}


def _without_secrets(name: str, adaptor: str) -> str:
    """A file's text with the values of secrets hidden, its comments left out: they may hold one."""
    group = ""
    text = ""
    for line in read_lines(name):
        if line.group != group:
            group = line.group
            text += f"[{group}]\n"
        hidden = line.value and not line.value.startswith(("${env:", "${file:"))
        secret = hidden and is_secret(adaptor, line.name)
        text += f"{line.name}={HIDDEN if secret else line.value}\n"
    return text


def _tail(name: str, lines: int) -> str:
    with Path(name).open("rb") as file:
        file.seek(max(0, Path(name).stat().st_size - _TAIL_BYTES))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:]) + "\n"
