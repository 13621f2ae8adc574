from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.builders import moment
from support.catalogue import instant, offer, reward, segment
from support.member_scenario import assert_member_invariants
from support.order_scenario import OrderScenario, assert_order_invariants, catalogue_programme

from loyalty.kernel.channel import Channel
from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.kernel.window import Window
from loyalty.model.explanation import RuleOutcome
from loyalty.model.ledger import EntryKind
from loyalty.model.notice import Notice, NoticeKind
from loyalty.model.offer import Audience, OfferKind
from loyalty.model.order import TRANSITIONS, Delivery, Order, OrderState, Recipient, points_to_return
from loyalty.model.programme import Programme, SpentPointsPolicy
from loyalty.model.reward import AppointmentCalendar, Limit, RewardKind
from loyalty.model.supply import CodeState

NOON, LATER = "2024-03-01 12:00", "2024-03-01 13:00"
NEW_YORK = ZoneInfo("America/New_York")
S = OrderState
ANN = Recipient("Ann")
TALKS = AppointmentCalendar(frozenset(), (time(10), time(12)), 30, 1, 7)
EVERYTHING = catalogue_programme(
    reward("mug", stock=5),
    reward("pen", 10),
    reward("film", 100, RewardKind.DIGITAL_CODE, pool="films"),
    reward("boxed-film", 100, pool="films"),
    reward("talk", 100, RewardKind.SERVICE, appointments=TALKS),
    reward("gold-pen", 10, audience=Audience(frozenset({"gold"}))),
    reward("fans-pen", 10, audience=Audience(segments=frozenset({"fans"}))),
    reward("listed-pen", 10, audience=Audience(lists=frozenset({"friends"}))),
    reward("app-pen", 10, channels=frozenset({Channel.APP, Channel.WEB})),
    reward("old-pen", 10, window=Window(last_day=datetime(2024, 2, 29, tzinfo=UTC).date())),
    reward("sunday-pen", 10, window=Window(weekdays=frozenset({7}))),
    reward("weekly", 10, limit=Limit(1, LimitPeriod.WEEK)),
    reward("triple", 10, stock=100),
    segments={"fans": segment("fans", "member.events.visit > 2")},
)


def rich(programme: Programme = EVERYTHING, points: int = 290) -> OrderScenario:
    """Return somebody with this many points, and codes in the pool."""
    customer = OrderScenario(programme)
    customer.supply.load("films", "f-1", "f-2")
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.earn(NOON, points)
    return customer


def refusal_of(customer: OrderScenario, command: Any, now: str | datetime = LATER) -> tuple[str, str, tuple[str, ...]]:
    refusal = customer.refused(command, now)
    return refusal.code.value, refusal.reason, refusal.path


# Placing


def test_an_order_takes_points_oldest_first_and_pieces_and_says_so() -> None:
    customer = OrderScenario(catalogue_programme(reward("mug", 30, stock=5), expiry=ExpiryPolicy(days=100)))
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.earn("2024-02-01 12:00", 50)
    customer.earn(NOON, 60)
    decision = customer.must(customer.ordering("mug", 3, delivery=Delivery("Lee", "1 Way", "1", "Here", "FR")), LATER)
    [order] = decision.orders
    assert (order.points, order.quantity, order.state, order.placed_at) == (90, 3, S.PLACED, moment(LATER))
    assert [(lot.earned_on.isoformat(), points) for lot, points in order.lots] == [
        ("2024-02-01", 50),
        ("2024-03-01", 40),
    ]
    assert order.delivery == Delivery("Lee", "1 Way", "1", "Here", "FR")
    assert (order.member, order.version, order.placed_version) == ("m-1", 4, 4)
    assert [(entry.kind, entry.points, entry.label) for entry in decision.record.entries] == [
        (EntryKind.BURN, -90, "order")
    ]
    assert decision.record.notices == (Notice(NoticeKind.ORDER_PLACED, {"reward": "mug", "order": order.number}),)
    assert (customer.balances, customer.supply_taken) == ({"available": 20, "redeemed": 90}, {"stock/mug": 3})
    assert_member_invariants(customer)
    assert_order_invariants(customer)


def test_what_needs_no_delivery_is_fulfilled_as_it_is_ordered() -> None:
    customer = rich()
    order = customer.place(LATER, "film")
    assert (order.state, order.code, [step.state for step in order.history]) == (
        S.FULFILLED,
        "f-1",
        [S.PLACED, S.FULFILLED],
    )
    assert customer.place(LATER, "boxed-film").state is S.PLACED


def test_the_same_key_gives_the_same_order_number_and_another_key_another() -> None:
    first, again = rich(), rich()
    number = first.place(LATER, "mug").number
    assert again.place(LATER, "mug").number == number
    assert again.place(LATER, "mug").number != number


REFUSED: dict[str, tuple[str, dict[str, Any], str, str, tuple[str, ...]]] = {
    "unknown": ("cup", {}, "NOT_FOUND", "reward_not_found", ("reward",)),
    "none": ("mug", {"quantity": 0}, "INVALID", "quantity_range", ("quantity",)),
    "too many": ("triple", {"quantity": 101}, "INVALID", "quantity_range", ("quantity",)),
    "two codes": ("film", {"quantity": 2}, "INVALID", "quantity_one", ("quantity",)),
    "two talks": ("talk", {"quantity": 2}, "INVALID", "quantity_one", ("quantity",)),
    "two limited": ("weekly", {"quantity": 2}, "INVALID", "quantity_one", ("quantity",)),
    "tier": ("gold-pen", {}, "NOT_ELIGIBLE", "reward_tier", ("reward",)),
    "segment": ("fans-pen", {}, "NOT_ELIGIBLE", "reward_audience", ("reward",)),
    "list": ("listed-pen", {}, "NOT_ELIGIBLE", "reward_audience", ("reward",)),
    "channel": ("app-pen", {"channel": Channel.STORE}, "NOT_ELIGIBLE", "reward_channel", ("channel",)),
    "over": ("old-pen", {}, "EXPIRED", "reward_over", ("reward",)),
    "closed": ("sunday-pen", {}, "NOT_ELIGIBLE", "reward_window", ("reward",)),
    "relative": ("mug", {"recipient": ANN}, "NOT_ELIGIBLE", "relative_tier", ("recipient",)),
    "unasked": (
        "mug",
        {"appointment": moment("2024-03-02 10:00")},
        "INVALID",
        "appointment_unexpected",
        ("appointment",),
    ),
    "no time": ("talk", {}, "INVALID", "appointment_missing", ("appointment",)),
    "odd time": (
        "talk",
        {"appointment": moment("2024-03-02 10:10")},
        "INVALID",
        "appointment_invalid",
        ("appointment",),
    ),
    "past": ("talk", {"appointment": moment("2024-03-01 10:00")}, "INVALID", "appointment_invalid", ("appointment",)),
    "far": ("talk", {"appointment": moment("2024-03-09 10:00")}, "INVALID", "appointment_invalid", ("appointment",)),
    "stock": ("mug", {"quantity": 6}, "OUT_OF_STOCK", "too_few", ("quantity",)),
    "points": ("triple", {"quantity": 30}, "INSUFFICIENT_POINTS", "insufficient_points", ("reward",)),
    "hold": ("mug", {"hold": "nothing"}, "NOT_FOUND", "hold_not_found", ("hold",)),
}


@pytest.mark.parametrize(("key", "about", "code", "reason", "path"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_ordered_is_refused(
    key: str, about: dict[str, Any], code: str, reason: str, path: tuple[str, ...]
) -> None:
    customer = rich()
    assert refusal_of(customer, customer.ordering(key, **about)) == (code, reason, path)
    assert (customer.balances, customer.supply_taken) == ({"available": 290}, {})


def test_what_is_gone_is_refused() -> None:
    customer = rich(points=2000)
    at = moment("2024-03-02 10:00")
    for key, quantity, appointment in (("mug", 5, None), ("film", 1, None), ("film", 1, None), ("talk", 1, at)):
        customer.place(LATER, key, quantity, appointment=appointment)
    gone = {
        "mug": ("OUT_OF_STOCK", "out_of_stock", ("reward",)),
        "film": ("OUT_OF_STOCK", "codes_gone", ("reward",)),
        "talk": ("OUT_OF_STOCK", "appointment_taken", ("appointment",)),
    }
    for key, expected in gone.items():
        assert refusal_of(customer, customer.ordering(key, appointment=at if key == "talk" else None)) == expected


def test_an_audience_is_checked_against_the_current_member() -> None:
    customer = rich(points=0)
    customer.supply.lists["m-1"] = frozenset({"friends"})
    customer.earn(NOON, 300)
    for _ in range(3):
        customer.happen("visit", NOON)
    assert [customer.place(LATER, key).points for key in ("gold-pen", "fans-pen", "listed-pen")] == [10, 10, 10]


def test_a_limit_counts_orders_of_its_period_and_a_cancelled_one_not() -> None:
    customer = rich()
    first = customer.place(LATER, "weekly")
    assert refusal_of(customer, customer.ordering("weekly")) == ("LIMIT_REACHED", "reward_limit", ("reward",))
    customer.cancel(LATER, first)
    assert customer.now.order_counts == {}
    customer.place("2024-03-03 23:59:59", "weekly")
    assert refusal_of(customer, customer.ordering("weekly"), "2024-03-03 23:59:59")[1] == "reward_limit"
    customer.place("2024-03-04 00:00", "weekly")
    assert customer.now.order_counts == {"weekly": {"2024-W09": 1, "2024-W10": 1}}


def test_a_premium_member_orders_the_gift_twice_once_for_a_relative() -> None:
    customer = rich(points=400)
    assert customer.tier == "gold"
    own = customer.place(LATER, "weekly")
    given = customer.place(LATER, "weekly", recipient=ANN)
    assert (own.recipient, given.recipient) == (None, ANN)
    assert (own.limit_key, given.limit_key) == ("weekly", "weekly/relative")
    for recipient in (None, ANN, Recipient("Bob")):
        refused = refusal_of(customer, customer.ordering("weekly", recipient=recipient))
        assert refused == ("LIMIT_REACHED", "reward_limit", ("reward",))
    customer.cancel(LATER, given)
    assert customer.place(LATER, "weekly", recipient=Recipient("Bob")).recipient == Recipient("Bob")


GIFT = reward("gift", 10, window=Window(weekdays=frozenset({3})), limit=Limit(1, LimitPeriod.WEEK))


@pytest.mark.parametrize("wednesday", ["2024-06-19", "2024-03-13", "2024-11-06"])
def test_the_wednesday_gift_is_there_from_midnight_to_midnight(wednesday: str) -> None:
    zone = NEW_YORK
    begins = moment(f"{wednesday} 00:00", zone)
    ends = moment((datetime.fromisoformat(wednesday) + timedelta(days=1)).date().isoformat() + " 00:00", zone)
    customer = OrderScenario(catalogue_programme(GIFT, zone=zone))
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.earn("2024-01-10 12:00", 100)
    early = customer.refused(customer.ordering("gift"), begins - timedelta(seconds=1))
    assert (early.code, early.reason) == (RefusalCode.NOT_ELIGIBLE, "reward_window")
    assert early.params == {"opens": begins.astimezone(zone).isoformat(timespec="minutes")}
    order = customer.place(begins, "gift")
    customer.cancel(begins, order)
    customer.place(ends - timedelta(milliseconds=1), "gift")
    assert refusal_of(customer, customer.ordering("gift"), ends)[1] == "reward_window"


# Steps


def standing_in(state: OrderState) -> tuple[OrderScenario, Order]:
    """Return somebody with an order in a state, reached as staff may."""
    customer = rich()
    order = customer.place(LATER, "mug", 2)
    paths: dict[OrderState, tuple[OrderState, ...]] = {
        S.PLACED: (),
        S.CONFIRMED: (S.CONFIRMED,),
        S.PREPARING: (S.CONFIRMED, S.PREPARING),
        S.SHIPPED: (S.CONFIRMED, S.PREPARING, S.SHIPPED),
        S.DELIVERED: (S.CONFIRMED, S.PREPARING, S.SHIPPED, S.DELIVERED),
        S.FULFILLED: (S.FULFILLED,),
        S.RETURN_REQUESTED: (S.FULFILLED, S.RETURN_REQUESTED),
        S.RETURNED: (S.FULFILLED, S.RETURNED),
        S.EXCHANGED: (S.FULFILLED, S.EXCHANGED),
        S.CANCELLED: (),
    }
    if state is S.CANCELLED:
        return customer, customer.cancel(LATER, order)
    for step in paths[state]:
        about = {"exchange_for": "pen"} if step is S.EXCHANGED else {}
        order = customer.advance(LATER, order, step, **about)
    assert order.state is state
    return customer, order


@pytest.mark.parametrize("state", OrderState)
def test_every_step_is_done_by_who_may_and_by_nobody_else(state: OrderState) -> None:
    for requested in OrderState:
        for role in ("member", "kiosk", "till", "agent", "manager", "service"):
            customer, order = standing_in(state)
            about = {"exchange_for": "pen"} if requested is S.EXCHANGED else {}
            command: Any = customer.advancing(order, requested, role=role, **about)
            if requested is S.CANCELLED:
                command = customer.cancelling(order, role=role)
            allowed = TRANSITIONS[state].get(requested, frozenset())
            if role in allowed:
                customer.must(command, LATER)
                assert customer.order(order.id).state is requested
                assert (customer.order(order.id).history[-1].state, customer.order(order.id).history[-1].role) == (
                    requested,
                    role,
                )
                assert_order_invariants(customer)
                continue
            code, reason, _ = refusal_of(customer, command)
            if allowed:
                assert (code, reason) == ("NOT_ELIGIBLE", "order_step_role")
            elif requested is S.CANCELLED:
                assert (code, reason) == ("CONFLICT", "order_not_cancellable")
            else:
                assert (code, reason in {"order_step", "order_over"}) == ("CONFLICT", True)


def test_who_may_take_which_step() -> None:
    members = {
        (before, after) for before, steps in TRANSITIONS.items() for after, roles in steps.items() if "member" in roles
    }
    tills = {
        (before, after) for before, steps in TRANSITIONS.items() for after, roles in steps.items() if "till" in roles
    }
    assert members == {
        (S.PLACED, S.CANCELLED),
        (S.CONFIRMED, S.CANCELLED),
        (S.DELIVERED, S.RETURN_REQUESTED),
        (S.FULFILLED, S.RETURN_REQUESTED),
    }
    assert tills == {(S.PLACED, S.FULFILLED), (S.CONFIRMED, S.FULFILLED), (S.PREPARING, S.FULFILLED)}
    assert sum(len(steps) for steps in TRANSITIONS.values()) == 21


def test_what_is_wrong_with_a_step_is_refused() -> None:
    customer, order = standing_in(S.DELIVERED)
    wrong: list[tuple[Any, tuple[str, str, tuple[str, ...]]]] = [
        (customer.advancing("nothing", S.RETURNED), ("NOT_FOUND", "order_not_found", ("order",))),
        (customer.cancelling("nothing"), ("NOT_FOUND", "order_not_found", ("order",))),
        (customer.advancing(order, S.CANCELLED), ("INVALID", "order_cancel_instead", ("state",))),
        (
            customer.advancing(order, S.RETURN_REQUESTED, quantity=1),
            ("INVALID", "order_quantity_unexpected", ("quantity",)),
        ),
        (customer.advancing(order, S.RETURNED, quantity=0), ("INVALID", "order_quantity_range", ("quantity",))),
        (customer.advancing(order, S.RETURNED, quantity=3), ("INVALID", "order_quantity_range", ("quantity",))),
        (
            customer.advancing(order, S.RETURNED, exchange_for="pen"),
            ("INVALID", "exchange_unexpected", ("exchangeFor",)),
        ),
        (customer.advancing(order, S.EXCHANGED), ("NOT_FOUND", "reward_not_found", ("exchangeFor",))),
        (
            customer.advancing(order, S.EXCHANGED, exchange_for="gold-pen"),
            ("NOT_ELIGIBLE", "reward_tier", ("exchangeFor",)),
        ),
        (
            customer.advancing(order, S.EXCHANGED, exchange_for="talk"),
            ("INVALID", "exchange_impossible", ("exchangeFor",)),
        ),
        (
            customer.advancing(order, S.EXCHANGED, exchange_for="boxed-film"),
            ("INVALID", "exchange_impossible", ("exchangeFor",)),
        ),
        (
            customer.advancing(order, S.EXCHANGED, exchange_for="weekly"),
            ("INVALID", "exchange_impossible", ("exchangeFor",)),
        ),
    ]
    for command, expected in wrong:
        assert refusal_of(customer, command) == expected
    assert refusal_of(customer.copy_as("m-2"), customer.cancelling(order))[1] == "order_not_found"


def test_a_step_keeps_its_note_and_the_tracking_address() -> None:
    customer, order = standing_in(S.PREPARING)
    order = customer.advance(LATER, order, S.SHIPPED, note="left today", tracking_url="https://parcels.example/1")
    assert (order.history[-1].note, order.tracking_url) == ("left today", "https://parcels.example/1")
    assert customer.records[-1].notices == (Notice(NoticeKind.ORDER_SHIPPED, {"reward": "mug", "order": order.number}),)
    order = customer.advance("2024-03-02 12:00", order, S.DELIVERED)
    assert (order.tracking_url, order.history[-1].at) == ("https://parcels.example/1", moment("2024-03-02 12:00"))


# Back


def test_a_cancelled_order_gives_its_points_to_the_lots_they_came_from() -> None:
    customer = OrderScenario(catalogue_programme(reward("mug", 80), expiry=ExpiryPolicy(days=100)))
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.earn("2024-02-01 12:00", 50)
    customer.earn(NOON, 60)
    before = customer.lots
    order = customer.place(LATER, "mug")
    order = customer.cancel(LATER, order, reason="a mistake")
    assert customer.lots == before == [("2024-02-01", "2024-05-11", 50), ("2024-03-01", "2024-06-09", 60)]
    assert (order.state, order.lots, order.points_returned, order.returned) == (S.CANCELLED, (), 80, 1)
    assert order.history[-1].note == "a mistake"
    assert customer.balances == {"available": 110}


@pytest.mark.parametrize(
    ("grace", "lots", "balances"),
    [
        (30, [("2024-03-01", "2024-04-30", 80)], {"available": 80, "expired": 20}),
        (0, [], {"expired": 100}),
    ],
)
def test_points_whose_lot_expired_come_back_for_the_days_of_grace(
    grace: int, lots: list[Any], balances: dict[str, int]
) -> None:
    customer = OrderScenario(
        catalogue_programme(reward("mug", 80), expiry=ExpiryPolicy(days=10), returned_points_grace_days=grace)
    )
    customer.must(customer.enrolment(NOON), NOON)
    bought = customer.earn(NOON, 100)
    order = customer.place(LATER, "mug")
    customer.cancel("2024-03-31 12:00", order)
    assert (customer.lots, customer.balances) == (lots, balances)
    # What has expired, of the purchase's own lot or of one that came back for a while, is not asked for twice.
    customer.settle("2024-06-01 12:00")
    assert customer.balances == {"expired": 100}
    customer.refund("2024-06-01 12:00", bought)
    assert customer.balances == {}
    assert_member_invariants(customer)


def test_pieces_come_back_one_by_one_and_points_whole_at_the_last() -> None:
    customer = OrderScenario(catalogue_programme(replace(reward("mug", 10, stock=5), points=10)))
    customer.must(customer.enrolment(NOON), NOON)
    customer.earn(NOON, 100)
    order = customer.deliver(LATER, customer.place(LATER, "mug", 3))
    given = []
    for returned in (1, 2, 3):
        order = customer.advance(LATER, order, S.RETURNED, quantity=1)
        given.append(
            (order.state, order.returned, order.points_returned, customer.now.available, customer.supply_taken)
        )
        assert_order_invariants(customer)
        assert order.returned == returned
    assert given == [
        (S.DELIVERED, 1, 10, 80, {"stock/mug": 2}),
        (S.DELIVERED, 2, 20, 90, {"stock/mug": 1}),
        (S.RETURNED, 3, 30, 100, {}),
    ]


def test_a_piece_is_never_worth_more_than_its_share() -> None:
    order = standing_in(S.PLACED)[1]
    odd = replace(order, points=100, quantity=3)
    assert [points_to_return(odd, returned) for returned in range(4)] == [0, 33, 66, 100]


def test_a_code_that_was_shown_is_void_and_one_that_was_not_is_free_again() -> None:
    customer = rich()
    shown, hidden = customer.place(LATER, "film"), customer.place(LATER, "boxed-film")
    back = customer.advance(LATER, shown, S.RETURNED)
    assert (back.code, customer.cancel(LATER, hidden).code) == ("f-1", None)
    assert customer.supply.codes == {("films", "f-1"): CodeState.VOID, ("films", "f-2"): CodeState.FREE}
    assert customer.place(LATER, "film").code == "f-2"


def test_an_appointment_that_was_cancelled_can_be_booked_again() -> None:
    customer = rich()
    at = moment("2024-03-02 10:00")
    order = customer.place(LATER, "talk", appointment=at)
    assert customer.supply_taken == {"slot/talk": 1}
    customer.cancel(LATER, order)
    assert (customer.supply_taken, customer.place(LATER, "talk", appointment=at).appointment) == ({}, at)


# Exchange


def test_a_replacement_with_the_same_reward_keeps_points_and_limit_and_takes_a_new_piece() -> None:
    customer = rich(catalogue_programme(reward("weekly", 10, stock=1, limit=Limit(1, LimitPeriod.WEEK))), 100)
    order = customer.advance(LATER, customer.place(LATER, "weekly"), S.FULFILLED)
    decision = customer.must(customer.advancing(order, S.EXCHANGED, exchange_for="weekly"), "2024-03-12 12:00")
    following, first = decision.orders
    assert decision.record.entries == ()
    assert (first.state, first.exchanged_for, first.points_returned, first.lots) == (S.EXCHANGED, following.id, 10, ())
    assert (following.state, following.points, following.lots, following.origin) == (
        S.PLACED,
        10,
        order.lots,
        f"order/{order.id}",
    )
    assert (customer.balances, customer.supply_taken) == ({"available": 90, "redeemed": 10}, {"stock/weekly": 1})
    assert customer.now.order_counts == {"weekly": {"2024-W09": 1}}
    customer.cancel("2024-03-12 12:00", following)
    assert (customer.balances, customer.supply_taken, customer.now.order_counts) == ({"available": 100}, {}, {})


@pytest.mark.parametrize("policy", SpentPointsPolicy)
def test_the_same_again_is_given_though_its_purchase_was_refunded_its_lot_expired_or_its_price_rose(
    policy: SpentPointsPolicy,
) -> None:
    rules = catalogue_programme(reward("mug", 100), spent_points=policy, expiry=ExpiryPolicy(days=10))
    customer = OrderScenario(rules)
    customer.must(customer.enrolment(NOON), NOON)
    bought = customer.earn(NOON, 100)
    order = customer.deliver(LATER, customer.place(LATER, "mug"))
    customer.refund(LATER, bought)
    before = customer.balances
    customer.adopt(catalogue_programme(reward("mug", 300), spent_points=policy, expiry=ExpiryPolicy(days=10)))
    decision = customer.must(customer.advancing(order, S.EXCHANGED, exchange_for="mug"), "2024-06-01 12:00")
    assert (decision.orders[0].points, customer.balances) == (100, before)
    customer.cancel("2024-06-01 12:00", decision.orders[0])
    assert customer.balances == {}


def test_another_reward_is_paid_with_what_came_back_even_of_a_lot_that_expired() -> None:
    customer = OrderScenario(
        catalogue_programme(reward("mug", 100), reward("cup", 70, stock=1), expiry=ExpiryPolicy(days=10))
    )
    customer.must(customer.enrolment(NOON), NOON)
    customer.earn(NOON, 100)
    order = customer.deliver(LATER, customer.place(LATER, "mug"))
    [following, _] = customer.must(
        customer.advancing(order, S.EXCHANGED, exchange_for="cup"), "2024-06-01 12:00"
    ).orders
    assert (following.reward.key, following.points) == ("cup", 70)
    assert (customer.balances, customer.supply_taken) == ({"redeemed": 70, "expired": 30}, {"stock/cup": 1})
    assert_member_invariants(customer)


def test_an_exchange_that_costs_more_than_there_is_changes_nothing() -> None:
    customer = rich(catalogue_programme(reward("mug", 100), reward("vase", 291)))
    order = customer.deliver(LATER, customer.place(LATER, "mug"))
    expected = ("INSUFFICIENT_POINTS", "insufficient_points", ("exchangeFor",))
    assert refusal_of(customer, customer.advancing(order, S.EXCHANGED, exchange_for="vase")) == expected


def test_a_gift_is_exchanged_for_the_same_at_no_points_and_for_another_at_its_price() -> None:
    rules = catalogue_programme(
        reward("mug", 100), reward("pen", 10), offers=[offer("thanks", OfferKind.GIFT, reward="mug")]
    )
    customer = rich(rules, 50)
    [order] = customer.redeem(LATER, "thanks").orders
    customer.deliver(LATER, order)
    same = customer.must(customer.advancing(order, S.EXCHANGED, exchange_for="mug"), LATER).orders[0]
    assert (same.points, customer.balances) == (0, {"available": 50})
    customer.deliver(LATER, same)
    other = customer.must(customer.advancing(same, S.EXCHANGED, exchange_for="pen"), LATER).orders[0]
    assert (other.points, customer.balances) == (10, {"available": 40, "redeemed": 10})


# What was spent before a refund


WRITING_OFF = catalogue_programme(reward("mug", 100), reward("pen", 10), spent_points=SpentPointsPolicy.WRITE_OFF)
OWING = catalogue_programme(reward("mug", 100), reward("pen", 10))


@pytest.mark.parametrize("rules", [WRITING_OFF, OWING])
@pytest.mark.parametrize("cancelled_first", [True, False])
def test_a_refund_and_a_cancellation_end_alike_in_both_orders(rules: Programme, cancelled_first: bool) -> None:
    customer = rich(rules, 100)
    bought = next(key for key in customer.counted if key.startswith("event"))
    order = customer.place(LATER, "mug")
    for step in ("cancel", "refund") if cancelled_first else ("refund", "cancel"):
        if step == "cancel":
            customer.cancel(LATER, order)
        else:
            customer.refund(LATER, bought)
    assert (customer.balances, customer.lots, customer.now.open_write_offs) == ({}, [], ())


def test_what_was_written_off_is_made_good_by_what_was_ordered_before_and_by_nothing_else() -> None:
    customer = rich(WRITING_OFF, 100)
    bought = next(key for key in customer.counted if key.startswith("event"))
    early = customer.place(LATER, "mug")
    customer.refund(LATER, bought)
    assert customer.balances == {"redeemed": 100, "written_off": -100}
    customer.earn(LATER, 100)
    late = customer.place(LATER, "mug")
    customer.cancel(LATER, late)
    assert customer.balances == {"available": 100, "redeemed": 100, "written_off": -100}
    customer.cancel(LATER, early)
    assert customer.balances == {"available": 100}
    [entry] = customer.records[-1].entries
    assert [(one.rule, one.points, one.reason) for one in entry.explanations] == [
        ("refund", -100, RuleOutcome.WRITE_OFF_RECOVERED)
    ]


def test_a_later_order_makes_good_its_own_write_off_after_an_earlier_one_was_made_good() -> None:
    customer = rich(WRITING_OFF, 100)
    first = next(key for key in customer.counted if key.startswith("event"))
    early = customer.place(LATER, "mug")
    customer.refund(LATER, first)
    second = customer.earn(LATER, 100)
    late = customer.place(LATER, "mug")
    customer.cancel(LATER, early)
    assert customer.balances == {"redeemed": 100}
    customer.refund(LATER, second)
    assert customer.balances == {"redeemed": 100, "written_off": -100}
    customer.cancel(LATER, late)
    assert customer.balances == {}


def test_an_early_order_leaves_the_late_write_offs_to_the_late_orders() -> None:
    customer = rich(WRITING_OFF, 100)
    first = next(key for key in customer.counted if key.startswith("event"))
    early = customer.place(LATER, "mug")
    customer.refund(LATER, first)
    second = customer.earn(LATER, 100)
    late = customer.place(LATER, "mug")
    customer.refund(LATER, second)
    assert customer.balances == {"redeemed": 200, "written_off": -200}
    customer.cancel(LATER, early)
    customer.cancel(LATER, late)
    assert (customer.balances, customer.now.open_write_offs) == ({}, ())


# Given at no points


def instants(*granted: Any, rewards: Any = (), **about: Any) -> OrderScenario:
    customer = OrderScenario(catalogue_programme(*rewards, instants=granted, **about))
    customer.supply.load("films", "f-1", "f-2", "f-3")
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    return customer


def reasons(customer: OrderScenario) -> list[tuple[str, RuleOutcome, dict[str, Any]]]:
    why = [one for one in customer.records[-1].explanations if one.rule.startswith("instant/")]
    return [(one.rule, one.reason, dict(one.params)) for one in why]


def test_a_purchase_over_the_minimum_is_given_a_reward_at_once() -> None:
    customer = instants(instant("big", "mug", "15.00"), rewards=[reward("mug", 100, stock=1)])
    customer.buy(NOON, "14.99")
    assert reasons(customer) == [("instant/big", RuleOutcome.BELOW_MINIMUM, {"reward": "mug", "minimum": "15.00 EUR"})]
    decision = customer.buy(NOON, "15.00")
    [order] = decision.orders
    assert (order.reward.key, order.points, order.origin, order.quantity) == ("mug", 0, "instant/big", 1)
    assert reasons(customer) == [("instant/big", RuleOutcome.GRANTED, {"reward": "mug"})]
    assert customer.balances == {"available": 29}
    customer.buy(NOON, "15.00")
    assert reasons(customer) == [("instant/big", RuleOutcome.OUT_OF_STOCK, {"reward": "mug"})]
    assert_order_invariants(customer)


def test_an_instant_reward_is_given_so_often_a_day_of_the_purchase() -> None:
    customer = instants(instant("big", "mug", "15", limit=Limit(1, LimitPeriod.DAY)), rewards=[reward("mug")])
    for when, expected in ((NOON, 1), (LATER, 0), ("2024-03-02 00:00", 1)):
        assert len(customer.buy(when, "20").orders) == expected
    late = customer.buy("2024-03-01 23:59", "20", now="2024-03-02 12:00")
    assert (late.orders, reasons(customer)) == ((), [("instant/big", RuleOutcome.LIMIT, {"reward": "mug"})])


def test_two_instant_rewards_of_one_pool_give_two_codes() -> None:
    customer = instants(
        instant("one", "film", "15"),
        instant("two", "boxed", "15"),
        rewards=[reward("film", 1, RewardKind.DIGITAL_CODE, pool="films"), reward("boxed", 1, pool="films")],
    )
    assert sorted(order.code or "" for order in customer.buy(NOON, "20").orders) == ["f-1", "f-2"]
    [order] = customer.buy(NOON, "20").orders
    assert order.code == "f-3"
    assert [reason for _, reason, _ in reasons(customer)] == [RuleOutcome.GRANTED, RuleOutcome.OUT_OF_STOCK]


def test_an_instant_reward_is_for_its_channels_stores_hours_and_audience() -> None:
    customer = instants(
        instant("app", "mug", "1", channels=frozenset({Channel.APP})),
        instant("store", "mug", "1", stores=frozenset({"s-1"})),
        instant("sunday", "mug", "1", window=Window(weekdays=frozenset({7}))),
        instant("gold", "mug", "1", audience=Audience(frozenset({"gold"}))),
        instant("friends", "mug", "1", audience=Audience(lists=frozenset({"friends"}))),
        rewards=[reward("mug")],
    )
    assert customer.buy(NOON, "5", store="s-2").orders == ()
    given = [RuleOutcome.CHANNEL, RuleOutcome.STORE, RuleOutcome.WINDOW, RuleOutcome.AUDIENCE, RuleOutcome.AUDIENCE]
    assert [reason for _, reason, _ in reasons(customer)] == given
    customer.supply.lists["m-1"] = frozenset({"friends"})
    assert len(customer.buy("2024-03-03 12:00", "5", store="s-1", channel=Channel.APP).orders) == 4


def test_a_refused_purchase_gives_nothing() -> None:
    customer = instants(instant("big", "mug", "1"), rewards=[reward("mug", stock=1)])
    refusal = customer.refused(customer.event("purchase", NOON), NOON)
    assert isinstance(refusal, Refusal)
    assert customer.supply_taken == {}
