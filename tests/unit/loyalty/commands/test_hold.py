from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import moment
from support.catalogue import reward
from support.member_scenario import assert_member_invariants
from support.order_scenario import OrderScenario, assert_order_invariants, catalogue_programme
from support.property_settings import property_settings

from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.model.decision import NothingToSettle
from loyalty.model.hold import EXPIRED_HOLDS_KEPT_MAX, HOLDS_MAX
from loyalty.model.ledger import EntryKind
from loyalty.model.member import next_settlement_at
from loyalty.model.order import OrderState
from loyalty.model.programme import Programme, SpentPointsPolicy
from loyalty.model.reward import Limit, RewardKind
from loyalty.model.supply import CodeState

NOON, SOON, LATER = "2024-03-01 12:00", "2024-03-01 12:04:59.999", "2024-03-01 12:05"
RULES = catalogue_programme(
    reward("mug", 100, stock=1),
    reward("film", 100, RewardKind.DIGITAL_CODE, pool="films"),
    reward("pen", 10, limit=Limit(1, LimitPeriod.DAY)),
)


def rich(programme: Programme = RULES, points: int = 150) -> OrderScenario:
    customer = OrderScenario(programme)
    customer.supply.load("films", "f-1")
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.earn(NOON, points)
    return customer


def refusal_of(customer: OrderScenario, command: Any, now: str = NOON) -> tuple[str, str, tuple[str, ...]]:
    refusal = customer.refused(command, now)
    return refusal.code.value, refusal.reason, refusal.path


def test_a_hold_keeps_points_and_a_piece_and_lets_go_at_its_time() -> None:
    customer = rich()
    hold = customer.hold(NOON, "mug")
    assert (customer.balances, customer.supply_taken) == ({"available": 50, "held": 100}, {"stock/mug": 1})
    assert customer.records[-1].entries[0].kind is EntryKind.HOLD
    assert next_settlement_at(customer.now, customer.programme.zone) == moment(LATER)
    assert isinstance(customer.settle(SOON), NothingToSettle)
    customer.settle(LATER)
    assert (customer.balances, customer.supply_taken, customer.now.holds) == ({"available": 150}, {}, ())
    [entry] = customer.records[-1].entries
    assert (entry.kind, entry.points, entry.occurred_at) == (EntryKind.RELEASE, 100, moment(LATER))
    for command in (customer.releasing(hold), customer.ordering("mug", hold=hold)):
        assert refusal_of(customer, command, LATER) == ("EXPIRED", "hold_lapsed", ("hold",))
    assert_member_invariants(customer)


def test_a_hold_lets_go_in_whatever_is_decided_after_its_time() -> None:
    customer = rich()
    customer.hold(NOON, "mug")
    customer.earn(LATER, 1)
    assert [entry.kind for entry in customer.records[-1].entries] == [EntryKind.RELEASE, EntryKind.EARN]
    assert (customer.balances, customer.supply_taken) == ({"available": 151}, {})
    customer.hold(LATER, "mug", ttl=60)
    order = customer.place("2024-03-01 12:06", "mug")
    assert (order.points, customer.supply_taken, customer.balances) == (
        100,
        {"stock/mug": 1},
        {"available": 51, "redeemed": 100},
    )


def test_an_order_gets_the_very_piece_and_code_that_were_kept() -> None:
    customer = rich(points=300)
    piece, code = customer.hold(NOON, "mug"), customer.hold(NOON, "film")
    assert refusal_of(customer, customer.ordering("mug"))[:2] == ("OUT_OF_STOCK", "out_of_stock")
    assert refusal_of(customer, customer.ordering("film"))[:2] == ("OUT_OF_STOCK", "codes_gone")
    order = customer.place(SOON, "film", hold=code)
    assert (order.code, customer.supply.codes["films", "f-1"]) == ("f-1", CodeState.ISSUED)
    assert [entry.kind for entry in customer.records[-1].entries] == [EntryKind.RELEASE, EntryKind.BURN]
    customer.place(SOON, "mug", hold=piece)
    assert (customer.supply_taken, customer.balances) == ({"stock/mug": 1}, {"available": 100, "redeemed": 200})
    assert refusal_of(customer, customer.ordering("mug", hold=piece)) == ("NOT_FOUND", "hold_not_found", ("hold",))


def test_a_hold_of_points_pays_for_any_order_and_one_of_a_reward_for_that_alone() -> None:
    customer = rich()
    points = customer.hold(NOON, points=100)
    assert refusal_of(customer, customer.ordering("mug"))[1] == "insufficient_points"
    customer.place(NOON, "mug", hold=points)
    assert customer.balances == {"available": 50, "redeemed": 100}
    pen = customer.hold(NOON, "pen")
    assert refusal_of(customer, customer.ordering("film", hold=pen)) == (
        "CONFLICT",
        "hold_of_another_reward",
        ("hold",),
    )
    customer.must(customer.releasing(pen), NOON)
    assert customer.balances == {"available": 50, "redeemed": 100}


@pytest.mark.parametrize("about", [{"key": "mug"}, {"points": 100}, {"key": "mug", "points": 0}])
def test_points_beyond_the_held_ones_are_taken_from_the_rest(about: dict[str, Any]) -> None:
    customer = rich(catalogue_programme(reward("mug", 100, stock=2)), 200)
    hold = customer.hold(NOON, **about)
    customer.place(NOON, "mug", 2, hold=hold)
    assert (customer.balances, customer.supply_taken) == ({"redeemed": 200}, {"stock/mug": 2})
    assert_order_invariants(customer)


def test_the_last_code_goes_from_a_lapsed_hold_to_the_order_that_lets_it_go() -> None:
    customer = rich()
    customer.hold(NOON, "film")
    assert customer.place(LATER, "film").code == "f-1"
    assert customer.balances == {"available": 50, "redeemed": 100}


@pytest.mark.parametrize("about", [{"key": "mug"}, {"points": 100}])
def test_points_whose_lot_expires_while_they_are_held_still_pay_for_their_order(about: dict[str, Any]) -> None:
    customer = OrderScenario(catalogue_programme(reward("mug", 100, stock=1), expiry=ExpiryPolicy(days=10)))
    customer.must(customer.enrolment(NOON), NOON)
    customer.earn(NOON, 130)
    hold = customer.hold("2024-03-11 23:58", **about)
    order = customer.place("2024-03-12 00:01", "mug", hold=hold)
    assert (order.points, customer.balances) == (100, {"redeemed": 100, "expired": 30})
    assert_member_invariants(customer)


def test_points_whose_lot_expires_while_they_are_held_expire_when_they_are_let_go() -> None:
    customer = OrderScenario(
        catalogue_programme(reward("mug", 100), expiry=ExpiryPolicy(days=10), returned_points_grace_days=30)
    )
    customer.must(customer.enrolment(NOON), NOON)
    bought = customer.earn(NOON, 130)
    customer.hold("2024-03-11 23:58", "mug")
    customer.settle("2024-03-12 00:00")
    assert customer.balances == {"held": 100, "expired": 30}
    customer.settle("2024-03-12 00:03")
    assert customer.balances == {"expired": 130}
    assert [entry.kind for entry in customer.records[-1].entries] == [EntryKind.RELEASE, EntryKind.EXPIRE]
    customer.refund("2024-03-12 12:00", bought)
    assert customer.balances == {}


@pytest.mark.parametrize("policy", SpentPointsPolicy)
@pytest.mark.parametrize("released_first", [True, False])
@pytest.mark.parametrize("lapses", [True, False])
def test_a_refund_and_the_end_of_a_hold_end_alike_in_both_orders(
    policy: SpentPointsPolicy, released_first: bool, lapses: bool
) -> None:
    customer = OrderScenario(catalogue_programme(spent_points=policy))
    customer.must(customer.enrolment(NOON), NOON)
    bought = customer.earn(NOON, 100)
    hold = customer.hold(NOON, points=70)

    def let_go() -> None:
        if lapses:
            customer.settle(LATER)
        else:
            customer.must(customer.releasing(hold), LATER if released_first else SOON)

    if released_first and not lapses:
        customer.must(customer.releasing(hold), SOON)
    elif released_first:
        let_go()
    customer.refund(LATER if lapses and released_first else SOON, bought)
    if not released_first:
        let_go()
    assert (customer.balances, customer.lots, customer.now.open_write_offs) == ({}, [], ())
    assert_member_invariants(customer)


def test_what_cannot_be_held_is_refused() -> None:
    customer = rich()
    wrong: list[tuple[Any, tuple[str, str, tuple[str, ...]]]] = [
        (customer.holding("mug", ttl=0), ("INVALID", "hold_ttl", ("ttlSeconds",))),
        (customer.holding("mug", ttl=3601), ("INVALID", "hold_ttl", ("ttlSeconds",))),
        (customer.holding(), ("INVALID", "hold_nothing", ("points",))),
        (customer.holding(points=0), ("INVALID", "hold_points", ("points",))),
        (customer.holding("mug", points=-1), ("INVALID", "hold_points", ("points",))),
        (customer.holding("cup"), ("NOT_FOUND", "reward_not_found", ("reward",))),
        (customer.holding(points=151), ("INSUFFICIENT_POINTS", "insufficient_points", ("points",))),
        (customer.releasing("nothing"), ("NOT_FOUND", "hold_not_found", ("hold",))),
    ]
    for command, expected in wrong:
        assert refusal_of(customer, command) == expected
    poor = rich(points=99)
    assert refusal_of(poor, poor.holding("mug")) == ("INSUFFICIENT_POINTS", "insufficient_points", ("reward",))
    customer.place(NOON, "pen")
    assert refusal_of(customer, customer.holding("pen"))[:2] == ("LIMIT_REACHED", "reward_limit")
    customer.hold(NOON, "mug", points=0)
    assert refusal_of(customer, customer.holding("mug", points=0))[:2] == ("OUT_OF_STOCK", "out_of_stock")


def test_no_more_holds_than_the_limit_until_one_ends() -> None:
    customer = rich()
    holds = [customer.hold(NOON, points=1) for _ in range(HOLDS_MAX)]
    assert refusal_of(customer, customer.holding(points=1)) == ("LIMIT_REACHED", "holds_max", ("member",))
    assert len({*holds}) == HOLDS_MAX == 20
    customer.hold(LATER, points=1)
    assert (len(customer.now.holds), customer.now.expired_holds) == (1, tuple(holds))
    customer.settle("2024-03-01 12:10")
    assert len(customer.now.expired_holds) == EXPIRED_HOLDS_KEPT_MAX == 20
    assert refusal_of(customer, customer.releasing(holds[0]), "2024-03-01 12:10")[0] == "NOT_FOUND"
    assert refusal_of(customer, customer.releasing(holds[1]), "2024-03-01 12:10")[0] == "EXPIRED"


def test_an_order_out_of_a_hold_that_is_cancelled_gives_all_back() -> None:
    customer = rich()
    lots = customer.lots
    order = customer.place(SOON, "mug", hold=customer.hold(NOON, "mug"))
    assert customer.cancel(SOON, order).state is OrderState.CANCELLED
    assert (customer.balances, customer.supply_taken, customer.lots) == ({"available": 150}, {}, lots)


LIMITED = catalogue_programme(reward("pen", 10, stock=5, limit=Limit(2, LimitPeriod.DAY)), reward("cap", 10, stock=5))


def test_open_holds_and_orders_together_keep_to_the_limit() -> None:
    customer = rich(LIMITED)
    first, second = customer.hold(NOON, "pen"), customer.hold(NOON, "pen")
    over = ("LIMIT_REACHED", "reward_limit", ("reward",))
    assert refusal_of(customer, customer.holding("pen")) == over
    customer.hold(NOON, "cap")  # another reward has its own limit
    customer.place(NOON, "pen", hold=first)  # the hold becomes the order that it stood for
    assert refusal_of(customer, customer.holding("pen")) == over
    customer.must(customer.releasing(second), NOON)
    third = customer.hold(NOON, "pen")
    order = customer.place(NOON, "pen", hold=third)
    for command in (customer.holding("pen"), customer.ordering("pen")):
        assert refusal_of(customer, command) == over
    customer.cancel(NOON, order)
    customer.hold(NOON, "pen")
    assert_order_invariants(customer)


def test_a_hold_that_has_lapsed_no_longer_counts() -> None:
    customer = rich(LIMITED)
    customer.hold(NOON, "pen")
    customer.hold(NOON, "pen")
    assert refusal_of(customer, customer.holding("pen"), SOON)[1] == "reward_limit"
    customer.hold(LATER, "pen")


@given(steps=st.lists(st.sampled_from(["hold", "release", "lapse", "order held", "order", "cancel"]), max_size=25))
@property_settings(100)
def test_no_sequence_of_holds_takes_more_than_the_limit(steps: list[str]) -> None:
    customer = rich(LIMITED)
    at = moment(NOON)
    for step in steps:
        held = [one.id for one in customer.now.holds if one.reward == "pen"]
        placed = [one for one in customer.orders() if one.state is OrderState.PLACED]
        if step == "hold":
            customer.do(customer.holding("pen"), at)
        elif step == "release" and held:
            customer.do(customer.releasing(held[0]), at)
        elif step == "lapse":
            at += timedelta(minutes=5)
            customer.settle(at)
        elif step == "order held" and held:
            customer.do(customer.ordering("pen", hold=held[0]), at)
        elif step == "order":
            customer.do(customer.ordering("pen"), at)
        elif step == "cancel" and placed:
            customer.do(customer.cancelling(placed[0]), at)
        orders = [one for one in customer.orders() if one.state is OrderState.PLACED]
        held_now = [one for one in customer.now.holds if one.reward == "pen"]
        assert len(orders) <= 2
        # An order beside a hold is still an order of the member's own.
        assert len(held_now) <= 2
        assert customer.supply_taken.get("stock/pen", 0) == len(orders) + len(held_now)
        assert_order_invariants(customer)
