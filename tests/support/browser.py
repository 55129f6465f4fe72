"""
A browser without a screen: follows forms and cookies of the login pages, as far as a test wants.

It keeps cookies as a browser does (by name), sends `Origin` with forms, and never leaves the org: a redirect is handed back.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from hashlib import sha256
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.running import Reply, RunningOrg

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VERIFIER = "a-verifier-of-enough-random-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "http://localhost/callback"


def post(org: RunningOrg, path: str, headers: dict[str, str] | None = None, **form: str) -> Reply:
    """A form, posted without a session."""
    return org.request("POST", path, urlencode(form).encode(), token=None, headers={**FORM, **(headers or {})})


def token(org: RunningOrg, **form: str) -> Reply:
    return post(org, "/services/oauth2/token", **form)


@dataclass
class Browser:
    """One browser at one org."""

    org: RunningOrg
    cookies: dict[str, str] = field(default_factory=dict)
    flow: str = ""

    def get(self, path: str, **query: str) -> Reply:
        return self._kept(
            self.org.request("GET", f"{path}?{urlencode(query)}" if query else path, token=None, headers=self._sent())
        )

    def submit(self, path: str = "/services/oauth2/authorize", *, origin: str | None = "", **fields: str) -> Reply:
        """Answer the form of the page shown last."""
        headers = {**self._sent(), **FORM}
        if origin is not None:
            headers["Origin"] = origin or f"http://127.0.0.1:{self.org.port}"
        body = urlencode({"flow": self.flow, **fields}).encode()
        return self._kept(self.org.request("POST", path, body, token=None, headers=headers))

    def authorize(self, client_id: str, **query: str) -> Reply:
        """The login page of an app that asks for a code; `name=""` leaves a parameter out."""
        asked = {"response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "state": "s-1",
                 "code_challenge": CHALLENGE, **query}  # fmt: skip
        return self.get("/services/oauth2/authorize", **{name: value for name, value in asked.items() if value})

    def log_in(self, username: str, password: str) -> Reply:
        return self.submit(username=username, password=password)

    def allow(self) -> Reply:
        return self.submit(decision="allow")

    def code(self, client_id: str, username: str, password: str, **query: str) -> str:
        """All of it: a code that the app can exchange."""
        self.authorize(client_id, **query)
        self.log_in(username, password)
        return sent_back(self.allow())["code"]

    def _sent(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _kept(self, reply: Reply) -> Reply:
        if "set-cookie" in reply.headers:
            name, _, value = reply.headers["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        found = re.search(r'name="flow" value="([^"]*)"', reply.raw.decode())
        if found is not None:
            self.flow = unescape(found[1])
        return reply


def sent_back(reply: Reply) -> dict[str, str]:
    """What a redirect tells the app, in the query or in the fragment."""
    assert reply.status == 302, reply.raw
    parts = urlsplit(reply.headers["location"])
    return {name: values[0] for name, values in parse_qs(parts.fragment or parts.query).items()}
