"""Whatever JSON comes in: an answer of the platform's kind, never an error of ours, and the org goes on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.composite.calls import V
from tests.support.running import RunningOrg

WORDS = st.sampled_from([
    "compositeRequest", "batchRequests", "graphs", "graphId", "records", "attributes", "type", "referenceId", "method", "url", "body",
    "richInput", "httpHeaders", "allOrNone", "haltOnError", "ids", "fields", "Name", "LastName", "Contacts", "Account", "Id", "id",
])  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5),
    st.sampled_from(["GET", "POST", "DELETE", "a", "@{a.id}", "@{a[0].x}", "@{", "Account", "Contact", "001Lb0000000001IAA", "?", "%", "/",
                     f"{V}/sobjects/Account", "v67.0/sobjects/Account", f"{V}/sobjects/Account/@{{a.id}}", f"{V}/query?q=SELECT Id FROM",
                     f"{V}/sobjects/Account/Id/%00%ff", "http://[", "\u0000", "\ud7ff"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=15,
)
CALLS = st.fixed_dictionaries(
    {"method": LEAVES, "url": LEAVES, "referenceId": LEAVES}, optional={"body": VALUES, "httpHeaders": VALUES}
)
RECORDS = st.fixed_dictionaries(
    {"attributes": st.one_of(VALUES, st.fixed_dictionaries({"type": LEAVES, "referenceId": LEAVES}))},
    optional={"Name": VALUES, "Id": VALUES, "Contacts": VALUES},
)
PLACES = {
    "/composite": ("compositeRequest", CALLS), "/composite/batch": ("batchRequests", CALLS),
    "/composite/graph": ("graphs", st.fixed_dictionaries({"graphId": LEAVES, "compositeRequest": st.lists(CALLS, max_size=3)})),
    "/composite/sobjects": ("records", RECORDS), "/composite/tree/Account": ("records", RECORDS),
    "/composite/sobjects/Account/Id": ("records", RECORDS), "/composite/sobjects/Account": ("ids", LEAVES),
}  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), path=st.sampled_from(sorted(PLACES)), patch=st.booleans())
def test_no_body_makes_the_org_fail(org: RunningOrg, data: Any, path: str, patch: bool) -> None:
    key, items = PLACES[path]
    body = data.draw(
        st.one_of(
            VALUES,
            st.fixed_dictionaries({key: st.lists(items, max_size=4)}, optional={"allOrNone": LEAVES, "fields": VALUES}),
        )
    )
    method = "PATCH" if path.startswith("/composite/sobjects") and patch else "POST"

    reply = org.data(method, path, body)

    assert reply.status in (200, 201, 400, 404, 405), reply.raw
    assert b"UNKNOWN_EXCEPTION" not in reply.raw, (body, reply.raw)
    assert reply.json is not None


@pytest.mark.parametrize(
    "path",
    [
        "?ids=%00&fields=%00",
        "?ids=a&fields=Id,%27",
        "?ids=,,,&fields=,",
        "?fields=Id",
        "?ids=a%2Cb&fields=Account.Name",
    ],
)
def test_strange_lists_of_ids_and_fields_are_refused(org: RunningOrg, path: str) -> None:
    assert org.data("GET", f"/composite/sobjects/Account{path}").status == 400


def test_json_nested_to_the_bound_is_taken_as_a_body(org: RunningOrg) -> None:
    deep: Any = "@{a.id}"
    for _ in range(90):
        deep = [deep]
    calls = [
        {"method": "POST", "url": f"{V}/sobjects/Account", "referenceId": "a", "body": {"Name": "x"}},
        {"method": "POST", "url": f"{V}/sobjects/Account", "referenceId": "b", "body": {"Name": deep}},
    ]  # fmt: skip

    reply = org.data("POST", "/composite", {"compositeRequest": calls})

    assert [one["httpStatusCode"] for one in reply.json["compositeResponse"]] == [201, 400]
