"""Vouchers and passes through the API: raced through two gateways, seen by each role, pushed to the member."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ApiMember, ask_as, data, mutation, refusal_of, watch
from support.clients.two_gateways import TwoGateways
from support.servers.command_line import run_carillon
from support.servers.gateway import next_message

VOUCHER = "voucher { code expiresAt usedAt usedAtStore worth { amount currency } }"
ORDER = f"order {{ id number state {VOUCHER} history {{ state }} }}"
FIND = f"query ($by: OrderKey!) {{ order(by: $by) {{ id number state {VOUCHER} }} }}"
LIST = f"{{ me {{ orders(first: 5) {{ edges {{ node {{ number state {VOUCHER} }} }} }} }} }}"
READ = "query ($by: MemberKey!) { member(by: $by) { number } }"
NOTICES = "subscription { memberChanged { version notices { kind text } } }"
PASS_USED = "subscription { passUsed }"
TERMS = {"days": 30, "worth": "2.50"}


async def placed(gateways: TwoGateways, member: ApiMember, reward: str, **about: Any) -> dict[str, Any]:
    """Order a reward as the member; return the order."""
    fields = {"reward": reward, "channel": "APP", **about}
    order: dict[str, Any] = (await gateways.mutate_accepted(member.token(), "placeOrder", ORDER, **fields))["order"]
    return order


async def coffee_voucher(gateways: TwoGateways) -> tuple[ApiMember, dict[str, Any]]:
    """Return a member, and its order of a discount that is used in a store."""
    reward = await gateways.save_item("REWARD", kind="DISCOUNT", category="kitchen", points=10, voucher=TERMS)
    [member] = await gateways.enrol_members(1, points=100)
    return member, await placed(gateways, member, reward, quantity=2)


async def redeem(gateways: TwoGateways, code: str, *, role: str = "till", **about: Any) -> dict[str, Any]:
    """Redeem a voucher; return the payload."""
    fields = {"code": code, "channel": "STORE", "store": "330", **about}
    return await gateways.mutate(gateways.token(role), "redeemVoucher", ORDER, **fields)


async def found(gateways: TwoGateways, token: str, **by: str) -> dict[str, Any] | None:
    """Find an order."""
    order: dict[str, Any] | None = (await gateways.ask(token, FIND, by=by))["order"]
    return order


async def test_a_voucher_that_both_gateways_redeem_at_once_is_used_once(two_gateways: TwoGateways) -> None:
    member, order = await coffee_voucher(two_gateways)
    voucher = order["voucher"]
    assert (order["state"], voucher["usedAt"], voucher["usedAtStore"]) == ("FULFILLED", None, None)
    assert (Decimal(voucher["worth"]["amount"]), voucher["worth"]["currency"]) == (Decimal(5), "USD")
    assert datetime.fromisoformat(voucher["expiresAt"]) > datetime.now(UTC) + timedelta(days=30)
    payloads = await asyncio.gather(*(redeem(two_gateways, voucher["code"], store=f"s-{n}") for n in range(20)))
    [won] = [payload for payload in payloads if not payload["userErrors"]]
    store = won["order"]["voucher"]["usedAtStore"]
    assert won["order"]["voucher"]["usedAt"]
    for lost in payloads:
        if lost is not won:
            assert refusal_of(lost) == ("CONFLICT", "input.code")
            assert f"in store {store}" in lost["userErrors"][0]["message"]
    [listed] = (await two_gateways.ask(member.token(), LIST))["me"]["orders"]["edges"]
    assert listed["node"]["voucher"]["usedAtStore"] == store
    # Gateways log and count nothing of a code.
    for gateway in two_gateways.gateways:
        async with gateway.client() as client:
            metrics = (await client.get("/metrics")).text
        for text in (gateway.output.read_text(errors="replace"), metrics):
            assert voucher["code"] not in text
    audited = await run_carillon("audit", "--data-dir", two_gateways.data_dir())
    assert audited.code == 0, audited.out


async def test_replays_give_the_first_result_through_either_gateway(two_gateways: TwoGateways) -> None:
    _, order = await coffee_voucher(two_gateways)
    key = uuid4().hex
    first, *again = [await redeem(two_gateways, order["voucher"]["code"], key=key) for _ in range(4)]
    assert first["userErrors"] == []
    assert [payload["replayed"] for payload in (first, *again)] == [False, True, True, True]
    assert all(payload["order"] == first["order"] for payload in again)


async def test_who_may_redeem_and_find(two_gateways: TwoGateways) -> None:
    member, order = await coffee_voucher(two_gateways)
    [stranger] = await two_gateways.enrol_members(1, points=1)
    code, number = order["voucher"]["code"], order["number"]
    keys = ({"id": order["id"]}, {"number": number.lower()}, {"code": code.replace("-", " ")})
    gateway = two_gateways.gateways[0]
    for by in keys:
        own = await found(two_gateways, member.token(), **by)
        assert own is not None
        assert own["voucher"]["code"] == code
        assert await found(two_gateways, stranger.token(), **by) is None
        for role in ("agent", "manager"):
            seen = await found(two_gateways, two_gateways.token(role), **by)
            assert seen is not None
            assert seen["voucher"]["code"] == code
        at_till = await found(two_gateways, two_gateways.token("till"), **by)
        assert at_till is not None
        # A till sees the code that it was shown, not the codes of orders that it looks up.
        assert (at_till["voucher"] is not None) is ("code" in by)
        for role in ("kiosk", "service"):
            answer = await gateway.ask(gateway.token(role), FIND, by=by)
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    use = {"key": uuid4().hex, "code": code, "channel": "STORE"}
    redemption = "mutation ($input: RedeemVoucherInput!) { redeemVoucher(input: $input) { replayed } }"
    for token in (member.token(), gateway.token("kiosk"), None):
        answer = await gateway.ask(token, redemption, input=use)
        assert answer["errors"][0]["extensions"]["code"] in {"FORBIDDEN", "UNAUTHENTICATED"}
    assert (await redeem(two_gateways, code, role="agent"))["userErrors"] == []
    used = await found(two_gateways, two_gateways.token("till"), number=number)
    assert used is not None
    assert used["voucher"]["usedAtStore"] == "330"


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ({}, "BAD_USER_INPUT"),
        ({"number": "7K2M-0QZT-4H9D", "code": "7K2M-0QZT-4H9D"}, "BAD_USER_INPUT"),
        ({"number": None}, "BAD_USER_INPUT"),
        ({"number": 5}, "BAD_USER_INPUT"),
        ({"email": "a@example.org"}, "BAD_USER_INPUT"),
        ({"id": "nonsense"}, None),
        ({"id": "UmV3YXJkOmdyb2NlcjpicmVhZA"}, None),
        ({"number": ""}, None),
        ({"code": "0" * 900}, None),
        ({"code": "0" * 1001}, "BAD_USER_INPUT"),
        ({"number": "0000-0000-0000"}, None),
        ({"code": "💥"}, None),
    ],
)
async def test_wrong_keys_are_refused_and_unknown_ones_find_nothing(
    two_gateways: TwoGateways, by: dict[str, Any], code: str | None
) -> None:
    gateway = two_gateways.gateways[0]
    answer = await gateway.ask(gateway.token("till"), FIND, by=by)
    if code is None:
        assert data(answer) == {"order": None}
    else:
        assert answer["errors"][0]["extensions"]["code"] == code


async def test_an_offline_till_reports_a_use_at_its_own_time(two_gateways: TwoGateways) -> None:
    _, order = await coffee_voucher(two_gateways)
    code, now = order["voucher"]["code"], datetime.now(UTC)
    for wrong, expected in (
        (now + timedelta(minutes=6), "INVALID"),
        (now - timedelta(minutes=10), "INVALID"),
        (datetime(1970, 1, 1, tzinfo=UTC), "INVALID"),
    ):
        payload = await redeem(two_gateways, code, occurredAt=wrong.isoformat())
        assert refusal_of(payload) == (expected, "input.occurredAt")
    at = (now + timedelta(minutes=2)).replace(microsecond=0)
    payload = await redeem(two_gateways, code, occurredAt=at.isoformat())
    assert datetime.fromisoformat(payload["order"]["voucher"]["usedAt"]) == at


async def test_an_order_for_a_store_and_its_cancellation(two_gateways: TwoGateways) -> None:
    reward = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=10)
    [member] = await two_gateways.enrol_members(1, points=100)
    address = {"name": "Ann", "line1": "1 Way", "postalCode": "1", "city": "Here", "country": "FR"}
    sent = await placed(two_gateways, member, reward, delivery=address)
    assert sent["voucher"] is None
    order = await placed(two_gateways, member, reward, delivery={**address, "store": "330"})
    code = order["voucher"]["code"]
    assert refusal_of(await redeem(two_gateways, code, store="331")) == ("NOT_ELIGIBLE", "input.store")
    assert refusal_of(await redeem(two_gateways, code, store=None)) == ("INVALID", "input.store")
    collected = (await redeem(two_gateways, code))["order"]
    assert (collected["state"], [step["state"] for step in collected["history"]]) == (
        "FULFILLED",
        ["PLACED", "FULFILLED"],
    )
    cancelled = await two_gateways.mutate(two_gateways.token("agent"), "cancelOrder", ORDER, order=order["id"])
    assert refusal_of(cancelled)[0] == "CONFLICT"
    other = await placed(two_gateways, member, reward)
    after = await two_gateways.mutate_accepted(member.token(), "cancelOrder", ORDER, order=other["id"])
    assert after["order"]["voucher"] is None
    assert refusal_of(await redeem(two_gateways, other["voucher"]["code"])) == ("CONFLICT", "input.code")


@pytest.mark.parametrize(
    ("locale", "words"), [("en", "already used"), ("fr", "déjà été utilisé"), ("ar", "سبق استخدام")]
)
async def test_refusals_and_notices_are_worded_in_each_language(
    two_gateways: TwoGateways, locale: str, words: str
) -> None:
    member, order = await coffee_voucher(two_gateways)
    gateway = two_gateways.gateways[0]
    async with gateway.socket(member.token(), **{"Accept-Language": locale}) as socket:
        await watch(socket, query=NOTICES)
        await next_message(socket)
        await redeem(two_gateways, order["voucher"]["code"])
        [notice] = (await next_message(socket))["payload"]["data"]["memberChanged"]["notices"]
    assert notice["kind"] == "VOUCHER_USED"
    assert {"en": "Voucher used", "fr": "Bon d’achat utilisé", "ar": "استُخدمت القسيمة"}[locale] in notice["text"]
    use = {"key": uuid4().hex, "code": order["voucher"]["code"], "channel": "STORE"}
    answer = await ask_as(gateway, gateway.token("till"), mutation("redeemVoucher"), locale=locale, input=use)
    assert words in data(answer)["redeemVoucher"]["userErrors"][0]["message"]


async def test_a_till_reads_the_apps_pass_and_no_other_caller_may(two_gateways: TwoGateways) -> None:
    [member] = await two_gateways.enrol_members(1, points=1)
    gateway = two_gateways.gateways[0]
    tills = [gateway.token("till", sub=f"till-{n}") for n in range(8)]
    async with gateway.socket(member.token()) as socket:
        await watch(socket, query=PASS_USED)
        assert (await next_message(socket))["payload"]["data"] == {"passUsed": None}
        code = (await two_gateways.ask(member.token(), "{ pass { code } }"))["pass"]["code"]
        answers = await asyncio.gather(
            *(two_gateways.gateways[n % 2].ask(till, READ, by={"pass": code}) for n, till in enumerate(tills))
        )
        used = (await next_message(socket))["payload"]["data"]["passUsed"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(used)) < timedelta(minutes=1)
    [bound] = [n for n, answer in enumerate(answers) if "errors" not in answer]
    assert data(answers[bound]) == {"member": {"number": member.number}}
    for n, answer in enumerate(answers):
        if n != bound:
            assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"
            assert "already been used" in answer["errors"][0]["message"]
    purchase = member.purchase("12.00", member={"pass": code})
    record = "mutation ($input: RecordEventInput!) { recordEvent(input: $input) { replayed userErrors { code path } } }"
    first, again = [data(await gateway.ask(tills[bound], record, input=purchase))["recordEvent"] for _ in range(2)]
    assert (first["userErrors"], again["userErrors"], again["replayed"]) == ([], [], True)
    stranger = data(await gateway.ask(tills[bound - 1], record, input=purchase))["recordEvent"]
    assert stranger["userErrors"] == [{"code": "CONFLICT", "path": ["input", "member", "pass"]}]
    for n, expected in ((bound, "next"), (bound - 1, "error")):
        async with gateway.socket(tills[n]) as socket:
            await watch(socket, {"pass": code})
            message = await next_message(socket)
            assert message["type"] == expected or "errors" in message["payload"]
    own = await gateway.ask(member.token(), READ, by={"pass": "CP1.a.1.b.c"})
    assert own["errors"][0]["extensions"]["code"] == "NOT_FOUND"
