# SPDX-License-Identifier: Apache-2.0
"""The C contract through cffi (ABI mode): declarations, and the way back from C into Python.

C gets numbers as user pointers, never addresses of Python objects: a callback that comes late or
twice finds no entry in the table and is reported, instead of touching freed memory. The C entry
points of the callbacks live as long as the process.

Threads: the table is guarded by the interpreter lock (single dict operations). cffi releases that
    lock during
every call into an adaptor and takes it for every callback.
"""

from __future__ import annotations

import itertools
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from cffi import FFI

__all__ = [
    "EventSlot",
    "Library",
    "collect_errors",
    "error_kind",
    "ffi",
    "forget",
    "loaded",
    "make_callback",
    "on_link",
    "on_load",
    "on_message",
    "on_received",
    "on_send",
    "register",
    "report",
]

# Any: the stubs miss dlopen's flags and take every string for text or bytes.
ffi: Any = FFI()
ffi.cdef("""
typedef void *NvDsMsgApiHandle;
typedef void (*send_cb)(void *user_ptr, int result);
typedef void (*subscribe_cb)(int result, void *msg, int len, char *topic, void *user_ptr);
typedef void (*connect_cb)(void *handle, int event);
typedef struct { const char *name; const uint8_t *value; size_t value_len; } DsmsgReceivedHeader;
typedef struct {
  size_t size;
  const char *topic;
  const uint8_t *payload;
  size_t payload_len;
  const uint8_t *key;
  size_t key_len;
  const DsmsgReceivedHeader *headers;
  size_t num_headers;
  int64_t timestamp_ms;
  int64_t offset;
  int32_t partition;
  int32_t redelivered;
  const char *id;
  uint64_t ack;
  int32_t timestamp_type;
} DsmsgReceived;
typedef void (*message_cb)(const DsmsgReceived *message, void *user_ctx);
typedef void (*log_cb)(int level, const char *text);
typedef void (*link_cb)(void *user_ptr, int state, const char *reason);

void *nvds_msgapi_connect(const char *connection_str, connect_cb callback, const char *config_path);
int nvds_msgapi_send(void *h, const char *topic, const uint8_t *payload, size_t nbuf);
int nvds_msgapi_send_async(void *h, const char *topic, const uint8_t *payload, size_t nbuf,
                           send_cb callback, void *user_ptr);
int nvds_msgapi_subscribe(void *h, char **topics, int num_topics, subscribe_cb cb, void *user_ctx);
void nvds_msgapi_do_work(void *h);
int nvds_msgapi_disconnect(void *h);
const char *nvds_msgapi_getversion(void);
const char *nvds_msgapi_get_protocol_name(void);
int nvds_msgapi_connection_signature(const char *broker, const char *config,
                                     char *output, int max_len);

typedef struct { const char *name; const char *value; } DsmsgHeader;
typedef struct {
  size_t size;
  const char *topic;
  const uint8_t *payload;
  size_t payload_len;
  const uint8_t *key;
  size_t key_len;
  const DsmsgHeader *headers;
  size_t num_headers;
  int64_t timestamp_ms;
  const size_t *header_lens;
} DsmsgMessage;
const char *dsmsg_describe(void);
size_t dsmsg_stats(void *h, char *buffer, size_t size);
size_t dsmsg_last_error(void *h, char *buffer, size_t size);
const char *dsmsg_last_error_kind(void *h);
int dsmsg_set_link_callback(void *h, link_cb callback, void *user_ptr);
int dsmsg_flush(void *h, int timeout_ms);
int dsmsg_reload(void *h, const char *connection_str, const char *config_path);
int dsmsg_send_message(void *h, const DsmsgMessage *message, send_cb callback, void *user_ptr);
int dsmsg_subscribe_message(void *h, const char **topics, int num_topics, message_cb callback,
                            unsigned flags, void *user_ctx);
int dsmsg_ack(void *h, uint64_t ack);
void dsmsg_set_log_callback(log_cb callback);
size_t dsmsg_check_option(const char *name, const char *value, char *error, size_t size);
""")

_REQUIRED = ("connect", "send", "send_async", "do_work", "disconnect")
_OPTIONAL = ("subscribe", "getversion", "get_protocol_name", "connection_signature")
_EXTENSIONS = (
    "describe",
    "stats",
    "last_error",
    "last_error_kind",
    "set_link_callback",
    "flush",
    "reload",
    "send_message",
    "check_option",
    "subscribe_message",
    "ack",
    "set_log_callback",
)

loaded: list[Library] = []  # cffi would unload an unreferenced library
on_load: list[Callable[[Library], None]] = []
"""Called with each library when it is loaded."""
_targets: dict[int, Callable[..., None]] = {}
_numbers = itertools.count(1)
_thread = threading.local()


def _why(path: Path, error: str) -> str:
    """Why a library does not load, and what to do."""
    from dsmsg._native_module import native  # it needs this module

    if native() is None:
        return f"cannot load {path}: {error} (`ldd {path}` shows which library is missing)"
    # cffi puts a text of its own around that of dlerror.
    told = error.partition(".  Additionally")[0].removeprefix(f"cannot load library '{path}': ")
    explained: str = native().explain_load_error(str(path), told)
    return explained


class Library:
    """A loaded adaptor: its functions by their short names ("send_async", "stats").

    Never unloaded: a thread of a third-party adaptor might still be running.
    """

    def __init__(self, path: Path) -> None:
        """Loads `path`.

        Raises:
            OSError: it cannot be loaded, or is not an adaptor; the text says why.
        """
        self.path = path
        try:
            self._library: Any = ffi.dlopen(str(path), ffi.RTLD_NOW | ffi.RTLD_LOCAL)
        except OSError as error:
            raise OSError(_why(path, str(error))) from None
        self._functions: dict[str, Any] = {}
        for prefix, names in (("nvds_msgapi_", _REQUIRED + _OPTIONAL), ("dsmsg_", _EXTENSIONS)):
            for name in names:
                function = getattr(self._library, prefix + name, None)
                if function is not None:
                    self._functions[name] = function
        missing = [name for name in _REQUIRED if name not in self._functions]
        if missing:
            listed = ", ".join(f"nvds_msgapi_{name}" for name in missing)
            raise OSError(f"{path} is not an adaptor: it has no {listed}")
        loaded.append(self)
        for call in on_load:
            call(self)

    @property
    def extensions(self) -> frozenset[str]:
        """Short names of the dsmsg_* functions that the library has."""
        return frozenset(_EXTENSIONS) & frozenset(self._functions)

    def has(self, name: str) -> bool:
        """Tells whether the library has a function."""
        return name in self._functions

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a C function
        try:
            return self.__dict__["_functions"][name]
        except KeyError:
            raise AttributeError(f"the adaptor {self.path.name} has no function {name!r}") from None

    def read_text(self, name: str, *arguments: object) -> str:
        """Calls a function that writes text into a buffer and returns its length, as snprintf does.

        Returns:
            The text, "" when the library has no such function.
        """
        function = self._functions.get(name)
        if function is None:
            return ""
        size = 4096
        while True:
            buffer = ffi.new("char[]", size)
            length = function(*arguments, buffer, size)
            # The text may grow between two calls; a megabyte is not one of ours.
            if length < size or size > 1 << 20:
                return bytes(ffi.buffer(buffer, min(length, size - 1))).decode("utf-8", "replace")
            size = int(length) + 1024


def error_kind(library: Library, handle: Any) -> str:  # noqa: ANN401 - a void pointer
    """Returns the kind of the last error of a connection, or, for NULL, of this thread's call."""
    if not library.has("last_error_kind"):
        return ""
    return str(ffi.string(library.last_error_kind(handle)).decode("ascii", "replace"))


def register(target: Callable[..., None]) -> Any:  # noqa: ANN401 - a void pointer
    """Returns a user pointer for C that stands for `target` until `forget`."""
    number = next(_numbers)
    _targets[number] = target
    return ffi.cast("void *", number)


def forget(user_ptr: Any) -> Callable[..., None] | None:  # noqa: ANN401 - a void pointer
    """Ends what `register` began; returns the target, or None if it was already forgotten."""
    return _targets.pop(int(ffi.cast("uintptr_t", user_ptr)), None)


@contextmanager
def collect_errors() -> Iterator[list[BaseException]]:
    """Collects the exceptions of callbacks that run on this thread during the block."""
    before: list[BaseException] | None = getattr(_thread, "errors", None)
    errors: list[BaseException] = []
    _thread.errors = errors
    try:
        yield errors
    finally:
        _thread.errors = before


def report(error: BaseException) -> None:
    """Hands on an exception of a callback.

    To the caller of the adaptor on this thread if there is one, otherwise to
    `threading.excepthook`.
    """
    errors: list[BaseException] | None = getattr(_thread, "errors", None)
    if errors is not None:
        errors.append(error)
        return
    try:
        threading.excepthook(
            threading.ExceptHookArgs(
                (type(error), error, error.__traceback__, threading.current_thread())
            )
        )
    except Exception:  # a hook of the user's; above us is C
        traceback.print_exc()


def make_callback(kind: str) -> Callable[[Callable[..., None]], Any]:
    """Makes a C function, which lives as long as the process, of a Python one."""

    def make(function: Callable[..., None]) -> Any:  # noqa: ANN401 - a C function pointer
        return ffi.callback(kind, function)

    return make


@make_callback("send_cb")
def on_send(user_ptr: Any, result: int) -> None:  # noqa: ANN401 - a void pointer
    """Completes one send."""
    target = forget(user_ptr)
    try:
        if target is None:
            number = int(ffi.cast("uintptr_t", user_ptr))
            raise RuntimeError(f"the adaptor called back twice for one send (number {number})")
        target(result)
    except BaseException as error:  # nothing may pass into C
        report(error)


@make_callback("subscribe_cb")
def on_message(result: int, message: Any, size: int, topic: Any, user_ptr: Any) -> None:  # noqa: ANN401
    """Hands over one received message, copied."""
    try:
        target = _targets.get(int(ffi.cast("uintptr_t", user_ptr)))
        if target is not None:
            payload = bytes(ffi.buffer(message, size)) if message and size > 0 else b""
            name = ffi.string(topic).decode("utf-8", "surrogateescape") if topic else ""
            target(result, payload, name)
    except BaseException as error:  # nothing may pass into C
        report(error)


@make_callback("message_cb")
def on_received(message: Any, user_ptr: Any) -> None:  # noqa: ANN401 - void pointers
    """Hands over one received message with all that the broker said of it, valid meanwhile."""
    try:
        target = _targets.get(int(ffi.cast("uintptr_t", user_ptr)))
        if target is not None:
            target(message)
    except BaseException as error:  # nothing may pass into C
        report(error)


@make_callback("link_cb")
def on_link(user_ptr: Any, state: int, reason: Any) -> None:  # noqa: ANN401
    """Reports a change of the link."""
    try:
        target = _targets.get(int(ffi.cast("uintptr_t", user_ptr)))
        if target is not None:
            target(state, ffi.string(reason).decode("utf-8", "replace") if reason else "")
    except BaseException as error:  # nothing may pass into C
        report(error)


class EventSlot:
    """A C entry point for connect callbacks, which have no user pointer: one for each connection.

    Slots are used again and never freed, so that an event that comes too late does no harm.
    """

    _free: ClassVar[list[EventSlot]] = []

    def __init__(self) -> None:
        self.target: Callable[[Any, int], None] | None = None
        self.callback: Any = ffi.callback("connect_cb", self._call)

    @classmethod
    def take(cls, target: Callable[[Any, int], None]) -> EventSlot:
        """Returns a slot that calls `target` with handle and event."""
        try:
            slot = cls._free.pop()
        except IndexError:
            slot = cls()
        slot.target = target
        return slot

    def give_back(self) -> None:
        """Stops the calls."""
        self.target = None
        self._free.append(self)

    def _call(self, handle: Any, event: int) -> None:  # noqa: ANN401 - a void pointer
        try:
            target = self.target
            if target is not None:
                target(handle, event)
        except BaseException as error:  # nothing may pass into C
            report(error)
