"""`kill -9` between logins: what was answered holds, what is for one use stays used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from tests.support.browser import CALLBACK, VERIFIER, Browser, token
from tests.support.running import Reply, RunningOrg


@dataclass
class Killed(RunningOrg):
    """An org in another process, asked like the ones in this one."""

    told: dict[str, Any]

    @property
    def ready(self) -> dict[str, Any]:
        return self.told

    @property
    def port(self) -> int:
        return int(self.told["url"].rpartition(":")[2])


@contextmanager
def serve(data: Path, home: Path) -> Iterator[Killed]:
    """Serve a folder until the block ends, by kill -9."""
    ready = data.with_suffix(".ready")
    ready.unlink(missing_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "landbridge", "serve", "--data", data, "--port", "0", "--ready-file", ready],
        env={**kept, "LANDBRIDGE_HOME": str(home), "LANDBRIDGE_PASSWORD": "right", "LANDBRIDGE_CONNECTED_APP": "shop:hush"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield Killed(msgspec.json.decode(ready.read_bytes()))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def exchange(org: RunningOrg, code: str) -> Reply:
    return token(
        org, grant_type="authorization_code", code=code, client_id="shop", client_secret="hush", redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )  # fmt: skip


def refresh(org: RunningOrg, refresh_token: str, client_id: str) -> Reply:
    return token(org, grant_type="refresh_token", refresh_token=refresh_token, client_id=client_id)


def test_what_a_login_was_told_holds_after_a_kill(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "org"
    with serve(data, home) as org:
        approved = Browser(org).code("shop", org.ready["username"], "right")
        made = org.request("POST", "/services/landbridge/v1/users", {"username": "bo@example.com"}).json
    with serve(data, home) as org:
        tokens = exchange(org, approved).json
    with serve(data, home) as org:
        assert org.data("GET", "/limits", token=tokens["access_token"]).status == 200
        assert refresh(org, tokens["refresh_token"], "shop").status == 200
        assert (
            token(
                org, grant_type="password", client_id="shop", client_secret="hush", username="bo@example.com",
                password=made["password"],
            ).status
            == 200
        )  # fmt: skip
        assert exchange(org, approved).json["error"] == "invalid_grant"
        assert org.data("GET", "/limits", token=tokens["access_token"]).status == 401


def test_what_was_ended_stays_ended_after_a_kill(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "org"
    asked = {"name": "Rotates", "client_id": "rotates", "callbacks": [CALLBACK], "rules": ["rotates", "public"]}
    with serve(data, home) as org:
        org.request("POST", "/services/landbridge/v1/apps", asked)
        code = Browser(org).code("rotates", org.ready["username"], "right")
        form = {"grant_type": "authorization_code", "code": code, "client_id": "rotates", "redirect_uri": CALLBACK,
                "code_verifier": VERIFIER}  # fmt: skip
        first = token(org, **form).json
        second = refresh(org, first["refresh_token"], "rotates").json
        session = exchange(org, Browser(org).code("shop", org.ready["username"], "right")).json["access_token"]
        assert org.request("GET", f"/services/oauth2/revoke?{urlencode({'token': session})}", token=None).status == 200
    with serve(data, home) as org:
        assert org.data("GET", "/limits", token=session).status == 401
        assert org.data("GET", "/limits", token=second["access_token"]).status == 200
        assert refresh(org, first["refresh_token"], "rotates").json["error"] == "invalid_grant"
        assert org.data("GET", "/limits", token=second["access_token"]).status == 401
