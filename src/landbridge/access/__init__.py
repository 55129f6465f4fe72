"""What a user may see and change, as a value that `records/` and `soql/` require."""

from landbridge.access.value import Access

__all__ = ["Access"]
