"""What an org may use in a day, and what it has used."""

from landbridge.limits.counters import Limits

__all__ = ["Limits"]
