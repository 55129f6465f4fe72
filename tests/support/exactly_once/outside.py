"""
The outside system: a process with its own store, reached by HTTP, that fails by its seed.

`PUT /orders/{key}` with an Idempotency-Key does its effect once per key. Of the requests 5 % get a 503 before the effect, 2 % get
no answer after it, 2 % arrive twice; a poison order gets 422. `GET /report` says which effects there are, in order.

    python -m tests.support.exactly_once.outside SEED PORT_FILE
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

ERRORS, SILENT, TWICE = 0.05, 0.02, 0.02
SILENCE = 1.0
"""Seconds without an answer: longer than the runtime's timeout."""


class Outside:
    """Orders by the key they came under, and what happened on the way."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"outside {seed}")
        self._done: set[str] = set()
        self.effects: list[tuple[str, str, str]] = []
        self.counts = {"requests": 0, "errors": 0, "silent": 0, "twice": 0, "poison": 0, "repeated": 0}

    def put(self, key: str, body: dict[str, Any], idempotency_key: str) -> tuple[int, bool]:
        """Status, and whether the answer gets lost."""
        draw = self._chance.random()
        self.counts["requests"] += 1
        if body["poison"]:
            self.counts["poison"] += 1
            return 422, False
        if draw < ERRORS:
            self.counts["errors"] += 1
            return 503, False
        self._effect(key, body, idempotency_key)
        if draw < ERRORS + TWICE:
            self.counts["twice"] += 1
            self._effect(key, body, idempotency_key)
        elif draw < ERRORS + TWICE + SILENT:
            self.counts["silent"] += 1
            return 200, True
        return 200, False

    def _effect(self, key: str, body: dict[str, Any], idempotency_key: str) -> None:
        if idempotency_key in self._done:
            self.counts["repeated"] += 1
            return
        self._done.add(idempotency_key)
        self.effects.append((key, str(body["seq"]), idempotency_key))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length") or 0))
                method, path, _ = first.split(" ", 2)
                if method == "PUT":
                    status, lost = self.put(path.rpartition("/")[2], json.loads(body), headers["idempotency-key"])
                    answer = b"{}"
                    if lost:
                        await asyncio.sleep(SILENCE)
                        break
                else:
                    status, answer = 200, json.dumps({"effects": self.effects, "counts": self.counts}).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the runtime was killed
        finally:
            writer.close()


async def main(seed: int, port_file: Path) -> None:
    outside = Outside(seed)
    server = await asyncio.start_server(outside.serve, "127.0.0.1", 0)
    temporary = port_file.with_suffix(".tmp")
    temporary.write_text(str(server.sockets[0].getsockname()[1]))
    temporary.rename(port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
