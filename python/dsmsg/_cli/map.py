# SPDX-License-Identifier: Apache-2.0
"""`dsmsg map`: checks maps, and shows what they make."""

from __future__ import annotations

import json as json_module
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from dsmsg._cli import _jsonlines, _output
from dsmsg._cli._typer import Group
from dsmsg._map import Map, full_sample
from dsmsg.errors import ConfigError

__all__ = ["EXAMPLES", "app", "load"]

EXAMPLES = (
    "dsmsg map check events.yaml",
    "dsmsg map try events.yaml                     # with a sample that has every value",
    "dsmsg map try uplink.yaml payload.json --topic sensors/hall/telemetry",
)
_PLACE = re.compile(r"(?P<file>.*?):(?P<line>\d+):(?P<column>\d+): ")

app = Group(help="Checks maps (docs/maps.md), and shows what they make.")
File = Annotated[str, typer.Argument(metavar="FILE", help="The map.", show_default=False)]


def _example(*lines: str) -> str:
    return _output.examples(lines)


@app.command("check", epilog=_example("dsmsg map check events.yaml"))
def _check(file: File, json: _output.Json = False) -> int:
    """Checks a map as a whole. Exit codes: 0 good, 2 a mistake: it is shown with its line."""
    found = load(file)
    if found is None:
        return 2
    if json:
        _output.print_json({"file": file, "each": found.each, "format": found.format})
    else:
        _output.line(f"{file}: good", f", {found.format} for each {found.each}")
    return 0


@app.command(
    "try",
    epilog=_example(
        "dsmsg map try events.yaml sample.json",
        "dsmsg map try uplink.yaml payload.json --topic sensors/hall/telemetry",
        "dsmsg sub @site-a detections --count 5 --json > capture; "
        "dsmsg map try uplink.yaml --from-capture capture",
    ),
)
def _try(
    file: File,
    sample: Annotated[
        Optional[str],
        typer.Argument(
            metavar="SAMPLE",
            help="JSON: a payload, or for maps of metadata a frame (`dsmsg map sample` prints "
            "one); - is standard input.",
            show_default=False,
        ),
    ] = None,
    capture: Annotated[
        Optional[str],
        typer.Option(
            "--from-capture", metavar="FILE", help="Messages that `dsmsg sub --json` printed."
        ),
    ] = None,
    topic: Annotated[str, typer.Option(help="Topic of the payload.")] = "",
    key: Annotated[Optional[str], typer.Option(help="Its key.")] = None,
    header: Annotated[
        Optional[list[str]], typer.Option(metavar="NAME=VALUE", help="One of its headers.")
    ] = None,
    separator: Annotated[str, typer.Option(help="Between the parts of a topic.")] = "/",
    json: _output.Json = False,
) -> int:
    """Shows the messages that a map makes of a sample.

    Without SAMPLE, maps of metadata are shown with a built-in one that has every value. Exit codes:
    0 shown, 2 a mistake in the map or in the sample.
    """
    found = load(file)
    if found is None:
        return 2
    try:
        if found.each == "message":
            plain = _plain(sample, topic, key, header or [])
            made = list(_applied(found, capture, plain, separator))
        elif capture is not None:
            raise ConfigError(
                f"--from-capture has messages, and {file} is for metadata (each: {found.each}): "
                "give it a sample of a frame, or nothing"
            )
        else:
            text = full_sample() if sample is None else _read(sample).decode("utf-8", "replace")
            made = list(found.try_sample(text, sample or "sample"))
    except OSError as error:
        _tell(f"cannot read {error.filename or sample}: {error.strerror}")
        return 2
    except (ConfigError, ValueError) as error:
        _tell(str(error))
        return 2
    for each in made:
        _show(each, found, as_json=json)
    if not made:
        _output.note("no message: the sample has nothing that the map is for, or that its when: "
                     "holds for")  # fmt: skip
    return 0


@app.command("sample", epilog=_example("dsmsg map sample > sample.json"))
def _sample(json: _output.Json = False) -> None:
    """Prints a sample of metadata in which every value of maps has something; it is JSON."""
    del json
    print(full_sample(), end="")


def load(file: str) -> Optional[Map]:
    """Returns a map; None after its mistake was shown, with the line."""
    try:
        return Map(file)
    except (ConfigError, OSError) as error:
        _tell(str(error))
        return None


def _tell(text: str) -> None:
    _output.complain(text)
    place = _PLACE.match(text)
    if place is None:
        return
    try:
        lines = Path(place["file"]).read_text(encoding="utf-8-sig", errors="replace").splitlines()
        line = lines[int(place["line"]) - 1]
    except (OSError, IndexError):
        return
    _output.note(f"  {_output.printable(line)}")
    _output.note(f"  {' ' * (int(place['column']) - 1)}^")


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _plain(
    sample: Optional[str], topic: str, key: Optional[str], headers: list[str]
) -> Optional[_jsonlines.Outgoing]:
    if sample is None:
        return None
    pairs = [each.partition("=") for each in headers]
    wrong = next((name for name, sign, _ in pairs if not sign), None)
    if wrong is not None:
        raise ConfigError(f"--header {wrong}: expected NAME=VALUE")
    return _jsonlines.Outgoing(
        topic=topic,
        payload=_read(sample),
        key=None if key is None else key.encode("utf-8"),
        headers=[(name, value) for name, _, value in pairs],
    )


def _applied(
    found: Map, capture: Optional[str], plain: Optional[_jsonlines.Outgoing], separator: str
) -> Iterator[bytes]:
    if capture is not None:
        lines = _jsonlines.text_input(_read(capture))
        messages = list(_jsonlines.read(lines, _jsonlines.Outgoing(topic="")))
    elif plain is not None:
        messages = [plain]
    else:
        raise ConfigError("this map is for received messages: give a payload, or --from-capture")
    for each in messages:
        made = found.apply(
            each.payload,
            topic=each.topic or "",
            key=each.key,
            headers=each.headers,
            timestamp_ms=each.timestamp_ms or None,
            separator=separator,
        )
        if not found.was_json:
            _output.note("a payload is not JSON: it is read as a text")
        if made is None:
            _output.note("left out by when:")
        else:
            yield made


def _show(made: bytes, found: Map, *, as_json: bool) -> None:
    document: Any
    if found.format == "protobuf":
        from dsmsg._cli import _nvproto

        document = _nvproto.decoder("Frame" if found.each == "frame" else "Message")(made)
    else:
        document = json_module.loads(made)
    if as_json or not sys.stdout.isatty():
        _output.print_json(document, indent=None, ascii_only=False)
        return
    from rich.console import Console

    Console().print_json(data=document)
