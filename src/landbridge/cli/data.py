"""`landbridge query` and `landbridge import`."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landbridge import config
from landbridge.cli.progress import progress
from landbridge.cli.where import org
from landbridge.client import OrgError, RestClient
from landbridge.records.plan import load as load_plan
from landbridge.records.plan import read_plan


def run(options: argparse.Namespace) -> int:
    """`landbridge query`: rows as a table, JSON or CSV on standard output; without a statement, a prompt."""
    with org(options) as client:
        if options.soql is None:
            from landbridge.cli.shell import read  # the prompt's own imports: not for a single statement

            history = config.load({}).home
            return read(
                client, lambda soql, form: _ask(client, soql, form, all_rows=options.all_rows),
                (history or Path.home()) / "query_history", options.format,
            )  # fmt: skip
        _ask(client, options.soql, options.format, all_rows=options.all_rows)
        return 0


def _ask(client: RestClient, soql: str, form: str, *, all_rows: bool) -> None:
    pages = client.query(soql, all_rows=all_rows)
    if form == "json":
        _print_json(pages)
        return
    first = next(pages)
    if not first["records"] and first["totalSize"]:
        print(first["totalSize"])  # SELECT COUNT()
        return
    print_rows(_rows(_all(first, pages)), form, first["totalSize"])


def print_rows(rows: Iterator[dict[str, Any]], form: str, total: int) -> None:
    """Flat rows as a table or CSV on standard output; `total` is what a table says at its end."""
    if form == "csv":
        _print_csv(rows)
    else:
        _print_table(rows, total)


def _all(first: dict[str, Any], rest: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from first["records"]
    with progress("rows", first["totalSize"]) as advance:
        advance(len(first["records"]))
        for page in rest:
            yield from page["records"]
            advance(len(page["records"]))


def _rows(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Records flat: a parent's field is `Account.Name`; `attributes` is left out."""
    for record in records:
        yield dict(_flat(record, ""))


def _flat(record: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if key == "attributes":
            continue
        if isinstance(value, dict) and "attributes" in value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, dict):
            yield f"{prefix}{key}", json.dumps(value, ensure_ascii=False)
        else:
            yield f"{prefix}{key}", value


def _print_json(pages: Iterator[dict[str, Any]]) -> None:
    first = next(pages)
    records = list(_all(first, pages))
    whole = {"totalSize": first["totalSize"], "done": True, "records": records}
    print(json.dumps(whole, indent=2, ensure_ascii=False))


def _print_csv(rows: Iterator[dict[str, Any]]) -> None:
    held = list(rows)
    writer = csv.DictWriter(sys.stdout, _columns(held), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in held)


def _print_table(rows: Iterator[dict[str, Any]], total: int) -> None:
    from rich.console import Console  # 30 ms: only for those who look at tables
    from rich.table import Table

    held = list(rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _columns(held):
        table.add_column(column, overflow="fold")
    for row in held:
        table.add_row(*(_cell(row.get(column)) for column in _columns(held)))
    console = Console()
    if held:
        console.print(table, markup=False)
    console.print(f"{total} {'row' if total == 1 else 'rows'}", style="dim")


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """Every column in the order it is first seen: a null parent hides its fields in some rows."""
    return list({column: None for row in rows for column in row})


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# --- import --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Saved:
    id: str | None
    errors: list[OrgError] = field(default_factory=list)


def load(options: argparse.Namespace) -> int:
    """`landbridge import`: the records of a plan, with a progress bar on a terminal."""
    plan = read_plan(options.plan)
    with org(options) as client, progress("records", None) as advance:
        done = 0

        def moved(count: int, total: int) -> None:
            nonlocal done
            advance(count - done, total)
            done = count

        report = load_plan(
            plan, lambda sobject, rows: [_create(client, sobject, row) for row in rows], _children(client), moved
        )
    for line in report.lines():
        print(line)
    return 1 if report.failed else 0


def _children(client: RestClient) -> Callable[[str, str], str | None]:
    """The field behind a child relationship, from the org's describe, asked once per object."""
    known: dict[str, dict[str, str]] = {}

    def field_of(parent: str, relationship: str) -> str | None:
        if parent not in known:
            described = client.describe(parent)["childRelationships"]
            known[parent] = {(c["relationshipName"] or "").lower(): c["field"] for c in described}
        return known[parent].get(relationship.lower())

    return field_of


def _create(client: RestClient, sobject: str, values: dict[str, object]) -> _Saved:
    try:
        return _Saved(client.create(sobject, values))
    except OrgError as error:
        return _Saved(None, [error])
