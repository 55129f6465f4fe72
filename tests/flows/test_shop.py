"""The sample shop: its packing house by itself, what its flow does, and the demo with trouble on the way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

SHOP = ROOT / "examples" / "shop"


class House:
    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if key is None else {"Idempotency-Key": key}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url + path, data, headers, method=method), timeout=30
            ) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    process = subprocess.Popen(
        [sys.executable, SHOP / "outside" / "packing_house.py", "--port", "0", "--store", tmp_path / "house.sqlite"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield House(process, process.stdout.readline().split()[-1])
    process.terminate()
    process.communicate(timeout=30)


ORDER = {"lines": [{"sku": "BAS-03", "quantity": 2}, {"sku": "POP-06", "quantity": 1}]}


def test_the_packing_house_packs_an_order_once_for_each_key(house: House) -> None:
    first = house.call("PUT", "/orders/WEB-1", ORDER, "k1")
    again = house.call("PUT", "/orders/WEB-1", ORDER, "k1")

    assert (first, again) == ((200, {"order": "WEB-1", "packed": True}), (200, {"order": "WEB-1", "packed": False}))
    sums = house.call("GET", "/sums")[1]
    assert (sums["orders"], sums["parcels"], sums["quantity"], sums["packed_twice"]) == (1, 1, 3, [])


def test_a_packing_house_that_forgets_packs_twice_and_says_so(house: House) -> None:
    house.call("PUT", "/switches", {"forget": True})
    house.call("PUT", "/orders/WEB-1", ORDER, "k1")
    house.call("PUT", "/orders/WEB-1", ORDER, "k1")

    assert house.call("GET", "/sums")[1]["packed_twice"] == ["WEB-1"]


def test_the_packing_house_refuses_what_it_is_told_to_and_what_is_wrong(house: House) -> None:
    assert house.call("PUT", "/orders/WEB-1", {"lines": [{"sku": "x", "quantity": 0}]}, "k")[0] == 422
    assert house.call("PUT", "/switches", {"no_such": 1})[0] == 400
    house.call("PUT", "/switches", {"refuse": 1.0})
    assert house.call("PUT", "/orders/WEB-1", ORDER, "k")[0] == 503
    assert house.call("GET", "/orders/WEB-1")[0] == 404


def test_the_flow_of_the_shop_is_sound() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "landbridge", "flow", "check", SHOP / "flow.py", "--source", SHOP],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "0 errors, 0 warnings" in done.stdout


@pytest.mark.slow
def test_the_demo_ends_with_sums_that_agree(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, SHOP / "start.py", "--once", "--orders", "16", "--house-port", "0", "--port", "0"],
        env={"PATH": "/usr/bin:/bin", "LANDBRIDGE_HOME": str(home)}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "The sums agree: 0 missed, 0 duplicated." in done.stdout
    assert re.search(r"orders +sold +17 +packed +17 +agree", done.stdout), done.stdout
    assert "packed twice: none" in done.stdout
