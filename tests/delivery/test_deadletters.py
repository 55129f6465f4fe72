"""Replays go back to their place, once; discards let keys go on; everything is written down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from landbridge.delivery import Done, deadletters
from landbridge.delivery.deadletters import DeadLetterError
from tests.support.queue import FAILURE, PARKED_HOLD, PARKED_SKIP, Bench, draft


async def letters(bench: Bench) -> list[str]:
    rows = bench.db.read_now(lambda reader: reader.all('SELECT "Id" FROM "Failed_Payload__c" ORDER BY "Delivery__c"'))
    return [row[0] for row in rows]


async def park(bench: Bench, *names: str, hold: bool) -> None:
    """Claim what is due and give up on these."""
    for delivery in await bench.take(now=10**12):
        if delivery.uuid in names:
            await bench.settle(delivery, PARKED_HOLD if hold else PARKED_SKIP, FAILURE)
        else:
            await bench.do(lambda tx, delivery=delivery: bench.queue.release(tx, [delivery]))


async def drain(bench: Bench) -> list[str]:
    """Settle everything that can be, in the order it comes."""
    seen: list[str] = []
    while found := await bench.take(now=10**12):
        for delivery in found:
            seen.append(delivery.uuid)
            await bench.settle(delivery, Done())
    return seen


async def replay(bench: Bench, *ids: str) -> Any:
    return await bench.do(lambda tx: deadletters.replay(tx, ids, "005"))


async def test_a_held_one_goes_on_where_it_stood_before_what_waits_behind_it(bench: Bench) -> None:
    await bench.put(draft("u1", "a"), draft("u2", "a"))
    await park(bench, "u1", hold=True)
    assert await drain(bench) == []

    await replay(bench, *await letters(bench))

    assert await drain(bench) == ["u1", "u2"]


async def test_skipped_ones_of_a_key_come_back_in_their_order_before_what_has_not_begun(bench: Bench) -> None:
    await bench.put(draft("u1", "a"), draft("u2", "a"), draft("u3", "a"))
    await park(bench, "u1", hold=False)
    await park(bench, "u2", hold=False)
    first, second = await letters(bench)

    await replay(bench, second, first)

    assert await drain(bench) == ["u1", "u2", "u3"]


async def test_one_under_way_is_not_overtaken(bench: Bench) -> None:
    await bench.put(draft("u1", "a"), draft("u2", "a"), draft("u3", "a"))
    await park(bench, "u1", hold=False)
    (running,) = await bench.take(now=10**12)

    await replay(bench, *await letters(bench))

    assert running.uuid == "u2"
    assert await bench.take(now=10**12) == []
    await bench.settle(running, Done())
    assert await drain(bench) == ["u1", "u3"]


@pytest.mark.parametrize("hold", [True, False], ids=["hold", "skip"])
async def test_a_dead_letter_is_sent_again_once(bench: Bench, hold: bool) -> None:
    await bench.put(draft("u1", "a"))
    await park(bench, "u1", hold=hold)
    (letter,) = await letters(bench)
    await replay(bench, letter)

    with pytest.raises(DeadLetterError, match="is under way again"):
        await replay(bench, letter)
    assert await drain(bench) == ["u1"]
    with pytest.raises(DeadLetterError, match="is resolved"):
        await replay(bench, letter)
    assert await drain(bench) == []


async def test_a_replay_passes_the_memory_of_uuids(bench: Bench) -> None:
    await bench.put(draft("u1", "a"), once=True)
    await park(bench, "u1", hold=False)

    await replay(bench, *await letters(bench))

    assert await drain(bench) == ["u1"]
    assert await bench.put(draft("u1", "a"), once=True) == 0


async def test_a_list_is_sent_as_a_whole_or_not_at_all(bench: Bench) -> None:
    await bench.put(draft("u1", "a"), draft("u2", "b"))
    await park(bench, "u1", "u2", hold=True)
    first, second = await letters(bench)
    await bench.do(lambda tx: deadletters.discard(tx, [second], "test data", "005"))

    with pytest.raises(DeadLetterError, match="was discarded"):
        await replay(bench, first, second)

    assert await drain(bench) == []


async def test_a_discard_lets_its_key_go_on_and_wants_a_reason(bench: Bench) -> None:
    await bench.put(draft("u1", "a"), draft("u2", "a"))
    await park(bench, "u1", hold=True)
    (letter,) = await letters(bench)

    with pytest.raises(DeadLetterError, match="needs a reason"):
        await bench.do(lambda tx: deadletters.discard(tx, [letter], " ", "005"))
    await bench.do(lambda tx: deadletters.discard(tx, [letter], "test data", "005"))

    assert await drain(bench) == ["u2"]
    history = bench.db.read_now(lambda reader: deadletters.history(reader, letter))
    assert [(step["action"], step["user_id"], step["detail"]) for step in history] == [("discard", "005", "test data")]


async def test_an_edited_payload_is_sent_under_a_new_uuid_and_the_original_stays(bench: Bench) -> None:
    await bench.put(draft("u1", "a"))
    await park(bench, "u1", hold=True)
    (letter,) = await letters(bench)

    with pytest.raises(DeadLetterError, match="is not JSON"):
        await bench.do(lambda tx: deadletters.edit(tx, letter, "{", "005"))
    await bench.do(lambda tx: deadletters.edit(tx, letter, '{"uuid": "u1", "mended": true}', "005"))
    await replay(bench, letter)

    (again,) = await bench.take(now=10**12)
    assert json.loads(again.body) == {"uuid": "u1~1", "mended": True}
    found = bench.db.read_now(lambda reader: deadletters.get(reader, letter))
    assert json.loads(found.payload) == {"uuid": "u1"}


async def test_one_that_fails_again_stays_one_dead_letter_with_all_its_attempts(bench: Bench) -> None:
    await bench.put(draft("u1", "a"))
    await park(bench, "u1", hold=True)
    (letter,) = await letters(bench)
    await replay(bench, letter)
    await park(bench, "u1", hold=True)

    assert await letters(bench) == [letter]
    row = bench.db.read_now(
        lambda reader: reader.one(
            'SELECT "Status__c", "Attempts__c", "Attempt_Log__c", "Replays__c" FROM "Failed_Payload__c"'
        )
    )
    assert row is not None
    assert (row[0], row[1], len(json.loads(row[2])), row[3]) == ("Open", 2, 2, 1)
    await replay(bench, letter)
    assert await drain(bench) == ["u1"]
