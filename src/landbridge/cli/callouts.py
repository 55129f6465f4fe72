"""`landbridge callouts`: the journal, as rows or one entry whole."""

from __future__ import annotations

import argparse
import json
import re
from datetime import datetime, timedelta
from typing import Any

from landbridge.cli.data import print_rows
from landbridge.cli.where import org
from landbridge.client import RestClient
from landbridge.client.rest import VERSION
from landbridge.errors import LandbridgeError
from landbridge.values import format_datetime, parse_datetime

OBJECT = "Callout_Log__c"
_COLUMNS = {
    "Id": "id", "CreatedDate": "when", "Credential__c": "credential", "Method__c": "method", "Url__c": "url",
    "StatusCode__c": "status", "Outcome__c": "outcome", "DurationMs__c": "ms", "Attempt__c": "attempt", "Flow__c": "flow",
    "Subscription__c": "subscription", "Error__c": "error",
}  # fmt: skip
_AGO = re.compile(r"(\d{1,6})([smhd])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_OUTCOMES = frozenset(
    {
        "answered",
        "timeout",
        "connect",
        "lost",
        "too_large",
        "auth",
        "busy",
        "breaker",
        "refused",
        "uncommitted",
        "budget",
    }
)


def run(options: argparse.Namespace) -> int:
    """`list` (the default) or `show ID`."""
    with org(options) as client:
        if options.action == "show":
            return _show(client, options)
        if options.id is not None:
            raise LandbridgeError("an Id goes with `show`: landbridge callouts show ID")
        return _list(client, options)


def _list(client: RestClient, options: argparse.Namespace) -> int:
    if options.limit < 1:
        raise LandbridgeError("--limit is at least 1")
    conditions = []
    if options.since is not None:
        now = client.call("GET", "/services/landbridge/v1/status").body["now"]
        conditions.append(f"CreatedDate >= {since(options.since, now)}")
    if options.status is not None:
        conditions.append(status(options.status))
    if options.credential is not None:
        name = options.credential.replace("\\", "\\\\").replace("'", "\\'")
        conditions.append(f"Credential__c = '{name}'")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f" ORDER BY CreatedDate DESC, Id DESC LIMIT {options.limit}"
    pages = client.query(f"SELECT {', '.join(_COLUMNS)} FROM {OBJECT}{where}{order}")
    rows = [
        {name: record[column] for column, name in _COLUMNS.items()} for page in pages for record in page["records"]
    ][::-1]
    if options.format == "json":
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    if options.format == "table":
        empty = {name for name in ("flow", "subscription", "error") if not any(row[name] for row in rows)}
        rows = [{name: value for name, value in row.items() if name not in empty} for row in rows]
    print_rows(iter(rows), options.format, len(rows))
    return 0


def since(text: str, now: str) -> str:
    """A moment as SOQL writes it: `10m`, `2h`, `3d` before `now` (wire form), or a datetime. Raises LandbridgeError."""
    ago = _AGO.match(text)
    if ago is not None:
        moment = datetime.fromisoformat(now) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return format_datetime(moment).replace("+0000", "Z")
    try:
        return parse_datetime(text).replace("+0000", "Z")
    except ValueError:
        raise LandbridgeError(
            f"--since is 10m, 2h, 3d or a datetime such as 2026-03-01T12:00:00Z, not {text!r}"
        ) from None


def status(text: str) -> str:
    """A condition: `503`, `5xx`, `failed` or an outcome. Raises LandbridgeError."""
    word = text.lower()
    if word == "failed":
        return "(Outcome__c != 'answered' OR StatusCode__c >= 300)"
    if re.fullmatch(r"[1-5]xx", word):
        return f"(StatusCode__c >= {word[0]}00 AND StatusCode__c <= {word[0]}99)"
    if re.fullmatch(r"[1-5]\d\d", word):
        return f"StatusCode__c = {word}"
    if word in _OUTCOMES:
        return f"Outcome__c = '{word}'"
    raise LandbridgeError(f"--status is 503, 5xx, failed or one of {', '.join(sorted(_OUTCOMES))}, not {text!r}")


def _show(client: RestClient, options: argparse.Namespace) -> int:
    if options.id is None:
        raise LandbridgeError("say which one: landbridge callouts show ID")
    record: dict[str, Any] = client.call("GET", f"/services/data/v{VERSION}/sobjects/{OBJECT}/{options.id}").body
    del record["attributes"]
    if options.format == "json":
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return 0
    texts = ("RequestHeaders__c", "RequestBody__c", "ResponseHeaders__c", "ResponseBody__c")
    for name, value in record.items():
        if name not in texts and value is not None:
            print(f"{name.removesuffix('__c'):18}  {value}")
    for name in texts:
        if record.get(name):
            print(f"\n{name.removesuffix('__c')}\n{record[name]}")
    return 0
