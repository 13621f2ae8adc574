"""Concurrent orders, holds and redemptions through two gateways: scarce items are given once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.clients.api import LIVE, next_update, watch
from support.clients.two_gateways import ACTIVATE, ADVANCE, CANCEL, HOLD, PLACE, REDEEM, RELEASE, TwoGateways
from support.servers.command_line import run_carillon

SHOPPERS = 200
FEW = 10
PRICE = 100


def codes_of(payloads: list[dict[str, Any]]) -> Counter[str]:
    """Return the number of each refusal; `ok` counts the accepted ones."""
    return Counter(error["code"] for payload in payloads for error in payload["userErrors"] or [{"code": "ok"}])


async def audited(two_gateways: TwoGateways) -> None:
    """Check that `carillon audit` finds no fault."""
    ran = await run_carillon("audit", "--data-dir", two_gateways.data_dir())
    assert ran.code == 0, ran.out


async def test_last_pieces_are_never_oversold(two_gateways: TwoGateways) -> None:
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=PRICE, stock=FEW)
    people = await two_gateways.enrol_members(SHOPPERS, points=PRICE)
    payloads = await asyncio.gather(*(two_gateways.place_order(api_member, mug) for api_member in people))
    assert codes_of(payloads) == {"ok": FEW, "OUT_OF_STOCK": SHOPPERS - FEW}
    orders = [payload["order"] for payload in payloads if payload["order"]]
    assert {order["state"] for order in orders} == {"PLACED"}
    assert len({order["number"] for order in orders}) == FEW
    # Members with an order have paid for it; the others have lost no points.
    paid = [0 if payload["order"] else PRICE for payload in payloads]
    assert await two_gateways.available_points(people) == paid
    left = await two_gateways.ask(
        two_gateways.token("till"), "query ($id: ID!) { node(id: $id) { ... on Reward { stock } } }", id=mug
    )
    assert left["node"]["stock"] == 0
    await audited(two_gateways)


async def test_last_codes_are_each_given_once(two_gateways: TwoGateways, tmp_path: Path) -> None:
    pool = f"pool-{uuid4().hex[:8]}"
    file = tmp_path / "codes.txt"
    file.write_text("".join(f"{pool}-{n}\n" for n in range(FEW)), encoding="utf-8")
    assert (await run_carillon("codes", "load", pool, str(file), "--data-dir", two_gateways.data_dir())).code == 0
    film = await two_gateways.save_item("REWARD", kind="DIGITAL_CODE", category="leisure", points=PRICE, pool=pool)
    people = await two_gateways.enrol_members(SHOPPERS, points=PRICE)
    payloads = await asyncio.gather(*(two_gateways.place_order(api_member, film) for api_member in people))
    assert codes_of(payloads) == {"ok": FEW, "OUT_OF_STOCK": SHOPPERS - FEW}
    given = [payload["order"]["code"] for payload in payloads if payload["order"]]
    assert sorted(given) == sorted(f"{pool}-{n}" for n in range(FEW))
    assert await two_gateways.available_points(people) == [0 if payload["order"] else PRICE for payload in payloads]
    await audited(two_gateways)


async def test_appointment_is_booked_once(two_gateways: TwoGateways) -> None:
    hours = {"hours": "08:00-20:00", "minutes": 60, "capacity": 1, "days_ahead": 30}
    styling = await two_gateways.save_item("REWARD", kind="SERVICE", category="care", points=PRICE, appointments=hours)
    query = "query ($id: ID!) { node(id: $id) { ... on Reward { appointments(first: 2) { at left } } } }"
    first, second = (await two_gateways.ask(two_gateways.token("till"), query, id=styling))["node"]["appointments"]
    assert (first["left"], second["left"]) == (1, 1)
    people = await two_gateways.enrol_members(SHOPPERS, points=PRICE)
    payloads = await asyncio.gather(
        *(two_gateways.place_order(api_member, styling, appointment=first["at"]) for api_member in people)
    )
    assert codes_of(payloads) == {"ok": 1, "OUT_OF_STOCK": SHOPPERS - 1}
    assert sum(await two_gateways.available_points(people)) == PRICE * (SHOPPERS - 1)
    [taken] = [payload["order"]["appointment"] for payload in payloads if payload["order"]]
    assert taken == first["at"]
    assert (await two_gateways.ask(two_gateways.token("till"), query, id=styling))["node"]["appointments"][0] == second
    await audited(two_gateways)


async def test_member_who_can_afford_one_of_many_concurrent_orders_gets_one(two_gateways: TwoGateways) -> None:
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=PRICE)
    [api_member] = await two_gateways.enrol_members(1, points=PRICE + 1)
    payloads = await asyncio.gather(*(two_gateways.place_order(api_member, mug) for _ in range(64)))
    assert codes_of(payloads) == {"ok": 1, "INSUFFICIENT_POINTS": 63}
    assert await two_gateways.available_points([api_member]) == [1]
    await audited(two_gateways)


async def test_single_use_offer_is_used_once_by_many_concurrent_tills(two_gateways: TwoGateways) -> None:
    offer = await two_gateways.save_item(
        "OFFER", kind="AMOUNT_OFF", terms={"en": ""}, first_day="2026-01-01", amount="5.00"
    )
    [api_member] = await two_gateways.enrol_members(1, points=1)

    async def redeem(n: int) -> dict[str, Any]:
        fields = {
            "key": uuid4().hex,
            "member": api_member.by,
            "offer": offer,
            "channel": "STORE",
            "purchaseKey": f"{offer}-{n}",
        }
        payload: dict[str, Any] = (await two_gateways.ask(two_gateways.token("till"), REDEEM, input=fields))[
            "redeemOffer"
        ]
        return payload

    payloads = await asyncio.gather(*(redeem(n) for n in range(64)))
    assert codes_of(payloads) == {"ok": 1, "LIMIT_REACHED": 63}
    [used] = [payload["memberOffer"] for payload in payloads if payload["memberOffer"]]
    assert (used["state"], used["usesLeft"]) == ("REDEEMED", 0)
    await audited(two_gateways)


async def test_order_is_tracked_on_every_channel_at_each_step(two_gateways: TwoGateways) -> None:
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=PRICE, stock=3)
    [api_member] = await two_gateways.enrol_members(1, points=2 * PRICE)
    live = LIVE.replace("resync", "resync notices { kind text direction }")
    async with two_gateways.gateways[1].socket(api_member.token(), **{"Accept-Language": "ar"}) as socket:
        await watch(socket, query=live)
        first = await next_update(socket)
        order = (await two_gateways.place_order(api_member, mug, quantity=2))["order"]
        update = await next_update(socket)
        assert (update["version"], update["resync"]) == (first["version"] + 1, False)
        assert [entry["points"] for entry in update["entries"]] == [-2 * PRICE]
        [notice] = update["notices"]
        assert (notice["kind"], notice["direction"]) == ("ORDER_PLACED", "RTL")
        assert notice["text"] == f"تم تسجيل الطلب {order['number']}: شيء"
        steps: list[tuple[str, dict[str, Any]]] = [
            ("CONFIRMED", {}),
            ("PREPARING", {}),
            ("SHIPPED", {"trackingUrl": "https://parcels.example/1", "note": "Tomorrow"}),
            ("DELIVERED", {}),
            ("RETURNED", {"quantity": 1}),
        ]
        changed: dict[str, Any] = {}
        for state, about in steps:
            fields = {"key": uuid4().hex, "order": order["id"], "state": state, **about}
            payload = (await two_gateways.ask(two_gateways.token("service"), ADVANCE, input=fields))["advanceOrder"]
            assert payload["userErrors"] == []
            changed = payload["order"]
            update = await next_update(socket)
            assert [notice["kind"] for notice in update["notices"]][-1:] == [f"ORDER_{state}"] or state == "RETURNED"
        assert (changed["state"], changed["returned"], changed["trackingUrl"]) == (
            "DELIVERED",
            1,
            "https://parcels.example/1",
        )
        assert [step["state"] for step in changed["history"]] == ["PLACED", *(state for state, _ in steps)]
        assert [step["note"] for step in changed["history"]][3] == "Tomorrow"
        assert update["member"]["points"]["available"] == PRICE
        query = "{ me { orders(first: 5) { edges { node { number state } } pageInfo { hasNextPage } } } }"
        shown = (await two_gateways.ask(api_member.token(), query))["me"]["orders"]
        assert shown == {
            "edges": [{"node": {"number": order["number"], "state": "DELIVERED"}}],
            "pageInfo": {"hasNextPage": False},
        }


async def test_hold_reserves_for_a_checkout_and_lapses(two_gateways: TwoGateways) -> None:
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=PRICE, stock=1)
    one, other = await two_gateways.enrol_members(2, points=PRICE)

    async def hold(ttl_seconds: int) -> dict[str, Any]:
        fields = {"key": uuid4().hex, "reward": mug, "ttlSeconds": ttl_seconds}
        payload: dict[str, Any] = (await two_gateways.ask(one.token(), HOLD, input=fields))["hold"]
        assert payload["userErrors"] == []
        return payload

    held = await hold(600)
    assert held["member"]["points"] == {"available": 0, "held": PRICE}
    assert codes_of([await two_gateways.place_order(other, mug)]) == {"OUT_OF_STOCK": 1}
    fields = {"key": uuid4().hex, "hold": held["hold"]["id"]}
    freed = (await two_gateways.ask(one.token(), RELEASE, input=fields))["release"]
    assert freed["member"]["points"] == {"available": PRICE, "held": 0}
    short = await hold(1)
    async with asyncio.timeout(15):
        while codes_of([await two_gateways.place_order(other, mug)]) != {"ok": 1}:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    late = await two_gateways.place_order(one, mug, hold=short["hold"]["id"])
    assert codes_of([late]) == {"EXPIRED": 1}
    assert await two_gateways.available_points([one, other]) == [PRICE, 0]
    await audited(two_gateways)


async def test_same_key_returns_the_same_order(two_gateways: TwoGateways) -> None:
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=PRICE)
    [api_member] = await two_gateways.enrol_members(1, points=5 * PRICE)
    fields = {"key": uuid4().hex, "reward": mug, "channel": "APP"}
    payloads = [
        answer["placeOrder"]
        for answer in await asyncio.gather(
            *(two_gateways.ask(api_member.token(), PLACE, input=fields) for _ in range(20))
        )
    ]
    assert codes_of(payloads) == {"ok": 20}
    assert sum(not payload["replayed"] for payload in payloads) == 1
    assert len({payload["order"]["id"] for payload in payloads}) == 1
    again = (await two_gateways.ask(api_member.token(), PLACE, input={**fields, "quantity": 2}))["placeOrder"]
    assert codes_of([again]) == {"KEY_REUSED": 1}
    cancelled = {"key": uuid4().hex, "order": payloads[0]["order"]["id"], "reason": "changed my mind"}
    payload = (await two_gateways.ask(api_member.token(), CANCEL, input=cancelled))["cancelOrder"]
    assert (payload["order"]["state"], payload["order"]["history"][-1]["note"]) == ("CANCELLED", "changed my mind")
    assert await two_gateways.available_points([api_member]) == [5 * PRICE]


async def test_offer_is_activated_shown_and_used_in_its_purchase(two_gateways: TwoGateways) -> None:
    today = datetime.now(UTC).date()
    offer = await two_gateways.save_item(
        "OFFER",
        kind="MULTIPLIER",
        terms={"en": ""},
        first_day="2026-01-01",
        last_day=(today + timedelta(days=400)).isoformat(),
        factor=3,
        activation=True,
        code={"member": f"T{uuid4().hex[:8].upper()}"},
    )
    [api_member] = await two_gateways.enrol_members(1, points=1)
    till = two_gateways.token("till")
    fields = {"key": uuid4().hex, "member": api_member.by, "offer": offer, "channel": "STORE", "purchaseKey": "p1"}
    early = (await two_gateways.ask(till, REDEEM, input=fields))["redeemOffer"]
    assert codes_of([early]) == {"NOT_ELIGIBLE": 1}
    activated = (await two_gateways.ask(api_member.token(), ACTIVATE, input={"key": uuid4().hex, "offer": offer}))[
        "activateOffer"
    ]
    assert (activated["userErrors"], activated["memberOffer"]["state"]) == ([], "ACTIVATED")
    query = "{ me { offers(first: 1) { edges { node { state code why offer { id } } } } } }"
    [edge] = (await two_gateways.ask(api_member.token(), query))["me"]["offers"]["edges"]
    assert (edge["node"]["offer"]["id"], edge["node"]["state"]) == (offer, "ACTIVATED")
    code = edge["node"]["code"]
    assert code.split("-")[1] == api_member.number
    # The code alone identifies the member; the till's next purchase has the key.
    purchase = api_member.purchase("10.00")
    used = {"key": uuid4().hex, "code": code.lower(), "channel": "STORE", "purchaseKey": purchase["key"]}
    redeemed = (await two_gateways.ask(till, REDEEM, input=used))["redeemOffer"]
    assert (redeemed["userErrors"], redeemed["memberOffer"]["state"]) == ([], "REDEEMED")
    counted = await api_member.buy("10.00", key=purchase["key"])
    assert counted["entries"][0]["points"] == 30
    assert [(why["points"], why["applied"]) for why in counted["why"] if why["rule"].startswith("offer/")] == [
        (20, True)
    ]
