"""An org's database: units of work that commit in groups, readers beside them."""

from landbridge.storage.change import Captured, Change, ChangeKind
from landbridge.storage.database import (
    ConstraintViolated,
    Database,
    DatabaseLost,
    Done,
    Reader,
    Row,
    StatementTooComplex,
    Transaction,
    TransactionExpired,
    Tx,
    Unit,
    Value,
)
from landbridge.storage.migrations import Migration
from landbridge.storage.sqlite import SQLiteDatabase

__all__ = [
    "Captured",
    "Change",
    "ChangeKind",
    "ConstraintViolated",
    "Database",
    "DatabaseLost",
    "Done",
    "Migration",
    "Reader",
    "Row",
    "SQLiteDatabase",
    "StatementTooComplex",
    "Transaction",
    "TransactionExpired",
    "Tx",
    "Unit",
    "Value",
]
