"""What handlers get and give, as values: events, models, SOQL binds. Pure."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.delivery import EventInvalid
from landbridge.events import ChangeHeader, Event
from landbridge.flows.events import ChangeEvent, PlatformEvent, change_event, converter
from landbridge.flows.org import bind, literal
from landbridge.soql.lex import unquote
from landbridge.soql.parse import parse

MOMENT = "2026-11-24T12:00:00.000+0000"


def published(**values: Any) -> Event:
    return Event(7, "/event/Order__e", "Order__e", "uuid-1", "k", "s" * 22, MOMENT, "005", "tx", values)


def changed(
    kind: str, values: dict[str, Any], fields: tuple[str, ...] = (), nulled: tuple[str, ...] = ()
) -> ChangeEvent:
    header = ChangeHeader("Order__c", ("a00000000000001AAA",), kind, "flow/x", "tx", 1, 0, 1, "005", nulled, (), fields)
    event = Event(
        8, "/data/Order__ChangeEvent", "Order__ChangeEvent", "u", "k", "s", MOMENT, "005", "tx", values, header
    )
    return change_event(event)


def test_a_change_says_what_changed() -> None:
    change = changed("UPDATE", {"Status__c": "Sent", "Note__c": None}, ("Status__c", "Note__c"), ("Note__c",))

    assert change.changed("Status__c")
    assert change.changed("Other__c", "status__C")
    assert not change.changed("Other__c")
    assert (change.get("status__c"), change.get("Note__c", "x"), change.get("Other__c", "x")) == ("Sent", None, "x")
    assert change.record_id == "a00000000000001AAA"
    assert change.at == datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_every_set_field_of_a_create_has_changed() -> None:
    change = changed("CREATE", {"Status__c": "New"})

    assert change.changed("Status__c")
    assert not change.changed("Note__c")


@dataclasses.dataclass
class AsDataclass:
    order_number: str
    amount: float = 0.0
    event_uuid: str = ""


class AsStruct(msgspec.Struct):
    number: str = msgspec.field(name="Order_Number__c")
    amount: float = 0.0


class AsPydantic(pydantic.BaseModel):
    number: str = pydantic.Field(alias="Order_Number__c")
    amount: float = 0.0
    replay_id: int = 0


def test_models_of_every_kind_find_their_fields() -> None:
    event = published(Order_Number__c="17", Amount__c=2.5, Unknown__c=1)

    assert converter(AsDataclass)(event) == AsDataclass("17", 2.5, "uuid-1")
    assert converter(AsStruct)(event) == AsStruct(number="17", amount=2.5)
    assert converter(AsPydantic)(event) == AsPydantic(Order_Number__c="17", amount=2.5, replay_id=7)
    assert converter(PlatformEvent)(event)["Order_Number__c"] == "17"
    assert converter(None)(event).name == "Order__e"


@pytest.mark.parametrize("model", [AsDataclass, AsStruct, AsPydantic])
def test_an_event_that_does_not_fit_says_so(model: Any) -> None:
    with pytest.raises(EventInvalid, match=f"is no {model.__name__}"):
        converter(model)(published(Amount__c="many"))


def test_what_is_no_model_is_refused_before_anything_runs() -> None:
    with pytest.raises(TypeError, match="is no event"):
        converter(dict)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"), (True, "true"), (7, "7"), (2.5, "2.5"), ("O'Hara", "'O\\'Hara'"), ("a\\", "'a\\\\'"),
        (date(2026, 11, 24), "2026-11-24"), (["a", 1], "('a', 1)"),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), "2026-11-24T12:00:00+00:00"),
        (datetime(2026, 11, 24, 12, tzinfo=timezone(timedelta(hours=2))), "2026-11-24T12:00:00+02:00"),
    ],
)  # fmt: skip
def test_values_become_literals(value: Any, expected: str) -> None:
    assert literal(value) == expected


@pytest.mark.parametrize("value", [object(), datetime(2026, 1, 1), b"x", float("nan")])
def test_what_soql_has_no_literal_for_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="SOQL|time zone"):
        literal(value)


def test_names_are_bound_outside_of_literals_alone() -> None:
    text = "SELECT Id FROM X WHERE A = ':a' AND B = :b AND C >= 2026-01-01T10:00:00Z AND D = 'it\\':b' AND E IN :list"

    assert bind(text, {"b": "v:b", "list": [1, 2]}) == (
        "SELECT Id FROM X WHERE A = ':a' AND B = 'v:b' AND C >= 2026-01-01T10:00:00Z AND D = 'it\\':b' AND E IN (1, 2)"
    )
    with pytest.raises(ValueError, match="binds :b, but no value b="):
        bind(text, {})


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_no_text_gets_out_of_its_literal(text: str) -> None:
    """The parser reads back one literal that is the text, whatever is in it."""
    shown = literal(text)

    assert unquote(shown, 0) == text
    parse(bind("SELECT Id FROM Account WHERE Name = :name LIMIT 1", {"name": text}))
