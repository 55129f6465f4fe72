"""
The seed shop and its packing house: orders go out, reports come back.

An order whose status becomes Submitted is put to the packing house, once: the event's uuid is the idempotency key, so a repeated
attempt (after a time-out, after a crash) packs nothing again. What the house packed comes back as a platform event and becomes
the order's status. `landbridge flow check examples/shop/flow.py --source examples/shop` says what this file does.
"""

from __future__ import annotations

from dataclasses import dataclass

from landbridge import ChangeEvent, Flow, GiveUp, Org, Retry

flow = Flow("shop")
house = flow.credential("Packing_House")


@dataclass
class PackingReport:
    """`Packing_Event__e`, which the packing house publishes."""

    order_number: str
    status: str


@flow.on("/data/Garden_Order__ChangeEvent", key="recordId", retry=Retry(attempts=10, first=0.5, longest=20.0))
async def order_to_house(change: ChangeEvent, org: Org) -> None:
    """Order submitted -> PUT to the packing house."""
    if change.get("Status__c") != "Submitted":
        return
    found = await org.query(
        "SELECT Shop_Reference__c, Customer__r.Name, (SELECT Packet__r.Sku__c, Quantity__c FROM Lines__r) "
        "FROM Garden_Order__c WHERE Id = :id",
        id=change.record_id,
    )
    if not found:
        raise GiveUp("the order was deleted before it could be packed")
    order = found[0]
    lines = [
        {"sku": line["Packet__r"]["Sku__c"], "quantity": int(line["Quantity__c"])} for line in order["Lines__r"] or []
    ]
    await house.put(
        f"/orders/{order['Shop_Reference__c']}",
        json={"customer": (order["Customer__r"] or {}).get("Name"), "lines": lines},
        idempotency_key=change.uuid,
        timeout=2.0,
    )


@flow.on("/event/Packing_Event__e", key="Order_Number__c", on_failure="skip")
async def report_to_order(report: PackingReport, org: Org) -> None:
    """Report of the packing house -> status of the order; the write commits with the event's settle, so it happens once."""
    await org.upsert("Garden_Order__c", "Shop_Reference__c", report.order_number, {"Status__c": report.status})
