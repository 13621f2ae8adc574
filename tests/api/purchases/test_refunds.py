"""Refunds by total, lines and quantity, and the real cost of offers, through the API."""

from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ApiMember, ask_as, data, record, refusal_of
from support.clients.two_gateways import TwoGateways

USED = "memberOffer { usesLeft }"
OFFERS = "{ me { offers(first: 100) { edges { node { offer { id } code } } } } }"


def receipt(total: str, *lines: tuple[str, str, int]) -> dict[str, Any]:
    """Return a purchase of (sku, amount, quantity)."""
    rows = [{"sku": sku, "amount": amount, "quantity": str(quantity)} for sku, amount, quantity in lines]
    return {"total": total, "currency": "USD", "lines": rows}


async def refund(api_member: ApiMember, key: str, back: dict[str, Any] | None) -> dict[str, Any]:
    return await record(api_member.gateway, api_member.purchase(type="refund", refundOf=key, purchase=back))


async def own_code(api_member: ApiMember, offer: str) -> str:
    """Return the member's own code for an offer."""
    answer = data(await ask_as(api_member.gateway, api_member.token(), OFFERS))
    [code] = [edge["node"]["code"] for edge in answer["me"]["offers"]["edges"] if edge["node"]["offer"]["id"] == offer]
    return str(code)


async def points(api_member: ApiMember) -> int:
    available: int = (await api_member.state())["points"]["available"]
    return available


@pytest.mark.parametrize(
    ("bought", "refunds", "left"),
    [
        (receipt("55.00", ("a", "50.00", 1)), [receipt("5.00"), receipt("50.00", ("a", "50.00", 1))], [50, 0]),
        (
            receipt("80.00", ("a", "60.00", 1), ("b", "40.00", 1)),
            [receipt("48.00", ("a", "48.00", 1)), receipt("32.00", ("b", "32.00", 1))],
            [32, 0],
        ),
        (receipt("10.00", ("a", "10.00", 3)), [receipt("3.33", ("a", "3.33", 1))] * 3, [7, 4, 0]),
        (receipt("10.01", ("a", "10.01", 3)), [receipt("3.34", ("a", "3.34", 1))] * 3, [7, 4, 0]),
        (receipt("20.00", ("a", "30.00", 1), ("off", "-10.00", 1)), [receipt("20.00", ("a", "30.00", 1))], [0]),
    ],
)
async def test_refunds_in_parts_take_everything_and_restore_the_use(
    two_gateways: TwoGateways, api_member: ApiMember, bought: dict[str, Any], refunds: list[Any], left: list[int]
) -> None:
    offer = await two_gateways.save_item("OFFER", first_day="2026-01-01", kind="SERVICE", returnable=True)
    till, key = two_gateways.token("till"), uuid4().hex
    use = {"offer": offer, "member": api_member.by, "channel": "STORE"}
    before = await points(api_member)
    await two_gateways.mutate_accepted(till, "redeemOffer", USED, **use, purchaseKey=key)
    await api_member.buy(key=key, purchase=bought)
    for place, back in enumerate(refunds):
        again = await two_gateways.mutate(till, "redeemOffer", USED, **use)
        assert refusal_of(again)[0] == "LIMIT_REACHED"
        payload = await refund(api_member, key, back)
        assert payload["userErrors"] == []
        assert await points(api_member) - before == left[place]
    assert refusal_of(await refund(api_member, key, None)) == ("INVALID", "input.refundOf")
    await two_gateways.mutate_accepted(till, "redeemOffer", USED, **use)


async def test_a_basket_that_cost_nothing_earns_nothing(api_member: ApiMember) -> None:
    before = await points(api_member)
    line = {"sku": "a", "amount": "100.00", "brand": "Private"}
    payload = await api_member.buy(purchase={"total": "0.00", "currency": "USD", "lines": [line]})
    assert (await points(api_member), [one["applied"] for one in payload["why"]]) == (before, [False, False])


async def test_more_than_is_left_is_refused_and_changes_nothing(api_member: ApiMember) -> None:
    key = uuid4().hex
    await api_member.buy(key=key, purchase=receipt("50.00", ("a", "50.00", 1)))
    assert (await refund(api_member, key, receipt("20.00")))["userErrors"] == []
    state = await api_member.state()
    refused = await refund(api_member, key, receipt("50.00", ("a", "50.00", 1)))
    assert refusal_of(refused) == ("INVALID", "input.purchase.total")
    assert refusal_of(await refund(api_member, key, receipt("30.01"))) == ("INVALID", "input.purchase.total")
    assert await api_member.state() == state
    assert (await refund(api_member, key, receipt("30.00")))["userErrors"] == []


@pytest.mark.parametrize(("forged", "is_used_up"), [(False, False), (True, True)])
async def test_a_members_own_code_must_be_genuine_to_state_a_discount(
    two_gateways: TwoGateways, api_member: ApiMember, *, forged: bool, is_used_up: bool
) -> None:
    prefix = f"M{uuid4().hex[:8].upper()}"
    half = {"first_day": "2026-01-01", "kind": "PERCENT_OFF", "percent": 50, "budget": "50.00"}
    offer = await two_gateways.save_item("OFFER", **half, weight=900, uses={"per_member": 5}, code={"member": prefix})
    till, key = two_gateways.token("till"), uuid4().hex
    use = {"offer": offer, "member": api_member.by, "channel": "STORE"}
    code = f"{prefix}-{api_member.number}-AAAAAAAA" if forged else await own_code(api_member, offer)
    await two_gateways.mutate_accepted(till, "redeemOffer", USED, **use, purchaseKey=key)
    discounts = [{"amount": "49.99", "code": code}]
    await api_member.buy(key=key, purchase={"total": "50.00", "currency": "USD", "discounts": discounts})
    again = await two_gateways.mutate(till, "redeemOffer", USED, **use)
    assert [error["code"] for error in again["userErrors"]] == (["LIMIT_REACHED"] if is_used_up else [])
