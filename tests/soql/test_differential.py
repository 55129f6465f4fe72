"""Random queries against a slow, obvious evaluator (`slow.py`): same rows, same order, same groups."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge import soql
from landbridge.access import Access
from landbridge.ids import RecordId
from landbridge.storage import Unit
from tests.soql import slow
from tests.soql.slow import Moment, Order, Row, Where
from tests.support.running import RunningOrg

ledger = pytest.mark.ledger

# Just before and after midnights, month ends and changes of the clock in the zones that are asked from.
MOMENTS = [
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC), datetime(2024, 3, 1, 0, 0, tzinfo=UTC),
    datetime(2024, 3, 10, 10, 30, tzinfo=UTC), datetime(2023, 12, 31, 11, 0, tzinfo=UTC),
    datetime(2024, 1, 1, 7, 59, 59, 999000, tzinfo=UTC), datetime(2024, 4, 6, 14, 30, tzinfo=UTC),
]  # fmt: skip


class Shelf:
    """The same random records in an org and in memory."""

    def __init__(self, org: RunningOrg) -> None:
        self.org = org
        chance = Random(20241124)
        self.accounts = [
            {
                "Name": f"acc{i}",
                "Site": chance.choice([None, *slow.TEXTS]) or None,
                "AnnualRevenue": chance.choice([None, -1, 0, 1, 7]),
            }
            for i in range(12)
        ]
        self.paints = [
            {
                "Name": f"p{i}", "Text__c": chance.choice([None, *slow.TEXTS]) or None,
                "Amount__c": chance.choice([None, *slow.NUMBERS]), "Flag__c": chance.random() < 0.4,
                "Colours__c": ";".join(c for c in slow.COLOURS if chance.random() < 0.4) or None,
                "Day__c": self._day(chance), "When__c": self._when(chance), "of": chance.choice([None, *range(12)]),
            }
            for i in range(160)
        ]  # fmt: skip
        org.do(self._fill)
        gone = chance.sample(range(160), 25)
        for index in gone:
            assert org.data("DELETE", f"/sobjects/Paint__c/{self.paints[index]['Id']}").status == 204
        for index, row in enumerate(self.paints):
            row["IsDeleted"] = index in gone
            row["Account__r"] = None if row["of"] is None else self.accounts[row["of"]]
            row["Account__c"] = None if row["of"] is None else self.accounts[row["of"]]["Id"]
            row["all accounts"] = self.accounts

    @staticmethod
    def _when(chance: Random) -> str | None:
        if chance.random() < 0.1:
            return None
        base = chance.choice(MOMENTS)
        near = base + timedelta(
            hours=chance.choice([-26, -12, -8, -1, 0, 1, 8, 13, 26, 24 * 40, -24 * 400]),
            milliseconds=chance.choice([-1, 0, 1]),
        )
        return near.strftime("%Y-%m-%dT%H:%M:%S.") + f"{near.microsecond // 1000:03d}+0000"

    @staticmethod
    def _day(chance: Random) -> str | None:
        if chance.random() < 0.1:
            return None
        return (
            chance.choice(MOMENTS).date() + timedelta(days=chance.choice([-366, -92, -31, -8, -1, 0, 1, 2, 7, 30, 100]))
        ).isoformat()

    async def _fill(self) -> None:
        server = self.org.door.server
        access = Access(RecordId(server.org.admin_id))
        for name, rows in (("Account", self.accounts), ("Paint__c", self.paints)):
            entity = server.catalog.get(name)
            assert entity is not None
            given_rows = [{key: value for key, value in row.items() if key != "of"} for row in rows]
            for row, given_row in zip(rows, given_rows, strict=True):
                if row.get("of") is not None:
                    given_row["Account__c"] = self.accounts[row["of"]]["Id"]
            results = await server.db.write(
                lambda tx, entity=entity, given_rows=given_rows: server.store.create_many(  # type: ignore[misc]
                    tx, server.catalog, access, entity, given_rows
                ),
                Unit("fill"),
            )
            for row, result in zip(rows, results, strict=True):
                assert result.success, result
                row.update({"Id": str(result.id), "IsDeleted": False, "CreatedDate": None})
        (stamp,) = await server.db.read(lambda reader: [reader.one('SELECT min("CreatedDate") FROM "Account"')])
        for row in self.accounts:
            row["CreatedDate"] = stamp[0]

    def ask(self, text: str, moment: Moment, *, all_rows: bool = False, batch: int = 2000) -> list[Any]:
        """Every row of a query, page after page."""
        server = self.org.door.server
        access = Access(RecordId(server.org.admin_id))
        asked = soql.Asked(moment.now.timestamp(), moment.zone, access.user_id)
        kept: list[soql.Cursor] = []

        def locate(cursor: soql.Cursor) -> str:
            kept.append(cursor)
            return "more"

        async def read() -> list[Any]:
            statement = server.front.prepare(text, server.catalog, access, 67.0, all_rows=all_rows)
            page = await server.db.read(lambda r: soql.run(r, statement, batch=batch, asked=asked, locate=locate))
            rows = json.loads(page.records)
            while page.next is not None:
                cursor = kept.pop()
                page = await server.db.read(
                    lambda r, cursor=cursor: soql.resume(  # type: ignore[misc]
                        r, server.front, server.catalog, access, cursor, batch=batch, locate=locate
                    )
                )
                rows += json.loads(page.records)
            assert page.total == len(rows)
            return rows

        found: list[Any] = self.org.do(read)
        return found


@pytest.fixture(scope="module")
def shelf(home: Path, project: Path) -> Iterator[Shelf]:
    with RunningOrg(home=home, source=(project,), daily_api_requests=1_000_000) as org:
        yield Shelf(org)


moments = st.builds(Moment, st.sampled_from(MOMENTS), st.sampled_from(slow.ZONES))


@ledger("soql.differential", "documented", "soql.md section 3, as tests/soql/slow.py reads it")
@settings(max_examples=400, deadline=None)
@given(
    where=slow.conditions(), joined=st.one_of(st.none(), st.tuples(st.booleans(), slow.account_conditions())), order=slow.orders(),
    limit=st.one_of(st.none(), st.integers(1, 120)), offset=st.integers(0, 5), moment=moments, all_rows=st.booleans(),
    batch=st.sampled_from([7, 50, 2000]),
)  # fmt: skip
def test_rows_are_those_of_the_slow_evaluator(
    shelf: Shelf, where: Where, joined: Any, order: list[Order], limit: int | None, offset: int, moment: Moment, all_rows: bool,
    batch: int,
) -> None:  # fmt: skip
    if joined is not None:
        negated, inner = joined
        both = slow.semi(negated, inner)
        where = Where(
            f"{where.text} AND {both.text}",
            lambda row, m, one=where: one.meets(row, m) and both.meets(row, m),  # type: ignore[misc]
        )
    text = f"SELECT Id, Account__r.Site FROM Paint__c WHERE {where.text} ORDER BY {', '.join([*(o.text for o in order), 'Id'])}"
    text += (f" LIMIT {limit}" if limit is not None else "") + (f" OFFSET {offset}" if offset else "")
    rows = [row for row in shelf.paints if (all_rows or not row["IsDeleted"]) and where.meets(row, moment)]
    rows = slow.ordered(sorted(rows, key=lambda row: row["Id"]), order)[offset:]
    rows = rows if limit is None else rows[:limit]

    found = shelf.ask(text, moment, all_rows=all_rows, batch=batch)

    assert [row["Id"] for row in found] == [row["Id"] for row in rows]
    shown = [None if row["Account__r"] is None else row["Account__r"]["Site"] for row in found]
    assert shown == [slow.value_of(row, "Account__r.Site") for row in rows]


GROUPS: dict[str, Any] = {
    "Text__c": lambda row, _: None if row["Text__c"] is None else slow.fold(row["Text__c"]),
    "Flag__c": lambda row, _: row["Flag__c"],
    "Account__r.Site": lambda row, _: None if row["Account__r"] is None or row["Account__r"]["Site"] is None
    else slow.fold(row["Account__r"]["Site"]),
    "CALENDAR_MONTH(Day__c)": lambda row, _: None if row["Day__c"] is None else int(row["Day__c"][5:7]),
    "DAY_IN_WEEK(convertTimezone(When__c))": lambda row, m: None if row["When__c"] is None
    else m.day(row["When__c"]).isoweekday() % 7 + 1,
    "DAY_IN_YEAR(When__c)": lambda row, _: None if row["When__c"] is None
    else datetime.fromisoformat(row["When__c"][:10]).timetuple().tm_yday,
}  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    keys=st.lists(st.sampled_from(sorted(GROUPS)), min_size=1, max_size=3, unique=True), how=st.sampled_from(["", "ROLLUP", "CUBE"]),
    where=slow.conditions(), least=st.integers(0, 3), moment=moments,
)  # fmt: skip
def test_groups_are_those_of_the_slow_evaluator(
    shelf: Shelf, keys: list[str], how: str, where: Where, least: int, moment: Moment
) -> None:
    shown = ", ".join(
        f"{key} k{index}, GROUPING({key}) g{index}" if how else f"{key} k{index}" for index, key in enumerate(keys)
    )
    by = f"{how}({', '.join(keys)})" if how else ", ".join(keys)
    text = (
        f"SELECT {shown}, COUNT(Id) n, COUNT(Amount__c) m, SUM(Amount__c) s, MIN(Text__c) low, MAX(When__c) high, "
        f"COUNT_DISTINCT(Text__c) d FROM Paint__c WHERE {where.text} GROUP BY {by} HAVING COUNT(Id) > {least}"
    )
    rows = [row for row in shelf.paints if not row["IsDeleted"] and where.meets(row, moment)]
    sets = [set(range(len(keys)))]
    if how == "ROLLUP":
        sets = [set(range(size)) for size in range(len(keys), -1, -1)]
    if how == "CUBE":
        sets = [{i for i in range(len(keys)) if mask >> i & 1} for mask in range(2 ** len(keys))]
    expected = []
    for present in sets:
        groups: dict[Any, list[Row]] = defaultdict(list)
        for row in rows:
            groups[tuple(GROUPS[key](row, moment) if i in present else None for i, key in enumerate(keys))].append(row)
        for key, members in groups.items():
            if len(members) > least:
                flags = tuple(int(i not in present) for i in range(len(keys))) if how else ()
                expected.append((key, flags, *_sums(members)))

    found = [
        (
            tuple(slow.fold(v) if isinstance(v := row[f"k{i}"], str) else v for i in range(len(keys))),
            tuple(row[f"g{i}"] for i in range(len(keys))) if how else (),
            row["n"], row["m"], row["s"], None if row["low"] is None else slow.fold(row["low"]), row["high"], row["d"],
        )
        for row in shelf.ask(text, moment)
    ]  # fmt: skip

    assert sorted(found, key=repr) == sorted(expected, key=repr)


def _sums(rows: list[Row]) -> tuple[Any, ...]:
    amounts = [row["Amount__c"] for row in rows if row["Amount__c"] is not None]
    texts = [slow.fold(row["Text__c"]) for row in rows if row["Text__c"] is not None]
    whens = [row["When__c"] for row in rows if row["When__c"] is not None]
    low = min(texts, key=str.encode) if texts else None
    return len(rows), len(amounts), sum(amounts) if amounts else None, low, max(whens, default=None), len(set(texts))


@settings(max_examples=100, deadline=None)
@given(
    where=slow.comparisons(),
    order=slow.orders(),
    limit=st.one_of(st.none(), st.integers(1, 9)),
    moment=moments,
    batch=st.sampled_from([7, 2000]),
)
def test_children_are_those_of_the_slow_evaluator(
    shelf: Shelf, where: Where, order: list[Order], limit: int | None, moment: Moment, batch: int
) -> None:
    order = [one for one in order if "." not in one.path]
    text = f"SELECT Name, (SELECT Id FROM Paints__r WHERE {where.text} ORDER BY {', '.join([*(o.text for o in order), 'Id'])}"
    text += (f" LIMIT {limit}" if limit is not None else "") + ") FROM Account ORDER BY Name"

    found = shelf.ask(text, moment, batch=batch)

    assert [row["Name"] for row in found] == sorted(account["Name"] for account in shelf.accounts)
    by_name = {account["Name"]: account["Id"] for account in shelf.accounts}
    for row in found:
        rows = [
            p
            for p in shelf.paints
            if p["Account__c"] == by_name[row["Name"]] and not p["IsDeleted"] and where.meets(p, moment)
        ]
        expected = [p["Id"] for p in slow.ordered(sorted(rows, key=lambda p: p["Id"]), order)][:limit]
        children = row["Paints__r"]
        if not expected:
            assert children is None
            continue
        assert children["totalSize"] == len(expected)
        assert [child["Id"] for child in children["records"]] == expected[: len(children["records"])]
        assert children["done"] == (len(children["records"]) == len(expected))
