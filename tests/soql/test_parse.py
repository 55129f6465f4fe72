"""The parser: whatever tree is spelled out is read back as that tree, however its words are cased and spaced."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge import soql
from landbridge.errors import MalformedQuery, QueryError
from landbridge.soql.moments import NAMES, WITHOUT_NUMBER
from landbridge.soql.parse import AGGREGATES, DATES
from landbridge.soql.tree import (
    AllFields,
    Both,
    Branch,
    Call,
    Compare,
    Condition,
    Geolocation,
    GroupBy,
    Includes,
    Item,
    Literal,
    Negation,
    Operand,
    Order,
    Path,
    Query,
    SemiJoin,
    Source,
    Subquery,
    TypeOf,
    Within,
)

ledger = pytest.mark.ledger

# --- trees -----------------------------------------------------------------------------------------------------------

NAME = st.sampled_from(["Id", "Name", "Account", "Owner", "Lines__r", "X__c", "What", "a1", "First_2__c"])
paths = st.builds(lambda names: Path(tuple(names), 0), st.lists(NAME, min_size=1, max_size=6))
aliases = st.one_of(st.none(), st.sampled_from(["n", "total", "a"]))
points = st.builds(
    Geolocation, st.integers(-90, 90).map(float), st.floats(-180, 180).map(lambda f: round(f, 3)), st.just(0)
)


def calls(inner: st.SearchStrategy[Operand]) -> st.SearchStrategy[Call]:
    def one(name: str, arg: Operand) -> Call:
        return Call(name, (arg,), 0)

    return st.one_of(
        st.builds(
            one,
            st.sampled_from(sorted({*AGGREGATES, *DATES, "TOLABEL", "FORMAT", "GROUPING", "CONVERTTIMEZONE"})),
            inner,
        ),
        st.builds(
            lambda path, point, unit: Call("DISTANCE", (path, point), 0, unit),
            paths,
            points,
            st.sampled_from(["mi", "km"]),
        ),
    )


operands: st.SearchStrategy[Operand] = st.recursive(paths, calls, max_leaves=3)


def _moment(name: str, n: int) -> Literal:
    return Literal("moment", name, 0, 0 if name in WITHOUT_NUMBER else n)


strings = st.builds(lambda text: Literal("string", text, 0), st.text("abZ '\\\"\n\t%_ü日", max_size=8))
literals = st.one_of(
    strings,
    st.builds(lambda n: Literal("number", n, 0), st.floats(-1e6, 1e6).map(lambda f: round(f, 4) + 0.0)),
    st.builds(lambda b: Literal("boolean", b, 0), st.booleans()), st.just(Literal("null", None, 0)),
    st.builds(_moment, st.sampled_from(sorted(NAMES)), st.integers(0, 400)),
    st.builds(lambda d: Literal("date", d.isoformat(), 0), st.dates()),
    st.builds(lambda d: Literal("datetime", d.isoformat(timespec="seconds") + "Z", 0), st.datetimes()),
)  # fmt: skip
values = st.lists(literals, min_size=1, max_size=4).map(tuple)


def conditions(depth: int) -> st.SearchStrategy[Condition]:
    simple: st.SearchStrategy[Condition] = st.one_of(
        st.builds(Compare, operands, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), literals),
        st.builds(Within, operands, st.booleans(), values),
        st.builds(Includes, operands, st.booleans(), st.lists(strings, min_size=1, max_size=3).map(tuple)),
        *([st.builds(SemiJoin, operands, st.booleans(), queries(depth - 1), st.just(0))] if depth else []),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.builds(Negation, inner),
            st.builds(Both, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=4).map(tuple)),
        ),
        max_leaves=5,
    )


def queries(depth: int) -> st.SearchStrategy[Query]:
    selected = st.one_of(
        st.builds(Item, operands, aliases),
        st.builds(AllFields, st.sampled_from(["ALL", "STANDARD", "CUSTOM"]), st.just(0)),
        st.builds(
            TypeOf, paths,
            st.lists(st.builds(Branch, NAME, st.just(0), st.lists(paths, min_size=1, max_size=2).map(tuple)), min_size=1, max_size=2)
            .map(tuple),
            st.lists(paths, max_size=2).map(tuple),
        ),
        *([st.builds(Subquery, queries(depth - 1), st.just(0))] if depth else []),
    )  # fmt: skip
    return st.builds(
        Query,
        select=st.lists(selected, min_size=1, max_size=4).map(tuple),
        source=st.builds(Source, paths, aliases),
        others=st.lists(st.builds(Source, paths, st.just("b")), max_size=1).map(tuple),
        scope=st.sampled_from([None, "mine", "everything"]),
        where=st.one_of(st.none(), conditions(depth)),
        group=st.one_of(
            st.none(),
            st.builds(GroupBy, st.sampled_from(["", "ROLLUP", "CUBE"]), st.lists(operands, min_size=1, max_size=3).map(tuple), st.just(0)),
        ),
        having=st.one_of(st.none(), conditions(0)),
        order=st.lists(st.builds(Order, operands, st.booleans(), st.sampled_from([None, True, False])), max_size=3).map(tuple),
        limit=st.one_of(st.none(), st.integers(0, 50_000)), offset=st.one_of(st.none(), st.integers(0, 2000)),
        viewed=st.sampled_from([(), ("VIEW",), ("REFERENCE",), ("VIEW", "REFERENCE")]),
    )  # fmt: skip


# --- spelling --------------------------------------------------------------------------------------------------------


def spell(node: Any) -> str:
    """SOQL for a tree; written for the tests alone."""
    if isinstance(node, Path):
        return ".".join(node.names)
    if isinstance(node, Geolocation):
        return f"GEOLOCATION({node.latitude}, {node.longitude})"
    if isinstance(node, Call):
        unit = f", '{node.unit}'" if node.unit else ""
        return f"{node.name}({', '.join(map(spell, node.args))}{unit})"
    if isinstance(node, Literal):
        return _literal(node)
    if isinstance(node, Order):
        nulls = "" if node.nulls_first is None else f" NULLS {'FIRST' if node.nulls_first else 'LAST'}"
        return f"{spell(node.operand)}{' DESC' if node.descending else ''}{nulls}"
    if isinstance(node, Source):
        return f"{spell(node.path)}{f' {node.alias}' if node.alias else ''}"
    return (
        _query(node)
        if isinstance(node, Query)
        else _condition(node)
        if isinstance(node, Condition)
        else _selected(node)
    )


def _literal(node: Literal) -> str:
    if node.kind == "string":
        text = (
            str(node.value)
            .replace("\\", "\\\\")
            .replace("'", "\\'")
            .replace("\n", "\\n")
            .replace("\t", "\\t")
            .replace('"', '\\"')
        )
        return f"'{text}'"
    if node.kind == "null":
        return "NULL"
    if node.kind == "moment":
        return str(node.value) if node.value in WITHOUT_NUMBER else f"{node.value}:{node.n}"
    return f"{node.value:.4f}" if isinstance(node.value, float) else str(node.value).upper()


def _condition(node: Condition) -> str:
    if isinstance(node, Both):
        return f" {node.op} ".join(f"({spell(term)})" if isinstance(term, Both) else spell(term) for term in node.terms)
    if isinstance(node, Negation):
        return f"NOT ({spell(node.term)})"
    operand = spell(node.operand)
    if isinstance(node, Compare):
        return f"{operand} {node.op} {spell(node.value)}"
    if isinstance(node, SemiJoin):
        return f"{operand} {'NOT IN' if node.negated else 'IN'} ({spell(node.query)})"
    words = ("NOT IN", "IN") if isinstance(node, Within) else ("EXCLUDES", "INCLUDES")
    return f"{operand} {words[not node.negated]} ({', '.join(map(spell, node.values))})"


def _selected(node: Any) -> str:
    if isinstance(node, AllFields):
        return f"FIELDS({node.which})"
    if isinstance(node, Subquery):
        return f"({spell(node.query)})"
    if isinstance(node, TypeOf):
        branches = " ".join(f"WHEN {b.sobject} THEN {', '.join(map(spell, b.fields))}" for b in node.branches)
        otherwise = f" ELSE {', '.join(map(spell, node.otherwise))}" if node.otherwise else ""
        return f"TYPEOF {spell(node.path)} {branches}{otherwise} END"
    return f"{spell(node.what)}{f' {node.alias}' if node.alias else ''}"


def _query(node: Query) -> str:
    text = f"SELECT {', '.join(map(spell, node.select))} FROM {', '.join(map(spell, (node.source, *node.others)))}"
    text += f" USING SCOPE {node.scope}" if node.scope else ""
    text += f" WHERE {spell(node.where)}" if node.where is not None else ""
    if node.group is not None:
        items = ", ".join(map(spell, node.group.items))
        text += f" GROUP BY {f'{node.group.how}({items})' if node.group.how else items}"
    text += f" HAVING {spell(node.having)}" if node.having is not None else ""
    text += f" ORDER BY {', '.join(map(spell, node.order))}" if node.order else ""
    text += f" LIMIT {node.limit}" if node.limit is not None else ""
    text += f" OFFSET {node.offset}" if node.offset is not None else ""
    return text + "".join(f" FOR {what}" for what in node.viewed)


def placeless(node: Any) -> Any:
    """A tree without the places in its text."""
    if isinstance(node, tuple):
        return tuple(placeless(one) for one in node)
    if isinstance(node, msgspec.Struct):
        fields = {name: placeless(getattr(node, name)) for name in node.__struct_fields__}
        return type(node)(
            **{
                name: 0 if name == "at" or name.endswith("_at") else "" if name == "text" else value
                for name, value in fields.items()
            }
        )
    return node


@settings(max_examples=300, deadline=None)
@given(queries(1))
def test_a_spelled_tree_is_read_back(tree: Query) -> None:
    text = spell(tree)

    assert placeless(soql.parse(text)) == tree


@settings(max_examples=100, deadline=None)
@given(queries(1), st.randoms(use_true_random=False))
def test_case_and_space_of_words_do_not_matter(tree: Query, chance: Any) -> None:
    text = spell(tree)
    words = text.split(" ")
    loose = (
        "".join(f"{word}{chance.choice([' ', '  ', chr(10), chr(9)])}" for word in words) if "'" not in text else text
    )

    found = soql.parse(loose)

    assert spell(placeless(found)) == text


@settings(max_examples=300, deadline=None)
@given(queries(1), st.data())
def test_a_torn_statement_is_an_error_with_a_place_in_it(tree: Query, data: Any) -> None:
    text = spell(tree)
    cut = data.draw(st.integers(0, len(text)))
    torn = text[:cut] + data.draw(st.sampled_from(["", ")", "(", ",", "'", " FROM", " AND", ":"])) + text[cut + 1 :]

    try:
        soql.parse(torn)
    except QueryError as error:
        assert error.at is None or 0 <= error.at <= len(torn)


@ledger("soql.escapes", "documented", "soql.md section 1")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"'a\'b'", "a'b"),
        (r"'\n\N\r\t\b\f'", "\n\n\r\t\b\f"),
        (r"'\"\\'", '"\\'),
        (r"'\u00e9\u65E5'", "é日"),
        ("'é日'", "é日"),
    ],
)
def test_escapes(text: str, value: str) -> None:
    where = soql.parse(f"SELECT Id FROM A WHERE B = {text}").where

    assert isinstance(where, Compare)
    assert where.value.value == value


@pytest.mark.parametrize("text", [r"'\x'", r"'\_'", r"'\u12'", "'open"])
def test_other_escapes_are_refused(text: str) -> None:
    with pytest.raises(MalformedQuery):
        soql.parse(f"SELECT Id FROM A WHERE B = {text}")
