"""Every clause, function, date literal and error of SOQL has a row in the ledger, so a test that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landbridge import errors
from landbridge.soql.moments import NAMES
from landbridge.soql.parse import FUNCTIONS

LEDGER = Path(__file__).parents[2] / "docs" / "fidelity.md"
SHEET = "wire/soql.md"
CLAUSES = ("SELECT", "FROM", "ALIAS", "FIELDS", "SUBQUERY", "TYPEOF", "USING SCOPE", "WHERE", "SEMIJOIN", "INCLUDES", "GROUP BY", "ROLLUP",
           "CUBE", "HAVING", "ORDER BY", "LIMIT", "OFFSET", "FOR VIEW", "FOR REFERENCE")  # fmt: skip


def ledger() -> set[str]:
    return set(re.findall(r"`([^`]+)`", LEDGER.read_text("utf-8")))


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_has_a_row(clause: str) -> None:
    assert f"soql.clause.{clause}" in ledger()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_has_a_row(name: str) -> None:
    assert f"soql.function.{name}" in ledger()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_date_literal_has_a_row(name: str) -> None:
    assert f"soql.literal.{name}" in ledger()


def test_an_error_has_a_row() -> None:
    def below(kind: type) -> set[str]:
        return {kind.__name__, *(name for sub in kind.__subclasses__() for name in below(sub))}

    assert {f"error.{name}" for name in below(errors.QueryError)} - ledger() == set()


def test_the_sheet_names_no_function_and_no_literal_that_we_lack(shared: Path) -> None:
    text = (shared / SHEET).read_text("utf-8")
    grammar = text[text.index("fn         =") : text.index("loc        =")]
    literals = text[text.index("### Date literals") : text.index("Each is a half-open range")]

    functions = {
        name.upper()
        for name in re.findall(r"\b([A-Za-z_]{3,})\(|\b([A-Z]+_[A-Z_]+)\b", grammar)
        for name in name
        if name
    }
    named = set(re.findall(r"\b[A-Z][A-Z_0-9]*[A-Z]\b", literals)) - {"FISCAL_", "S1", "S2"}

    assert functions - FUNCTIONS - {"CONVERTCURRENCY", "DATEFN"} == set()
    assert {name for name in named if "_" in name or name in ("TODAY", "TOMORROW", "YESTERDAY")} - set(NAMES) == set()
