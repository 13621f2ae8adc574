"""Offers and rewards of a member: ranking, reasons, states and rights."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from support.clients.api import ApiMember, ask_as, code_of, data, enrol, next_update, refusal_of, watch
from support.clients.two_gateways import TwoGateways
from support.servers.command_line import run_carillon

from schema.wire.ids import from_global_id, global_id

OFFERS = """query ($first: Int, $after: String, $states: [OfferState!], $channel: Channel) {
  me {
    offers(first: $first, after: $after, states: $states, channel: $channel) {
      edges { cursor node { offer { id key title direction } state code usesLeft expiresAt why } }
      pageInfo { hasNextPage hasPreviousPage endCursor }
    }
  }
}"""
REWARDS = """query ($first: Int, $after: String, $category: String, $eligible: Boolean) {
  me {
    rewards(first: $first, after: $after, category: $category, eligible: $eligible) {
      edges { cursor node { reward { id key title } eligible missingPoints reasons } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""
USED = "memberOffer { state usesLeft code why offer { id } } member { version }"
ON = {"first_day": "2026-01-01", "kind": "SERVICE"}
# Ranks before the offers of other tests.
FIRST = {**ON, "weight": 900}


async def offers_of(api_member: ApiMember, **about: Any) -> list[dict[str, Any]]:
    """Return a page of a member's offers."""
    answer = data(await ask_as(api_member.gateway, api_member.token(), OFFERS, **{"first": 100, **about}))
    return [edge["node"] for edge in answer["me"]["offers"]["edges"]]


async def offer_of(api_member: ApiMember, id_: str, **about: Any) -> dict[str, Any] | None:
    """Return one of a member's offers, or None if it is not shown."""
    found = [node for node in await offers_of(api_member, **about) if node["offer"]["id"] == id_]
    assert len(found) <= 1
    return found[0] if found else None


async def personalise(api_member: ApiMember, *, granted: bool) -> int:
    """Answer the consent to personalisation as the member; return the version."""
    query = """mutation ($input: SetConsentsInput!) {
      setConsents(input: $input) { member { version } userErrors { code } }
    }"""
    consents = [{"purpose": "PERSONALISATION", "granted": granted}]
    answer = data(
        await ask_as(api_member.gateway, api_member.token(), query, input={"key": uuid4().hex, "consents": consents})
    )
    version: int = answer["setConsents"]["member"]["version"]
    return version


async def rewards_of(api_member: ApiMember, **about: Any) -> list[dict[str, Any]]:
    """Return a page of a member's rewards."""
    answer = data(await ask_as(api_member.gateway, api_member.token(), REWARDS, **{"first": 100, **about}))
    return [edge["node"] for edge in answer["me"]["rewards"]["edges"]]


async def in_pages(api_member: ApiMember, query: str, field: str, size: int, **about: Any) -> list[str]:
    """Return the keys of a whole list, read page by page."""
    keys: list[str] = []
    after: str | None = None
    while True:
        answer = await api_member.gateway.ask(api_member.token(), query, first=size, after=after, **about)
        page = data(answer)["me"][f"{field}s"]
        keys += [edge["node"][field]["key"] for edge in page["edges"]]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return keys
        after = page["pageInfo"]["endCursor"]


# Offers, best first


async def test_offers_are_ranked_the_same_on_every_call_and_both_gateways(
    two_gateways: TwoGateways, api_member: ApiMember
) -> None:
    heavy = await two_gateways.save_item("OFFER", **{**FIRST, "weight": 950})
    alike = sorted(
        [await two_gateways.save_item("OFFER", **FIRST) for _ in range(3)], key=lambda id_: from_global_id(id_)[1]
    )
    light = await two_gateways.save_item("OFFER", **{**FIRST, "weight": 890})
    whole = await offers_of(api_member)
    assert [node["offer"]["id"] for node in whole if node["offer"]["id"] in {heavy, *alike, light}] == [
        heavy,
        *alike,
        light,
    ]
    assert await offers_of(api_member) == whole
    other = ApiMember(two_gateways.gateways[1], api_member.id, api_member.number)
    assert await offers_of(other) == whole
    keys = [node["offer"]["key"] for node in whole]
    assert len(set(keys)) == len(keys) < 100
    for size in (3, 7, 100):
        assert await in_pages(api_member, OFFERS, "offer", size) == keys


async def test_offer_says_why_it_is_shown_in_three_languages(two_gateways: TwoGateways) -> None:
    topic = f"T{uuid4().hex[:8].upper()}"
    today = datetime.now(ZoneInfo("America/New_York")).date()
    ids = {
        "favourite": await two_gateways.save_item("OFFER", **FIRST, categories=[topic]),
        "everybody": await two_gateways.save_item("OFFER", **FIRST),
        "newcomers": await two_gateways.save_item("OFFER", **FIRST, audience={"segments": ["newcomers"]}),
        "green": await two_gateways.save_item("OFFER", **FIRST, audience={"tiers": ["green"]}),
        "ends": await two_gateways.save_item("OFFER", **FIRST, last_day=(today + timedelta(days=2)).isoformat()),
    }
    api_member = await enrol(two_gateways.gateways[0], locale="fr")
    await personalise(api_member, granted=True)
    line = {"sku": "milk", "amount": "9.00", "category": topic}
    await api_member.buy(purchase={"total": "9.00", "currency": "USD", "lines": [line]})
    name = topic.capitalize()
    whys = {
        "en": [f"Because you often buy {name}", "For all members", "For you: Members of the last 90 days"],
        "fr": [
            f"Parce que vous achetez souvent {name}",
            "Pour tous les membres",
            "Pour vous\u00a0: Membres depuis moins de 90 jours",
        ],
        "ar": [f"لأنك تشتري كثيرًا: {name}", "لجميع الأعضاء", "لك: أعضاء آخر 90 يوما"],
    }
    tiers = {"en": "For your status: Green", "fr": "Pour votre statut\u00a0: Vert", "ar": "لمستواك: أخضر"}
    ends = {
        "en": "Ends soon: 3 days left",
        "fr": "Bientôt terminée\u00a0: plus que 3 jours",
        "ar": "ينتهي قريبًا: باقٍ 3 أيام",
    }
    for requested in ("en", "fr", "ar", None):
        shown = {node["offer"]["id"]: node for node in await offers_of(api_member, locale=requested)}
        language = requested or "fr"
        assert [shown[ids[name]]["why"] for name in ("favourite", "everybody", "newcomers")] == whys[language]
        assert shown[ids["green"]]["why"] == tiers[language]
        assert shown[ids["ends"]]["why"] == ends[language]
        assert shown[ids["green"]]["offer"]["direction"] == ("RTL" if language == "ar" else "LTR")
    # Bought topics rank first, for this member only.
    order = [node["offer"]["id"] for node in await offers_of(api_member)]
    assert order.index(ids["favourite"]) < order.index(ids["newcomers"]) < order.index(ids["everybody"])
    stranger = await enrol(two_gateways.gateways[0])
    order = [node["offer"]["id"] for node in await offers_of(stranger)]
    assert order.index(ids["newcomers"]) < order.index(ids["favourite"])


async def test_cached_answers_and_live_updates_follow_the_consent_to_personalisation(
    two_gateways: TwoGateways,
) -> None:
    topic = f"T{uuid4().hex[:8].upper()}"
    favourite = await two_gateways.save_item("OFFER", **FIRST, categories=[topic])
    everybody = await two_gateways.save_item("OFFER", **FIRST)
    api_member = await enrol(two_gateways.gateways[0], locale="en")
    other_gateway = ApiMember(two_gateways.gateways[1], api_member.id, api_member.number)
    line = {"sku": "milk", "amount": "9.00", "category": topic}
    await api_member.buy(purchase={"total": "9.00", "currency": "USD", "lines": [line]})
    personal = f"Because you often buy {topic.capitalize()}"
    query = """subscription {
      memberChanged { version member { offers(first: 100) { edges { node { offer { id } why } } } } }
    }"""

    def is_personal(nodes: list[dict[str, Any]]) -> bool:
        whys = {node["offer"]["id"]: node["why"] for node in nodes}
        order = [*whys]
        assert whys[favourite] in {personal, whys[everybody]}
        assert (order.index(favourite) < order.index(everybody)) or whys[favourite] != personal
        return bool(whys[favourite] == personal)

    async with api_member.gateway.socket(api_member.token()) as socket:
        await watch(socket, query=query)
        update = await next_update(socket)
        assert not is_personal([edge["node"] for edge in update["member"]["offers"]["edges"]])
        for granted in (None, False, True, False, True):
            if granted is not None:
                version = await personalise(api_member, granted=granted)
                update = await next_update(socket)
                assert update["version"] == version
                nodes = [edge["node"] for edge in update["member"]["offers"]["edges"]]
                assert is_personal(nodes) is granted
            # The second answer is a cached one.
            for at in (api_member, api_member, other_gateway, other_gateway):
                for channel in ("APP", "WEB", "KIOSK"):
                    assert is_personal(await offers_of(at, channel=channel)) is bool(granted)


async def test_offer_for_others_or_elsewhere_is_not_shown(two_gateways: TwoGateways, api_member: ApiMember) -> None:
    gold = await two_gateways.save_item("OFFER", **FIRST, audience={"tiers": ["gold"]})
    at_kiosk = await two_gateways.save_item("OFFER", **FIRST, channels=["KIOSK"])
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    coming = await two_gateways.save_item("OFFER", **{**FIRST, "first_day": tomorrow})
    over = await two_gateways.save_item("OFFER", **FIRST, last_day="2026-01-02")
    shown = {node["offer"]["id"] for node in await offers_of(api_member)}
    assert shown.isdisjoint({gold, at_kiosk, coming, over})
    assert await offer_of(api_member, at_kiosk, channel="KIOSK") is not None
    query = OFFERS.replace(", $channel: Channel", "").replace(", channel: $channel", "")
    by_header = data(await ask_as(api_member.gateway, api_member.token(), query, channel="KIOSK", first=100))
    assert at_kiosk in {edge["node"]["offer"]["id"] for edge in by_header["me"]["offers"]["edges"]}
    await api_member.buy("2500.00")
    assert await offer_of(api_member, gold) is not None


async def test_states_narrow_the_offers(two_gateways: TwoGateways, api_member: ApiMember) -> None:
    fresh = await two_gateways.save_item("OFFER", **FIRST)
    taken = await two_gateways.save_item("OFFER", **FIRST, activation=True)
    used = await two_gateways.save_item("OFFER", **FIRST)
    await two_gateways.mutate_accepted(api_member.token(), "activateOffer", USED, offer=taken)
    at_till = {"member": api_member.by, "channel": "STORE"}
    await two_gateways.mutate_accepted(two_gateways.token("till"), "redeemOffer", USED, offer=used, **at_till)
    by_state = {fresh: "AVAILABLE", taken: "ACTIVATED", used: "REDEEMED"}
    for states in (["AVAILABLE"], ["ACTIVATED"], ["REDEEMED"], ["EXPIRED"], ["ACTIVATED", "REDEEMED"]):
        shown = await offers_of(api_member, states=states)
        assert {node["offer"]["id"] for node in shown} & by_state.keys() == {
            id_ for id_, state in by_state.items() if state in states
        }
        assert {node["state"] for node in shown} <= {*states}
    whole = await offers_of(api_member)
    assert whole[0]["offer"]["id"] == taken
    assert whole[-1]["offer"]["id"] == used
    assert (whole[0]["why"], whole[-1]["why"]) == ("You activated this", "You’ve used this")
    assert await in_pages(api_member, OFFERS, "offer", 1, states=["ACTIVATED", "REDEEMED"]) == [
        whole[0]["offer"]["key"],
        whole[-1]["offer"]["key"],
    ]


async def test_code_is_shown_while_it_can_be_redeemed(
    two_gateways: TwoGateways, api_member: ApiMember, tmp_path: Path
) -> None:
    shared = f"S{uuid4().hex[:8].upper()}"
    prefix = f"M{uuid4().hex[:8].upper()}"
    pool = f"pool-{uuid4().hex[:8]}"
    file = tmp_path / "codes.txt"
    file.write_text(f"{pool}-1\n", encoding="utf-8")
    assert (await run_carillon("codes", "load", pool, str(file), "--data-dir", two_gateways.data_dir())).code == 0
    for_all = await two_gateways.save_item("OFFER", **FIRST, code={"shared": shared})
    own = await two_gateways.save_item(
        "OFFER", **FIRST, code={"member": prefix}, activation=True, uses={"per_member": 2}
    )
    pooled = await two_gateways.save_item("OFFER", **FIRST, code={"pool": pool}, activation=True)
    plain = await two_gateways.save_item("OFFER", **FIRST)

    async def codes() -> list[str | None]:
        shown = {node["offer"]["id"]: node for node in await offers_of(api_member)}
        return [shown[id_]["code"] for id_ in (for_all, own, pooled, plain)]

    assert await codes() == [shared, None, None, None]
    activated = await two_gateways.mutate_accepted(api_member.token(), "activateOffer", USED, offer=own)
    own_code = activated["memberOffer"]["code"]
    assert own_code.startswith(f"{prefix}-{api_member.number}-")
    assert (await two_gateways.mutate_accepted(api_member.token(), "activateOffer", USED, offer=pooled))["memberOffer"][
        "code"
    ] == (f"{pool}-1")
    assert await codes() == [shared, own_code, f"{pool}-1", None]
    till = two_gateways.token("till")
    for left, state in ((1, "ACTIVATED"), (0, "REDEEMED")):
        used = await two_gateways.mutate_accepted(till, "redeemOffer", USED, code=own_code, channel="STORE")
        assert used["memberOffer"] == {
            "state": state,
            "usesLeft": left,
            "code": own_code if left else None,
            "why": "You activated this" if left else "You’ve used this",
            "offer": {"id": own},
        }
    await two_gateways.mutate_accepted(
        till, "redeemOffer", USED, code=f" {shared.lower()} ", member=api_member.by, channel="STORE"
    )
    await two_gateways.mutate_accepted(till, "redeemOffer", USED, code=f"{pool}-1", channel="STORE")
    assert await codes() == [None, None, None, None]
    # The pool is empty; another member's code and a made-up one are invalid.
    late = await enrol(api_member.gateway)
    gone = await two_gateways.mutate(late.token(), "activateOffer", USED, offer=pooled)
    assert refusal_of(gone) == ("OUT_OF_STOCK", "input.offer")
    made_up = await two_gateways.mutate(till, "redeemOffer", USED, code=f"{own_code[:-8]}AAAAAAAA", channel="STORE")
    assert refusal_of(made_up) == ("NOT_FOUND", "input.code")
    of_another = await two_gateways.mutate(till, "redeemOffer", USED, code=own_code, member=late.by, channel="STORE")
    assert refusal_of(of_another) == ("CONFLICT", "input.code")


@pytest.mark.parametrize(
    ("percent", "total", "stated", "is_used_up"),
    [
        (50, "25.00", [], False),
        (50, "50.00", [], True),
        (50, "50.00", [{"amount": "49.99"}], False),
        (50, "0.00", [{"amount": "50.00", "offer": "ITS"}], True),
        (50, "90.00", [{"amount": "49.99", "code": "ITS"}], False),
        (100, "0.00", [{"amount": "50.00"}], True),
        (100, "0.00", [{"amount": "49.99", "code": "ITS"}], False),
        (100, "0.00", [{"amount": "50.00", "code": "ITS"}, {"amount": "9.00"}], True),
    ],
)
async def test_budget_counts_the_real_cost(
    two_gateways: TwoGateways,
    api_member: ApiMember,
    *,
    percent: int,
    total: str,
    stated: list[dict[str, str]],
    is_used_up: bool,
) -> None:
    code = f"C{uuid4().hex[:8].upper()}"
    half = {
        **ON,
        "kind": "PERCENT_OFF",
        "percent": percent,
        "budget": "50.00",
        "uses": {"per_member": 5},
        "code": {"shared": code},
    }
    id_ = await two_gateways.save_item("OFFER", **half)
    discounts = [{**one, **({"offer": id_} if "offer" in one else {})} for one in stated]
    discounts = [{**one, **({"code": code.lower()} if "code" in one else {})} for one in discounts]
    till, key = two_gateways.token("till"), uuid4().hex
    redeemed = {"offer": id_, "member": api_member.by, "channel": "STORE"}
    await two_gateways.mutate_accepted(till, "redeemOffer", USED, **redeemed, purchaseKey=key)
    await api_member.buy(key=key, purchase={"total": total, "currency": "USD", "discounts": discounts})
    again = await two_gateways.mutate(till, "redeemOffer", USED, **redeemed)
    assert [error["code"] for error in again["userErrors"]] == (["LIMIT_REACHED"] if is_used_up else [])


async def test_seen_or_dismissed_offer_ranks_lower(two_gateways: TwoGateways, api_member: ApiMember) -> None:
    keys = [f"offer-{uuid4().hex[:12]}" for _ in range(3)]
    ids = [await two_gateways.save_item("OFFER", **{**FIRST, "key": key}) for key in sorted(keys)]

    async def order() -> list[str]:
        return [node["offer"]["id"] for node in await offers_of(api_member) if node["offer"]["id"] in ids]

    first, second, third = ids
    assert await order() == [first, second, third]
    fields = {"key": uuid4().hex, "seen": [first]}
    noted = await two_gateways.mutate_accepted(api_member.token(), "noteOffers", USED, **fields)
    assert noted["memberOffer"] is None
    assert await order() == [second, third, first]
    again = await two_gateways.mutate_accepted(api_member.token(), "noteOffers", USED, **fields)
    assert (again["replayed"], again["member"]) == (True, noted["member"])
    await two_gateways.mutate_accepted(
        two_gateways.token("kiosk"), "noteOffers", member=api_member.by, seen=[first], refused=[second]
    )
    assert await order() == [third, first, second]
    whole = [node["offer"]["id"] for node in await offers_of(api_member)]
    assert whole[-1] == second
    # An activated offer ranks first.
    before = await api_member.state()
    stranger = global_id("Offer", "coffee", "pastry-1")
    for wrong in (third[:-4], stranger, "nothing", global_id("Reward", "grocer", "bread")):
        payload = await two_gateways.mutate(api_member.token(), "noteOffers", seen=[third], refused=[first, wrong])
        assert refusal_of(payload) == ("NOT_FOUND", "input.refused.1")
    many = await two_gateways.mutate(api_member.token(), "noteOffers", seen=[third] * 101)
    assert refusal_of(many) == ("LIMIT_REACHED", "input.seen")
    assert await api_member.state() == before
    assert await order() == [third, first, second]


# Rewards, best first


async def test_affordable_rewards_come_first(two_gateways: TwoGateways) -> None:
    category = f"shelf-{uuid4().hex[:8]}"
    shelf = {"kind": "PHYSICAL", "category": category}
    expensive = await two_gateways.save_item("REWARD", **shelf, points=1000)
    near = await two_gateways.save_item("REWARD", **shelf, points=120)
    cheap = await two_gateways.save_item("REWARD", **shelf, points=50)
    gold = await two_gateways.save_item("REWARD", **shelf, points=10, audience={"tiers": ["gold"]})
    gone = await two_gateways.save_item("REWARD", **shelf, points=10, stock=0)
    once = await two_gateways.save_item("REWARD", **shelf, points=0, limit={"orders": 1, "per": "ever"})
    closed = await two_gateways.save_item("REWARD", **shelf, points=10, window={"first_day": "2090-01-01"})
    over = await two_gateways.save_item("REWARD", **shelf, points=10, window={"last_day": "2026-01-02"})
    pool = {"kind": "DIGITAL_CODE", "category": category, "pool": f"pool-{uuid4().hex[:8]}"}
    codeless = await two_gateways.save_item("REWARD", **pool, points=10)
    [api_member] = await two_gateways.enrol_members(1, points=100)
    await two_gateways.mutate_accepted(api_member.token(), "placeOrder", reward=once, channel="APP")

    shown = await rewards_of(api_member, category=category)
    standing = {node["reward"]["id"]: (node["eligible"], node["missingPoints"], node["reasons"]) for node in shown}
    assert standing == {
        cheap: (True, 0, []),
        near: (False, 20, []),
        expensive: (False, 900, []),
        gold: (False, 0, ["This reward needs the status Gold. Choose another one."]),
        gone: (False, 0, ["This reward is out of stock. Choose another one."]),
        once: (
            False,
            0,
            ["You can order this reward once in total. Come back later, or choose another one."],
        ),
        closed: (
            False,
            0,
            ["You can order this reward from 1 January 2090. Come back then."],
        ),
        over: (False, 0, ["This reward can no longer be ordered. Choose another one."]),
        codeless: (False, 0, ["All codes for this reward have been given out. Choose another one."]),
    }
    ids = [node["reward"]["id"] for node in shown]
    assert ids[:3] == [cheap, near, expensive]
    assert await rewards_of(api_member, category=category) == shown
    assert [node["reward"]["id"] for node in await rewards_of(api_member, category=category, eligible=True)] == [cheap]
    assert [node["reward"]["id"] for node in await rewards_of(api_member, category=category, eligible=False)] == ids[1:]
    keys = [node["reward"]["key"] for node in shown]
    for size in (1, 3):
        assert await in_pages(api_member, REWARDS, "reward", size, category=category) == keys
    assert await rewards_of(api_member, category="no-such-shelf") == []
    # In the member's language, with the same reasons as the refusal of an order.
    for locale, words in (
        ("fr", "Cette récompense est épuisée. Choisissez-en une autre."),
        ("ar", "نفدت هذه المكافأة. اختر مكافأة أخرى."),
    ):
        node = next(
            node
            for node in await rewards_of(api_member, category=category, locale=locale)
            if node["reward"]["id"] == gone
        )
        assert node["reasons"] == [words]
    for id_, code in (
        (gold, "NOT_ELIGIBLE"),
        (gone, "OUT_OF_STOCK"),
        (codeless, "OUT_OF_STOCK"),
        (once, "LIMIT_REACHED"),
        (closed, "NOT_ELIGIBLE"),
    ):
        refused = await two_gateways.mutate(api_member.token(), "placeOrder", reward=id_, channel="APP")
        assert refusal_of(refused) == (code, "input.reward")
    assert refusal_of(await two_gateways.mutate(api_member.token(), "placeOrder", reward=over, channel="APP")) == (
        "EXPIRED",
        "input.reward",
    )
    assert refusal_of(await two_gateways.mutate(api_member.token(), "placeOrder", reward=near, channel="APP")) == (
        "INSUFFICIENT_POINTS",
        "input.reward",
    )


# Rights


async def test_member_sees_and_acts_for_itself_alone(two_gateways: TwoGateways, api_member: ApiMember) -> None:
    other = await enrol(api_member.gateway)
    offer = await two_gateways.save_item("OFFER", **FIRST, activation=True)
    before = await other.state()
    query = "query ($by: MemberKey!) { member(by: $by) { offers { edges { cursor } } } }"
    assert code_of(await api_member.gateway.ask(api_member.token(), query, by=other.by)) == "FORBIDDEN"
    assert data(await api_member.gateway.ask(api_member.token(), query, by=api_member.by))["member"]["offers"]["edges"]
    for name, fields in (
        ("activateOffer", {"offer": offer}),
        ("noteOffers", {"refused": [offer]}),
        ("placeOrder", {"reward": global_id("Reward", "grocer", "bread"), "channel": "APP"}),
        ("hold", {"points": 1}),
    ):
        type_name = f"{name[0].upper()}{name[1:]}Input"
        sent = f"mutation ($input: {type_name}!) {{ {name}(input: $input) {{ replayed }} }}"
        for by in (other.by, {"id": other.id}, {"number": "4000000000"}):
            answer = await api_member.gateway.ask(
                api_member.token(), sent, input={"key": uuid4().hex, "member": by, **fields}
            )
            assert code_of(answer) == "FORBIDDEN"
    assert await other.state() == before
    assert (await offer_of(other, offer) or {})["state"] == "AVAILABLE"


async def test_kiosk_shows_offers_and_rewards_of_a_scanned_card(two_gateways: TwoGateways) -> None:
    card = uuid4().hex
    gateway = two_gateways.gateways[0]
    api_member = await enrol(gateway, card=card, email=f"{card}@example.org")
    offer = await two_gateways.save_item(
        "OFFER", **FIRST, activation=True, title={"en": "Hello", "KIOSK": {"en": "Hello, tap here"}}
    )
    query = """query ($by: MemberKey!) {
      member(by: $by) {
        number
        offers(first: 100) { edges { node { offer { id title } } } }
        rewards(first: 1, eligible: false) { edges { node { eligible } } }
        orders { edges { cursor } }
      }
    }"""
    kiosk = gateway.token("kiosk")
    shown = data(await gateway.ask(kiosk, query, by={"card": card}))["member"]
    assert shown["number"] == api_member.number
    assert {"node": {"offer": {"id": offer, "title": "Hello, tap here"}}} in shown["offers"]["edges"]
    assert (shown["rewards"]["edges"], shown["orders"]["edges"]) == ([{"node": {"eligible": False}}], [])
    by_email = await gateway.ask(kiosk, query, by={"email": f"{card}@example.org"})
    assert code_of(by_email) == "FORBIDDEN"
    assert data(await gateway.ask(kiosk, query, by={"card": "unknown"}))["member"] is None
    activated = await two_gateways.mutate_accepted(kiosk, "activateOffer", USED, member={"card": card}, offer=offer)
    assert activated["memberOffer"]["state"] == "ACTIVATED"
    assert (await offer_of(api_member, offer) or {})["state"] == "ACTIVATED"


@pytest.mark.parametrize("role", ["member", "kiosk", "till", "agent", "manager", "service"])
async def test_all_staff_see_offers_but_the_till_sees_no_orders(api_member: ApiMember, role: str) -> None:
    gateway = api_member.gateway
    token = api_member.token() if role == "member" else gateway.token(role)
    query = """query ($by: MemberKey!) {
      member(by: $by) { offers(first: 1) { edges { cursor } } rewards { edges { cursor } } }
    }"""
    found = data(await gateway.ask(token, query, by=api_member.by))["member"]
    assert (len(found["offers"]["edges"]), bool(found["rewards"]["edges"])) == (1, True)
    orders = "query ($by: MemberKey!) { member(by: $by) { orders { edges { cursor } } } }"
    answer = await gateway.ask(token, orders, by=api_member.by)
    if role == "till":
        assert code_of(answer) == "FORBIDDEN"
    else:
        assert data(answer)["member"]["orders"]["edges"] == []


# Refusals change nothing


async def test_offer_that_cannot_be_used_is_refused_and_nothing_changes(
    two_gateways: TwoGateways, api_member: ApiMember
) -> None:
    needs = await two_gateways.save_item("OFFER", **FIRST, activation=True)
    plain = await two_gateways.save_item("OFFER", **FIRST)
    gold = await two_gateways.save_item("OFFER", **FIRST, activation=True, audience={"tiers": ["gold"]})
    over = await two_gateways.save_item("OFFER", **FIRST, activation=True, last_day="2026-01-02")
    online = await two_gateways.save_item("OFFER", **FIRST, channels=["WEB"])
    doubled = await two_gateways.save_item("OFFER", **{**FIRST, "kind": "MULTIPLIER"}, factor=2)
    wrong = global_id("Offer", "coffee", "pastry-1")
    before = await api_member.state()
    for offer, refusal in (
        (plain, ("INVALID", "input.offer")),
        (gold, ("NOT_ELIGIBLE", "input.offer")),
        (over, ("EXPIRED", "input.offer")),
        (wrong, ("NOT_FOUND", "input.offer")),
        (api_member.id, ("NOT_FOUND", "input.offer")),
        ("nothing", ("NOT_FOUND", "input.offer")),
    ):
        payload = await two_gateways.mutate(api_member.token(), "activateOffer", USED, offer=offer)
        assert refusal_of(payload) == refusal
        assert (payload["memberOffer"], payload["member"]) == (None, None)
    till = two_gateways.token("till")
    for fields, refusal in (
        ({"offer": needs}, ("NOT_ELIGIBLE", "input.offer")),
        ({"offer": online}, ("NOT_ELIGIBLE", "input.offer")),
        ({"offer": gold}, ("NOT_ELIGIBLE", "input.offer")),
        ({"offer": over}, ("EXPIRED", "input.offer")),
        ({"offer": doubled}, ("INVALID", "input.purchaseKey")),
        ({"offer": wrong}, ("NOT_FOUND", "input.offer")),
        ({}, ("INVALID", "input.offer")),
        ({"code": "NO-SUCH-CODE"}, ("NOT_FOUND", "input.code")),
        ({"code": "x" * 201}, ("INVALID", "input.code")),
        ({"offer": plain, "purchaseKey": "x" * 201}, ("INVALID", "input.purchaseKey")),
        ({"offer": plain, "store": "x" * 201}, ("INVALID", "input.store")),
        ({"offer": plain, "code": "FRESH5"}, ("CONFLICT", "input.code")),
        ({"offer": plain, "member": {"number": "4000000000"}}, ("NOT_FOUND", "input.member")),
        ({"offer": plain, "occurredAt": "2090-01-01T00:00:00Z"}, ("INVALID", "input.occurredAt")),
    ):
        payload = await two_gateways.mutate(
            till, "redeemOffer", USED, **{"member": api_member.by, "channel": "STORE", **fields}
        )
        assert refusal_of(payload) == refusal, fields
    unnamed = await two_gateways.mutate(till, "redeemOffer", USED, offer=plain, channel="STORE")
    assert refusal_of(unnamed) == ("INVALID", "input.member")
    assert await api_member.state() == before


async def test_member_cannot_redeem(api_member: ApiMember) -> None:
    query = "mutation ($input: RedeemOfferInput!) { redeemOffer(input: $input) { replayed } }"
    fields = {"key": uuid4().hex, "code": "FRESH5", "channel": "APP"}
    assert code_of(await api_member.gateway.ask(api_member.token(), query, input=fields)) == "FORBIDDEN"
