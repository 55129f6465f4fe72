"""What an org may use in a day, and what it has used."""

from landbridge.limits.counters import HOUR_TABLES, TABLES, Limits

__all__ = ["HOUR_TABLES", "TABLES", "Limits"]
