"""HTTP/2, against a server of somebody else's (hypercorn)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from landbridge.callouts import Kind, request
from tests.callouts.conftest import Org, Tls


class App:
    """Answers its HTTP version and the size of what it got; `/large` more than it should."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.clients: set[Any] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.versions.append(scope["http_version"])
        self.clients.add(scope["client"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        if scope["path"] == "/large":
            for _ in range(100):
                await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
        await send({"type": "http.response.body", "body": b"%d" % len(body)})


@asynccontextmanager
async def hypercorn(app: App, tls: Tls | None = None) -> AsyncIterator[int]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    port: int = listening.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]  # its own from here on: it closes it
    if tls is not None:
        certificate, key = tls.pair("localhost")
        (tls.folder / "h2.pem").write_text(certificate)
        (tls.folder / "h2.key").write_text(key)
        config.certfile, config.keyfile = str(tls.folder / "h2.pem"), str(tls.folder / "h2.key")
    config.errorlog = None
    config.graceful_timeout = 0.5
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    try:
        yield port
    finally:
        stop.set()
        await serving


async def test_http_2_is_taken_where_tls_offers_it_and_shares_one_connection(org: Org, tls: Tls) -> None:
    app = App()
    async with hypercorn(app, tls) as port:
        await org.credential("ERP", f"https://127.0.0.1:{port}", ca=tls.ca_pem)
        run = org.callouts.run()
        first = await org.callouts.send(request("ERP", "POST", "/", data=b"hello"), run)
        outcomes = await asyncio.gather(
            *(org.callouts.send(request("ERP", "POST", "/", data=b"x" * n), run) for n in range(20))
        )
        large = await org.callouts.send(request("ERP", "GET", "/large"), run)
        await org.credential("ERP", f"https://127.0.0.1:{port}", ca=tls.ca_pem, max_body=50_000)
        bounded = await org.callouts.send(request("ERP", "GET", "/large"), run)
        after = await org.callouts.send(request("ERP", "GET", "/"), run)
        rows = await org.log()
        await org.callouts.disconnect()

    assert (first.http_version, first.text) == ("2", "5")
    assert [outcome.text for outcome in outcomes] == [str(n) for n in range(20)]
    assert set(app.versions) == {"2"}
    assert len(app.clients) == 2, "one connection for each of the two forms of the credential"
    assert len(large.body) == 1_000_000 + 1
    assert (bounded.kind, after.kind) == (Kind.TOO_LARGE, Kind.ANSWERED)
    assert {row["HttpVersion__c"] for row in rows} == {"2"}


async def test_http_2_from_the_first_byte_and_http_1_where_it_is_asked_for(org: Org, tls: Tls) -> None:
    app = App()
    async with hypercorn(app) as port:
        await org.credential("ERP", f"http://127.0.0.1:{port}", http="2")
        two = await org.callouts.send(request("ERP", "GET", "/"), org.callouts.run())
        await org.callouts.disconnect()
    async with hypercorn(app, tls) as port:
        await org.credential("ERP", f"https://127.0.0.1:{port}", http="1.1", ca=tls.ca_pem)
        one = await org.callouts.send(request("ERP", "GET", "/"), org.callouts.run())
        await org.callouts.disconnect()

    assert (two.kind, one.kind) == (Kind.ANSWERED, Kind.ANSWERED)
    assert app.versions == ["2", "1.1"]


def test_nothing_of_the_client_is_imported_before_the_first_callout(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, asyncio\n"
        "from landbridge import Settings\n"
        "from landbridge.server import Server\n"
        "async def main():\n"
        f"    server = await Server.open(Settings(home=__import__('pathlib').Path({str(tmp_path)!r})))\n"
        "    await server.close()\n"
        "asyncio.run(main())\n"
        "print([name for name in ('pyreqwest', 'cryptography.x509') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
