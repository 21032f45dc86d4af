# SPDX-License-Identifier: Apache-2.0
"""What the tests of `dsmsg view` share: the command, its stream of changes, messages, pictures."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

__all__ = ["NAME", "View", "evidence_of", "jpeg", "message", "viewing"]

ROOT = Path(__file__).resolve().parents[2]
NAME = "2026-11-30/101530.123-s0-f41-o2-crop-1a2b3c4d.jpg"


class View:
    """A running `dsmsg view`."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self.url = url
        self.address = urlsplit(url).netloc

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Asks for exactly this path; returns status, headers and body."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest("GET", path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def changes(self) -> Iterator[dict[str, Any]]:
        """The stream of changes, from the beginning."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/events")
            for line in connection.getresponse():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def pictures(self, count: int) -> tuple[str, list[dict[str, Any]]]:
        """Waits for that many pictures; returns the token of their addresses, and them."""
        token, seen = "", {}
        for update in self.changes():
            token = update.get("token", token)
            seen.update({each["number"]: each for each in update["pictures"]})
            if len(seen) >= count:
                break
        return token, list(seen.values())


@contextlib.contextmanager
def viewing(*arguments: str, **environment: str) -> Iterator[View]:
    """Runs the command with a port of its own; at its end it must end well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmsg", "view", *arguments, "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python"), **environment},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1].decode())
        yield View(process, json.loads(line)["url"])
        process.terminate()
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()
    finally:
        process.kill()
        process.wait()


def jpeg(color: str = "red", size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "JPEG")
    return file.getvalue()


def evidence_of(uri: str, data: bytes | None = None) -> dict[str, Any]:
    """What a message says of a stored picture."""
    told = {"state": "stored", "uri": uri, "size": 1}
    if data is not None:
        told["digest"] = hashlib.sha256(data).hexdigest()
    return told


def message(second: float = 0, source: str = "camera-1", **members: Any) -> bytes:  # noqa: ANN401
    """A message of the minimal form with one person, whose members these are."""
    box = {"topleftx": 100, "toplefty": 50, "bottomrightx": 160, "bottomrighty": 250}
    person = {"id": "7", "type": "person", "confidence": 0.875, "bbox": box, **members}
    frame = {"@timestamp": f"2026-11-30T10:15:{second:06.3f}Z", "sensorId": source}
    return json.dumps({**frame, "objects": [person]}).encode()
