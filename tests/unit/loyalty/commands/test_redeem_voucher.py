"""Vouchers: which orders have one, and when a till may redeem it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import instant, offer, reward
from support.order_scenario import OrderScenario, assert_order_invariants, catalogue_programme
from support.outcome import code_and_reason
from support.property_settings import property_settings

from loyalty.commands.redeem_voucher import RedeemVoucher
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.notice import Notice, NoticeKind
from loyalty.model.offer import OfferKind
from loyalty.model.order import Delivery, Order, OrderState, VoucherUse
from loyalty.model.reward import RewardKind, VoucherTerms

NOON = "2024-03-04 12:00"
HOME = Delivery("Ann", "1 Way", "1", "Here", "FR")
TO_STORE = replace(HOME, store="330")
REWARDS = (
    reward("mug", 10),
    reward("coffee", 10, RewardKind.DISCOUNT, voucher=VoucherTerms(30, Decimal("2.50"))),
    reward("class", 10, RewardKind.SERVICE),
    reward("bouquet", 10, RewardKind.PARTNER, partner="Rosewood"),
    reward("film", 10, RewardKind.DIGITAL_CODE, pool="films"),
    reward("coupon", 10, RewardKind.DISCOUNT, pool="coupons"),
    reward("meal", 10, RewardKind.DONATION),
)


def customer(**about: Any) -> OrderScenario:
    """Return a member with points for every reward."""
    story = OrderScenario(catalogue_programme(*REWARDS, **about))
    story.must(story.enrolment("2024-01-10 12:00"), story.at("2024-01-10 12:00"))
    story.supply.load("films", "f-1", "f-2")
    story.supply.load("coupons", "c-1", "c-2")
    story.earn("2024-03-01 12:00", 1000)
    return story


def using(
    story: OrderScenario, order: Order, *, store: str | None = "330", at: str | None = None, role: str = "till"
) -> RedeemVoucher:
    """Return the command that uses a voucher."""
    occurred_at = story.at(at) if at is not None else None
    return RedeemVoucher(order.id, store, Channel.STORE, occurred_at, story.by("redeem-voucher", role))


@pytest.mark.parametrize(
    ("key", "delivery", "has_voucher"),
    [
        ("mug", None, True),
        ("mug", TO_STORE, True),
        ("mug", HOME, False),
        ("coffee", None, True),
        ("coffee", HOME, True),
        ("class", None, True),
        ("bouquet", None, True),
        ("bouquet", HOME, False),
        ("film", None, False),
        ("coupon", None, False),
        ("meal", None, False),
    ],
)
def test_an_order_that_is_collected_or_used_in_a_store_has_a_voucher(
    key: str, delivery: Delivery | None, has_voucher: bool
) -> None:
    story = customer()
    order = story.place(NOON, key, delivery=delivery)
    assert order.has_voucher is has_voucher
    if not has_voucher:
        assert code_and_reason(story.refused(using(story, order), NOON)) == (RefusalCode.NOT_FOUND, "voucher_not_found")


def test_gifts_and_instant_rewards_have_vouchers() -> None:
    gift = offer("gift", OfferKind.GIFT, reward="coffee")
    story = customer(offers=[gift], instants=[instant("big", "mug", "50.00")])
    [order] = story.redeem(NOON, "gift").orders
    assert (order.has_voucher, order.voucher_worth) == (True, Decimal("2.50"))
    [instantly] = story.buy(NOON, "60").orders
    for granted in (order, instantly):
        story.must(using(story, granted), NOON)
        assert story.order(granted.id).voucher_use is not None


@pytest.mark.parametrize("is_used", [False, True])
def test_a_refund_withdraws_a_discount_that_its_purchase_gave_unless_its_voucher_was_used(is_used: bool) -> None:
    gift = offer("gift", OfferKind.GIFT, reward="coffee", restores_use_on_refund=True)
    story = customer(offers=[gift], instants=[instant("big", "coffee", "50.00")])
    given = [*story.redeem(NOON, "gift", purchase="basket").orders, *story.buy(NOON, "60", key="basket").orders]
    assert len(given) == 2
    for order in given if is_used else ():
        story.must(using(story, order), NOON)
    story.refund("2024-03-04 13:00", "basket")
    for order in given:
        after = story.order(order.id)
        assert after.state is (OrderState.FULFILLED if is_used else OrderState.CANCELLED)
        expected = "voucher_used_in_store" if is_used else "voucher_order_state"
        refusal = story.refused(using(story, order), "2024-03-04 14:00")
        assert code_and_reason(refusal) == (RefusalCode.CONFLICT, expected)
    assert_order_invariants(story)


@pytest.mark.parametrize("key", ["mug", "coffee", "class", "bouquet"])
def test_a_voucher_is_used_once_and_says_when_and_where(key: str) -> None:
    story = customer()
    order = story.place(NOON, key)
    assert order.used_at is None
    decision = story.must(using(story, order), "2024-03-05 10:30")
    used = story.order(order.id)
    assert used.state is OrderState.FULFILLED
    assert used.history[-1].state is OrderState.FULFILLED
    assert used.voucher_use == VoucherUse(story.at("2024-03-05 10:30"), "330", Channel.STORE)
    assert decision.record.notices == (Notice(NoticeKind.VOUCHER_USED, {"reward": key, "order": order.number}),)
    again = story.refused(using(story, order, store="331"), "2024-03-06 09:00")
    assert code_and_reason(again) == (RefusalCode.CONFLICT, "voucher_used_in_store")
    assert again.params["store"] == "330"
    assert str(again.params["used"]).startswith("2024-03-05T10:30")
    cancelled = story.refused(story.cancelling(order, role="agent"), "2024-03-06 09:00")
    assert code_and_reason(cancelled) == (RefusalCode.CONFLICT, "order_not_cancellable")
    assert_order_invariants(story)


def test_an_order_that_was_handed_over_without_its_voucher_is_used() -> None:
    story = customer()
    order = story.advance(NOON, story.place(NOON), OrderState.FULFILLED)
    assert order.used_at == story.at(NOON)
    refusal = story.refused(using(story, order), NOON)
    assert code_and_reason(refusal) == (RefusalCode.CONFLICT, "voucher_used")


def test_a_cancelled_returned_or_exchanged_order_has_no_voucher_to_use() -> None:
    story = customer()
    cancelled = story.cancel(NOON, story.place(NOON))
    returned = story.advance(NOON, story.place(NOON, "coffee"), OrderState.RETURNED)
    exchanged = story.advance(NOON, story.place(NOON, "coffee"), OrderState.EXCHANGED, exchange_for="coffee")
    wanted_back = story.advance(NOON, story.place(NOON, "coffee"), OrderState.RETURN_REQUESTED)
    for order in (cancelled, returned, exchanged, wanted_back):
        refusal = story.refused(using(story, order), NOON)
        assert code_and_reason(refusal) == (RefusalCode.CONFLICT, "voucher_order_state")
        assert refusal.params == {"state": order.state.value}
    replacement = story.order(exchanged.exchanged_for or "")
    story.must(using(story, replacement), NOON)
    story.advance(NOON, wanted_back, OrderState.FULFILLED)
    story.must(using(story, wanted_back), NOON)


def test_an_order_on_its_way_to_the_store_is_not_ready() -> None:
    story = customer()
    order = story.place(NOON, delivery=TO_STORE)
    shipped = story.advance(NOON, order, OrderState.CONFIRMED, OrderState.PREPARING, OrderState.SHIPPED)
    refusal = story.refused(using(story, shipped), NOON)
    assert code_and_reason(refusal) == (RefusalCode.NOT_ELIGIBLE, "voucher_on_its_way")
    story.advance(NOON, shipped, OrderState.DELIVERED)
    story.must(using(story, shipped), NOON)
    assert story.order(order.id).state is OrderState.FULFILLED


@pytest.mark.parametrize(
    ("store", "expected"),
    [("330", None), ("331", RefusalCode.NOT_ELIGIBLE), (None, RefusalCode.INVALID), ("", RefusalCode.NOT_ELIGIBLE)],
)
def test_an_order_for_a_store_is_collected_there(store: str | None, expected: RefusalCode | None) -> None:
    story = customer()
    order = story.place(NOON, delivery=TO_STORE)
    if expected is None:
        story.must(using(story, order, store=store), NOON)
        return
    refusal = story.refused(using(story, order, store=store), NOON)
    assert (*code_and_reason(refusal), refusal.path) == (expected, "voucher_store", ("store",))
    assert refusal.params == {"store": "330"}


@pytest.mark.parametrize(
    ("now", "at", "expected"),
    [
        ("2024-03-04 12:00", "2024-03-04 12:04", None),
        ("2024-03-04 12:00", "2024-03-04 12:06", (RefusalCode.INVALID, "occurred_in_future")),
        ("2024-03-04 12:30", "2024-03-04 11:56", None),
        ("2024-03-04 12:30", "2024-03-04 11:54", (RefusalCode.INVALID, "voucher_before_order")),
        ("2024-03-11 12:00", "2024-03-04 12:00", None),
        ("2024-03-11 12:01", "2024-03-04 12:00", (RefusalCode.EXPIRED, "voucher_reported_late")),
        ("2024-04-03 23:59", None, None),
        ("2024-04-04 00:00", None, (RefusalCode.EXPIRED, "voucher_expired")),
        ("2024-04-04 09:00", "2024-04-03 23:59", None),
        ("2024-04-04 09:00", "1970-01-01 00:00", (RefusalCode.INVALID, "voucher_before_order")),
    ],
)
def test_a_use_is_judged_at_its_own_time(now: str, at: str | None, expected: tuple[RefusalCode, str] | None) -> None:
    story = customer()
    order = story.place(NOON, "coffee")
    if expected is None:
        story.must(using(story, order, at=at), now)
        assert story.order(order.id).used_at == story.at(at or now)
    else:
        assert code_and_reason(story.refused(using(story, order, at=at), now)) == expected


def test_the_last_day_is_the_brands_and_is_stated() -> None:
    story = customer()
    order = story.place(NOON, "coffee")
    assert order.voucher_expires_at == story.at("2024-04-04 00:00")
    assert story.refused(using(story, order), "2024-05-01 12:00").params == {"day": "2024-04-03"}
    assert story.place(NOON, "mug").voucher_expires_at is None


def test_a_voucher_for_an_appointment_is_used_from_that_day_on() -> None:
    story = customer()
    order = replace(story.place(NOON, "class"), appointment=story.at("2024-03-09 15:00"))
    story.supply.orders[order.id] = order
    refusal = story.refused(using(story, order), "2024-03-08 23:59")
    assert code_and_reason(refusal) == (RefusalCode.NOT_ELIGIBLE, "voucher_appointment")
    assert refusal.params == {"day": "2024-03-09"}
    story.must(using(story, order), "2024-03-09 09:00")


def test_the_order_of_another_member_is_not_found() -> None:
    story = customer()
    order = story.place(NOON)
    other = story.copy_as("m-2")
    assert code_and_reason(other.refused(using(other, order), NOON)) == (RefusalCode.NOT_FOUND, "voucher_not_found")


ACTIONS = st.lists(st.sampled_from(["use", "cancel", "fulfil", "ship", "deliver", "ask", "return"]), max_size=8)


@given(key=st.sampled_from(["mug", "coffee", "class", "bouquet"]), actions=ACTIONS, pieces=st.integers(1, 3))
@property_settings(150)
def test_whatever_happens_an_order_is_used_at_most_once_and_keeps_its_first_use(
    key: str, actions: list[str], pieces: int
) -> None:
    story = customer()
    order = story.place(NOON, key, pieces)
    uses, now = 0, story.at(NOON)
    for action in actions:
        now += timedelta(minutes=1)
        before = story.order(order.id)
        if action == "use":
            outcome = story.do(using(story, order), now)
            uses += not isinstance(outcome, Refusal)
        elif action == "cancel":
            outcome = story.do(story.cancelling(order, role="agent"), now)
        else:
            state = {
                "fulfil": OrderState.FULFILLED,
                "ship": OrderState.SHIPPED,
                "deliver": OrderState.DELIVERED,
                "ask": OrderState.RETURN_REQUESTED,
                "return": OrderState.RETURNED,
            }[action]
            outcome = story.do(story.advancing(order, state), now)
        after = story.order(order.id)
        if before.used_at is not None:
            assert (after.used_at, after.voucher_use) == (before.used_at, before.voucher_use)
            assert after.state is not OrderState.CANCELLED
        assert_order_invariants(story)
    assert uses <= 1
    assert (story.order(order.id).voucher_use is not None) == (uses == 1)
