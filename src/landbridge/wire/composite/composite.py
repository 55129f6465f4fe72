"""
`/composite`: up to 25 subrequests that may build on each other's answers, all or none of them if the caller says so.

All run one after the other in one unit of work; a composite that only reads runs as one read. A subrequest that fails undoes
what it did; with `allOrNone` the first failure undoes everything, and every other subrequest answers PROCESSING_HALTED.
`collateSubrequests` lets the platform reorder subrequests for speed without changing answers: here they always run in their
order.

Source: composite.md section 1.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import msgspec

from landbridge.errors import InvalidInput, ProcessingHalted, SalesforceError, Unsupported
from landbridge.wire.composite import envelope
from landbridge.wire.composite.envelope import Subrequest
from landbridge.wire.composite.references import Answers, may_refer
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.core import dispatch, error_reply
from landbridge.wire.http.message import JSON, Call, Needs, Reply, Route
from landbridge.wire.http.routing import Match

MOST, MOST_QUERIES = 25, 5
NULLS_SINCE = 52.0

_HEADERS = (b"Location", b"ETag", b"Last-Modified", b"Allow")
"""Response headers that a subrequest's answer carries."""


def listing(call: Call) -> Reply:
    """`GET /composite`: the composite resources by name."""
    names = ("tree", "batch", "sobjects", "graph")
    return Reply(200, msgspec.json.encode({name: f"{call.data_path}/composite/{name}" for name in names}))


def composite(call: Call) -> Reply:
    """`POST /composite`: 200 with one answer per subrequest, whatever became of each."""
    given = envelope.members(decode_object(call.request), "the request")
    items = envelope.listed(given, "compositeRequest")
    envelope.at_most(len(items), MOST, "subrequests")
    wanted = envelope.subrequests(items, call.version)
    envelope.at_most(
        sum(map(_is_query, wanted)), MOST_QUERIES, "subrequests that are queries or sObject Collections operations"
    )
    envelope.flag(given, "collateSubrequests")
    answers, _ = run(call, wanted, all_or_none=envelope.flag(given, "allOrNone"), allow=_allow)
    return Reply(200, msgspec.json.encode({"compositeResponse": answers}))


def _is_query(one: Subrequest) -> bool:
    path = envelope.path_of(one.url)
    return path[:1] in (["query"], ["queryAll"]) or path[:2] == ["composite", "sobjects"]


def _allow(found: Match) -> None:
    """All sObject resources, queries and collections; not other composites. Raises InvalidInput."""
    path = envelope.resource(found.route.pattern)
    if path[0] in ("sobjects", "query", "queryAll") or path[:2] == ("composite", "sobjects"):
        return
    raise InvalidInput(
        f"/{path[0]} can't be part of a composite request: sObject resources, query, queryAll and composite/sobjects can"
    )


class _RolledBack(Exception):
    """Leaves the savepoint of an all-or-none composite; carries the place of what failed and its answer."""

    def __init__(self, index: int, reply: Reply) -> None:
        super().__init__(index)
        self.index = index
        self.reply = reply


def run(
    call: Call, wanted: Sequence[Subrequest], *, all_or_none: bool, allow: Any
) -> tuple[list[dict[str, Any]], bool]:
    """
    Run subrequests in their order and answer each.

    Returns the answers as JSON values and whether all succeeded. `allow(match)` raises for resources that have no place here.
    """
    if not all_or_none:
        replies = list(_each(call, wanted, allow, all_or_none=False))
        return [answer(one, reply) for one, reply in zip(wanted, replies, strict=True)], not any(map(failed, replies))
    replies = []
    try:
        with nullcontext() if call.keep is not None else call.writer.nested():
            for index, reply in enumerate(_each(call, wanted, allow, all_or_none=True)):
                if failed(reply):
                    raise _RolledBack(index, reply)
                replies.append(reply)
    except _RolledBack as undone:
        halted = error_reply(ProcessingHalted())
        return [
            answer(one, undone.reply if index == undone.index else halted) for index, one in enumerate(wanted)
        ], False
    return [answer(one, reply) for one, reply in zip(wanted, replies, strict=True)], True


def failed(reply: Reply) -> bool:
    """Whether a subrequest did not do what it should: an error, several choices, or a list with an error in it."""
    return reply.status >= 400 or reply.status == 300 or reply.failed


def _each(call: Call, wanted: Sequence[Subrequest], allow: Any, *, all_or_none: bool) -> Any:
    """The replies of subrequests, each made when it is asked for."""
    answers = Answers(nulls=call.version >= NULLS_SINCE, budget=call.server.settings.max_body)
    headers = envelope.inherited(call.request)
    refers = may_refer(call.request.body)
    for one in wanted:
        try:
            resolved = _resolved(one, answers) if refers else one
        except SalesforceError as error:
            yield error_reply(error)
            continue
        reply = dispatch(call, resolved.request(call.request, headers), allow=allow, all_or_none=all_or_none)
        if not failed(reply) and isinstance(reply.body, bytes | None):
            answers.keep(one.reference_id, reply.body)
        yield reply


def _resolved(one: Subrequest, answers: Answers) -> Subrequest:
    """A subrequest with its references replaced. Raises ProcessingHalted for one that leads nowhere."""
    return replace(
        one,
        url=answers.in_url(one.url),
        body=answers.in_body(one.body),
        headers={name: answers.in_text(value) for name, value in one.headers.items()},
    )


def answer(one: Subrequest, reply: Reply) -> dict[str, Any]:
    """One subrequest's part of the response: body, headers worth telling, status, its referenceId."""
    reply = in_json(reply)
    return {
        "body": body_of(reply),
        "httpHeaders": {
            name.decode(): value.decode("latin-1") for name, value in reply.headers if name in _HEADERS
        },
        "httpStatusCode": reply.status,
        "referenceId": one.reference_id,
    }  # fmt: skip


def in_json(reply: Reply) -> Reply:
    """A reply that can stand inside JSON. One with other content (a blob) says that it can't."""
    # The very object, not its text: a blob that calls itself JSON is still whatever somebody uploaded.
    if isinstance(reply.body, AsyncIterator) or (reply.body and reply.content_type is not JSON):
        return error_reply(Unsupported("content that is not JSON, such as a blob, in a composite response"))
    return reply


def body_of(reply: Reply) -> Any:
    """The body as it stands in a composite response; null where there is none."""
    return msgspec.Raw(reply.body) if reply.body else None  # type: ignore[arg-type]  # in_json: no iterator


_C = "/services/data/{version}/composite"

ROUTES = (
    Route("GET", _C, listing, Needs.NOTHING),
    Route("POST", _C, composite, Needs.WRITE, reads=lambda call: envelope.only_reads(call.request, "compositeRequest")),
)
