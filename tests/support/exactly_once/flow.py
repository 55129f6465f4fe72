"""The flow of the harness: each order goes to the outside system, and leaves an account in the org."""

from __future__ import annotations

from landbridge import Attempt, Flow, Org, PlatformEvent, Retry

flow = Flow("harness")
erp = flow.credential("ERP")


@flow.on(
    "/event/Packing_Event__e",
    key="Order_Number__c",
    retry=Retry(attempts=50, first=0.01, longest=0.05),
    on_failure="skip",
    start="earliest",
)
async def deliver(order: PlatformEvent, org: Org, attempt: Attempt) -> None:
    seq, _, poison = order["Status__c"].partition(" ")
    await erp.put(
        f"/orders/{order['Order_Number__c']}",
        json={"seq": seq, "poison": bool(poison)},
        idempotency_key=attempt.idempotency_key,
    )
    await org.insert("Account", {"Name": f"{order['Order_Number__c']} {seq}"})
