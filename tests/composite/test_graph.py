"""`/composite/graph`: each graph whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.composite.calls import HALTED, V, count, refused, statuses, sub
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger


def graph(name: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    return {"graphId": name, "compositeRequest": list(nodes)}


def make(reference: str = "a", **values: Any) -> dict[str, Any]:
    return sub("POST", "/sobjects/Account", reference, {"Name": "graph", **values})


def run(org: RunningOrg, *graphs: dict[str, Any]) -> list[dict[str, Any]]:
    reply = org.data("POST", "/composite/graph", {"graphs": list(graphs)})
    assert reply.status == 200, reply.raw
    found: list[dict[str, Any]] = reply.json["graphs"]
    return found


def answers(one: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = one["graphResponse"]["compositeResponse"]
    return found


@ledger("route.POST /services/data/{version}/composite/graph", "observed", "recording graph-two-creates")
def test_each_graph_is_kept_whole_or_not_at_all(org: RunningOrg) -> None:
    before = count(org, "Account"), count(org, "Contact")
    contact = sub("POST", "/sobjects/Contact", "c", {"LastName": "x", "AccountId": "@{a.id}"})

    good, bad, last = run(
        org, graph("1", make(), contact), graph("2", make(), sub("POST", "/sobjects/Contact", "c", {}), make("b")), graph("3", make())
    )  # fmt: skip

    assert list(good) == ["graphId", "graphResponse", "isSuccessful"]
    assert [one["isSuccessful"] for one in (good, bad, last)] == [True, False, True]
    assert statuses(answers(good)) == [201, 201]
    assert statuses(answers(bad)) == [400, 400, 400]
    assert answers(bad)[0]["body"] == answers(bad)[2]["body"] == [HALTED]
    assert answers(bad)[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert (count(org, "Account"), count(org, "Contact")) == (before[0] + 2, before[1] + 1)


def test_records_are_read_changed_and_deleted_in_a_graph(org: RunningOrg) -> None:
    (found,) = run(org, graph(
        "g", make(), sub("PATCH", "/sobjects/Account/@{a.id}", "u", {"Phone": "1"}), sub("GET", "/sobjects/Account/@{a.id}", "r"),
        sub("PATCH", "/sobjects/Seed_Packet__c/Sku__c/GRAPH-1", "e", {"Name": "@{r.Phone}"}),
        sub("GET", "/sobjects/Seed_Packet__c/Sku__c/GRAPH-1", "k"), sub("DELETE", "/sobjects/Account/@{a.id}", "d"),
    ))  # fmt: skip

    assert statuses(answers(found)) == [201, 204, 200, 201, 200, 204]
    assert answers(found)[4]["body"]["Name"] == "1"


def test_nothing_refers_across_graphs(org: RunningOrg) -> None:
    _, other = run(org, graph("1", make("one")), graph("2", make("two", Description="@{one.id}")))

    assert answers(other)[0]["body"][0]["message"] == "Invalid reference specified. No value for one.id found in one"


@ledger("graph.failed-graphs", "documented", "composite.md section 5 [C5]; the text is guessed")
def test_after_fourteen_failed_graphs_the_rest_is_not_run(org: RunningOrg) -> None:
    before = count(org, "Account")
    bad = [graph(f"bad{number}", sub("POST", "/sobjects/Account", "a", {})) for number in range(15)]

    found = run(org, *bad[:14], graph("still", make()), bad[14], graph("halted", make()))

    assert [one["isSuccessful"] for one in found] == [False] * 14 + [True, False, False]
    assert answers(found[-1])[0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert count(org, "Account") == before + 1


@ledger("graph.urls", "documented", "composite.md section 5 [C3]")
@pytest.mark.parametrize(("method", "url"), [
    ("GET", "/query?q=SELECT Id FROM Account"), ("GET", "/sobjects"), ("GET", "/sobjects/Account"), ("GET", "/sobjects/Account/describe"),
    ("POST", "/composite/sobjects"), ("POST", "/composite"), ("POST", "/services/data/v49.0/sobjects/Account"),
])  # fmt: skip
def test_records_alone_can_be_nodes(org: RunningOrg, method: str, url: str) -> None:
    before = count(org, "Account")

    (found,) = run(org, graph("g", make(), sub(method, url, "x", {"Name": "x"})))

    assert found["isSuccessful"] is False
    assert answers(found)[1]["body"][0]["errorCode"] == "INVALID_INPUT"
    assert count(org, "Account") == before


def deep(depth: int) -> list[dict[str, Any]]:
    """So many nodes, each of which refers to the one before."""
    return [make("n1"), *(make(f"n{number}", Description=f"@{{n{number - 1}.id}}") for number in range(2, depth + 1))]


DIFFERENT = [
    sub("POST", f"/services/data/v{50 + number}.0/sobjects/Account", f"n{number}", {"Name": "x"})
    for number in range(16)
]


@ledger("graph.limits", "documented", "composite.md section 5 [C5]; the codes are guessed")
@pytest.mark.parametrize(("graphs", "code", "words"), [
    ([graph(f"g{number}", make()) for number in range(76)], "LIMIT_EXCEEDED", "76 graphs; at most 75"),
    ([graph("g", *(make(f"n{number}") for number in range(501)))], "LIMIT_EXCEEDED", "501 nodes; at most 500"),
    ([graph("g", make()), graph("h", *(make(f"n{number}") for number in range(500)))], "LIMIT_EXCEEDED", "501 nodes"),
    ([graph("g", *deep(16))], "LIMIT_EXCEEDED", "deeper than 15"),
    ([graph("g", *DIFFERENT)], "LIMIT_EXCEEDED", "16 different nodes; at most 15"),
    ([graph("g", make()), graph("g", make())], "INVALID_INPUT", "Duplicate graphId provided: g"),
    ([graph("g", make(), make())], "INVALID_INPUT", "Duplicate referenceId provided: a"),
    ([graph("g.1", make())], "INVALID_INPUT", "no period"), ([graph("g" * 40, make())], "INVALID_INPUT", "fewer than 40"),
    ([graph("_g", make())], "INVALID_INPUT", "must start with a letter or a number"),
    ([{"compositeRequest": [make()]}], "INVALID_INPUT", "graphId is required"), ([graph("g")], "INVALID_INPUT", "must not be empty"),
    ([graph("g", make("a b"))], "JSON_PARSER_ERROR", "Provided referenceId"), ([], "INVALID_INPUT", "graphs must not be empty"),
])  # fmt: skip
def test_graphs_that_are_wrong_as_a_whole_do_nothing(org: RunningOrg, graphs: Any, code: str, words: str) -> None:
    before = count(org, "Account")

    error = refused(org.data("POST", "/composite/graph", {"graphs": graphs}))

    assert error["errorCode"] == code
    assert words in error["message"]
    assert count(org, "Account") == before


def test_more_references_than_any_request_has_are_refused_before_anything_runs(org: RunningOrg) -> None:
    before = count(org, "Account")

    error = refused(
        org.data(
            "POST", "/composite/graph", {"graphs": [graph("g", make(), make("b", Description="@{a.id}" * 100_001))]}
        )
    )

    assert error["errorCode"] == "LIMIT_EXCEEDED"
    assert count(org, "Account") == before


def test_the_most_that_is_allowed_is_taken(org: RunningOrg) -> None:
    before = count(org, "Account")
    graphs = [graph(f"g{number}", *(make(f"n{inner}") for inner in range(6))) for number in range(74)]

    found = run(org, *graphs, graph("deep", *deep(15), *(make(f"m{number}") for number in range(41))))

    assert all(one["isSuccessful"] for one in found)
    assert count(org, "Account") == before + 500
    assert answers(found[-1])[0]["httpHeaders"]["Location"].startswith(f"{V}/sobjects/Account/")
