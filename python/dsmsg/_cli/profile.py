# SPDX-License-Identifier: Apache-2.0
"""`dsmsg profile`: brokers by name."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from dsmsg._cli import _output, _profiles
from dsmsg._cli._profiles import Profile, Profiles
from dsmsg._cli._secrets import without_login, without_secrets
from dsmsg._cli._typer import Group
from dsmsg._cli._where import Config, Options, complete, read_where

__all__ = ["EXAMPLES", "app"]

EXAMPLES = (
    "dsmsg profile add site-a kafka 'kafka-a;9092' -o compression=zstd",
    "dsmsg profile add site-b mqtts://hub-b:8883 --config site-b.txt",
    "dsmsg profile use site-a",
    "dsmsg sub @ detections        # the profile in use",
    "dsmsg sub @site-b detections",
)

app = Group(
    help="Keeps brokers under names: @NAME stands for adaptor, connection string and settings. "
    "DSMSG_PROFILE in the environment names the one that @ means.",
)


def _names(incomplete: str) -> list[str]:
    return [name for name in _profiles.load().profiles if name.startswith(incomplete)]


_Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=_names)]


@app.command("add", epilog=_output.examples(EXAMPLES[:2]))
def _add(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    words: Annotated[
        Optional[list[str]], typer.Argument(metavar="WHERE", autocompletion=complete)
    ] = None,
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> None:
    """Makes or replaces a profile. The first one is in use at once.

    Passwords are kept as they are given, in a file that only you can read; ${env:NAME} and
    ${file:/path} as the value of a password keep it elsewhere.
    """
    if not name or name.startswith("@") or "/" in name:
        raise typer.BadParameter(f"{name!r} is no name for a profile")
    where, rest = read_where(words, config, option)
    if rest:
        raise typer.BadParameter(f"unexpected {rest[0]!r}")
    file = None if where.file is None else str(Path(where.file).absolute())
    known = _profiles.load()
    known.profiles[name] = Profile(where.adaptor, where.conn_str, file, dict(where.options))
    known.used = known.used or name
    known.save()
    _tell(known, json, f"{name} is kept in {known.path}")


@app.command("use", epilog=_output.examples(["dsmsg profile use site-a"]))
def _use(name: _Name, json: _output.Json = False) -> None:
    """Says which profile @ means."""
    known = _profiles.load()
    known.get(name)
    known.used = name
    known.save()
    _tell(known, json, f"@ is now {name}")


@app.command("rm", epilog=_output.examples(["dsmsg profile rm site-a"]))
def _rm(name: _Name, json: _output.Json = False) -> None:
    """Forgets a profile."""
    known = _profiles.load()
    known.get(name)
    del known.profiles[name]
    known.used = "" if known.used == name else known.used
    known.save()
    _tell(known, json, f"{name} is forgotten")


@app.command("ls", epilog=_output.examples(["dsmsg profile ls"]))
def _ls(json: _output.Json = False) -> None:
    """Lists the profiles; * marks the one in use. Secrets are not shown."""
    known = _profiles.load()
    _tell(known, json, "")
    if json:
        return
    if not known.profiles:
        print(f"no profiles in {known.path}")
    for name, profile in known.profiles.items():
        mark = "*" if name == known.used else " "
        shown = _shown(profile)
        words = [shown["adaptor"], shown["conn_str"] or ""]
        words += [f"--config {shown['config']}"] if shown["config"] else []
        words += [f"-o {option}={value}" for option, value in shown["options"].items()]
        _output.line(f"{mark} {name:<12}", f" {' '.join(words)}", style="bold")


def _shown(profile: Profile) -> dict[str, Any]:
    conn_str = None if profile.conn_str is None else without_login(profile.conn_str)
    return {
        **asdict(profile),
        "conn_str": conn_str,
        "options": without_secrets(profile.adaptor, profile.options),
    }


def _tell(known: Profiles, json: bool, text: str) -> None:
    if json:
        profiles = {name: _shown(profile) for name, profile in known.profiles.items()}
        _output.print_json({"path": str(known.path), "use": known.used, "profiles": profiles})
    elif text:
        print(text)
