"""Orders, holds and redemptions through two gateways at once: what there is little of is given once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.api import LIVE, next_update, watch
from support.bazaar import ACTIVATE, ADVANCE, CANCEL, HOLD, PLACE, REDEEM, RELEASE, Bazaar
from support.terminal import carillon

SHOPPERS = 200
FEW = 10
PRICE = 100


def codes_of(payloads: list[dict[str, Any]]) -> Counter[str]:
    """Return how often each refusal came; `ok` for what was done."""
    return Counter(error["code"] for payload in payloads for error in payload["userErrors"] or [{"code": "ok"}])


async def audited(bazaar: Bazaar) -> None:
    """See that `carillon audit` finds nothing."""
    ran = await carillon("audit", "--data-dir", bazaar.data_dir())
    assert ran.code == 0, ran.out


async def test_last_pieces_go_to_as_many_members_and_to_no_more(bazaar: Bazaar) -> None:
    mug = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=PRICE, stock=FEW)
    people = await bazaar.newcomers(SHOPPERS, points=PRICE)
    payloads = await asyncio.gather(*(bazaar.place(person, mug) for person in people))
    assert codes_of(payloads) == {"ok": FEW, "OUT_OF_STOCK": SHOPPERS - FEW}
    orders = [payload["order"] for payload in payloads if payload["order"]]
    assert {order["state"] for order in orders} == {"PLACED"}
    assert len({order["number"] for order in orders}) == FEW
    # Who has an order has paid for it; nobody else has lost a point.
    paid = [0 if payload["order"] else PRICE for payload in payloads]
    assert await bazaar.available(people) == paid
    left = await bazaar.ask(
        bazaar.token("till"), "query ($id: ID!) { node(id: $id) { ... on Reward { stock } } }", id=mug
    )
    assert left["node"]["stock"] == 0
    await audited(bazaar)


async def test_last_codes_go_to_as_many_members_each_once(bazaar: Bazaar, tmp_path: Path) -> None:
    pool = f"pool-{uuid4().hex[:8]}"
    file = tmp_path / "codes.txt"
    file.write_text("".join(f"{pool}-{n}\n" for n in range(FEW)), encoding="utf-8")
    assert (await carillon("codes", "load", pool, str(file), "--data-dir", bazaar.data_dir())).code == 0
    film = await bazaar.put("REWARD", kind="DIGITAL_CODE", category="leisure", points=PRICE, pool=pool)
    people = await bazaar.newcomers(SHOPPERS, points=PRICE)
    payloads = await asyncio.gather(*(bazaar.place(person, film) for person in people))
    assert codes_of(payloads) == {"ok": FEW, "OUT_OF_STOCK": SHOPPERS - FEW}
    given = [payload["order"]["code"] for payload in payloads if payload["order"]]
    assert sorted(given) == sorted(f"{pool}-{n}" for n in range(FEW))
    assert await bazaar.available(people) == [0 if payload["order"] else PRICE for payload in payloads]
    await audited(bazaar)


async def test_appointment_for_one_is_given_to_one(bazaar: Bazaar) -> None:
    hours = {"hours": "08:00-20:00", "minutes": 60, "capacity": 1, "days_ahead": 30}
    styling = await bazaar.put("REWARD", kind="SERVICE", category="care", points=PRICE, appointments=hours)
    query = "query ($id: ID!) { node(id: $id) { ... on Reward { appointments(first: 2) { at left } } } }"
    first, second = (await bazaar.ask(bazaar.token("till"), query, id=styling))["node"]["appointments"]
    assert (first["left"], second["left"]) == (1, 1)
    people = await bazaar.newcomers(SHOPPERS, points=PRICE)
    payloads = await asyncio.gather(*(bazaar.place(person, styling, appointment=first["at"]) for person in people))
    assert codes_of(payloads) == {"ok": 1, "OUT_OF_STOCK": SHOPPERS - 1}
    assert sum(await bazaar.available(people)) == PRICE * (SHOPPERS - 1)
    [taken] = [payload["order"]["appointment"] for payload in payloads if payload["order"]]
    assert taken == first["at"]
    assert (await bazaar.ask(bazaar.token("till"), query, id=styling))["node"]["appointments"][0] == second
    await audited(bazaar)


async def test_member_who_can_pay_one_order_gets_one_of_many_at_once(bazaar: Bazaar) -> None:
    mug = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=PRICE)
    [person] = await bazaar.newcomers(1, points=PRICE + 1)
    payloads = await asyncio.gather(*(bazaar.place(person, mug) for _ in range(64)))
    assert codes_of(payloads) == {"ok": 1, "INSUFFICIENT_POINTS": 63}
    assert await bazaar.available([person]) == [1]
    await audited(bazaar)


async def test_single_use_offer_is_used_once_by_many_tills_at_once(bazaar: Bazaar) -> None:
    offer = await bazaar.put("OFFER", kind="AMOUNT_OFF", terms={"en": ""}, first_day="2026-01-01", amount="5.00")
    [person] = await bazaar.newcomers(1, points=1)

    async def redeem(n: int) -> dict[str, Any]:
        told = {
            "key": uuid4().hex,
            "member": person.by,
            "offer": offer,
            "channel": "STORE",
            "purchaseKey": f"{offer}-{n}",
        }
        payload: dict[str, Any] = (await bazaar.ask(bazaar.token("till"), REDEEM, input=told))["redeemOffer"]
        return payload

    payloads = await asyncio.gather(*(redeem(n) for n in range(64)))
    assert codes_of(payloads) == {"ok": 1, "LIMIT_REACHED": 63}
    [used] = [payload["memberOffer"] for payload in payloads if payload["memberOffer"]]
    assert (used["state"], used["usesLeft"]) == ("REDEEMED", 0)
    await audited(bazaar)


async def test_order_is_tracked_on_every_channel_at_each_step(bazaar: Bazaar) -> None:
    mug = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=PRICE, stock=3)
    [person] = await bazaar.newcomers(1, points=2 * PRICE)
    live = LIVE.replace("resync", "resync notices { kind text direction }")
    async with bazaar.gateways[1].socket(person.token(), **{"Accept-Language": "ar"}) as socket:
        await watch(socket, query=live)
        first = await next_update(socket)
        order = (await bazaar.place(person, mug, quantity=2))["order"]
        update = await next_update(socket)
        assert (update["version"], update["resync"]) == (first["version"] + 1, False)
        assert [entry["points"] for entry in update["entries"]] == [-2 * PRICE]
        [notice] = update["notices"]
        assert (notice["kind"], notice["direction"]) == ("ORDER_PLACED", "RTL")
        assert notice["text"] == f"تم تسجيل الطلب {order['number']}: شيء"
        steps = [
            ("CONFIRMED", {}),
            ("PREPARING", {}),
            ("SHIPPED", {"trackingUrl": "https://parcels.example/1", "note": "Tomorrow"}),
            ("DELIVERED", {}),
            ("RETURNED", {"quantity": 1}),
        ]
        for state, about in steps:
            told = {"key": uuid4().hex, "order": order["id"], "state": state, **about}
            payload = (await bazaar.ask(bazaar.token("service"), ADVANCE, input=told))["advanceOrder"]
            assert payload["userErrors"] == []
            update = await next_update(socket)
            assert [notice["kind"] for notice in update["notices"]][-1:] == [f"ORDER_{state}"] or state == "RETURNED"
        told_order = payload["order"]
        assert (told_order["state"], told_order["returned"], told_order["trackingUrl"]) == (
            "DELIVERED",
            1,
            "https://parcels.example/1",
        )
        assert [step["state"] for step in told_order["history"]] == ["PLACED", *(state for state, _ in steps)]
        assert [step["note"] for step in told_order["history"]][3] == "Tomorrow"
        assert update["member"]["points"]["available"] == PRICE
        query = "{ me { orders(first: 5) { edges { node { number state } } pageInfo { hasNextPage } } } }"
        shown = (await bazaar.ask(person.token(), query))["me"]["orders"]
        assert shown == {
            "edges": [{"node": {"number": order["number"], "state": "DELIVERED"}}],
            "pageInfo": {"hasNextPage": False},
        }


async def test_hold_keeps_for_a_checkout_and_lets_go_by_itself(bazaar: Bazaar) -> None:
    mug = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=PRICE, stock=1)
    one, other = await bazaar.newcomers(2, points=PRICE)

    async def hold(ttl_seconds: int) -> dict[str, Any]:
        told = {"key": uuid4().hex, "reward": mug, "ttlSeconds": ttl_seconds}
        payload: dict[str, Any] = (await bazaar.ask(one.token(), HOLD, input=told))["hold"]
        assert payload["userErrors"] == []
        return payload

    kept = await hold(600)
    assert kept["member"]["points"] == {"available": 0, "held": PRICE}
    assert codes_of([await bazaar.place(other, mug)]) == {"OUT_OF_STOCK": 1}
    told = {"key": uuid4().hex, "hold": kept["hold"]["id"]}
    freed = (await bazaar.ask(one.token(), RELEASE, input=told))["release"]
    assert freed["member"]["points"] == {"available": PRICE, "held": 0}
    short = await hold(1)
    async with asyncio.timeout(15):
        while codes_of([await bazaar.place(other, mug)]) != {"ok": 1}:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    late = await bazaar.place(one, mug, hold=short["hold"]["id"])
    assert codes_of([late]) == {"EXPIRED": 1}
    assert await bazaar.available([one, other]) == [PRICE, 0]
    await audited(bazaar)


async def test_same_key_gives_the_same_order_again_and_no_second(bazaar: Bazaar) -> None:
    mug = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=PRICE)
    [person] = await bazaar.newcomers(1, points=5 * PRICE)
    told = {"key": uuid4().hex, "reward": mug, "channel": "APP"}
    payloads = [
        answer["placeOrder"]
        for answer in await asyncio.gather(*(bazaar.ask(person.token(), PLACE, input=told) for _ in range(20)))
    ]
    assert codes_of(payloads) == {"ok": 20}
    assert sum(not payload["replayed"] for payload in payloads) == 1
    assert len({payload["order"]["id"] for payload in payloads}) == 1
    again = (await bazaar.ask(person.token(), PLACE, input={**told, "quantity": 2}))["placeOrder"]
    assert codes_of([again]) == {"KEY_REUSED": 1}
    cancelled = {"key": uuid4().hex, "order": payloads[0]["order"]["id"], "reason": "changed my mind"}
    payload = (await bazaar.ask(person.token(), CANCEL, input=cancelled))["cancelOrder"]
    assert (payload["order"]["state"], payload["order"]["history"][-1]["note"]) == ("CANCELLED", "changed my mind")
    assert await bazaar.available([person]) == [5 * PRICE]


async def test_offer_is_activated_shown_and_used_in_its_purchase(bazaar: Bazaar) -> None:
    today = datetime.now(UTC).date()
    offer = await bazaar.put(
        "OFFER",
        kind="MULTIPLIER",
        terms={"en": ""},
        first_day="2026-01-01",
        last_day=(today + timedelta(days=400)).isoformat(),
        factor=3,
        activation=True,
        code={"member": f"T{uuid4().hex[:8].upper()}"},
    )
    [person] = await bazaar.newcomers(1, points=1)
    till = bazaar.token("till")
    told = {"key": uuid4().hex, "member": person.by, "offer": offer, "channel": "STORE", "purchaseKey": "p1"}
    early = (await bazaar.ask(till, REDEEM, input=told))["redeemOffer"]
    assert codes_of([early]) == {"NOT_ELIGIBLE": 1}
    activated = (await bazaar.ask(person.token(), ACTIVATE, input={"key": uuid4().hex, "offer": offer}))[
        "activateOffer"
    ]
    assert (activated["userErrors"], activated["memberOffer"]["state"]) == ([], "ACTIVATED")
    query = "{ me { offers(first: 1) { edges { node { state code why offer { id } } } } } }"
    [edge] = (await bazaar.ask(person.token(), query))["me"]["offers"]["edges"]
    assert (edge["node"]["offer"]["id"], edge["node"]["state"]) == (offer, "ACTIVATED")
    code = edge["node"]["code"]
    assert code.split("-")[1] == person.number
    # The code alone tells whose it is; the till's next purchase has the key.
    purchase = person.purchase("10.00")
    used = {"key": uuid4().hex, "code": code.lower(), "channel": "STORE", "purchaseKey": purchase["key"]}
    redeemed = (await bazaar.ask(till, REDEEM, input=used))["redeemOffer"]
    assert (redeemed["userErrors"], redeemed["memberOffer"]["state"]) == ([], "REDEEMED")
    counted = await person.buy("10.00", key=purchase["key"])
    assert counted["entries"][0]["points"] == 30
    assert [(why["points"], why["applied"]) for why in counted["why"] if why["rule"].startswith("offer/")] == [
        (20, True)
    ]
