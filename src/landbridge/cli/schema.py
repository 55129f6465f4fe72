"""`landbridge schema`: the org's objects, one object's fields, or what of an sfdx project is understood."""

from __future__ import annotations

import argparse
from typing import Any

from landbridge.cli.where import org
from landbridge.errors import LandbridgeError
from landbridge.schema import Catalog, standard
from landbridge.schema import source as sources


def run(options: argparse.Namespace) -> int:
    """Dispatch the three forms of the command."""
    if options.object == "check":
        return check(options)
    if options.folder is not None:
        raise LandbridgeError("a folder goes with `check`: landbridge schema check DIR")
    with org(options) as client:
        if options.object is None:
            return _objects(client.describe())
        return _fields(client.describe(options.object))


def check(options: argparse.Namespace) -> int:
    """`landbridge schema check DIR`: 0 when nothing was refused or wrong, 1 otherwise."""
    if options.folder is None:
        raise LandbridgeError("say which folder: landbridge schema check DIR")
    found = sources.read([options.folder], Catalog(standard.load()))
    for line in sources.report(found, options.folder):
        print(line)
    return 1 if any(finding.severity in ("refused", "error") for finding in found.findings) else 0


def _objects(described: dict[str, Any]) -> int:
    for item in described["sobjects"]:
        print(f"{item['keyPrefix'] or '   '}  {item['name']:40}  {item['label']}")
    return 0


def _fields(described: dict[str, Any]) -> int:
    print(f"{described['name']} ({described['label']}), key prefix {described['keyPrefix']}")
    for one in described["fields"]:
        print(f"  {one['name']:40}  {_type(one):28}  {_rules(one)}".rstrip())
    return 0


def _type(one: dict[str, Any]) -> str:
    if one["referenceTo"]:
        return f"reference({', '.join(one['referenceTo'][:3])}{', ...' if len(one['referenceTo']) > 3 else ''})"
    if one["length"] and one["type"] != "id":
        return f"{one['type']}({one['length']})"
    if one["precision"]:
        return f"{one['type']}({one['precision']},{one['scale']})"
    return str(one["type"])


def _rules(one: dict[str, Any]) -> str:
    words = [word for key, word in (("externalId", "external id"), ("unique", "unique"), ("calculated", "calculated"),
                                    ("autoNumber", "auto number")) if one[key]]  # fmt: skip
    if not one["nillable"] and one["createable"] and not one["defaultedOnCreate"]:
        words.insert(0, "required")
    if not one["createable"] and not one["updateable"]:
        words.append("read-only")
    return ", ".join(words)
