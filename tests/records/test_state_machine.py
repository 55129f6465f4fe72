"""Random creates, updates, deletes and undeletes against a model that a reader can check by eye."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from landbridge.access import Access
from landbridge.errors import SalesforceError
from landbridge.ids import RecordId
from landbridge.records import Bin, Store
from landbridge.storage import Change, Tx, Unit
from tests.conftest import ROOT
from tests.support.running import RunningOrg

SKUS = st.sampled_from(["a", "B", "b", "c", "D"])


class Records(RuleBasedStateMachine):
    """Orders with lines (cascade), packets with a unique SKU that lines restrict; the model is three dicts."""

    org: RunningOrg
    orders, packets, lines = Bundle("orders"), Bundle("packets"), Bundle("lines")

    @initialize()
    def start(self) -> None:
        self.packet: dict[str, str] = {}
        self.order: dict[str, bool] = {}
        self.line: dict[str, tuple[str, str, bool]] = {}
        for sobject in ("Garden_Order_Line__c", "Garden_Order__c", "Seed_Packet__c"):
            for row in self.org.rows(f"SELECT Id FROM {sobject}"):
                self.org.data("DELETE", f"/sobjects/{sobject}/{row['Id']}")

    @rule(target=packets, sku=SKUS)
    def create_packet(self, sku: str) -> Any:
        reply = self.org.data("POST", "/sobjects/Seed_Packet__c", {"Sku__c": sku})
        taken = sku.lower() in {known.lower() for known in self.packet.values()}
        assert reply.status == (400 if taken else 201), reply.raw
        if taken:
            assert reply.error == "DUPLICATE_VALUE"
            return multiple()
        self.packet[reply.json["id"]] = sku
        return reply.json["id"]

    @rule(packet=packets, sku=SKUS)
    def rename_packet(self, packet: str, sku: str) -> None:
        reply = self.org.data("PATCH", f"/sobjects/Seed_Packet__c/{packet}", {"Sku__c": sku})
        if packet not in self.packet:
            assert reply.error == "ENTITY_IS_DELETED"
        elif sku.lower() in {known.lower() for other, known in self.packet.items() if other != packet}:
            assert reply.error == "DUPLICATE_VALUE"
        else:
            assert reply.status == 204
            self.packet[packet] = sku

    @rule(packet=consumes(packets))
    def delete_packet(self, packet: str) -> None:
        reply = self.org.data("DELETE", f"/sobjects/Seed_Packet__c/{packet}")
        if packet not in self.packet:
            assert reply.error == "ENTITY_IS_DELETED"
        elif any(used == packet and alive for _, used, alive in self.line.values()):
            assert reply.error == "DELETE_FAILED"
        else:
            assert reply.status == 204
            del self.packet[packet]

    @rule(target=orders)
    def create_order(self) -> str:
        record_id = self.org.create("Garden_Order__c")
        self.order[record_id] = True
        return record_id

    @rule(target=lines, order=orders, packet=packets)
    def create_line(self, order: str, packet: str) -> Any:
        reply = self.org.data(
            "POST", "/sobjects/Garden_Order_Line__c", {"Order__c": order, "Packet__c": packet, "Quantity__c": 1}
        )
        if not self.order[order] or packet not in self.packet:
            assert reply.error == "ENTITY_IS_DELETED"
            return multiple()
        assert reply.status == 201
        self.line[reply.json["id"]] = (order, packet, True)
        return reply.json["id"]

    @rule(order=orders)
    def delete_order(self, order: str) -> None:
        reply = self.org.data("DELETE", f"/sobjects/Garden_Order__c/{order}")
        assert reply.status == (204 if self.order[order] else 404)
        self.order[order] = False

    @rule(order=orders)
    def undelete_order(self, order: str) -> None:
        error = undelete(self.org, "Garden_Order__c", order)
        assert (error is not None) == self.order[order]
        self.order[order] = True

    @invariant()
    def the_org_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "packet"):
            return
        # A line lives and dies with its order; once that is back, so is the line.
        for line, (order, packet, _) in list(self.line.items()):
            self.line[line] = (order, packet, self.order[order])
        assert {r["Id"]: r["Sku__c"] for r in self.org.rows("SELECT Id, Sku__c FROM Seed_Packet__c")} == self.packet
        assert {r["Id"] for r in self.org.rows("SELECT Id FROM Garden_Order__c")} == {
            o for o, alive in self.order.items() if alive
        }
        found = {r["Id"] for r in self.org.rows("SELECT Id FROM Garden_Order_Line__c")}
        assert found == {line for line, (_, _, alive) in self.line.items() if alive}


def undelete(org: RunningOrg, sobject: str, record_id: str) -> SalesforceError | None:
    """Undelete through the records room: REST has no verb for it."""
    server = org.door.server
    entity = server.catalog.get(sobject)
    assert entity is not None

    async def work() -> SalesforceError | None:
        try:
            await server.db.write(
                lambda tx: server.bin.undelete(tx, server.catalog, Access(server.org.admin_id), entity, record_id),
                Unit("undelete"),
            )
        except SalesforceError as error:
            return error
        return None

    found: SalesforceError | None = org.do(work)
    return found


@pytest.mark.slow
@pytest.mark.ledger(
    "records.undelete", "guessed", "record and children come back together; text of the error unverified"
)
@pytest.mark.ledger("error.UndeleteFailed", "guessed", "code from the partner WSDL")
def test_random_histories_of_records_match_the_model(org: RunningOrg) -> None:
    machine = type("Machine", (Records,), {"org": org})
    machine.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)  # type: ignore[attr-defined]

    machine.TestCase("runTest").runTest()  # type: ignore[attr-defined]

    assert org.data("GET", "/limits").status == 200


# --- the seams -----------------------------------------------------------------------------------------------------


def in_unit(org: RunningOrg, work: Any) -> Any:
    server = org.door.server

    async def run() -> Any:
        return await server.db.write(work, Unit("test"))

    return org.do(run)


@pytest.mark.ledger(
    "records.undelete-relinks", "guessed", "references cleared by the delete come back with the undelete"
)
def test_an_undelete_gives_cleared_lookups_back(org: RunningOrg) -> None:
    account = org.create("Account", Name="x")
    order = org.create("Garden_Order__c", Customer__c=account)
    org.data("DELETE", f"/sobjects/Account/{account}")
    assert org.get("Garden_Order__c", order)["Customer__c"] is None

    assert undelete(org, "Account", account) is None
    assert org.get("Garden_Order__c", order)["Customer__c"] == account
    assert undelete(org, "Account", account) is not None


def test_an_undelete_that_would_double_a_unique_value_is_refused_whole(org: RunningOrg) -> None:
    old = org.create("Seed_Packet__c", Sku__c="ONCE")
    org.data("DELETE", f"/sobjects/Seed_Packet__c/{old}")
    org.create("Seed_Packet__c", Sku__c="ONCE")

    error = undelete(org, "Seed_Packet__c", old)

    assert error is not None
    assert error.code == "DUPLICATE_VALUE"


def test_emptying_the_bin_removes_for_good(org: RunningOrg) -> None:
    server = org.door.server
    account = org.create("Account", Name="gone")
    org.data("DELETE", f"/sobjects/Account/{account}")
    entity = server.catalog.get("Account")
    assert entity is not None

    in_unit(org, lambda tx: server.bin.empty(tx, server.catalog, Access(server.org.admin_id), entity, account))

    assert org.query(f"SELECT Id FROM Account WHERE Id = '{account}'", "queryAll").json["totalSize"] == 0
    assert undelete(org, "Account", account) is not None


@pytest.mark.ledger("error.AllOrNoneRolledBack", "observed", "recording collections-all-or-none-create")
def test_a_list_saves_the_good_ones_or_none(org: RunningOrg) -> None:
    server = org.door.server
    entity = server.catalog.get("Account")
    assert entity is not None
    rows = [{"Name": "List 1"}, {"Name": ""}, {"Name": "List 2"}]
    access = Access(server.org.admin_id)

    some = in_unit(org, lambda tx: server.store.create_many(tx, server.catalog, access, entity, rows))
    none = in_unit(org, lambda tx: server.store.create_many(tx, server.catalog, access, entity, rows, all_or_none=True))

    assert [result.success for result in some] == [True, False, True]
    assert [result.errors[0].code for result in none] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING", "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]  # fmt: skip
    assert org.query("SELECT COUNT() FROM Account WHERE Name LIKE 'List %'").json["totalSize"] == 2


@pytest.mark.ledger("records.capture", "documented", "events.md: change events of a unit, numbered")
def test_every_change_of_a_captured_object_passes_capture_in_order(home: Path) -> None:
    shop = ROOT / "examples" / "shop"
    with RunningOrg(home=home, source=(shop,), capture=("Account",)) as org:
        server = org.door.server
        assert server.events.captured == {"account", "garden_order__c"}
        seen: list[tuple[str, str, int]] = []
        entity = server.catalog.get("Account")
        assert entity is not None

        def work(tx: Tx) -> None:
            access = Access(RecordId(server.org.admin_id))
            made = server.store.create(tx, server.catalog, access, entity, {"Name": "a"})
            server.store.update(tx, server.catalog, access, entity, made, {"Name": "b"})
            Bin(server.store).delete(tx, server.catalog, access, entity, made)
            from landbridge.records.capture import capture

            seen.extend(
                (c.change.kind, c.change.sobject, c.sequence) for c in capture(tx.changes, server.events.captured)
            )
            assert all(isinstance(change, Change) for change in tx.changes)
            assert isinstance(server.store, Store)

        in_unit(org, work)

    assert seen == [("CREATE", "Account", 1), ("UPDATE", "Account", 2), ("DELETE", "Account", 3)]
