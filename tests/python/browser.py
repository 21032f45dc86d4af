# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by its DevTools protocol over a pair of pipes.

Debian's package chromium-headless-shell has it; any other Chromium or Chrome does as well.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Browser", "Page", "program"]

_PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome", "chrome")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
)
_PATIENCE_S = 120.0


def program() -> str | None:
    """Returns the first browser that is installed."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """The browser; one thread."""

    def __init__(self, folder: Path) -> None:
        """Starts it; `folder` is for its profile and its log."""
        path = program()
        assert path is not None, "no browser: apt install chromium-headless-shell"
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        with (folder / "browser.log").open("wb") as log:
            self._process = subprocess.Popen(
                # It reads commands from descriptor 3 and answers on 4.
                [
                    *("bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', path),
                    *(*_OPTIONS, f"--user-data-dir={folder}", "about:blank"),
                ],
                pass_fds=(theirs_in, theirs_out),
                stdout=log,
                stderr=log,
            )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """Runs a command of the protocol."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, url: str, width: int = 1280, height: int = 900) -> Page:
        """Opens a page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, attached["sessionId"])
        for domain in ("Runtime", "Log", "Page"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        page.call("Page.navigate", url=url)
        page.wait("location.protocol !== 'about:' && document.readyState === 'complete'")
        return page

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._in, 1 << 16)
            assert part, "the browser has ended"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


class Page:
    """A page in it."""

    def __init__(self, browser: Browser, session: str) -> None:
        """Made by `Browser.open`."""
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Runs a command of the protocol for this page."""
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - of JSON
        """Returns the value of an expression, or of its promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < deadline, (expression, self.text(), self.complaints())
            time.sleep(0.05)

    def text(self) -> str:
        """Returns what a reader of the page sees."""
        return str(self.evaluate("document.body.innerText"))

    def resize(self, width: int, height: int) -> None:
        """Sets the size of the window."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def screenshot(self, path: Path) -> None:
        """Writes a picture of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Returns what the browser logged: mistakes of the script, violations of the policy."""
        return [
            json.dumps(each["params"])
            for each in self._browser.events
            if each.get("sessionId") == self._session
            and each["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")
        ]
