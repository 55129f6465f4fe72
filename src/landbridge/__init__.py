"""Landbridge: a Salesforce org on your laptop, and the crossing to it."""

from landbridge.config import Settings
from landbridge.server import Server
from landbridge.wire.door import Door

__all__ = ["Door", "Server", "Settings", "__version__"]
__version__ = "0.1.0"
