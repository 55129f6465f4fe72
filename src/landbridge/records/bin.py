"""
Deleting and what comes back from it: cascades, cleared lookups, the recycle bin.

A delete runs through the children: cascading ones go too, others lose their reference, a restricting one refuses the
whole delete. What went together comes back together: the bin keeps, per record, which delete it belonged to and which
references were cleared by it.

Source: `rest.md` sections 3, 9; the rules per relationship are data of the catalogue (`Field.on_delete`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from landbridge.access import Access
from landbridge.errors import DeleteFailed, EntityIsDeleted, InvalidCrossReferenceInPath, UndeleteFailed
from landbridge.ids import RecordId
from landbridge.records import blobs
from landbridge.records.shape import Shape
from landbridge.records.store import Store, own_id
from landbridge.schema.catalog import Catalog, Child, Entity
from landbridge.schema.model import OnDelete
from landbridge.storage import Change, ChangeKind, Tx
from landbridge.storage.dialect import quote

TABLES = (
    "CREATE TABLE lb_bin (record_id TEXT PRIMARY KEY NOT NULL, sobject TEXT NOT NULL, root_id TEXT NOT NULL, "
    "deleted_at TEXT NOT NULL, deleted_by TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX lb_bin_root ON lb_bin (root_id)",
    "CREATE TABLE lb_bin_link (root_id TEXT NOT NULL, sobject TEXT NOT NULL, record_id TEXT NOT NULL, "
    "field TEXT NOT NULL, target_id TEXT NOT NULL)",
    "CREATE INDEX lb_bin_link_root ON lb_bin_link (root_id)",
)

PUT = "INSERT OR REPLACE INTO lb_bin (record_id, sobject, root_id, deleted_at, deleted_by) VALUES (?, ?, ?, ?, ?)"
PUT_LINK = "INSERT INTO lb_bin_link (root_id, sobject, record_id, field, target_id) VALUES (?, ?, ?, ?, ?)"
OF_RECORD = "SELECT root_id FROM lb_bin WHERE record_id = ?"
TOGETHER = "SELECT sobject, record_id FROM lb_bin WHERE root_id = ? ORDER BY record_id = root_id DESC, record_id"
LINKS = "SELECT sobject, record_id, field, target_id FROM lb_bin_link WHERE root_id = ?"
TAKE = "DELETE FROM lb_bin WHERE root_id = ?"
TAKE_LINKS = "DELETE FROM lb_bin_link WHERE root_id = ?"

AT_ONCE = 100
"""Relations that one statement looks at; SQLite takes 500 terms."""
DEPTH = 50
"""How far a cascade goes down; deeper chains are refused (a record that is its own ancestor included)."""


@dataclass(frozen=True, slots=True)
class _Deletion:
    """One delete under way: where it started, who asked."""

    root: RecordId
    access: Access


@dataclass(frozen=True, slots=True)
class _Relation:
    """A reference field of `owner` through which records point at the deleted one; `sql` finds them by its id."""

    child: Child
    owner: Entity
    sql: str


def _relation(catalog: Catalog, child: Child) -> _Relation | None:
    """What a delete does about a relation; None where it has nothing to do."""
    owner = catalog.get(child.sobject)
    if child.on_delete is OnDelete.NOTHING or owner is None or not owner.sobject.has_table:
        return None
    if owner.field(child.field.name) is None:
        return None
    live = ' AND "IsDeleted" = 0' if owner.field("IsDeleted") is not None else ""
    sql = f'SELECT "Id" FROM {quote(owner.name)} WHERE {quote(child.field.name)} = ?1{live}'
    return _Relation(child, owner, sql)


_Relations = tuple[tuple[str, list[_Relation]], ...]
"""A statement that tells which of the relations beside it have any record, for as many relations as one statement takes."""


def _which(relations: list[_Relation]) -> str:
    """A statement that gives the numbers of the relations, in their order, that have any record."""
    return " UNION ALL ".join(f"SELECT {number} WHERE EXISTS ({one.sql})" for number, one in enumerate(relations))


class Bin:
    """Deletes, undeletes and empties, on top of the same shapes as `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._relations: WeakKeyDictionary[Catalog, dict[str, _Relations]] = WeakKeyDictionary()

    def delete(self, tx: Tx, catalog: Catalog, access: Access, entity: Entity, record_id: str) -> None:
        """Delete one record with all that goes with it. Undone as a whole when a rule refuses it."""
        self._store.check_may_delete(access, entity)
        found = own_id(entity, record_id)
        shape = self._store.shape(entity)
        row = tx.one(shape.read(()), (found,))
        if row is None:
            raise InvalidCrossReferenceInPath
        if row[0]:
            raise EntityIsDeleted
        self._delete(tx, catalog, entity, found, _Deletion(found, access), DEPTH)

    def _delete(
        self, tx: Tx, catalog: Catalog, entity: Entity, record_id: RecordId, deletion: _Deletion, depth: int
    ) -> None:
        if depth == 0:
            raise DeleteFailed(f"a cascade goes down at most {DEPTH} levels", fields=())
        # The record goes first: a cycle of cascades then meets a deleted record and ends.
        self._mark(tx, self._store.shape(entity), record_id, deletion)
        for child, owner, children in self._children(tx, catalog, entity, record_id):
            if child.on_delete is OnDelete.RESTRICT and children:
                raise DeleteFailed(
                    f"Your attempt to delete {entity.sobject.label} could not be completed because it is associated with "
                    f"the following {owner.sobject.label_plural}.: {', '.join(c[:15] for c in children[:5])}",
                    fields=(),
                )
            for one in children:
                if child.on_delete is OnDelete.CASCADE:
                    self._delete(tx, catalog, owner, one, deletion, depth - 1)
                else:
                    self._unlink(tx, owner, one, child, record_id, deletion)

    def _children(
        self, tx: Tx, catalog: Catalog, entity: Entity, record_id: RecordId
    ) -> Iterator[tuple[Child, Entity, list[RecordId]]]:
        """
        Relations through which live records point here, the refusing ones first.

        One look tells which of them have any: most records have none, and an object may have dozens of relations. Their
        children are looked for one by one, since what goes with one relation may have been a child through the next.
        """
        for which, relations in self._relations_of(catalog, entity):
            for (number,) in tx.all(which, (record_id,)):
                relation = relations[number]
                rows = tx.all(relation.sql + ' ORDER BY "Id"', (record_id,))
                if rows:
                    yield relation.child, relation.owner, [RecordId(row[0]) for row in rows]

    def _relations_of(self, catalog: Catalog, entity: Entity) -> _Relations:
        """The relations that a delete of this object has to look at, worked out once per catalogue."""
        known = self._relations.setdefault(catalog, {})
        found = known.get(entity.name)
        if found is None:
            relations = [one for child in catalog.children(entity.name) if (one := _relation(catalog, child))]
            relations.sort(key=lambda relation: relation.child.on_delete is not OnDelete.RESTRICT)
            starts = range(0, len(relations), AT_ONCE)
            found = known[entity.name] = tuple(
                (_which(relations[start : start + AT_ONCE]), relations[start : start + AT_ONCE]) for start in starts
            )
        return found

    def _mark(self, tx: Tx, shape: Shape, record_id: RecordId, deletion: _Deletion) -> None:
        if shape.soft_delete:
            row: dict[str, str | int] = {"IsDeleted": 1, **self._stamps(tx, shape, deletion.access)}
            tx.run(shape.update(tuple(row)), (*row.values(), record_id))
            tx.run(PUT, (record_id, shape.name, deletion.root, tx.stamp, deletion.access.user_id))
        else:
            row = {}
            tx.run(f'DELETE FROM {shape.table} WHERE "Id" = ?', (record_id,))
            if shape.blobs:
                blobs.release(tx, record_id)
        tx.changes.append(Change(ChangeKind.DELETE, shape.name, record_id, row))

    def _unlink(
        self, tx: Tx, owner: Entity, record_id: RecordId, child: Child, target: RecordId, deletion: _Deletion
    ) -> None:
        shape = self._store.shape(owner)
        row = {child.field.name: None, **self._stamps(tx, shape, deletion.access)}
        tx.run(shape.update(tuple(row)), (*row.values(), record_id))
        tx.run(PUT_LINK, (deletion.root, owner.name, record_id, child.field.name, target))
        tx.changes.append(Change(ChangeKind.UPDATE, owner.name, record_id, row, {child.field.name: target}))

    def _stamps(self, tx: Tx, shape: Shape, access: Access) -> dict[str, str]:
        dates, users = shape.updated_stamps
        return {**dict.fromkeys(dates, tx.stamp), **dict.fromkeys(users, str(access.user_id))}

    def undelete(self, tx: Tx, catalog: Catalog, access: Access, entity: Entity, record_id: str) -> None:
        """Bring back a deleted record with all that went with it. Raises UndeleteFailed with the reason."""
        self._store.check_may_delete(access, entity)
        found = own_id(entity, record_id)
        row = tx.one(OF_RECORD, (found,))
        if row is None:
            raise UndeleteFailed("Entity is not in the recycle bin", fields=())
        if row[0] != found:
            raise UndeleteFailed(f"Entity was deleted with its parent: undelete {row[0][:15]}", fields=())
        for sobject, one in tx.all(TOGETHER, (found,)):
            self._restore(tx, catalog, access, sobject, RecordId(one))
        for sobject, one, field, target in tx.all(LINKS, (found,)):
            self._relink(tx, catalog, access, sobject, RecordId(one), field, target)
        tx.run(TAKE, (found,))
        tx.run(TAKE_LINKS, (found,))

    def _restore(self, tx: Tx, catalog: Catalog, access: Access, sobject: str, record_id: RecordId) -> None:
        owner = catalog.get(sobject)
        if owner is None:
            return
        shape = self._store.shape(owner)
        row = {"IsDeleted": 0, **self._stamps(tx, shape, access)}
        self._store.write_row(tx, shape, record_id, row)
        values = self._store.whole(tx, shape, record_id) if self._store.is_captured(shape) else row
        tx.changes.append(Change(ChangeKind.UNDELETE, sobject, record_id, values))

    def _relink(
        self, tx: Tx, catalog: Catalog, access: Access, sobject: str, record_id: RecordId, field: str, target: str
    ) -> None:
        """Give a cleared reference back, unless the record has got another one meanwhile or is gone."""
        owner = catalog.get(sobject)
        if owner is None:
            return
        shape = self._store.shape(owner)
        current = tx.one(shape.read((field,)), (record_id,))
        if current is None or current[0] or current[1] is not None:
            return
        row = {field: target, **self._stamps(tx, shape, access)}
        tx.run(shape.update(tuple(row)), (*row.values(), record_id))
        tx.changes.append(Change(ChangeKind.UPDATE, sobject, record_id, row, {field: None}))

    def empty(self, tx: Tx, catalog: Catalog, access: Access, entity: Entity, record_id: str) -> None:
        """Remove a deleted record, and what went with it, for good."""
        self._store.check_may_delete(access, entity)
        found = own_id(entity, record_id)
        if tx.one(OF_RECORD, (found,)) is None:
            raise InvalidCrossReferenceInPath
        for sobject, one in tx.all(TOGETHER, (found,)):
            if catalog.get(sobject) is not None:
                tx.run(f'DELETE FROM {quote(sobject)} WHERE "Id" = ? AND "IsDeleted" = 1', (one,))
                blobs.release(tx, RecordId(one))
        tx.run(TAKE, (found,))
        tx.run(TAKE_LINKS, (found,))
