"""Flows: what an integration's author writes, and the runtime that runs it."""

from landbridge.callouts import CalloutFailed
from landbridge.delivery import GiveUp, Retry, RetryLater
from landbridge.flows.credential import Credential
from landbridge.flows.events import ChangeEvent, PlatformEvent
from landbridge.flows.flow import Flow
from landbridge.flows.loading import FlowError, load
from landbridge.flows.local import Parts
from landbridge.flows.org import Attempt, Org, Transaction
from landbridge.flows.runtime import TABLES, Crossing

__all__ = [
    "TABLES",
    "Attempt",
    "CalloutFailed",
    "ChangeEvent",
    "Credential",
    "Crossing",
    "Flow",
    "FlowError",
    "GiveUp",
    "Org",
    "Parts",
    "PlatformEvent",
    "Retry",
    "RetryLater",
    "Transaction",
    "load",
]
