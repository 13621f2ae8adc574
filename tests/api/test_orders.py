"""Orders step by step through a gateway: who may do what, in which language, and what a refusal leaves as it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.api import LIVE, RECORD, Person, ask_as, code_of, data, enrol, mutation, next_update, refusal_of, watch
from support.bazaar import Bazaar, member_of
from support.terminal import carillon

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


async def placed(bazaar: Bazaar, person: Person, reward: str = BREAD, **about: Any) -> dict[str, Any]:
    """Order a reward as the member, and expect that it is placed."""
    payload = await bazaar.done(person.token(), "placeOrder", ORDER, reward=reward, channel="APP", **about)
    order: dict[str, Any] = payload["order"]
    return order


async def moved(bazaar: Bazaar, order: dict[str, Any], *states: str) -> None:
    """Move an order on, as logistics do."""
    for state in states:
        payload = await bazaar.done(bazaar.token("service"), "advanceOrder", ORDER, order=order["id"], state=state)
        assert payload["order"]["state"] == state


# Languages


async def test_order_and_its_news_come_in_the_members_language(bazaar: Bazaar) -> None:
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
    for own, asked, told in (("ar", None, "ar"), ("fr-FR", None, "fr"), ("fr", "ar", "ar"), ("ar", "en", "en")):
        person = await enrol(bazaar.gateways[0], locale=own)
        given = {"member": person.by, "points": 100, "reason": "a gift"}
        await bazaar.done(bazaar.token("agent"), "adjustPoints", **given)
        direction = "RTL" if told == "ar" else "LTR"
        header = {"accept-language": asked} if asked else {}
        async with bazaar.gateways[1].socket(person.token(), **header) as socket:
            await watch(socket, query=live)
            await next_update(socket)
            sent = {"key": uuid4().hex, "reward": BREAD, "channel": "APP"}
            answer = await ask_as(
                person.gateway, person.token(), mutation("placeOrder", ORDER), locale=asked, input=sent
            )
            order = data(answer)["placeOrder"]["order"]
            assert order["reward"] == {"key": "bread", "title": bread[told], "direction": direction}
            update = await next_update(socket)
        assert update["notices"] == [
            {"kind": "ORDER_PLACED", "text": news[told].format(order["number"]), "direction": direction}
        ]
        assert [entry["label"] for entry in update["entries"]] == [labels[told]]
        in_words = {"title": bread[told], "direction": direction}
        listed = data(await ask_as(person.gateway, person.token(), ORDERS, locale=asked))["me"]["orders"]["edges"]
        assert [edge["node"]["reward"] for edge in listed] == [in_words]
        # The same by its id, for the member and for who serves the member.
        for token in (person.token(), bazaar.token("agent"), bazaar.token("manager")):
            found = data(await ask_as(person.gateway, token, NODE, locale=asked, id=order["id"]))["node"]
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
async def test_order_is_refused_in_words_that_say_what_to_do(person: Person, locale: str | None, message: str) -> None:
    before = await person.state()
    told = {"key": uuid4().hex, "reward": KNIFE, "channel": "APP"}
    answer = await ask_as(person.gateway, person.token(), mutation("placeOrder"), locale=locale, input=told)
    assert data(answer)["placeOrder"]["userErrors"] == [
        {"code": "INSUFFICIENT_POINTS", "message": message, "path": ["input", "reward"]}
    ]
    assert await person.state() == before
    # A member whose request names no language is told in its own.
    own = await enrol(person.gateway, locale=locale or "en")
    assert data(await ask_as(person.gateway, own.token(), mutation("placeOrder"), input=told))["placeOrder"][
        "userErrors"
    ] == [{"code": "INSUFFICIENT_POINTS", "message": message, "path": ["input", "reward"]}]


# For a relative


async def test_gift_goes_to_a_relative_of_a_gold_member(bazaar: Bazaar) -> None:
    once = {"kind": "PHYSICAL", "category": "home", "points": 100, "limit": {"orders": 1, "per": "ever"}}
    mug = await bazaar.put("REWARD", **once)
    green, gold = [await enrol(bazaar.gateways[0]) for _ in range(2)]
    await green.buy("200.00")
    await gold.buy("2500.00")
    recipient = {"name": " Ann Other ", "email": "Ann@Example.org", "phone": "+33 1 23 45 67 89", "message": "For you"}
    before = await green.state()
    told = {"reward": mug, "channel": "APP", "recipient": recipient}
    refused = await bazaar.act(green.token(), "placeOrder", ORDER, **told)
    assert refusal_of(refused) == ("NOT_ELIGIBLE", "input.recipient")
    assert refused["userErrors"][0]["message"] == (
        "Your status doesn’t include rewards for a relative. Remove the recipient."
    )
    assert await green.state() == before
    given = await placed(bazaar, gold, mug, recipient=recipient)
    assert given["recipient"] == "Ann Other"
    # The same gift once more, for the member; and no third time.
    assert (await placed(bazaar, gold, mug))["recipient"] is None
    for about in ({}, {"recipient": recipient}):
        third = await bazaar.act(gold.token(), "placeOrder", reward=mug, channel="APP", **about)
        assert refusal_of(third) == ("LIMIT_REACHED", "input.reward")
    # A screen that others can see shows no name.
    names = {}
    for role in ("kiosk", "agent"):
        found = await bazaar.ask(bazaar.token(role), ORDERS_OF, by=gold.by)
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
async def test_order_that_is_told_wrongly_is_refused(bazaar: Bazaar, about: dict[str, Any], path: str) -> None:
    [person] = await bazaar.newcomers(1, points=500)
    before = await person.state()
    payload = await bazaar.act(person.token(), "placeOrder", ORDER, reward=BREAD, channel="APP", **about)
    assert refusal_of(payload) == ("INVALID", f"input.{path}")
    assert (payload["order"], payload["member"]) == (None, None)
    assert await person.state() == before


# Steps, and who may take them


async def test_member_cancels_until_it_is_prepared(bazaar: Bazaar) -> None:
    mug = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=100, stock=5)
    stock = "query ($id: ID!) { node(id: $id) { ... on Reward { stock } } }"
    [person] = await bazaar.newcomers(1, points=200)
    for steps in ((), ("CONFIRMED",)):
        order = await placed(bazaar, person, mug, quantity=2)
        assert (await bazaar.ask(person.token(), stock, id=mug))["node"] == {"stock": 3}
        await moved(bazaar, order, *steps)
        payload = await bazaar.done(person.token(), "cancelOrder", ORDER, order=order["id"], reason="Too many mugs")
        assert payload["member"]["points"] == {"available": 200, "held": 0}
        cancelled = payload["order"]
        assert (cancelled["state"], cancelled["returned"]) == ("CANCELLED", 2)
        assert cancelled["history"][-1] == {"state": "CANCELLED", "note": "Too many mugs"}
        assert (await bazaar.ask(person.token(), stock, id=mug))["node"] == {"stock": 5}
        before = await person.state()
        twice = await bazaar.act(person.token(), "cancelOrder", ORDER, order=order["id"])
        assert refusal_of(twice) == ("CONFLICT", "input.order")
        assert twice["userErrors"][0]["message"] == (
            "This order can no longer be cancelled (it is cancelled). Ask customer service for a return."
        )
        assert await person.state() == before
    order = await placed(bazaar, person, mug)
    await moved(bazaar, order, "CONFIRMED", "PREPARING")
    before = await person.state()
    late = await bazaar.act(person.token(), "cancelOrder", ORDER, order=order["id"])
    assert refusal_of(late) == ("NOT_ELIGIBLE", "input.order")
    assert await person.state() == before
    stopped = await bazaar.done(bazaar.token("agent"), "cancelOrder", ORDER, order=order["id"])
    assert stopped["order"]["state"] == "CANCELLED"
    order = await placed(bazaar, person, mug)
    await moved(bazaar, order, "CONFIRMED", "PREPARING", "SHIPPED")
    for token in (person.token(), bazaar.token("manager")):
        shipped = await bazaar.act(token, "cancelOrder", ORDER, order=order["id"])
        assert refusal_of(shipped) == ("CONFLICT", "input.order")


async def test_each_role_takes_its_own_steps(bazaar: Bazaar) -> None:
    [person] = await bazaar.newcomers(1, points=500)
    order = await placed(bazaar, person)
    sent = {"order": order["id"], "state": "CONFIRMED"}
    forbidden = {
        "cancelOrder": [bazaar.token("kiosk"), bazaar.token("till")],
        "advanceOrder": [bazaar.token("kiosk")],
    }
    before = await person.state()
    for name, tokens in forbidden.items():
        told = {"key": uuid4().hex, "order": order["id"], **({"state": "CONFIRMED"} if name == "advanceOrder" else {})}
        for token in tokens:
            assert code_of(await person.gateway.ask(token, mutation(name), input=told)) == "FORBIDDEN"
    for token in (person.token(), bazaar.token("till")):
        payload = await bazaar.act(token, "advanceOrder", ORDER, **sent)
        assert refusal_of(payload) == ("NOT_ELIGIBLE", "input.order")
    skipped = await bazaar.act(bazaar.token("agent"), "advanceOrder", ORDER, **{**sent, "state": "DELIVERED"})
    assert refusal_of(skipped) == ("CONFLICT", "input.state")
    assert skipped["userErrors"][0]["message"] == (
        "An order can’t go from “placed” to “delivered”. Choose one of these: confirmed, completed, cancelled."
    )
    instead = await bazaar.act(bazaar.token("agent"), "advanceOrder", ORDER, **{**sent, "state": "CANCELLED"})
    assert refusal_of(instead) == ("INVALID", "input.state")
    for about, path in (
        ({"note": "x" * 501}, "note"),
        ({"trackingUrl": "javascript:alert(1)"}, "trackingUrl"),
        ({"trackingUrl": "https://"}, "trackingUrl"),
        ({"quantity": 1}, "quantity"),
        ({"exchangeFor": BREAD}, "exchangeFor"),
    ):
        payload = await bazaar.act(bazaar.token("agent"), "advanceOrder", ORDER, **sent, **about)
        assert refusal_of(payload) == ("INVALID", f"input.{path}")
    assert await person.state() == before
    # At the counter the till hands it over; then the member asks for its return, and an agent takes it back.
    handed = await bazaar.done(bazaar.token("till"), "advanceOrder", ORDER, **{**sent, "state": "FULFILLED"})
    assert handed["order"]["state"] == "FULFILLED"
    asked = {"order": order["id"], "state": "RETURN_REQUESTED", "note": "It is stale"}
    assert (await bazaar.done(person.token(), "advanceOrder", ORDER, **asked))["order"]["state"] == "RETURN_REQUESTED"
    own = await bazaar.act(person.token(), "advanceOrder", ORDER, order=order["id"], state="RETURNED")
    assert refusal_of(own) == ("NOT_ELIGIBLE", "input.order")
    back = await bazaar.done(bazaar.token("agent"), "advanceOrder", ORDER, order=order["id"], state="RETURNED")
    assert (back["order"]["state"], back["order"]["returned"]) == ("RETURNED", 1)
    assert back["member"]["points"]["available"] == 500
    assert [step["state"] for step in back["order"]["history"]] == [
        "PLACED",
        "FULFILLED",
        "RETURN_REQUESTED",
        "RETURNED",
    ]
    over = await bazaar.act(bazaar.token("manager"), "advanceOrder", ORDER, order=order["id"], state="CONFIRMED")
    assert refusal_of(over) == ("CONFLICT", "input.state")
    assert over["userErrors"][0]["message"] == (
        "This order is returned, and you can’t change it. Ask customer service for help."
    )


async def test_exchange_takes_one_order_back_and_places_another(bazaar: Bazaar) -> None:
    mug = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=100, stock=5)
    bowl = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=150, stock=5)
    dear = await bazaar.put("REWARD", kind="PHYSICAL", category="home", points=1000)
    [person] = await bazaar.newcomers(1, points=170)
    order = await placed(bazaar, person, mug)
    await moved(bazaar, order, "CONFIRMED", "PREPARING", "SHIPPED", "DELIVERED")
    agent, told = bazaar.token("agent"), {"order": order["id"], "state": "EXCHANGED"}
    before = await person.state()
    for reward, refusal in (
        (dear, ("INSUFFICIENT_POINTS", "input.exchangeFor")),
        (global_id("Reward", "coffee", "cup"), ("NOT_FOUND", "input.exchangeFor")),
        ("nothing", ("NOT_FOUND", "input.exchangeFor")),
    ):
        refused = await bazaar.act(agent, "advanceOrder", EXCHANGED, **told, exchangeFor=reward)
        assert refusal_of(refused) == refusal
        assert (refused["order"], refused["replacement"]) == (None, None)
    assert await person.state() == before
    told = {**told, "key": uuid4().hex, "exchangeFor": bowl}
    payload = await bazaar.done(agent, "advanceOrder", EXCHANGED, **told)
    assert (payload["order"]["id"], payload["order"]["state"]) == (order["id"], "EXCHANGED")
    replacement = payload["replacement"]
    assert (replacement["state"], replacement["quantity"], replacement["points"]) == ("PLACED", 1, 150)
    assert replacement["id"] != order["id"]
    assert payload["member"]["points"]["available"] == 20
    again = await bazaar.done(agent, "advanceOrder", EXCHANGED, **told)
    assert again == {**payload, "replayed": True}
    # The same once more, where nothing else is named.
    await moved(bazaar, replacement, "FULFILLED")
    same = await bazaar.done(agent, "advanceOrder", EXCHANGED, order=replacement["id"], state="EXCHANGED")
    assert (same["replacement"]["reward"], same["replacement"]["points"]) == (replacement["reward"], 150)
    assert same["member"]["points"]["available"] == 20
    shown = (await bazaar.ask(person.token(), ORDERS))["me"]["orders"]["edges"]
    assert [edge["node"]["state"] for edge in shown] == ["PLACED", "EXCHANGED", "EXCHANGED"]


# Codes and privacy


async def test_voucher_is_shown_to_the_member_alone_once_it_is_there(bazaar: Bazaar, tmp_path: Path) -> None:
    pool = f"pool-{uuid4().hex[:8]}"
    file = tmp_path / "codes.txt"
    file.write_text(f"{pool}-1\n{pool}-2\n", encoding="utf-8")
    assert (await carillon("codes", "load", pool, str(file), "--data-dir", bazaar.data_dir())).code == 0
    at_once = await bazaar.put("REWARD", kind="DIGITAL_CODE", category="leisure", points=10, pool=pool)
    by_hand = await bazaar.put("REWARD", kind="PARTNER", category="leisure", points=10, pool=pool, partner="A florist")
    [person] = await bazaar.newcomers(1, points=100)
    digital = await placed(bazaar, person, at_once)
    assert (digital["state"], digital["code"]) == ("FULFILLED", f"{pool}-1")
    gift = await placed(bazaar, person, by_hand)
    assert (gift["state"], gift["code"]) == ("PLACED", None)
    for role in ("kiosk", "agent", "manager", "service"):
        found = await bazaar.ask(bazaar.token(role), ORDERS_OF, by=person.by)
        assert [edge["node"]["code"] for edge in found["member"]["orders"]["edges"]] == [None, None]
        assert (await bazaar.ask(bazaar.token(role), NODE, id=digital["id"]))["node"]["code"] is None
    done = await bazaar.done(bazaar.token("agent"), "advanceOrder", ORDER, order=gift["id"], state="FULFILLED")
    assert done["order"]["code"] is None
    shown = (await bazaar.ask(person.token(), ORDERS))["me"]["orders"]["edges"]
    assert [edge["node"]["code"] for edge in shown] == [f"{pool}-2", f"{pool}-1"]
    assert (await bazaar.ask(person.token(), NODE, id=gift["id"]))["node"]["code"] == f"{pool}-2"
    left = await bazaar.act(person.token(), "placeOrder", reward=at_once, channel="APP")
    assert refusal_of(left) == ("OUT_OF_STOCK", "input.reward")


async def test_order_is_seen_by_its_member_and_by_staff(bazaar: Bazaar) -> None:
    one, other = await bazaar.newcomers(2, points=100)
    order = await placed(bazaar, one)
    assert (await bazaar.ask(one.token(), NODE, id=order["id"]))["node"]["number"] == order["number"]
    assert (await bazaar.ask(other.token(), NODE, id=order["id"]))["node"] is None
    assert (await bazaar.ask(other.token(), ORDERS))["me"]["orders"]["edges"] == []
    assert code_of(await one.gateway.ask(bazaar.token("till"), NODE, id=order["id"])) == "FORBIDDEN"
    assert code_of(await one.gateway.ask(bazaar.token("till"), ORDERS_OF, by=one.by)) == "FORBIDDEN"
    stranger = one.gateway.token("agent", programme="coffee")
    for id_ in (global_id("Order", "made-up"), order["id"]):
        answer = await one.gateway.ask(stranger, NODE, id=id_)
        # Whether the coffee house runs here yet or not: it knows no such order.
        assert (answer.get("data") or {"node": None})["node"] is None


# Wrong ids, wrong members, wrong keys


async def test_id_of_something_else_is_not_found_and_nothing_changes(bazaar: Bazaar) -> None:
    one, other = await bazaar.newcomers(2, points=300)
    order, of_other = [await placed(bazaar, person) for person in (one, other)]
    kept = await bazaar.done(other.token(), "hold", "hold { id }", points=10)
    offer = await bazaar.put("OFFER", kind="SERVICE", first_day="2026-01-01", activation=True)
    before = [await one.state(), await other.state()]
    rewards = (offer, order["id"], one.id, global_id("Reward", "coffee", "refill"), global_id("Reward", "grocer", "x"))
    for reward in (*rewards, "", "nothing", "é"):
        for name, told in (("placeOrder", {"channel": "APP"}), ("hold", {})):
            payload = await bazaar.act(one.token(), name, reward=reward, **told)
            assert refusal_of(payload) == ("NOT_FOUND", "input.reward")
    for id_ in (of_other["id"], BREAD, one.id, global_id("Order", "made-up"), global_id("Order", "a", "b"), "", "é"):
        for name, told in (
            ("cancelOrder", {}),
            ("advanceOrder", {"state": "RETURN_REQUESTED"}),
        ):
            payload = await bazaar.act(one.token(), name, order=id_, **told)
            assert refusal_of(payload) == ("NOT_FOUND", "input.order")
    holds = (kept["hold"]["id"], BREAD, global_id("Hold", member_of(one), "made-up"), global_id("Hold", "x", "y"), "")
    for id_ in holds:
        payload = await bazaar.act(one.token(), "release", "hold { id }", hold=id_)
        assert refusal_of(payload) == ("NOT_FOUND", "input.hold"), id_
        assert payload["hold"] is None
        payload = await bazaar.act(one.token(), "placeOrder", reward=BREAD, channel="APP", hold=id_)
        assert refusal_of(payload) == ("NOT_FOUND", "input.hold")
    for id_ in (BREAD, global_id("Hold", member_of(one), "made-up"), global_id("Hold", "x", "y"), ""):
        payload = await bazaar.act(bazaar.token("agent"), "release", hold=id_)
        assert refusal_of(payload) == ("NOT_FOUND", "input.hold"), id_
    assert [await one.state(), await other.state()] == before
    # Staff of another brand find nothing of this one.
    assert order["state"] == "PLACED"


async def test_brands_do_not_meet(bazaar: Bazaar, coffee: str) -> None:
    [person] = await bazaar.newcomers(1, points=300)
    order = await placed(bazaar, person)
    kept = await bazaar.done(person.token(), "hold", "hold { id }", points=10)
    before = await person.state()
    stranger = person.gateway.token("agent", programme=coffee)
    refill = global_id("Reward", coffee, "refill")
    for name, told, refusal in (
        ("cancelOrder", {"order": order["id"]}, ("NOT_FOUND", "input.order")),
        ("advanceOrder", {"order": order["id"], "state": "CONFIRMED"}, ("NOT_FOUND", "input.order")),
        ("release", {"hold": kept["hold"]["id"]}, ("NOT_FOUND", "input.hold")),
        ("placeOrder", {"reward": refill, "member": person.by, "channel": "APP"}, ("NOT_FOUND", "input.member")),
        ("hold", {"points": 1, "member": {"id": person.id}}, ("NOT_FOUND", "input.member")),
        ("noteOffers", {"seen": [], "member": {"id": person.id}}, ("NOT_FOUND", "input.member")),
    ):
        payload = await bazaar.act(stranger, name, **told)
        assert refusal_of(payload) == refusal
    assert await person.state() == before


@pytest.mark.parametrize("by", [GONE, {"card": "unknown"}, {"email": "nobody@example.org"}, {"id": BREAD}, {"id": ""}])
async def test_unknown_member_is_told_as_such(bazaar: Bazaar, by: dict[str, str]) -> None:
    agent = bazaar.token("agent")
    offer = await bazaar.put("OFFER", kind="SERVICE", first_day="2026-01-01", activation=True)
    for name, told in (
        ("placeOrder", {"reward": BREAD, "channel": "AGENT"}),
        ("hold", {"points": 1}),
        ("activateOffer", {"offer": offer}),
        ("noteOffers", {"seen": [offer]}),
        ("redeemOffer", {"offer": offer, "channel": "AGENT"}),
    ):
        payload = await bazaar.act(agent, name, "member { version }", member=by, **told)
        assert refusal_of(payload) == ("NOT_FOUND", "input.member")
        assert payload["member"] is None
        nobody = await bazaar.act(agent, name, **told)
        assert refusal_of(nobody) == ("INVALID", "input.member")


@pytest.mark.parametrize("key", ["", "  ", "x" * 201])
async def test_key_is_there_and_not_too_long(bazaar: Bazaar, key: str) -> None:
    [person] = await bazaar.newcomers(1, points=300)
    order = await placed(bazaar, person)
    kept = await bazaar.done(person.token(), "hold", "hold { id }", points=10)
    offer = await bazaar.put("OFFER", kind="SERVICE", first_day="2026-01-01", activation=True)
    before = await person.state()
    agent, manager = bazaar.token("agent"), bazaar.token("manager")
    content = {"key": f"banner-{uuid4().hex[:8]}", "title": "A", "body": "B"}
    for token, name, told in (
        (person.token(), "placeOrder", {"reward": BREAD, "channel": "APP"}),
        (person.token(), "cancelOrder", {"order": order["id"]}),
        (agent, "advanceOrder", {"order": order["id"], "state": "CONFIRMED"}),
        (person.token(), "hold", {"points": 1}),
        (person.token(), "release", {"hold": kept["hold"]["id"]}),
        (person.token(), "activateOffer", {"offer": offer}),
        (person.token(), "noteOffers", {"seen": [offer]}),
        (agent, "redeemOffer", {"offer": offer, "member": person.by, "channel": "AGENT"}),
        (manager, "saveCatalogueItem", {"kind": "CONTENT", "definition": content}),
        (manager, "retireCatalogueItem", {"kind": "CONTENT", "item": "home"}),
    ):
        payload = await bazaar.act(token, name, **told, key=key)
        assert refusal_of(payload) == ("INVALID", "input.key"), name
    assert await person.state() == before


# On the spot


async def test_purchase_over_the_minimum_is_rewarded_in_the_answer_to_the_till(bazaar: Bazaar, coffee: str) -> None:
    gateway = bazaar.gateways[0]
    till = gateway.token("till", programme=coffee)
    told = {"channel": "STORE", "locale": "en"}
    newcomer = (await bazaar.done(till, "enrol", "member { id number }", **told))["member"]
    person = Person(gateway, newcomer["id"], newcomer["number"])
    own = person.token(programme=coffee)
    query = RECORD.replace("replayed", "orders { id number state points quantity code reward { key title } } replayed")
    # All within one day of Paris, whatever the hour of the test.
    noon = (datetime.now(UTC) - timedelta(days=1)).replace(hour=11, minute=0, second=0, microsecond=0)

    async def buy(total: str, **about: Any) -> dict[str, Any]:
        money = {"total": total, "currency": "EUR"}
        sent = {**person.purchase(purchase=money), "occurredAt": noon.isoformat(), **about}
        payload: dict[str, Any] = (await bazaar.ask(till, query, input=sent))["recordEvent"]
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
    async with bazaar.gateways[1].socket(own) as app:
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
    listed = (await bazaar.ask(own, ORDERS))["me"]["orders"]["edges"]
    assert [edge["node"]["number"] for edge in listed] == [order["number"]]
    # The next day is another one.
    assert len((await buy("15.00", occurredAt=(noon + timedelta(hours=13)).isoformat()))["orders"]) == 1
