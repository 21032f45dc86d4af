# SPDX-License-Identifier: Apache-2.0
"""What arrived at the server, as another program tells: a line for each message.

A line is a JSON object with `payload` or `payload_base64`, as `dsmsg sub --json` prints, or any
text that has the payload in it, as kcat, mosquitto_sub or redis-cli print.

Threads: two of its own, for the program's output; any thread may ask.
"""

from __future__ import annotations

import base64
import binascii
import collections
import json
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["Reader"]

_BASE64 = ("payload_base64", "body")
_TRIES = 3
_AGAIN_S = 60.0  # for a program that has read: its server may be away
_PAUSE_S = 0.3


class Reader:
    """A program that reads; it is started again when it ends.

    Args:
        command: of the program.
        run: the word of this run, which all payloads have.
        ready: text that the program prints on standard error when it reads; "": unknown.
        environment: of the program; None: that of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        run: str,
        *,
        ready: str = "",
        environment: dict[str, str] | None = None,
    ) -> None:
        self._command, self._ready = list(command), ready
        self._environment = environment
        self._word = re.compile(rb"certify-%b-([\w.]+?)-(\d+)\. " % run.encode())
        self._changed = threading.Condition()  # guards the rest
        self._found: dict[str, dict[int, bytes | None]] = collections.defaultdict(dict)
        self._news: dict[str, float] = {}
        self._said: collections.deque[str] = collections.deque(maxlen=10)
        self._is_ready, self._closed, self._failed = not ready, False, False
        self._failures = 0
        self._process = self._start()
        threading.Thread(target=self._run, daemon=True).start()

    def wait_until_ready(self) -> None:
        """Waits until it reads.

        Raises:
            RuntimeError: it does not.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_ready or self._failed, 60)
            if not self._is_ready:
                raise RuntimeError(self._trouble())

    def read(self, check: str, numbers: Sequence[int], patience: float) -> dict[str, Any]:
        """Waits for messages of a check, until none has come for `patience` seconds.

        Returns:
            `missing`: those that did not come; `order`: all in the order of their first arrival;
            `content`: of the first one asked for, in hexadecimal digits; None if only text is
            known. `error`, and nothing else, if the program fails.
        """
        wanted = set(numbers)
        begin = time.monotonic()
        with self._changed:
            while not wanted <= self._found[check].keys():
                if self._failed:
                    return {"error": self._trouble()}
                heard = max(begin, self._news.get(check, 0.0))
                left = heard + patience - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, 0.5))
            found = self._found[check]
            content = found.get(numbers[0]) if numbers else None
            return {
                "missing": [number for number in numbers if number not in found],
                "order": list(found),
                "content": None if content is None else content.hex(),
            }

    def close(self) -> None:
        """Ends the program."""
        with self._changed:
            self._closed = True
        self._process.kill()
        self._process.wait()

    def _trouble(self) -> str:
        return f"the reader {self._command[0]} ended: {' / '.join(self._said) or 'without a word'}"

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
        )
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stderr or ():
            text = line.decode("utf-8", "replace").strip()
            with self._changed:
                self._said.append(text)
                self._is_ready = self._is_ready or self._ready in text
                self._changed.notify_all()

    def _run(self) -> None:
        while True:
            heard = False
            for line in self._process.stdout or ():
                heard = self._take(line) or heard
            code = self._process.wait()
            with self._changed:
                if self._closed:
                    return
                self._failures = self._failures + 1 if code != 0 and not heard else 0
                limit = _AGAIN_S / _PAUSE_S if self._news else _TRIES
                self._failed = self._failures >= limit
                self._changed.notify_all()
                if self._failed:
                    return
            time.sleep(_PAUSE_S)
            with self._changed:
                if self._closed:
                    return
                self._process = self._start()

    def _take(self, line: bytes) -> bool:
        payload = _payload(line)
        found = self._word.findall(line if payload is None else payload)
        with self._changed:
            for check, number in found:
                name = check.decode()
                self._found[name].setdefault(int(number), payload)
                self._news[name] = time.monotonic()
            self._changed.notify_all()
        return bool(found)


def _payload(line: bytes) -> bytes | None:
    """The bytes of a message, None if the line is text."""
    if not line.startswith(b"{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if isinstance(value.get("payload"), str):
        return str(value["payload"]).encode()
    for name in _BASE64:
        if isinstance(value.get(name), str):
            try:
                return base64.b64decode(value[name], validate=True)
            except binascii.Error:
                return None
    return None
