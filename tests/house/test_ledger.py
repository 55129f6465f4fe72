"""docs/fidelity.md says what the tests show, and leaves no route, error or field type out."""

from __future__ import annotations

from typing import Any

import pytest

from landbridge import errors
from landbridge.schema.model import TYPE_DEFAULTS
from landbridge.wire.app import routes
from tests.support import ledger


@pytest.fixture
def rows(request: pytest.FixtureRequest) -> dict[str, ledger.Row]:
    if not request.config.stash[ledger.WHOLE]:
        pytest.skip("a part of the tests was collected: the ledger is compared when all are")
    return request.config.stash[ledger.ROWS]


def test_the_page_is_what_the_tests_say(rows: dict[str, ledger.Row]) -> None:
    assert ledger.FILE.read_text("utf-8") == ledger.document(rows), "docs/fidelity.md is stale: run `make ledger`"


def test_every_route_has_a_row(rows: dict[str, ledger.Row]) -> None:
    public = {f"route.{r.method} {r.pattern}" for r in routes() if not r.handler.__module__.endswith("elsewhere")}

    assert {name for name in rows if name.startswith("route.")} == public


def classes(base: type[Any]) -> set[type[Any]]:
    """Every class below `base`, at any depth."""
    return {found for sub in base.__subclasses__() for found in (sub, *classes(sub))}


def test_every_error_has_a_row(rows: dict[str, ledger.Row]) -> None:
    wanted = {
        f"error.{found.__name__}" for found in classes(errors.SalesforceError) if found.__module__ == errors.__name__
    }

    assert wanted - set(rows) == set()


def test_every_field_type_has_a_row(rows: dict[str, ledger.Row]) -> None:
    assert {f"field.{name}" for name in TYPE_DEFAULTS} - set(rows) == set()
