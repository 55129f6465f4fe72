"""Records: the only way data of sObjects changes."""

from landbridge.records.bin import Bin
from landbridge.records.capture import Captured, capture
from landbridge.records.change import Change, ChangeKind, SaveResult
from landbridge.records.store import MultipleMatches, Store

__all__ = ["Bin", "Captured", "Change", "ChangeKind", "MultipleMatches", "SaveResult", "Store", "capture"]
