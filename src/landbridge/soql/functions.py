"""
SOQL's functions: what they take, what they give, what they are in SQL. Pure.

Date functions work on UTC unless their argument is `convertTimezone(...)`. Fiscal ones follow the calendar, as the
organization's fiscal year begins in January.

Source: `soql.md` section 3, "Date functions", "Presentation functions", "Location".
"""

from __future__ import annotations

from collections.abc import Callable

DATE_TYPES = ("date", "datetime")
NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
AGGREGATE_TYPES = {
    "SUM": NUMBERS, "AVG": NUMBERS,
    "MIN": None, "MAX": None, "COUNT": None, "COUNT_DISTINCT": None,
}  # fmt: skip
"""What an aggregate takes; None: whatever the schema calls aggregatable."""

KILOMETRES, MILES = 6371.0088, 3958.7613
"""Mean radius of the earth."""


def _part(start: int, length: int) -> Callable[[str], str]:
    return lambda x: f"CAST(substr({x}, {start}, {length}) AS INTEGER)"


def _quarter(x: str) -> str:
    return f"(CAST(substr({x}, 6, 2) AS INTEGER) + 2) / 3"


def _day_of_year(x: str) -> str:
    return f"CAST(strftime('%j', substr({x}, 1, 10)) AS INTEGER)"


DATE_SQL: dict[str, Callable[[str], str]] = {
    "CALENDAR_YEAR": _part(1, 4), "CALENDAR_MONTH": _part(6, 2), "CALENDAR_QUARTER": _quarter,
    "FISCAL_YEAR": _part(1, 4), "FISCAL_MONTH": _part(6, 2), "FISCAL_QUARTER": _quarter,
    "DAY_IN_MONTH": _part(9, 2), "HOUR_IN_DAY": _part(12, 2),
    "DAY_IN_WEEK": lambda x: f"CAST(strftime('%w', substr({x}, 1, 10)) AS INTEGER) + 1",
    "DAY_IN_YEAR": _day_of_year,
    "WEEK_IN_MONTH": lambda x: f"(CAST(substr({x}, 9, 2) AS INTEGER) + 6) / 7",
    "WEEK_IN_YEAR": lambda x: f"({_day_of_year(x)} + 6) / 7",
    "DAY_ONLY": lambda x: f"substr({x}, 1, 10)",
}  # fmt: skip
"""The SQL of a date function of a stored date or datetime."""
DATETIME_ALONE = frozenset({"HOUR_IN_DAY", "DAY_ONLY"})
"""Date functions that a date has no answer to."""


def distance(latitude: str, longitude: str, to: tuple[str, str], unit: str) -> str:
    """Great-circle distance (haversine) of two points in degrees; null when a part is."""
    radius = MILES if unit == "mi" else KILOMETRES
    return (
        f"2 * {radius} * asin(min(1.0, sqrt(pow(sin(radians({latitude} - {to[0]}) / 2), 2) + "
        f"cos(radians({to[0]})) * cos(radians({latitude})) * pow(sin(radians({longitude} - {to[1]}) / 2), 2))))"
    )


def formatted(type_: str, scale: int, x: str, local: str) -> str:
    """`FORMAT()` in the locale en_US; `local` is the datetime in the user's time zone."""
    if type_ in ("int", "long"):
        return f"printf('%,d', {x})"
    if type_ == "currency":
        return f"CASE WHEN {x} < 0 THEN '-' ELSE '' END || printf('$%,.2f', abs({x}))"
    if type_ in ("double", "percent"):
        return f"printf('%,.{int(scale)}f{'%%' if type_ == 'percent' else ''}', {x})"
    if type_ == "date":
        return _date(x)
    if type_ == "datetime":
        hour = f"CAST(substr({local}, 12, 2) AS INTEGER)"
        return (
            f"{_date(local)} || ', ' || (({hour} + 11) % 12 + 1) || substr({local}, 14, 3)"
            f" || CASE WHEN {hour} < 12 THEN ' AM' ELSE ' PM' END"
        )
    return x


def _date(x: str) -> str:
    return (
        f"CAST(substr({x}, 6, 2) AS INTEGER) || '/' || CAST(substr({x}, 9, 2) AS INTEGER) || '/' || substr({x}, 1, 4)"
    )
