"""
The seed shop as a running integration: an org, its flow, the packing house, and orders.

`make run` keeps it going, an order every few seconds, until Ctrl-C. `make demo` (`--once`) sends so many orders with trouble on
the way (a packing house that is slow, refuses, and answers too late; a `kill -9` of the org; one order that can't be packed),
mends what was parked, and ends when the sums of both sides agree; its exit code says whether they did.

Everything goes through the doors that anyone has: REST, the packing house's switches, `landbridge dlq`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from landbridge.client import OrgError, RestClient

SHOP = Path(__file__).parent
LANDBRIDGE = [sys.executable, "-m", "landbridge"]
DATA = "/services/data/v67.0"
SUBSCRIPTION = "shop/order_to_house"
PATIENCE = 180.0
"""Seconds until the demo gives up on sums that do not agree."""
TROUBLE = (
    ("All is well.", {"refuse": 0.0, "late": 0.0, "slow": 0.0}),
    ("The packing house is slow, and turns 30 % of the requests away with 503.", {"refuse": 0.3, "slow": 0.05}),
    ("It packs every order, but answers 30 % of them after our time-out.", {"refuse": 0.0, "late": 0.3, "slow": 0.0}),
    ("A little of both, and the org is killed with -9 and started again.", {"refuse": 0.1, "late": 0.1}),
)


class Org:
    """`landbridge serve`, as a process that can be killed and started again."""

    def __init__(self, data: Path | None, ready_file: Path, options: list[str], *, quiet: bool) -> None:
        self._place = ["--memory"] if data is None else ["--data", str(data)]
        self.ready_file = ready_file
        self._options = options
        self._quiet = quiet
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        command = [
            *LANDBRIDGE, "serve", *self._place, "--source", str(SHOP), "--flow", str(SHOP / "flow.py"),
            "--ready-file", str(self.ready_file), *self._options,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL if self._quiet else None)
        while not self.ready_file.exists():
            if self._process.poll() is not None:
                sys.exit(self._process.returncode or 1)
            time.sleep(0.02)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def client(self) -> RestClient:
        ready = json.loads(self.ready_file.read_text())
        return RestClient(ready["url"], ready["access_token"])

    def landbridge(self, *words: str) -> str:
        """A command of ours on this org; what it printed."""
        ready = json.loads(self.ready_file.read_text())
        command = [*LANDBRIDGE, *words, "--org", ready["url"]]
        environment = {**os.environ, "LANDBRIDGE_ACCESS_TOKEN": ready["access_token"], "COLUMNS": "150"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"landbridge {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout


class House:
    """The packing house, a process of its own; `url` is where it answers."""

    def __init__(self, folder: Path, port: int, ready_file: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SHOP / "outside" / "packing_house.py"), "--port", str(port),
             "--store", str(folder / "packing-house.sqlite"), "--org", str(ready_file)],
            stdout=subprocess.PIPE, stderr=(folder / "packing-house.log").open("ab"), text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            reason = (folder / "packing-house.log").read_text().strip()[-500:]
            sys.exit(f"{reason}\nAnother port for it: make run ARGS='--house-port 0'")
        self.url = said.split()[-1]

    def turn(self, **switches: object) -> None:
        self._call("PUT", "/switches", switches)

    def sums(self) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", "/sums")
        return found

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, method=method), timeout=30) as reply:
            return json.load(reply)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


class Shop:
    """Sells seeds: orders in the org, and what the sums of both sides should be."""

    def __init__(self, org: Org, seed: int) -> None:
        self._org = org
        self._chance = random.Random(seed)
        self._client: RestClient | None = None
        self._packets: list[str] = []
        self.sold = self.quantity = 0

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the org may be down for a moment, and its sessions are new after a restart."""
        for _ in range(200):
            try:
                if self._client is None:
                    self._client = self._org.client()
                return self._client.call(method, path, body).body
            except (OSError, ValueError, json.JSONDecodeError):
                self._client = None
            except OrgError as error:
                if error.status != 401:
                    raise
                self._client = None
            time.sleep(0.1)
        raise SystemExit("the org does not come back")

    def query(self, soql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", f"{DATA}/query?q={urllib.parse.quote(soql)}")["records"]
        return found

    def sell(self, number: int, *, bad: bool = False) -> str:
        """An order with lines, submitted; `bad`: with a quantity of 0, which no packing house can pack. Its reference."""
        reference = f"WEB-{number:05}"
        if not self._packets:
            self._packets = [row["Id"] for row in self.query("SELECT Id FROM Seed_Packet__c ORDER BY Sku__c")]
        order = f"{DATA}/sobjects/Garden_Order__c/Shop_Reference__c/{reference}"
        order_id = self._call("PATCH", order, {"Status__c": "New"})["id"]
        for packet in self._chance.sample(self._packets, 2):
            quantity = 0 if bad else self._chance.randint(1, 9)
            line = {"Order__c": order_id, "Packet__c": packet, "Quantity__c": quantity}
            self._call("POST", f"{DATA}/sobjects/Garden_Order_Line__c", line)
            self.quantity += quantity
        self._call("PATCH", order, {"Status__c": "Submitted"})
        self.sold += 1
        return reference

    def mend(self, reference: str) -> None:
        """Give each line of a bad order the quantity that was meant."""
        for line in self.query(f"SELECT Id FROM Garden_Order_Line__c WHERE Order__r.Shop_Reference__c = '{reference}'"):
            self._call("PATCH", f"{DATA}/sobjects/Garden_Order_Line__c/{line['Id']}", {"Quantity__c": 4})
            self.quantity += 4

    def count(self, soql: str) -> int:
        return int(self._call("GET", f"{DATA}/query?q={urllib.parse.quote(soql)}")["totalSize"])

    def shipped(self) -> int:
        return self.count(
            "SELECT COUNT() FROM Garden_Order__c WHERE Shop_Reference__c LIKE 'WEB-%' AND Status__c = 'Shipped'"
        )

    def callouts(self) -> int:
        return self.count("SELECT COUNT() FROM Callout_Log__c")


@contextmanager
def running(folder: Path, given: argparse.Namespace) -> Iterator[tuple[Org, House, Shop]]:
    """Both systems up and introduced to each other, until the block ends."""
    plan = ["--seed", str(SHOP / "data" / "plan.json")]
    # What is killed has to be kept in a folder; else in memory, where `landbridge query` finds the one org there is.
    data = given.data or (folder / "org" if given.once else None)
    org = Org(data, folder / "ready.json", [*plan, *given.options], quiet=given.once)
    house = House(folder, given.house_port, org.ready_file)
    try:
        org.start()
        # The source names a URL; the port may be another one here, and a demo does not wait half a minute for the breaker.
        org.landbridge("credential", "set", "Packing_House", "--url", house.url, "--breaker-wait", "2")
        yield org, house, Shop(org, given.seed)
    finally:
        org.stop()
        house.stop()


def until(what: str, done: Callable[[], bool]) -> None:
    """Wait for both sides to get there. Ends the program when they do not."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"gave up after {PATIENCE:g} s: {what}")
        time.sleep(0.2)


def once(folder: Path, given: argparse.Namespace) -> int:
    """The demo: orders, trouble, a poison order mended, sums."""
    with running(folder, given) as (org, house, shop):
        share = max(given.orders // len(TROUBLE), 1)
        numbers = count(1)
        for step, (text, switches) in enumerate(TROUBLE, 1):
            print(f"{step}. {text}", flush=True)
            house.turn(**switches)
            for sold in range(share):
                shop.sell(next(numbers))
                if step == len(TROUBLE) and sold == share // 2:
                    org.kill()
                    org.start()
            until("every order should be packed", lambda: house.sums()["orders"] == shop.sold)
            print(
                f"   {shop.sold} orders sold, {house.sums()['parcels']} parcels, {shop.callouts()} callouts", flush=True
            )
        print("5. An order that can't be packed: its lines say 0.", flush=True)
        bad = shop.sell(next(numbers), bad=True)
        house.turn(refuse=0.0, late=0.0, slow=0.0)
        until(
            "the bad order should have been parked",
            lambda: len(json.loads(org.landbridge("dlq", "list", "--format", "json"))) == 1,
        )
        print(org.landbridge("dlq", "list"), flush=True)
        print(f"6. Its lines are mended in the org, the dead letter of {bad} is replayed.", flush=True)
        shop.mend(bad)
        print(org.landbridge("dlq", "replay", "--subscription", SUBSCRIPTION), flush=True)
        until("every order should be shipped", lambda: shop.shipped() == shop.sold)
        return say(shop, house, org)


def say(shop: Shop, house: House, org: Org) -> int:
    """Print both sides' sums; 0 when they agree."""
    sums = house.sums()
    rows = (
        ("orders", "sold", shop.sold, "packed", sums["orders"]),
        ("packets", "sold", shop.quantity, "packed", sums["quantity"]),
        ("orders", "sold", shop.sold, "shipped, says the org", shop.shipped()),
        ("parcels", "orders", shop.sold, "parcels", sums["parcels"]),
    )
    print(f"{shop.callouts()} callouts for {shop.sold} orders")
    for what, ours, left, theirs, right in rows:
        print(f"  {what:8} {ours} {left:>6}   {theirs} {right:>6}   {'agree' if left == right else 'DIFFER'}")
    print(f"  packed twice: {', '.join(sums['packed_twice']) or 'none'}")
    good = all(left == right for _, _, left, _, right in rows) and not sums["packed_twice"]
    print("The sums agree: 0 missed, 0 duplicated." if good else "The sums do NOT agree.")
    return 0 if good else 1


LOOK = """
The seed shop is open: an order every {pause:g} s goes to the packing house at {url}, its reports come back.
  landbridge query "SELECT Name, Shop_Reference__c, Status__c FROM Garden_Order__c ORDER BY CreatedDate DESC LIMIT 5"
  landbridge query "SELECT CreatedDate, Method__c, Url__c, Status__c FROM Callout_Log__c ORDER BY CreatedDate DESC LIMIT 5"
  landbridge dlq list                                              what was given up on; edit, replay, discard
  curl -X PUT {url}/switches -d '{{"refuse": 0.5, "late": 0.2}}'    make it fail; curl {url}/switches lists what it can do
  curl {url}/sums                                                  what was packed
"""


def on(folder: Path, given: argparse.Namespace) -> int:
    """Keep it going until Ctrl-C."""
    with running(folder, given) as (org, house, shop):
        print(LOOK.format(url=house.url, pause=given.pause), flush=True)
        first = len(shop.query("SELECT Id FROM Garden_Order__c WHERE Shop_Reference__c LIKE 'WEB-%'"))
        try:
            for number in count(first + 1):
                if org.ended():
                    break
                shop.sell(number)
                time.sleep(given.pause)
        except KeyboardInterrupt:
            print()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        epilog="Other options are those of `landbridge serve`.",
    )  # fmt: skip
    parser.add_argument("--once", action="store_true", help="the demo: trouble, repair, sums")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="keep the org in this folder (default: gone at the end)"
    )
    parser.add_argument("--orders", type=int, default=60, help="of the demo (default 60)")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two orders (default 3)")
    parser.add_argument(
        "--house-port", type=int, default=8090, help="of the packing house (default 8090; 0 picks a free one)"
    )
    parser.add_argument("--seed", type=int, default=7, help="of what is ordered")
    given, given.options = parser.parse_known_args()  # what we do not know is for `landbridge serve`
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="seed-shop-") as place:
        return once(Path(place), given) if given.once else on(Path(place), given)


if __name__ == "__main__":
    sys.exit(main())
