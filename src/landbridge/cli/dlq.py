"""`landbridge dlq`: dead letters, looked at, mended, sent again, discarded."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from landbridge import config
from landbridge.cli.callouts import since
from landbridge.cli.data import print_rows
from landbridge.cli.where import org
from landbridge.client import RestClient
from landbridge.client.rest import VERSION
from landbridge.errors import LandbridgeError

ROOT = "/services/landbridge/v1/deadletters"
OBJECT = "Failed_Payload__c"
_COLUMNS = {
    "Id": "id", "CreatedDate": "since", "Subscription__c": "subscription", "Key__c": "key", "Status__c": "status",
    "Attempts__c": "attempts", "Fingerprint__c": "cause", "Cause__c": "error",
}  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Dispatch the actions."""
    action = {"list": _list, "show": _show, "edit": _edit, "replay": _replay, "discard": _discard}[options.action]
    with org(options) as client:
        return action(client, options)


# --- which ones --------------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _conditions(client: RestClient, options: argparse.Namespace) -> list[str]:
    found = []
    if options.subscription is not None:
        found.append(f"Subscription__c = {_quoted(options.subscription)}")
    if options.cause is not None:
        found.append(f"Fingerprint__c = {_quoted(options.cause)}")
    for name, sign in (("since", ">="), ("until", "<")):
        if getattr(options, name) is not None:
            now = client.call("GET", "/services/landbridge/v1/status").body["now"]
            found.append(f"CreatedDate {sign} {since(getattr(options, name), now)}")
    if options.where is not None:
        found.append(f"({options.where})")
    return found


def _select(client: RestClient, conditions: list[str], columns: str, tail: str = "") -> Iterator[dict[str, Any]]:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    for page in client.query(f"SELECT {columns} FROM {OBJECT}{where}{tail}"):
        yield from page["records"]


def _chosen(client: RestClient, options: argparse.Namespace) -> list[str]:
    """The ids given, or those of the open dead letters that the conditions choose."""
    conditions = _conditions(client, options)
    if options.ids and conditions:
        raise LandbridgeError("name ids, or choose by --cause, --subscription, --since, --until and --where: not both")
    if options.ids:
        return list(options.ids)
    if not conditions and not options.all:
        raise LandbridgeError("say which: ids, --cause, --subscription, --since, --until, --where, or --all")
    return [row["Id"] for row in _select(client, ["Status__c = 'Open'", *conditions], "Id", " ORDER BY Delivery__c")]


# --- looking -----------------------------------------------------------------------------------------------------------


def _list(client: RestClient, options: argparse.Namespace) -> int:
    conditions = _conditions(client, options)
    if options.status != "all":
        conditions.insert(0, f"Status__c = {_quoted(options.status.capitalize())}")
    if options.by_cause:
        columns = (
            "Fingerprint__c cause, Subscription__c subscription, COUNT(Id) letters, MIN(CreatedDate) first, "
            "MIN(Cause__c) error"
        )
        found = _select(
            client, conditions, columns, " GROUP BY Fingerprint__c, Subscription__c ORDER BY COUNT(Id) DESC"
        )
        rows = [{name: value for name, value in row.items() if name != "attributes"} for row in found]
    else:
        found = _select(client, conditions, ", ".join(_COLUMNS), " ORDER BY Delivery__c")
        rows = [{name: row[column] for column, name in _COLUMNS.items()} for row in found]
    if options.format == "json":
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print_rows(iter(rows), options.format, len(rows))
    return 0


def _show(client: RestClient, options: argparse.Namespace) -> int:
    found = client.call("GET", f"{ROOT}/{options.id}").body
    if options.diff_last_good:
        return _diff(found)
    record = client.call("GET", f"/services/data/v{VERSION}/sobjects/{OBJECT}/{options.id}").body
    record = {name: value for name, value in record.items() if name != "attributes" and value is not None}
    if options.format == "json":
        print(json.dumps({**found, "record": record}, indent=2, ensure_ascii=False))
        return 0
    attempts = json.loads(record.pop("Attempt_Log__c", "[]"))
    long = {name: record.pop(name, None) for name in ("Payload__c", "Edited_Payload__c", "Error__c")}
    for name, value in record.items():
        print(f"{name.removesuffix('__c'):16}  {value}")
    for attempt in attempts:
        print(f"\nattempt {attempt['number']} at {attempt['started']}, {attempt['duration']:g} s: {attempt['reason']}")
    print(f"\nlast error\n{long['Error__c'] or '(none)'}")
    print(f"payload\n{_pretty(long['Payload__c'] or '{}')}")
    if long["Edited_Payload__c"]:
        print(f"\nedited payload\n{_pretty(long['Edited_Payload__c'])}")
    for step in found["history"]:
        print(
            f"\n{step['at']}  {step['action']} by {step['user_id']}"
            + (f": {step['detail'][:200]}" if step["detail"] else "")
        )
    return 0


def _pretty(text: str) -> str:
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def _diff(found: dict[str, Any]) -> int:
    """How this payload differs from the one that was delivered last."""
    good = found["last_good"]
    if good is None:
        raise LandbridgeError(
            f"{found['subscription']} has delivered nothing yet: there is no good payload to compare with"
        )
    mine = json.loads(found["edited_payload"] or found["payload"])
    lines = difflib.unified_diff(
        json.dumps(good["payload"], indent=2, ensure_ascii=False, sort_keys=True).splitlines(),
        json.dumps(mine, indent=2, ensure_ascii=False, sort_keys=True).splitlines(),
        f"last good {good['uuid']}", f"dead letter {found['id']}", lineterm="",
    )  # fmt: skip
    print("\n".join(lines) or "no difference")
    return 0


# --- mending -----------------------------------------------------------------------------------------------------------


def _edit(client: RestClient, options: argparse.Namespace) -> int:
    found = client.call("GET", f"{ROOT}/{options.id}").body
    text = found["edited_payload"] or found["payload"]
    if options.file is not None:
        edited = sys.stdin.read() if str(options.file) == "-" else options.file.read_text("utf-8")
    elif options.set:
        edited = _with_values(json.loads(text), options.set)
    else:
        edited = _in_editor(_pretty(text))
    client.call("PUT", f"{ROOT}/{options.id}/payload", {"payload": edited})
    print(f"{options.id} is edited; the original is kept. Send it: landbridge dlq replay {options.id}")
    return 0


def _with_values(payload: dict[str, Any], pairs: list[str]) -> str:
    values = payload.get("values")
    if not isinstance(values, dict):
        raise LandbridgeError("--set changes field values of an event; this payload has none. Use --file or an editor.")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise LandbridgeError(f"it is --set FIELD=VALUE, not {pair!r}")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return json.dumps(payload)


def _in_editor(text: str) -> str:
    editor = config.variable("VISUAL") or config.variable("EDITOR")
    if editor is None or not sys.stdin.isatty():
        raise LandbridgeError("set EDITOR to edit here, or use --set FIELD=VALUE or --file FILE (- for standard input)")
    descriptor, name = tempfile.mkstemp(suffix=".json", prefix="landbridge-")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        subprocess.run([*shlex.split(editor), name], check=True)  # noqa: S603  # the user's own editor
        edited = path.read_text("utf-8")
    except (OSError, subprocess.CalledProcessError) as error:
        raise LandbridgeError(f"the editor failed: {error}. Nothing was changed.") from error
    finally:
        path.unlink(missing_ok=True)
    if edited == text:
        raise LandbridgeError("nothing was changed")
    return edited


def _replay(client: RestClient, options: argparse.Namespace) -> int:
    ids = _chosen(client, options)
    if not ids:
        print("no open dead letter is chosen")
        return 0
    if options.dry_run:
        return _dry(client, ids)
    done = client.call("POST", f"{ROOT}/replay", {"ids": ids}).body
    print(f"{len(done['replayed'])} sent again, in order of their keys")
    for name in done["not_running"]:
        print(f"  {name} does not run here: it waits until its flow is served again")
    return 0


def _dry(client: RestClient, ids: list[str]) -> int:
    failed = 0
    for one in ids:
        found = client.call("POST", f"{ROOT}/{one}/dry-run", {}).body
        well = found["outcome"] in ("done", "callout")
        failed += not well
        print(f"{one}  {'would be sent' if well else 'would fail again'}: {found['text']}")
    print(f"dry run of {len(ids)}: nothing was written, nothing was sent")
    return 1 if failed else 0


def _discard(client: RestClient, options: argparse.Namespace) -> int:
    ids = _chosen(client, options)
    if not ids:
        print("no open dead letter is chosen")
        return 0
    done = client.call("POST", f"{ROOT}/discard", {"ids": ids, "reason": options.reason}).body
    print(f"{len(done['discarded'])} discarded; what their keys held back goes on")
    return 0
