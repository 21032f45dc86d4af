# SPDX-License-Identifier: Apache-2.0
"""`dsmsg view`: a page that shows what messages say, live."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Callable, Optional

import click
import typer

from dsmsg._address import without_login
from dsmsg._cli import _jsonlines, _output, _show
from dsmsg._cli._where import Config, Options, Where, complete, read_where
from dsmsg._cli.sub import connect_to_look, on_signals
from dsmsg.errors import NotSupportedError

if TYPE_CHECKING:
    from dsmsg._view.places import PlacesFile
    from dsmsg._view.state import State

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "dsmsg view redis 'localhost;6379' detections",
    "dsmsg view @site-a detections --evidence /var/lib/pictures --space space.yaml",
    "dsmsg view kafka://localhost:9092 detections --size 1920x1080 --port 0",
    "dsmsg view --messages recorded.jsonl --evidence /var/lib/pictures   # without a broker",
)
_LOOK_S = 1.0
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


def command(
    words: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="WHERE TOPIC...", help="What to read.", autocompletion=complete),
    ] = None,
    evidence: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="PLACE",
            help="Where pictures may be read: a folder, redis://host:port/database or "
            "s3://bucket/prefix; may be repeated. Nothing else is read.",
        ),
    ] = None,
    space: Annotated[
        Optional[str],
        typer.Option(metavar="FILE", help="Lines and zones to draw (space.md)."),
    ] = None,
    size: Annotated[
        Optional[str],
        typer.Option(metavar="WxH", help="The cameras' picture in pixels, such as 1920x1080."),
    ] = None,
    messages: Annotated[
        Optional[str],
        typer.Option(
            metavar="FILE", help="Show these messages (lines of JSON, as sub --json prints them)."
        ),
    ] = None,
    decode: Annotated[
        Optional[_show.Decode],
        typer.Option(help="Read protobuf payloads (include/nv.proto)."),
    ] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest message kept.")
    ] = False,
    keep: Annotated[
        int, typer.Option(help="Pictures to keep of each source.", min=1, max=1000)
    ] = 24,
    port: Annotated[
        int, typer.Option(help="Port of the page; 0: any that is free.", min=0, max=65535)
    ] = 8090,
    host: Annotated[
        str, typer.Option(help="Address of the page. The page has no login.")
    ] = "127.0.0.1",
    config: Config = None,
    option: Options = None,
    json: _output.Json = False,
) -> int:
    """Shows messages on a page: boxes, lines and zones, events, pictures, rates and the link.

    It only watches, as `dsmsg sub` does. The page needs no network but the way to this command.
    """
    if (messages is None) == (not words):
        raise click.UsageError("give either WHERE TOPIC..., or --messages FILE")
    from dsmsg._view import payloads  # here: other commands do without
    from dsmsg._view.pictures import Pictures
    from dsmsg._view.places import PlacesFile
    from dsmsg._view.server import ViewServer
    from dsmsg._view.state import State

    decoder = None
    if decode is not None:
        from dsmsg._cli import _nvproto

        decoder = _nvproto.decoder(decode.value.capitalize())
    pictures = Pictures(evidence or [])
    places = None if space is None else PlacesFile(space)
    where, topics = (None, []) if messages else read_where(words, config, option, least=1)
    title = messages or _title(where, topics)
    state = State(title, keep=keep, size=_size_of(size), readable=pictures.why_not)
    if places is not None:
        state.set_places(places.read_if_changed() or {})

    def receive(topic: str, payload: bytes) -> None:
        try:
            state.add(payloads.read(payload, decoder), topic)
        except ValueError as error:
            state.cannot_show(str(error))

    done = threading.Event()
    on_signals(done.set)
    try:
        server = ViewServer(host, port, state, pictures)
    except OSError as error:
        raise OSError(
            f"cannot listen at {host} port {port}: {error} (is another view running? --port 0 "
            "takes a port that is free)"
        ) from None
    with server, _source(where, topics, messages, receive, state, begin=from_beginning):
        thread = threading.Thread(target=server.serve_forever, name="dsmsg-view", daemon=True)
        thread.start()
        if not server.is_loopback:
            _output.complain(
                f"everyone who reaches {host} port {server.server_port} sees messages and "
                "pictures: the page has neither login nor TLS"
            )
        if json:
            _output.print_json({"url": server.url, "shows": title}, indent=None)
        else:
            print(f"{server.url} shows {title}; Ctrl-C ends it")
        sys.stdout.flush()
        _watch(done, places, state)
        state.close()
        server.shutdown()
    return 0


def _watch(done: threading.Event, places: Optional[PlacesFile], state: State) -> None:
    """Waits for the end, and looks meanwhile whether lines and zones have changed."""
    while not done.wait(_LOOK_S):
        try:
            changed = None if places is None else places.read_if_changed()
        except (OSError, ValueError) as error:
            _output.complain(f"{error} (the page shows what the file said before)")
            continue
        if changed is not None:
            state.set_places(changed)


@contextlib.contextmanager
def _source(
    where: Optional[Where],
    topics: list[str],
    file: Optional[str],
    receive: Callable[[str, bytes], None],
    state: State,
    *,
    begin: bool,
) -> Iterator[None]:
    """Feeds the state from a broker, or from a file that is read at once."""
    if where is None:
        with Path(str(file)).open("rb") as lines:
            for each in _jsonlines.read(lines, _jsonlines.Outgoing()):
                receive(each.topic or "", each.payload)
        state.no_link("messages of a file")
        yield
        return
    connection, plan = connect_to_look(where, topics, start="" if begin else None)
    with connection:
        try:
            connection.set_link_callback(state.link)
        except NotSupportedError:
            state.no_link("this adaptor does not tell")
        connection.subscribe(plan.topics, lambda message: receive(message.topic, message.payload))
        if plan.warning:
            _output.complain(plan.warning)
        yield


def _title(where: Any, topics: list[str]) -> str:  # noqa: ANN401 - Where
    place = without_login(where.conn_str) or where.file or "its settings"
    known = place.startswith(f"{where.adaptor}")
    return f"{', '.join(topics)} of {place if known else f'{where.adaptor} {place}'}"


def _size_of(text: Optional[str]) -> Optional[tuple[int, int]]:
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    if match is None or not all(map(int, match.groups())):
        raise ValueError(f"--size {text}: expected width and height, such as 1920x1080")
    return int(match.group(1)), int(match.group(2))
