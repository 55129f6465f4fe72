"""An org's database: units of work that commit in groups, readers beside them."""

from landbridge.storage.database import ConstraintViolated, Database, DatabaseLost, Reader, Row, Tx, Unit, Value

__all__ = ["ConstraintViolated", "Database", "DatabaseLost", "Reader", "Row", "Tx", "Unit", "Value"]
