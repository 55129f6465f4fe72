"""The failures that can be staged, and the switchboard that holds which of them are on."""

from landbridge.faults.switchboard import Context, StagedReply, Strike, Switchboard

__all__ = ["Context", "StagedReply", "Strike", "Switchboard"]
