"""
Date literals: from a name, the moment and the user's time zone to the days they mean. Pure.

Each is a half-open span of whole local days. `LAST_N_DAYS:n` alone ends now for datetimes; it includes today. Weeks begin on
Sunday (the locale en_US of our users); fiscal quarters and years are those of the calendar, as the organization's fiscal year
begins in January.

Source: `soql.md` section 3, "Date literals".
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import msgspec

from landbridge.values import format_datetime, zone_named

_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")


def _names() -> dict[str, tuple[str, str]]:
    """Literal -> (what it asks of its unit, the unit); `n` behind it where it takes a number."""
    found: dict[str, tuple[str, str]] = {
        "YESTERDAY": ("LAST", "DAY"), "TODAY": ("THIS", "DAY"), "TOMORROW": ("NEXT", "DAY"),
        "LAST_90_DAYS": ("LAST_N", "DAY"), "NEXT_90_DAYS": ("NEXT_N", "DAY"),
    }  # fmt: skip
    for unit in _UNITS:
        if unit != "DAY":
            found |= {f"{which}_{unit}": (which, unit) for which in ("LAST", "THIS", "NEXT")}
        found |= {f"{which}_N_{unit}S": (f"{which}_N", unit) for which in ("LAST", "NEXT")}
        found[f"N_{unit}S_AGO"] = ("AGO", unit)
    return found


NAMES = _names()
WITHOUT_NUMBER = frozenset(
    name for name, (which, _) in NAMES.items() if which in ("LAST", "THIS", "NEXT") or "90" in name
)
MOST = 100_000
"""A number so large leaves the calendar; refused in words."""


class Span(msgspec.Struct, frozen=True):
    """A date literal that a statement compares with; `datetimes`: it is compared with moments, not days."""

    name: str
    n: int
    datetimes: bool


class Asked(msgspec.Struct, frozen=True):
    """Who asks, when and where: the moment (seconds of the org's clock), the user's time zone and Id."""

    epoch: float
    zone: str = "UTC"
    user_id: str = ""


def ends(span: Span, asked: Asked) -> tuple[str, str]:
    """Start and end (not included) of a literal, in the stored form of dates or datetimes."""
    zone = zone_named(asked.zone)
    now = datetime.fromtimestamp(asked.epoch, UTC)
    start, end = days(span.name, span.n, now.astimezone(zone).date())
    if not span.datetimes:
        return start.isoformat(), end.isoformat()
    first = format_datetime(datetime.combine(start, time(), zone))
    if NAMES[span.name] == ("LAST_N", "DAY"):
        return first, format_datetime(now + timedelta(milliseconds=1))
    return first, format_datetime(datetime.combine(end, time(), zone))


def days(name: str, n: int, today: date) -> tuple[date, date]:
    """The first day of a literal and the day after its last."""
    which, unit = NAMES[name]
    if "90" in name:
        n = 90
    unit = unit.removeprefix("FISCAL_")
    if unit == "DAY" and which == "LAST_N":  # includes today, unlike all other units
        return _moved(today, -n), today + timedelta(days=1)
    first, last = {
        "LAST": (-1, -1), "THIS": (0, 0), "NEXT": (1, 1), "LAST_N": (-n, -1), "NEXT_N": (1, n), "AGO": (-n, -n),
    }[which]  # fmt: skip
    return _begin(unit, today, first), _begin(unit, today, last + 1)


def _begin(unit: str, today: date, steps: int) -> date:
    """The first day of the unit that is so many steps from today's."""
    if unit == "DAY":
        return _moved(today, steps)
    if unit == "WEEK":
        return _moved(today - timedelta(days=(today.weekday() + 1) % 7), 7 * steps)
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
    index = (today.year * 12 + today.month - 1) // months * months + steps * months
    year, month = divmod(index, 12)
    return date(min(max(year, 1), 9998), month + 1, 1)


def _moved(day: date, by: int) -> date:
    """A day so many days on, held within what dates can be."""
    try:
        return day + timedelta(days=by)
    except OverflowError:
        return date.min if by < 0 else date(9998, 12, 31)
