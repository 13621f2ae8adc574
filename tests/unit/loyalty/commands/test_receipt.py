"""Any order of typed purchases, tills and staff credits each receipt once, in memory."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from support.builders import moment, programme
from support.in_memory_supply import InMemorySupply
from support.member_scenario import MemberScenario
from support.property_settings import property_settings

from loyalty.commands.decide import decide
from loyalty.commands.decide_pending import DecidePending
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import Decision
from loyalty.model.event import OPEN_CLAIMS_MAX, ClaimState, Event, Purchase
from loyalty.model.ledger import Cause
from loyalty.model.member import Member

PROGRAMME = programme()
NOW = moment("2026-06-15 12:00")
WHO = ("ann", "ben")
Step = tuple[Literal["typed", "rung", "accepted", "refused", "later"], int, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["typed", "typed", "rung", "accepted", "refused", "later"]),
        st.integers(0, 1),
        st.integers(0, 3),
        st.sampled_from([5, 7]),
    ),
    max_size=40,
)


@dataclass
class Shop:
    """Two members, and everything that was recorded of them."""

    members: dict[str, Member] = field(default_factory=dict)
    supply: InMemorySupply = field(default_factory=InMemorySupply)
    now: int = 0
    keys: int = 0

    def __post_init__(self) -> None:
        member = MemberScenario.of(PROGRAMME).member
        assert member is not None
        self.members = {id_: replace(member, id=id_) for id_ in WHO}

    def run(self, command: Command, member: str) -> Decision | Refusal:
        facts = self.supply.facts(command, self.members[member], PROGRAMME)
        decision = decide(command, self.members[member], PROGRAMME, NOW + timedelta(days=self.now), facts)
        if isinstance(decision, Decision):
            self.members[member] = decision.member
            self.supply.adopt(decision)
            return decision
        assert isinstance(decision, Refusal)
        return decision

    def step(self, kind: str, member: str, receipt: int, total: int) -> Decision | Refusal | None:
        self.keys += 1
        if kind == "later":
            self.now += receipt
            return None
        if kind in {"accepted", "refused"}:
            claims = [one for one in self.supply.events.values() if one.member == member and one.claim is not None]
            if not claims:
                return None
            claimed = claims[receipt % len(claims)].event
            cause = Cause("decide-pending", "agent", "agent", f"key-{self.keys}", "seen")
            return self.run(DecidePending(claimed, kind == "accepted", cause), member)
        sender = "tablet" if kind == "typed" else "till"
        number = f"00-{receipt} " if receipt else None  # the first one states no receipt
        purchase = Purchase(Decimal(total), "EUR", receipt=number)
        event = Event(f"key-{self.keys}", sender, "purchase", NOW, Channel.STORE, "330", purchase=purchase)
        return self.run(RecordEvent(event, Cause("event", sender, sender, event.key), kind == "typed"), member)


@property_settings(200)
@given(STEPS)
def test_each_receipt_is_credited_once(steps: list[Step]) -> None:
    shop = Shop()
    for kind, who, receipt, total in steps:
        before = {id_: member.available for id_, member in shop.members.items()}
        decision = shop.step(kind, WHO[who], receipt, total)
        gained = {id_: member.available - before[id_] for id_, member in shop.members.items()}
        if kind in {"typed", "refused", "later"} or not isinstance(decision, Decision):
            assert set(gained.values()) == {0}
        else:
            assert gained[WHO[who]] in {5, 7}
    counted = [one for one in shop.supply.events.values() if one.is_counted]
    assert all(not one.grants for one in shop.supply.events.values() if not one.is_counted)
    receipts = [one.event.purchase.receipt for one in counted if one.event.purchase is not None]
    stated = [receipt for receipt in receipts if receipt is not None]
    assert len(stated) == len(set(stated))
    for id_, member in shop.members.items():
        own = [one for one in counted if one.member == id_]
        assert member.available == sum(int(one.event.purchase.total) for one in own if one.event.purchase is not None)
        assert member.event_counts.get("purchase", 0) == len(own)
        claims = [one.claim for one in shop.supply.events.values() if one.member == id_ and one.claim is not None]
        assert sum(claim.state is ClaimState.OPEN for claim in claims) <= OPEN_CLAIMS_MAX
