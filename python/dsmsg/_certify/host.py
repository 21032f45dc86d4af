# SPDX-License-Identifier: Apache-2.0
"""What a check uses: the library under test, its connections, and the books of what it was asked.

Every call is noted before it begins. A watchdog ends the process when one does not return, and the
parent reads from shared memory which call was running when the process died.

Threads: any thread may call the library, as its contract allows; `Check` itself belongs to the
    thread of the check.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from dsmsg._abi import EventSlot, ffi
from dsmsg._certify.wire import Packets

__all__ = [
    "ERR",
    "NAMES",
    "OK",
    "Call",
    "Check",
    "Failed",
    "Library",
    "Link",
    "Message",
    "NotApplicable",
    "NotTested",
]

OK, ERR = 0, 1
NAMES = {0: "NVDS_MSGAPI_OK", 1: "NVDS_MSGAPI_ERR", 2: "NVDS_MSGAPI_UNKNOWN_TOPIC"}
_FUNCTIONS = (
    "connect",
    "send",
    "send_async",
    "subscribe",
    "do_work",
    "disconnect",
    "getversion",
    "get_protocol_name",
    "connection_signature",
)


class Failed(Exception):  # noqa: N818 - a result
    """The requirement does not hold; the text says what was seen."""


class NotApplicable(Exception):  # noqa: N818 - a result
    """The requirement says nothing about this library; the text says why."""


class NotTested(Exception):  # noqa: N818 - a result
    """What the check needs is not there; the text says what would be."""


class Library:
    """The loaded library; one at a time in a process.

    Args:
        path: of the file.
        note: takes the name of each call before it begins, "" after it.

    Raises:
        OSError: it does not load.
    """

    def __init__(self, path: str, note: Callable[[str], object]) -> None:
        self._note = note
        self._library: Any = ffi.dlopen(path, ffi.RTLD_NOW | ffi.RTLD_LOCAL)
        self._functions = {
            name: getattr(self._library, f"nvds_msgapi_{name}", None) for name in _FUNCTIONS
        }
        self._running: dict[int, list[tuple[str, float]]] = {}

    def unload(self) -> None:
        """Unloads it, as hosts do."""
        self._functions.clear()
        ffi.dlclose(self._library)

    def missing(self) -> list[str]:
        """Returns the functions of the contract that it does not have."""
        return [f"nvds_msgapi_{name}" for name, function in self._functions.items() if not function]

    def extension(self, name: str) -> Any:  # noqa: ANN401 - a C function
        """Returns one of dsmsg's own functions.

        Raises:
            NotApplicable: the library does not have it.
        """
        function = getattr(self._library, f"dsmsg_{name}", None)
        if function is None:
            raise NotApplicable(f"it has no dsmsg_{name}, an extension")
        return function

    def call(self, name: str, *arguments: Any, about: str = "") -> Any:  # noqa: ANN401 - C values
        """Calls a function of the contract.

        Raises:
            Failed: the library does not have it.
        """
        function = self._functions.get(name)
        if function is None:
            raise Failed(f"the library has no nvds_msgapi_{name}")
        said = f"nvds_msgapi_{name}{' ' if about else ''}{about}"
        stack = self._running.setdefault(threading.get_ident(), [])
        stack.append((said, time.monotonic()))
        self._note(said)
        try:
            return function(*arguments)
        finally:
            stack.pop()
            self._note(stack[-1][0] if stack else f"after {said}")

    def inside(self) -> str:
        """Returns the call of this thread that is running, "" on a thread of the library."""
        stack = self._running.get(threading.get_ident())
        return stack[-1][0].partition(" ")[0] if stack else ""

    def longest(self) -> tuple[str, float]:
        """Returns the call that has been running longest, and for how many seconds."""
        now = time.monotonic()
        running = [stack[0] for stack in list(self._running.values()) if stack]
        return max(((said, now - begin) for said, begin in running), key=_second, default=("", 0.0))


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


class Call:
    """One call of a callback: its result, its thread, and the function that it came from."""

    def __init__(self, result: int, inside: str) -> None:
        self.result, self.inside = result, inside
        self.thread = threading.get_ident()
        self.time = time.monotonic()


class Message:
    """What was asked to send, the answer, and the calls of its callback."""

    def __init__(self, link: Link, number: int, payload: bytes) -> None:
        self.link, self.number, self.payload = link, number, payload
        self.answer: int | None = None
        self.calls: list[Call] = []
        self.on_call: Callable[[Message], object] | None = None

    @property
    def accepted(self) -> bool:
        """Whether send_async returned OK."""
        return self.answer == OK

    @property
    def ok(self) -> bool:
        """Whether a callback said OK."""
        return any(call.result == OK for call in self.calls)


_messages: dict[int, Message] = {}
_numbers = itertools.count(1)


@ffi.callback("send_cb")  # type: ignore[untyped-decorator]
def _on_send(user_ptr: Any, result: int) -> None:  # noqa: ANN401 - a void pointer
    message = _messages.get(int(ffi.cast("uintptr_t", user_ptr)))
    if message is not None:
        message.calls.append(Call(result, message.link.library.inside()))
        if message.on_call is not None:
            message.on_call(message)


class Link:
    """A connection of the library. Its functions are those of the contract."""

    def __init__(self, check: Check, handle: Any, events: list[int]) -> None:  # noqa: ANN401
        self.check, self.handle, self.events = check, handle, events
        self.library = check.library
        self.open = True
        self.messages: list[Message] = []
        self._keep: list[Any] = []

    def send_async(
        self,
        *,
        tail: bytes = b"",
        topic: str | None = None,
        on_call: Callable[[Message], object] | None = None,
        callback: bool = True,
        overwritten: bool = False,
    ) -> Message:
        """Sends a message that the reader knows.

        Args:
            tail: of the payload.
            topic: None: that of the run.
            on_call: called in the callback.
            callback: give the library one.
            overwritten: the memory of the payload is used again as soon as the call returns.
        """
        number = next(_numbers)
        message = Message(self, number, self.check.payload(number) + tail)
        message.on_call = on_call
        _messages[number] = message
        self.messages.append(message)
        size = len(message.payload)
        buffer = ffi.new("uint8_t[]", message.payload)
        message.answer = self.library.call(
            "send_async",
            self.handle,
            (topic or self.check.topic).encode(),
            buffer,
            size,
            _on_send if callback else ffi.NULL,
            ffi.cast("void *", number) if callback else ffi.NULL,
        )
        if overwritten:
            ffi.memmove(buffer, b"#" * size, size)
        self._keep.append(buffer)  # no crash for a library that reads it later
        return message

    def send(self) -> Message:
        """Sends a message that the reader knows and waits, as the library does; no callback."""
        number = next(_numbers)
        message = Message(self, number, self.check.payload(number))
        message.answer = self.library.call(
            "send", self.handle, self.check.topic.encode(), message.payload, len(message.payload)
        )
        return message

    def work(self) -> None:
        """Calls do_work once."""
        self.library.call("do_work", self.handle)

    def work_until_called(self, messages: Iterable[Message] | None = None) -> list[Message]:
        """Calls do_work until all accepted messages are called back, or nothing more comes.

        Returns:
            Those that were not called back.
        """
        wanted = list(self.messages if messages is None else messages)
        return self.check.until_called(wanted, self.work)

    def subscribe(self, topics: Sequence[str], callback: Any) -> int:  # noqa: ANN401
        """Subscribes; `callback` is a C function that the caller keeps."""
        texts = [ffi.new("char[]", topic.encode()) for topic in topics]
        array = ffi.new("char *[]", texts)
        self._keep += [texts, array, callback]
        answer: int = self.library.call(
            "subscribe", self.handle, array, len(texts), callback, ffi.NULL
        )
        return answer

    def disconnect(self) -> int:
        """Ends it; a check that leaves it open ends with its process."""
        self.open = False
        answer: int = self.library.call("disconnect", self.handle)
        return answer


class Check:
    """One check in its own process.

    Attributes:
        topic: of the run; `topic2` another one.
        bound: seconds after which a call that must end has not.
        patience: seconds without any news after which nothing more is expected.
    """

    def __init__(
        self, plan: dict[str, Any], packets: Packets, note: Callable[[str], object]
    ) -> None:
        self.plan, self._packets = plan, packets
        self.name: str = plan["id"]
        self.topic, self.topic2 = str(plan["topic"]), str(plan["topic2"])
        self.bound, self.patience = float(plan["bound"]), float(plan["patience"])
        self._note = note
        self.library = Library(plan["library"], note)
        threading.Thread(target=self._watch, daemon=True).start()

    # What a check says.

    def fail(self, text: str) -> NoReturn:
        """Ends the check: the requirement does not hold."""
        raise Failed(text)

    def require(self, holds: object, text: str) -> None:
        """Fails with the text unless `holds`."""
        if not holds:
            raise Failed(text)

    def may_crash_in(self, about: str) -> None:
        """Says what is done next, for the report of a crash."""
        self._note(about)

    # The library.

    def reload(self) -> None:
        """Loads the library again after `library.unload`."""
        self.library = Library(self.plan["library"], self._note)

    def open(self, conn_str: str | None = None, config: str | None = None) -> Link | None:
        """Connects; None: the library gave no handle."""
        events: list[int] = []
        library = self.library
        slot = EventSlot.take(lambda handle, event: events.append(event))
        text = self.plan["conn_str"] if conn_str is None else conn_str
        path = config or self.plan["config"]
        handle = library.call("connect", text.encode(), slot.callback, path.encode() or ffi.NULL)
        if handle == ffi.NULL:
            return None
        return Link(self, handle, events)

    def adopt(self, handle: Any) -> Link:  # noqa: ANN401 - a void pointer
        """Returns a connection that the check made by itself."""
        return Link(self, handle, [])

    def connect(self) -> Link:
        """Connects to the server, which is there.

        Raises:
            Failed: the library gave no handle.
        """
        link = self.open()
        if link is None:
            raise Failed(f"nvds_msgapi_connect({self.plan['conn_str']!r}) gave no handle")
        return link

    def until_called(self, messages: list[Message], work: Callable[[], object]) -> list[Message]:
        """Calls `work` until all accepted messages are called back or nothing more comes."""
        last, heard = 0, time.monotonic()
        while True:
            waiting = [each for each in messages if each.accepted and not each.calls]
            if not waiting:
                return []
            if len(messages) - len(waiting) != last:
                last, heard = len(messages) - len(waiting), time.monotonic()
            if time.monotonic() - heard > self.patience:
                return waiting
            work()
            time.sleep(0.001)

    # The server, and what it has.

    def payload(self, number: int) -> bytes:
        """Returns a payload by which the reader knows the message."""
        return f"certify-{self.plan['run']}-{self.name}-{number}. ".encode()

    def fault(self, kind: str) -> int | None:
        """Disturbs the server, or ends that.

        Args:
            kind: "cut" (connections end, new ones are refused), "freeze" (nothing passes,
                connections stay), "silent" (connections end; new ones are accepted, and nothing
                passes), "end" (all connections end at once), "heal" (all as before), "kill" and
                "start" (the server itself).

        Returns:
            How many connections were made so far, if that is known.

        Raises:
            NotTested: that cannot be done here.
        """
        answer = self._packets.ask({"ask": "fault", "kind": kind})
        if "error" in answer:
            raise NotTested(answer["error"])
        accepted: int | None = answer.get("accepted")
        return accepted

    def missing(self, messages: Iterable[Message]) -> list[int]:
        """Returns the numbers of the messages that the reader does not get, however long it waits.

        Raises:
            NotTested: there is no reader, or it failed.
        """
        answer = self._read(messages)
        return list(answer["missing"])

    def any_arrived(self, messages: list[Message]) -> bool:
        """Whether the reader has one of the messages, or gets the last one within a second."""
        answer = self._read(messages, 1.0)
        return len(answer["missing"]) < len(messages)

    def order(self, messages: Iterable[Message]) -> list[int]:
        """Returns the numbers in the order in which the reader got them first."""
        return list(self._read(messages)["order"])

    def content(self, message: Message) -> bytes:
        """Returns the bytes that arrived.

        Raises:
            Failed: it did not arrive.
            NotTested: the reader only prints text.
        """
        answer = self._read([message])
        self.require(not answer["missing"], "the message did not arrive")
        if answer["content"] is None:
            raise NotTested("the reader prints text, no bytes (see --reader)")
        return bytes.fromhex(answer["content"])

    def _read(self, messages: Iterable[Message], patience: float | None = None) -> dict[str, Any]:
        numbers = [each.number for each in messages]
        seconds = self.patience if patience is None else patience
        answer = self._packets.ask({"ask": "read", "numbers": numbers, "patience": seconds})
        if "error" in answer:
            raise NotTested(answer["error"])
        return answer

    def config_with(self, line: str) -> str:
        """Returns the path of a copy of the configuration file with one line more."""
        text = Path(self.plan["config"]).read_text("utf-8") if self.plan["config"] else ""
        heading = "[message-broker]"
        if heading not in text:
            text += f"\n{heading}\n"
        path = Path(self.plan["folder"]) / "config.txt"
        path.write_text(text.replace(heading, f"{heading}\n{line}", 1), "utf-8")
        return str(path)

    def output(self) -> str:
        """Returns what the library has printed in this process."""
        return Path(self.plan["log"]).read_text("utf-8", "replace")

    def _watch(self) -> None:
        while True:
            time.sleep(0.05)
            said, seconds = self.library.longest()
            if seconds > self.bound:
                text = f"{said} did not return within {self.bound:g} s"
                self._packets.end({"state": "fail", "text": text})
