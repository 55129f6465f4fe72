"""Named credentials and the journal from outside: the endpoints, the commands, and what SOQL shows."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from landbridge.cli.callouts import since, status
from landbridge.errors import LandbridgeError
from tests.conftest import ROOT
from tests.support.running import RunningOrg

CREDENTIALS = "/services/landbridge/v1/credentials"


class Erp(BaseHTTPRequestHandler):
    """200 with the right bearer token, else 401; /sick answers 503."""

    def do_GET(self) -> None:
        good = self.headers.get("Authorization") == "Bearer t0ken-of-the-erp"
        code = 503 if self.path == "/sick" else 200 if good else 401
        body = json.dumps({"path": self.path, "you sent": self.headers.get("Authorization")}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def erp() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Erp)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[RunningOrg]:
    with RunningOrg(home=home) as org:
        yield org


@pytest.mark.ledger("route.GET /services/landbridge/v1/credentials", "differs", "Landbridge's own")
@pytest.mark.ledger("route.GET /services/landbridge/v1/credentials/{name}", "differs", "Landbridge's own")
@pytest.mark.ledger("route.PUT /services/landbridge/v1/credentials/{name}", "differs", "Landbridge's own")
@pytest.mark.ledger("route.DELETE /services/landbridge/v1/credentials/{name}", "differs", "Landbridge's own")
@pytest.mark.ledger("route.POST /services/landbridge/v1/credentials/{name}/test", "differs", "Landbridge's own")
def test_a_credential_is_set_seen_tried_and_removed_and_its_secret_never_comes_back(
    running: RunningOrg, erp: str
) -> None:
    path = f"{CREDENTIALS}/ERP"
    made = running.request("PUT", path, {"settings": {"url": erp, "auth": "bearer", "label": "Old ERP"}})
    incomplete = running.request("POST", f"{path}/test", {})
    completed = running.request("PUT", path, {"secrets": {"token": "t0ken-of-the-erp"}})
    seen = running.request("GET", path)
    listed = running.request("GET", CREDENTIALS)
    tried = running.request("POST", f"{path}/test", {"path": "/health"})
    rows = running.rows("SELECT Id, DeveloperName, MasterLabel, Endpoint, PrincipalType FROM NamedCredential")
    gone = running.request("DELETE", path)

    assert (made.status, made.json["missing"], completed.json["missing"]) == (200, ["token"], [])
    assert (incomplete.status, incomplete.error) == (400, "INVALID_INPUT")
    assert "--secret token" in incomplete.json[0]["message"]
    assert (seen.json["secrets"], seen.json["breaker"]["state"]) == (["token"], "closed")
    assert [one["name"] for one in listed.json["credentials"]] == ["ERP"]
    assert (tried.json["ok"], tried.json["status"]) == (True, 200)
    for reply in (seen, listed, tried):
        assert b"t0ken" not in reply.raw
    assert rows[0]["Id"].startswith("0XA")
    assert (rows[0]["DeveloperName"], rows[0]["MasterLabel"], rows[0]["Endpoint"]) == ("ERP", "Old ERP", erp)
    assert rows[0]["PrincipalType"] == "NamedUser"
    assert (gone.status, running.request("GET", path).status) == (204, 404)
    assert running.rows("SELECT Id FROM NamedCredential") == []


def test_what_is_wrong_with_a_credential_is_said_and_nothing_is_kept(running: RunningOrg) -> None:
    path = f"{CREDENTIALS}/Bad"
    for settings, problem in (
        ({}, "url"),
        ({"url": "ftp://x"}, "http or https"),
        ({"url": "http://u:secret-pw@x"}, "sealed"),
        ({"url": "http://x", "timeout": 121}, "at most 120"),
        ({"url": "http://x", "colour": "red"}, "no setting colour"),
        ({"url": "http://x", "auth": "basic"}, "needs username"),
        ({"url": "http://x", "auth": "kerberos"}, "kerberos"),
    ):
        reply = running.request("PUT", path, {"settings": settings})
        assert (reply.status, reply.error) == (400, "INVALID_INPUT"), reply.raw
        assert problem in reply.json[0]["message"]
        assert b"secret-pw" not in reply.raw
    assert running.request("PUT", path, b"{").status == 400
    assert running.request("PUT", f"{CREDENTIALS}/1bad", {"settings": {"url": "http://x"}}).status == 400
    assert running.request("GET", path).status == 404


def test_only_administrators_touch_credentials(running: RunningOrg) -> None:
    token = running.integration_token()
    for method, path in (("GET", ""), ("GET", "/ERP"), ("PUT", "/ERP"), ("DELETE", "/ERP"), ("POST", "/ERP/test")):
        reply = running.request(method, CREDENTIALS + path, {}, token=token)
        assert (reply.status, reply.error) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
        assert running.request(method, CREDENTIALS + path, {}, token=None).status == 401


# --- the commands, as a person uses them ---------------------------------------------------------------------------


def command(home: Path, *arguments: object, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    return subprocess.run(
        [sys.executable, "-m", "landbridge", *map(str, arguments)], capture_output=True, text=True, input=text, cwd=ROOT,
        env={**kept, "LANDBRIDGE_HOME": str(home), "COLUMNS": "250", **variables}, timeout=60, check=False,
    )  # fmt: skip


def test_a_person_sets_a_credential_tries_it_and_reads_the_journal(home: Path, tmp_path: Path, erp: str) -> None:
    data = tmp_path / "org"
    with RunningOrg(home=home, data=data):
        where = ("--data", data)
        bad = command(home, "credential", "set", "ERP", "--url", erp, "--secret", "token=t0ken", *where)
        made = command(home, "credential", "set", "ERP", "--url", erp, "--auth", "bearer", "--header", "X-A: b", *where)
        secret = command(home, "credential", "set", "ERP", "--secret", "token", *where, text="t0ken-of-the-erp\n")
        well = command(home, "credential", "test", "ERP", "/health", *where)
        sick = command(home, "credential", "test", "ERP", "/sick", *where)
        env = command(home, "credential", "set", "ERP", "--secret-env", "token=WRONG", *where, WRONG="another-t0ken")
        wrong = command(home, "credential", "test", "ERP", *where)
        listed = command(home, "credential", "list", *where)
        rows = command(home, "callouts", "--status", "failed", "--since", "1h", "--format", "json", *where)
    # Without a server the folder is opened for the command.
    table = command(home, "callouts", "list", "--credential", "ERP", *where)
    one = command(home, "callouts", "show", json.loads(rows.stdout)[0]["id"], *where)
    shown = command(home, "credential", "show", "ERP", *where)

    assert (bad.returncode, "takes a name alone" in bad.stderr) == (1, True)
    assert made.stdout == (
        "named credential ERP is set\n  it lacks its secret: landbridge credential set ERP --secret token\n"
    )
    assert secret.stdout == "named credential ERP is set\n"
    assert (well.returncode, f"GET {erp}/health answered 200" in well.stdout) == (0, True)
    assert (sick.returncode, "answered 503" in sick.stdout) == (1, True)
    assert (env.returncode, wrong.returncode) == (0, 1)
    assert "ERP" in listed.stdout
    assert "closed" in listed.stdout
    assert [row["status"] for row in json.loads(rows.stdout)] == [503, 401]
    assert table.stdout.rstrip().endswith("3 rows")
    assert "Authorization: *****" in one.stdout
    assert "X-A: b" in one.stdout
    assert json.loads(shown.stdout)["settings"]["headers"] == [["X-A", "b"]]
    for done in (bad, made, secret, well, sick, env, wrong, listed, rows, table, one, shown):
        assert "t0ken-of" not in done.stdout + done.stderr
        assert "another-t0ken" not in done.stdout + done.stderr


def test_at_a_terminal_the_secret_is_asked_for_and_not_echoed(home: Path, running: RunningOrg, erp: str) -> None:
    arguments = [
        "credential",
        "set",
        "Asked",
        "--url",
        erp,
        "--auth",
        "bearer",
        "--org",
        f"http://127.0.0.1:{running.port}",
    ]
    environment = {
        "PATH": os.environ["PATH"], "LANDBRIDGE_HOME": str(home), "LANDBRIDGE_ACCESS_TOKEN": running.ready["access_token"],
    }  # fmt: skip
    child, master = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "landbridge", *arguments], environment)
    seen = b""
    while not seen.endswith(b"token: "):
        seen += os.read(master, 1000)
    os.write(master, b"t0ken-of-the-erp\n")
    try:
        while chunk := os.read(master, 1000):
            seen += chunk
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(master)
    _, status = os.waitpid(child, 0)
    tried = running.request("POST", f"{CREDENTIALS}/Asked/test", {"path": "/health"})

    assert os.waitstatus_to_exitcode(status) == 0, seen
    assert b"named credential Asked is set" in seen
    assert b"t0ken" not in seen
    assert tried.json["ok"]


def test_times_and_statuses_as_people_say_them() -> None:
    now = "2026-03-01T12:00:00.000+0000"

    assert since("90s", now) == "2026-03-01T11:58:30.000Z"
    assert since("2h", now) == "2026-03-01T10:00:00.000Z"
    assert since("2026-02-01T00:00:00Z", now) == "2026-02-01T00:00:00.000Z"
    assert status("503") == "StatusCode__c = 503"
    assert status("5XX") == "(StatusCode__c >= 500 AND StatusCode__c <= 599)"
    assert status("timeout") == "Outcome__c = 'timeout'"
    for wrong in ("soon", "5 h", ""):
        with pytest.raises(LandbridgeError, match="--since"):
            since(wrong, now)
    for wrong in ("6xx", "broken", "' OR '"):
        with pytest.raises(LandbridgeError, match="--status"):
            status(wrong)
