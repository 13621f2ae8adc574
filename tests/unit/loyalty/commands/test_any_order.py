"""Whatever comes in whatever order: points are conserved, and everything ends alike."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.builders import NEVER, moment, receipt
from support.catalogue import reward
from support.member_scenario import assert_member_invariants
from support.order_scenario import OrderScenario, assert_order_invariants, catalogue_programme
from support.property_settings import property_settings

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.advance_order import AdvanceOrder
from loyalty.commands.registry import Command
from loyalty.commands.settle import Settle
from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.event import PURCHASE, REFUND
from loyalty.model.ledger import Account, EntryKind
from loyalty.model.order import FINAL_STATES, TRANSITIONS, OrderState
from loyalty.model.programme import Programme, SpentPointsPolicy
from loyalty.model.reward import Limit, RewardKind
from loyalty.model.supply import CodeState
from loyalty.rules.ledger_proof import rewind

REWARDS = (
    reward("mug", 70, stock=6),
    reward("pen", 7, limit=Limit(2, LimitPeriod.DAY)),
    reward("film", 90, RewardKind.DIGITAL_CODE, pool="films"),
    reward("kit", 40, pool="films", stock=4),
    reward("meal", 30, RewardKind.DONATION),
)
KEYS = st.sampled_from([reward.key for reward in REWARDS])
WORLDS = {
    (policy, expiry.days, grace): catalogue_programme(
        *REWARDS, spent_points=policy, expiry=expiry, returned_points_grace_days=grace
    )
    for policy in SpentPointsPolicy
    for expiry, grace in ((NEVER, 0), (ExpiryPolicy(days=3), 0), (ExpiryPolicy(days=3), 2))
}
# Minutes that pass before a step.
SOON = st.sampled_from([0, 0, 1, 10])
LATER = st.sampled_from([0, 0, 1, 7, 60, 24 * 60, 2 * 24 * 60, 5 * 24 * 60])
PLACES = st.integers(0, 7)
SHARES = st.sampled_from(["0.25", "0.5", "1", "1", "1"])

SPENT_AND_REFUNDED: list[tuple[Any, ...]] = [("earn", 0, 75), ("order", 0, "mug", 1, None), ("refund", 0, 0, "1")]


def steps(passing: st.SearchStrategy[int], *, corrections: bool) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Return whatever may happen to somebody who buys and orders, each step after some minutes."""
    kinds = [
        st.tuples(st.just("earn"), passing, st.integers(0, 200)),
        st.tuples(st.just("refund"), passing, PLACES, SHARES),
        st.tuples(st.just("order"), passing, KEYS, st.integers(1, 3), st.none() | PLACES),
        st.tuples(st.just("cancel"), passing, PLACES),
        st.tuples(st.just("return"), passing, PLACES, st.none() | st.integers(1, 2)),
        st.tuples(st.just("exchange"), passing, PLACES, KEYS),
        st.tuples(st.just("hold"), passing, st.none() | KEYS, st.none() | st.integers(0, 90), st.integers(1, 600)),
        st.tuples(st.just("release"), passing, PLACES),
        st.tuples(st.just("lapse"), passing),
    ]
    if corrections:
        kinds.append(st.tuples(st.just("adjust"), passing, st.integers(-80, 80).filter(bool)))
    begin = st.sampled_from([[], SPENT_AND_REFUNDED, [*SPENT_AND_REFUNDED, ("earn", 0, 200)]])
    return st.builds(list.__add__, begin, st.lists(st.one_of(kinds), max_size=16))


def command_of(customer: OrderScenario, step: tuple[Any, ...], now: datetime) -> Command | None:
    """Return the command of a step; None where there is nothing that it could be about."""
    orders, holds = customer.orders(), customer.now.holds
    bought = [key for key, counted in customer.counted.items() if counted.event.type == PURCHASE]
    match step[0], step[2:]:
        case "earn", (euros,):
            return customer.event(PURCHASE, now, purchase=receipt(str(euros)))
        case "refund", (place, share) if bought:
            key = bought[place % len(bought)]
            sold = customer.counted[key].event.purchase
            assert sold is not None
            back = None if share == "1" else receipt(str((sold.total * Decimal(share)).quantize(Decimal("0.01"))))
            return customer.event(REFUND, now, purchase=back, refund_of=key)
        case "order", (key, quantity, place):
            hold = holds[place % len(holds)].id if place is not None and holds else None
            return customer.ordering(key, quantity, hold=hold)
        case "cancel", (place,) if orders:
            return customer.cancelling(orders[place % len(orders)])
        case "return", (place, pieces) if orders:
            return customer.advancing(orders[place % len(orders)], OrderState.RETURNED, quantity=pieces)
        case "exchange", (place, key) if orders:
            return customer.advancing(orders[place % len(orders)], OrderState.EXCHANGED, exchange_for=key)
        case "hold", (key, points, ttl):
            return customer.holding(key, points, ttl)
        case "release", (place,) if holds:
            return customer.releasing(holds[place % len(holds)].id)
        case "adjust", (points,):
            return AdjustPoints(points, customer.cause("adjust", "why"))
    return Settle(customer.cause("settle")) if step[0] == "lapse" else None


def delivered(customer: OrderScenario, order: str, now: datetime) -> None:
    """Move an order on as far as it goes by itself, so that it can come back."""
    path = (OrderState.CONFIRMED, OrderState.PREPARING, OrderState.SHIPPED, OrderState.DELIVERED)
    for state in path:
        if state in TRANSITIONS[customer.order(order).state]:
            customer.must(customer.advancing(order, state), now)


def lived(programme: Programme, history: list[tuple[Any, ...]]) -> tuple[OrderScenario, datetime]:
    """Apply the allowed steps of a history to a new member; return its scenario and the time at the end."""
    customer = OrderScenario(programme)
    customer.supply.load("films", "f-1", "f-2", "f-3")
    now = moment("2024-03-01 10:00")
    customer.must(customer.enrolment("2024-03-01 10:00"), now)
    for step in history:
        now += timedelta(minutes=step[1])
        command = command_of(customer, step, now)
        if command is None:
            continue
        if isinstance(command, AdvanceOrder):
            delivered(customer, command.order, now)
        before, shared = customer.now, repr(customer.supply)
        outcome = customer.do(command, now)
        if isinstance(outcome, Refusal | NothingToSettle):
            assert customer.now is before
            assert repr(customer.supply) == shared
            continue
        assert_member_invariants(customer)
        assert_order_invariants(customer)
        code_laws(customer)
        assert isinstance(customer.settle(now), NothingToSettle)
    return customer, now


def code_laws(customer: OrderScenario) -> None:
    """Assert that each code is in one place, and that one which somebody has seen is never free again."""
    out = [order.code for order in customer.orders() if order.code is not None and order.state not in FINAL_STATES]
    held = [hold.code for hold in customer.now.holds if hold.code is not None]
    assert len({*out, *held}) == len(out) + len(held)
    shown = {order.code for order in customer.orders() if order.code is not None and order.code_is_revealed}
    for (_, code), state in customer.supply.codes.items():
        assert (state is CodeState.ISSUED) == (code in out)
        assert (state is CodeState.HELD) == (code in held)
        assert not (state is CodeState.FREE and code in shown)


@given(world=st.sampled_from([*WORLDS]), history=steps(LATER, corrections=True))
@property_settings(150)
def test_purchases_orders_holds_and_their_reversals_conserve_points(
    world: tuple[SpentPointsPolicy, int, int], history: list[tuple[Any, ...]]
) -> None:
    customer, _ = lived(WORLDS[world], history)
    member = customer.now
    for record, earlier in zip(reversed(customer.records[1:]), reversed(customer.states[:-1]), strict=True):
        member = rewind(member, record, earlier.tier_status)
        assert (member.version, member.head_hash, member.tier_status) == (
            earlier.version,
            earlier.head_hash,
            earlier.tier_status,
        )
        assert all(member.balance(account) == earlier.balance(account) for account in Account)
        ours, theirs = ([(lot.key, lot.points) for lot in one.lots if lot.points] for one in (member, earlier))
        assert ours == theirs


def unwound(customer: OrderScenario, now: datetime) -> None:
    """Let every hold go and take every order back."""
    customer.settle(now)
    for hold in customer.now.holds:
        customer.must(customer.releasing(hold.id), now)
    for order in customer.orders():
        if order.state in FINAL_STATES:
            continue
        if OrderState.CANCELLED in TRANSITIONS[order.state]:
            customer.cancel(now, order, role="agent")
        else:
            customer.advance(now, order, OrderState.RETURNED)


@given(policy=st.sampled_from(SpentPointsPolicy), history=steps(SOON, corrections=False))
@property_settings(150)
def test_once_every_order_is_reversed_the_points_of_kept_purchases_are_left(
    policy: SpentPointsPolicy, history: list[tuple[Any, ...]]
) -> None:
    customer, now = lived(WORLDS[policy, 0, 0], history)
    unwound(customer, now)
    assert_order_invariants(customer)
    kept = sum(
        sum(entry.points for entry in record.entries if entry.kind is EntryKind.EARN) for record in customer.records
    ) + sum(
        posting.points * -1
        for record in customer.records
        for entry in record.entries
        if entry.kind is EntryKind.REVERSE and entry.label == "event"
        for posting in entry.postings
        if posting.account is Account.ISSUED
    )
    assert customer.balances == ({"available": kept} if kept else {})
    assert customer.now.open_write_offs == ()
    assert customer.supply_taken == {}


@given(
    policy=st.sampled_from(SpentPointsPolicy),
    history=steps(SOON, corrections=False),
    last=st.randoms(use_true_random=False),
)
@property_settings(100)
def test_orders_may_be_reversed_in_any_order(
    policy: SpentPointsPolicy, history: list[tuple[Any, ...]], last: Any
) -> None:
    customer, now = lived(WORLDS[policy, 0, 0], history)
    for hold in customer.now.holds:
        customer.do(customer.releasing(hold.id), now)
    customer.settle(now)
    back = [order for order in customer.orders() if order.state not in FINAL_STATES]
    ends = []
    for _ in range(2):
        other = OrderScenario(
            customer.programme, customer.now, [*customer.states], [*customer.records], dict(customer.counted)
        )
        other.supply = replace(
            customer.supply,
            taken=customer.supply.taken.copy(),
            codes=dict(customer.supply.codes),
            orders=dict(customer.supply.orders),
        )
        for order in back:
            cancels = OrderState.CANCELLED in TRANSITIONS[order.state]
            if cancels:
                other.cancel(now, order, role="agent")
            else:
                other.advance(now, order, OrderState.RETURNED)
        ends.append((other.balances, other.supply_taken, other.now.order_counts, other.now.open_write_offs))
        last.shuffle(back)
    assert ends[0] == ends[1]


@given(policy=st.sampled_from(SpentPointsPolicy), history=steps(SOON, corrections=True), key=KEYS)
@property_settings(100)
def test_an_order_or_a_hold_that_is_reversed_at_once_leaves_the_state_unchanged(
    policy: SpentPointsPolicy, history: list[tuple[Any, ...]], key: str
) -> None:
    customer, now = lived(WORLDS[policy, 0, 0], history)
    customer.settle(now)
    before = (
        customer.balances,
        customer.lots,
        customer.supply_taken,
        customer.now.order_counts,
        customer.now.open_write_offs,
    )
    held = customer.do(customer.holding(key), now)
    if not isinstance(held, Refusal):
        customer.must(customer.releasing(customer.now.holds[-1].id), now)
    placed = customer.do(customer.ordering(key), now)
    if isinstance(placed, Decision):
        order = customer.order(placed)
        if order.state is OrderState.PLACED:
            customer.cancel(now, order)
        else:
            customer.advance(now, order, OrderState.RETURNED)
    after = (
        customer.balances,
        customer.lots,
        customer.supply_taken,
        customer.now.order_counts,
        customer.now.open_write_offs,
    )
    assert after == before
