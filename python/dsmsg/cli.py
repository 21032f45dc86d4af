# SPDX-License-Identifier: Apache-2.0
"""The command `dsmsg`.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 ended by Ctrl-C.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

from dsmsg import __version__, _spool_cli
from dsmsg._find import search_folders
from dsmsg._looking import HELP as LOOK_HELP
from dsmsg._looking import Look, look, settings_of
from dsmsg.brokers import __main__ as brokers_cli
from dsmsg.doctor import examine

__all__ = ["main"]

_MOST_PENDING = 50_000  # of `pub --lines`; bounds our memory, the adaptor bounds its own
_PATIENCE_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
        return code
    except BrokenPipeError:  # `dsmsg sub ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (OSError, RuntimeError, ValueError) as error:
        print(f"dsmsg: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dsmsg", description="Message-broker adaptors for video analytics."
    )
    parser.add_argument("--version", action="version", version=f"dsmsg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    pub = commands.add_parser("pub", help="send messages")
    _connection_arguments(pub)
    pub.add_argument("topic")
    pub.add_argument("message", nargs="?", help="text to send (default: all of standard input)")
    pub.add_argument(
        "--lines", action="store_true", help="send each line of standard input as a message"
    )
    pub.add_argument("--key", help="message key")
    pub.add_argument("--header", action="append", default=[], metavar="NAME=VALUE")
    pub.add_argument("--json", action="store_true", help="print the result as JSON")
    pub.set_defaults(run=_pub)

    sub = commands.add_parser(
        "sub",
        help="print received messages",
        description="Prints received messages. It only watches: running consumers still get all "
        "their messages, and nothing is left behind at the broker. Unless stated otherwise, it "
        "prints what is sent from now on. By adaptor: " + ". ".join(LOOK_HELP) + ".",
    )
    _connection_arguments(sub)
    sub.add_argument("topic", nargs="+")
    sub.add_argument(
        "--group",
        metavar="NAME",
        help="share the messages of this group with its other members",
    )
    sub.add_argument("--count", type=int, default=0, help="end after this many messages (0: never)")
    sub.add_argument(
        "--timeout", type=float, default=0, help="fail after this many seconds (0: never)"
    )
    sub.add_argument("--json", action="store_true", help="one JSON object per line")
    sub.set_defaults(run=_sub)

    describe = commands.add_parser("describe", help="show an adaptor's options")
    describe.add_argument("adaptor", help="kafka, redis, ... or a path")
    describe.add_argument("--json", action="store_true")
    describe.set_defaults(run=_describe)

    doctor = commands.add_parser("doctor", help="show what is found, what loads, what is missing")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor)

    brokers = commands.add_parser("brokers", help="run real brokers for trials")
    brokers_cli.add_commands(brokers)

    spools = commands.add_parser("spool", help="inspect messages waiting on disk for a broker")
    _spool_cli.add_commands(spools)
    return parser


def _connection_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("adaptor", help="kafka, redis, ... or a path")
    parser.add_argument("conn_str", help='"host;port" or a URL')
    parser.add_argument("--config", help="configuration file")
    parser.add_argument(
        "-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="one setting"
    )


def _options(parsed: argparse.Namespace) -> dict[str, str]:
    if parsed.option and parsed.config:
        raise ValueError(
            "--config and --option cannot be used together (put all settings in the file)"
        )
    return dict(_pair(text, "--option") for text in parsed.option)


def _connect(parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - Connection, imported late
    from dsmsg.adaptor import Adaptor  # here: `brokers` works without cffi

    options = _options(parsed)
    return Adaptor(parsed.adaptor).connect(parsed.conn_str, options or parsed.config)


def _connect_to_look(parsed: argparse.Namespace) -> tuple[Any, Look]:
    """Connects so that running consumers still get their messages."""
    from dsmsg.adaptor import Adaptor

    adaptor = Adaptor(parsed.adaptor)
    options = _options(parsed)
    adaptor.check(options)
    file = settings_of(parsed.config) if parsed.config else {}
    plan = look(adaptor.protocol, adaptor.options, parsed.topic, parsed.group, file, options)
    if not plan.settings:
        return adaptor.connect(parsed.conn_str, options or parsed.config), plan
    return adaptor.connect(parsed.conn_str, plan.over(parsed.config, options)), plan


def _pair(text: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{what} {text!r} is not of the form NAME=VALUE")
    return name, value


def _messages(parsed: argparse.Namespace) -> Iterator[bytes]:
    if parsed.message is not None:
        yield os.fsencode(parsed.message)
    elif parsed.lines:
        for line in sys.stdin.buffer:
            if line.rstrip(b"\r\n"):
                yield line.rstrip(b"\r\n")
    else:
        yield sys.stdin.buffer.read()


def _pub(parsed: argparse.Namespace) -> int:
    headers = [_pair(text, "--header") for text in parsed.header]
    key = None if parsed.key is None else os.fsencode(parsed.key)
    counts = {0: 0, 1: 0, 2: 0}

    def count(result: int) -> None:
        counts[result] += 1

    with _connect(parsed) as connection:
        for payload in _messages(parsed):
            if key is None and not headers:
                connection.send_async(parsed.topic, payload, count)
            else:
                connection.send_message(parsed.topic, payload, count, key=key, headers=headers)
            while connection.pending >= _MOST_PENDING:
                connection.do_work()
        # As long as acknowledgements keep coming; what is left then, disconnect ends.
        progress, deadline = 0, time.monotonic() + _PATIENCE_S
        while connection.pending and time.monotonic() < deadline:
            connection.do_work()
            if sum(counts.values()) > progress:
                progress, deadline = sum(counts.values()), time.monotonic() + _PATIENCE_S
    failed = counts[1] + counts[2]
    # After the end, which ends what is left: without a reason of the adaptor, where to look.
    no_reason = "the adaptor gave no reason (see its log)"
    reason = (connection.last_error() or no_reason) if failed else ""
    if parsed.json:
        print(json.dumps({"acknowledged": counts[0], "failed": failed, "reason": reason}))
    if failed:
        print(
            f"dsmsg: {failed} of {sum(counts.values())} messages failed: {reason}", file=sys.stderr
        )
    elif not parsed.json:
        print(f"{counts[0]} acknowledged")
    return 1 if failed else 0


def _sub(parsed: argparse.Namespace) -> int:
    done = threading.Event()
    received = 0
    failure: list[BaseException] = []

    def show(message: Any) -> None:  # noqa: ANN401 - Message
        nonlocal received
        if done.is_set():
            return
        try:
            _print_message(message, sys.stdout.buffer, as_json=parsed.json)
        except OSError as error:
            failure.append(error)
            done.set()
            return
        received += 1
        if parsed.count and received >= parsed.count:
            done.set()

    def interrupted(number: int, frame: object) -> None:
        done.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    connection, plan = _connect_to_look(parsed)
    with connection:
        connection.subscribe(plan.topics, show)
        print(
            f"receiving {', '.join(parsed.topic)}{plan.place}; Ctrl-C ends it",
            file=sys.stderr,
            flush=True,
        )
        if plan.warning:
            print(f"dsmsg: {plan.warning}", file=sys.stderr, flush=True)
        finished = done.wait(parsed.timeout or None)
    if failure:
        raise failure[0]
    if not finished:
        print(f"dsmsg: {received} messages within {parsed.timeout:g} s", file=sys.stderr)
        return 1
    return 0


def _print_message(message: Any, output: IO[bytes], *, as_json: bool) -> None:  # noqa: ANN401
    if as_json:
        fields: dict[str, object] = {"topic": message.topic, "length": len(message.payload)}
        try:
            fields["payload"] = message.payload.decode("utf-8")
        except UnicodeDecodeError:
            fields["payload_base64"] = base64.b64encode(message.payload).decode("ascii")
        output.write(json.dumps(fields).encode("utf-8") + b"\n")
    else:
        output.write(message.payload + b"\n")
    output.flush()


def _describe(parsed: argparse.Namespace) -> int:
    from dsmsg.adaptor import Adaptor

    table = Adaptor(parsed.adaptor).describe()
    if parsed.json:
        print(json.dumps(table, indent=2))
        return 0
    print(f"{table['protocol']}, dsmsg {table['version']}, {table['library']}")
    print(f"delivered: {table['delivery']}")
    for common, title in ((False, "options of this adaptor"), (True, "options of all adaptors")):
        print(f"\n{title}:")
        for option in table["options"]:
            if option["common"] == common:
                later = " (not in this version)" if option["unavailable"] else ""
                default = option["default"] or "-"
                print(f"  {option['name']:<24} {option['type']}, default {default}{later}")
                print(f"  {'':<24}   {option['doc']}")
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    report = examine()
    if parsed.json:
        print(json.dumps(report, indent=2))
    else:
        print("folders: " + (", ".join(map(str, search_folders())) or "none"))
        for check in report["checks"]:
            print(f"{'ok     ' if check['ok'] else 'MISSING'} {check['name']:<14} {check['text']}")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
