"""
A recorded reply against ours: shape, not values. Pure.

As `../shared/recordings/README.md` says: status and headers; key sets, key order and JSON types outside volatile places; codes exactly,
messages as templates. Arrays of described things (objects, fields, children) are matched by name: what our catalogue does not have is no
difference of shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.support.running import Reply

# Values that are part of the protocol, wherever they stand.
EXACT = frozenset(
    {"errorCode", "statusCode", "httpStatusCode", "success", "done", "created", "type", "hasErrors", "isSuccessful",
     "encoding", "maxBatchSize", "soapType", "referenceId", "entityTypeName", "queryLocator", "fields"}
)  # fmt: skip
NAMED = ("name", "childSObject", "developerName", "version")
NEWER = frozenset({"sobjectDescribeOption"})
"""Keys that came with a release, not with a version: newer recordings have them in old versions too, so ours may."""
_ID = re.compile(r"\b[0-9A-Za-z]{18}\b|\b[0-9A-Za-z]{15}\b")
_HOST = re.compile(r"https?://[^/\"]+")


def differences(recorded: dict[str, Any], reply: Reply) -> list[str]:
    """What differs, each as `place: recorded, ours`."""
    wanted = recorded["response"]
    by_hand = recorded.get("confidence", "none") != "none"
    found = list(_head(wanted, recorded["volatile"], reply, by_hand=by_hand))
    body = _whole(wanted.get("body"), reply)
    volatile = [place for place in recorded["volatile"] if place.startswith("/")]
    if isinstance(wanted.get("body"), str) and "..." in wanted["body"]:
        volatile += ["/results/*/result/records/#"]  # the publisher shortened the lists
    if body is None and "body not kept" in recorded["note"]:
        return found
    if body is None:
        if reply.raw:
            found.append(f"body: none, {reply.raw[:80]!r}")
        return found
    if isinstance(body, str) and not reply.headers.get("content-type", "").startswith("application/json"):
        return found + list(_text(body, reply.raw.decode()))
    try:
        ours = reply.json
    except ValueError:
        return [*found, f"body: JSON, {reply.raw[:80]!r}"]
    return found + list(_value(body, ours, "", volatile))


def _whole(body: Any, reply: Reply) -> Any:
    """A JSON body that its publisher elided (`<timestamp>`, `...`) as JSON again."""
    if not isinstance(body, str) or not reply.headers.get("content-type", "").startswith("application/json"):
        return body
    text = re.sub(r",\s*\.\.\.", "", re.sub(r":\s*<\w+>", ": 0", body))
    try:
        return json.loads(text)
    except ValueError:
        return body


def _head(wanted: dict[str, Any], volatile: list[str], reply: Reply, *, by_hand: bool) -> Iterator[str]:
    if wanted["status"] != reply.status:
        yield f"status: {wanted['status']}, {reply.status} {reply.raw[:200]!r}"
    for name, value in wanted["headers"].items():
        ours = reply.headers.get(name.lower())
        if ours is None:
            yield f"{name}: {value}, none"
        elif name == "Sforce-Limit-Info":
            if not re.fullmatch(r"api-usage=\d+/\d+", ours):
                yield f"{name}: {value}, {ours}"
        elif name in ("ETag", "Last-Modified", "Location", "queryId"):
            if _form(value) != _form(ours):
                yield f"{name}: {value}, {ours}"
        elif name == "Content-Type" and by_hand and "charset" not in value:
            if ours.partition(";")[0] != value:  # who saved it by hand left the charset away
                yield f"{name}: {value}, {ours}"
        elif name not in volatile and _form(value) != _form(ours):
            yield f"{name}: {value}, {ours}"


def _form(text: str) -> str:
    """A header without what varies: ids, hosts, versions, dates, digests."""
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>", text)
    text = re.sub(r'"[0-9A-Za-z+/]{43}=(--gzip)?"', r'"<digest\1>"', text)
    text = re.sub(r'"[0-9a-f]{8}(--gzip)?"', r'"<tag\1>"', text)
    return _template(text)


def _template(text: str) -> str:
    text = _HOST.sub("<host>", text)
    text = re.sub(r"/v(?:\d\d|xx)\.0", "/v<n>", text)
    return _ID.sub("<id>", text)


def _text(wanted: str, ours: str) -> Iterator[str]:
    tags = [re.findall(r"<(/?[\w:]+)", text) for text in (wanted, ours)]
    if tags[0] != tags[1]:
        yield f"elements: {[t for t in tags[0] if t not in tags[1]][:8]}, {[t for t in tags[1] if t not in tags[0]][:8]}"


def _value(wanted: Any, ours: Any, at: str, volatile: list[str]) -> Iterator[str]:
    if _is_volatile(at, volatile):
        return
    key = at.rpartition("/")[2]
    if _kind(wanted) != _kind(ours):
        yield f"{at}: {_kind(wanted)} {str(wanted)[:60]}, {_kind(ours)} {str(ours)[:60]}"
    elif isinstance(wanted, dict):
        yield from _object(wanted, ours, at, volatile)
    elif isinstance(wanted, list):
        yield from _list(wanted, ours, at, volatile)
    elif (key in EXACT and wanted != ours) or (key == "message" and _template(wanted) != _template(ours)):
        yield f"{at}: {wanted!r}, {ours!r}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number with a fraction" if isinstance(value, float) else "number"
    return {dict: "object", list: "array", str: "text", type(None): "null"}[type(value)]


def _object(wanted: dict[str, Any], ours: dict[str, Any], at: str, volatile: list[str]) -> Iterator[str]:
    # Custom fields stand in the order in which they were made, which no two orgs share.
    left = [key for key in wanted if key in ours and not key.endswith("__c")]
    right = [key for key in ours if key in wanted and not key.endswith("__c")]
    if missing := [key for key in wanted if key not in ours and not _is_volatile(f"{at}/{key}", volatile)]:
        yield f"{at or '/'}: missing {missing[:12]}"
    if extra := [key for key in ours if key not in wanted and key not in NEWER]:
        yield f"{at or '/'}: more {extra[:12]}"
    if left != right:
        yield f"{at or '/'}: order {left[:30]}, {right[:30]}"
    for key in (key for key in wanted if key in ours):
        yield from _value(wanted[key], ours[key], f"{at}/{key}", volatile)


def _list(wanted: list[Any], ours: list[Any], at: str, volatile: list[str]) -> Iterator[str]:
    name = next((n for n in NAMED if wanted and isinstance(wanted[0], dict) and n in wanted[0]), None)
    if name == "childSObject" and not ours:
        return  # all of them are children that our catalogue does not have
    if all(isinstance(item, str) for item in (*wanted, *ours)) and len(wanted) > 1:
        return  # a set of words: shape is all there is to compare
    if name is not None and ours and isinstance(ours[0], dict) and name in ours[0]:
        known = {(item[name], item.get("field")): item for item in ours}
        shared = [item for item in wanted if (item[name], item.get("field")) in known]
        if not shared:  # another catalogue altogether: one item is as good as the other
            yield from _value({**wanted[0], name: ""}, {**ours[0], name: ""}, f"{at}/0", volatile)
        for item in shared:
            yield from _value(item, known[item[name], item.get("field")], f"{at}/{item[name]}", volatile)
        return
    if len(wanted) != len(ours) and not _is_volatile(f"{at}/#", volatile):
        yield f"{at}: {len(wanted)} items, {len(ours)}"
    for index, (left, right) in enumerate(zip(wanted, ours, strict=False)):
        yield from _value(left, right, f"{at}/{index}", volatile)


def _is_volatile(at: str, volatile: list[str]) -> bool:
    return any(re.fullmatch(re.escape(v).replace(r"\*", r"[^/]+"), at) for v in volatile)
