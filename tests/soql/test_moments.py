"""Date literals: what days they mean, around month ends, leap days and midnights of several zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.soql.moments import NAMES, WITHOUT_NUMBER, Asked, Span, days, ends
from tests.soql import slow
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger
TODAY = date(2024, 2, 29)  # a Thursday

# Literal -> first and last day, by hand from a calendar of 2024.
TABLE = {
    ("YESTERDAY", 0): ("2024-02-28", "2024-02-28"), ("TODAY", 0): ("2024-02-29", "2024-02-29"),
    ("TOMORROW", 0): ("2024-03-01", "2024-03-01"),
    ("LAST_WEEK", 0): ("2024-02-18", "2024-02-24"), ("THIS_WEEK", 0): ("2024-02-25", "2024-03-02"),
    ("NEXT_WEEK", 0): ("2024-03-03", "2024-03-09"),
    ("LAST_MONTH", 0): ("2024-01-01", "2024-01-31"), ("THIS_MONTH", 0): ("2024-02-01", "2024-02-29"),
    ("NEXT_MONTH", 0): ("2024-03-01", "2024-03-31"),
    ("LAST_QUARTER", 0): ("2023-10-01", "2023-12-31"), ("THIS_QUARTER", 0): ("2024-01-01", "2024-03-31"),
    ("NEXT_QUARTER", 0): ("2024-04-01", "2024-06-30"),
    ("LAST_YEAR", 0): ("2023-01-01", "2023-12-31"), ("THIS_FISCAL_YEAR", 0): ("2024-01-01", "2024-12-31"),
    ("LAST_90_DAYS", 0): ("2023-12-01", "2024-02-29"), ("NEXT_90_DAYS", 0): ("2024-03-01", "2024-05-29"),
    ("LAST_N_DAYS", 3): ("2024-02-26", "2024-02-29"), ("NEXT_N_DAYS", 3): ("2024-03-01", "2024-03-03"),
    ("N_DAYS_AGO", 3): ("2024-02-26", "2024-02-26"),
    ("LAST_N_WEEKS", 2): ("2024-02-11", "2024-02-24"), ("N_WEEKS_AGO", 2): ("2024-02-11", "2024-02-17"),
    ("LAST_N_MONTHS", 3): ("2023-11-01", "2024-01-31"), ("NEXT_N_MONTHS", 2): ("2024-03-01", "2024-04-30"),
    ("N_MONTHS_AGO", 12): ("2023-02-01", "2023-02-28"),
    ("LAST_N_QUARTERS", 2): ("2023-07-01", "2023-12-31"), ("N_QUARTERS_AGO", 1): ("2023-10-01", "2023-12-31"),
    ("LAST_N_YEARS", 2): ("2022-01-01", "2023-12-31"), ("N_FISCAL_YEARS_AGO", 4): ("2020-01-01", "2020-12-31"),
    ("NEXT_N_FISCAL_QUARTERS", 1): ("2024-04-01", "2024-06-30"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=ledger(f"soql.literal.{name}", "documented", "soql.md section 3, table of ranges"))
        for name in sorted(NAMES)
    ],
)
@pytest.mark.parametrize("today", [TODAY, date(2023, 12, 31), date(2024, 1, 1), date(2024, 3, 3)])
def test_every_literal_is_whole_units_counted_from_today(name: str, today: date) -> None:
    n = 3
    unit = next(unit for unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR") if unit in NAMES[name][1])
    low, high = slow.ends(name, unit, slow.count(unit, today), 90 if "90" in name else n)
    around = [today + timedelta(days=by) for by in range(-5 * 366, 5 * 366)]
    expected = [day for day in around if low <= slow.count(unit, day) <= high]

    first, end = days(name, n, today)

    assert (first, end - timedelta(days=1)) == (expected[0], expected[-1])


@ledger("soql.date-literals", "documented", "soql.md section 3, table of ranges")
@pytest.mark.parametrize(("name", "n"), TABLE)
def test_a_literal_means_these_days(name: str, n: int) -> None:
    first, end = days(name, n, TODAY)

    assert (first.isoformat(), (end - timedelta(days=1)).isoformat()) == TABLE[name, n]


@given(st.dates(date(1900, 1, 1), date(3000, 1, 1)), st.sampled_from(sorted(NAMES)), st.integers(1, 400))
def test_spans_are_never_empty_and_neighbours_touch(today: date, name: str, n: int) -> None:
    first, end = days(name, n, today)
    which, unit = NAMES[name]

    assert first < end
    if which == "THIS":
        assert first <= today < end
    if f"THIS_{unit}" in NAMES:
        this_first, this_end = days(f"THIS_{unit}", 0, today)
        assert days(f"LAST_{unit}", 0, today)[1] == this_first
        assert days(f"NEXT_{unit}", 0, today)[0] == this_end


@ledger("soql.date-literals-in-the-users-zone", "documented", "soql.md section 3")
@pytest.mark.parametrize(
    ("zone", "first", "end"),
    [
        (
            "America/Los_Angeles",
            "2026-03-08T08:00:00.000+0000",
            "2026-03-09T07:00:00.000+0000",
        ),  # 23 hours: clocks go forward
        ("Asia/Kolkata", "2026-03-08T18:30:00.000+0000", "2026-03-09T18:30:00.000+0000"),
        ("UTC", "2026-03-08T00:00:00.000+0000", "2026-03-09T00:00:00.000+0000"),
        ("No/Where", "2026-03-08T00:00:00.000+0000", "2026-03-09T00:00:00.000+0000"),
    ],
)
def test_today_begins_at_the_users_midnight(zone: str, first: str, end: str) -> None:
    face = Asked(datetime(2026, 3, 8, 20, 0, tzinfo=UTC).timestamp(), zone)

    assert ends(Span("TODAY", 0, True), face) == (first, end)


def test_last_n_days_ends_now_for_datetimes() -> None:
    face = Asked(datetime(2026, 3, 8, 20, 0, 0, 500_000, tzinfo=UTC).timestamp(), "UTC")

    assert ends(Span("LAST_N_DAYS", 1, True), face) == ("2026-03-07T00:00:00.000+0000", "2026-03-08T20:00:00.501+0000")
    assert ends(Span("LAST_N_DAYS", 1, False), face) == ("2026-03-07", "2026-03-09")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("= TODAY", ["today"]), ("!= TODAY", ["future", "none", "past"]), ("> TODAY", ["future"]), ("< today", ["past"]),
        (">= TODAY", ["future", "today"]), ("<= TODAY", ["past", "today"]), ("= LAST_N_DAYS:400", ["past", "today"]),
        ("= NEXT_N_YEARS:20", ["future"]), ("= LAST_N_YEARS:30", ["past"]),
    ],
)  # fmt: skip
def test_a_comparison_with_a_span_has_six_forms(org: RunningOrg, where: str, expected: list[str]) -> None:
    if not org.rows("SELECT Id FROM Contact WHERE Department = 'spans'"):
        zoned = datetime.now(UTC).astimezone(__import__("zoneinfo").ZoneInfo("America/Los_Angeles")).date()
        dated = {
            "today": zoned,
            "past": zoned - timedelta(days=370),
            "future": zoned + timedelta(days=4000),
            "none": None,
        }
        for name, day in dated.items():
            org.create("Contact", LastName=name, Department="spans", Birthdate=day and day.isoformat())

    found = org.rows(f"SELECT LastName FROM Contact WHERE Department = 'spans' AND Birthdate {where} ORDER BY LastName")

    assert [row["LastName"] for row in found] == expected


def test_what_was_just_created_was_created_today(org: RunningOrg) -> None:
    record_id = org.create("Account", Name="now")

    for literal in ("TODAY", "THIS_WEEK", "THIS_MONTH", "LAST_N_DAYS:1", "THIS_FISCAL_QUARTER"):
        assert (
            org.query(f"SELECT COUNT() FROM Account WHERE CreatedDate = {literal} AND Id = '{record_id}'").json[
                "totalSize"
            ]
            == 1
        )
    assert org.query("SELECT Id FROM Account WHERE Name = TODAY").error == "INVALID_FIELD"
    assert org.query("SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS").error == "MALFORMED_QUERY"
    assert org.query("SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:99999999").error == "MALFORMED_QUERY"


def test_every_literal_of_the_sheet_is_known(shared: Path) -> None:
    import re

    sheet = (shared / "wire" / "soql.md").read_text("utf-8")
    listed = sheet[sheet.index("### Date literals") : sheet.index("Each is a half-open range")]
    names = set(re.findall(r"[A-Z][A-Z0-9_]{4,}", listed)) - {"FISCAL_"}

    assert {name for name in names if not name.endswith("_")} - set(NAMES) == set()
    assert set(NAMES) > WITHOUT_NUMBER
