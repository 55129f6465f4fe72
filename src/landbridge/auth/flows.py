"""
Logins that go on in a browser: from the page that asks for a password to the answer of the consent page.

A flow is two secrets: its own, in the form, and the browser's, in a cookie. Both must come together, so a form that another
site sends (without the cookie), or a link with somebody else's flow in it (without the form's secret), goes nowhere. Both are
drawn anew when the person has logged in: what an attacker planted before is worth nothing after (session fixation).

In memory, bounded, ten minutes each: a restart asks the person to begin again.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass

from landbridge.auth.refresh import digest
from landbridge.chance import Chance
from landbridge.clock import Clock

SECONDS = 600.0
MOST = 1000


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an app asks for. `device` is set instead of `callback` where another screen waits."""

    client_id: str
    scope: str
    response_type: str = "code"
    callback: str = ""
    state: str | None = None
    challenge: str | None = None
    nonce: str | None = None
    device: bytes | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A login on its way. `user_id` is who logged in, None before."""

    authorization: Authorization
    browser: bytes
    expires: float
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Handles:
    """The two secrets of a flow: for the form, for the cookie."""

    flow: str
    browser: str

    def __repr__(self) -> str:
        return "Handles()"


class Flows:
    """The flows of one org."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._flows: OrderedDict[bytes, Flow] = OrderedDict()

    def begin(self, authorization: Authorization, user_id: str | None = None) -> Handles:
        """A new flow. The oldest gives way when there are too many."""
        handles = Handles(self._chance.letters(43), self._chance.letters(43))
        expires = self._clock.epoch() + SECONDS
        self._flows[digest(handles.flow)] = Flow(authorization, digest(handles.browser), expires, user_id)
        while len(self._flows) > MOST:
            self._flows.popitem(last=False)
        return handles

    def find(self, flow: str, browser: str) -> Flow | None:
        """The flow of both secrets together; None for anything else, or too late."""
        found = self._flows.get(digest(flow))
        if found is None or found.expires < self._clock.epoch():
            return None
        return found if hmac.compare_digest(found.browser, digest(browser)) else None

    def logged_in(self, flow: str, user_id: str) -> Handles | None:
        """The flow goes on under new secrets, the old ones end; None when it ended meanwhile."""
        found = self._flows.pop(digest(flow), None)
        return None if found is None else self.begin(found.authorization, user_id)

    def end(self, flow: str) -> Flow | None:
        """Take a flow away: its last page was answered. None when another answer came first."""
        return self._flows.pop(digest(flow), None)
