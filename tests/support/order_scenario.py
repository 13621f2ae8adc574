"""A member in memory who also orders, holds and uses offers, and the invariants of orders and holds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loyalty.commands.advance_order import AdvanceOrder, CancelOrder
from loyalty.commands.hold import HoldPoints, ReleaseHold
from loyalty.commands.offer import ActivateOffer, RedeemOffer
from loyalty.commands.place_order import PlaceOrder
from loyalty.kernel.channel import Channel
from loyalty.model.catalogue import Catalogue
from loyalty.model.decision import Decision
from loyalty.model.ledger import Account, Cause
from loyalty.model.offer import Offer, purchase_reference
from loyalty.model.order import Order, OrderState
from loyalty.model.programme import Programme
from loyalty.model.reward import InstantReward, Reward
from loyalty.model.supply import CounterKind
from support.builders import programme, tiers
from support.member_scenario import MemberScenario

BALANCES = ("available", "held", "redeemed", "expired", "deducted", "written_off")


def catalogue_programme(
    *rewards: Reward, offers: Iterable[Offer] = (), instants: Iterable[InstantReward] = (), **about: Any
) -> Programme:
    """Return a programme with a catalogue; gold members may order for relatives."""
    rules = about.pop("rules", ())
    made = programme(*rules, catalogue=Catalogue(offers, rewards, (), instants), **about)
    levels = tuple(replace(tier, may_order_for_relatives=tier.key == "gold") for tier in tiers(0, 100, 300))
    return replace(made, tiers=about.get("tiers", levels))


@dataclass(slots=True)
class OrderScenario(MemberScenario):
    """A scenario with offers, orders and holds. `copy_as` makes another member on the same supply."""

    def copy_as(self, name: str) -> "OrderScenario":
        """Return another member with the same points and the same supply."""
        assert self.member is not None
        return replace(self, member=replace(self.member, id=name), states=[], records=[], counted={})

    @property
    def balances(self) -> dict[str, int]:
        """The balances that are not 0, without `issued`."""
        return {name: self.now.balance(Account(name)) for name in BALANCES if self.now.balance(Account(name))}

    @property
    def supply_taken(self) -> dict[str, int]:
        """The counters of stocks, appointments, uses and budgets that are not 0."""
        return {f"{key.kind}/{key.key}": taken for key, taken in self.supply.taken.items() if taken}

    def orders(self) -> list[Order]:
        """The member's orders, oldest first."""
        return [order for order in self.supply.orders.values() if order.member == self.now.id]

    def order(self, decision: Decision | str) -> Order:
        """The present order of an id, or the first order of a decision."""
        return self.supply.orders[decision if isinstance(decision, str) else decision.orders[0].id]

    def by(self, operation: str, role: str = "member", reason: str | None = None) -> Cause:
        """Return the next cause."""
        return replace(self.cause(operation, reason), role=role, subject=role)

    def ordering(self, key: str = "mug", quantity: int = 1, *, role: str = "member", **about: Any) -> PlaceOrder:
        """Return the command that orders a reward."""
        fields: dict[str, Any] = {"channel": Channel.APP, **about}
        return PlaceOrder(key, quantity, cause=self.by("place-order", role), **fields)

    def place(self, when: str | datetime, key: str = "mug", quantity: int = 1, **about: Any) -> Order:
        """Order a reward."""
        return self.order(self.must(self.ordering(key, quantity, **about), when))

    def cancelling(self, order: Order | str, *, role: str = "member", reason: str | None = None) -> CancelOrder:
        """Return the command that cancels an order."""
        return CancelOrder(order if isinstance(order, str) else order.id, self.by("cancel-order", role, reason))

    def cancel(self, when: str | datetime, order: Order, **about: Any) -> Order:
        """Cancel an order."""
        self.must(self.cancelling(order, **about), when)
        return self.order(order.id)

    def advancing(self, order: Order | str, state: OrderState, *, role: str = "agent", **about: Any) -> AdvanceOrder:
        """Return the command that advances an order."""
        id_ = order if isinstance(order, str) else order.id
        return AdvanceOrder(id_, state, self.by("advance-order", role), **about)

    def advance(self, when: str | datetime, order: Order, *states: OrderState, **about: Any) -> Order:
        """Advance an order through `states`; `about` belongs to the last one."""
        for state in states:
            fields = about if state is states[-1] else {}
            self.must(self.advancing(order, state, **fields), when)
        return self.order(order.id)

    def deliver(self, when: str | datetime, order: Order) -> Order:
        """Advance a placed order until it is delivered."""
        steps = (OrderState.CONFIRMED, OrderState.PREPARING, OrderState.SHIPPED, OrderState.DELIVERED)
        return self.advance(when, order, *steps)

    def holding(
        self, key: str | None = None, points: int | None = None, ttl: int = 300, channel: Channel = Channel.APP
    ) -> HoldPoints:
        """Return the command that holds points or a reward."""
        return HoldPoints(key, points, ttl, channel, self.by("hold"))

    def hold(self, when: str | datetime, key: str | None = None, points: int | None = None, ttl: int = 300) -> str:
        """Hold points or a reward; return the hold's id."""
        decision = self.must(self.holding(key, points, ttl), when)
        assert decision.hold is not None
        return decision.hold.id

    def releasing(self, hold: str) -> ReleaseHold:
        """Return the command that releases a hold."""
        return ReleaseHold(hold, self.by("release-hold"))

    def activating(self, key: str, channel: Channel | None = Channel.APP) -> ActivateOffer:
        """Return the command that activates an offer."""
        return ActivateOffer(key, channel, self.by("activate"))

    def redeeming(
        self, key: str, when: str | datetime, *, purchase: str | None = None, sender: str = "till", **about: Any
    ) -> RedeemOffer:
        """Return the command that redeems an offer; `purchase` is the key of its purchase."""
        fields: dict[str, Any] = {"channel": Channel.STORE, "store": None, "occurred_at": self.at(when), **about}
        ref = purchase_reference(sender, purchase) if purchase is not None else None
        return RedeemOffer(key, ref, cause=self.by("redeem", "till"), **fields)

    def redeem(self, when: str | datetime, key: str, **about: Any) -> Decision:
        """Redeem an offer."""
        return self.must(self.redeeming(key, when, **about), when)

    def earn(self, when: str | datetime, points: int, **about: Any) -> str:
        """Earn points by a purchase; return its key."""
        decision = self.buy(when, str(points), **about)
        assert decision.recorded_event is not None
        return decision.recorded_event.event.key


def assert_order_invariants(customer: OrderScenario) -> None:
    """Assert the invariants between a member's points, orders and holds and the shared counters."""
    member = customer.now
    assert member.balance(Account.HELD) == sum(hold.points for hold in member.holds)
    out = sum(order.points - order.points_returned for order in customer.orders())
    assert member.balance(Account.REDEEMED) == out
    taken: dict[str, int] = {}
    for order in customer.orders():
        assert sum(points for _, points in order.lots) == order.points - order.points_returned
        for counter, pieces in order.took:
            taken[f"{counter.kind}/{counter.key}"] = taken.get(f"{counter.kind}/{counter.key}", 0) + pieces
    for hold in member.holds:
        assert sum(points for _, points in hold.lots) == hold.points
        for counter in hold.took:
            taken[f"{counter.kind}/{counter.key}"] = taken.get(f"{counter.kind}/{counter.key}", 0) + 1
    on_counters = {
        name: pieces
        for name, pieces in customer.supply_taken.items()
        if name.split("/")[0] in {CounterKind.STOCK, CounterKind.SLOT}
    }
    assert on_counters == {name: pieces for name, pieces in taken.items() if pieces}
    assert sum(points for _, points in member.open_write_offs) <= -member.balance(Account.WRITTEN_OFF)
