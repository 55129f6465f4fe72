"""`landbridge serve` on a data folder as a process of its own, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Served:
    """An org in `folder`/org. Free ports; the ready file tells them."""

    def __init__(self, folder: Path, home: Path, *options: object) -> None:
        self._ready = folder / "ready.json"
        self._errors = folder / "stderr"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "landbridge", "serve", "--data", folder / "org", "--port", "0",
                 "--ready-file", self._ready, *map(str, options)],
                env={**kept, "LANDBRIDGE_HOME": str(home), "LANDBRIDGE_DAILY_API_REQUESTS": "1000000",
                     "LANDBRIDGE_HOURLY_PUBLISHED_EVENTS": "1000000"},
                stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip

    def ready(self) -> dict[str, Any]:
        """What the ready file says, once it is there."""
        while not self._ready.exists():
            assert self.process.poll() is None, self._errors.read_text()
            time.sleep(0.01)
        found: dict[str, Any] = json.loads(self._ready.read_text())
        return found

    def kill(self) -> None:
        """`kill -9`; once is enough."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self._ready.unlink(missing_ok=True)
