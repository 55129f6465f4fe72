"""
Salesforce values: from JSON to what is stored, and from what is stored to JSON.

Stored forms: text as text; dates, times and datetimes as text in wire form (fixed width, UTC, so that they sort);
booleans as 0 or 1; int as INTEGER; double, currency and percent as REAL; base64 as text until blobs come.
`json_sql` is the SQL that turns a column into its JSON value: it stands here so that there is one formatting,
whichever protocol asks.

Source: `rest.md` section 11. Parsers raise ValueError; who knows the field words the error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

TEXT_TYPES = frozenset(
    {"string", "picklist", "multipicklist", "combobox", "email", "phone", "url", "textarea", "encryptedstring",
     "base64", "anyType", "complexvalue"}
)  # fmt: skip
NUMBER_TYPES = frozenset({"int", "long", "double", "currency", "percent"})

EARLIEST, LATEST = date(1700, 1, 1), date(4000, 12, 31)

# 2022-03-17T16:21:26.000+0000, ...Z, ...+00:00. Seconds without a fraction and without a colon in the offset were seen
# rejected by the service ("2013-08-12T15:20:00+0000", rest.md section 11), so that one form is out.
_DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d|(?<=\d)[+-]\d{4})\Z", re.ASCII
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?Z?\Z", re.ASCII)


def format_datetime(moment: datetime) -> str:
    """An aware datetime in wire form, milliseconds cut: `2022-03-17T16:21:26.000+0000`."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04d}-{utc.month:02d}-{utc.day:02d}T{utc.hour:02d}:{utc.minute:02d}:{utc.second:02d}." \
           f"{utc.microsecond // 1000:03d}+0000"  # fmt: skip


@lru_cache(maxsize=64)
def zone_named(name: str) -> tzinfo:
    """An IANA time zone; UTC for a name that nobody knows."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return UTC


def local_datetime(wire: str | None, zone: str) -> str | None:
    """A stored datetime as the local time of a zone, in the same form without its offset: `2022-03-17T09:21:26.000`."""
    if wire is None:
        return None
    moment = datetime.fromisoformat(wire[:23]).replace(tzinfo=UTC).astimezone(zone_named(zone))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def instant(wire: str) -> datetime:
    """The moment that a datetime in wire form names."""
    return datetime.fromisoformat(wire[:23]).replace(tzinfo=UTC)


def format_second(moment: datetime) -> str:
    """As `format_datetime`, on the whole second: what CreatedDate and its kin hold (recorded ones all end in .000)."""
    return format_datetime(moment.replace(microsecond=0))


def parse_datetime(text: str) -> str:
    """
    A datetime, or a date as its midnight in UTC, in wire form. Raises ValueError for any other form or moment.

    A date for a datetime field was accepted by the service for years; midnight UTC is guessed.
    """
    match = _DATETIME.match(text)
    if match is None:
        return format_datetime(datetime.combine(_parse_date(text), time(), UTC))
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if fraction is None and zone != "Z" and ":" not in zone:
        raise ValueError(text)
    micro = int((fraction or "0").ljust(6, "0")[:6])
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), int(second), micro, tzinfo=_zone(zone)
    ).astimezone(UTC)
    _check_range(moment.date(), text)
    return format_datetime(moment)


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 15 or minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _parse_date(text: str) -> date:
    match = _DATE.match(text)
    if match is None:
        raise ValueError(text)
    day = date(int(match[1]), int(match[2]), int(match[3]))
    _check_range(day, text)
    return day


def _check_range(day: date, text: str) -> None:
    if not EARLIEST <= day <= LATEST:
        raise ValueError(text)


def parse_date(text: str) -> str:
    """A date in wire form; the date part of a datetime where one is given. Raises ValueError."""
    if "T" in text:
        return parse_datetime(text)[:10]
    return _parse_date(text).isoformat()


def parse_time(text: str) -> str:
    """A time in wire form, `14:30:00.000Z`. Raises ValueError."""
    match = _TIME.match(text)
    if match is None:
        raise ValueError(text)
    parsed = time(int(match[1]), int(match[2]), int(match[3] or 0))
    return f"{parsed.hour:02d}:{parsed.minute:02d}:{parsed.second:02d}.{(match[4] or '0').ljust(3, '0')}Z"


def parse_number(value: object) -> float:
    """A finite number from a JSON number or its text. Raises ValueError."""
    if type(value) is float and value - value == 0:  # finite: infinity and NaN give NaN
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(value)
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(value) from None
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def parse_int(value: object) -> int:
    """A whole number of at most 32 bits from a JSON number or its text. Raises ValueError."""
    if type(value) is int and -(2**31) <= value < 2**31:
        return value
    number = parse_number(value)
    if number != int(number) or not -(2**31) <= number < 2**31:
        raise ValueError(value)
    return int(number)


def parse_boolean(value: object) -> int:
    """1 or 0 from a JSON boolean or its text. Raises ValueError."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return int(value.lower() == "true")
    raise ValueError(value)


def split_multipicklist(text: str) -> list[str]:
    """The values of `a;b`, blanks around them and empty ones dropped."""
    return [part for part in (piece.strip() for piece in text.split(";")) if part]


def column_type(type_: str) -> str:
    """The SQL type a field of this describe type is stored as."""
    if type_ in ("boolean", "int", "long"):
        return "INTEGER"
    if type_ in ("double", "currency", "percent"):
        return "REAL"
    return "TEXT"


def _same(column: str) -> str:
    return column


def _boolean(column: str) -> str:
    # json() marks the text as JSON, so that json_object embeds true, not "true".
    return f"json(CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"


def _json(column: str) -> str:
    return f"json({column})"


_JSON_SQL: dict[str, Callable[[str], str]] = {"boolean": _boolean, "complexvalue": _json}


def json_sql(type_: str, column: str) -> str:
    """The SQL expression that turns `column` (already quoted, of this describe type) into its JSON value."""
    return _JSON_SQL.get(type_, _same)(column)


def json_value(type_: str, stored: object) -> object:
    """As `json_sql`, for a single stored value in Python: what `msgspec.json.encode` then writes."""
    if type_ == "boolean":
        return bool(stored)
    return stored


@lru_cache(maxsize=1024)
def http_date(wire: str) -> str:
    """A stored datetime as an HTTP date: `Fri, 03 Dec 2021 17:59:20 GMT`."""
    moment = datetime.fromisoformat(wire[:19]).replace(tzinfo=UTC)
    return http_date_of(moment)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date_of(moment: datetime) -> str:
    """An aware datetime as an HTTP date; not `strftime`, whose names follow the locale."""
    m = moment.astimezone(UTC)
    return f"{_DAYS[m.weekday()]}, {m.day:02d} {_MONTHS[m.month - 1]} {m.year:04d} " \
           f"{m.hour:02d}:{m.minute:02d}:{m.second:02d} GMT"  # fmt: skip


_HTTP_DATE = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT\Z", re.ASCII)


def parse_http_date(text: str) -> str | None:
    """An HTTP date in wire form; None for what is none (the header is then ignored, RFC 9110 section 13.1.3)."""
    match = _HTTP_DATE.match(text.strip())
    if match is None or match[2] not in _MONTHS:
        return None
    day, month, year, hour, minute, second = match.groups()
    return f"{year}-{_MONTHS.index(month) + 1:02d}-{day}T{hour}:{minute}:{second}.000+0000"
