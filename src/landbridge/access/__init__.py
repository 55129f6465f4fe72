"""What a user may see and change, as a value that `records/` and `soql/` require."""

from landbridge.access.value import ADMINISTRATOR, READ_ONLY, Access

__all__ = ["ADMINISTRATOR", "READ_ONLY", "Access"]
