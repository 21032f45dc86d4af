# SPDX-License-Identifier: Apache-2.0
"""Exceptions by kind. The adaptor itself says which kind it is (`dsmsg_last_error_kind`).

    DsmsgError                 any of them
      BrokerUnavailableError   the broker cannot be reached, or the link was lost
      TimedOutError            no answer in time (also a TimeoutError)
      LoginError               user, password or permissions were refused
      TlsError                 a certificate, a TLS version or a handshake failed
      UnknownTopicError        the broker does not know the topic
      TooLargeError            the message is larger than allowed
      RefusedError             the broker, or the adaptor, refused the message for good
      QueueFullError           the queue had no room (`overflow=reject`, or for `overflow-timeout`)
      NotSupportedError        this protocol, or this adaptor, cannot do it
      ClosedError              the connection was closed
      ConfigError              a setting is unknown or not allowed (also a ValueError)

Threads: values; any thread.
"""

from __future__ import annotations

import enum

__all__ = [
    "BrokerUnavailableError",
    "ClosedError",
    "ConfigError",
    "DsmsgError",
    "LoginError",
    "NotSupportedError",
    "QueueFullError",
    "RefusedError",
    "Result",
    "TimedOutError",
    "TlsError",
    "TooLargeError",
    "UnknownTopicError",
    "error_class",
]


class Result(enum.IntEnum):
    """NvDsMsgApiErrorType."""

    OK = 0
    ERROR = 1
    UNKNOWN_TOPIC = 2

    @classmethod
    def of(cls, code: int) -> Result:
        """Returns the member for a C code; an unknown code counts as ERROR."""
        return cls(code) if code in (0, 1, 2) else cls.ERROR


class DsmsgError(RuntimeError):
    """The adaptor refused a call, or a message failed.

    Attributes:
        result: the contract's code, if there is one.
        reason: the adaptor's own text; "" if it gave none.
    """

    def __init__(self, text: str, result: Result | None = None, reason: str = "") -> None:
        super().__init__(text)
        self.result = result
        self.reason = reason


class BrokerUnavailableError(DsmsgError):
    """The broker cannot be reached, or the link was lost."""


class TimedOutError(DsmsgError, TimeoutError):
    """No answer came in time."""


class LoginError(DsmsgError):
    """The broker refused the user, the password, or what this user wanted."""


class TlsError(DsmsgError):
    """TLS failed: a certificate, a version, or the handshake."""


class UnknownTopicError(DsmsgError):
    """The broker does not know the topic."""


class TooLargeError(DsmsgError):
    """The message is larger than allowed."""


class RefusedError(DsmsgError):
    """The broker, or the adaptor, refused the message for good."""


class QueueFullError(DsmsgError):
    """The queue had no room for the message."""


class NotSupportedError(DsmsgError):
    """What this protocol, or this adaptor, cannot do."""


class ClosedError(DsmsgError):
    """The connection was closed."""


class ConfigError(DsmsgError, ValueError):
    """A setting is unknown, of the wrong type or out of range; the text says what is allowed.

    Attributes:
        field: name of the setting, with dashes, where there is one.
        allowed: what it allows, as the adaptor's table writes it ("ms(1,3600000)"); "" if unknown.
    """

    def __init__(
        self,
        text: str,
        result: Result | None = None,
        reason: str = "",
        *,
        field: str | None = None,
        allowed: str = "",
    ) -> None:
        super().__init__(text, result, reason)
        self.field = field
        self.allowed = allowed


_BY_KIND: dict[str, type[DsmsgError]] = {
    "unavailable": BrokerUnavailableError,
    "timeout": TimedOutError,
    "auth": LoginError,
    "tls": TlsError,
    "unknown-topic": UnknownTopicError,
    "too-large": TooLargeError,
    "rejected": RefusedError,
    "invalid-argument": RefusedError,
    "would-block": QueueFullError,
    "not-supported": NotSupportedError,
    "cancelled": ClosedError,
}


def error_class(kind: str, result: Result | None = None) -> type[DsmsgError]:
    """Returns the exception for a kind that an adaptor named, and a result of the contract.

    Args:
        kind: as `dsmsg_last_error_kind` names it; "" from adaptors that do not.
        result: what the call or the message ended with.
    """
    if result is Result.UNKNOWN_TOPIC:
        return UnknownTopicError
    return _BY_KIND.get(kind, DsmsgError)
