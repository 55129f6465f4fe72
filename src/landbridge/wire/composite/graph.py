"""
`/composite/graph`: up to 75 graphs of 500 subrequests together; each graph is kept whole or not at all.

A graph is a composite that is all or none, in a savepoint of its own: what another graph does is no concern of it. Nothing
refers across graphs. After more than 14 failed graphs the rest is not run.

Source: composite.md section 5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from landbridge.errors import InvalidInput, ProcessingHalted, TooManyInRequest
from landbridge.wire.composite import envelope
from landbridge.wire.composite.composite import answer, run
from landbridge.wire.composite.envelope import Subrequest
from landbridge.wire.composite.references import MOST, names, spelled
from landbridge.wire.http.body import decode_object
from landbridge.wire.http.core import error_reply
from landbridge.wire.http.message import Call, Needs, Reply, Route
from landbridge.wire.http.routing import Match

MOST_GRAPHS, MOST_NODES, MOST_DEPTH, MOST_DIFFERENT, MOST_FAILED = 75, 500, 15, 15, 14
SINCE = 50.0

_GRAPH_ID = re.compile(r"[A-Za-z0-9][^.]{0,38}\Z")
_TAKEN = frozenset({
    ("POST", "sobjects", "{sobject}"), ("GET", "sobjects", "{sobject}", "{id}"), ("PATCH", "sobjects", "{sobject}", "{id}"),
    ("DELETE", "sobjects", "{sobject}", "{id}"), ("POST", "sobjects", "{sobject}", "{id}"),
    ("GET", "sobjects", "{sobject}", "{field}", "{value}"), ("PATCH", "sobjects", "{sobject}", "{field}", "{value}"),
    ("DELETE", "sobjects", "{sobject}", "{field}", "{value}"), ("POST", "sobjects", "{sobject}", "{field}", "{value}"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Graph:
    """One graph as it was sent."""

    id: str
    nodes: tuple[Subrequest, ...]


def read(body: dict[str, Any], version: float) -> list[Graph]:
    """
    The graphs of a request. Pure.

    Raises TooManyInRequest (75 graphs, 500 nodes, depth 15, 15 different nodes), InvalidInput, JsonParserError.
    """
    items = envelope.listed(envelope.members(body, "the request"), "graphs")
    envelope.at_most(len(items), MOST_GRAPHS, "graphs")
    graphs: list[Graph] = []
    left = MOST
    for number, item in enumerate(items, start=1):
        given = envelope.members(item, "a graph")
        graph_id = envelope.text(given, "graphId", f"graph {number}")
        if not _GRAPH_ID.match(graph_id):
            raise InvalidInput(
                f"graphId '{graph_id[:60]}' must start with a letter or a number, have fewer than 40 characters and no period"
            )
        if any(graph.id == graph_id for graph in graphs):
            raise InvalidInput(f"Duplicate graphId provided: {graph_id}")
        nodes = envelope.listed(given, "compositeRequest")
        envelope.at_most(sum(len(graph.nodes) for graph in graphs) + len(nodes), MOST_NODES, "nodes")
        graphs.append(Graph(graph_id, tuple(envelope.subrequests(nodes, version))))
    for graph in graphs:
        depth, found = _depth(graph.nodes, left)
        left -= found
        if depth > MOST_DEPTH:
            raise TooManyInRequest(f"graph '{graph.id}' is deeper than {MOST_DEPTH}")
    envelope.at_most(len({_kind(node) for graph in graphs for node in graph.nodes}), MOST_DIFFERENT, "different nodes")
    return graphs


def _depth(nodes: Sequence[Subrequest], most: int) -> tuple[int, int]:
    """
    How long the longest chain of references is (a node that refers to none is 1 deep), and how many references there are.

    Raises TooManyInRequest for more than `most`.
    """
    depths: dict[str, int] = {}
    count = 0
    for node in nodes:
        depth = 0
        for name in chain(names(spelled(node.url)), names(node.body), names(dict(node.headers))):
            count += 1
            if count > most:
                raise TooManyInRequest(f"The request has more than {MOST} references")
            depth = max(depth, depths.get(name, 0))
        depths[node.reference_id] = depth + 1
    return max(depths.values(), default=0), count


def _kind(node: Subrequest) -> tuple[str, ...]:
    """What makes nodes different: the API version and the object."""
    return tuple(part.lower() for part in envelope.target(node.url).decode().strip("/").split("?")[0].split("/")[2:5])


def _allow(found: Match) -> None:
    """Records alone: no queries, describes or lists. Raises InvalidInput."""
    path = envelope.resource(found.route.pattern)
    if (found.route.method, *path) not in _TAKEN:
        raise InvalidInput(
            f"{found.route.method} /{'/'.join(path)} can't be part of a graph: records by id or external id can"
        )
    if found.version < SINCE:
        raise InvalidInput(f"the resources of a graph are those of version {SINCE:.1f} and later")


def graph(call: Call) -> Reply:
    """`POST /composite/graph`: 200 with the answers of each graph, whatever became of it."""
    graphs = read(decode_object(call.request), call.version)
    found: list[dict[str, Any]] = []
    failures = 0
    for one in graphs:
        if failures > MOST_FAILED:
            halted = error_reply(ProcessingHalted("Processing was halted since too many graphs of the request failed."))
            answers, good = [answer(node, halted) for node in one.nodes], False
        else:
            answers, good = run(call, one.nodes, all_or_none=True, allow=_allow)
        failures += not good
        found.append({"graphId": one.id, "graphResponse": {"compositeResponse": answers}, "isSuccessful": good})
    return Reply(200, msgspec.json.encode({"graphs": found}))


ROUTES = (Route("POST", "/services/data/{version}/composite/graph", graph, Needs.WRITE),)
