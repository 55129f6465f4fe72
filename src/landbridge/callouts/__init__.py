"""Callouts: named credentials, `send` as the only way out, the journal that keeps every one."""

from landbridge.callouts import journal as _journal
from landbridge.callouts import store as _store
from landbridge.callouts.breaker import BreakerPolicy, BreakerView, State
from landbridge.callouts.credential import Auth, Credential, InvalidCredential
from landbridge.callouts.model import CalloutFailed, Kind, Outcome, Request, Sent, UnknownCredential, request
from landbridge.callouts.run import Run, Target
from landbridge.callouts.send import Callouts

TABLES = (*_store.TABLES,)
OBJECTS = (_journal.CALLOUT_LOG,)

__all__ = [
    "OBJECTS",
    "TABLES",
    "Auth",
    "BreakerPolicy",
    "BreakerView",
    "CalloutFailed",
    "Callouts",
    "Credential",
    "InvalidCredential",
    "Kind",
    "Outcome",
    "Request",
    "Run",
    "Sent",
    "State",
    "Target",
    "UnknownCredential",
    "request",
]
