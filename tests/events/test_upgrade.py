"""A folder of an older release, made before channels were kept, becomes one of this release."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from landbridge import events, server
from landbridge.events import Topic, log, subscriptions
from landbridge.storage import Unit
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


def test_a_folder_whose_log_had_an_index_is_read_along_spans(home: Path, tmp_path: Path) -> None:
    with RunningOrg(home=home, data=tmp_path / "org", capture=("Account", "Contact")) as org:
        for number in range(150):
            org.create(
                "Contact" if number % 50 else "Account", **{"LastName" if number % 50 else "Name": f"old {number}"}
            )
        # As it was before: the index, the view that went along it, whole headers in the rows.
        parts, writer = org.door.server, org.door.server.db.writer
        whole = {event.replay_id: msgspec.json.encode(event.header) for event in parts.events.read(topic(org), 0, 1000)}
        for replay_id, header in whole.items():
            writer.execute("UPDATE lb_event SET header = ? WHERE id = ?", (header, replay_id))
        for statement in (
            "DROP TABLE lb_event_span", log.TABLES[1], 'DROP VIEW "EventBusSubscriber"', subscriptions.VIEW[-1],
            "PRAGMA user_version = 11",
        ):  # fmt: skip
            writer.execute(statement).fetchall()

    with RunningOrg(home=home, data=tmp_path / "org") as again:
        parts = again.door.server
        for number in range(2):
            again.create("Account", Name=f"new {number}")
        found = parts.events.read(topic(again), 0, 1000)
        assert [event.values["Name"] for event in found] == ["old 0", "old 50", "old 100", "new 0", "new 1"]
        assert [event.header.record_ids for event in found if event.header] == [(event.key,) for event in found]
        after = found[1].replay_id

        async def subscribe() -> None:
            await parts.db.write(
                lambda tx: parts.subscriptions.ensure(tx, "mine", "managed", "/data/AccountChangeEvent", after),
                Unit("test"),
            )

        again.do(subscribe)
        (row,) = again.rows("SELECT Tip, LagEvents FROM EventBusSubscriber")
        assert (row["Tip"], row["LagEvents"]) == (found[-1].replay_id, 3)


def topic(org: RunningOrg) -> Topic:
    found = org.door.server.events.topic("/data/AccountChangeEvent")
    assert found is not None
    return found
