"""What comes back of orders and offers: never more than was taken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from support.clients.full_programme_client import FULL_PROGRAMME

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.advance_order import AdvanceOrder
from loyalty.commands.decide import decide
from loyalty.commands.decision_builder import BALANCE_MAX
from loyalty.commands.enrol import Enrol
from loyalty.commands.offer import RedeemOffer
from loyalty.commands.place_order import PlaceOrder
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import Event, Purchase, RecordedEvent
from loyalty.model.facts import Facts
from loyalty.model.ledger import Account, Cause
from loyalty.model.member import Member, Profile
from loyalty.model.offer import Offer, purchase_reference
from loyalty.model.order import Order, OrderState
from loyalty.model.programme import Programme
from loyalty.model.supply import CounterKey, CounterKind
from models.definitions.programme_file import read_programme

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
STOCK = CounterKey(CounterKind.STOCK, "bread")
BUDGET = CounterKey(CounterKind.BUDGET, "double")
USES = CounterKey(CounterKind.USES, "double")


class Desk:
    """One member and what was taken for it; every decision is expected to be made."""

    def __init__(self) -> None:
        self.programme = read_programme(FULL_PROGRAMME)
        self.member: Member | None = None
        self.orders: dict[str, Order] = {}
        self.taken = {STOCK: 0, BUDGET: 0, USES: 0}
        self.bought: RecordedEvent | None = None
        self.keys = 0
        profile, number = Profile("en"), number_from(1)
        self.act(
            Enrol,
            member="m",
            number=number,
            profile=profile,
            card=None,
            channel=Channel.APP,
            store=None,
            occurred_at=NOW,
        )
        self.act(AdjustPoints, points=1000)

    def act(self, command: Any, *, refunded: RecordedEvent | None = None, **fields: Any) -> Decision:
        self.keys += 1
        requested: Command = command(**fields, cause=Cause("act", "agent", "agent", str(self.keys), "a reason"))
        facts = Facts(counters=self.taken, orders=self.orders, purchase=refunded)
        decision = decide(requested, self.member, self.programme, NOW + timedelta(minutes=self.keys), facts)
        assert isinstance(decision, Decision), decision
        self.member = decision.member
        self.orders |= {order.id: order for order in decision.orders}
        for counter, pieces in decision.counter_changes.items():
            self.taken[counter] += pieces
            assert self.taken[counter] >= 0
        return decision

    def order(self, quantity: int = 1) -> Order:
        return self.act(PlaceOrder, reward="bread", quantity=quantity, channel=Channel.APP).orders[0]

    def advance(self, order: Order, state: OrderState, **about: Any) -> tuple[Order, ...]:
        return self.act(AdvanceOrder, order=order.id, state=state, **about).orders

    def with_offer(self, **about: Any) -> Programme:
        offer: Offer = replace(read_programme(FULL_PROGRAMME).catalogue.offers["double"], **about)
        programme = read_programme(FULL_PROGRAMME)
        programme.catalogue.upsert_offer(offer)
        return programme

    def buy(self) -> RecordedEvent:
        event = Event("basket", "till", "purchase", NOW, Channel.STORE, purchase=Purchase(Decimal(50), "USD", ()))
        counted = self.act(RecordEvent, event=event).recorded_event
        assert counted is not None
        return counted

    def refund(self, bought: RecordedEvent) -> Decision:
        event = Event("back", "till", "refund", NOW, Channel.STORE, refund_of="basket")
        return self.act(RecordEvent, event=event, refunded=bought)


def test_a_gift_that_was_exchanged_twice_costs_what_it_cost() -> None:
    desk = Desk()
    order = desk.order()
    for _ in range(3):
        desk.advance(order, OrderState.FULFILLED)
        by_state = {made.state: made for made in desk.advance(order, OrderState.EXCHANGED, exchange_for="bread")}
        order = by_state[OrderState.PLACED]
        assert order.points == 10
        assert desk.member is not None
        assert (desk.member.available, desk.member.balance(Account.REDEEMED)) == (990, 10)
    assert desk.taken[STOCK] == 1


def test_a_partial_return_leaves_the_order_in_the_state_that_it_was_in() -> None:
    desk = Desk()
    order = desk.order(3)
    for state in (OrderState.CONFIRMED, OrderState.PREPARING, OrderState.SHIPPED):
        desk.advance(order, state)
    [order] = desk.advance(order, OrderState.RETURNED, quantity=1)
    assert (order.state, order.returned) == (OrderState.SHIPPED, 1)
    desk.advance(order, OrderState.DELIVERED)
    desk.advance(order, OrderState.RETURN_REQUESTED)
    [order] = desk.advance(order, OrderState.RETURNED, quantity=1)
    assert (order.state, order.returned) == (OrderState.DELIVERED, 2)
    [order] = desk.advance(order, OrderState.RETURNED)
    assert (order.state, order.returned, desk.taken[STOCK]) == (OrderState.RETURNED, 3, 0)


def test_only_what_a_budget_was_charged_is_restored_to_it() -> None:
    for before, after in ((None, 5000), (5000, None), (5000, 5000)):
        desk = Desk()
        desk.programme = desk.with_offer(budget=before)
        redemption: dict[str, Any] = {"offer": "double", "channel": Channel.STORE, "store": None, "occurred_at": NOW}
        desk.act(RedeemOffer, purchase=purchase_reference("till", "basket"), **redemption)
        bought = desk.buy()
        counted = 50 if before is not None else 0
        assert ([one.charge for one in bought.consequences], desk.taken[BUDGET]) == ([counted], counted)
        desk.programme = desk.with_offer(budget=after)
        desk.refund(bought)
        assert desk.taken == {STOCK: 0, USES: 0, BUDGET: 0}


def test_what_an_offer_takes_off_counts_before_its_purchase_is_recorded() -> None:
    desk = Desk()
    five_off = CounterKey(CounterKind.BUDGET, "five-off")
    desk.taken |= {five_off: 0, CounterKey(CounterKind.USES, "five-off"): 0}
    redemption: dict[str, Any] = {"offer": "five-off", "channel": Channel.STORE, "store": None, "occurred_at": NOW}
    desk.act(RedeemOffer, purchase=purchase_reference("till", "basket"), **redemption)
    assert desk.taken[five_off] == 500
    bought = desk.buy()
    assert ([one.charge for one in bought.consequences], desk.taken[five_off]) == ([500], 500)
    # The budget is spent by who uses the offer first, whether or not their purchases are here.
    desk.taken[five_off] = 90_000
    requested = RedeemOffer(**redemption, purchase="till/other", cause=Cause("act", "till", "till", "late"))
    refused = decide(requested, desk.member, desk.programme, NOW, Facts(counters=desk.taken))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.reason) == (RefusalCode.LIMIT_REACHED, "offer_used_up")


def test_a_bonus_never_lifts_a_member_past_the_limit_of_points() -> None:
    desk = Desk()
    redemption: dict[str, Any] = {"offer": "double", "channel": Channel.STORE, "store": None, "occurred_at": NOW}
    desk.programme = desk.with_offer(budget=None)
    desk.act(RedeemOffer, purchase=purchase_reference("till", "basket"), **redemption)
    assert desk.member is not None
    desk.act(AdjustPoints, points=BALANCE_MAX - desk.member.lifetime_points - 50)
    event = Event("basket", "till", "purchase", NOW, Channel.STORE, purchase=Purchase(Decimal(50), "USD", ()))
    requested = RecordEvent(event, Cause("event", "till", "till", "basket"))
    refused = decide(requested, desk.member, desk.programme, NOW, Facts(counters=desk.taken))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.reason) == (RefusalCode.LIMIT_REACHED, "balance_limit")
