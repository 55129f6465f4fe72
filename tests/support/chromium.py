"""
Chromium without a screen, driven over a pipe by its own protocol: no driver to install, no port that others could use.

https://chromedevtools.github.io/devtools-protocol/; with --remote-debugging-pipe it reads from descriptor 3, writes to 4, and ends each
message with a zero byte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
_START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
PATIENCE = 60.0


def installed() -> str | None:
    """The browser of this machine; None when there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, read: int, write: int) -> None:
        self._read = os.fdopen(read, "rb", buffering=0)
        self._write = os.fdopen(write, "wb", buffering=0)
        self._left = b""
        self._number = 0
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def close(self) -> None:
        self._read.close()
        self._write.close()

    def open(self, url: str) -> None:
        self._call("Page.navigate", self._session, url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", self._session, expression=script, returnByValue=True)
        return answer["result"].get("value")

    def wait(self, script: str) -> Any:
        """The value of an expression once it is true."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                if value := self.run(script):
                    return value
            except RuntimeError:
                pass  # between two pages
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}; the page says {self.run('document.body.innerText')!r}")

    def fill(self, selector: str, text: str) -> None:
        """Type into a field, as a person does."""
        self.wait(f"document.querySelector({selector!r}) !== null")
        self.run(f"document.querySelector({selector!r}).select()")
        self._call("Input.insertText", self._session, text=text)

    def click(self, selector: str) -> None:
        self.wait(f"document.querySelector({selector!r}) !== null")
        self.run(f"document.querySelector({selector!r}).click()")

    def _call(self, method: str, session: str | None = None, **params: Any) -> Any:
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": params,
            **({"sessionId": session} if session else {}),
        }
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                return answer["result"]

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = self._read.read(65536)
            if not more:
                raise AssertionError("the browser is gone")
            self._left += more
        whole, _, self._left = self._left.partition(b"\0")
        found: dict[str, Any] = json.loads(whole)
        return found


@contextmanager
def page(browser: str, folder: Path) -> Iterator[Page]:
    """A browser with one tab, with a profile of its own in `folder`."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = subprocess.Popen(
        [sys.executable, "-c", _START, str(theirs_in), str(theirs_out), *command],
        pass_fds=(theirs_in, theirs_out), env=kept, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    tab = Page(ours_in, ours_out)
    try:
        yield tab
    finally:
        tab.close()
        process.terminate()
        process.wait(30)
