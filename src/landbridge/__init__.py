"""
Landbridge: a Salesforce org on your laptop, and the crossing to it.

The names are looked up when they are first used: a command that only asks an org does not load one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_ROOMS = {"Door": "landbridge.wire.door", "Server": "landbridge.server", "Settings": "landbridge.config"}
"""Where a public name lives; all others are of the flows."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'landbridge' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_ROOMS.get(name, "landbridge.flows")), name)
    return found
