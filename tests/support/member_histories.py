"""Strategies for property tests: members with any history, produced by the real `decide()`."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.advance_order import AdvanceOrder, CancelOrder
from loyalty.commands.decide import decide
from loyalty.commands.enrol import Enrol
from loyalty.commands.hold import HoldPoints, ReleaseHold
from loyalty.commands.offer import ActivateOffer, RecordOfferViews, RedeemOffer
from loyalty.commands.place_order import PlaceOrder
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command
from loyalty.commands.settle import Settle
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.decision import Decision
from loyalty.model.event import Event, Purchase, PurchaseLine, RecordedEvent
from loyalty.model.ledger import Cause, Record
from loyalty.model.member import Member, Profile
from loyalty.model.offer import purchase_reference
from loyalty.model.order import Delivery, OrderState, Recipient
from loyalty.model.programme import Programme
from support.in_memory_supply import InMemorySupply

BEGIN = datetime(2026, 1, 5, 9, 30, 15, 123000, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)

_CONSENTS = st.builds(
    Consent,
    st.sampled_from(ConsentPurpose),
    st.none() | st.sampled_from(ContactChannel),
    st.booleans(),
    st.integers(0, 10**9).map(lambda seconds: BEGIN + timedelta(seconds=seconds)),
    st.sampled_from(Channel),
)


@dataclass
class MemberHistory:
    """One member since enrolment: every decision and every counted event."""

    programme: Programme
    decisions: list[Decision] = field(default_factory=list)
    counted: dict[str, RecordedEvent] = field(default_factory=dict)
    supply: InMemorySupply = field(default_factory=InMemorySupply)
    now: datetime = BEGIN

    @property
    def member(self) -> Member:
        return self.decisions[-1].member

    @property
    def records(self) -> Iterator[Record]:
        return (decision.record for decision in self.decisions)

    def decide(self, command: Command) -> None:
        """Decide a command and apply the decision unless it is refused."""
        member = self.member if self.decisions else None
        facts = self.supply.facts(command, member, self.programme)
        decision = decide(command, member, self.programme, self.now, facts)
        if not isinstance(decision, Decision):
            return
        self.supply.adopt(decision)
        self.decisions.append(decision)
        for counted in (decision.recorded_event, decision.amended_purchase):
            if counted is not None:
                self.counted[counted.event.key] = counted


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Return profiles with any of their fields filled in."""
    text = st.none() | TEXTS
    birth_date = st.none() | st.dates(date(1900, 1, 1), date(2026, 1, 1))
    consents = draw(st.lists(_CONSENTS, max_size=4, unique_by=lambda consent: consent.subject))
    first_name, last_name, email, phone = draw(text), draw(text), draw(text), draw(text)
    return Profile(
        "en",
        first_name,
        last_name,
        email,
        phone,
        draw(birth_date),
        consents=tuple(consents),
        nickname=draw(text),
        time_zone=draw(st.sampled_from([None, "Europe/Paris"])),
        preferred_contact=draw(st.none() | st.sampled_from(ContactChannel)),
        attributes=draw(st.dictionaries(st.sampled_from("ab"), st.booleans() | TEXTS, max_size=2)),
    )


@st.composite
def purchases(draw: st.DrawFn, currency: str) -> Purchase:
    """Return receipts with or without lines, discounts among them."""
    money = st.decimals("-5", "300", places=2)
    quantity = st.decimals("0", "9", places=3)
    line = st.builds(PurchaseLine, st.sampled_from("abc"), quantity, money, st.none() | TEXTS, st.just("Private"))
    lines = tuple(draw(st.lists(line, max_size=4)))
    return Purchase(max(Decimal(0), sum((line.amount for line in lines), draw(money))), currency, lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS.filter(lambda key: "\0" not in key), values),
    max_leaves=5,
)


@st.composite
def member_histories(draw: st.DrawFn, programme: Programme) -> MemberHistory:
    """Return histories of up to 16 commands: purchases, refunds, adjustments, offers, orders, holds, settlements."""
    history = MemberHistory(programme)
    for reward in programme.catalogue.rewards.values():
        if reward.pool is not None:
            history.supply.load(reward.pool, *(f"{reward.pool}-{number}" for number in range(3)))
    enrolment = Enrol(
        "member",
        number_from(7),
        draw(profiles()),
        draw(st.none() | TEXTS),
        Channel.STORE,
        None,
        BEGIN,
        Cause("enrol", "till", "till", "enrolment"),
    )
    history.decide(enrolment)
    rich = draw(st.booleans())
    if rich:
        history.decide(AdjustPoints(3000, Cause("adjust", "agent", "agent", "to begin with", "a gift")))
    for number in range(draw(st.integers(0, 16) | st.integers(8, 16))):
        history.now += timedelta(milliseconds=draw(st.integers(0, 600_000) | st.integers(0, 90 * 24 * 3600 * 1000)))
        shops = draw(st.booleans()) or (rich and draw(st.booleans()))
        history.decide((_shopping if shops else _command)(draw, history, f"key-{number}"))
    return history


def _shopping(draw: st.DrawFn, history: MemberHistory, key: str) -> Command:
    """Return a command on offers, rewards, orders or holds."""
    kind = draw(st.sampled_from(["order", "order", "step", "step", "hold", "release", "activate", "redeem", "note"]))
    catalogue, cause = history.programme.catalogue, Cause(kind, draw(st.sampled_from(["member", "agent"])), "till", key)
    channel = draw(st.sampled_from(Channel))
    offer = draw(st.sampled_from([*catalogue.offers]))
    reward = draw(st.sampled_from(sorted(catalogue.rewards.values(), key=lambda reward: reward.points)[:6])).key
    orders, holds = [*history.supply.orders], [hold.id for hold in history.member.holds]
    match kind:
        case "step" if orders:
            order, state = draw(st.sampled_from(orders)), draw(st.sampled_from(OrderState))
            if state is OrderState.CANCELLED:
                return CancelOrder(order, replace(cause, reason=draw(st.none() | TEXTS)))
            swap = reward if state is OrderState.EXCHANGED else None
            return AdvanceOrder(order, state, replace(cause, role="agent"), draw(st.none() | TEXTS), exchange_for=swap)
        case "release" if holds:
            return ReleaseHold(draw(st.sampled_from(holds)), cause)
        case "hold":
            held_reward = draw(st.none() | st.just(reward))
            return HoldPoints(
                held_reward, draw(st.none() | st.integers(0, 50)), draw(st.integers(1, 3600)), channel, cause
            )
        case "activate":
            return ActivateOffer(offer, channel, cause)
        case "redeem":
            bought = draw(st.none() | st.sampled_from([*history.counted.values()])) if history.counted else None
            purchase = purchase_reference("till", bought.event.key if bought else draw(TEXTS))
            return RedeemOffer(offer, purchase, channel, draw(st.none() | TEXTS), history.now, cause)
        case "note":
            return RecordOfferViews((offer,), draw(st.sampled_from([(), (offer,)])), cause)
    hold = draw(st.none() | st.sampled_from(holds)) if holds else None
    recipient = draw(st.none() | st.builds(Recipient, TEXTS, st.none() | TEXTS, st.none() | TEXTS, st.none() | TEXTS))
    delivery = draw(st.none() | st.builds(Delivery, TEXTS, TEXTS, TEXTS, TEXTS, st.just("FR"), st.none() | TEXTS))
    return PlaceOrder(reward, draw(st.sampled_from([1, 1, 2])), channel, cause, hold, recipient, None, delivery)


def _command(draw: st.DrawFn, history: MemberHistory, key: str) -> Command:
    kind = draw(st.sampled_from(["purchase", "purchase", "refund", "visit", "adjust", "settle"]))
    if kind == "adjust":
        return AdjustPoints(draw(st.integers(-50, 50)), Cause("adjust", "agent", "agent", key, draw(TEXTS)))
    if kind == "settle":
        return Settle(Cause("settle", "system", "system", ""))
    fields: dict[str, Any] = {
        "key": key,
        "sender": "till",
        "type": kind,
        "occurred_at": history.now - timedelta(hours=draw(st.integers(0, 100))),
        "channel": draw(st.sampled_from(Channel)),
        "store": draw(st.none() | TEXTS),
        "partner": draw(st.none() | TEXTS),
    }
    cause = Cause("event", "till", "till", key)
    if kind == "purchase":
        return RecordEvent(Event(**fields, purchase=draw(purchases(history.programme.currency))), cause)
    if kind == "visit":
        attributes = draw(st.dictionaries(TEXTS.filter(lambda name: "\0" not in name), JSON, max_size=3))
        return RecordEvent(Event(**fields, attributes=attributes), cause)
    bought = draw(st.sampled_from([*history.counted.values()])) if history.counted else None
    fields["refund_of"] = bought.event.key if bought else "nothing"
    sold = bought.event.purchase if bought else None
    if sold and draw(st.booleans()):
        part = draw(st.integers(1, 3))
        fields["purchase"] = replace(sold, total=sold.total / part, lines=sold.lines[: draw(st.integers(0, 1))])
    return RecordEvent(Event(**fields), cause)
