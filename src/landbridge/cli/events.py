"""`landbridge events`: follow a topic, see topics and subscriptions, publish, choose what is captured."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from landbridge.cli.data import print_rows
from landbridge.cli.where import org
from landbridge.client import OrgError, RestClient, Streaming
from landbridge.client.rest import VERSION
from landbridge.clock import Clock
from landbridge.errors import LandbridgeError, SalesforceError

ROOT = "/services/landbridge/v1/events"
_PRESETS = {"new": -1, "all": -2}
_COLUMNS = ("Name", "Type", "Topic", "Status", "Position", "Tip", "ReadTo", "DoneTo", "OldestOpen", "LagEvents", "LagSeconds",
            "LastError")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """One of the actions."""
    with org(options) as client:
        return {
            "tail": _tail, "topics": _topics, "subscriptions": _subscriptions, "publish": _publish, "capture": _capture,
        }[options.action](client, options)  # fmt: skip


# --- tail ----------------------------------------------------------------------------------------------------------


def _tail(client: RestClient, options: argparse.Namespace) -> int:
    """Print events as they come, until Ctrl-C or `--count`."""
    wanted = None if options.where is None else _condition(options.where)
    left = options.count
    if left is not None and left < 1:
        raise LandbridgeError("--count is at least 1")
    streaming = Streaming(client, Clock().pause)

    def ready() -> None:
        print(f"following {options.topic} (Ctrl-C ends it)", file=sys.stderr, flush=True)

    for data in streaming.events(options.topic, _replay(options.replay), ready):
        if wanted is not None and not wanted(data["payload"]):
            continue
        print(json.dumps(data, ensure_ascii=False) if options.format == "json" else line(data), flush=True)
        if left is not None:
            left -= 1
            if left == 0:
                break
    return 0


def _condition(text: str) -> Any:
    from landbridge.soql.predicate import predicate  # the parser is for those who filter

    try:
        return predicate(text)
    except SalesforceError as error:
        raise LandbridgeError(f"--where: {error.message}") from error


def _replay(text: str) -> int:
    if text in _PRESETS:
        return _PRESETS[text]
    try:
        return int(text)
    except ValueError:
        raise LandbridgeError(
            f"--replay is a replay id, -1 (new events) or -2 (all that are kept), not {text!r}"
        ) from None


def line(data: dict[str, Any]) -> str:
    """One event on one line: replay id, moment, what it is, its values."""
    payload = dict(data["payload"])
    header = payload.pop("ChangeEventHeader", None)
    if header is None:
        when, what = str(payload.pop("CreatedDate", "")), data["event"].get("EventApiName", "")
        payload.pop("CreatedById", None)
    else:
        when = str(payload.get("LastModifiedDate", ""))
        what = f"{header['changeType']} {header['entityName']} {','.join(header['recordIds'])}"
        if header.get("changedFields"):
            payload = {name: payload[name] for name in payload if name != "LastModifiedDate"}
    values = " ".join(f"{name}={_short(value)}" for name, value in payload.items() if value is not None or header)
    return f"{data['event']['replayId']:>8}  {when:24}  {what}  {values}".rstrip()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "\u2026"


def _print(rows: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print_rows(iter(rows), form, len(rows))


# --- the others ----------------------------------------------------------------------------------------------------


def _ours(client: RestClient, method: str, path: str, body: Any = None) -> Any:
    """An endpoint of Landbridge's own. Raises LandbridgeError for an org that is none of Landbridge."""
    try:
        return client.call(method, path, body).body
    except OrgError as error:
        if error.status == 404 and error.code == "NOT_FOUND" and "does not exist" in error.message:
            raise LandbridgeError(
                "that org is not a Landbridge: use Setup, or deploy PlatformEventChannelMembers."
            ) from error
        raise


def _topics(client: RestClient, options: argparse.Namespace) -> int:
    found = _ours(client, "GET", f"{ROOT}/topics")["topics"]
    rows = [{"topic": one["topic"], "kind": one["kind"], "schema": one["schema_id"],
             "entities": ", ".join(one["entities"]) if one["kind"] == "channel" else ""} for one in found]  # fmt: skip
    _print(rows, options.format)
    return 0


def _subscriptions(client: RestClient, options: argparse.Namespace) -> int:
    pages = client.query(f"SELECT {', '.join(_COLUMNS)} FROM EventBusSubscriber ORDER BY Name")
    _print([{name: row[name] for name in _COLUMNS} for page in pages for row in page["records"]], options.format)
    return 0


def _publish(client: RestClient, options: argparse.Namespace) -> int:
    """Publish one event; prints its uuid."""
    values = dict(_assignments(options.topic, options.fields, client))
    name = quote(options.topic.removeprefix("/event/"), safe="")
    answer = client.call("POST", f"/services/data/v{VERSION}/sobjects/{name}", values).body
    print(answer["errors"][0]["message"] if answer.get("errors") else answer["id"])
    return 0


def _assignments(topic: str, given: list[str], client: RestClient) -> Iterator[tuple[str, Any]]:
    """`Field__c=value`; what the field's type wants is made of the text."""
    if not given:
        return
    fields = {field["name"].lower(): field for field in client.describe(topic.removeprefix("/event/"))["fields"]}
    for assignment in given:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise LandbridgeError(f"a value is FIELD=value, not {assignment!r}")
        kind = fields.get(name.lower(), {}).get("type", "string")
        if text == "" and kind != "string":
            yield name, None
        elif kind == "boolean":
            yield name, text.lower() == "true" if text.lower() in ("true", "false") else text
        else:
            yield name, text  # numbers and moments are read from text too


def _capture(client: RestClient, options: argparse.Namespace) -> int:
    """`list`, `add OBJECT ...`, `remove OBJECT ...`; prints what is selected then."""
    names, what = options.objects, options.change
    if what == "list":
        members = _ours(client, "GET", f"{ROOT}/capture")["members"]
    elif not names:
        raise LandbridgeError(f"name the objects: landbridge events capture {what} Account Order__c")
    else:
        body = {what: names, "channel": options.channel, "filter": options.where}
        members = _ours(client, "POST", f"{ROOT}/capture", {k: v for k, v in body.items() if v is not None})["members"]
    _print([{"channel": m["channel"], "entity": m["entity"], "filter": m["filter"]} for m in members], options.format)
    return 0
