"""
Golden files: SOQL in; SQL, parameters and JSON out, each run on the database.

`LANDBRIDGE_WRITE_GOLDEN=1 make test PYTEST='-k golden'` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from landbridge import soql
from landbridge.access import Access
from landbridge.ids import RecordId
from tests.support.running import RunningOrg

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.golden"))


def sections(path: Path) -> dict[str, str]:
    """`=== name` lines, each with its text below."""
    parts = path.read_text("utf-8").split("=== ")[1:]
    return {name.strip(): text.strip("\n") for name, _, text in (part.partition("\n") for part in parts)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(firm: RunningOrg, path: Path) -> None:
    expected = sections(path)
    text = " ".join(expected["soql"].split("\n"))
    server = firm.door.server
    statement = server.front.prepare(text, server.catalog, Access(RecordId(server.org.admin_id)), 67.0)
    sql = statement.groups or (
        statement.total() if statement.count else statement.family() if statement.pieces else statement.page()
    )
    reply = firm.query(text)
    found = {
        "soql": expected["soql"],
        "sql": sql.replace(" FROM ", "\nFROM ").replace(" WHERE ", "\nWHERE ").replace(" ORDER BY ", "\nORDER BY "),
        "parameters": json.dumps(statement.params, ensure_ascii=False),
        "json": json.dumps(reply.json, indent=1, ensure_ascii=False),
    }
    if os.environ.get("LANDBRIDGE_WRITE_GOLDEN") == "1":
        path.write_text("".join(f"=== {name}\n{body}\n" for name, body in found.items()), "utf-8")
        pytest.skip("written")

    assert found == expected


def test_there_are_golden_files() -> None:
    assert len(FILES) >= 12
    assert soql.parse("SELECT Id FROM Account").count is False
