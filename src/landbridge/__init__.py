"""Landbridge: a Salesforce org on your laptop, and the crossing to it."""

from landbridge.config import Settings
from landbridge.flows import (
    Attempt,
    CalloutFailed,
    ChangeEvent,
    Flow,
    GiveUp,
    Org,
    PlatformEvent,
    Retry,
    RetryLater,
    Transaction,
)
from landbridge.server import Server
from landbridge.wire.door import Door

__all__ = [
    "Attempt",
    "CalloutFailed",
    "ChangeEvent",
    "Door",
    "Flow",
    "GiveUp",
    "Org",
    "PlatformEvent",
    "Retry",
    "RetryLater",
    "Server",
    "Settings",
    "Transaction",
    "__version__",
]
__version__ = "0.1.0"
