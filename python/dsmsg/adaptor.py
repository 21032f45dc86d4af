# SPDX-License-Identifier: Apache-2.0
"""The adaptor contract from Python, for any adaptor library, ours or not.

    with dsmsg.Adaptor("kafka").connect("localhost;9092") as connection:
        connection.send("events", b"hello")

It adds only types, exceptions and lifetimes to the contract; `include/nvds_msgapi.h` says what each
function promises. The interpreter lock is released during every call into the adaptor.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Union

from dsmsg._abi import EventSlot, Library, error_kind, ffi
from dsmsg._address import without_login
from dsmsg._check import check_config, option_names
from dsmsg._find import AdaptorNotFoundError, find
from dsmsg._inifile import ConfigSource, SettingsFile
from dsmsg._types import ConnectionEvent, DsmsgError, Message, Result, c_string
from dsmsg.connection import Connection
from dsmsg.errors import ConfigError, NotSupportedError, error_class

__all__ = [
    "Adaptor",
    "AdaptorNotFoundError",
    "ConfigLike",
    "Connection",
    "ConnectionEvent",
    "DsmsgError",
    "Message",
    "Result",
]

ConfigLike = Union[str, "os.PathLike[str]", ConfigSource, Mapping[str, object], None]
"""A path of an INI file, a config object such as `KafkaConfig`, option names with values, or
None."""


class Adaptor:
    """A loaded adaptor library.

    Threads: any thread may call any method. The library stays loaded until the process ends.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        """Loads an adaptor.

        Args:
            name: "kafka", "redis", ... or a path. Short names are looked up in the folders of
                DSMSG_LIB_DIR, beside this package, in the build folders of the source tree and in
                DeepStream's.

        Raises:
            AdaptorNotFoundError: the file does not exist.
            OSError: the file cannot be loaded (a library it needs is missing) or is not an adaptor.
        """
        self.path: Path = find(name)
        self._library = Library(self.path)

    def __repr__(self) -> str:
        return f"Adaptor({str(self.path)!r})"

    @property
    def protocol(self) -> str:
        """The library's name for itself: "KAFKA", "REDIS", ...; "" if it gives none."""
        return self._text("get_protocol_name")

    @property
    def version(self) -> str:
        """Version of the contract that it implements, "major.minor"; "" if it gives none."""
        return self._text("getversion")

    @property
    def extensions(self) -> frozenset[str]:
        """The dsmsg_* functions that it has: "describe", "stats", "flush", "send_message", ..."""
        return self._library.extensions

    def describe(self) -> dict[str, Any]:
        """Returns protocol, versions, delivery semantics and the table of options.

        Raises:
            DsmsgError: the library has no dsmsg_describe.
        """
        if "describe" not in self.extensions:
            raise NotSupportedError(f"the adaptor {self.path.name} has no dsmsg_describe")
        table: dict[str, Any] = json.loads(self._text("describe"))
        return table

    @property
    def options(self) -> frozenset[str]:
        """Names of its options, with dashes; empty when it has no dsmsg_describe."""
        return option_names(self._library)

    def check(self, config: ConfigLike) -> None:
        """Checks that settings are meant for this adaptor, as `connect` does.

        Args:
            config: settings. The adaptor checks the contents of a file.

        Raises:
            ConfigError: a config object of another adaptor, a name that is not an option, or an
                option given twice.
        """
        check_config(self._library, self.protocol, config)

    def signature(self, conn_str: str | None, config: ConfigLike = None) -> str:
        """Returns the connection's signature: equal ones mean that a connection may be shared.

        Args:
            conn_str: connection string.
            config: settings.

        Returns:
            64 hex digits, or "" unless the settings say `share-connection=1`.

        Raises:
            ConfigError: as `connect`.
            DsmsgError: the settings are wrong, or the library has no such function.
        """
        if not self._library.has("connection_signature"):
            raise NotSupportedError(
                f"the adaptor {self.path.name} has no nvds_msgapi_connection_signature"
            )
        self.check(config)
        output = ffi.new("char[]", 256)
        with contextlib.closing(SettingsFile(config)) as settings:
            code = self._library.connection_signature(
                c_string(conn_str, "conn_str"), c_string(settings.path, "config"), output, 256
            )
        if code != Result.OK:
            raise self._refused("cannot compute a connection signature", code, settings)
        text: bytes = ffi.string(output)
        return text.decode("ascii", "replace")

    def connect(
        self,
        conn_str: str | None = None,
        config: ConfigLike = None,
        *,
        on_event: Callable[[ConnectionEvent], None] | None = None,
        on_link: Callable[[bool, str], None] | None = None,
        work_thread: bool = False,
    ) -> Connection:
        """Connects to a broker.

        Args:
            conn_str: `host;port`, `host;port;topic`, `host:port,...` or a URL; None takes
                `hostname` and `port` from the settings.
            config: a path of an INI file, a config object such as `KafkaConfig`, or option names
                with values; None for defaults.
            on_event: the contract's connect callback; runs on a thread of the adaptor.
            on_link: called with up (True) or down (False) and a reason on every change of the link;
                runs on a thread of the adaptor. Needs dsmsg_set_link_callback.
            work_thread: runs a thread that calls `do_work` while sends are pending, so that
                callbacks and futures complete by themselves.

        Returns:
            The connection; end it with `disconnect` or use it as a context manager.

        Raises:
            ConfigError: `config` names an option that the adaptor does not have (the text has the
                nearest one), or is the config object of another adaptor.
            DsmsgError: the adaptor refused; the text is its last error.
        """
        self.check(config)
        connection = Connection(self._library, self.protocol, without_login(conn_str) or "")
        settings = SettingsFile(config)
        try:
            path = c_string(settings.path, "config")
            address = c_string(conn_str, "conn_str")
        except BaseException:
            settings.close()
            raise
        slot = EventSlot.take(connection.handle_event)
        handle = self._library.connect(
            address, slot.callback if on_event is not None else ffi.NULL, path
        )
        if not handle:
            settings.close()
            slot.give_back()
            raise self._refused(f"cannot connect to {without_login(conn_str)!r}", None, settings)
        connection.hold(settings)
        connection.open(handle, slot, on_event, work_thread=work_thread)
        if on_link is not None:
            try:
                connection.set_link_callback(on_link)
            except BaseException:
                connection.disconnect()
                raise
        return connection

    def _text(self, function: str) -> str:
        if not self._library.has(function):
            return ""
        text = getattr(self._library, function)()
        return ffi.string(text).decode("utf-8", "replace") if text else ""

    def _refused(self, what: str, code: int | None, settings: SettingsFile) -> DsmsgError:
        reason = settings.explain(self._library.read_text("last_error", ffi.NULL))
        text = f"{self.path.name}: {what}: {reason or 'the adaptor gave no reason (see its log)'}"
        result = None if code is None else Result.of(code)
        kind = error_kind(self._library, ffi.NULL)
        if kind == "invalid-argument":
            return ConfigError(text, result, reason, field=self._field_in(reason))
        return error_class(kind, result)(text, result, reason)

    def _field_in(self, reason: str) -> str | None:
        """The option that a refusal of settings names first."""
        # After the name of the function: "file:2: send-timeout = soon: must be ...".
        words: list[str] = re.findall(r"[a-z0-9_.-]+(?=:| ?=)", reason.partition(": ")[2])
        options = self.options
        return next((w.replace("_", "-") for w in words if w.replace("_", "-") in options), None)
