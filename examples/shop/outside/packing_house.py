"""
The packing house: the outside system of the seed shop, a process and a store of its own that knows nothing of Landbridge.

It packs the orders it is sent (`PUT /orders/{reference}`, an Idempotency-Key each) and reports back to the org like any program
that talks to Salesforce: a platform event when an order is packed, another when it is shipped. Like real systems it is slow at
times, turns requests away, answers too late though the work was done, or forgets what it has done:

    curl -X PUT localhost:8090/switches -d '{"refuse": 0.3, "late": 0.2, "slow": 0.5}'
    curl localhost:8090/sums

Standard library only, so that it reads on its own.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TABLES = """
    CREATE TABLE IF NOT EXISTS parcel (number INTEGER PRIMARY KEY, reference TEXT, key TEXT, quantity INTEGER);
    CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, reference TEXT);
    CREATE TABLE IF NOT EXISTS report (number INTEGER PRIMARY KEY, reference TEXT, status TEXT, sent INTEGER);
"""
SWITCHES = {
    "slow": (0.0, "seconds before each answer"),
    "refuse": (0.0, "share of requests turned away with 503, nothing done"),
    "late": (0.0, "share of orders that are packed, but answered only after `late_by` seconds"),
    "late_by": (3.0, "seconds"),
    "forget": (False, "forget Idempotency-Keys: a repeated request packs again"),
    "closed": (False, "hang up on every request"),
}


class House:
    """What is packed and what is still to be reported; one lock, one SQLite file."""

    def __init__(self, path: Path, seed: int) -> None:
        self._lock = threading.Lock()
        self._store = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._store.execute("PRAGMA journal_mode = WAL")
        self._store.executescript(TABLES)
        self._chance = random.Random(seed)
        self.switches: dict[str, Any] = {name: value for name, (value, _) in SWITCHES.items()}
        self.to_report = threading.Event()
        self.to_report.set()

    def turn(self, wanted: dict[str, Any]) -> None:
        """Set switches. Raises ValueError for one that there is not."""
        unknown = set(wanted) - set(SWITCHES)
        if unknown:
            raise ValueError(f"no switch {', '.join(sorted(unknown))}; there are {', '.join(SWITCHES)}")
        with self._lock:
            self.switches.update(wanted)

    def happens(self, switch: str) -> bool:
        with self._lock:
            return self._chance.random() < float(self.switches[switch])

    def pack(self, reference: str, key: str, quantity: int) -> bool:
        """Pack an order unless its key was seen; whether it was packed now. The parcel and its report are one transaction."""
        with self._lock:
            self._store.execute("BEGIN IMMEDIATE")
            try:
                known = self._store.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone()
                fresh = known is None or bool(self.switches["forget"])
                if fresh:
                    self._store.execute(
                        "INSERT INTO parcel (reference, key, quantity) VALUES (?, ?, ?)", (reference, key, quantity)
                    )
                    self._store.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, reference))
                    self._store.executemany(
                        "INSERT INTO report (reference, status, sent) VALUES (?, ?, 0)",
                        [(reference, "Packed"), (reference, "Shipped")],
                    )
                self._store.execute("COMMIT")
            except BaseException:
                self._store.execute("ROLLBACK")
                raise
        self.to_report.set()
        return fresh

    def unreported(self) -> tuple[int, str, str] | None:
        with self._lock:
            found: tuple[int, str, str] | None = self._store.execute(
                "SELECT number, reference, status FROM report WHERE sent = 0 ORDER BY number LIMIT 1"
            ).fetchone()
            return found

    def reported(self, number: int) -> None:
        with self._lock:
            self._store.execute("UPDATE report SET sent = 1 WHERE number = ?", (number,))

    def sums(self) -> dict[str, Any]:
        """Orders, parcels and quantity; which orders were packed more than once; how many reports wait."""
        with self._lock:
            orders, parcels, quantity = self._store.execute(
                "SELECT count(DISTINCT reference), count(*), coalesce(sum(quantity), 0) FROM parcel"
            ).fetchone()
            twice = self._store.execute(
                "SELECT reference FROM parcel GROUP BY reference HAVING count(*) > 1"
            ).fetchall()
            waiting = self._store.execute("SELECT count(*) FROM report WHERE sent = 0").fetchone()[0]
        return {
            "orders": orders,
            "parcels": parcels,
            "quantity": quantity,
            "packed_twice": [row[0] for row in twice],
            "reports_waiting": waiting,
        }

    def parcels(self, reference: str) -> int:
        with self._lock:
            found: int = self._store.execute(
                "SELECT count(*) FROM parcel WHERE reference = ?", (reference,)
            ).fetchone()[0]
            return found


class Desk(BaseHTTPRequestHandler):
    """The house's HTTP interface."""

    protocol_version = "HTTP/1.1"
    house: House

    def do_GET(self) -> None:
        if self.path == "/sums":
            self._answer(200, self.house.sums())
        elif self.path == "/switches":
            self._answer(
                200, {name: {"is": self.house.switches[name], "what": what} for name, (_, what) in SWITCHES.items()}
            )
        elif self.path.startswith("/orders/"):
            reference = urllib.parse.unquote(self.path[8:])
            parcels = self.house.parcels(reference)
            self._answer(200 if parcels else 404, {"order": reference, "parcels": parcels})
        else:
            self._answer(404, {"error": "there are /orders/{reference}, /sums and /switches"})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            given = json.loads(body)
            if self.path == "/switches":
                self.house.turn(given)
                self._answer(200, self.house.switches)
            elif self.path.startswith("/orders/"):
                self._pack(urllib.parse.unquote(self.path[8:]), given)
            else:
                self._answer(404, {"error": "there are /orders/{reference} and /switches"})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._answer(400, {"error": str(error)})

    def _pack(self, reference: str, order: dict[str, Any]) -> None:
        house = self.house
        if house.switches["closed"]:
            self.close_connection = True
            return
        time.sleep(float(house.switches["slow"]))
        if house.happens("refuse"):
            self._answer(503, {"error": "the belt stands still, try again"}, {"Retry-After": "1"})
            return
        lines = order["lines"]
        bad = [line for line in lines if int(line["quantity"]) <= 0]
        if not lines or bad:
            self._answer(422, {"error": "an order needs lines, each with a quantity above 0", "lines": bad})
            return
        key = self.headers.get("Idempotency-Key") or f"none:{reference}:{time.monotonic_ns()}"
        fresh = house.pack(reference, key, sum(int(line["quantity"]) for line in lines))
        if house.happens("late"):
            time.sleep(float(house.switches["late_by"]))
        self._answer(200, {"order": reference, "packed": fresh})

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode() + b"\n"
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            self.close_connection = True  # whoever asked has gone; what was packed stays packed

    def log_message(self, *_: Any) -> None:
        """Requests are not logged: /sums tells."""


class Reporter(threading.Thread):
    """Tells the org what was packed and shipped, in order, each until the org has taken it: at least once."""

    def __init__(self, house: House, ready: Path) -> None:
        super().__init__(daemon=True)
        self._house = house
        self._ready = ready
        self._token = ""

    def run(self) -> None:
        while True:
            found = self._house.unreported()
            if found is None:
                self._house.to_report.wait(1.0)
                self._house.to_report.clear()
                continue
            number, reference, status = found
            try:
                self._tell(reference, status)
            except (OSError, ValueError, KeyError) as error:
                print(
                    f"packing house: the org does not take a report ({error}); trying again",
                    file=sys.stderr,
                    flush=True,
                )
                self._token = ""
                time.sleep(0.5)
            else:
                self._house.reported(number)

    def _tell(self, reference: str, status: str) -> None:
        org = json.loads(self._ready.read_text())
        if not self._token:
            grant = {
                "grant_type": "client_credentials",
                "client_id": org["client_id"],
                "client_secret": org["client_secret"],
            }
            self._token = _send(
                "POST", f"{org['url']}/services/oauth2/token", urllib.parse.urlencode(grant).encode(), {}
            )["access_token"]
        bearer = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        event = {"Order_Number__c": reference, "Status__c": status}
        _send("POST", f"{org['url']}/services/data/v67.0/sobjects/Packing_Event__e", json.dumps(event).encode(), bearer)


def _send(method: str, url: str, body: bytes, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as reply:
        text = reply.read()
    return json.loads(text) if text else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description="The outside system of the seed shop: packs orders, reports back, fails by switches."
    )
    parser.add_argument("--port", type=int, default=8090, help="default 8090; 0 picks a free one")
    parser.add_argument(
        "--store", type=Path, default=Path("packing-house.sqlite"), help="where it keeps what it packed"
    )
    parser.add_argument(
        "--org", type=Path, metavar="READY.json", help="the ready file of the org to report to; none: no reports"
    )
    parser.add_argument("--seed", type=int, default=1, help="of its moods")
    given = parser.parse_args()
    house = House(given.store, given.seed)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", given.port), type("Desk", (Desk,), {"house": house}))
    except OSError as error:
        sys.exit(f"packing house: port {given.port} can't be used ({error.strerror}); 0 picks a free one")
    server.daemon_threads = True
    if given.org is not None:
        Reporter(house, given.org).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"packing house: http://localhost:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
