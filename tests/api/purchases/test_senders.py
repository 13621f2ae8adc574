"""Returns across tills and the web shop, through two gateways and past one that is killed."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import RECORD, RECORD_MANY, data, mutation
from support.clients.two_gateways import TwoGateways
from support.programme_files import programme_source
from support.servers.command_line import run_carillon
from support.servers.gateway import GatewayProcess

RULES = 'senders:\n  - {who: "till-*", may_refer_to: ["webshop", "till-*"]}\n'
WAITING = RECORD.replace("replayed", "replayed waiting")
WAITING_MANY = RECORD_MANY.replace("replayed", "replayed waiting")
WAITING_EVENTS = """query ($first: Int, $after: String) {
  waitingEvents(first: $first, after: $after) {
    edges { cursor node { id type sender key waitsFor since until } }
    pageInfo { hasNextPage endCursor }
  }
}"""


@dataclass
class Brand:
    """A brand of its own on two gateways."""

    gateways: tuple[GatewayProcess, ...]
    key: str
    number: str = ""
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def token(self, sender: str, role: str = "till") -> str:
        return self.gateways[0].token(role, sub=sender, programme=self.key)

    def event(self, key: str, **about: Any) -> dict[str, Any]:
        fields = {"key": key, "type": "purchase", "member": {"number": self.number}, "channel": "STORE"}
        fields["occurredAt"] = self.at
        return {name: value for name, value in {**fields, **about}.items() if value is not None}

    async def record(self, sender: str, event: dict[str, Any], *, gateway: int = 0) -> dict[str, Any]:
        answer = await self.gateways[gateway].ask(self.token(sender), WAITING, input=event)
        found: dict[str, Any] = data(answer)["recordEvent"]
        return found

    async def buy(self, sender: str, key: str, total: str = "40.00", *, gateway: int = 0) -> dict[str, Any]:
        event = self.event(key, purchase={"total": total, "currency": "EUR"})
        return await self.record(sender, event, gateway=gateway)

    async def give_back(self, sender: str, key: str, of: str, *, gateway: int = 0, **about: Any) -> dict[str, Any]:
        return await self.record(sender, self.event(key, type="refund", refundOf=of, **about), gateway=gateway)

    async def points(self) -> int:
        query = "query ($by: MemberKey!) { member(by: $by) { points { available } } }"
        answer = await self.gateways[1].ask(self.token("agent", "agent"), query, by={"number": self.number})
        found: int = data(answer)["member"]["points"]["available"]
        return found

    async def waiting(self, **page: Any) -> dict[str, Any]:
        answer = await self.gateways[1].ask(self.token("agent", "agent"), WAITING_EVENTS, **page)
        found: dict[str, Any] = data(answer)["waitingEvents"]
        return found


@pytest.fixture
async def brand(two_gateways: TwoGateways, tmp_path: Path) -> Brand:
    """A brand with rules for its senders, and one member."""
    key = f"tills-{uuid4().hex[:8]}"
    file = tmp_path / "tills.yaml"
    file.write_text(programme_source("coffee").replace("programme: coffee", f"programme: {key}", 1) + RULES)
    ran = await run_carillon("programme", "apply", str(file), "--data-dir", two_gateways.data_dir())
    assert ran.code == 0, ran.err
    brand = Brand(two_gateways.gateways, key)
    async with asyncio.timeout(15):
        for gateway in brand.gateways:
            while not (await gateway.ask(brand.token("till-1"), "{ programme { name } }"))["data"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    query = """mutation ($input: EnrolInput!) { enrol(input: $input) { member { number } userErrors { code } } }"""
    answer = await brand.gateways[0].ask(brand.token("till-1"), query, input={"key": uuid4().hex, "channel": "STORE"})
    brand.number = data(answer)["enrol"]["member"]["number"]
    return brand


def outcome(payload: dict[str, Any]) -> tuple[bool, list[str]]:
    return payload["waiting"], [error["code"] for error in payload["userErrors"]]


async def test_a_web_order_is_returned_at_a_till_and_a_till_s_purchase_at_another(brand: Brand) -> None:
    start = await brand.points()
    await brand.buy("webshop", "w-1")
    await brand.buy("till-1", "t-1")
    assert await brand.points() > start
    assert outcome(await brand.give_back("webshop", "b-0", "t-1")) == (False, ["NOT_FOUND"])
    assert outcome(await brand.give_back("till-2", "b-1", "w-1", gateway=1)) == (False, [])
    assert outcome(await brand.give_back("till-2", "b-2", "t-1", refSender="till-1")) == (False, [])
    assert await brand.points() == start


async def test_two_senders_with_one_key_need_its_sender(brand: Brand) -> None:
    await brand.buy("webshop", "r-1")
    await brand.buy("till-1", "r-1", "60.00")
    payload = await brand.give_back("till-2", "b-1", "r-1")
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID", ["input", "refSender"])
    assert "`refSender`" in error["message"]
    assert outcome(await brand.give_back("till-2", "b-1", "r-1", refSender="webshop")) == (False, [])


async def test_a_refund_waits_visibly_past_a_gateway_that_is_killed(brand: Brand, tmp_path: Path) -> None:
    third = GatewayProcess.start("serve", data_dir=brand.gateways[0].data_dir, output=tmp_path / "third.log")
    start = await brand.points()
    try:
        for number in range(3):
            event = brand.event(f"back-{number}", type="refund", ref=f"w-{number}")
            answer = await third.ask(brand.token("till-1"), WAITING, input=event)
            payload = data(answer)["recordEvent"]
            assert (outcome(payload), payload["entries"]) == ((True, []), [])
            [why] = payload["why"]
            assert (why["points"], why["applied"], f"w-{number}" in why["reason"]) == (0, False, True)
    finally:
        third.kill()
    first = await brand.waiting(first=2)
    rest = await brand.waiting(first=2, after=first["pageInfo"]["endCursor"])
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    shown = [edge["node"] for edge in first["edges"] + rest["edges"]]
    assert [(one["type"], one["sender"], one["key"], one["waitsFor"]) for one in shown] == [
        ("refund", "till-1", f"back-{number}", f"w-{number}") for number in range(3)
    ]
    replay = await brand.record("till-1", brand.event("back-0", type="refund", refundOf="w-0"))
    assert (replay["replayed"], *outcome(replay)) == (True, True, [])
    audited = await run_carillon("audit", "--data-dir", str(brand.gateways[0].data_dir))
    assert audited.code == 0, audited.out
    assert "waiting: refund back-1 of sender till-1 for purchase w-1 of member" in " ".join(audited.out.split())
    for number in range(3):
        await brand.buy("webshop", f"w-{number}", gateway=number % 2)
    assert await brand.points() == start
    assert (await brand.waiting())["edges"] == []
    counted = await brand.record("till-1", brand.event("back-0", type="refund", refundOf="w-0"), gateway=1)
    assert (counted["replayed"], *outcome(counted)) == (True, False, [])
    assert [entry["kind"] for entry in counted["entries"]] == ["REVERSE"]


async def test_a_batch_in_any_order_and_both_at_once_through_two_gateways(brand: Brand) -> None:
    start = await brand.points()
    refund = brand.event("b-1", type="refund", refundOf="t-1")
    bought = brand.event("t-1", purchase={"total": "40.00", "currency": "EUR"})
    answer = await brand.gateways[0].ask(brand.token("till-1"), WAITING_MANY, input=[refund, bought])
    assert [outcome(one) for one in data(answer)["recordEvents"]] == [(True, []), (False, [])]
    assert await brand.points() == start
    payloads = await asyncio.gather(
        *(brand.buy("webshop", f"w-{number}", gateway=number % 2) for number in range(10)),
        *(brand.give_back("till-3", f"w-back-{number}", f"w-{number}", gateway=1) for number in range(10)),
    )
    assert all(payload["userErrors"] == [] for payload in payloads)
    assert await brand.points() == start
    assert (await brand.waiting())["edges"] == []


@pytest.mark.parametrize(
    ("role", "allowed"), [("till", False), ("kiosk", False), ("agent", True), ("manager", True), ("service", True)]
)
async def test_staff_list_what_waits(brand: Brand, role: str, allowed: bool) -> None:
    await brand.give_back("till-1", "b-1", "t-1")
    answer = await brand.gateways[0].ask(brand.token(role, role), WAITING_EVENTS)
    assert ("errors" not in answer) is allowed
    if allowed:
        assert len(data(answer)["waitingEvents"]["edges"]) == 1
    other = await brand.gateways[0].ask(brand.gateways[0].token("agent"), WAITING_EVENTS)
    assert [edge for edge in data(other)["waitingEvents"]["edges"] if edge["node"]["key"] == "b-1"] == []


async def test_an_offer_names_its_purchase_s_sender(brand: Brand) -> None:
    answer = await brand.gateways[0].ask(
        brand.token("till-1"),
        mutation("redeemOffer"),
        input={
            "key": uuid4().hex,
            "channel": "STORE",
            "member": {"number": brand.number},
            "code": "no such code",
            "purchaseKey": "w-1",
            "purchaseSender": " ",
        },
    )
    [error] = data(answer)["redeemOffer"]["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID", ["input", "purchaseSender"])
