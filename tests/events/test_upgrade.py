"""A folder of an older release, made before channels were kept, becomes one of this release."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge import events, server
from tests.support.running import RunningOrg


def test_an_older_folder_gets_its_views_and_keeps_its_records(
    home: Path, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = server.MIGRATIONS
    with RunningOrg(home=home, data=tmp_path / "org", source=(source,), capture=("Account",)) as org:
        account = org.create("Account", Name="old")
        # As it was before: real tables under the names that are views now, and none of the tables behind them.
        for name in ("EventBusSubscriber", "PlatformEventChannel", "PlatformEventChannelMember"):
            org.door.server.db.writer.execute(
                f'DROP VIEW "{name}"; CREATE TABLE "{name}" ("Id" TEXT PRIMARY KEY)'
            ).fetchall()
        for name in ("lb_channel", "lb_channel_member", "lb_partition_key"):
            org.door.server.db.writer.execute(f"DROP TABLE {name}").fetchall()
        org.door.server.db.writer.execute("ALTER TABLE lb_subscription DROP COLUMN id").fetchall()
        (made,) = [one.version for one in newest if set(events.SELECTION) <= set(one.statements)]
        later = [one for one in newest if one.version > made]
        org.door.server.db.writer.execute(f"PRAGMA user_version = {made - 1}").fetchall()
    monkeypatch.setattr(server, "MIGRATIONS", tuple(one for one in newest if one not in later))

    with RunningOrg(home=home, data=tmp_path / "org", capture=("Account",)) as again:
        assert again.get("Account", account)["Name"] == "old"
        assert [
            row["SelectedEntity"] for row in again.rows("SELECT SelectedEntity FROM PlatformEventChannelMember")
        ] == ["AccountChangeEvent"]
        assert again.rows("SELECT Name FROM EventBusSubscriber") == []
