# SPDX-License-Identifier: Apache-2.0
"""The functions, their arguments, signatures and secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dsmsg._abi import ffi
from dsmsg._certify.elf import exports
from dsmsg._certify.host import ERR, NAMES, OK, Check
from dsmsg._certify.requirements import MUST, SHOULD, requirement

__all__: list[str] = []

_GUARD = 0x5A


@requirement(
    "S1.1",
    MUST,
    "The library exports the nine functions of nvds_msgapi.h.",
    "DeepStream's hosts look each of them up and give up when one is missing.",
)
def _functions(check: Check) -> None:
    missing = check.library.missing()
    check.require(not missing, f"it lacks {', '.join(missing)}")


@requirement(
    "S1.2",
    MUST,
    'getversion returns "major.minor" and get_protocol_name a name of capital letters.',
    "Hosts print the version and compare the name: `MQTT` makes them call do_work for ever.",
)
def _names(check: Check) -> str:
    texts = []
    for function, form in (("getversion", r"\d+\.\d+"), ("get_protocol_name", r"[A-Z][A-Z0-9_]*")):
        pointer = check.library.call(function)
        check.require(pointer != ffi.NULL, f"nvds_msgapi_{function}() returned NULL")
        text = ffi.string(pointer).decode("utf-8", "replace")
        check.require(re.fullmatch(form, text), f"nvds_msgapi_{function}() returned {text!r}")
        texts.append(text)
    return f"{texts[1]}, version {texts[0]}"


@requirement(
    "S1.3",
    MUST,
    "connect without a string, with an empty one or with a file that does not exist does not "
    "crash.",
    "A wrong line in a configuration would end the whole pipeline without a word.",
)
def _connect(check: Check) -> None:
    for about, text, path in (
        ("with NULL and NULL", None, None),
        ("with an empty string", b"", None),
        ("with a file that does not exist", b"", b"/nonexistent/certify.txt"),
        ("with a string that is no address", b";;;;", None),
    ):
        arguments = [ffi.NULL if each is None else each for each in (text, path)]
        check.library.call("connect", arguments[0], ffi.NULL, arguments[1], about=about)


def _refused(check: Check, calls: tuple[tuple[str, str, tuple[Any, ...]], ...]) -> None:
    for function, about, arguments in calls:
        answer = check.library.call(function, *arguments, about=about)
        check.require(
            answer != OK, f"nvds_msgapi_{function} {about} returned {NAMES.get(answer, answer)}"
        )


def _called(check: Check) -> tuple[list[int], Any]:
    """A send callback of its own, and the list of its calls."""
    calls: list[int] = []
    return calls, ffi.callback("send_cb", lambda user, result: calls.append(result))


@requirement(
    "S1.4",
    MUST,
    "send and send_async refuse NULL handles, topics and payloads: no crash, no callback.",
    "A crash takes the pipeline along; a callback for a refused message frees memory twice.",
)
def _send(check: Check) -> None:
    link = check.connect()
    calls, callback = _called(check)
    topic, payload = check.topic.encode(), b"payload"
    _refused(
        check,
        (
            ("send", "with a NULL handle", (ffi.NULL, topic, payload, 7)),
            ("send", "with a NULL payload", (link.handle, topic, ffi.NULL, 7)),
            ("send_async", "with a NULL handle", (ffi.NULL, topic, payload, 7, callback, ffi.NULL)),
            (
                "send_async",
                "with a NULL payload",
                (link.handle, topic, ffi.NULL, 7, callback, ffi.NULL),
            ),
        ),
    )
    # No topic: refused, unless there is a default one, which is sent to.
    for about, none in (("with a NULL topic", ffi.NULL), ("with an empty topic", b"")):
        arguments = (link.handle, none, payload, 7, ffi.NULL, ffi.NULL)
        check.library.call("send_async", *arguments, about=about)
    for _ in range(5):
        link.work()
    check.require(not calls, "a callback came for a message that was refused")


@requirement(
    "S1.5",
    MUST,
    "subscribe refuses NULL handles, NULL or no topics and a NULL callback without a crash.",
    "A program that builds its list of topics from a file passes an empty one some day.",
)
def _subscribe(check: Check) -> None:
    link = check.connect()
    callback = ffi.callback("subscribe_cb", lambda *arguments: None)
    topic = ffi.new("char[]", check.topic.encode())
    topics = ffi.new("char *[]", [topic])
    nothing = ffi.new("char *[]", [ffi.NULL])
    _refused(
        check,
        (
            ("subscribe", "with a NULL handle", (ffi.NULL, topics, 1, callback, ffi.NULL)),
            ("subscribe", "with NULL topics", (link.handle, ffi.NULL, 1, callback, ffi.NULL)),
            ("subscribe", "with 0 topics", (link.handle, topics, 0, callback, ffi.NULL)),
            ("subscribe", "with -1 topics", (link.handle, topics, -1, callback, ffi.NULL)),
            ("subscribe", "with a NULL topic", (link.handle, nothing, 1, callback, ffi.NULL)),
            ("subscribe", "with a NULL callback", (link.handle, topics, 1, ffi.NULL, ffi.NULL)),
        ),
    )


@requirement(
    "S1.6",
    MUST,
    "do_work and disconnect take a NULL handle without a crash; disconnect answers ERR.",
    "Hosts stop what never started: after a failed connect they hold NULL.",
)
def _null_handles(check: Check) -> None:
    check.library.call("do_work", ffi.NULL, about="with a NULL handle")
    answer = check.library.call("disconnect", ffi.NULL, about="with a NULL handle")
    check.require(answer != OK, "nvds_msgapi_disconnect with a NULL handle returned OK")


@requirement(
    "S1.7",
    MUST,
    "connection_signature takes NULL for the string, the file and the output without a crash.",
    "DeepStream's client library asks for it before every connect, often without a file.",
)
def _null_signature(check: Check) -> None:
    output = ffi.new("char[]", 256)
    text = check.plan["conn_str"].encode()
    for about, arguments in (
        ("with a NULL string", (ffi.NULL, ffi.NULL, output, 256)),
        ("with a NULL file", (text, ffi.NULL, output, 256)),
        ("with a NULL output", (text, ffi.NULL, ffi.NULL, 256)),
        ("with no room", (text, ffi.NULL, output, 0)),
        ("with negative room", (text, ffi.NULL, output, -1)),
    ):
        check.library.call("connection_signature", *arguments, about=about)


@requirement(
    "S1.8",
    SHOULD,
    "A second disconnect of the same handle answers ERR and does not crash.",
    "A host that stops twice after an error crashes, far from the cause.",
)
def _twice(check: Check) -> None:
    link = check.connect()
    check.require(link.disconnect() == OK, "the first disconnect did not return OK")
    answer = check.library.call("disconnect", link.handle, about="a second time")
    check.require(answer == ERR, f"the second disconnect returned {NAMES.get(answer, answer)}")


def _signature(check: Check, text: str, config: str, room: int) -> tuple[int, bytes]:
    """Asks for a signature; returns the answer and all 4096 bytes of the output."""
    output = ffi.new("char[]", bytes([_GUARD]) * 4095)
    answer = check.library.call(
        "connection_signature",
        text.encode(),
        config.encode() or ffi.NULL,
        output,
        room,
        about=f"with room for {room} bytes",
    )
    return answer, bytes(ffi.buffer(output, 4095))


@requirement(
    "R13.1",
    MUST,
    "A signature ends with a NUL inside its room, whatever the room is.",
    "Hosts hand over a buffer on their stack; one byte too many destroys it.",
)
def _room(check: Check) -> None:
    for room in (2048, 128, 65, 64, 8, 1):
        answer, output = _signature(check, check.plan["conn_str"], check.plan["config"], room)
        beyond = output[room:].strip(bytes([_GUARD]))
        check.require(not beyond, f"with room for {room} bytes it wrote behind them")
        ended = answer != OK or b"\0" in output[:room]
        check.require(ended, f"with room for {room} bytes it returned OK without a final NUL")


@requirement(
    "R13.2",
    MUST,
    "Different connection strings have different signatures, or empty ones.",
    "Hosts share one connection where signatures are equal: messages go to the wrong server.",
)
def _different(check: Check) -> str:
    texts = ("first.example;4711", "second.example;4711", "first.example;4712")
    found = []
    for text in texts:
        answer, output = _signature(check, text, check.plan["config"], 2048)
        found.append(output.partition(b"\0")[0] if answer == OK else b"")
    used = [each for each in found if each]
    check.require(len(set(used)) == len(used), f"two of {', '.join(texts)} have the same one")
    return "" if used else "signatures are empty: connections are not shared"


_SECRET = "certify-5ecret-0f-the-run"  # noqa: S105 - a made-up one


@requirement(
    "R14.1",
    MUST,
    "A password of the configuration file appears in no output of the library.",
    "Logs are collected, mailed and shown to other people than the password was meant for.",
)
def _secret(check: Check) -> str:
    config = check.config_with(f"password={_SECRET}")
    link = check.open(config=config)
    if link is not None:
        link.send_async()
        link.work()
        link.disconnect()
    check.open(";;;;", config)
    for secret in (_SECRET, *check.plan["secrets"]):
        check.require(secret not in check.output(), "its output has the password")
    return "" if check.plan["secrets"] else "with the option `password`; --secret adds real ones"


@requirement(
    "R14.2",
    MUST,
    "A password of the configuration file is not part of the signature.",
    "Hosts log signatures.",
)
def _secret_in_signature(check: Check) -> None:
    config = check.config_with(f"password={_SECRET}")
    _, output = _signature(check, check.plan["conn_str"], config, 2048)
    for secret in (_SECRET, *check.plan["secrets"]):
        check.require(secret.encode() not in output, "the signature has the password")


@requirement(
    "R15.1",
    SHOULD,
    "The library exports nothing but nvds_msgapi_* (and dsmsg_*).",
    "Hosts load several adaptors into one process; the first one's symbols replace the others'.",
)
def _exports(check: Check) -> None:
    others = [
        name
        for name in exports(Path(check.plan["library"]))
        if not name.startswith(("nvds_msgapi_", "dsmsg_")) and name not in ("_init", "_fini")
    ]
    check.require(
        not others,
        f"it exports {len(others)} other symbols, such as {', '.join(sorted(others)[:3])} "
        "(-fvisibility=hidden and a version script hide them)",
    )


@requirement(
    "X.1",
    SHOULD,
    "After a refused call, dsmsg_last_error says why to the thread that made it.",
    "Hosts of this project show it to their user.",
)
def _last_error(check: Check) -> str:
    last_error = check.library.extension("last_error")
    link = check.connect()
    check.library.call("send", link.handle, check.topic.encode(), ffi.NULL, 7)
    output = ffi.new("char[]", 4096)
    last_error(ffi.NULL, output, 4096)
    text: str = ffi.string(output).decode("utf-8", "replace")
    check.require(text, "it is empty")
    return text


@requirement(
    "X.2",
    SHOULD,
    "dsmsg_stats counts every accepted message once: accepted = completed, after a flush.",
    "The counters are what operators see.",
)
def _stats(check: Check) -> str:
    import json

    stats = check.library.extension("stats")
    link = check.connect()
    for _ in range(20):
        link.send_async()
    link.work_until_called()
    output = ffi.new("char[]", 1 << 16)
    stats(link.handle, output, 1 << 16)
    counters = json.loads(ffi.string(output))
    books = {name: counters.get(name) for name in ("accepted", "acknowledged", "failed", "dropped")}
    check.require(books["accepted"] == 20, f"20 messages were accepted, it counts {books}")
    return ", ".join(f"{name} {count}" for name, count in books.items() if count is not None)
