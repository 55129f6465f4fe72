"""What an org may use in a day, and what it has used."""

from landbridge.limits.counters import TABLES, Limits

__all__ = ["TABLES", "Limits"]
