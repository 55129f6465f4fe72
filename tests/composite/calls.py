"""Composite requests as the tests write them, and what came of them."""

from __future__ import annotations

from typing import Any

from tests.support.running import VERSION, Reply, RunningOrg

V = f"/services/data/v{VERSION}"
HALTED = {
    "errorCode": "PROCESSING_HALTED",
    "message": "The transaction was rolled back since another operation in the same transaction failed.",
}


def sub(method: str, url: str, reference: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """A subrequest under `/services/data/v67.0`, unless its url says otherwise."""
    whole = url if url.startswith(("/services", "services", "http", "@{", "v")) else V + url
    return {"method": method, "url": whole, "referenceId": reference, "body": body, **more}


def composite(
    org: RunningOrg, *subrequests: dict[str, Any], version: str = VERSION, **more: Any
) -> list[dict[str, Any]]:
    """The answers of a composite that is acceptable as a whole."""
    reply = org.data("POST", "/composite", {"compositeRequest": list(subrequests), **more}, version=version)
    assert reply.status == 200, reply.raw
    found: list[dict[str, Any]] = reply.json["compositeResponse"]
    return found


def refused(reply: Reply, status: int = 400) -> dict[str, Any]:
    """The one error of a request that was refused as a whole."""
    assert reply.status == status, reply.raw
    (error,) = reply.json
    found: dict[str, Any] = error
    return found


def count(org: RunningOrg, sobject: str) -> int:
    """How many live records there are."""
    found: int = org.query(f"SELECT count() FROM {sobject}").json["totalSize"]
    return found


def statuses(answers: list[dict[str, Any]]) -> list[int]:
    return [one["httpStatusCode"] for one in answers]
