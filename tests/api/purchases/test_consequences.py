"""What follows from a purchase, through the API: gifts, instant rewards, uses, tiers and releases."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ApiMember, data, enrol, mutation, refusal_of
from support.clients.two_gateways import TwoGateways

from schema.wire.ids import from_global_id

SHOWN = """memberOffer { state usesLeft offer { id } }
  entries { points why { rule points applied reason } }
  orders { number state reward { key } }
  member { version points { available } status { tier { key } } }"""
ORDERS = """query ($by: MemberKey!) {
  member(by: $by) { orders(first: 20) { edges { node { number state } } } status { tier { key } } points { available } }
}"""
LONG_AGO = {"first_day": "2026-01-01"}
LEFT = "query ($first: Int!) { me { offers(first: $first) { edges { node { usesLeft state offer { id } } } } } }"


async def orders_of(member: ApiMember) -> list[str]:
    found = data(await member.gateway.ask(member.gateway.token("agent"), ORDERS, by=member.by))["member"]
    return [edge["node"]["state"] for edge in found["orders"]["edges"]]


async def recorded(member: ApiMember, event: dict[str, Any]) -> dict[str, Any]:
    """Record an event; return its payload with what explains it."""
    till = member.gateway.token("till")
    query = mutation("recordEvent", "entries { points why { reason } } member { points { available } }")
    payload: dict[str, Any] = data(await member.gateway.ask(till, query, input=event))["recordEvent"]
    assert payload["userErrors"] == []
    return payload


async def refund(member: ApiMember, key: str, **about: Any) -> dict[str, Any]:
    return await recorded(member, member.purchase(type="refund", refundOf=key, purchase=None, **about))


def reasons(payload: dict[str, Any]) -> list[str]:
    return [why["reason"] for entry in payload["entries"] for why in entry["why"]]


@pytest.fixture
async def mug(two_gateways: TwoGateways) -> str:
    return await two_gateways.save_item("REWARD", kind="PHYSICAL", category="things", points=100, stock=5)


def gift_of(mug: str, **about: Any) -> dict[str, Any]:
    return {**LONG_AGO, "kind": "GIFT", "reward": from_global_id(mug)[1][-1], "returnable": True, **about}


async def test_a_returnable_gift_bought_and_returned_four_times_leaves_none(
    two_gateways: TwoGateways, api_member: ApiMember, mug: str
) -> None:
    gift = await two_gateways.save_item("OFFER", **gift_of(mug))
    till = two_gateways.token("till")
    for _ in range(4):
        event = api_member.purchase("20.00")
        await recorded(api_member, event)
        used = await two_gateways.mutate_accepted(
            till, "redeemOffer", SHOWN, offer=gift, member=api_member.by, purchaseKey=event["key"], channel="STORE"
        )
        assert used["memberOffer"]["state"] == "REDEEMED"
        [order] = used["orders"]
        said = reasons(await refund(api_member, event["key"]))
        assert any(f"order {order['number']} cancelled" in reason for reason in said), said
    assert await orders_of(api_member) == ["CANCELLED"] * 4


async def test_a_gift_that_was_handed_over_stays_with_its_use(
    two_gateways: TwoGateways, api_member: ApiMember, mug: str
) -> None:
    gift = await two_gateways.save_item("OFFER", **gift_of(mug))
    till, event = two_gateways.token("till"), api_member.purchase("20.00")
    await recorded(api_member, event)
    at = {"member": api_member.by, "channel": "STORE"}
    used = await two_gateways.mutate_accepted(
        till, "redeemOffer", "orders { id number }", offer=gift, purchaseKey=event["key"], **at
    )
    [order] = used["orders"]
    await two_gateways.mutate_accepted(till, "advanceOrder", "order { state }", order=order["id"], state="FULFILLED")
    said = reasons(await refund(api_member, event["key"]))
    assert any(f"order {order['number']} can no longer be cancelled" in reason for reason in said), said
    again = await two_gateways.mutate(till, "redeemOffer", SHOWN, offer=gift, purchaseKey=uuid4().hex, **at)
    assert refusal_of(again) == ("LIMIT_REACHED", "input.offer")


async def test_an_offer_of_today_is_not_for_a_purchase_of_two_days_ago(
    two_gateways: TwoGateways, api_member: ApiMember
) -> None:
    today = datetime.now(UTC).date() - timedelta(days=1)  # begins for certain after the purchase, in any zone
    double = await two_gateways.save_item("OFFER", first_day=today.isoformat(), kind="MULTIPLIER", factor=2)
    till, at = two_gateways.token("till"), {"offer": double, "member": api_member.by, "channel": "STORE"}
    old = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    earlier = api_member.purchase("20.00", occurredAt=old)
    await recorded(api_member, earlier)
    refused = await two_gateways.mutate(till, "redeemOffer", SHOWN, purchaseKey=earlier["key"], **at)
    assert refusal_of(refused) == ("NOT_ELIGIBLE", "input.offer")
    later = api_member.purchase("20.00", occurredAt=old)
    used = await two_gateways.mutate_accepted(till, "redeemOffer", SHOWN, purchaseKey=later["key"], **at)
    assert used["memberOffer"]["usesLeft"] == 0
    payload = await recorded(api_member, later)
    assert any("not valid on this date" in reason for reason in reasons(payload))
    assert any("you can use the offer again" in reason for reason in reasons(payload))
    now = api_member.purchase("20.00")
    await recorded(api_member, now)
    used = await two_gateways.mutate_accepted(till, "redeemOffer", SHOWN, purchaseKey=now["key"], **at)
    assert [entry["points"] for entry in used["entries"]] == [20]


async def test_a_use_that_gives_nothing_does_not_count(two_gateways: TwoGateways, api_member: ApiMember) -> None:
    double = await two_gateways.save_item("OFFER", **LONG_AGO, kind="MULTIPLIER", factor=2)
    event = api_member.purchase("0.40")
    await recorded(api_member, event)
    used = await two_gateways.mutate_accepted(
        two_gateways.token("till"),
        "redeemOffer",
        SHOWN,
        offer=double,
        member=api_member.by,
        channel="STORE",
        purchaseKey=event["key"],
    )
    assert (used["memberOffer"]["state"], used["memberOffer"]["usesLeft"]) == ("AVAILABLE", 1)
    assert [entry["points"] for entry in used["entries"]] == [0]
    assert reasons(used)[-1].endswith("this use does not count, you can use the offer again")


async def test_a_code_is_released_when_the_sale_is_given_up(two_gateways: TwoGateways, api_member: ApiMember) -> None:
    code = f"S{uuid4().hex[:8].upper()}"
    offer = await two_gateways.save_item("OFFER", **LONG_AGO, kind="AMOUNT_OFF", amount="5.00", code={"shared": code})
    till, key = two_gateways.token("till"), uuid4().hex
    at = {"code": code, "member": api_member.by, "channel": "STORE", "purchaseKey": key}
    await two_gateways.mutate_accepted(till, "redeemOffer", SHOWN, **at)
    assert refusal_of(await two_gateways.mutate(till, "releaseOffer", SHOWN, **{**at, "purchaseSender": "other"})) == (
        "NOT_FOUND",
        "input.purchaseSender",
    )
    released = await two_gateways.mutate_accepted(till, "releaseOffer", SHOWN, **at)
    assert released["memberOffer"] == {"state": "AVAILABLE", "usesLeft": 1, "offer": {"id": offer}}
    assert reasons(released)[-1].endswith("you can use the offer again")
    assert refusal_of(await two_gateways.mutate(till, "releaseOffer", SHOWN, **at)) == (
        "NOT_FOUND",
        "input.purchaseKey",
    )
    await two_gateways.mutate_accepted(till, "redeemOffer", SHOWN, **at)
    await recorded(api_member, api_member.purchase("20.00", key=key))
    assert refusal_of(await two_gateways.mutate(till, "releaseOffer", SHOWN, **at)) == ("CONFLICT", "input.purchaseKey")


async def test_a_refund_takes_back_the_tier_that_its_purchase_gave(two_gateways: TwoGateways) -> None:
    member = await enrol(two_gateways.gateways[0])
    event = member.purchase("3000.00")

    async def tier() -> str:
        found = data(await member.gateway.ask(member.gateway.token("agent"), ORDERS, by=member.by))["member"]
        return str(found["status"]["tier"]["key"])

    before = await tier()
    await recorded(member, event)
    assert await tier() != before
    await refund(member, event["key"])
    assert await tier() == before
