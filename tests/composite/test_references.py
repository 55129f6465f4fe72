"""`@{ref.path}`: what it finds, against a slow and obvious look-up; what it never does."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import BodyTooLarge, ProcessingHalted, TooManyInRequest
from landbridge.wire.composite.references import MOST, Answers, may_refer, names

KEYS = st.sampled_from(["Id", "id", "Name", "records", "Owner", "x"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-1000, 1000), st.floats(-1e6, 1e6), st.text(max_size=8))
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=10,
)
STEPS = st.lists(st.one_of(KEYS, st.integers(0, 3)), max_size=4)


def answers(nulls: bool = True, budget: int = 10_000, **bodies: Any) -> Answers:
    found = Answers(nulls=nulls, budget=budget)
    for name, body in bodies.items():
        found.keep(name, json.dumps(body).encode())
    return found


def spell(name: str, steps: list[Any]) -> str:
    return name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def look_up(body: Any, steps: list[Any]) -> Any:
    """Raises LookupError, TypeError where the way ends early, or at no plain value."""
    for step in steps:
        if isinstance(step, int) != isinstance(body, list):
            raise LookupError
        body = body[step]
    if isinstance(body, (dict, list)):
        raise LookupError
    return body


@given(body=BODIES, steps=STEPS, nulls=st.booleans())
def test_a_reference_finds_what_a_look_up_finds(body: Any, steps: list[Any], nulls: bool) -> None:
    text = spell("ref", steps)
    try:
        expected = look_up(body, steps)
        found = expected is not None or nulls
    except (LookupError, TypeError):
        found = False

    if found:
        assert answers(nulls, ref=body).in_body(f"@{{{text}}}") == expected
    else:
        with pytest.raises(ProcessingHalted) as caught:
            answers(nulls, ref=body).in_body(f"@{{{text}}}")
        assert caught.value.message == f"Invalid reference specified. No value for {text} found in ref"


@given(value=BODIES)
def test_what_holds_no_reference_stays_as_it_is(value: Any) -> None:
    if "@{" not in json.dumps(value):
        assert answers().in_body(value) == value


@given(
    before=st.text(max_size=5),
    after=st.text(max_size=5),
    value=st.one_of(st.text(max_size=9), st.integers(), st.booleans()),
)
def test_inside_a_text_the_value_stands_as_text(before: str, after: str, value: Any) -> None:
    if "@" in before + after or not before + after:
        return
    expected = value if isinstance(value, str) else json.dumps(value)

    assert answers(ref={"x": value}).in_body([{"k": f"{before}@{{ref.x}}{after}"}]) == [
        {"k": before + expected + after}
    ]


@given(value=st.text(max_size=12))
def test_a_value_is_never_read_for_references_again(value: str) -> None:
    found = answers(ref={"x": "@{ref.y}" + value, "y": "secret"})

    assert found.in_body("a@{ref.x}") == "a@{ref.y}" + value
    assert found.in_body("@{ref.x}") == "@{ref.y}" + value


@given(value=st.text(min_size=1, max_size=12))
def test_a_value_in_a_url_stays_one_segment_and_one_parameter(value: str) -> None:
    url = answers(ref={"x": value}).in_url("/sobjects/Account/Ext__c/@{ref.x}?q=@{ref.x}&fields=Id")

    path, _, query = url.partition("?")
    assert unquote(path.rsplit("/", 1)[1]) == value
    assert dict(parse_qsl(query, keep_blank_values=True)) == {"q": value, "fields": "Id"}


def test_a_url_that_begins_with_a_reference_is_one_that_was_answered() -> None:
    assert (
        answers(q={"next": "/services/data/v67.0/query/01g-2"}).in_url("@{q.next}")
        == "/services/data/v67.0/query/01g-2"
    )


@pytest.mark.parametrize("text", ["a}", "@", "@{", "@{a", "{a.b}", "@ {a.b}", "@@{", "{}"])
def test_what_is_no_reference_is_text(text: str) -> None:
    assert answers(a={"b": 1}).in_body(text) == text


@pytest.mark.parametrize(
    "inner",
    ["", " ", "a b", "a..b", "a.", "a[", "a[x]", "a[1", "a]", "a[-1]", "a.b c[", "a[99999999999]", "$.a", "a.b.[0]"],
)
def test_a_reference_that_is_not_well_formed_finds_nothing(inner: str) -> None:
    with pytest.raises(ProcessingHalted):
        answers(a={"b": [1]}).in_body(f"@{{{inner}}}")


def test_keys_and_other_values_are_left_alone() -> None:
    body = {"@{a.b}": 1, "n": None, "f": 1.5, "l": [True, "@{a.b}"]}

    assert answers(a={"b": 7}).in_body(body) == {**body, "l": [True, 7]}


def test_an_answer_without_a_body_or_of_another_subrequest_is_none() -> None:
    found = answers(a={"b": 1})
    found.keep("gone", None)

    for text in ("@{gone.id}", "@{A.b}", "@{b.b}"):
        with pytest.raises(ProcessingHalted):
            found.in_body(text)


def test_references_bring_in_no_more_than_the_budget() -> None:
    found = answers(budget=1000, a={"b": "x" * 100})

    assert len(found.in_text("@{a.b}" * 10)) == 1000
    with pytest.raises(BodyTooLarge):
        found.in_body(["@{a.b}"])


def test_references_are_as_many_as_can_be_resolved_in_no_time() -> None:
    found = answers(a={"b": 1})

    assert found.in_text("@{a.b}" * MOST) == "1" * MOST
    with pytest.raises(TooManyInRequest):
        found.in_body("@{a.b}")


@given(body=st.text(st.sampled_from('@{}a"\\'), max_size=12), ascii_only=st.booleans())
def test_a_request_without_a_reference_is_told_by_its_bytes(body: str, ascii_only: bool) -> None:
    sent = json.dumps({"a": body}, ensure_ascii=ascii_only)

    assert may_refer(sent.encode()) or not list(names(body))
    assert may_refer(b'{"a": "\\u0040{b.c}"}')


def test_the_names_that_are_referred_to_are_known_before_anything_runs() -> None:
    assert list(names({"a": ["@{one.id}", "x@{two[0].id}@{three}"], "b": {"c": "@{}"}, "@{no.key}": 1})) == [
        "one",
        "two",
        "three",
        "",
    ]
