"""
The catalogue: every sObject of an org, immutable, with a version; a change makes a new one.

It is swapped after the commit that changed it (`Server.catalog`), so a unit of work sees one catalogue throughout.
Names are found whatever their case, as on the platform.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from landbridge.schema.model import Field, OnDelete, SObject, resolve


@dataclass(frozen=True, slots=True)
class Child:
    """A reference seen from its target: records of `sobject` point here through `field`."""

    sobject: str
    field: Field

    @property
    def relationship_name(self) -> str | None:
        return self.field.child_relationship_name

    @property
    def on_delete(self) -> OnDelete:
        return self.field.on_delete


class Entity:
    """An sObject as the catalogue serves it: its fields resolved and findable, its relations known."""

    def __init__(self, sobject: SObject) -> None:
        self.sobject = sobject
        self.name = sobject.name
        self.kind = sobject.kind
        self.key_prefix = sobject.key_prefix
        self.derived: dict[type, object] = {}
        """What other rooms work out from this object once, by a type of their own; it lives as long as the catalogue."""

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """All fields in describe order, resolved."""
        return tuple(resolve(field) for field in self.sobject.fields)

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name.lower(): field for field in self.fields}

    @cached_property
    def _by_relationship(self) -> dict[str, Field]:
        return {f.relationship_name.lower(): f for f in self.fields if f.relationship_name is not None}

    @cached_property
    def name_field(self) -> Field | None:
        """The field that names a record (`Name`, `CaseNumber`, `Subject`), None where there is none."""
        return next((field for field in self.fields if field.name_field), None)

    @cached_property
    def parts(self) -> Mapping[str, tuple[Field, ...]]:
        """Compound field name -> its parts, for addresses, locations and personal names."""
        parts: dict[str, list[Field]] = {}
        for field in self.fields:
            if field.compound_field_name is not None and field.compound_field_name != field.name:
                parts.setdefault(field.compound_field_name, []).append(field)
        return {name: tuple(fields) for name, fields in parts.items()}

    def field(self, name: str) -> Field | None:
        """The field of that name, whatever its case; None where there is none."""
        return self._by_name.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """The reference field behind a parent relationship name (`Account`, `Product__r`)."""
        return self._by_relationship.get(name.lower())


class Catalog:
    """All sObjects of an org at one version. `children` and prefixes are derived once and then looked up."""

    def __init__(self, sobjects: Iterable[SObject], version: int = 0) -> None:
        self.version = version
        self.derived: dict[type, object] = {}
        """As `Entity.derived`, for what is of no one object."""
        self._entities = {sobject.name.lower(): Entity(sobject) for sobject in sobjects}

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._entities.values())

    def __len__(self) -> int:
        return len(self._entities)

    def get(self, name: str) -> Entity | None:
        """The sObject of that name, whatever its case; None where there is none."""
        return self._entities.get(name.lower())

    @cached_property
    def _by_prefix(self) -> dict[str, Entity]:
        return {e.key_prefix: e for e in self._entities.values() if e.key_prefix is not None}

    def by_prefix(self, prefix: str) -> Entity | None:
        """The sObject whose ids start with these three characters."""
        return self._by_prefix.get(prefix)

    @cached_property
    def _children(self) -> dict[str, tuple[Child, ...]]:
        found: dict[str, list[Child]] = {}
        for entity in self._entities.values():
            for field in entity.sobject.fields:
                for target in field.reference_to:
                    if field.name == "MasterRecordId" and target == entity.name:
                        continue  # the one reference that no describe lists (../shared/standard/README.md)
                    found.setdefault(target.lower(), []).append(Child(entity.name, field))
        return {name: tuple(children) for name, children in found.items()}

    def children(self, name: str) -> tuple[Child, ...]:
        """Every reference field of every object that points to `name`."""
        return self._children.get(name.lower(), ())

    def replaced(self, sobjects: Iterable[SObject]) -> Catalog:
        """A catalogue of the next version in which these objects are added or take the place of their namesakes."""
        merged = {entity.name.lower(): entity.sobject for entity in self._entities.values()}
        for sobject in sobjects:
            merged[sobject.name.lower()] = sobject
        return Catalog(merged.values(), self.version + 1)
