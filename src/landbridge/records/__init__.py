"""Records: the only way data of sObjects changes."""

from landbridge.records import bin as _bin
from landbridge.records import blobs, genesis
from landbridge.records.bin import Bin
from landbridge.records.lists import Lists
from landbridge.records.saved import SaveResult
from landbridge.records.seen import view
from landbridge.records.step import Step
from landbridge.records.store import MultipleMatches, Store

BLOB_TABLES = blobs.TABLES
TABLES = (*_bin.TABLES, *genesis.TABLES)

__all__ = [
    "BLOB_TABLES",
    "TABLES",
    "Bin",
    "Lists",
    "MultipleMatches",
    "SaveResult",
    "Step",
    "Store",
    "blobs",
    "genesis",
    "view",
]
