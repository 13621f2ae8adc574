"""One member in memory, changed only by the real `decide()`, and the invariants of every state."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.decide import decide
from loyalty.commands.enrol import Enrol
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command
from loyalty.commands.settle import Settle
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.event import (
    PURCHASE,
    REFUND,
    Event,
    Purchase,
    RecordedEvent,
)
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.ledger import IMPORTED, Account, Cause, Entry, Record, record_hash
from loyalty.model.member import Member, Profile
from loyalty.model.programme import (
    Programme,
    SpentPointsPolicy,
)
from loyalty.rules.ledger_proof import NO_CAPS, LedgerAudit, StableCaps
from loyalty.rules.refund_proof import RefundAudit, RefundedPurchase
from loyalty.rules.tier_proof import RunningProgramme, TierAudit
from support.builders import moment, receipt
from support.in_memory_supply import InMemorySupply

OPEN = ("issued", "available", "expired", "deducted", "written_off")


@dataclass(slots=True)
class MemberScenario:
    """One member since enrolment. Every step goes through `decide()`; a refusal changes nothing."""

    programme: Programme
    member: Member | None = None
    states: list[Member] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    counted: dict[str, RecordedEvent] = field(default_factory=dict)
    steps: int = 0
    supply: InMemorySupply = field(default_factory=InMemorySupply)

    def adopt(self, programme: Programme) -> None:
        """Continue under a changed programme, as its next version."""
        self.programme = replace(programme, version=self.programme.version + 1)

    @classmethod
    def of(
        cls, programme: Programme, *, enrolled: str = "2024-01-10 12:00", birth_date: date | None = None
    ) -> "MemberScenario":
        """Return the scenario of a member who has just enrolled."""
        scenario = cls(programme)
        scenario.must(scenario.enrolment(enrolled, birth_date=birth_date), scenario.at(enrolled))
        return scenario

    def at(self, when: str | datetime) -> datetime:
        """Return a moment, read in the programme's zone."""
        return moment(when, self.programme.zone) if isinstance(when, str) else when

    @property
    def now(self) -> Member:
        """The present member."""
        assert self.member is not None
        return self.member

    @property
    def points(self) -> tuple[int, ...]:
        """The balances of issued, available, expired, deducted and written off."""
        return tuple(self.now.balance(Account(name)) for name in OPEN)

    @property
    def lots(self) -> list[tuple[str, str | None, int]]:
        """The open lots: earned on, expires on, points."""
        return [
            (lot.key.earned_on.isoformat(), lot.key.expires_on.isoformat() if lot.key.expires_on else None, lot.points)
            for lot in self.now.lots
            if lot.points
        ]

    @property
    def tier(self) -> str:
        """The member's tier."""
        return self.now.tier_status.tier

    def standing(self) -> tuple[Any, ...]:
        """The member's tier, since when and until when."""
        return (self.now.tier_status.tier, self.now.tier_status.since, self.now.tier_status.guaranteed_until)

    def cause(self, operation: str, reason: str | None = None) -> Cause:
        """Return the next cause; its key is unique in the scenario."""
        self.steps += 1
        return Cause(operation, "service", "till", f"{operation}-{self.steps}", reason)

    def enrolment(self, when: str, *, birth_date: date | None = None, card: str | None = None) -> Enrol:
        """Return the command that enrols the member."""
        return Enrol(
            member="m-1",
            number=number_from(123456789),
            profile=Profile(locale="en", birth_date=birth_date),
            card=card,
            channel=Channel.APP,
            store=None,
            occurred_at=self.at(when),
            cause=self.cause("enrol"),
        )

    def event(
        self,
        kind: str,
        when: str | datetime,
        *,
        purchase: Purchase | None = None,
        refund_of: str | None = None,
        key: str | None = None,
        imported: bool = False,
        **fields: Any,
    ) -> RecordEvent:
        """Return the command that records or imports an event; a refund finds its purchase in `supply`."""
        cause = self.cause("event", IMPORTED if imported else None)
        event = Event(
            key=key or cause.key,
            sender="till",
            type=kind,
            occurred_at=self.at(when),
            channel=fields.pop("channel", Channel.STORE),
            purchase=purchase,
            refund_of=refund_of,
            **fields,
        )
        return RecordEvent(event, replace(cause, key=event.key))

    def do(self, command: Command, now: str | datetime) -> Decision | Refusal | NothingToSettle:
        """Decide a command; a decision becomes the member's state."""
        before = repr((self.member, self.programme.rules, self.counted, self.supply))
        facts = self.supply.facts(command, self.member, self.programme, now=self.at(now))
        outcome = decide(command, self.member, self.programme, self.at(now), facts)
        after = repr((self.member, self.programme.rules, self.counted, self.supply))
        assert after == before, "decide() changed what it was given"
        if isinstance(outcome, Decision):
            self.supply.adopt(outcome)
            self.member = outcome.member
            self.states.append(outcome.member)
            self.records.append(outcome.record)
            for counted in (outcome.recorded_event, outcome.amended_purchase):
                if counted is not None:
                    self.counted[counted.event.key] = counted
        return outcome

    def must(self, command: Command, now: str | datetime) -> Decision:
        """Decide a command; fail the test if it is refused."""
        outcome = self.do(command, now)
        assert isinstance(outcome, Decision), outcome
        return outcome

    def refused(self, command: Command, now: str | datetime) -> Refusal:
        """Decide a command; fail the test unless it is refused and changes nothing."""
        before, steps = self.member, (len(self.records), dict(self.counted))
        outcome = self.do(command, now)
        assert isinstance(outcome, Refusal), outcome
        assert self.member is before
        assert (len(self.records), self.counted) == steps
        return outcome

    def buy(
        self, when: str | datetime, bought: str | Purchase, *, now: str | datetime | None = None, **fields: Any
    ) -> Decision:
        """Record a purchase, given its total or its receipt."""
        purchase = receipt(bought, currency=self.programme.currency) if isinstance(bought, str) else bought
        return self.must(self.event(PURCHASE, when, purchase=purchase, **fields), now or when)

    def refund(
        self,
        when: str | datetime,
        key: str,
        back: str | Purchase | None = None,
        *,
        now: str | datetime | None = None,
        **fields: Any,
    ) -> Decision:
        """Record a refund of the purchase `key`: of a total, of lines, or of the rest."""
        purchase = receipt(back, currency=self.programme.currency) if isinstance(back, str) else back
        return self.must(self.event(REFUND, when, purchase=purchase, refund_of=key, **fields), now or when)

    def happen(self, kind: str, when: str | datetime, *, now: str | datetime | None = None, **fields: Any) -> Decision:
        """Record an event without a purchase."""
        return self.must(self.event(kind, when, **fields), now or when)

    def adjust(self, when: str | datetime, points: int) -> Decision:
        """Add points, or deduct them if negative."""
        return self.must(AdjustPoints(points, self.cause("adjust", "as agreed")), when)

    def settle(self, when: str | datetime) -> Decision | NothingToSettle:
        """Settle the member."""
        outcome = self.do(Settle(self.cause("settle")), when)
        assert not isinstance(outcome, Refusal)
        return outcome


def explanation_rows(why: Iterable[Explanation]) -> list[tuple[str, int, RuleOutcome]]:
    """Return explanations as rows."""
    return [(one.rule, one.points, one.reason) for one in why]


def posting_rows(entry: Entry) -> list[tuple[str, int]]:
    """Return the postings of an entry as rows of account and points."""
    return [(posting.account.value, posting.points) for posting in entry.postings]


def ledger_faults(
    records: Iterable[Record], member: Member, caps: StableCaps = NO_CAPS, counted: Iterable[RecordedEvent] = ()
) -> list[str]:
    """Return the faults between records and a snapshot; `counted` are the events with the days of refunds."""
    ledger = LedgerAudit(member.id, caps)
    for record in records:
        ledger.add(record)
    for event in counted:
        if event.event.type == REFUND:
            ledger.add_refund(event.version, event.earned_on)
    return ledger.faults(member)


def tier_faults(scenario: MemberScenario) -> list[str]:
    """Return what the member's tier should be instead, if its programme decided all its records."""
    audit = TierAudit()
    for record in scenario.records:
        audit.add(record)
    return audit.faults(scenario.now, RunningProgramme(scenario.programme, datetime.min.replace(tzinfo=UTC)))


def refund_faults(records: Iterable[Record], counted: Iterable[RecordedEvent]) -> list[str]:
    """Return the faults between what refunds reversed and the shares of purchases that were returned."""
    audit = RefundAudit()
    for record in records:
        audit.add_record(record)
    for one in counted:
        event = one.event
        if event.type == PURCHASE:
            is_old = one.returned is None
            audit.add_purchase(
                RefundedPurchase(event.sender, event.key, one.version, one.grants, one.shares_returned, is_old)
            )
        elif event.type == REFUND:
            audit.add_refund(event.sender, None, event.refund_of or "", one.version)
    return [*audit.faults()]


def assert_member_invariants(scenario: MemberScenario) -> None:
    """Assert the invariants of every member at any time."""
    member, record = scenario.now, scenario.records[-1]
    assert member.version == len(scenario.records) == record.version
    assert member.head_hash == record.hash == record_hash(record)
    assert record.previous_hash == (scenario.records[-2].hash if len(scenario.records) > 1 else "")
    balances = {account: member.balance(account) for account in Account}
    assert sum(balances.values()) == 0
    assert -balances[Account.ISSUED] == sum(points for account, points in balances.items() if account != Account.ISSUED)
    assert sum(lot.points for lot in member.lots) == max(0, member.available)
    assert all(lot.points >= 0 and lot.expired_points >= 0 for lot in member.lots)
    assert balances[Account.EXPIRED] >= sum(lot.expired_points for lot in member.lots)
    assert balances[Account.ISSUED] <= 0 <= balances[Account.DEDUCTED]
    assert balances[Account.WRITTEN_OFF] <= 0
    if scenario.programme.spent_points_policy is SpentPointsPolicy.WRITE_OFF:
        assert member.available >= 0
    assert all(points > 0 for points in member.qualifying_days.values())
    assert tier_faults(scenario) == []
    balance = scenario.states[-2].available if len(scenario.states) > 1 else 0
    for entry in record.entries:
        assert sum(posting.points for posting in entry.postings) == 0
        assert sum(posting.points for posting in entry.postings if posting.account is Account.AVAILABLE) == entry.points
        balance += entry.points
        assert entry.balance == balance
    assert balance == member.available
    assert ledger_faults(scenario.records, member) == []
    assert refund_faults(scenario.records, scenario.counted.values()) == []
