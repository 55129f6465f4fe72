"""Landbridge: a Salesforce org on your laptop, and the crossing to it."""

from landbridge.config import Settings
from landbridge.server import Server, serve

__all__ = ["Server", "Settings", "__version__", "serve"]
__version__ = "0.1.0"
