"""How long an org takes inside a test process, imports done: prints seconds, one figure a run."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from landbridge import Door, Settings


async def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="landbridge-bench-"))
    async with Door.open(Settings(port=0, home=home)):
        pass  # certificates, first use of everything
    for _ in range(7):
        start = time.perf_counter()
        async with Door.open(Settings(port=0, home=home)):
            print(time.perf_counter() - start)


asyncio.run(main())
