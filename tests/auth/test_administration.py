"""Users, apps and sessions as an administrator keeps them: through the org's own endpoints and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser, token
from tests.support.running import Reply, RunningOrg

ledger = pytest.mark.ledger
ROOT = "/services/landbridge/v1"


@pytest.fixture
def acme(home: Path) -> Iterator[RunningOrg]:
    with RunningOrg(home=home, connected_app=("shop:hush",)) as running:
        yield running


def control(org: RunningOrg, method: str, path: str, body: Any = None, **options: Any) -> Reply:
    return org.request(method, f"{ROOT}/{path}", body, **options)


def log_in(org: RunningOrg, username: str, password: str) -> Reply:
    return token(
        org, grant_type="password", client_id="shop", client_secret="hush", username=username, password=password
    )


def works(org: RunningOrg, access_token: str) -> bool:
    return org.data("GET", "/limits", token=access_token).status == 200


@ledger("route.GET /services/landbridge/v1/users", "differs", "Landbridge's own")
@ledger("route.POST /services/landbridge/v1/users", "differs", "Landbridge's own")
def test_a_user_is_added_with_a_drawn_password_and_the_rights_of_the_profile(acme: RunningOrg) -> None:
    made = control(acme, "POST", "users", {"username": "bo@example.com", "first_name": "Bo", "profile": "read-only"})
    session = log_in(acme, "bo@example.com", made.json["password"] + made.json["security_token"]).json["access_token"]
    again = control(acme, "POST", "users", {"username": "bo@example.com"})

    assert made.status == 201
    assert acme.data("GET", "/limits", token=session).status == 200
    assert (
        acme.data("POST", "/sobjects/Account", {"Name": "x"}, token=session).error == "INSUFFICIENT_ACCESS_OR_READONLY"
    )
    assert again.error == "DUPLICATE_VALUE"
    listed = {user["username"]: user for user in control(acme, "GET", "users").json}
    assert listed["bo@example.com"]["profile"] == "Read Only Integration"


@ledger("route.POST /services/landbridge/v1/users/{user}/password", "differs", "Landbridge's own")
def test_a_new_password_ends_the_old_one_and_its_sessions(acme: RunningOrg) -> None:
    old = control(acme, "POST", "users", {"username": "bo@example.com", "password": "first-password"}).json
    session = log_in(acme, "bo@example.com", "first-password").json["access_token"]

    short = control(acme, "POST", "users/bo@example.com/password", {"password": "short"})
    new = control(acme, "POST", f"users/{old['id']}/password").json

    assert short.error == "INVALID_INPUT"
    assert not works(acme, session)
    assert log_in(acme, "bo@example.com", "first-password").json["error"] == "invalid_grant"
    assert log_in(acme, "bo@example.com", new["password"]).status == 200
    control(acme, "POST", f"users/{acme.ready['username']}/password")
    assert works(acme, acme.ready["access_token"])


@ledger(
    "route.PUT /services/landbridge/v1/users/{user}/lock", "differs", "Landbridge's own; freezes as UserLogin.IsFrozen"
)
@ledger("route.DELETE /services/landbridge/v1/users/{user}/lock", "differs", "Landbridge's own")
def test_a_locked_user_is_out_by_every_door_and_comes_back(acme: RunningOrg) -> None:
    made = control(acme, "POST", "users", {"username": "bo@example.com"}).json
    code = Browser(acme).code("shop", "bo@example.com", made["password"], scope="api refresh_token")
    form = {"grant_type": "authorization_code", "code": code, "client_id": "shop", "client_secret": "hush",
            "redirect_uri": "http://localhost/callback", "code_verifier": "a-verifier-of-enough-random-characters-0123456789"}  # fmt: skip
    tokens = token(acme, **form).json

    assert control(acme, "PUT", f"users/{made['id']}/lock").status == 204
    refused = [
        log_in(acme, "bo@example.com", made["password"]).json["error_description"],
        token(acme, grant_type="refresh_token", client_id="shop", refresh_token=tokens["refresh_token"]).json["error"],
    ]
    assert refused == ["inactive user", "invalid_grant"]
    assert not works(acme, tokens["access_token"])
    assert control(acme, "DELETE", f"users/{made['id']}/lock").status == 204
    assert log_in(acme, "bo@example.com", made["password"]).status == 200
    assert control(acme, "PUT", f"users/{acme.ready['user_id']}/lock").error == "INVALID_INPUT"


@ledger("auth.deactivated-user", "documented", "auth.md section 4: inactive_user")
def test_a_deactivated_users_sessions_end_with_the_commit(acme: RunningOrg) -> None:
    made = control(acme, "POST", "users", {"username": "bo@example.com"}).json
    session = log_in(acme, "bo@example.com", made["password"]).json["access_token"]
    profile = acme.rows("SELECT Id FROM Profile WHERE Name = 'Read Only Integration'")[0]["Id"]

    acme.data("PATCH", f"/sobjects/User/{made['id']}", {"ProfileId": profile})
    assert (
        acme.data("POST", "/sobjects/Account", {"Name": "x"}, token=session).error == "INSUFFICIENT_ACCESS_OR_READONLY"
    )
    acme.data("PATCH", f"/sobjects/User/{made['id']}", {"IsActive": False})
    assert not works(acme, session)


@ledger("route.GET /services/landbridge/v1/apps", "differs", "Landbridge's own")
@ledger("route.POST /services/landbridge/v1/apps", "differs", "Landbridge's own")
@ledger("route.DELETE /services/landbridge/v1/apps/{client_id}", "differs", "Landbridge's own")
def test_an_app_is_added_used_and_revoked(acme: RunningOrg) -> None:
    made = control(acme, "POST", "apps", {"name": "Garden", "run_as": acme.ready["username"], "scope": "api"}).json
    form = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    session = token(acme, **form).json

    assert session["scope"] == "api"
    assert any(app["name"] == "Garden" for app in control(acme, "GET", "apps").json)
    assert made["client_secret"] not in control(acme, "GET", "apps").raw.decode()
    assert control(acme, "DELETE", f"apps/{made['client_id']}").status == 204
    assert not works(acme, session["access_token"])
    assert token(acme, **form).json["error"] == "invalid_client_id"
    assert control(acme, "DELETE", f"apps/{made['client_id']}").status == 404


@pytest.mark.parametrize(
    "asked",
    [{"callbacks": ["http://shop.example.com/"]}, {"callbacks": "x"}, {"rules": ["wild"]}, {"scope": "teapot"},
     {"certificate": "nonsense"}, {"run_as": "nobody@example.com"}, {"client_id": "shop"}, {"name": 7}],
)  # fmt: skip
def test_an_app_that_could_not_work_is_refused(acme: RunningOrg, asked: dict[str, Any]) -> None:
    reply = control(acme, "POST", "apps", {"name": "Bad", **asked})

    assert reply.status in (400, 404)
    assert len(control(acme, "GET", "apps").json) == 2


@ledger("route.GET /services/landbridge/v1/sessions", "differs", "Landbridge's own")
@ledger("route.DELETE /services/landbridge/v1/sessions/{session}", "differs", "Landbridge's own")
def test_sessions_are_listed_without_their_tokens_and_ended_by_id(acme: RunningOrg) -> None:
    session = log_in(acme, acme.ready["username"], acme.ready["password"]).json["access_token"]

    listed = control(acme, "GET", "sessions")
    mine = next(one for one in listed.json if one["client_id"] == "shop")

    assert session.partition("!")[2] not in listed.raw.decode()
    assert control(acme, "DELETE", f"sessions/{mine['id']}").status == 204
    assert not works(acme, session)
    assert control(acme, "DELETE", f"sessions/{mine['id']}").status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "users"), ("POST", "users"), ("POST", "users/x/password"), ("PUT", "users/x/lock"), ("GET", "apps"), ("POST", "apps"),
     ("DELETE", "apps/shop"), ("GET", "sessions"), ("DELETE", "sessions/x")],
)  # fmt: skip
def test_a_read_only_user_administers_nothing(org: RunningOrg, method: str, path: str) -> None:
    reply = control(org, method, path, {} if method == "POST" else None, token=org.integration_token())

    assert (reply.status, reply.error) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")


# --- the command line ----------------------------------------------------------------------------------------------


def run(home: Path, *arguments: object, given: str = "") -> tuple[int, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANDBRIDGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "landbridge", *map(str, arguments)], input=given, capture_output=True, text=True,
        env={**kept, "LANDBRIDGE_HOME": str(home), "COLUMNS": "200"}, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def value(out: str, name: str) -> str:
    return next(line.removeprefix(name).strip() for line in out.splitlines() if line.startswith(name))


def test_the_commands_work_while_a_server_owns_the_folder(home: Path, tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "org")
    with RunningOrg(home=home, data=tmp_path / "org", connected_app=("shop:hush",)) as org:
        code, out = run(home, "user", "add", "bo@example.com", "--profile", "admin", *folder)
        assert code == 0, out
        session = log_in(org, "bo@example.com", value(out, "password")).json["access_token"]
        assert run(home, "user", "password", "bo@example.com", "--ask-password", *folder, given="my own word\n")[0] == 0
        assert log_in(org, "bo@example.com", "my own word").status == 200
        assert not works(org, session)

        code, out = run(home, "app", "add", "Garden", "--run-as", "bo@example.com", "--rotate", *folder)
        form = {"client_id": value(out, "client id"), "client_secret": value(out, "client secret")}
        garden = token(org, grant_type="client_credentials", **form).json["access_token"]
        sessions = json.loads(run(home, "session", "list", "--format", "json", *folder)[1])
        assert {"bo@example.com", org.ready["username"]} == {row["username"] for row in sessions}
        named = next(row["id"] for row in sessions if row["client_id"] == form["client_id"])
        assert run(home, "session", "revoke", named, *folder) == (0, f"session {named} is ended\n")
        assert not works(org, garden)

        assert "is locked" in run(home, "user", "lock", "bo@example.com", *folder)[1]
        assert log_in(org, "bo@example.com", "my own word").status == 400
        assert "can log in again" in run(home, "user", "lock", "bo@example.com", "--off", *folder)[1]
        assert "there is no user no@example.com" in run(home, "user", "lock", "no@example.com", *folder)[1]
        assert "is gone" in run(home, "app", "revoke", form["client_id"], *folder)[1]


def test_the_commands_work_on_a_folder_that_nobody_owns(home: Path, tmp_path: Path) -> None:
    with RunningOrg(home=home, data=tmp_path / "org", connected_app=("shop:hush",)):
        pass

    out = run(home, "user", "add", "bo@example.com", "--data", tmp_path / "org")[1]

    with RunningOrg(home=home, data=tmp_path / "org", connected_app=("shop:hush",)) as org:
        assert log_in(org, "bo@example.com", value(out, "password")).status == 200
    assert "bo@example.com" in run(home, "user", "list", "--data", tmp_path / "org")[1]


def test_the_commands_outlive_the_servers_first_session(home: Path, tmp_path: Path) -> None:
    with RunningOrg(home=home, data=tmp_path / "org", connected_app=("shop:hush",)) as org:
        org.door.server.clock.jump(timedelta(days=3))
        assert not works(org, org.ready["access_token"])

        code, out = run(home, "user", "list", "--format", "json", "--data", tmp_path / "org")

        assert code == 0, out
        assert org.ready["username"] in {row["username"] for row in json.loads(out)}
