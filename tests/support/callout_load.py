"""
A process that settles deliveries with callouts as fast as it can, to be killed.

`python -m tests.support.callout_load FOLDER URL FIRST`: after each settled unit its number goes to standard output.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from landbridge import Settings
from landbridge.callouts import Run, request
from landbridge.server import Server
from landbridge.storage import Tx, Unit

WORKERS = 8
TABLE = "CREATE TABLE IF NOT EXISTS lb_test_settled (number INTEGER PRIMARY KEY)"
SETTLED = "INSERT INTO lb_test_settled (number) VALUES (?)"


def settle(run: Run, number: int, tx: Tx) -> None:
    tx.run(SETTLED, (number,))
    run.settle(tx)


async def main(folder: Path, url: str, first: int) -> None:
    server = await Server.open(Settings(data=folder, home=folder.parent / "home"))
    await server.db.write(lambda tx: tx.run(TABLE), Unit("load"))
    await server.db.write(
        lambda tx: server.callouts.store.set(tx, "ERP", {"url": url}, {}, server.org.admin_id), Unit("load")
    )
    numbers = iter(range(first, 10**9))

    async def worker() -> None:
        while True:
            number = next(numbers)
            run = server.callouts.run(correlation_id=f"delivery-{number}")
            await server.callouts.send(request("ERP", "POST", "/orders", json={"number": number}), run)

            await server.db.write(partial(settle, run, number), Unit("load"))
            os.write(1, b"%d\n" % number)

    await asyncio.gather(*(worker() for _ in range(WORKERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
