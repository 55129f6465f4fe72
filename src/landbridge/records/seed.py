"""Records that come with an org: a data plan at start, the records of custom metadata types in source."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from landbridge.access import Access
from landbridge.errors import LandbridgeError, SalesforceError
from landbridge.records import genesis
from landbridge.records.plan import LoadReport, Plan, read_plan
from landbridge.records.plan import load as load_plan
from landbridge.records.saved import SaveResult
from landbridge.records.store import Store
from landbridge.records.validate import stored_value
from landbridge.schema.catalog import Catalog
from landbridge.schema.numbers import Numbers
from landbridge.schema.source.project import MetadataRecord
from landbridge.storage import Database, Tx, Unit
from landbridge.storage.dialect import quote


async def load(db: Database, store: Store, catalog: Catalog, access: Access, path: Path) -> str:
    """
    Load a plan once, whole or not at all; returns a line for a person.

    The org remembers which plans it has taken, so that a restart with the same options does not double the records. Raises
    LandbridgeError naming the first record that failed.
    """
    plan = read_plan(path)
    key = f"seed:{plan.digest}"
    if await db.read(lambda reader: genesis.get(reader, key)) is not None:
        return f"{path} was loaded before; it is not loaded again"
    report = await db.write(
        lambda tx: _load(tx, store, catalog, access, plan, key), Unit("seed", access.user_id, "seed")
    )
    return f"loaded {', '.join(report.lines())} from {path}"


def _load(tx: Tx, store: Store, catalog: Catalog, access: Access, plan: Plan, key: str) -> LoadReport:
    def create(sobject: str, rows: list[dict[str, Any]]) -> list[SaveResult]:
        entity = catalog.get(sobject)
        if entity is None:
            raise LandbridgeError(
                f"{plan.path} has records of {sobject}, which this org does not have. Check --source."
            )
        return store.create_many(tx, catalog, access, entity, rows)

    report = load_plan(plan, create, lambda parent, name: child_field(catalog, parent, name))
    if report.failed:
        raise LandbridgeError(f"{plan.path} was not loaded, because of:\n  " + "\n  ".join(report.failed[:10]))
    genesis.put(tx, key, tx.stamp)
    return report


def child_field(catalog: Catalog, parent: str, relationship: str) -> str | None:
    """The reference field behind a child relationship name (`Contacts` of Account: AccountId)."""
    for child in catalog.children(parent):
        if (child.relationship_name or "").lower() == relationship.lower():
            return child.field.name
    return None


def metadata_records(tx: Tx, numbers: Numbers, catalog: Catalog, records: Iterable[MetadataRecord]) -> None:
    """Put the records of custom metadata types to what the source says; the API can't write them."""
    for record in records:
        entity = catalog.get(record.sobject)
        if entity is None or entity.key_prefix is None:
            raise LandbridgeError(f"a record of {record.sobject} is in the source, but the type is not.")
        row: dict[str, Any] = {
            "DeveloperName": record.developer_name, "MasterLabel": record.label, "Label": record.label,
            "QualifiedApiName": record.developer_name, "Language": "en_US", "SystemModstamp": tx.stamp,
        }  # fmt: skip
        for name, value in record.values.items():
            field = entity.field(name)
            if field is None:
                raise LandbridgeError(f"{record.sobject} {record.developer_name}: there is no field {name}.")
            try:
                row[field.name] = stored_value(field, value)
            except SalesforceError as error:
                raise LandbridgeError(f"{record.sobject} {record.developer_name}: {error.message}") from error
        table = quote(entity.name)
        old = tx.one(f'SELECT "Id" FROM {table} WHERE "DeveloperName" = ?', (record.developer_name,))
        if old is not None:
            tx.run(f'DELETE FROM {table} WHERE "Id" = ?', (old[0],))
        row["Id"] = old[0] if old is not None else numbers.id(tx, entity.key_prefix)
        names = ", ".join(map(quote, row))
        tx.run(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
