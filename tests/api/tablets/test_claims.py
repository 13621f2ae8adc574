"""Purchases typed at a tablet, through two gateways on one database."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ApiMember, code_of, data, mutation, refusal_of
from support.clients.two_gateways import TwoGateways

RECORD = mutation(
    "recordEvent", "waiting entries { points } why { rule points applied reason } member { points { available } }"
)
CLAIMS = """query ($by: MemberKey!) {
  member(by: $by) {
    points { available }
    claims { entry receipt store total { amount currency } occurredAt until }
    activity(first: 5) { edges { node { id } } }
  }
}"""
DECIDE = mutation("decidePending", "entries { points kind } member { points { available } claims { receipt } }")


class Shop:
    """A tablet, a till and staff, who use the gateways in turn."""

    def __init__(self, gateways: TwoGateways) -> None:
        self.gateways = gateways

    async def sale(
        self, role: str, member: ApiMember, total: str, receipt: str | None = None, **about: Any
    ) -> dict[str, Any]:
        """Record a purchase; return its payload."""
        purchase = {"total": total, "currency": "USD", **({"receipt": receipt} if receipt is not None else {})}
        event = member.purchase(store="367", **{"purchase": purchase, **about})
        payload: dict[str, Any] = (await self.gateways.ask(self.gateways.token(role), RECORD, input=event))[
            "recordEvent"
        ]
        return payload

    async def decide(self, entry: str, *, role: str = "agent", **about: Any) -> dict[str, Any]:
        """Decide on a claim as staff; return the payload."""
        fields = {"key": uuid4().hex, "entry": entry, "accept": True, "reason": "the receipt was shown", **about}
        payload: dict[str, Any] = (await self.gateways.ask(self.gateways.token(role), DECIDE, input=fields))[
            "decidePending"
        ]
        return payload

    async def claims(self, member: ApiMember, role: str = "agent") -> dict[str, Any]:
        """Return the member's balance and claims, as staff see them."""
        found: dict[str, Any] = (await self.gateways.ask(self.gateways.token(role), CLAIMS, by=member.by))["member"]
        return found


@pytest.fixture
def shop(two_gateways: TwoGateways) -> Shop:
    return Shop(two_gateways)


async def test_shopper_who_types_an_amount_gets_nothing(shop: Shop, api_member: ApiMember) -> None:
    payload = await shop.sale("kiosk", api_member, "999.99")
    assert (payload["userErrors"], payload["waiting"]) == ([], True)
    assert payload["entries"] == [{"points": 0}]
    assert payload["member"] == {"points": {"available": 0}}
    [why] = payload["why"]
    assert (why["rule"], why["points"], why["applied"]) == ("receipt", 0, False)
    assert "staff confirm" in why["reason"]


async def test_claim_is_visible_and_counts_once_at_the_till(shop: Shop, api_member: ApiMember) -> None:
    receipt = f"r-{uuid4().hex}"
    first = await shop.sale("kiosk", api_member, "50.00", receipt)
    assert first["waiting"] is True
    assert receipt in first["why"][0]["reason"]
    [claim] = (await shop.claims(api_member))["claims"]
    assert (claim["receipt"], claim["store"]) == (receipt, "367")
    assert claim["total"] == {"amount": "50.00", "currency": "USD"}
    assert refusal_of(await shop.sale("till", api_member, "9.99", receipt)) == ("CONFLICT", "input.purchase.total")
    counted = await shop.sale("till", api_member, "50.00", receipt.upper().replace("-", " "))
    assert (counted["waiting"], counted["member"]) == (False, {"points": {"available": 50}})
    for role in ("till", "kiosk", "agent"):
        assert refusal_of(await shop.sale(role, api_member, "50", receipt)) == (
            "ALREADY_EXISTS",
            "input.purchase.receipt",
        )
    state = await shop.claims(api_member)
    assert (state["points"], state["claims"]) == ({"available": 50}, [])


@pytest.mark.parametrize("accept", [True, False])
async def test_staff_decide_once(shop: Shop, api_member: ApiMember, accept: bool) -> None:
    await shop.sale("kiosk", api_member, "50.00")
    [claim] = (await shop.claims(api_member))["claims"]
    key = uuid4().hex
    decided = await shop.decide(claim["entry"], accept=accept, key=key)
    points = 50 if accept else 0
    assert decided["userErrors"] == []
    assert [entry["points"] for entry in decided["entries"]] == [points]
    assert decided["member"] == {"points": {"available": points}, "claims": []}
    assert (await shop.decide(claim["entry"], accept=accept, key=key))["replayed"] is True
    assert refusal_of(await shop.decide(claim["entry"], accept=not accept, key=key)) == ("KEY_REUSED", "input.key")
    for role in ("agent", "manager"):
        assert refusal_of(await shop.decide(claim["entry"], role=role)) == ("CONFLICT", "input.entry")
    for entry in ("", "x", claim["entry"][:-4], (await shop.claims(api_member))["activity"]["edges"][0]["node"]["id"]):
        assert refusal_of(await shop.decide(entry)) == ("NOT_FOUND", "input.entry")
    assert (await shop.claims(api_member))["points"] == {"available": points}


async def test_only_staff_decide_and_a_till_sees_no_claims(shop: Shop, api_member: ApiMember) -> None:
    await shop.sale("kiosk", api_member, "50.00")
    [claim] = (await shop.claims(api_member))["claims"]
    fields = {"key": uuid4().hex, "entry": claim["entry"], "accept": True, "reason": "mine"}
    gateway = api_member.gateway
    for token in (api_member.token(), *(gateway.token(role) for role in ("kiosk", "till", "service"))):
        assert code_of(await gateway.ask(token, DECIDE, input=fields)) == "FORBIDDEN"
    assert code_of(await gateway.ask(gateway.token("till"), CLAIMS, by=api_member.by)) == "FORBIDDEN"
    own = data(await gateway.ask(api_member.token(), "{ me { claims { entry } } }"))
    assert own["me"] == {"claims": [{"entry": claim["entry"]}]}


async def test_claims_raced_through_two_gateways(shop: Shop) -> None:
    members = await shop.gateways.enrol_members(6, points=1)
    receipt = uuid4().hex
    claimed = await asyncio.gather(*(shop.sale("kiosk", member, "50", receipt) for member in members for _ in range(2)))
    assert sorted(len(payload["userErrors"]) for payload in claimed) == [0, *[1] * 11]
    assert {refusal_of(payload)[0] for payload in claimed if payload["userErrors"]} == {"ALREADY_EXISTS"}
    counted = await asyncio.gather(*(shop.sale("till", member, "50", receipt) for member in members for _ in range(2)))
    assert sum(not payload["userErrors"] for payload in counted) == 1
    assert sum(await shop.gateways.available_points(members)) == 56


@pytest.mark.parametrize("locale", ["en", "fr", "ar"])
async def test_claim_explains_itself_in_each_language(api_member: ApiMember, locale: str) -> None:
    gateway = api_member.gateway
    receipt = f"R{uuid4().hex[:6]}"
    event = api_member.purchase(purchase={"total": "5", "currency": "USD", "receipt": receipt})
    async with gateway.client(gateway.token("kiosk"), **{"accept-language": locale}) as client:
        answer = (await client.post("/graphql", json={"query": RECORD, "variables": {"input": event}})).json()
    [why] = data(answer)["recordEvent"]["why"]
    words = {"en": "till", "fr": "caisse", "ar": "الصندوق"}
    assert receipt in why["reason"]
    assert words[locale] in why["reason"]
