# SPDX-License-Identifier: Apache-2.0
"""Reads pictures of events (docs/evidence.md) where the user allowed it, and nothing else.

A message may name anything. So a picture is read only if its name is one that dsmsgconv gives, from
the folder, Redis or bucket that the user named, and only if it is a JPEG with the message's digest.

Threads: any thread may call any method.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from dsmsg._view import s3
from dsmsg._view.payloads import Evidence

__all__ = ["Pictures"]

_NAME = re.compile(
    r"\d{4}-\d\d-\d\d/\d{6}\.\d{3}-s\d+-f\d+-(?:o\d+-crop|frame)-[0-9a-f]{8}\.jpg\Z", re.ASCII
)
_LARGEST = 64 << 20
_JPEG = b"\xff\xd8\xff"
_PATIENCE_S = 10.0


class _Store(Protocol):
    scheme: str

    def name_of(self, uri: str) -> str:
        """Returns the picture's name in this store; "": it is not there."""

    def read(self, name: str) -> bytes:
        """Returns its bytes.

        Raises:
            OSError: it cannot be read.
        """


class Pictures:
    """The places that the user allowed."""

    def __init__(self, places: list[str]) -> None:
        """Checks the places.

        Args:
            places: folders, redis://host:port/database, s3://bucket/prefix.

        Raises:
            ValueError: one is not of these forms, or not there.
            RuntimeError: a Python package for it is not installed.
        """
        self._stores = [_open(place) for place in places]

    def why_not(self, uri: str) -> str:
        """Says why a picture is not shown; "" if it may be."""
        if any(store.name_of(uri) for store in self._stores):
            return ""
        if uri.partition(":")[0] in {store.scheme for store in self._stores}:
            return "it is not among the pictures that --evidence allows"
        return "--evidence does not name the place where it is"

    def read(self, evidence: Evidence) -> bytes:
        """Returns a picture.

        Raises:
            OSError: it is not allowed, not there, or not the picture of the message.
        """
        error = OSError(self.why_not(evidence.uri))
        for store in self._stores:
            name = store.name_of(evidence.uri)
            if not name:
                continue
            try:
                data = store.read(name)
            except OSError as failed:
                error = failed
                continue
            if not data.startswith(_JPEG):
                error = OSError("it is not a JPEG picture")
            elif evidence.digest and hashlib.sha256(data).hexdigest() != evidence.digest.lower():
                error = OSError("it is not the picture of the message (the digest differs)")
            else:
                return data
        raise error


def _open(place: str) -> _Store:
    if place.startswith(("redis://", "rediss://")):
        return _Redis(place)
    if place.startswith("s3://"):
        return _Bucket(place)
    return _Folder(place)


def _name_at_end(path: str) -> str:
    """The picture's name, which the path must end with."""
    match = _NAME.search(path)
    return match.group() if match else ""


class _Folder:
    """A folder, wherever it is mounted: only day and name of the URI count."""

    scheme = "file"

    def __init__(self, place: str) -> None:
        path = unquote(urlsplit(place).path) if place.startswith("file://") else place
        if not Path(path).is_dir():
            raise ValueError(f"--evidence: {path} is not a folder")
        self._folder = Path(path).resolve()

    def name_of(self, uri: str) -> str:
        return _name_at_end(unquote(uri)) if uri.startswith("file://") else ""

    def read(self, name: str) -> bytes:
        try:
            return self._read(*name.split("/"))
        except FileNotFoundError:
            raise OSError("it is no longer in the folder (max-age or max-bytes?)") from None

    def _read(self, day: str, file: str) -> bytes:
        # Link by link, so that none leads out of the folder.
        at = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            inside = os.open(day, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        finally:
            os.close(at)
        try:
            found = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=inside)
        finally:
            os.close(inside)
        with os.fdopen(found, "rb") as opened:
            about = os.fstat(found)
            if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
                raise OSError(f"{file} is no picture")
            return opened.read(_LARGEST)


class _Redis:
    """Keys of one database."""

    scheme = "redis"

    def __init__(self, place: str) -> None:
        try:
            import redis
        except ImportError as error:
            raise RuntimeError(f"--evidence {place}: it needs the package redis: {error}") from None
        login = {"username": "USER_REDIS", "password": "PASSWORD_REDIS"}
        if urlsplit(place).password:
            login = {}
        self._errors = redis.RedisError
        self._lock = threading.Lock()
        self._client: Any = redis.Redis.from_url(
            place,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            **{name: value for name, key in login.items() if (value := os.environ.get(key))},
        )

    def name_of(self, uri: str) -> str:
        start, _, key = uri.partition("?key=")
        if not start.startswith(("redis://", "rediss://")):
            return ""
        key = unquote(key)
        return key if _name_at_end(key) else ""

    def read(self, name: str) -> bytes:
        try:
            with self._lock:
                if self._client.strlen(name) > _LARGEST:
                    raise OSError(f"{name} is no picture")
                data = self._client.get(name)
        except self._errors as error:
            raise OSError(f"Redis: {error}") from None
        if data is None:
            raise OSError("it is no longer in Redis (its time to live has passed?)")
        return bytes(data)


class _Bucket:
    """A prefix of a bucket."""

    scheme = "s3"

    def __init__(self, place: str) -> None:
        address = urlsplit(place)
        if not address.netloc or address.query:
            raise ValueError(f"--evidence: {place} is not of the form s3://bucket/prefix")
        self._bucket = address.netloc
        prefix = unquote(address.path).strip("/")
        self._start = f"s3://{self._bucket}/{prefix}".rstrip("/") + "/"
        self._server = s3.Server.from_environment()

    def name_of(self, uri: str) -> str:
        uri = unquote(uri)
        if not uri.startswith(self._start):
            return ""
        path = uri[len(f"s3://{self._bucket}/") :]
        plain = ".." not in path.split("/")
        return path if plain and _name_at_end(path) else ""

    def read(self, name: str) -> bytes:
        return self._server.get(f"{self._bucket}/{name}", _LARGEST, _PATIENCE_S)
