"""
A slow, obvious evaluator of queries over rows in memory, and the queries it is asked: what SQL answers is compared with it.

Rows are dicts by field name; a parent is a dict or None. Nothing here is shared with `landbridge.soql`: time spans are told by
counting units, text is folded letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

Row = dict[str, Any]


def fold(text: str) -> str:
    """Case folded as the database does: the letters of ASCII alone (docs/fidelity.toml)."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def value_of(row: Row, path: str) -> Any:
    found: Any = row
    for name in path.split("."):
        found = None if found is None else found.get(name)
    return False if found is None and path.endswith("Flag__c") else found


@dataclass(frozen=True)
class Moment:
    """Who asks: now, and in which zone."""

    now: datetime
    zone: str

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def day(self, wire: str) -> date:
        """The local day of a stored date or datetime."""
        if len(wire) == 10:
            return date.fromisoformat(wire)
        return datetime.fromisoformat(wire[:23]).replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True)
class Where:
    """A condition: its text, and whether a row meets it."""

    text: str
    meets: Callable[[Row, Moment], bool]


# --- comparisons ---------------------------------------------------------------------------------------------------

OPS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def _key(value: Any) -> Any:
    return fold(value).encode() if isinstance(value, str) else value


def compare(path: str, op: str, literal: str, value: Any) -> Where:
    def meets(row: Row, _: Moment) -> bool:
        found = value_of(row, path)
        if found is None or value is None:
            return (found is value) if op == "=" else (found is not value) if op == "!=" else False
        return OPS[op](_key(found), _key(value))

    return Where(f"{path} {op} {literal}", meets)


def within(path: str, negated: bool, values: list[tuple[str, Any]]) -> Where:
    def meets(row: Row, _: Moment) -> bool:
        found = value_of(row, path)
        return (_key(found) in [_key(value) for _, value in values]) != negated

    return Where(f"{path} {'NOT IN' if negated else 'IN'} ({', '.join(text for text, _ in values)})", meets)


def like(path: str, pattern: str) -> Where:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    rule = "".join(
        ".*" if part == "%" else "." if part == "_" else re.escape(fold(part[-1] if len(part) > 1 else part))
        for part in parts
    )
    form = re.compile(rule, re.DOTALL)

    def meets(row: Row, _: Moment) -> bool:
        found = value_of(row, path)
        return found is not None and form.fullmatch(fold(found)) is not None

    return Where(f"{path} LIKE {quoted(pattern, keep=True)}", meets)


def includes(path: str, negated: bool, sets: list[list[str]]) -> Where:
    def meets(row: Row, _: Moment) -> bool:
        found = value_of(row, path)
        have = set() if found is None else {fold(one) for one in found.split(";")}
        return any({fold(one) for one in wanted} <= have for wanted in sets) != negated

    listed = ", ".join(quoted(";".join(wanted)) for wanted in sets)
    return Where(f"{path} {'EXCLUDES' if negated else 'INCLUDES'} ({listed})", meets)


def semi(negated: bool, inner: Where) -> Where:
    """Accounts of paints: asked of the parent by way of its own rows, which carry all of them."""

    def meets(row: Row, moment: Moment) -> bool:
        met = any(inner.meets(account, moment) for account in row["all accounts"] if account["Id"] == row["Account__c"])
        return met != negated

    return Where(f"Account__c {'NOT IN' if negated else 'IN'} (SELECT Id FROM Account WHERE {inner.text})", meets)


def quoted(text: str, *, keep: bool = False) -> str:
    escaped = text if keep else text.replace("\\", "\\\\")
    return "'" + escaped.replace("'", "\\'") + "'"


# --- date literals -------------------------------------------------------------------------------------------------


def count(unit: str, day: date) -> int:
    """Which unit a day is in, counted from some beginning."""
    if unit == "DAY":
        return day.toordinal()
    if unit == "WEEK":
        return day.toordinal() // 7  # ordinal 7 was a Sunday
    if unit == "MONTH":
        return day.year * 12 + day.month
    if unit == "QUARTER":
        return day.year * 4 + (day.month - 1) // 3
    return day.year


def literal(path: str, op: str, name: str, n: int) -> Where:
    unit = next(u for u in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR") if u in name or (u == "DAY" and name in _DAYS))
    text = f"{name}:{n}" if (":" not in name and "_N_" in name) or name.startswith("N_") else name
    n = 90 if "90" in name else n

    def meets(row: Row, moment: Moment) -> bool:
        found = value_of(row, path)
        if found is None:
            return op == "!="
        here, now = count(unit, moment.day(found)), count(unit, moment.today)
        low, high = ends(name, unit, now, n)
        late = here > high
        if unit == "DAY" and name.startswith("LAST_") and len(found) > 10:  # ends now, not with the day
            late = late or datetime.fromisoformat(found[:23]).replace(tzinfo=UTC) > moment.now
        return {"=": low <= here and not late, "!=": here < low or late, "<": here < low, "<=": not late,
                ">": late, ">=": here >= low}[op]  # fmt: skip

    return Where(f"{path} {op} {text}", meets)


_DAYS = ("YESTERDAY", "TODAY", "TOMORROW")


def ends(name: str, unit: str, now: int, n: int) -> tuple[int, int]:
    if name in _DAYS:
        step = _DAYS.index(name) - 1
        return now + step, now + step
    if name.startswith("N_"):
        return now - n, now - n
    if "_N_" in name or "90" in name:
        if name.startswith("LAST"):
            return now - n, now if unit == "DAY" else now - 1
        return now + 1, now + n
    step = {"LAST": -1, "THIS": 0, "NEXT": 1}[name.split("_")[0]]
    return now + step, now + step


# --- what is asked -------------------------------------------------------------------------------------------------

TEXTS = ("", "a", "A", "ab", "Ab", "b%", "a_c", "it's", "ö", "Ö", "日本", "back\\slash", "z")
NUMBERS = (-1.5, 0.0, 0.25, 1.0, 7.0, 1000.0)
COLOURS = ("Red", "Green", "Blue")
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland", "Pacific/Kiritimati", "America/Sao_Paulo")


def texts() -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from([(quoted(text), text) for text in TEXTS if text])


def numbers() -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from([(str(number), number) for number in NUMBERS])


def null() -> st.SearchStrategy[tuple[str, Any]]:
    return st.just(("null", None))


@st.composite
def comparisons(draw: Any, prefix: str = "") -> Where:
    """One comparison of a paint's own field or, with a prefix, of its account's."""
    kind = draw(
        st.sampled_from(
            ["text", "number", "flag", "in", "like", "day", "literal"] + ([] if prefix else ["parts", "id"])
        )
    )
    equal = draw(st.sampled_from(["=", "!="]))
    order = draw(st.sampled_from(list(OPS)))
    text, number = ("Site", "AnnualRevenue") if prefix else ("Text__c", "Amount__c")
    if kind == "text":
        return compare(prefix + text, equal, *draw(st.one_of(texts(), null())))
    if kind == "number":
        if draw(st.booleans()):
            return compare(prefix + number, equal, *draw(null()))
        return compare(prefix + number, order, *draw(numbers()))
    if kind == "flag":
        name = "IsDeleted" if prefix else "Flag__c"
        wanted = draw(st.booleans())
        return Where(f"{prefix}{name} {equal} {str(wanted).lower()}",
                     lambda row, _: (bool(value_of(row, prefix + name)) == wanted) == (equal == "="))  # fmt: skip
    if kind == "in":
        return within(prefix + text, draw(st.booleans()), draw(st.lists(texts(), min_size=1, max_size=60)))
    if kind == "like":
        return like(
            prefix + text, draw(st.sampled_from(["a%", "%b%", "_", "%\\%", "a\\_c", "%'%", "A_", "%ö%", "%", "日%"]))
        )
    if kind == "parts":
        sets = st.lists(st.lists(st.sampled_from(COLOURS), min_size=1, max_size=3, unique=True), min_size=1, max_size=2)
        return includes("Colours__c", draw(st.booleans()), draw(sets))
    if kind == "id":
        return compare("Account__c", equal, "null", None)
    field = f"{prefix}CreatedDate" if prefix else draw(st.sampled_from(["Day__c", "When__c"]))
    if kind == "day" and field == "Day__c":
        day = draw(st.sampled_from(["2024-02-29", "2024-03-01", "2023-12-31"]))
        return compare(field, order, day, day)
    name = draw(st.sampled_from(LITERALS))
    return literal(field, order, name, draw(st.integers(1, 20)))


LITERALS = [
    *_DAYS, "LAST_90_DAYS", "NEXT_90_DAYS",
    *(f"{which}_{unit}" for which in ("LAST", "THIS", "NEXT") for unit in ("WEEK", "MONTH", "QUARTER", "YEAR")),
    *(f"{which}_N_{unit}S" for which in ("LAST", "NEXT") for unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")),
    *(f"N_{unit}S_AGO" for unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")),
    *(f"{which}_FISCAL_{unit}" for which in ("LAST", "THIS", "NEXT") for unit in ("QUARTER", "YEAR")),
    *(f"{which}_N_FISCAL_{unit}S" for which in ("LAST", "NEXT") for unit in ("QUARTER", "YEAR")),
    *(f"N_FISCAL_{unit}S_AGO" for unit in ("QUARTER", "YEAR")),
]  # fmt: skip


def _join(op: str, terms: list[Where]) -> Where:
    text = f"({f' {op} '.join(term.text for term in terms)})"
    every = all if op == "AND" else any
    return Where(text, lambda row, moment: every(term.meets(row, moment) for term in terms))


def conditions(prefix: str = "") -> st.SearchStrategy[Where]:
    """Comparisons under AND, OR and NOT."""
    base = st.one_of(comparisons(), comparisons("Account__r.")) if not prefix else comparisons()
    return st.recursive(
        base,
        lambda inner: st.one_of(
            st.builds(_join, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=10)),
            st.builds(lambda one: Where(f"(NOT {one.text})", lambda row, moment: not one.meets(row, moment)), inner),
        ),
        max_leaves=12,
    )


@st.composite
def account_conditions(draw: Any) -> Where:
    """A comparison of an account itself, as the inner side of a semi-join asks it."""
    return compare("Site", draw(st.sampled_from(["=", "!="])), *draw(texts()))


@dataclass(frozen=True)
class Order:
    path: str
    descending: bool
    nulls: str

    @property
    def text(self) -> str:
        return f"{self.path}{' DESC' if self.descending else ''}{f' NULLS {self.nulls}' if self.nulls else ''}"


def orders() -> st.SearchStrategy[list[Order]]:
    paths = ["Text__c", "Amount__c", "Flag__c", "Day__c", "When__c", "Account__r.Site", "Account__r.AnnualRevenue"]
    one = st.builds(Order, st.sampled_from(paths), st.booleans(), st.sampled_from(["", "FIRST", "LAST"]))
    return st.lists(one, max_size=3, unique_by=lambda order: order.path)


def ordered(rows: list[Row], order: list[Order]) -> list[Row]:
    """Sorted by the last key first: Python's sort keeps equal rows as they were, also when it is told to reverse."""
    found = list(rows)
    for one in reversed(order):
        first = one.nulls == "FIRST" if one.nulls else not one.descending
        empty = [row for row in found if value_of(row, one.path) is None]
        full = [row for row in found if value_of(row, one.path) is not None]
        full.sort(key=lambda row, path=one.path: _key(value_of(row, path)), reverse=one.descending)  # type: ignore[misc]
        found = empty + full if first else full + empty
    return found
