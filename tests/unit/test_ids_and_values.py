"""Ids and values: pure, so shown by properties and by recorded facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge import ids, values
from landbridge.chance import Chance
from landbridge.clock import Clock

ledger = pytest.mark.ledger


@ledger("ids.checksum", "observed", "rest.md section 10")
@pytest.mark.parametrize(
    ("id15", "suffix"),
    [("0017e00001W4GYR", "AA3"), ("003P000001avB5G", "IAU"), ("0015500001QdQWf", "AAN"), ("005P000000AyPpY", "IAV")],
)
def test_checksums_are_those_of_recorded_ids(id15: str, suffix: str) -> None:
    assert ids.checksum(id15) == suffix


@given(st.integers(0, 62**9 - 1))
def test_an_id_is_the_same_in_15_and_18_characters(number: int) -> None:
    record_id = ids.make("a0B", number)

    assert ids.normalize(record_id) == ids.normalize(record_id[:15]) == record_id
    assert ids.normalize(record_id[:15] + record_id[15:].lower()) == record_id


@given(st.integers(0, 62**9 - 2))
def test_ids_sort_in_the_order_they_are_given_out(number: int) -> None:
    assert ids.make("001", number) < ids.make("001", number + 1)


@given(st.integers(0, 62**9 - 20_000), st.integers(0, 9000))
def test_many_ids_at_once_are_those_made_one_by_one(first: int, count: int) -> None:
    many = ids.make_all("001", first, first + count)

    assert len(many) == count
    for place in {0, 1, count // 2, 3843 - first % 3844, 3844 - first % 3844, count - 1} & set(range(count)):
        assert many[place] == ids.make("001", first + place)


@given(st.text(max_size=20))
def test_what_is_no_id_is_none(text: str) -> None:
    found = ids.normalize(text)

    assert found is None or (len(found) == 18 and found[:15] == text[:15])


@ledger("field.datetime", "observed", "rest.md section 11")
@pytest.mark.parametrize(
    ("given_", "stored"),
    [
        ("2022-03-17T16:21:26.000+0000", "2022-03-17T16:21:26.000+0000"),
        ("2022-03-17T16:21:26Z", "2022-03-17T16:21:26.000+0000"),
        ("2022-03-17T16:21:26.5Z", "2022-03-17T16:21:26.500+0000"),
        ("2022-03-17T16:21:26+02:00", "2022-03-17T14:21:26.000+0000"),
        ("2022-03-17T23:30:00-01:00", "2022-03-18T00:30:00.000+0000"),
        ("2022-03-17", "2022-03-17T00:00:00.000+0000"),
    ],
)
def test_datetimes_are_stored_in_utc_wire_form(given_: str, stored: str) -> None:
    assert values.parse_datetime(given_) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2022-13-01",
        "2022-02-30T00:00:00Z",
        "2013-08-12T15:20:00+0000",
        "1699-12-31",
        "4001-01-01",
        "2022-1-1",
    ],
)
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # who knows the field words the error
        values.parse_datetime(text)


@given(st.datetimes(datetime(1700, 1, 2), datetime(4000, 12, 30)))
def test_stored_datetimes_sort_as_moments_and_come_back(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    stored = values.format_datetime(aware)

    assert values.parse_datetime(stored) == stored
    assert stored < values.format_datetime(aware + timedelta(seconds=1))


@ledger("field.date", "observed", "rest.md section 11")
def test_dates_and_times_have_one_stored_form() -> None:
    assert values.parse_date("2022-03-17") == "2022-03-17"
    assert values.parse_date("2022-03-17T23:59:59Z") == "2022-03-17"
    assert values.parse_time("14:30") == "14:30:00.000Z"
    assert values.parse_time("14:30:05.5Z") == "14:30:05.500Z"


@ledger("field.boolean", "observed", "rest.md section 4")
@pytest.mark.parametrize(("given_", "stored"), [(True, 1), (False, 0), ("TRUE", 1), ("false", 0)])
def test_booleans_are_stored_as_numbers(given_: Any, stored: int) -> None:
    assert values.parse_boolean(given_) == stored


@given(st.one_of(st.text(max_size=8), st.none(), st.lists(st.integers()), st.booleans(), st.floats()))
def test_what_is_no_number_is_refused_not_guessed(value: Any) -> None:
    try:
        number = values.parse_number(value)
    except ValueError:
        return
    assert not isinstance(value, bool)
    assert number == float(value)


@given(st.datetimes(datetime(1700, 1, 1), datetime(4000, 1, 1)))
def test_http_dates_come_back(moment: datetime) -> None:
    stored = values.format_second(moment.replace(tzinfo=UTC))

    assert values.parse_http_date(values.http_date(stored)) == stored


def test_the_clock_never_falls_and_jumps_forward_only() -> None:
    clock = Clock()
    before = clock.now()
    clock.jump(timedelta(hours=72))

    assert clock.now() - before >= timedelta(hours=72)
    with pytest.raises(ValueError, match="forward"):
        clock.jump(timedelta(seconds=-1))


def test_uuids_are_well_formed_and_come_again_from_their_seed() -> None:
    chance = Chance(3)

    assert {UUID(chance.uuid()).version for _ in range(100)} == {4}
    assert Chance(3).uuid() == Chance(3).uuid()
    assert len({chance.uuid() for _ in range(1000)}) == 1000
    assert len({chance.hex(32) for _ in range(1000)}) == 1000
    assert len(chance.hex(16)) == 16
    keys = [chance.key() for _ in range(1000)]
    assert len(set(keys)) == 1000
    assert {UUID(key).version for key in keys} == {4}
    assert [int(key[24:], 16) - int(keys[0][24:], 16) for key in keys] == list(range(1000))
    assert len({Chance().key()[:24] for _ in range(10)}) == 10
