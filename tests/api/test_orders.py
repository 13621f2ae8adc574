"""Orders through a gateway: steps, rights, languages, and refusals that change nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import (
    LIVE,
    RECORD,
    ApiMember,
    ask_as,
    code_of,
    data,
    enrol,
    mutation,
    next_update,
    refusal_of,
    watch,
)
from support.clients.two_gateways import TwoGateways, member_of
from support.servers.command_line import run_carillon

from schema.wire.ids import global_id

BREAD = global_id("Reward", "grocer", "bread")
KNIFE = global_id("Reward", "grocer", "knife")
ORDER = """order {
  id number state quantity returned points recipient code
  reward { key title direction } history { state note }
} member { version points { available held } }"""
EXCHANGED = f"""{ORDER} replacement {{ id state quantity points reward {{ key }} }}"""
ORDERS = "{ me { orders { edges { node { id number state recipient code reward { title direction } } } } } }"
ORDERS_OF = ORDERS.replace("{ me", "query ($by: MemberKey!) { member(by: $by)")
NODE = "query ($id: ID!) { node(id: $id) { ... on Order { number state recipient code reward { title direction } } } }"
GONE = {"number": "4000000000"}


async def placed(two_gateways: TwoGateways, api_member: ApiMember, reward: str = BREAD, **about: Any) -> dict[str, Any]:
    """Order a reward as the member; fail the test if it is refused."""
    payload = await two_gateways.mutate_accepted(
        api_member.token(), "placeOrder", ORDER, reward=reward, channel="APP", **about
    )
    order: dict[str, Any] = payload["order"]
    return order


async def moved(two_gateways: TwoGateways, order: dict[str, Any], *states: str) -> None:
    """Advance an order, as logistics does."""
    for state in states:
        payload = await two_gateways.mutate_accepted(
            two_gateways.token("service"), "advanceOrder", ORDER, order=order["id"], state=state
        )
        assert payload["order"]["state"] == state


# Languages


async def test_order_and_its_notices_are_in_the_members_language(two_gateways: TwoGateways) -> None:
    bread = {"en": "A loaf of country bread", "fr": "Un pain de campagne", "ar": "رغيف خبز ريفي"}
    news = {
        "en": "Order {} placed: A loaf of country bread",
        "fr": "Commande {} enregistrée\u00a0: Un pain de campagne",
        "ar": "تم تسجيل الطلب {}: رغيف خبز ريفي",
    }
    labels = {
        "en": "Order: A loaf of country bread",
        "fr": "Commande\u00a0: Un pain de campagne",
        "ar": "طلب: رغيف خبز ريفي",
    }
    live = LIVE.replace("resync", "resync notices { kind text direction } entries { label }")
    for own, requested, expected in (("ar", None, "ar"), ("fr-FR", None, "fr"), ("fr", "ar", "ar"), ("ar", "en", "en")):
        api_member = await enrol(two_gateways.gateways[0], locale=own)
        given: dict[str, Any] = {"member": api_member.by, "points": 100, "reason": "a gift"}
        await two_gateways.mutate_accepted(two_gateways.token("agent"), "adjustPoints", **given)
        direction = "RTL" if expected == "ar" else "LTR"
        header = {"accept-language": requested} if requested else {}
        async with two_gateways.gateways[1].socket(api_member.token(), **header) as socket:
            await watch(socket, query=live)
            await next_update(socket)
            sent = {"key": uuid4().hex, "reward": BREAD, "channel": "APP"}
            answer = await ask_as(
                api_member.gateway, api_member.token(), mutation("placeOrder", ORDER), locale=requested, input=sent
            )
            order = data(answer)["placeOrder"]["order"]
            assert order["reward"] == {"key": "bread", "title": bread[expected], "direction": direction}
            update = await next_update(socket)
        assert update["notices"] == [
            {"kind": "ORDER_PLACED", "text": news[expected].format(order["number"]), "direction": direction}
        ]
        assert [entry["label"] for entry in update["entries"]] == [labels[expected]]
        in_words = {"title": bread[expected], "direction": direction}
        listed = data(await ask_as(api_member.gateway, api_member.token(), ORDERS, locale=requested))["me"]["orders"][
            "edges"
        ]
        assert [edge["node"]["reward"] for edge in listed] == [in_words]
        # The same by id, for the member and for staff.
        for token in (api_member.token(), two_gateways.token("agent"), two_gateways.token("manager")):
            found = data(await ask_as(api_member.gateway, token, NODE, locale=requested, id=order["id"]))["node"]
            assert found["reward"] == in_words


@pytest.mark.parametrize(
    ("locale", "message"),
    [
        (None, "4,000 points are needed, and the available balance is 0. Choose fewer, or wait until there are more."),
        (
            "fr",
            (
                "Il faut 4\u202f000 points, et le solde disponible est de 0. "
                "Choisissez-en moins ou attendez d’en avoir davantage."
            ),
        ),
        ("ar", "تحتاج إلى 4,000 نقطة، والرصيد المتاح 0. اختر عددًا أقل أو انتظر حتى يتوفر المزيد."),
    ],
)
async def test_refused_order_says_what_to_do(api_member: ApiMember, locale: str | None, message: str) -> None:
    before = await api_member.state()
    fields = {"key": uuid4().hex, "reward": KNIFE, "channel": "APP"}
    answer = await ask_as(api_member.gateway, api_member.token(), mutation("placeOrder"), locale=locale, input=fields)
    assert data(answer)["placeOrder"]["userErrors"] == [
        {"code": "INSUFFICIENT_POINTS", "message": message, "path": ["input", "reward"]}
    ]
    assert await api_member.state() == before
    # Without a language in the request, the member's own is used.
    own = await enrol(api_member.gateway, locale=locale or "en")
    assert data(await ask_as(api_member.gateway, own.token(), mutation("placeOrder"), input=fields))["placeOrder"][
        "userErrors"
    ] == [{"code": "INSUFFICIENT_POINTS", "message": message, "path": ["input", "reward"]}]


# For a relative


async def test_gift_goes_to_a_relative_of_a_gold_member(two_gateways: TwoGateways) -> None:
    once = {"kind": "PHYSICAL", "category": "home", "points": 100, "limit": {"orders": 1, "per": "ever"}}
    mug = await two_gateways.save_item("REWARD", **once)
    green, gold = [await enrol(two_gateways.gateways[0]) for _ in range(2)]
    await green.buy("200.00")
    await gold.buy("2500.00")
    recipient = {"name": " Ann Other ", "email": "Ann@Example.org", "phone": "+33 1 23 45 67 89", "message": "For you"}
    before = await green.state()
    fields = {"reward": mug, "channel": "APP", "recipient": recipient}
    refused = await two_gateways.mutate(green.token(), "placeOrder", ORDER, **fields)
    assert refusal_of(refused) == ("NOT_ELIGIBLE", "input.recipient")
    assert refused["userErrors"][0]["message"] == (
        "Your status doesn’t include rewards for a relative. Remove the recipient."
    )
    assert await green.state() == before
    given = await placed(two_gateways, gold, mug, recipient=recipient)
    assert given["recipient"] == "Ann Other"
    # The same gift once more, for the member; and no third time.
    assert (await placed(two_gateways, gold, mug))["recipient"] is None
    for about in ({}, {"recipient": recipient}):
        third = await two_gateways.mutate(gold.token(), "placeOrder", reward=mug, channel="APP", **about)
        assert refusal_of(third) == ("LIMIT_REACHED", "input.reward")
    # A screen that others can see shows no name.
    names = {}
    for role in ("kiosk", "agent"):
        found = await two_gateways.ask(two_gateways.token(role), ORDERS_OF, by=gold.by)
        names[role] = [edge["node"]["recipient"] for edge in found["member"]["orders"]["edges"]]
    assert names == {"kiosk": [None, "A•••"], "agent": [None, "Ann Other"]}


@pytest.mark.parametrize(
    ("about", "path"),
    [
        ({"recipient": {"name": " "}}, "recipient.name"),
        ({"recipient": {"name": "x" * 201}}, "recipient.name"),
        ({"recipient": {"name": "Ann", "message": "x" * 501}}, "recipient.message"),
        ({"recipient": {"name": "Ann", "email": "nobody"}}, "recipient.email"),
        ({"recipient": {"name": "Ann", "phone": "call me"}}, "recipient.phone"),
        ({"delivery": {"name": "", "line1": "1", "postalCode": "1", "city": "1", "country": "FR"}}, "delivery.name"),
        ({"delivery": {"name": "A", "line1": "1", "postalCode": "1", "city": " ", "country": "FR"}}, "delivery.city"),
        (
            {"delivery": {"name": "A", "line1": "1", "postalCode": "1", "city": "1", "country": "F1"}},
            "delivery.country",
        ),
        ({"quantity": 0}, "quantity"),
        ({"quantity": 101}, "quantity"),
        ({"appointment": "2090-01-01T10:00:00Z"}, "appointment"),
    ],
)
async def test_invalid_order_is_refused(two_gateways: TwoGateways, about: dict[str, Any], path: str) -> None:
    [api_member] = await two_gateways.enrol_members(1, points=500)
    before = await api_member.state()
    payload = await two_gateways.mutate(api_member.token(), "placeOrder", ORDER, reward=BREAD, channel="APP", **about)
    assert refusal_of(payload) == ("INVALID", f"input.{path}")
    assert (payload["order"], payload["member"]) == (None, None)
    assert await api_member.state() == before


# Steps and rights


async def test_member_cancels_until_it_is_prepared(two_gateways: TwoGateways) -> None:
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=100, stock=5)
    stock = "query ($id: ID!) { node(id: $id) { ... on Reward { stock } } }"
    [api_member] = await two_gateways.enrol_members(1, points=200)
    for steps in ((), ("CONFIRMED",)):
        order = await placed(two_gateways, api_member, mug, quantity=2)
        assert (await two_gateways.ask(api_member.token(), stock, id=mug))["node"] == {"stock": 3}
        await moved(two_gateways, order, *steps)
        payload = await two_gateways.mutate_accepted(
            api_member.token(), "cancelOrder", ORDER, order=order["id"], reason="Too many mugs"
        )
        assert payload["member"]["points"] == {"available": 200, "held": 0}
        cancelled = payload["order"]
        assert (cancelled["state"], cancelled["returned"]) == ("CANCELLED", 2)
        assert cancelled["history"][-1] == {"state": "CANCELLED", "note": "Too many mugs"}
        assert (await two_gateways.ask(api_member.token(), stock, id=mug))["node"] == {"stock": 5}
        before = await api_member.state()
        twice = await two_gateways.mutate(api_member.token(), "cancelOrder", ORDER, order=order["id"])
        assert refusal_of(twice) == ("CONFLICT", "input.order")
        assert twice["userErrors"][0]["message"] == (
            "This order can no longer be cancelled (it is cancelled). Ask customer service for a return."
        )
        assert await api_member.state() == before
    order = await placed(two_gateways, api_member, mug)
    await moved(two_gateways, order, "CONFIRMED", "PREPARING")
    before = await api_member.state()
    late = await two_gateways.mutate(api_member.token(), "cancelOrder", ORDER, order=order["id"])
    assert refusal_of(late) == ("NOT_ELIGIBLE", "input.order")
    assert await api_member.state() == before
    stopped = await two_gateways.mutate_accepted(two_gateways.token("agent"), "cancelOrder", ORDER, order=order["id"])
    assert stopped["order"]["state"] == "CANCELLED"
    order = await placed(two_gateways, api_member, mug)
    await moved(two_gateways, order, "CONFIRMED", "PREPARING", "SHIPPED")
    for token in (api_member.token(), two_gateways.token("manager")):
        shipped = await two_gateways.mutate(token, "cancelOrder", ORDER, order=order["id"])
        assert refusal_of(shipped) == ("CONFLICT", "input.order")


async def test_each_role_takes_its_own_steps(two_gateways: TwoGateways) -> None:
    [api_member] = await two_gateways.enrol_members(1, points=500)
    order = await placed(two_gateways, api_member)
    sent = {"order": order["id"], "state": "CONFIRMED"}
    forbidden = {
        "cancelOrder": [two_gateways.token("kiosk"), two_gateways.token("till")],
        "advanceOrder": [two_gateways.token("kiosk")],
    }
    before = await api_member.state()
    for name, tokens in forbidden.items():
        fields = {
            "key": uuid4().hex,
            "order": order["id"],
            **({"state": "CONFIRMED"} if name == "advanceOrder" else {}),
        }
        for token in tokens:
            assert code_of(await api_member.gateway.ask(token, mutation(name), input=fields)) == "FORBIDDEN"
    for token in (api_member.token(), two_gateways.token("till")):
        payload = await two_gateways.mutate(token, "advanceOrder", ORDER, **sent)
        assert refusal_of(payload) == ("NOT_ELIGIBLE", "input.order")
    skipped = await two_gateways.mutate(
        two_gateways.token("agent"), "advanceOrder", ORDER, **{**sent, "state": "DELIVERED"}
    )
    assert refusal_of(skipped) == ("CONFLICT", "input.state")
    assert skipped["userErrors"][0]["message"] == (
        "An order can’t go from “placed” to “delivered”. Choose one of these: confirmed, completed, cancelled."
    )
    instead = await two_gateways.mutate(
        two_gateways.token("agent"), "advanceOrder", ORDER, **{**sent, "state": "CANCELLED"}
    )
    assert refusal_of(instead) == ("INVALID", "input.state")
    for about, path in (
        ({"note": "x" * 501}, "note"),
        ({"trackingUrl": "javascript:alert(1)"}, "trackingUrl"),
        ({"trackingUrl": "https://"}, "trackingUrl"),
        ({"quantity": 1}, "quantity"),
        ({"exchangeFor": BREAD}, "exchangeFor"),
    ):
        payload = await two_gateways.mutate(two_gateways.token("agent"), "advanceOrder", ORDER, **sent, **about)
        assert refusal_of(payload) == ("INVALID", f"input.{path}")
    assert await api_member.state() == before
    # The till hands the order over; then the member requests its return, and an agent accepts it.
    handed = await two_gateways.mutate_accepted(
        two_gateways.token("till"), "advanceOrder", ORDER, **{**sent, "state": "FULFILLED"}
    )
    assert handed["order"]["state"] == "FULFILLED"
    requested = {"order": order["id"], "state": "RETURN_REQUESTED", "note": "It is stale"}
    assert (await two_gateways.mutate_accepted(api_member.token(), "advanceOrder", ORDER, **requested))["order"][
        "state"
    ] == "RETURN_REQUESTED"
    own = await two_gateways.mutate(api_member.token(), "advanceOrder", ORDER, order=order["id"], state="RETURNED")
    assert refusal_of(own) == ("NOT_ELIGIBLE", "input.order")
    back = await two_gateways.mutate_accepted(
        two_gateways.token("agent"), "advanceOrder", ORDER, order=order["id"], state="RETURNED"
    )
    assert (back["order"]["state"], back["order"]["returned"]) == ("RETURNED", 1)
    assert back["member"]["points"]["available"] == 500
    assert [step["state"] for step in back["order"]["history"]] == [
        "PLACED",
        "FULFILLED",
        "RETURN_REQUESTED",
        "RETURNED",
    ]
    over = await two_gateways.mutate(
        two_gateways.token("manager"), "advanceOrder", ORDER, order=order["id"], state="CONFIRMED"
    )
    assert refusal_of(over) == ("CONFLICT", "input.state")
    assert over["userErrors"][0]["message"] == (
        "This order is returned, and you can’t change it. Ask customer service for help."
    )


async def test_exchange_closes_one_order_and_places_another(two_gateways: TwoGateways) -> None:
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=100, stock=5)
    bowl = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=150, stock=5)
    expensive = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=1000)
    [api_member] = await two_gateways.enrol_members(1, points=170)
    order = await placed(two_gateways, api_member, mug)
    await moved(two_gateways, order, "CONFIRMED", "PREPARING", "SHIPPED", "DELIVERED")
    agent, fields = two_gateways.token("agent"), {"order": order["id"], "state": "EXCHANGED"}
    before = await api_member.state()
    for reward, refusal in (
        (expensive, ("INSUFFICIENT_POINTS", "input.exchangeFor")),
        (global_id("Reward", "coffee", "cup"), ("NOT_FOUND", "input.exchangeFor")),
        ("nothing", ("NOT_FOUND", "input.exchangeFor")),
    ):
        refused = await two_gateways.mutate(agent, "advanceOrder", EXCHANGED, **fields, exchangeFor=reward)
        assert refusal_of(refused) == refusal
        assert (refused["order"], refused["replacement"]) == (None, None)
    assert await api_member.state() == before
    fields = {**fields, "key": uuid4().hex, "exchangeFor": bowl}
    payload = await two_gateways.mutate_accepted(agent, "advanceOrder", EXCHANGED, **fields)
    assert (payload["order"]["id"], payload["order"]["state"]) == (order["id"], "EXCHANGED")
    replacement = payload["replacement"]
    assert (replacement["state"], replacement["quantity"], replacement["points"]) == ("PLACED", 1, 150)
    assert replacement["id"] != order["id"]
    assert payload["member"]["points"]["available"] == 20
    again = await two_gateways.mutate_accepted(agent, "advanceOrder", EXCHANGED, **fields)
    assert again == {**payload, "replayed": True}
    # By default the replacement is the same reward.
    await moved(two_gateways, replacement, "FULFILLED")
    same = await two_gateways.mutate_accepted(
        agent, "advanceOrder", EXCHANGED, order=replacement["id"], state="EXCHANGED"
    )
    assert (same["replacement"]["reward"], same["replacement"]["points"]) == (replacement["reward"], 150)
    assert same["member"]["points"]["available"] == 20
    shown = (await two_gateways.ask(api_member.token(), ORDERS))["me"]["orders"]["edges"]
    assert [edge["node"]["state"] for edge in shown] == ["PLACED", "EXCHANGED", "EXCHANGED"]


# Codes and privacy


async def test_voucher_is_shown_only_to_its_member(two_gateways: TwoGateways, tmp_path: Path) -> None:
    pool = f"pool-{uuid4().hex[:8]}"
    file = tmp_path / "codes.txt"
    file.write_text(f"{pool}-1\n{pool}-2\n", encoding="utf-8")
    assert (await run_carillon("codes", "load", pool, str(file), "--data-dir", two_gateways.data_dir())).code == 0
    at_once = await two_gateways.save_item("REWARD", kind="DIGITAL_CODE", category="leisure", points=10, pool=pool)
    by_hand = await two_gateways.save_item(
        "REWARD", kind="PARTNER", category="leisure", points=10, pool=pool, partner="A florist"
    )
    [api_member] = await two_gateways.enrol_members(1, points=100)
    digital = await placed(two_gateways, api_member, at_once)
    assert (digital["state"], digital["code"]) == ("FULFILLED", f"{pool}-1")
    gift = await placed(two_gateways, api_member, by_hand)
    assert (gift["state"], gift["code"]) == ("PLACED", None)
    for role in ("kiosk", "agent", "manager", "service"):
        found = await two_gateways.ask(two_gateways.token(role), ORDERS_OF, by=api_member.by)
        assert [edge["node"]["code"] for edge in found["member"]["orders"]["edges"]] == [None, None]
        assert (await two_gateways.ask(two_gateways.token(role), NODE, id=digital["id"]))["node"]["code"] is None
    done = await two_gateways.mutate_accepted(
        two_gateways.token("agent"), "advanceOrder", ORDER, order=gift["id"], state="FULFILLED"
    )
    assert done["order"]["code"] is None
    shown = (await two_gateways.ask(api_member.token(), ORDERS))["me"]["orders"]["edges"]
    assert [edge["node"]["code"] for edge in shown] == [f"{pool}-2", f"{pool}-1"]
    assert (await two_gateways.ask(api_member.token(), NODE, id=gift["id"]))["node"]["code"] == f"{pool}-2"
    left = await two_gateways.mutate(api_member.token(), "placeOrder", reward=at_once, channel="APP")
    assert refusal_of(left) == ("OUT_OF_STOCK", "input.reward")


async def test_order_is_seen_by_its_member_and_by_staff(two_gateways: TwoGateways) -> None:
    one, other = await two_gateways.enrol_members(2, points=100)
    order = await placed(two_gateways, one)
    assert (await two_gateways.ask(one.token(), NODE, id=order["id"]))["node"]["number"] == order["number"]
    assert (await two_gateways.ask(other.token(), NODE, id=order["id"]))["node"] is None
    assert (await two_gateways.ask(other.token(), ORDERS))["me"]["orders"]["edges"] == []
    assert code_of(await one.gateway.ask(two_gateways.token("till"), NODE, id=order["id"])) == "FORBIDDEN"
    assert code_of(await one.gateway.ask(two_gateways.token("till"), ORDERS_OF, by=one.by)) == "FORBIDDEN"
    stranger = one.gateway.token("agent", programme="coffee")
    for id_ in (global_id("Order", "made-up"), order["id"]):
        answer = await one.gateway.ask(stranger, NODE, id=id_)
        # Whether or not the coffee house runs here yet: this order is not found.
        assert (answer.get("data") or {"node": None})["node"] is None


# Wrong ids, wrong members, wrong keys


async def test_id_of_something_else_is_not_found_and_nothing_changes(two_gateways: TwoGateways) -> None:
    one, other = await two_gateways.enrol_members(2, points=300)
    order, of_other = [await placed(two_gateways, api_member) for api_member in (one, other)]
    held = await two_gateways.mutate_accepted(other.token(), "hold", "hold { id }", points=10)
    offer = await two_gateways.save_item("OFFER", kind="SERVICE", first_day="2026-01-01", activation=True)
    before = [await one.state(), await other.state()]
    rewards = (offer, order["id"], one.id, global_id("Reward", "coffee", "refill"), global_id("Reward", "grocer", "x"))
    for reward in (*rewards, "", "nothing", "é"):
        for name, fields in (("placeOrder", {"channel": "APP"}), ("hold", {})):
            payload = await two_gateways.mutate(one.token(), name, reward=reward, **fields)
            assert refusal_of(payload) == ("NOT_FOUND", "input.reward")
    for id_ in (of_other["id"], BREAD, one.id, global_id("Order", "made-up"), global_id("Order", "a", "b"), "", "é"):
        for name, fields in (
            ("cancelOrder", {}),
            ("advanceOrder", {"state": "RETURN_REQUESTED"}),
        ):
            payload = await two_gateways.mutate(one.token(), name, order=id_, **fields)
            assert refusal_of(payload) == ("NOT_FOUND", "input.order")
    holds = (held["hold"]["id"], BREAD, global_id("Hold", member_of(one), "made-up"), global_id("Hold", "x", "y"), "")
    for id_ in holds:
        payload = await two_gateways.mutate(one.token(), "release", "hold { id }", hold=id_)
        assert refusal_of(payload) == ("NOT_FOUND", "input.hold"), id_
        assert payload["hold"] is None
        payload = await two_gateways.mutate(one.token(), "placeOrder", reward=BREAD, channel="APP", hold=id_)
        assert refusal_of(payload) == ("NOT_FOUND", "input.hold")
    for id_ in (BREAD, global_id("Hold", member_of(one), "made-up"), global_id("Hold", "x", "y"), ""):
        payload = await two_gateways.mutate(two_gateways.token("agent"), "release", hold=id_)
        assert refusal_of(payload) == ("NOT_FOUND", "input.hold"), id_
    assert [await one.state(), await other.state()] == before
    # Staff of another programme find nothing of this one.
    assert order["state"] == "PLACED"


async def test_programmes_are_isolated(two_gateways: TwoGateways, coffee_programme: str) -> None:
    [api_member] = await two_gateways.enrol_members(1, points=300)
    order = await placed(two_gateways, api_member)
    held = await two_gateways.mutate_accepted(api_member.token(), "hold", "hold { id }", points=10)
    before = await api_member.state()
    stranger = api_member.gateway.token("agent", programme=coffee_programme)
    refill = global_id("Reward", coffee_programme, "refill")
    for name, fields, refusal in (
        ("cancelOrder", {"order": order["id"]}, ("NOT_FOUND", "input.order")),
        ("advanceOrder", {"order": order["id"], "state": "CONFIRMED"}, ("NOT_FOUND", "input.order")),
        ("release", {"hold": held["hold"]["id"]}, ("NOT_FOUND", "input.hold")),
        ("placeOrder", {"reward": refill, "member": api_member.by, "channel": "APP"}, ("NOT_FOUND", "input.member")),
        ("hold", {"points": 1, "member": {"id": api_member.id}}, ("NOT_FOUND", "input.member")),
        ("noteOffers", {"seen": [], "member": {"id": api_member.id}}, ("NOT_FOUND", "input.member")),
    ):
        payload = await two_gateways.mutate(stranger, name, **fields)
        assert refusal_of(payload) == refusal
    assert await api_member.state() == before


@pytest.mark.parametrize("by", [GONE, {"card": "unknown"}, {"email": "nobody@example.org"}, {"id": BREAD}, {"id": ""}])
async def test_unknown_member_is_reported(two_gateways: TwoGateways, by: dict[str, str]) -> None:
    agent = two_gateways.token("agent")
    offer = await two_gateways.save_item("OFFER", kind="SERVICE", first_day="2026-01-01", activation=True)
    for name, fields in (
        ("placeOrder", {"reward": BREAD, "channel": "AGENT"}),
        ("hold", {"points": 1}),
        ("activateOffer", {"offer": offer}),
        ("noteOffers", {"seen": [offer]}),
        ("redeemOffer", {"offer": offer, "channel": "AGENT"}),
    ):
        payload = await two_gateways.mutate(agent, name, "member { version }", member=by, **fields)
        assert refusal_of(payload) == ("NOT_FOUND", "input.member")
        assert payload["member"] is None
        nobody = await two_gateways.mutate(agent, name, **fields)
        assert refusal_of(nobody) == ("INVALID", "input.member")


@pytest.mark.parametrize("key", ["", "  ", "x" * 201])
async def test_missing_or_too_long_key_is_refused(two_gateways: TwoGateways, key: str) -> None:
    [api_member] = await two_gateways.enrol_members(1, points=300)
    order = await placed(two_gateways, api_member)
    held = await two_gateways.mutate_accepted(api_member.token(), "hold", "hold { id }", points=10)
    offer = await two_gateways.save_item("OFFER", kind="SERVICE", first_day="2026-01-01", activation=True)
    before = await api_member.state()
    agent, manager = two_gateways.token("agent"), two_gateways.token("manager")
    content = {"key": f"banner-{uuid4().hex[:8]}", "title": "A", "body": "B"}
    for token, name, fields in (
        (api_member.token(), "placeOrder", {"reward": BREAD, "channel": "APP"}),
        (api_member.token(), "cancelOrder", {"order": order["id"]}),
        (agent, "advanceOrder", {"order": order["id"], "state": "CONFIRMED"}),
        (api_member.token(), "hold", {"points": 1}),
        (api_member.token(), "release", {"hold": held["hold"]["id"]}),
        (api_member.token(), "activateOffer", {"offer": offer}),
        (api_member.token(), "noteOffers", {"seen": [offer]}),
        (agent, "redeemOffer", {"offer": offer, "member": api_member.by, "channel": "AGENT"}),
        (manager, "saveCatalogueItem", {"kind": "CONTENT", "definition": content}),
        (manager, "retireCatalogueItem", {"kind": "CONTENT", "item": "home"}),
    ):
        payload = await two_gateways.mutate(token, name, **fields, key=key)
        assert refusal_of(payload) == ("INVALID", "input.key"), name
    assert await api_member.state() == before


# Instant rewards


async def test_purchase_over_the_minimum_is_rewarded_in_the_answer_to_the_till(
    two_gateways: TwoGateways, coffee_programme: str
) -> None:
    gateway = two_gateways.gateways[0]
    till = gateway.token("till", programme=coffee_programme)
    fields = {"channel": "STORE", "locale": "en"}
    newcomer = (await two_gateways.mutate_accepted(till, "enrol", "member { id number }", **fields))["member"]
    api_member = ApiMember(gateway, newcomer["id"], newcomer["number"])
    own = api_member.token(programme=coffee_programme)
    query = RECORD.replace("replayed", "orders { id number state points quantity code reward { key title } } replayed")
    # All within one day of Paris, whatever the hour of the test.
    noon = (datetime.now(UTC) - timedelta(days=1)).replace(hour=11, minute=0, second=0, microsecond=0)

    async def buy(total: str, **about: Any) -> dict[str, Any]:
        money = {"total": total, "currency": "EUR"}
        sent = {**api_member.purchase(purchase=money), "occurredAt": noon.isoformat(), **about}
        payload: dict[str, Any] = (await two_gateways.ask(till, query, input=sent))["recordEvent"]
        assert payload["userErrors"] == []
        return payload

    def instant(payload: dict[str, Any]) -> dict[str, Any]:
        [why] = [why for why in payload["why"] if why["rule"] == "instant/refill"]
        return {name: why[name] for name in ("points", "applied", "reason")}

    little = await buy("14.99")
    assert little["orders"] == []
    name = "A free refill when you spend 15 euros"
    assert instant(little) == {"points": 0, "applied": False, "reason": f"{name}: for purchases of 15.00 EUR or more"}

    live = LIVE.replace("resync", "resync notices { kind text }")
    async with two_gateways.gateways[1].socket(own) as app:
        await watch(app, query=live)
        await next_update(app)
        key = uuid4().hex
        enough = await buy("15.00", key=key)
        [order] = enough["orders"]
        update = await next_update(app)
    assert instant(enough) == {"points": 0, "applied": True, "reason": f"{name}: A free refill, yours right away"}
    assert (order["state"], order["points"], order["quantity"], order["code"]) == ("FULFILLED", 0, 1, None)
    assert order["reward"] == {"key": "refill", "title": "A free refill"}
    assert {"kind": "REWARD_GRANTED", "text": "Yours right away: A free refill"} in update["notices"]
    replayed = await buy("15.00", key=key)
    assert (replayed["replayed"], replayed["orders"]) == (True, [order])

    more = await buy("99.00")
    assert more["orders"] == []
    assert instant(more) == {"points": 0, "applied": False, "reason": f"{name}: limit reached"}
    listed = (await two_gateways.ask(own, ORDERS))["me"]["orders"]["edges"]
    assert [edge["node"]["number"] for edge in listed] == [order["number"]]
    # The next day is another one.
    assert len((await buy("15.00", occurredAt=(noon + timedelta(hours=13)).isoformat()))["orders"]) == 1
