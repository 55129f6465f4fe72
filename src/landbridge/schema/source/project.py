"""
A project's folders to a Source: every metadata file read once, children put to their objects.

Both forms are read: source (one file per field) and metadata API (`.object` files with the fields inside). A broken file is
a finding with its line, never the end; what nothing here reads is named as ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from landbridge.errors import LandbridgeError
from landbridge.schema.catalog import Catalog
from landbridge.schema.model import Field, Kind, PicklistValue, RecordType, SObject
from landbridge.schema.source import credentials, objects
from landbridge.schema.source.fields import FieldReader, read_values, with_dependencies
from landbridge.schema.source.finding import Finding, Findings, Severity
from landbridge.xml import Element, XmlError, parse


@dataclass(frozen=True, slots=True)
class MetadataRecord:
    """A record of a custom metadata type, values as the source has them."""

    sobject: str
    developer_name: str
    label: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChannelMember:
    """An entity that a channel carries: change capture of an object is a member of `ChangeEvents`."""

    channel: str
    entity: str
    enriched: tuple[str, ...]
    filter: str | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A remote site or named credential: a name and a URL. Secrets are never in source."""

    name: str
    url: str
    kind: str


@dataclass(frozen=True, slots=True)
class Source:
    """All that was understood of the folders, in the order objects must be loaded, and what was not."""

    objects: tuple[SObject, ...] = ()
    records: tuple[MetadataRecord, ...] = ()
    channels: tuple[tuple[str, str, str], ...] = ()
    """Custom channels: name, type (`data` or `event`), label."""
    members: tuple[ChannelMember, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    credentials: tuple[dict[str, Any], ...] = ()
    """Named credentials as `callouts.store` takes them: plain values with a `name`."""
    findings: tuple[Finding, ...] = ()
    managed: tuple[tuple[str, dict[str, str]], ...] = ()
    """Managed event subscriptions: developer name, settings by their names in the file."""
    partition_keys: tuple[str, ...] = ()
    """Of PlatformEventSubscriberConfigs: `EventUuid` or `Event__e.Field__c`."""

    @property
    def captured(self) -> tuple[str, ...]:
        """The objects whose changes the channel members select."""
        names = []
        for member in self.members:
            if member.entity.endswith("__ChangeEvent"):
                names.append(member.entity.removesuffix("__ChangeEvent") + "__c")
            elif member.entity.endswith("ChangeEvent"):
                names.append(member.entity.removesuffix("ChangeEvent"))
        return tuple(names)

    def summary(self) -> str:
        """One line for a person: what was loaded, how much was not."""
        fields = sum(1 for sobject in self.objects for f in sobject.fields if f.custom)
        bad = sum(1 for finding in self.findings if finding.severity in (Severity.REFUSED, Severity.ERROR))
        later = sum(1 for finding in self.findings if finding.severity is Severity.LATER)
        text = f"loaded {len(self.objects)} objects with {fields} custom fields from source"
        if later:
            text += f"; {later} not evaluated yet"
        if bad:
            text += f"; {bad} NOT understood"
        return text + (" (see `landbridge schema check DIR`)" if bad or later else "")


def read(folders: Sequence[Path], catalog: Catalog) -> Source:
    """Read project or package folders over a catalogue. Raises LandbridgeError for a folder that can't be read."""
    reader = _Reader(catalog)
    for folder in folders:
        for package in _packages(folder):
            reader.collect(package)
    return reader.source()


def _packages(folder: Path) -> list[Path]:
    """The package directories of a project; the folder itself where it is no project."""
    if not folder.is_dir():
        raise LandbridgeError(f"the source folder {folder} does not exist or is no folder. Check --source.")
    project = folder / "sfdx-project.json"
    if not project.is_file():
        return [folder]
    try:
        listed = json.loads(project.read_text("utf-8"))["packageDirectories"]
        paths = [folder / entry["path"] for entry in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LandbridgeError(f"{project} is no sfdx project file: {error}") from error
    missing = [path for path in paths if not path.is_dir()]
    if missing:
        raise LandbridgeError(f"{project} names the package directory {missing[0]}, which does not exist.")
    return paths


@dataclass(slots=True)
class _Object:
    """What was found of one object before it is put together."""

    path: Path | None = None
    element: Element | None = None
    fields: list[tuple[Path, Element]] = field(default_factory=list)
    record_types: list[tuple[Path, Element]] = field(default_factory=list)


# Children of a CustomObject that have no effect on data: said, and passed over.
_INERT = {
    "listView": "list view", "compactLayout": "compact layout", "fieldSet": "field set", "webLink": "web link",
    "businessProcess": "business process", "index": "index", "sharingReason": "sharing reason",
}  # fmt: skip


class _Reader:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._findings = Findings()
        self._objects: dict[str, _Object] = {}
        self._value_sets: dict[str, tuple[PicklistValue, ...]] = {}
        self._records: list[MetadataRecord] = []
        self._members: list[ChannelMember] = []
        self._channels: list[tuple[str, str, str]] = []
        self._partition_keys: list[str] = []
        self._managed: list[tuple[str, dict[str, str]]] = []
        self._endpoints: list[Endpoint] = []
        self._named: dict[str, tuple[Path, Element]] = {}
        self._external: dict[str, Element] = {}

    # --- files -------------------------------------------------------------------------------------------------

    def collect(self, package: Path) -> None:
        """Read every metadata file below a folder."""
        try:
            files = sorted(path for path in package.rglob("*") if path.is_file() and _is_metadata(path))
        except OSError as error:
            raise LandbridgeError(f"{package} can't be read: {error.strerror}. Check its permissions.") from error
        for path in files:
            self._file(path)

    def _file(self, path: Path) -> None:
        try:
            root = parse(path.read_bytes())
        except XmlError as error:
            self._findings.add(path, error.line, Severity.ERROR, f"not readable as XML: {error}")
            return
        except OSError as error:
            raise LandbridgeError(f"{path} can't be read: {error.strerror}. Check its permissions.") from error
        kind = _kind(path)
        take = {
            "object": self._object, "field": self._field, "recordType": self._record_type,
            "validationRule": self._validation_rule, "globalValueSet": self._value_set, "md": self._record,
            "platformEventChannel": self._channel, "platformEventChannelMember": self._member,
            "platformEventSubscriberConfig": self._subscriber_config,
            "managedEventSubscription": self._managed_subscription,
            "remoteSite": self._remote_site, "namedCredential": self._named_credential,
            "externalCredential": self._external_credential,
        }.get(kind)  # fmt: skip
        if take is not None:
            take(path, root)
        else:
            what = _INERT.get(kind, root.tag)
            self._findings.add(path, root.line, Severity.IGNORED, f"{what} {path.name.split('.')[0]}")

    def _of(self, name: str) -> _Object:
        return self._objects.setdefault(name, _Object())

    def _object(self, path: Path, root: Element) -> None:
        name = path.name.split(".")[0]
        found = self._of(name)
        found.path, found.element = path, root
        for element in root.all("fields"):
            found.fields.append((path, element))
        for element in root.all("recordTypes"):
            found.record_types.append((path, element))
        for element in root.all("validationRules"):
            self._validation_rule(path, element)

    def _field(self, path: Path, root: Element) -> None:
        self._of(path.parent.parent.name).fields.append((path, root))

    def _record_type(self, path: Path, root: Element) -> None:
        self._of(path.parent.parent.name).record_types.append((path, root))

    def _validation_rule(self, path: Path, root: Element) -> None:
        if root.get("active") != "false":
            self._findings.add(path, root.line, Severity.LATER, f"validation rule {root.get('fullName')}")

    def _value_set(self, path: Path, root: Element) -> None:
        name = path.name.split(".")[0]
        self._value_sets[name] = read_values(root)
        self._findings.add(path, root.line, Severity.UNDERSTOOD, f"global value set {name}")

    def _record(self, path: Path, root: Element) -> None:
        kind, _, name = path.name.removesuffix("-meta.xml").removesuffix(".md").partition(".")
        values = {}
        for element in root.all("values"):
            value = element.find("value")
            values[element.get("field")] = None if value is None or "nil" in value.attrs else value.text.strip()
        self._records.append(MetadataRecord(f"{kind}__mdt", name, root.get("label") or name, values))
        self._findings.add(path, root.line, Severity.UNDERSTOOD, f"custom metadata record {kind}__mdt {name}")

    def _channel(self, path: Path, root: Element) -> None:
        name = path.name.split(".")[0]
        self._channels.append((name, root.get("channelType") or "data", root.get("label")))
        self._findings.add(path, root.line, Severity.UNDERSTOOD, f"channel {name}")

    def _member(self, path: Path, root: Element) -> None:
        enriched = tuple(element.get("name") for element in root.all("enrichedFields"))
        member = ChannelMember(
            root.get("eventChannel"), root.get("selectedEntity"), enriched, root.get("filterExpression") or None
        )
        self._members.append(member)
        if enriched:
            what = f"enriched fields of {member.entity} on {member.channel} (Landbridge sends events without them)"
            self._findings.add(path, root.line, Severity.REFUSED, what)
        self._findings.add(path, root.line, Severity.UNDERSTOOD, f"{member.entity} on channel {member.channel}")

    def _subscriber_config(self, path: Path, root: Element) -> None:
        name = path.name.split(".")[0]
        if root.get("partitionKey"):
            self._partition_keys.append(root.get("partitionKey"))
        what = f"partition key of {name}; batch size, user and number of partitions are Apex's"
        self._findings.add(path, root.line, Severity.UNDERSTOOD, what)

    def _managed_subscription(self, path: Path, root: Element) -> None:
        name = path.name.split(".")[0]
        self._managed.append((name, {element.tag: element.text.strip() for element in root.children}))
        self._findings.add(path, root.line, Severity.UNDERSTOOD, f"managed event subscription {name}")

    def _remote_site(self, path: Path, root: Element) -> None:
        name = root.get("fullName") or path.name.split(".")[0]
        self._endpoints.append(Endpoint(name, root.get("url"), "remote site"))
        self._findings.add(path, root.line, Severity.UNDERSTOOD, f"remote site {name}")

    def _named_credential(self, path: Path, root: Element) -> None:
        self._named[root.get("fullName") or path.name.split(".")[0]] = (path, root)

    def _external_credential(self, path: Path, root: Element) -> None:
        name = root.get("fullName") or path.name.split(".")[0]
        self._external[name.lower()] = root
        self._findings.add(path, root.line, Severity.UNDERSTOOD, f"external credential {name}")

    def _credentials(self) -> Iterator[dict[str, Any]]:
        """The named credentials, once every external one is known."""
        for name, (path, root) in self._named.items():
            found = credentials.read(name, root, self._external)
            for note in found.notes:
                severity = Severity.LATER if found.definition is not None else Severity.REFUSED
                self._findings.add(path, root.line, severity, f"named credential {name}: {note}")
            if found.definition is not None:
                self._findings.add(path, root.line, Severity.UNDERSTOOD, f"named credential {name}")
                self._endpoints.append(Endpoint(name, found.definition["url"], "named credential"))
                yield found.definition

    # --- objects -----------------------------------------------------------------------------------------------

    def source(self) -> Source:
        """Everything put together."""
        made = [sobject for name, found in self._objects.items() if (sobject := self._make(name, found)) is not None]
        made = self._with_activities(made)
        self._check_references(made)
        named = tuple(self._credentials())
        return Source(
            tuple(made), tuple(self._records), tuple(self._channels), tuple(self._members), tuple(self._endpoints), named,
            tuple(self._findings.all), partition_keys=tuple(self._partition_keys),
            managed=tuple(self._managed),
        )  # fmt: skip

    def _make(self, name: str, found: _Object) -> SObject | None:
        known = self._catalog.get(name)
        place = found.path or (found.fields[0][0] if found.fields else Path(name))
        standard = known is not None and known.kind in (Kind.STANDARD, Kind.SYSTEM)
        try:
            if not standard and known is None:
                objects.kind_of(name, found.element)
        except ValueError as error:
            self._findings.add(place, 1, Severity.REFUSED, f"{name}: {error}")
            return None
        own = known.name if known is not None else name
        fields = list(self._fields(own, found))
        record_types = tuple(self._record_types(found))
        if standard:
            assert known is not None
            return self._extended(known.sobject, fields, record_types)
        if found.element is None and known is not None:
            return self._extended(known.sobject, fields, record_types)
        if found.path is not None:
            self._findings.add(found.path, 1, Severity.UNDERSTOOD, f"object {own}")
        made = objects.make(own, found.element, fields, record_types=bool(record_types))
        return msgspec.structs.replace(made, record_types=record_types)

    def _with_activities(self, made: list[SObject]) -> list[SObject]:
        """What tasks and events may be related to (objects that allow activities), and files be attached to (all)."""
        own = tuple(sobject.name for sobject in made if sobject.kind is Kind.CUSTOM)
        active = tuple(
            name
            for name in own
            if (found := self._objects.get(name)) is not None
            and found.element is not None
            and found.element.get("enableActivities") == "true"
        )
        by_name = {sobject.name: sobject for sobject in made}
        for name, link, allowed in _related(active, own):
            known = self._catalog.get(name)
            if known is None or not allowed:
                continue
            base = by_name.get(name, known.sobject)
            fields = tuple(_also_to(field, allowed) if field.name == link else field for field in base.fields)
            by_name[name] = msgspec.structs.replace(base, fields=fields)
        return list(by_name.values())

    def _extended(self, base: SObject, fields: list[Field], record_types: tuple[RecordType, ...]) -> SObject | None:
        """A known object with more fields; None where nothing is added."""
        if not fields and not record_types:
            return None
        names = {field.name.lower() for field in fields}
        kept = [field for field in base.fields if field.name.lower() not in names]
        if record_types and not any(field.name == "RecordTypeId" for field in kept):
            kept.append(Field(name="RecordTypeId", label="Record Type ID", type="reference",
                              reference_to=("RecordType",), relationship_name="RecordType"))  # fmt: skip
        return msgspec.structs.replace(base, fields=(*kept, *fields), record_types=record_types or base.record_types)

    def _fields(self, name: str, found: _Object) -> Iterator[Field]:
        reader = FieldReader(self._findings, self._value_sets, name)
        read: dict[str, tuple[Field, Element]] = {}
        for path, element in found.fields:
            for one in reader.read(path, element):
                read[one.name] = (one, element)
        for one, element in read.values():
            controller = read.get(one.controller_name or "")
            values = element.find("valueSet")
            if controller is not None and values is not None:
                yield with_dependencies(one, controller[0], values)
            else:
                yield one

    def _record_types(self, found: _Object) -> Iterator[RecordType]:
        for path, element in found.record_types:
            name = element.get("fullName") or path.name.split(".")[0]
            self._findings.add(path, element.line, Severity.UNDERSTOOD, f"record type {name}")
            yield RecordType(
                developer_name=name, name=element.get("label") or name, active=element.get("active") != "false",
                description=element.get("description") or None,
            )  # fmt: skip

    def _check_references(self, made: Iterable[SObject]) -> None:
        """A lookup to an object that is nowhere: said, because every value for it will be refused."""
        here = {sobject.name.lower() for sobject in made}
        for name, found in self._objects.items():
            for path, element in found.fields:
                target = element.get("referenceTo")
                if target and target.lower() not in here and self._catalog.get(target) is None:
                    what = f"{name}.{element.get('fullName')} points to {target}, which is not in this source"
                    self._findings.add(path, element.line, Severity.REFUSED, what)


def _related(active: tuple[str, ...], own: tuple[str, ...]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Standard objects whose references reach custom ones: (object, reference, the custom objects)."""
    yield from (("Task", "WhatId", active), ("Event", "WhatId", active))
    yield from (("Attachment", "ParentId", own), ("ContentDocumentLink", "LinkedEntityId", own))
    yield ("ContentVersion", "FirstPublishLocationId", own)


def _also_to(field: Field, names: tuple[str, ...]) -> Field:
    """A reference that may point to these objects too."""
    return msgspec.structs.replace(field, reference_to=tuple(sorted({*field.reference_to, *names})))


def _is_metadata(path: Path) -> bool:
    return path.name.endswith("-meta.xml") or path.suffix == ".object"


def _kind(path: Path) -> str:
    """`field` of `Status__c.field-meta.xml`, `object` of `X__c.object`."""
    parts = path.name.removesuffix("-meta.xml").split(".")
    return parts[-1] if len(parts) > 1 else ""
