"""What a purchase led to follows the purchase: reversed once, under one policy, by a refund or a release."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.builders import CALENDAR_YEAR, LIFETIME, ROLLING_YEAR, flat, line, moment, per_euro, programme, receipt
from support.catalogue import instant, offer, reward
from support.member_scenario import assert_member_invariants, explanation_rows
from support.order_scenario import OrderScenario, assert_order_invariants, catalogue_programme

from loyalty.commands.offer import PENDING_PURCHASES_MAX, ReleaseOffer
from loyalty.kernel.channel import Channel
from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.kernel.window import Window
from loyalty.model.decision import Decision
from loyalty.model.event import PURCHASE, Discount
from loyalty.model.explanation import RuleOutcome
from loyalty.model.offer import CodeKind, Offer, OfferCode, OfferKind, purchase_reference
from loyalty.model.order import OrderState
from loyalty.model.programme import (
    Cap,
    EffectsAfterRefund,
    QualificationPeriod,
    SpentPointsPolicy,
    TierAfterRefund,
)
from loyalty.model.reward import Limit, RewardKind
from loyalty.model.supply import CodeState

NOON, LATER = "2024-03-01 12:00", "2024-03-01 13:00"
GIFT = offer("gift", OfferKind.GIFT, reward="mug", restores_use_on_refund=True)
DOUBLE = offer("double", OfferKind.MULTIPLIER, factor=Decimal(2), restores_use_on_refund=True)
BONUS = offer("bonus", OfferKind.BONUS_POINTS, points=50, restores_use_on_refund=True)
TEN = offer("ten", percent=Decimal(10), budget=100_000, restores_use_on_refund=True)
MUG = reward("mug", 100, stock=3)
BIG = instant("big", "mug", "15.00", limit=Limit(1, LimitPeriod.DAY))


def member_of(*offers: Offer, **about: Any) -> OrderScenario:
    """Return somebody at a programme with these offers, who enrolled long ago."""
    rewards = about.pop("rewards", (MUG,))
    customer = OrderScenario(catalogue_programme(*rewards, offers=offers, **about))
    customer.must(customer.enrolment("2022-01-10 12:00"), "2022-01-10 12:00")
    return customer


def reasons(decision: Decision) -> dict[str, list[RuleOutcome]]:
    """Return the reasons that a decision explains, by rule."""
    found: dict[str, list[RuleOutcome]] = {}
    for rule, _, reason in explanation_rows(decision.record.explanations):
        found.setdefault(rule, []).append(reason)
    return found


def states_of(customer: OrderScenario) -> list[OrderState]:
    return [order.state for order in customer.orders()]


def releasing(customer: OrderScenario, key: str, purchase: str, **about: Any) -> ReleaseOffer:
    """Return the command that releases the use of an offer for a purchase."""
    fields: dict[str, Any] = {"channel": Channel.STORE, **about}
    return ReleaseOffer(key, purchase_reference("till", purchase), cause=customer.by("release-offer", "till"), **fields)


def uses(customer: OrderScenario, key: str) -> int:
    return customer.now.offer_use(key).uses


# Gifts and instant rewards


@pytest.mark.parametrize("before", [False, True])
def test_a_gift_follows_its_purchase_however_often_it_is_bought_and_refunded(*, before: bool) -> None:
    customer = member_of(GIFT)
    for round_ in range(4):
        key = f"basket-{round_}"
        if before:
            customer.redeem(NOON, "gift", purchase=key)
        customer.buy(NOON, "20", key=key)
        if not before:
            customer.redeem(NOON, "gift", purchase=key)
        assert (uses(customer, "gift"), states_of(customer)[-1]) == (1, OrderState.PLACED)
        decision = customer.refund(LATER, key)
        assert reasons(decision)["offer/gift"] == [RuleOutcome.ORDER_CANCELLED, RuleOutcome.USE_RESTORED]
    assert states_of(customer) == [OrderState.CANCELLED] * 4
    assert (customer.supply_taken, customer.balances) == ({}, {})
    assert_order_invariants(customer)
    assert_member_invariants(customer)


@pytest.mark.parametrize("reached", [OrderState.SHIPPED, OrderState.DELIVERED, OrderState.FULFILLED])
def test_a_gift_that_is_gone_stays_with_its_use(reached: OrderState) -> None:
    customer = member_of(GIFT)
    customer.buy(NOON, "20", key="basket")
    [order] = customer.redeem(NOON, "gift", purchase="basket").orders
    way = {
        OrderState.SHIPPED: (OrderState.CONFIRMED, OrderState.PREPARING, OrderState.SHIPPED),
        OrderState.DELIVERED: (OrderState.CONFIRMED, OrderState.PREPARING, OrderState.SHIPPED, OrderState.DELIVERED),
        OrderState.FULFILLED: (OrderState.FULFILLED,),
    }
    customer.advance(NOON, order, *way[reached])
    decision = customer.refund(LATER, "basket")
    assert reasons(decision)["offer/gift"] == [RuleOutcome.ORDER_STAYS]
    assert (states_of(customer), uses(customer, "gift")) == ([reached], 1)
    assert customer.supply_taken == {"stock/mug": 1, "uses/gift": 1}
    assert customer.refused(customer.redeeming("gift", LATER), LATER).reason == "offer_used"


def test_a_code_that_was_shown_stays_with_its_use() -> None:
    film = reward("mug", 0, RewardKind.DIGITAL_CODE, pool="films")
    customer = member_of(GIFT, rewards=(film,))
    customer.supply.load("films", "f-1", "f-2")
    customer.buy(NOON, "20", key="basket")
    customer.redeem(NOON, "gift", purchase="basket")
    assert reasons(customer.refund(LATER, "basket"))["offer/gift"] == [RuleOutcome.ORDER_STAYS]
    assert customer.supply.codes["films", "f-1"] is CodeState.ISSUED


@pytest.mark.parametrize("kind", [RewardKind.PHYSICAL, RewardKind.SERVICE])
@pytest.mark.parametrize("steps", [(), (OrderState.CONFIRMED,), (OrderState.CONFIRMED, OrderState.PREPARING)])
def test_a_gift_is_cancelled_from_every_state_that_allows_it(kind: RewardKind, steps: tuple[OrderState, ...]) -> None:
    customer = member_of(GIFT, rewards=(reward("mug", 100, kind, stock=1),))
    customer.buy(NOON, "20", key="basket")
    [order] = customer.redeem(NOON, "gift", purchase="basket").orders
    customer.advance(NOON, order, *steps)
    customer.refund(LATER, "basket")
    assert (states_of(customer), customer.supply_taken) == ([OrderState.CANCELLED], {})


def test_a_gift_cancelled_or_returned_by_hand_before_gives_nothing_back_twice() -> None:
    for steps in ((), (OrderState.FULFILLED, OrderState.RETURNED)):
        customer = member_of(GIFT)
        customer.buy(NOON, "20", key="basket")
        [order] = customer.redeem(NOON, "gift", purchase="basket").orders
        if steps:
            customer.advance(NOON, order, *steps)
        else:
            customer.cancel(NOON, order)
        assert customer.supply_taken == {"uses/gift": 1}
        assert reasons(customer.refund(LATER, "basket"))["offer/gift"] == [RuleOutcome.USE_RESTORED]
        assert customer.supply_taken == {}


def test_a_gift_that_is_not_returnable_is_cancelled_and_its_use_stays() -> None:
    customer = member_of(replace(GIFT, restores_use_on_refund=False))
    customer.buy(NOON, "20", key="basket")
    customer.redeem(NOON, "gift", purchase="basket")
    decision = customer.refund(LATER, "basket")
    assert reasons(decision)["offer/gift"] == [RuleOutcome.ORDER_CANCELLED, RuleOutcome.USE_STAYS]
    assert (states_of(customer), customer.supply_taken) == ([OrderState.CANCELLED], {"uses/gift": 1})


def test_an_instant_reward_is_undone_once_the_rest_is_below_its_minimum() -> None:
    customer = member_of(instants=[BIG])
    customer.buy(NOON, receipt(None, line("a", "10"), line("b", "12")), key="basket")
    customer.refund(LATER, "basket", "5.00")
    assert states_of(customer) == [OrderState.PLACED]
    decision = customer.refund(LATER, "basket", "5.00")
    assert reasons(decision)["instant/big"] == [RuleOutcome.ORDER_CANCELLED]
    assert (states_of(customer), customer.supply_taken) == ([OrderState.CANCELLED], {})
    assert "instant/big" not in reasons(customer.refund(LATER, "basket"))
    # Its limit of one a day is free again.
    customer.buy(LATER, "20", key="second")
    assert states_of(customer) == [OrderState.CANCELLED, OrderState.PLACED]
    assert_order_invariants(customer)


def test_an_instant_reward_that_was_handed_over_stays_and_so_does_its_limit() -> None:
    customer = member_of(instants=[BIG])
    [order] = customer.buy(NOON, "20", key="basket").orders
    customer.advance(NOON, order, OrderState.FULFILLED)
    assert reasons(customer.refund(LATER, "basket"))["instant/big"] == [RuleOutcome.ORDER_STAYS]
    again = customer.buy(LATER, "20")
    assert (again.orders, reasons(again)["instant/big"]) == ((), [RuleOutcome.LIMIT])


@pytest.mark.parametrize(("late", "given"), [(timedelta(hours=47), True), (timedelta(hours=49), False)])
def test_an_instant_reward_is_for_who_has_just_bought(late: timedelta, given: bool) -> None:
    customer = member_of(instants=[BIG])
    decision = customer.buy(NOON, "20", now=moment(NOON) + late)
    assert bool(decision.orders) is given
    assert reasons(decision)["instant/big"] == [RuleOutcome.GRANTED if given else RuleOutcome.TOO_LATE]
    old = customer.buy(moment(NOON) - timedelta(days=60), "20", now=NOON if not given else LATER)
    assert (old.orders, reasons(old)["instant/big"]) == ((), [RuleOutcome.TOO_LATE])


def test_a_programme_may_keep_what_a_returned_purchase_gave() -> None:
    customer = member_of(GIFT, BONUS, instants=[BIG], effects_after_refund=EffectsAfterRefund.KEPT)
    customer.buy(NOON, "20", key="basket")
    customer.redeem(NOON, "gift", purchase="basket")
    customer.redeem(NOON, "bonus", purchase="basket")
    why = reasons(customer.refund(LATER, "basket"))
    assert (why["offer/gift"], why["instant/big"]) == ([RuleOutcome.ORDER_KEPT], [RuleOutcome.ORDER_KEPT])
    assert states_of(customer) == [OrderState.PLACED] * 2
    assert customer.supply_taken == {"stock/mug": 2, "uses/gift": 1}
    assert customer.balances == {}


# Judged at the purchase


DAY = timedelta(days=1)
TODAY = replace(DOUBLE, starts_at=moment("2024-03-01 00:00"), ends_at=moment("2024-03-02 00:00"))
FITS: list[tuple[dict[str, Any], dict[str, Any], RuleOutcome]] = [
    ({"starts_at": TODAY.starts_at}, {"when": "2024-02-28 12:00"}, RuleOutcome.WINDOW),
    ({"ends_at": moment("2024-02-29 12:00")}, {"when": NOON}, RuleOutcome.WINDOW),
    ({"window": Window(weekdays=frozenset({5}))}, {"when": "2024-02-29 12:00"}, RuleOutcome.WINDOW),
    ({"channels": frozenset({Channel.APP})}, {"channel": Channel.STORE}, RuleOutcome.CHANNEL),
    ({"stores": frozenset({"s-1"})}, {"store": "s-2"}, RuleOutcome.STORE),
    ({"partners": frozenset({"p-1"})}, {"partner": "p-2"}, RuleOutcome.PARTNER),
]


@pytest.mark.parametrize(("limits", "bought", "reason"), FITS)
@pytest.mark.parametrize("kind", [DOUBLE, BONUS, TEN, GIFT], ids=lambda one: str(one.key))
def test_an_offer_is_judged_at_its_purchase_whether_that_comes_before_or_after(
    kind: Offer, limits: dict[str, Any], bought: dict[str, Any], reason: RuleOutcome
) -> None:
    about = dict(bought)
    when = about.pop("when", NOON)
    one = replace(kind, **limits)
    late = member_of(one)
    late.buy(when, "20", key="basket", now=NOON, **about)
    code = late.refused(late.redeeming(one.key, NOON, purchase="basket", channel=Channel.APP, store="s-1"), NOON).code
    assert code.value in {"NOT_ELIGIBLE", "EXPIRED"}
    early = member_of(one)
    used = early.redeeming(one.key, "2024-02-29 11:00" if "ends_at" in limits else NOON, purchase="basket")
    early.must(replace(used, channel=Channel.APP, store="s-1"), NOON)
    assert uses(early, one.key) == 1
    decision = early.buy(when, "20", key="basket", now=NOON, **about)
    assert reasons(decision)[f"offer/{one.key}"][0] is reason
    assert reasons(decision)[f"offer/{one.key}"][-1] is RuleOutcome.USE_RESTORED
    assert (uses(early, one.key), early.supply_taken, early.balances) == (0, {}, {"available": 20})
    assert (early.now.pending_uses, early.counted["basket"].consequences) == ({}, ())
    assert all(state is OrderState.CANCELLED for state in states_of(early))


def test_a_purchase_without_a_store_is_judged_at_the_store_of_the_use() -> None:
    customer = member_of(replace(DOUBLE, stores=frozenset({"s-1"})))
    customer.redeem(NOON, "double", purchase="basket", store="s-1")
    customer.buy(NOON, "20", key="basket")
    assert customer.balances == {"available": 40}


def test_an_offer_activated_after_the_day_of_its_purchase_is_not_for_it() -> None:
    customer = member_of(replace(DOUBLE, needs_activation=True))
    customer.must(customer.activating("double"), NOON)
    customer.buy("2024-02-28 12:00", "20", key="old", now=NOON)
    refused = customer.refused(customer.redeeming("double", NOON, purchase="old"), NOON)
    assert refused.reason == "offer_not_activated"
    customer.redeem(NOON, "double", purchase="older")
    customer.buy("2024-02-28 12:00", "20", key="older", now=NOON)
    assert (uses(customer, "double"), customer.balances) == (0, {"available": 40})
    customer.buy("2024-03-01 09:00", "20", key="same-day", now=NOON)
    customer.redeem(NOON, "double", purchase="same-day")
    assert customer.balances == {"available": 80}


def test_a_discount_that_the_till_states_was_given_and_counts() -> None:
    customer = member_of(replace(TEN, starts_at=TODAY.starts_at))
    customer.redeem(NOON, "ten", purchase="basket")
    sold = replace(receipt("18"), discounts=(Discount(Decimal(2), offer="ten"),))
    customer.buy("2024-02-28 12:00", sold, key="basket", now=NOON)
    assert customer.supply_taken == {"uses/ten": 1, "budget/ten": 200}


def test_a_gift_collected_before_a_purchase_that_it_is_not_for_stays_used() -> None:
    customer = member_of(replace(GIFT, starts_at=TODAY.starts_at))
    [order] = customer.redeem(NOON, "gift", purchase="basket").orders
    customer.advance(NOON, order, OrderState.FULFILLED)
    decision = customer.buy("2024-02-28 12:00", "20", key="basket", now=NOON)
    assert reasons(decision)["offer/gift"] == [RuleOutcome.WINDOW, RuleOutcome.ORDER_STAYS]
    assert (uses(customer, "gift"), len(customer.counted["basket"].consequences)) == (1, 1)


# Once for a purchase


@pytest.mark.parametrize("before", [False, True])
def test_an_offer_gives_once_for_a_purchase_whatever_was_used_since(*, before: bool) -> None:
    customer = member_of(replace(BONUS, uses_per_member_max=None))
    if not before:
        customer.buy(NOON, "1", key="first")
    customer.redeem(NOON, "bonus", purchase="first")
    for number in range(60):
        customer.redeem(NOON, "bonus", purchase=f"other-{number}")
    again = customer.redeeming("bonus", NOON, purchase="first")
    assert customer.refused(again, NOON).reason == "offer_used_for_purchase"
    if before:
        customer.buy(NOON, "1", key="first")
        assert customer.refused(again, NOON).reason == "offer_used_for_purchase"
    assert customer.balances == {"available": 51}


def test_uses_that_wait_are_bounded_and_none_is_forgotten() -> None:
    customer = member_of(replace(TEN, uses_per_member_max=None, budget=None))
    for number in range(PENDING_PURCHASES_MAX):
        customer.redeem(NOON, "ten", purchase=f"p-{number}")
    refused = customer.refused(customer.redeeming("ten", NOON, purchase="one-more"), NOON)
    assert (refused.code.value, refused.reason) == ("LIMIT_REACHED", "offer_purchases_pending")
    customer.must(releasing(customer, "ten", "p-0"), NOON)
    customer.redeem(NOON, "ten", purchase="one-more")
    assert uses(customer, "ten") == PENDING_PURCHASES_MAX


# A use that gives nothing


def stated(amount: str) -> Any:
    return replace(receipt("20"), discounts=(Discount(Decimal(amount), offer="ten"),))


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("one", "bought"),
    [
        (DOUBLE, receipt("0.50")),
        (replace(DOUBLE, factor=Decimal("1.1")), receipt("5")),
        (TEN, receipt("0")),
        (TEN, stated("0")),
    ],
    ids=["nothing earned", "less than a point", "nothing to pay", "nothing taken off"],
)
def test_a_use_that_gives_nothing_does_not_count(one: Offer, bought: Any, *, before: bool) -> None:
    customer = member_of(one, rules=(per_euro(), flat("used", "7", event="redemption")))
    if before:
        customer.redeem(NOON, one.key, purchase="basket")
    decision = customer.buy(NOON, bought, key="basket")
    if not before:
        decision = customer.redeem(NOON, one.key, purchase="basket")
    why = reasons(decision)[f"offer/{one.key}"]
    assert why in (
        [RuleOutcome.NO_POINTS, RuleOutcome.USE_RESTORED],
        [RuleOutcome.NOTHING_OFF, RuleOutcome.USE_RESTORED],
    )
    assert (uses(customer, one.key), customer.supply_taken) == (0, {})
    assert customer.now.available == int(bought.total)
    assert_member_invariants(customer)


def test_a_budget_that_others_emptied_meanwhile_costs_no_use() -> None:
    customer = member_of(replace(BONUS, budget=50, uses_per_member_max=2))
    for key in ("first", "second"):
        customer.redeem(NOON, "bonus", purchase=key)
    customer.buy(NOON, "1", key="first")
    decision = customer.buy(NOON, "1", key="second")
    assert reasons(decision)["offer/bonus"] == [RuleOutcome.CAP_REACHED, RuleOutcome.USE_RESTORED]
    assert (uses(customer, "bonus"), customer.supply_taken) == (1, {"uses/bonus": 1, "budget/bonus": 50})
    assert customer.balances == {"available": 52}


# Release


@pytest.mark.parametrize("one", [DOUBLE, BONUS, TEN, GIFT], ids=lambda one: str(one.key))
def test_a_use_whose_sale_never_came_about_is_released_with_all_that_it_gave(one: Offer) -> None:
    rules = (per_euro(), replace(flat("used", "7", event="redemption"), cap=Cap(7, LimitPeriod.DAY)))
    customer = member_of(replace(one, amount_max=Decimal(4), restores_use_on_refund=False), rules=rules)
    customer.redeem(NOON, one.key, purchase="basket")
    assert customer.balances == {"available": 7}
    decision = customer.must(releasing(customer, one.key, "basket"), LATER)
    assert reasons(decision)[f"offer/{one.key}"][-1] is RuleOutcome.USE_RESTORED
    assert (customer.balances, customer.supply_taken, uses(customer, one.key)) == ({}, {}, 0)
    assert (customer.now.pending_uses, customer.now.cap_usage) == ({}, {})
    assert states_of(customer) in ([], [OrderState.CANCELLED])
    customer.buy(LATER, "20", key="basket")
    assert customer.balances == {"available": 20}
    assert_member_invariants(customer)


def test_what_cannot_be_released() -> None:
    customer = member_of(DOUBLE, replace(BONUS, uses_per_member_max=None), GIFT)
    customer.redeem(NOON, "double", purchase="sold")
    customer.buy(NOON, "20", key="sold")
    customer.redeem(NOON, "bonus")
    customer.redeem(NOON, "bonus", purchase="void")
    [gift] = customer.redeem(NOON, "gift", purchase="void").orders
    customer.advance(NOON, gift, OrderState.FULFILLED)
    stranger = customer.copy_as("m-2")
    stranger.member = replace(stranger.now, pending_uses={})
    wrong = [
        (customer, releasing(customer, "double", "sold"), "offer_purchase_recorded"),
        (customer, releasing(customer, "bonus", "sold"), "offer_use_not_found"),
        (customer, releasing(customer, "double", "nothing"), "offer_use_not_found"),
        (customer, releasing(customer, "unknown", "void"), "offer_use_not_found"),
        (customer, releasing(customer, "gift", "void"), "offer_gift_gone"),
        (stranger, releasing(stranger, "bonus", "void"), "offer_use_not_found"),
        (stranger, releasing(stranger, "double", "sold"), "offer_use_not_found"),
    ]
    for who, command, reason in wrong:
        refused = who.refused(command, NOON)
        assert (refused.reason, refused.path) == (reason, ("purchaseKey",))
    customer.must(releasing(customer, "bonus", "void"), NOON)
    assert customer.refused(releasing(customer, "bonus", "void"), NOON).reason == "offer_use_not_found"
    assert [use.offer for use in customer.now.pending_uses[purchase_reference("till", "void")]] == ["gift"]


def test_a_code_of_a_pool_stays_the_members_when_its_use_is_released() -> None:
    one = replace(TEN, code=OfferCode(CodeKind.POOL, "codes"), needs_activation=True)
    customer = member_of(one)
    customer.supply.load("codes", "c-1")
    customer.must(customer.activating("ten"), NOON)
    customer.redeem(NOON, "ten", purchase="void")
    customer.must(releasing(customer, "ten", "void"), NOON)
    use = customer.now.offer_use("ten")
    assert (use.code, use.uses, use.redeemed_at) == ("c-1", 0, None)
    assert customer.supply.codes["codes", "c-1"] is CodeState.ISSUED


def test_offers_gone_from_the_programme_are_still_released_and_refunded() -> None:
    customer = member_of(GIFT, TEN)
    customer.redeem(NOON, "ten", purchase="void")
    for key in ("gift", "ten"):
        customer.redeem(NOON, key, purchase="basket") if key == "gift" else None
    customer.adopt(catalogue_programme(MUG))
    customer.must(releasing(customer, "ten", "void"), LATER)
    customer.buy(LATER, "20", key="basket")
    assert customer.supply_taken == {"stock/mug": 1, "uses/gift": 1}
    customer.refund(LATER, "basket")
    assert (customer.supply_taken, states_of(customer)) == ({}, [OrderState.CANCELLED])


def test_what_rules_gave_for_a_use_is_reversed_with_it_on_its_own_day() -> None:
    rules = (per_euro(), replace(flat("used", "7", event="redemption"), cap=Cap(7, LimitPeriod.DAY)))
    customer = member_of(TEN, rules=rules)
    customer.buy(NOON, "20", key="basket")
    next_day = "2024-03-02 12:00"
    customer.redeem(next_day, "ten", purchase="basket")
    assert (customer.balances, customer.now.cap_usage) == ({"available": 27}, {"used": {"2024-03-02": 7}})
    customer.refund(next_day, "basket")
    assert (customer.balances, customer.now.cap_usage, dict(customer.now.qualifying_days)) == ({}, {}, {})
    assert_member_invariants(customer)


# Tier


KINDS = [LIFETIME, ROLLING_YEAR, CALENDAR_YEAR]


@pytest.mark.parametrize("policy", TierAfterRefund)
@pytest.mark.parametrize("qualification", KINDS, ids=lambda one: str(one.kind.value))
def test_a_refund_reviews_the_tier_unless_the_programme_keeps_it(
    qualification: QualificationPeriod, policy: TierAfterRefund
) -> None:
    customer = member_of(qualification=qualification, tier_after_refund=policy)
    customer.buy(NOON, "600", key="basket")
    assert customer.tier == "gold"
    customer.refund(LATER, "basket", "250")
    assert customer.tier == "gold"
    customer.refund(LATER, "basket", "100")
    assert customer.tier == ("silver" if policy is TierAfterRefund.REVIEWED else "gold")
    customer.refund(LATER, "basket")
    assert customer.tier == ("base" if policy is TierAfterRefund.REVIEWED else "gold")


@pytest.mark.parametrize("qualification", KINDS, ids=lambda one: str(one.kind.value))
def test_other_purchases_that_justify_the_tier_keep_it(qualification: QualificationPeriod) -> None:
    customer = member_of(qualification=qualification)
    customer.buy("2024-02-01 12:00", "320", key="other")
    before = customer.standing()
    customer.buy(NOON, "600", key="basket")
    customer.refund(LATER, "basket")
    assert customer.standing() == before
    customer.refund(LATER, "other")
    assert customer.tier == "base"


def test_a_tier_that_a_changed_programme_promised_is_not_lost_by_another_refund() -> None:
    customer = member_of()
    customer.buy(NOON, "150", key="kept")
    customer.buy(NOON, "10", key="basket")
    customer.adopt(replace(customer.programme, tiers=programme(thresholds=(0, 200, 300)).tiers))
    customer.refund(LATER, "basket")
    assert customer.tier == "silver"


# Expired points and debts


@pytest.mark.parametrize("spent_points", SpentPointsPolicy)
def test_points_that_have_expired_already_fill_no_debt(spent_points: SpentPointsPolicy) -> None:
    customer = member_of(expiry=ExpiryPolicy(months=12), spent_points=spent_points)
    customer.buy(NOON, "100", key="basket")
    customer.adjust(NOON, -80)
    customer.refund(NOON, "basket")
    debt = customer.now.available
    assert debt == (-80 if spent_points is SpentPointsPolicy.NEGATIVE else 0)
    old = moment(NOON) - timedelta(days=800)
    assert customer.refused(customer.event(PURCHASE, old, purchase=receipt("500")), NOON).code.value == "EXPIRED"
    customer.buy(old, "500", now=NOON, imported=True)
    assert (customer.now.available, customer.balances["expired"]) == (debt, 500)
    assert_member_invariants(customer)
    customer.buy(NOON, "100")
    assert customer.now.available == debt + 100
