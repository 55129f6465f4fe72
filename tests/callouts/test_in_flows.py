"""Callouts as flows make them: journalled for whom they were, in the unit that settles, without a secret in what is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.flows import flow_org

TOKEN = "t0ken-that-nobody-may-see"


class Echo(BaseHTTPRequestHandler):
    """Answers 500 with everything it was sent."""

    def do_PUT(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        body = f'{sent} {self.headers["Authorization"]} {{"password":"also-a-secret"}}'.encode()
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_dead_letter_and_its_callouts_tell_everything_but_the_secrets(tmp_path: Path, home: Path) -> None:
    body = """
        erp = flow.credential("ERP")

        @flow.on("/data/AccountChangeEvent", key="recordId", retry=FAST)
        async def on_account(change: ChangeEvent, org: Org) -> None:
            await erp.put(f"/accounts/{change.record_id}", json={"name": change.values["Name"]}, idempotency_key=change.uuid)
    """
    with echo() as url, flow_org(tmp_path, home, body) as org:
        settings = {"settings": {"url": url, "auth": "bearer"}, "secrets": {"token": TOKEN}}
        assert org.request("PUT", "/services/landbridge/v1/credentials/ERP", settings).status == 200
        org.create("Account", Name="Rosehill")
        org.finished()

        (letter,) = org.letters()
        rows = org.rows("SELECT Flow__c, Subscription__c, Attempt__c, StatusCode__c, IdempotencyKey__c, CorrelationId__c, "
                        "ResponseBody__c, Url__c FROM Callout_Log__c ORDER BY CreatedDate, Id")  # fmt: skip
        database = b"".join(file.read_bytes() for file in org.door.server.folder.path.glob("org.sqlite*"))

    assert [row["Attempt__c"] for row in rows] == [1, 2, 3]
    assert {row["Subscription__c"] for row in rows} == {"test/on_account"}
    assert len({row["IdempotencyKey__c"] for row in rows}) == 1
    assert all(row["StatusCode__c"] == 500 and row["Flow__c"] for row in rows)
    assert '{"name":"Rosehill"} Bearer *****' in rows[0]["ResponseBody__c"]
    assert "Bearer *****" in letter["Error__c"]
    for secret in (TOKEN, "also-a-secret"):
        assert secret not in repr(letter) + repr(rows)
        assert secret.encode() not in database
