"""Any sequence of uses, purchases, refunds and releases leaves what the policy says: a model beside the real rules."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from support.builders import LIFETIME
from support.catalogue import instant, offer, reward
from support.member_scenario import assert_member_invariants
from support.order_scenario import OrderScenario, assert_order_invariants, catalogue_programme
from support.property_settings import property_settings

from loyalty.commands.offer import ReleaseOffer
from loyalty.kernel.channel import Channel
from loyalty.model.decision import Decision
from loyalty.model.offer import OfferKind, purchase_reference
from loyalty.model.order import OrderState

NOON, LATER = "2024-03-01 12:00", "2024-03-01 13:00"
OFFERS = (
    offer("gift", OfferKind.GIFT, reward="mug", restores_use_on_refund=True, uses_per_member_max=2),
    offer(
        "double",
        OfferKind.MULTIPLIER,
        factor=Decimal(2),
        restores_use_on_refund=True,
        uses_per_member_max=None,
        qualifying=True,
    ),
    offer(
        "bonus", OfferKind.BONUS_POINTS, points=50, restores_use_on_refund=True, uses_per_member_max=None, budget=120
    ),
    offer("five", OfferKind.AMOUNT_OFF, amount=Decimal(5), uses_per_member_max=3, budget=100_000),
)
MINIMUM, PART = 20, 10
BUDGETED = {"bonus": 120, "five": 100_000}


@dataclass
class Use:
    """A use that counts: what it was charged, its gift, and whether that was handed over."""

    charge: int = 0
    order: str | None = None
    is_gone: bool = False


@dataclass
class Sale:
    """A purchase: how much of it was not returned, its uses, and its instant reward."""

    left: int
    uses: dict[str, Use]
    instant: Use | None = None
    is_returned: bool = False

    @property
    def qualifying(self) -> int:
        return self.left * (2 if "double" in self.uses else 1)


@dataclass
class Policy:
    """What the policy says should be there, worked out apart from the code that decides."""

    waiting: dict[str, dict[str, Use]] = field(default_factory=dict)
    sales: dict[str, Sale] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)

    def counted(self, key: str) -> list[Use]:
        places = [*self.waiting.values(), *(sale.uses for sale in self.sales.values())]
        return [uses_[key] for uses_ in places if key in uses_]

    def budget(self, key: str) -> int:
        return sum(use.charge for use in self.counted(key))

    def bonus(self) -> int:
        return min(50, BUDGETED["bonus"] - self.budget("bonus"))

    def may_use(self, key: str, purchase: str, uses_max: int | None) -> bool:
        if uses_max is not None and len(self.counted(key)) >= uses_max:
            return False
        if key in BUDGETED and self.budget(key) >= BUDGETED[key]:
            return False
        sale = self.sales.get(purchase)
        taken = sale.uses if sale is not None else self.waiting.get(purchase, {})
        return key not in taken and (sale is None or not sale.is_returned)

    def use(self, key: str, purchase: str, order: str | None) -> None:
        sale = self.sales.get(purchase)
        if key == "double" and sale is not None and not sale.left:
            return
        charge = 500 if key == "five" else self.bonus() if key == "bonus" and sale is not None else 0
        place = sale.uses if sale is not None else self.waiting.setdefault(purchase, {})
        place[key] = Use(charge, order)

    def buy(self, purchase: str, total: int, instant_order: str | None) -> None:
        sale = self.sales[purchase] = Sale(total, {}, Use(order=instant_order) if instant_order else None)
        for key, use in self.waiting.pop(purchase, {}).items():
            if key == "bonus":
                use.charge = self.bonus()
            if (key == "double" and not total) or (key == "bonus" and not use.charge):
                continue
            sale.uses[key] = use

    def undo(self, uses_: dict[str, Use], key: str, *, restores: bool) -> None:
        use = uses_[key]
        if use.is_gone:
            return
        if use.order is not None:
            self.cancelled.add(use.order)
        if restores:
            del uses_[key]

    def refund(self, purchase: str, part: int | None = None) -> None:
        sale = self.sales[purchase]
        sale.is_returned = part is None
        sale.left = sale.left - part if part is not None else 0
        for key in [*sale.uses] if sale.is_returned else []:
            self.undo(sale.uses, key, restores=key != "five")
        instant_ = sale.instant
        if instant_ is not None and instant_.order is not None and sale.left < MINIMUM and not instant_.is_gone:
            self.cancelled.add(instant_.order)
            sale.instant = None

    def uses_of_orders(self) -> dict[str, Use]:
        every = [use for uses_ in self.waiting.values() for use in uses_.values()]
        for sale in self.sales.values():
            every += [*sale.uses.values(), *([sale.instant] if sale.instant is not None else [])]
        return {use.order: use for use in every if use.order is not None}


class Shopper:
    """A member, changed by the real rules, beside what the policy says."""

    def __init__(self) -> None:
        programme = catalogue_programme(
            reward("mug", 100), offers=OFFERS, instants=[instant("big", "mug", f"{MINIMUM}.00")], qualification=LIFETIME
        )
        self.customer, self.policy = OrderScenario(programme), Policy()
        self.customer.must(self.customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
        self.uses_max = {one.key: one.uses_per_member_max for one in OFFERS}

    def redeem(self, key: str, purchase: str) -> None:
        outcome = self.customer.do(self.customer.redeeming(key, NOON, purchase=purchase), NOON)
        assert isinstance(outcome, Decision) is self.policy.may_use(key, purchase, self.uses_max[key]), outcome
        if isinstance(outcome, Decision):
            self.policy.use(key, purchase, outcome.orders[0].id if outcome.orders else None)

    def buy(self, purchase: str, total: int) -> None:
        if purchase in self.policy.sales:
            return
        decision = self.customer.buy(NOON, str(total), key=purchase)
        granted = next((order.id for order in decision.orders if order.origin == "instant/big"), None)
        assert (granted is not None) is (total >= MINIMUM)
        self.policy.buy(purchase, total, granted)

    def refund(self, purchase: str, part: int | None = None) -> None:
        sale = self.policy.sales.get(purchase)
        if sale is None or sale.is_returned or (part is not None and part >= sale.left):
            return
        self.customer.refund(LATER, purchase, str(part) if part is not None else None)
        self.policy.refund(purchase, part)

    def release(self, key: str, purchase: str) -> None:
        waiting = self.policy.waiting.get(purchase, {})
        cause = self.customer.by("release-offer", "till")
        command = ReleaseOffer(key, purchase_reference("till", purchase), Channel.STORE, cause)
        outcome = self.customer.do(command, LATER)
        assert isinstance(outcome, Decision) is (key in waiting and not waiting[key].is_gone), outcome
        if isinstance(outcome, Decision):
            self.policy.undo(waiting, key, restores=True)

    def hand_over(self) -> None:
        placed = [order for order in self.customer.orders() if order.state is OrderState.PLACED]
        if placed:
            self.customer.advance(NOON, placed[0], OrderState.FULFILLED)
            self.policy.uses_of_orders()[placed[0].id].is_gone = True

    def step(self, kind: str, key: str, purchase: str, total: int) -> None:
        match kind:
            case "redeem":
                self.redeem(key, purchase)
            case "buy":
                self.buy(purchase, total)
            case "refund":
                self.refund(purchase)
            case "refund part":
                self.refund(purchase, PART)
            case "release":
                self.release(key, purchase)
            case _:
                self.hand_over()

    def check(self) -> None:
        customer, policy = self.customer, self.policy
        stored = {one.key: customer.now.offer_use(one.key).uses for one in OFFERS}
        taken = {one.key: customer.supply_taken.get(f"uses/{one.key}", 0) for one in OFFERS}
        assert stored == taken == {one.key: len(policy.counted(one.key)) for one in OFFERS}
        budgets = {one.key: customer.supply_taken.get(f"budget/{one.key}", 0) for one in OFFERS}
        assert budgets == {one.key: policy.budget(one.key) for one in OFFERS}
        cancelled = {order.id for order in customer.orders() if order.state is OrderState.CANCELLED}
        assert cancelled == policy.cancelled
        qualifying = sum(sale.qualifying for sale in policy.sales.values())
        assert customer.tier == ("gold" if qualifying >= 300 else "silver" if qualifying >= 100 else "base")
        assert_member_invariants(customer)
        assert_order_invariants(customer)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["redeem"] * 3 + ["buy"] * 2 + ["refund", "refund part", "release", "hand over"]),
        st.sampled_from([one.key for one in OFFERS]),
        st.sampled_from([f"basket-{place}" for place in range(4)]),
        st.sampled_from([0, 10, 30, 120]),  # what it costs
    ),
    max_size=30,
)


@given(steps=STEPS)
@property_settings(200)
def test_any_sequence_leaves_uses_budgets_gifts_and_tier_as_the_policy_says(
    steps: list[tuple[str, str, str, int]],
) -> None:
    shopper = Shopper()
    for kind, key, purchase, total in steps:
        shopper.step(kind, key, purchase, total)
        shopper.check()
