"""
Make `src/landbridge/schema/standard/*.json`, our data of the standard objects, from a folder of facts.

    python scripts/make_standard.py ../shared/standard

The facts say what a describe says, without prose; what we add is what a store needs: what becomes of children when
their parent is deleted, and what they are called there. One field stands on one line, so that a new standard field is one line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "src" / "landbridge" / "schema" / "standard"

# References that outlive their target: stamps, owners, and links the platform keeps by itself.
KEEP = frozenset({"OwnerId", "CreatedById", "LastModifiedById", "MasterRecordId", "RecordTypeId", "ProfileId",
                  "UserRoleId", "UserLicenseId"})  # fmt: skip

# The catalogue's own views; nobody writes them.
VIEWS = frozenset({"EntityDefinition", "FieldDefinition", "EventBusSubscriber", "PlatformEventChannel",
                   "PlatformEventChannelMember"})  # fmt: skip

# Prefixes that the facts lack: seen in recordings (events-channel, events-channel-member).
PREFIXES = {"PlatformEventChannel": "0YL", "PlatformEventChannelMember": "0v8"}

_TEXT = {"type": "string", "length": 255, "createable": False, "updateable": False}
_COUNT = {"type": "int", "createable": False, "updateable": False}
# Fields that the facts lack. Of EventBusSubscriber they are ours: how far a subscription is, beyond the platform's Position.
MORE = {
    "PlatformEventChannel": [{"name": "MasterLabel", "label": "Master Label", **_TEXT}],
    "PlatformEventChannelMember": [{"name": "FilterExpression", "label": "Filter Expression", **_TEXT}],
    "EventBusSubscriber": [
        {"name": "ReadTo", "label": "Read To", **_COUNT},
        {"name": "DoneTo", "label": "Done To", **_COUNT},
        {"name": "OldestOpen", "label": "Oldest Open", **_COUNT},
        {"name": "LagEvents", "label": "Lag in Events", **_COUNT},
        {"name": "LagSeconds", "label": "Lag in Seconds", **_COUNT},
    ],
}

# A reference that no describe calls one: it holds a DurableId.
LINKS = {
    ("FieldDefinition", "EntityDefinitionId"): {"referenceTo": ["EntityDefinition"], "childRelationshipName": "Fields"}
}

# Auto-number formats of standard name fields (how many digits a fresh org shows).
FORMATS = {"CaseNumber": "{00000000}", "ContractNumber": "{00000000}", "OrderNumber": "{00000000}",
           "SolutionNumber": "{00000000}", "OrderItemNumber": "{0000000000}"}  # fmt: skip

# The values behind status picklists share one prefix on the platform; the facts have none for them.
STATUS_PREFIX = "01J"
STATUSES = frozenset({"CaseStatus", "ContractStatus", "LeadStatus", "OpportunityStage", "OrderStatus", "TaskPriority",
                      "TaskStatus"})  # fmt: skip

# Fields that recordings show and the facts do not (rest-get-account-row, describe-account, rest-organization): object ->
# the field before it -> fields.
RECORDED: dict[str, dict[str, list[dict[str, Any]]]] = {
    "Account": {"DandbCompanyId": [{"name": "OperatingHoursId", "label": "Operating Hour ID", "type": "reference",
                                    "referenceTo": ["OperatingHours"], "relationshipName": "OperatingHours",
                                    "permissionable": True, "searchPrefilterable": True}]},
    "Organization": {
        "PreferencesTransactionSecurityPolicy": [
            {"name": "PreferencesTerminateOldestSession", "label": "TerminateOldestSession", "type": "boolean",
             "createable": False, "updateable": False, "bit": True}],
        "DefaultCampaignAccess": [
            {"name": "DelegatedAuthenticationServiceUrl", "label": "Delegated Authentication Service URL", "type": "url",
             "length": 1000, "createable": False, "updateable": False}],
    },
}  # fmt: skip

# Uniqueness that no describe of the facts shows, but that logins stand on.
UNIQUE = frozenset({("User", "Username")})


def main(folder: Path, out: Path = OUT) -> dict[str, str]:
    """Write one file per object; returns file name -> text. `out` is replaced whole."""
    facts = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("[A-Z]*.json"))}
    relations = {
        (child["childSObject"], child["field"]): child
        for fact in facts.values()
        for child in fact.get("childRelationships", ())
    }
    made = {f"{name}.json": _object(fact, relations) for name, fact in facts.items()}
    made["_valuesets.json"] = _value_sets(json.loads((folder / "_valuesets.json").read_text("utf-8")))
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.json"):
        old.unlink()
    for name, text in made.items():
        (out / name).write_text(text, "utf-8")
    return made


def _object(fact: dict[str, Any], relations: dict[tuple[str, str], dict[str, Any]]) -> str:
    head: dict[str, Any] = {
        "name": fact["name"],
        "label": fact["label"],
        "labelPlural": fact.get("labelPlural", fact["label"] + "s"),
    }
    if fact.get("keyPrefix") is not None:
        head["keyPrefix"] = fact["keyPrefix"]
    elif fact["name"] in PREFIXES:
        head["keyPrefix"] = PREFIXES[fact["name"]]
    elif fact["name"] in STATUSES:
        head["keyPrefix"] = STATUS_PREFIX
    if fact["name"] in VIEWS:
        head["kind"] = "system"
    head["flags"] = fact.get("flags", {})
    if any(field["name"] == "RecordTypeId" for field in fact.get("conditionalFields", ())):
        head["supportsRecordTypes"] = True
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()]
    whole = [one for f in fact["fields"] for one in (f, *RECORDED.get(fact["name"], {}).get(f["name"], ()))]
    whole += MORE.get(fact["name"], ())
    fields = ",\n".join("  " + json.dumps(_field(fact["name"], f, relations), ensure_ascii=False) for f in whole)
    return "{\n" + "\n".join(lines) + '\n "fields": [\n' + fields + "\n ]\n}\n"


def _field(sobject: str, fact: dict[str, Any], relations: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """The fact's own attributes under our names, and what becomes of the field when its target goes."""
    field = {key: value for key, value in fact.items() if key not in ("dynamicPicklist", "referenceToPartial")}
    if "picklistValues" in field:
        field["picklistValues"] = [_value(value) for value in field["picklistValues"]]
    if field.get("autoNumber"):
        field["autoNumberFormat"] = FORMATS.get(fact["name"], "{0}")
    if (sobject, fact["name"]) in UNIQUE:
        field["unique"] = True
    field |= LINKS.get((sobject, fact["name"]), {})
    if fact["type"] == "reference":
        relation = relations.get((sobject, fact["name"]), {})
        if relation.get("relationshipName"):
            field["childRelationshipName"] = relation["relationshipName"]
        on_delete = _on_delete(fact, relation)
        if on_delete is not None:
            field["onDelete"] = on_delete
    return field


def _value(value: str | dict[str, Any]) -> dict[str, Any]:
    known = {"value": value} if isinstance(value, str) else dict(value)
    return {"value": known["value"], "label": known.get("label", known["value"]), **known}


def _on_delete(fact: dict[str, Any], relation: dict[str, Any]) -> str | None:
    if relation.get("cascadeDelete"):
        return "cascade"
    if relation.get("restrictedDelete"):
        return "restrict"
    writable = fact.get("createable", True) or fact.get("updateable", True)
    if fact["name"] in KEEP or not writable:
        return None
    return "set_null"


def _value_sets(sets: dict[str, list[dict[str, Any]]]) -> str:
    lines = []
    for name, values in sets.items():
        rows = ",\n".join("  " + json.dumps(_value(value), ensure_ascii=False) for value in values)
        lines.append(f" {json.dumps(name)}: [\n{rows}\n ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    written = main(Path(sys.argv[1]))
    print(f"{len(written)} files written to {OUT}")
