"""
Data plans as `sf data export tree` writes them: files of records that refer to each other by `@Ref`.

Reading is pure but for the files; `load` walks the records in order and hands them, references replaced by ids, to whoever
creates them: a store, or an org over the wire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from landbridge.errors import LandbridgeError

CHUNK = 200


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """One record to be: `values` as in the file, `@Ref` texts included; children name it through `parent`."""

    sobject: str
    reference: str | None
    values: dict[str, Any]
    where: str
    """File and place, for errors."""
    parent: tuple[str, PlanRecord] | None = None
    """Relationship name in the parent's children and the parent itself, for nested records."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All records of a plan, parents before children; `digest` changes when any of its files does."""

    path: Path
    records: tuple[PlanRecord, ...]
    digest: str


class Saved(Protocol):
    """What became of one record: its id, or why it has none."""

    @property
    def id(self) -> str | None: ...

    @property
    def errors(self) -> Sequence[Exception]: ...


Create = Callable[[str, list[dict[str, Any]]], Sequence[Saved]]
ChildField = Callable[[str, str], str | None]
"""(parent object, child relationship name) -> the child's reference field."""


@dataclass(slots=True)
class LoadReport:
    """How many records of each object were created, and what failed."""

    created: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For a person: failures first, then counts."""
        yield from self.failed
        for sobject, count in self.created.items():
            yield f"{count} {sobject} created"


def read_plan(path: Path) -> Plan:
    """Read a plan, or a single tree file. Raises LandbridgeError naming the file and what is wrong."""
    digest = sha256()
    content = _json(path, digest.update)
    records: list[PlanRecord] = []
    if isinstance(content, dict):
        records += _records(path, content, None)
    elif isinstance(content, list):
        for step in content:
            if not isinstance(step, dict) or not isinstance(step.get("files"), list):
                raise LandbridgeError(f"{path} is no data plan: every step needs `sobject` and `files`.")
            for name in step["files"]:
                file = path.parent / str(name)
                records += _records(file, _json(file, digest.update), step.get("sobject"))
    else:
        raise LandbridgeError(f"{path} is no data plan: expected a list of steps or an object with `records`.")
    return Plan(path, tuple(records), digest.hexdigest())


def _json(path: Path, seen: Callable[[bytes], None]) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LandbridgeError(f"{path} can't be read: {error.strerror}.") from error
    seen(data)
    try:
        return json.loads(data)
    except ValueError as error:
        raise LandbridgeError(f"{path} is not valid JSON: {error}") from error


def _records(path: Path, content: Any, sobject: str | None) -> Iterator[PlanRecord]:
    rows = content.get("records") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise LandbridgeError(f"{path} has no list of `records`.")
    for number, row in enumerate(rows, start=1):
        yield from _record(f"{path.name} record {number}", row, sobject, None)


def _record(where: str, row: Any, sobject: str | None, parent: tuple[str, PlanRecord] | None) -> Iterator[PlanRecord]:
    if not isinstance(row, dict):
        raise LandbridgeError(f"{where} is no JSON object.")
    attributes = row.get("attributes") or {}
    kind = attributes.get("type") or sobject
    if not kind:
        raise LandbridgeError(f"{where} does not say its object: give `attributes.type`.")
    children = {key: value for key, value in row.items() if isinstance(value, dict) and "records" in value}
    values = {key: value for key, value in row.items() if key != "attributes" and key not in children}
    record = PlanRecord(kind, attributes.get("referenceId"), values, where, parent)
    yield record
    for relationship, nested in children.items():
        for number, child in enumerate(nested["records"], start=1):
            yield from _record(f"{where}, {relationship} {number}", child, None, (relationship, record))


def load(
    plan: Plan, create: Create, child_field: ChildField, progress: Callable[[int, int], None] | None = None
) -> LoadReport:
    """Create the records of a plan in order, at most CHUNK of one object at a time; a failure does not stop the others."""
    report = LoadReport()
    known: dict[str, str] = {}
    made: dict[int, str] = {}
    done = 0
    for chunk in _chunks(plan.records):
        ready: list[tuple[PlanRecord, dict[str, Any]]] = []
        for record in chunk:
            try:
                ready.append((record, _resolved(record, known, made, child_field)))
            except KeyError as missing:
                report.failed.append(f"{record.where}: {missing.args[0]} was not created before it")
        saved = create(chunk[0].sobject, [values for _, values in ready]) if ready else ()
        for (record, _), result in zip(ready, saved, strict=True):
            if result.id is None:
                report.failed.append(f"{record.where} ({record.sobject}): {'; '.join(map(str, result.errors))}")
                continue
            made[id(record)] = result.id
            report.created[record.sobject] = report.created.get(record.sobject, 0) + 1
            if record.reference is not None:
                known[record.reference.lower()] = result.id
        done += len(chunk)
        if progress is not None:
            progress(done, len(plan.records))
    return report


def _chunks(records: Sequence[PlanRecord]) -> Iterator[list[PlanRecord]]:
    """Runs of one object that do not refer to each other through nesting, CHUNK at the most."""
    chunk: list[PlanRecord] = []
    for record in records:
        mixed = chunk and (chunk[0].sobject != record.sobject or len(chunk) == CHUNK)
        refers = any(
            _reference(value) in {f"@{r.reference}".lower() for r in chunk} for value in record.values.values()
        )
        inside = record.parent is not None and any(record.parent[1] is one for one in chunk)
        if mixed or refers or inside:
            yield chunk
            chunk = []
        chunk.append(record)
    if chunk:
        yield chunk


def _reference(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and value.startswith("@") else None


def _resolved(
    record: PlanRecord, known: Mapping[str, str], made: Mapping[int, str], child_field: ChildField
) -> dict[str, Any]:
    values = {}
    for key, value in record.values.items():
        reference = _reference(value)
        if reference is not None and reference[1:] in known:
            values[key] = known[reference[1:]]
        elif reference is not None and key.endswith(("Id", "__c")) and " " not in reference:
            raise KeyError(value)
        else:
            values[key] = value
    if record.parent is not None:
        relationship, parent = record.parent
        field_name = child_field(parent.sobject, relationship)
        if field_name is None or id(parent) not in made:
            raise KeyError(f"its parent through {relationship}")
        values[field_name] = made[id(parent)]
    return values
