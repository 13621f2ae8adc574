from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import flat, line, moment, per_euro, receipt
from support.catalogue import offer, reward, segment
from support.member_scenario import assert_member_invariants, explanation_rows
from support.order_scenario import OrderScenario, assert_order_invariants, catalogue_programme
from support.property_settings import property_settings

from loyalty.commands.offer import RecordOfferViews, RedeemOffer
from loyalty.kernel.channel import Channel
from loyalty.kernel.currency import budget_decimals_of
from loyalty.kernel.window import Window
from loyalty.model.event import REFUND, Discount, Purchase, PurchaseLine, RecordedEvent
from loyalty.model.explanation import RuleOutcome
from loyalty.model.ledger import Cause
from loyalty.model.notice import Notice, NoticeKind
from loyalty.model.offer import Audience, CodeKind, Offer, OfferCode, OfferKind
from loyalty.model.programme import Programme
from loyalty.model.supply import CodeState

NOON, LATER = "2024-03-01 12:00", "2024-03-01 13:00"
DOUBLE = offer("double", OfferKind.MULTIPLIER, factor=Decimal(2), restores_use_on_refund=True)
BONUS = offer("bonus", OfferKind.BONUS_POINTS, points=50, restores_use_on_refund=True)


def member_of(*offers: Offer, **about: Any) -> OrderScenario:
    """Return somebody at a programme with these offers."""
    rewards = about.pop("rewards", ())
    customer = OrderScenario(catalogue_programme(*rewards, offers=offers, **about))
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    return customer


def charges_of(recorded: RecordedEvent) -> tuple[tuple[str, int], ...]:
    """Return the offers used for a purchase, each with its charge."""
    return tuple((one.offer, one.charge) for one in recorded.consequences if one.offer is not None)


def refusal_of(customer: OrderScenario, command: Any, now: str = NOON) -> tuple[str, str, tuple[str, ...]]:
    refusal = customer.refused(command, now)
    return refusal.code.value, refusal.reason, refusal.path


# Activation


def test_an_offer_is_activated_once_and_that_is_an_event_which_rules_reward() -> None:
    rules = (per_euro(), flat("taken-up", "3", event="activation", when='event.attributes.offer == "tea"'))
    customer = member_of(offer("tea", needs_activation=True), rules=rules)
    decision = customer.must(customer.activating("tea"), NOON)
    assert customer.now.offer_use("tea").activated_at == moment(NOON)
    assert customer.now.event_counts["activation"] == 1
    assert (customer.balances, explanation_rows(decision.record.explanations)) == (
        {"available": 3},
        [("taken-up", 3, RuleOutcome.AWARDED)],
    )
    assert Notice(NoticeKind.OFFER_ACTIVATED, {"offer": "tea"}) in decision.record.notices
    assert refusal_of(customer, customer.activating("tea")) == ("ALREADY_EXISTS", "offer_activated", ("offer",))
    assert_member_invariants(customer)


ON_SUNDAYS = Window(weekdays=frozenset({7}))
UNUSABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "over": ({"ends_at": moment(NOON)}, "EXPIRED", "offer_over"),
    "not yet": ({"starts_at": moment(NOON) + timedelta(milliseconds=1)}, "NOT_ELIGIBLE", "offer_not_yet"),
    "closed": ({"window": ON_SUNDAYS}, "NOT_ELIGIBLE", "offer_window"),
    "channel": ({"channels": frozenset({Channel.KIOSK})}, "NOT_ELIGIBLE", "offer_channel"),
    "tier": ({"audience": Audience(frozenset({"gold"}))}, "NOT_ELIGIBLE", "offer_audience"),
    "segment": ({"audience": Audience(segments=frozenset({"none"}))}, "NOT_ELIGIBLE", "offer_audience"),
    "list": ({"audience": Audience(lists=frozenset({"friends"}))}, "NOT_ELIGIBLE", "offer_audience"),
    "used up": ({"uses_max": 0}, "LIMIT_REACHED", "offer_used_up"),
    "spent": ({"budget": 0}, "LIMIT_REACHED", "offer_used_up"),
    "never": ({"uses_per_member_max": 0}, "LIMIT_REACHED", "offer_used"),
}


@pytest.mark.parametrize(("about", "code", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_neither_activated_nor_redeemed(about: dict[str, Any], code: str, reason: str) -> None:
    for needs_activation in (True, False):
        customer = member_of(offer("tea", needs_activation=needs_activation, **about))
        command = customer.activating("tea") if needs_activation else customer.redeeming("tea", NOON)
        assert refusal_of(customer, command) == (code, reason, ("offer",))
        assert (customer.now.offer_uses, customer.supply_taken) == ({}, {})


def test_what_is_not_there_or_needs_no_activation_is_refused() -> None:
    customer = member_of(offer("tea"), offer("pooled", needs_activation=True, code=OfferCode(CodeKind.POOL, "none")))
    assert refusal_of(customer, customer.activating("x")) == ("NOT_FOUND", "offer_not_found", ("offer",))
    assert refusal_of(customer, customer.redeeming("x", NOON)) == ("NOT_FOUND", "offer_not_found", ("offer",))
    assert refusal_of(customer, customer.activating("tea")) == ("INVALID", "offer_no_activation", ("offer",))
    assert refusal_of(customer, customer.activating("pooled")) == ("OUT_OF_STOCK", "offer_codes_gone", ("offer",))
    idle = refusal_of(customer, customer.redeeming("pooled", NOON))
    assert idle == ("NOT_ELIGIBLE", "offer_not_activated", ("offer",))


def test_a_code_of_the_pool_is_the_members_for_ever() -> None:
    customer = member_of(offer("pooled", needs_activation=True, code=OfferCode(CodeKind.POOL, "codes")))
    customer.supply.load("codes", "c-1", "c-2")
    customer.must(customer.activating("pooled"), NOON)
    assert customer.now.offer_use("pooled").code == "c-1"
    other = customer.copy_as("m-2")
    other.member = replace(other.now, offer_uses={})
    other.do(other.activating("pooled"), NOON)
    assert other.now.offer_use("pooled").code == "c-2"
    assert {*customer.supply.codes.values()} == {CodeState.ISSUED}


def test_who_has_activated_an_offer_keeps_it() -> None:
    new = segment("new", "member.events.visit < 1")
    customer = member_of(
        offer("tea", needs_activation=True, audience=Audience(segments=frozenset({"new"}))), segments={"new": new}
    )
    customer.must(customer.activating("tea"), NOON)
    customer.happen("visit", NOON)
    customer.redeem(LATER, "tea")
    assert customer.now.offer_use("tea").uses == 1


def test_an_activation_that_no_channel_is_known_of_may_be_anywhere() -> None:
    customer = member_of(offer("tea", needs_activation=True, channels=frozenset({Channel.KIOSK})))
    customer.must(customer.activating("tea", None), NOON)
    assert customer.now.offer_use("tea").activated_at == moment(NOON)


# Redemption


def test_a_use_is_an_event_that_rules_reward_and_is_counted() -> None:
    rules = (per_euro(), flat("used", "2", event="redemption", when='event.store == "s-1"'))
    customer = member_of(offer("tea", uses_per_member_max=2), rules=rules)
    decision = customer.redeem(NOON, "tea", store="s-1")
    use = customer.now.offer_use("tea")
    assert (use.uses, use.redeemed_at) == (1, moment(NOON))
    assert (customer.balances, customer.supply_taken) == ({"available": 2}, {"uses/tea": 1})
    assert Notice(NoticeKind.OFFER_REDEEMED, {"offer": "tea"}) in decision.record.notices
    customer.redeem(NOON, "tea")
    assert refusal_of(customer, customer.redeeming("tea", NOON)) == ("LIMIT_REACHED", "offer_used", ("offer",))
    assert customer.now.event_counts["redemption"] == 2


def test_an_offer_without_a_limit_is_used_as_often_as_one_likes() -> None:
    customer = member_of(offer("tea", uses_per_member_max=None))
    for _ in range(60):
        customer.redeem(NOON, "tea")
    assert customer.now.offer_use("tea").uses == 60


def test_a_use_counts_at_its_own_time_and_not_when_it_is_recorded() -> None:
    customer = member_of(offer("tea", ends_at=moment(LATER), uses_per_member_max=2))
    assert refusal_of(customer, customer.redeeming("tea", LATER), LATER)[1] == "offer_over"
    customer.must(customer.redeeming("tea", NOON), LATER)
    ahead = customer.redeeming("tea", moment(NOON) + timedelta(minutes=5, milliseconds=1))
    assert refusal_of(customer, ahead) == ("INVALID", "occurred_in_future", ("occurredAt",))


def test_what_is_wrong_with_the_purchase_is_refused() -> None:
    customer = member_of(
        replace(DOUBLE, uses_per_member_max=5),
        offer("stores", stores=frozenset({"s-1"})),
        offer("partner", partners=frozenset({"p-1"})),
    )
    bought, back = customer.earn(NOON, 10), customer.earn(NOON, 20)
    customer.refund(NOON, back)
    visit = customer.happen("visit", NOON).recorded_event
    assert visit is not None
    customer.redeem(NOON, "double", purchase=bought)
    stranger = customer.copy_as("m-2")
    stranger.supply.events["till/x"] = customer.counted[bought]
    of_another = replace(stranger.redeeming("double", NOON), purchase="till/x")
    wrong: list[tuple[OrderScenario, RedeemOffer, tuple[str, str, tuple[str, ...]]]] = [
        (customer, customer.redeeming("double", NOON), ("INVALID", "purchase_key_missing", ("purchaseKey",))),
        (
            customer,
            customer.redeeming("double", NOON, purchase=bought),
            ("CONFLICT", "offer_used_for_purchase", ("purchaseKey",)),
        ),
        (customer, customer.redeeming("double", NOON, purchase=back), ("CONFLICT", "refund_done", ("purchaseKey",))),
        (
            customer,
            customer.redeeming("double", NOON, purchase=visit.event.key),
            ("CONFLICT", "purchase_of_another", ("purchaseKey",)),
        ),
        (stranger, of_another, ("CONFLICT", "purchase_of_another", ("purchaseKey",))),
        (customer, customer.redeeming("stores", NOON, store="s-2"), ("NOT_ELIGIBLE", "offer_store", ("offer",))),
        (customer, customer.redeeming("stores", NOON), ("NOT_ELIGIBLE", "offer_store", ("offer",))),
        (
            customer,
            customer.redeeming("partner", NOON, purchase=bought),
            ("NOT_ELIGIBLE", "offer_partner", ("offer",)),
        ),
    ]
    for requested, command, expected in wrong:
        assert refusal_of(requested, command) == expected


def test_a_gift_is_given_with_its_use_or_neither() -> None:
    customer = member_of(
        offer("thanks", OfferKind.GIFT, reward="mug", uses_per_member_max=2), rewards=[reward("mug", 100, stock=1)]
    )
    [order] = customer.redeem(NOON, "thanks").orders
    assert (order.points, order.origin, order.reward.key) == (0, "offer/thanks", "mug")
    assert customer.supply_taken == {"stock/mug": 1, "uses/thanks": 1}
    gone = refusal_of(customer, customer.redeeming("thanks", NOON))
    assert gone == ("OUT_OF_STOCK", "out_of_stock", ("offer",))
    assert customer.now.offer_use("thanks").uses == 1
    customer.cancel(NOON, order)
    assert (customer.supply_taken, customer.balances) == ({"uses/thanks": 1}, {})
    assert_order_invariants(customer)


# In the earning of a purchase


RECEIPT = receipt("35.00", line("a", "10.00"), line("b", "20.00", "2"), line("c", "5.50"), line("d", "-0.50"))
RULES = (
    per_euro(),
    flat("line", "7", priority=-1, lines=None),
    flat("first", "earned / 2", priority=-2, qualifying=False),
)


def bought_with(offers: tuple[Offer, ...], uses: list[str], *, before: bool) -> OrderScenario:
    """Return somebody who has bought, and used these offers for it before or after the purchase was recorded."""
    customer = member_of(*offers, rules=RULES)
    if before:
        for key in uses:
            customer.redeem(NOON, key, purchase="basket")
    customer.buy(NOON, RECEIPT, key="basket")
    if not before:
        for key in uses:
            customer.redeem(LATER, key, purchase="basket")
    assert_member_invariants(customer)
    return customer


OFFERS = (
    DOUBLE,
    BONUS,
    offer(
        "half-more",
        OfferKind.MULTIPLIER,
        factor=Decimal("1.5"),
        budget=17,
        qualifying=True,
        restores_use_on_refund=True,
    ),
    offer("ten", percent=Decimal(10), budget=100_000, restores_use_on_refund=True),
    offer("once", OfferKind.BONUS_POINTS, points=3),
)


@pytest.mark.parametrize(
    "uses",
    [["double"], ["bonus"], ["half-more"], ["ten"], ["double", "bonus", "half-more", "ten"], ["bonus", "double"]],
)
def test_an_offer_gives_the_same_whether_it_is_used_before_or_after_the_purchase_is_recorded(uses: list[str]) -> None:
    early, late = (bought_with(OFFERS, uses, before=before) for before in (True, False))
    one, other = (customer.counted["basket"] for customer in (early, late))
    assert (one.grants, one.consequences) == (other.grants, other.consequences)
    assert (early.balances, early.supply_taken, early.lots) == (late.balances, late.supply_taken, late.lots)
    assert (early.now.qualifying_days, early.tier) == (late.now.qualifying_days, late.tier)
    assert early.now.pending_uses == late.now.pending_uses == {}


def test_a_multiplier_says_what_it_gave_line_by_line() -> None:
    customer = bought_with(OFFERS, ["double"], before=True)
    grants = {grant.rule: grant.by_line for grant in customer.counted["basket"].grants}
    by_rules = [sum(parts) for parts in zip(*(grants[rule] for rule in ("basket", "line", "first")), strict=True)]
    assert grants["offer/double"] == tuple(by_rules)
    assert ("offer/double", 63, RuleOutcome.AWARDED) in explanation_rows(customer.records[-1].explanations)
    assert customer.balances == {"available": 126}


@given(
    uses=st.lists(st.sampled_from([one.key for one in OFFERS]), unique=True),
    before=st.booleans(),
    shares=st.lists(st.sampled_from(["0.2", "0.5", "0.9"]), max_size=3),
)
@property_settings(100)
def test_refunds_reverse_what_offers_gave_completely_at_the_last(
    uses: list[str], before: bool, shares: list[str]
) -> None:
    customer = bought_with(OFFERS, uses, before=before)
    given = customer.now.available
    left = Decimal("35.00")
    for share in shares:
        back = (left * Decimal(share)).quantize(Decimal("0.01"))
        customer.refund(LATER, "basket", str(back))
        left -= back
        assert 0 <= customer.now.available <= given
    customer.refund(LATER, "basket")
    assert customer.balances == {}
    kept = {key for key in uses if key == "once"}
    assert {key for key, use in customer.now.offer_uses.items() if use.uses} == kept
    assert customer.supply_taken == {f"uses/{key}": 1 for key in kept}
    assert_member_invariants(customer)


def test_an_offer_that_is_used_after_part_of_its_purchase_came_back_gives_the_rest() -> None:
    customer = member_of(DOUBLE)
    customer.buy(NOON, receipt(None, line("a", "10"), line("b", "20")), key="basket")
    customer.refund(NOON, "basket", receipt(None, line("a", "10")))
    customer.redeem(LATER, "double", purchase="basket")
    assert customer.balances == {"available": 40}
    customer.refund(LATER, "basket")
    assert (customer.balances, customer.supply_taken, customer.now.offer_use("double").uses) == ({}, {}, 0)


def test_a_use_that_is_not_returnable_stays_used() -> None:
    customer = member_of(replace(BONUS, restores_use_on_refund=False))
    customer.redeem(NOON, "bonus", purchase="basket")
    customer.buy(NOON, "10", key="basket")
    customer.refund(LATER, "basket")
    assert (customer.balances, customer.supply_taken) == ({}, {"uses/bonus": 1})
    assert refusal_of(customer, customer.redeeming("bonus", LATER), LATER)[1] == "offer_used"


def test_a_restored_use_can_be_used_again() -> None:
    customer = member_of(BONUS)
    for round_ in range(3):
        customer.redeem(NOON, "bonus", purchase=f"basket-{round_}")
        customer.buy(NOON, "10", key=f"basket-{round_}")
        assert customer.balances == {"available": 60}
        decision = customer.refund(LATER, f"basket-{round_}")
        assert Notice(NoticeKind.OFFER_RETURNED, {"offer": "bonus"}) in decision.record.notices
    assert (customer.balances, customer.supply_taken) == ({}, {})


def test_a_bonus_without_a_purchase_is_given_at_once_and_qualifies_where_it_says_so() -> None:
    customer = member_of(replace(BONUS, points=120, qualifying=True), replace(BONUS, key="plain"))
    customer.redeem(NOON, "plain")
    assert (customer.balances, dict(customer.now.qualifying_days), customer.tier) == ({"available": 50}, {}, "base")
    customer.redeem(NOON, "bonus")
    assert (customer.balances, customer.tier) == ({"available": 170}, "silver")
    assert customer.now.qualifying_days == {date(2024, 3, 1): 120}
    assert_member_invariants(customer)


def test_a_budget_cuts_the_last_one_and_then_there_is_no_more() -> None:
    customer = member_of(replace(BONUS, budget=70, uses_per_member_max=None))
    customer.redeem(NOON, "bonus", purchase="basket")
    customer.buy(NOON, receipt(None, line("a", "1"), line("b", "3")), key="basket")
    decision = customer.redeem(NOON, "bonus")
    assert explanation_rows(decision.record.explanations) == [("offer/bonus", 20, RuleOutcome.AWARDED)]
    assert customer.supply_taken == {"uses/bonus": 2, "budget/bonus": 70}
    assert refusal_of(customer, customer.redeeming("bonus", NOON)) == ("LIMIT_REACHED", "offer_used_up", ("offer",))
    customer.refund(LATER, "basket")
    assert (customer.balances, customer.supply_taken) == ({"available": 20}, {"uses/bonus": 1, "budget/bonus": 20})


def test_a_budget_cuts_a_bonus_over_its_lines() -> None:
    customer = member_of(replace(BONUS, budget=10))
    customer.redeem(NOON, "bonus", purchase="basket")
    decision = customer.buy(NOON, receipt(None, line("a", "10"), line("b", "40")), key="basket")
    grants = {grant.rule: grant.by_line for grant in customer.counted["basket"].grants}
    assert grants["offer/bonus"] == (2, 8)
    assert ("offer/bonus", 10, RuleOutcome.CAPPED) in explanation_rows(decision.record.explanations)


def test_a_partners_offer_gives_nothing_for_a_purchase_elsewhere() -> None:
    for partner, points in (("p-1", 60), ("p-2", 10)):
        customer = member_of(replace(BONUS, partners=frozenset({"p-1"})))
        customer.redeem(NOON, "bonus", purchase="basket")
        decision = customer.buy(NOON, "10", key="basket", partner=partner)
        assert customer.balances == {"available": points}
        reason = RuleOutcome.AWARDED if points == 60 else RuleOutcome.PARTNER
        assert ("offer/bonus", points - 10, reason) in explanation_rows(decision.record.explanations)


def test_money_off_is_counted_against_its_budget_in_hundredths() -> None:
    customer = member_of(
        offer("ten", percent=Decimal(10), budget=1000),
        offer("five", OfferKind.AMOUNT_OFF, amount=Decimal("5.00"), budget=501, uses_per_member_max=None),
    )
    customer.redeem(NOON, "ten", purchase="basket")
    customer.buy(NOON, "12.34", key="basket")
    assert customer.supply_taken == {"uses/ten": 1, "budget/ten": 137}
    customer.redeem(NOON, "five")
    customer.redeem(NOON, "five", purchase="to come")
    assert customer.supply_taken == {"uses/ten": 1, "budget/ten": 137, "uses/five": 2, "budget/five": 1000}
    assert refusal_of(customer, customer.redeeming("five", NOON))[1] == "offer_used_up"


MOST = offer(
    "ten",
    percent=Decimal(10),
    amount_max=Decimal("4.00"),
    budget=1000,
    uses_per_member_max=None,
    restores_use_on_refund=True,
)


def test_a_share_of_a_purchase_to_come_reserves_its_maximum_and_no_more_than_the_budget_is_given() -> None:
    customer = member_of(MOST)
    for number in range(3):
        customer.redeem(NOON, "ten", purchase=f"basket-{number}")
    assert customer.supply_taken == {"uses/ten": 3, "budget/ten": 1200}
    # Reserved budget is spent: the next member is refused, although no purchase is recorded yet.
    requested = customer.redeeming("ten", NOON, purchase="late")
    assert refusal_of(customer, requested) == ("LIMIT_REACHED", "offer_used_up", ("offer",))
    for number in range(3):
        customer.buy(NOON, "500.00", key=f"basket-{number}")
    assert customer.supply_taken == {"uses/ten": 3, "budget/ten": 1200}


def test_the_purchase_settles_what_was_reserved_for_it() -> None:
    customer = member_of(MOST)
    customer.redeem(NOON, "ten", purchase="basket")
    customer.redeem(NOON, "ten", purchase="other")
    assert customer.supply_taken == {"uses/ten": 2, "budget/ten": 800}
    customer.buy(NOON, "12.34", key="basket")
    assert charges_of(customer.counted["basket"]) == (("ten", 137),)
    assert customer.supply_taken == {"uses/ten": 2, "budget/ten": 537}
    customer.buy(NOON, "40.01", key="other")
    assert charges_of(customer.counted["other"]) == (("ten", 400),)
    assert customer.supply_taken == {"uses/ten": 2, "budget/ten": 537}
    for key in ("basket", "other"):
        customer.refund(LATER, key)
    assert customer.supply_taken == {}


@pytest.mark.parametrize(("total", "cost"), [("35.99", 400), ("35.95", 399), ("36.00", 400), ("4000.00", 400)])
@pytest.mark.parametrize("before", [False, True])
def test_a_share_costs_its_maximum_at_the_most(total: str, cost: int, *, before: bool) -> None:
    customer = member_of(MOST)
    if before:
        customer.redeem(NOON, "ten", purchase="basket")
    customer.buy(NOON, total, key="basket")
    if not before:
        customer.redeem(NOON, "ten", purchase="basket")
    assert (charges_of(customer.counted["basket"]), customer.supply_taken["budget/ten"]) == ((("ten", cost),), cost)


@given(
    percent=st.decimals("0.01", "99.99", places=2),
    price=st.integers(1, 10_000_000),
    before=st.booleans(),
)
@property_settings(100)
def test_a_share_costs_what_was_taken_off_the_price(percent: Decimal, price: int, *, before: bool) -> None:
    customer = member_of(offer("share", percent=percent, budget=10**12))
    if before:
        customer.redeem(NOON, "share", purchase="basket")
    # The till takes the share off in whole cents; what is paid can only be that exact.
    off = int((price * percent / 100).to_integral_value())
    customer.buy(NOON, str(Decimal(price - off) / 100), key="basket")
    if not before:
        customer.redeem(NOON, "share", purchase="basket")
    cost = customer.supply_taken.get("budget/share", 0)
    assert abs(cost - off) <= 1 + percent / (100 - percent)


def test_the_cost_of_one_use_is_bounded() -> None:
    customer = member_of(offer("share", percent=Decimal("99." + 26 * "9"), budget=10**11))
    customer.redeem(NOON, "share", purchase="basket")
    customer.buy(NOON, "999999999.99", key="basket")
    assert customer.supply_taken["budget/share"] == 10**12


@pytest.mark.parametrize(
    ("lines", "total", "cost"),
    [
        # Prices before the discount, with or without a line for it.
        ([("milk", "30.00"), ("tea", "10.00")], "0", 4000),
        ([("milk", "30.00"), ("tea", "10.00"), ("discount", "-40.00")], "0", 4000),
        # Something else in the basket was paid.
        ([("milk", "30.00"), ("tea", "10.00")], "10.00", 3000),
        # Nothing says what it cost: the maximum.
        ([("milk", "0"), ("tea", "0")], "0", 5000),
        ([], "0", 5000),
        ([("milk", "80.00")], "0", 5000),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_all_of_the_price_costs_what_the_lines_say_or_the_maximum(
    lines: list[tuple[str, str]], total: str, cost: int, *, before: bool
) -> None:
    customer = member_of(offer("all", percent=Decimal(100), amount_max=Decimal(50), budget=10_000))
    if before:
        customer.redeem(NOON, "all", purchase="basket")
    priced = tuple(PurchaseLine(sku, Decimal(1), Decimal(amount)) for sku, amount in lines)
    customer.buy(NOON, Purchase(Decimal(total), customer.programme.currency, priced), key="basket")
    if not before:
        customer.redeem(NOON, "all", purchase="basket")
    assert customer.supply_taken["budget/all"] == cost


def discounts(*stated: tuple[str, str | None, str | None]) -> tuple[Discount, ...]:
    """Return discounts of (amount, offer, code)."""
    return tuple(Discount(Decimal(amount), named, code) for amount, named, code in stated)


OWN_CODE = offer("o", percent=Decimal(50), code=OfferCode(CodeKind.MEMBER, "MY-OWN"))


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("used", "stated", "cost"),
    [
        # Stated for the offer: exactly that, whatever the offer says.
        (offer("o", percent=Decimal(50)), [("12.34", "o", None)], 1234),
        (offer("o", percent=Decimal(100)), [("12.34", "o", None)], 1234),
        (offer("o", percent=Decimal(50)), [("1.00", "o", None), ("2.00", "o", None), ("9", "other", None)], 300),
        (offer("o", percent=Decimal(50), amount_max=Decimal(4)), [("12.34", "o", None)], 1234),
        (offer("o", OfferKind.AMOUNT_OFF, amount=Decimal(5)), [("3.00", "o", None)], 300),
        (offer("o", percent=Decimal(50)), [("0", "o", None)], 0),
        # By its code.
        (offer("o", percent=Decimal(50), code=OfferCode(CodeKind.SHARED, "SPRING")), [("7", None, "spr ing")], 700),
        # A member's own code: whoever recorded the purchase has named the offer, if the proof in the code was right.
        (OWN_CODE, [("7", "o", "my-own-1234567897-k7q2x4ab")], 700),
        (OWN_CODE, [("7", "o", "my-own-4711223344-k7q2x4ab")], 1000),
        (OWN_CODE, [("7", None, "my-own-1234567897-k7q2x4ab")], 1000),
        (OWN_CODE, [("7", "o", None)], 700),
        # Stated without saying for what: no more than the percentage can have taken off.
        (offer("o", percent=Decimal(50)), [("4.00", None, None)], 400),
        (offer("o", percent=Decimal(50)), [("40.00", None, None)], 1000),
        (offer("o", percent=Decimal(100)), [("40.00", None, None)], 4000),
        (offer("o", OfferKind.AMOUNT_OFF, amount=Decimal(5)), [("3.00", None, None)], 500),
        # Stated for others only: worked back.
        (offer("o", percent=Decimal(50)), [("4.00", "other", None), ("1.00", None, "OTHER")], 1000),
        (offer("o", percent=Decimal(50)), [("4.00", "other", None), ("1.00", None, None)], 1000),
    ],
)
def test_stated_discounts_are_the_real_cost(
    used: Offer, stated: list[tuple[str, str | None, str | None]], cost: int, *, before: bool
) -> None:
    customer = member_of(replace(used, budget=100_000))
    paid = Purchase(Decimal(10), customer.programme.currency, (), discounts(*stated))
    if before:
        customer.redeem(NOON, "o", purchase="basket")
    customer.buy(NOON, paid, key="basket")
    if not before:
        customer.redeem(NOON, "o", purchase="basket")
    assert customer.supply_taken.get("budget/o", 0) == cost


PRICED = [("milk", "30.00", "MILK", "A"), ("tea", "10.00", "TEA", "B")]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("percent", "topics", "lines", "total", "cost"),
    [
        # After the discount, the lines have what was paid.
        ("50", {"category:TEA"}, PRICED, "40.00", 1000),
        ("20", {"category:MILK"}, PRICED, "40.00", 750),
        ("50", {"category:MILK", "category:TEA"}, PRICED, "40.00", 4000),
        ("50", {"category:TEA", "brand:A"}, PRICED, "40.00", 0),
        ("50", {"brand:A"}, PRICED, "40.00", 3000),
        ("50", {"category:TEA"}, PRICED, "45.00", 1000),
        # Prices, and the discount in the total.
        ("50", {"category:TEA"}, PRICED, "35.00", 500),
        ("50", {"category:TEA"}, PRICED, "38.00", 200),
        ("100", {"category:TEA"}, PRICED, "30.00", 1000),
        # Prices, and a line for the discount.
        ("50", {"category:TEA"}, [*PRICED, ("off", "-5.00", "TEA", None)], "35.00", 500),
        ("100", {"category:TEA"}, [*PRICED, ("tea", "-10.00", None, None)], "30.00", 1000),
        # Receipts that do not know categories, or have no lines.
        ("50", {"category:TEA"}, [("milk", "30.00", None, None)], "30.00", 3000),
        ("50", {"category:TEA"}, [], "30.00", 3000),
        ("50", {"category:COFFEE"}, PRICED, "40.00", 0),
    ],
)
def test_a_share_of_a_category_is_worked_back_from_its_lines(
    percent: str,
    topics: set[str],
    lines: list[tuple[str, str, str | None, str | None]],
    total: str,
    cost: int,
    *,
    before: bool,
) -> None:
    customer = member_of(offer("o", percent=Decimal(percent), topics=frozenset(topics), budget=100_000))
    sold = tuple(PurchaseLine(sku, Decimal(1), Decimal(money), *named) for sku, money, *named in lines)
    if before:
        customer.redeem(NOON, "o", purchase="basket")
    customer.buy(NOON, Purchase(Decimal(total), customer.programme.currency, sold), key="basket")
    if not before:
        customer.redeem(NOON, "o", purchase="basket")
    assert customer.supply_taken.get("budget/o", 0) == cost


FREE = offer("free", percent=Decimal(100), budget=10_000, uses_per_member_max=None)


@pytest.mark.parametrize("lines", [[], [("tea", "0")], [("tea", "30.00")]])
def test_a_purchase_must_say_what_all_of_the_price_was(lines: list[tuple[str, str]]) -> None:
    sold = tuple(PurchaseLine(sku, Decimal(1), Decimal(money)) for sku, money in lines)
    paid = sum((line.amount for line in sold), Decimal(0))
    customer = member_of(FREE)
    bought = Purchase(paid, customer.programme.currency, sold)
    customer.redeem(NOON, "free", purchase="basket")
    refused = customer.event("purchase", NOON, purchase=bought, key="basket")
    assert refusal_of(customer, refused) == ("INVALID", "offer_cost_unknown", ("purchase", "discounts"))
    customer.buy(NOON, replace(bought, discounts=discounts(("7.50", None, None))), key="basket")
    assert customer.supply_taken["budget/free"] == 750
    customer.buy(NOON, bought, key="other")
    requested = customer.redeeming("free", NOON, purchase="other")
    assert refusal_of(customer, requested) == ("INVALID", "offer_cost_unknown", ("purchaseKey",))


@pytest.mark.parametrize(
    ("currency", "total", "cost"),
    [("JPY", "995", 99500), ("JPY", "1", 100), ("KWD", "0.995", 995), ("KWD", "0.001", 1), ("EUR", "9.95", 995)],
)
def test_a_cost_is_a_whole_number_of_the_currencys_minor_units(currency: str, total: str, cost: int) -> None:
    programme = catalogue_programme(offers=[offer("half", percent=Decimal(50), budget=10**9)])
    decimals = budget_decimals_of(currency)
    customer = OrderScenario(replace(programme, currency=currency, budget_decimals=decimals))
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.redeem(NOON, "half", purchase="basket")
    customer.buy(NOON, total, key="basket")
    assert customer.supply_taken["budget/half"] == cost


def test_a_share_without_a_purchase_costs_its_maximum_where_it_has_one() -> None:
    customer = member_of(MOST, replace(MOST, key="open", amount_max=None))
    customer.redeem(NOON, "ten")
    customer.redeem(NOON, "open")
    assert customer.supply_taken == {"uses/ten": 1, "budget/ten": 400, "uses/open": 1}


def test_what_was_reserved_stays_where_the_budget_was_lifted_meanwhile() -> None:
    customer = member_of(MOST)
    customer.redeem(NOON, "ten", purchase="basket")
    customer.adopt(catalogue_programme(offers=[replace(MOST, budget=None)]))
    customer.buy(NOON, "12.34", key="basket")
    assert (charges_of(customer.counted["basket"]), customer.supply_taken["budget/ten"]) == ((("ten", 400),), 400)


def test_a_budget_added_meanwhile_counts_the_share_once_the_purchase_is_recorded() -> None:
    customer = member_of(replace(MOST, budget=None))
    customer.redeem(NOON, "ten", purchase="basket")
    customer.adopt(catalogue_programme(offers=[MOST]))
    customer.buy(NOON, "12.34", key="basket")
    assert (charges_of(customer.counted["basket"]), customer.supply_taken["budget/ten"]) == ((("ten", 137),), 137)


@given(
    uses=st.lists(
        st.tuples(st.sampled_from(["redeem", "buy", "refund"]), st.integers(0, 5), st.integers(0, 20_000)),
        max_size=25,
    )
)
@property_settings(100)
def test_a_budget_with_a_maximum_is_never_outrun_by_a_whole_use(uses: list[tuple[str, int, int]]) -> None:
    customer = member_of(MOST)
    for kind, place, cents in uses:
        key = f"basket-{place}"
        if kind == "redeem":
            customer.do(customer.redeeming("ten", NOON, purchase=key), NOON)
        elif kind == "buy" and key not in customer.counted:
            customer.buy(NOON, str(Decimal(cents) / 100), key=key)
        elif kind == "refund" and key in customer.counted:
            customer.do(customer.event(REFUND, LATER, refund_of=key), LATER)
        waiting = sum(use.charge for uses in customer.now.pending_uses.values() for use in uses)
        bought = [
            cost for counted in customer.counted.values() if not counted.is_returned for _, cost in charges_of(counted)
        ]
        spent = customer.supply_taken.get("budget/ten", 0)
        assert spent == waiting + sum(bought)
        assert spent < 1000 + 400


def test_an_offer_that_no_longer_exists_is_skipped_when_its_purchase_is_recorded() -> None:
    customer = member_of(BONUS)
    customer.redeem(NOON, "bonus", purchase="basket")
    customer.adopt(catalogue_programme())
    customer.buy(LATER, "10", key="basket")
    assert (customer.balances, customer.now.pending_uses) == ({"available": 10}, {})
    customer.refund(LATER, "basket")
    assert customer.balances == {}


# Seen and refused


def noting(seen: tuple[str, ...] = (), refused: tuple[str, ...] = ()) -> RecordOfferViews:
    return RecordOfferViews(seen, refused, Cause("note", "member", "member", "note"))


def test_what_was_seen_and_refused_is_noted() -> None:
    customer = member_of(offer("tea", needs_activation=True), offer("ten"))
    customer.must(noting(("tea", "ten"), ("tea",)), NOON)
    customer.must(noting(("tea",)), LATER)
    tea = customer.now.offer_use("tea")
    assert (tea.seen, tea.refused_at, customer.now.offer_use("ten").seen) == (2, moment(NOON), 1)
    customer.must(customer.activating("tea"), LATER)
    assert customer.now.offer_use("tea").refused_at is None


def test_too_much_or_nothing_known_is_not_noted() -> None:
    customer = member_of(offer("tea"))
    assert refusal_of(customer, noting(("tea", "x"))) == ("NOT_FOUND", "offer_not_found", ("seen", "1"))
    assert refusal_of(customer, noting((), ("x",))) == ("NOT_FOUND", "offer_not_found", ("refused", "0"))
    assert refusal_of(customer, noting(("tea",) * 101)) == ("LIMIT_REACHED", "offers_noted_max", ("seen",))


def test_what_was_done_with_offers_that_ended_long_ago_is_forgotten() -> None:
    programme: Programme = catalogue_programme(offers=[offer("tea", ends_at=moment(LATER)), offer("ten")])
    customer = OrderScenario(programme)
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.redeem(NOON, "tea")
    customer.redeem(NOON, "ten")
    customer.earn("2025-04-01 12:00", 1)
    assert {*customer.now.offer_uses} == {"tea", "ten"}
    customer.earn("2025-04-06 12:00", 1)
    assert {*customer.now.offer_uses} == {"ten"}
