"""Programmes, events and stories for the tests of the domain: every state comes from the real `decide()`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.decide import decide
from loyalty.commands.enrol import Enrol
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command
from loyalty.commands.settle import Settle
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.kernel.period import CapPeriod, Expiry
from loyalty.kernel.refusal import Refusal
from loyalty.kernel.text import Text
from loyalty.model.decision import Decision, Unchanged
from loyalty.model.event import (
    BUILT_IN_EVENT_TYPES,
    OWN_EVENT_TYPES,
    PURCHASE,
    REFUND,
    CountedEvent,
    Event,
    Purchase,
    PurchaseLine,
)
from loyalty.model.explanation import Explanation, Reason
from loyalty.model.ledger import Account, Cause, Entry, Record, record_hash
from loyalty.model.member import Member, Profile
from loyalty.model.programme import (
    Cap,
    EarningRule,
    EventType,
    Programme,
    Qualification,
    QualificationKind,
    Rate,
    Rounding,
    SpentPoints,
    Tier,
)
from loyalty.rules.ledger_proof import NO_CAPS, Caps, Proof
from models.definitions.cel import CelExpression, CelLineCondition
from models.definitions.event_attributes import JsonSchemaCheck
from support.shared import Shared

PARIS = ZoneInfo("Europe/Paris")
NEVER = Expiry()
CALENDAR_YEAR = Qualification(QualificationKind.CALENDAR_YEAR)
ROLLING_YEAR = Qualification(QualificationKind.ROLLING, months=12)
LIFETIME = Qualification(QualificationKind.LIFETIME)
OPEN = ("issued", "available", "expired", "deducted", "written_off")


def thorough(examples: int) -> settings:
    """Return the settings of a property test: the same examples every time, no clock, nothing kept on disk."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def moment(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """Return the moment in UTC of a local time such as `2024-03-01 10:00`, or of one that carries its offset."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def text(words: str) -> Text:
    """Return a text in English."""
    return Text({"en": words}, "en")


def tiers(*thresholds: int) -> tuple[Tier, ...]:
    """Return tiers called base, silver, gold and platinum; by default at 0, 100 and 300."""
    names = ("base", "silver", "gold", "platinum")
    return tuple(Tier(names[rank], text(names[rank]), rank, threshold) for rank, threshold in enumerate(thresholds))


def per_euro(key: str = "basket", *, points: str = "1", per: str = "1", **changes: Any) -> EarningRule:
    """Return a rule that gives `points` for each `per` of money."""
    rounding = changes.pop("rounding", Rounding.DOWN)
    rate = Rate(Decimal(points), Decimal(per), rounding)
    return _rule(key, rate=rate, rounding=rounding, **changes)


def flat(key: str, points: str, **changes: Any) -> EarningRule:
    """Return a rule whose points are a CEL expression."""
    return _rule(key, points=CelExpression.over_event(points), **changes)


def _rule(key: str, *, when: str | None = None, lines: str | None = None, **changes: Any) -> EarningRule:
    return EarningRule(
        key=key,
        name=text(key),
        event=changes.pop("event", PURCHASE),
        condition=CelExpression.over_event(when) if when else None,
        lines=CelLineCondition(lines) if lines else None,
        **changes,
    )


def cap(points: int, period: CapPeriod = CapPeriod.DAY) -> Cap:
    """Return a cap."""
    return Cap(points, period)


def programme(
    *rules: EarningRule,
    thresholds: Sequence[int] = (0, 100, 300),
    qualification: Qualification = CALENDAR_YEAR,
    expiry: Expiry = NEVER,
    spent_points: SpentPoints = SpentPoints.NEGATIVE,
    zone: ZoneInfo = PARIS,
    currency: str = "EUR",
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Programme:
    """Return a programme; without rules, one that gives a point per euro."""
    declared = attributes or {}
    types = {
        key: EventType(key, None, JsonSchemaCheck(declared[key]) if key in declared else None)
        for key in (*BUILT_IN_EVENT_TYPES, *OWN_EVENT_TYPES, *declared)
    }
    return Programme(
        key="test",
        version=1,
        name="Test",
        currency=currency,
        locale="en",
        zone=zone,
        tiers=tiers(*thresholds),
        qualification=qualification,
        expiry=expiry,
        spent_points=spent_points,
        rules=tuple(sorted(rules or (per_euro(),), key=lambda rule: -rule.priority)),
        event_types=types,
        **more,
    )


def line(sku: str, amount: str, quantity: str = "1", *, category: str | None = None, brand: str | None = None) -> Any:
    """Return a receipt line."""
    return PurchaseLine(sku, Decimal(quantity), Decimal(amount), category, brand)


def receipt(total: str | None, *lines: PurchaseLine, currency: str = "EUR") -> Purchase:
    """Return a receipt; without a total, it is the sum of the lines."""
    paid = Decimal(total) if total is not None else sum((one.amount for one in lines), Decimal(0))
    return Purchase(paid, currency, lines)


@dataclass(slots=True)
class Story:
    """One member from its enrolment on. Every step goes through `decide()`; what is refused leaves all as it was."""

    programme: Programme
    member: Member | None = None
    states: list[Member] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    counted: dict[str, CountedEvent] = field(default_factory=dict)
    steps: int = 0
    shared: Shared = field(default_factory=Shared)

    def adopt(self, programme: Programme) -> None:
        """Go on under a changed programme, which is always a new version."""
        self.programme = replace(programme, version=self.programme.version + 1)

    @classmethod
    def of(cls, programme: Programme, *, enrolled: str = "2024-01-10 12:00", birth_date: date | None = None) -> "Story":
        """Return the story of somebody who has just enrolled."""
        story = cls(programme)
        story.must(story.enrolment(enrolled, birth_date=birth_date), story.at(enrolled))
        return story

    def at(self, when: str | datetime) -> datetime:
        """Return a moment, read in the programme's zone."""
        return moment(when, self.programme.zone) if isinstance(when, str) else when

    @property
    def now(self) -> Member:
        """The member as it stands."""
        assert self.member is not None
        return self.member

    @property
    def points(self) -> tuple[int, ...]:
        """What stands on issued, available, expired, deducted and written off."""
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
        return self.now.standing.tier

    def standing(self) -> tuple[Any, ...]:
        """The member's tier, since when and until when."""
        return (self.now.standing.tier, self.now.standing.since, self.now.standing.until)

    def cause(self, operation: str, reason: str | None = None) -> Cause:
        """Return the next cause; its key is unique in the story."""
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
        **told: Any,
    ) -> RecordEvent:
        """Return the command that records an event; a refund finds its purchase in `shared`."""
        cause = self.cause("event")
        event = Event(
            key=key or cause.key,
            sender="till",
            type=kind,
            occurred_at=self.at(when),
            channel=told.pop("channel", Channel.STORE),
            purchase=purchase,
            refund_of=refund_of,
            **told,
        )
        return RecordEvent(event, replace(cause, key=event.key))

    def do(self, command: Command, now: str | datetime) -> Decision | Refusal | Unchanged:
        """Decide, and let a decision become the member's state."""
        before = repr((self.member, self.programme.rules, self.counted, self.shared))
        facts = self.shared.facts(command, self.member, self.programme)
        outcome = decide(command, self.member, self.programme, self.at(now), facts)
        after = repr((self.member, self.programme.rules, self.counted, self.shared))
        assert after == before, "decide() changed what it was given"
        if isinstance(outcome, Decision):
            self.shared.adopt(outcome)
            self.member = outcome.member
            self.states.append(outcome.member)
            self.records.append(outcome.record)
            for counted in (outcome.counted, outcome.amended):
                if counted is not None:
                    self.counted[counted.event.key] = counted
        return outcome

    def must(self, command: Command, now: str | datetime) -> Decision:
        """Decide what must not be refused."""
        outcome = self.do(command, now)
        assert isinstance(outcome, Decision), outcome
        return outcome

    def refused(self, command: Command, now: str | datetime) -> Refusal:
        """Decide what must be refused, and see that nothing changed."""
        before, steps = self.member, (len(self.records), dict(self.counted))
        outcome = self.do(command, now)
        assert isinstance(outcome, Refusal), outcome
        assert self.member is before
        assert (len(self.records), self.counted) == steps
        return outcome

    def buy(
        self, when: str | datetime, bought: str | Purchase, *, now: str | datetime | None = None, **told: Any
    ) -> Decision:
        """Count a purchase, of a total or of a whole receipt."""
        purchase = receipt(bought, currency=self.programme.currency) if isinstance(bought, str) else bought
        return self.must(self.event(PURCHASE, when, purchase=purchase, **told), now or when)

    def refund(
        self,
        when: str | datetime,
        key: str,
        back: str | Purchase | None = None,
        *,
        now: str | datetime | None = None,
        **told: Any,
    ) -> Decision:
        """Count a refund of the purchase `key`: of a total, of lines, or of all that is left."""
        purchase = receipt(back, currency=self.programme.currency) if isinstance(back, str) else back
        return self.must(self.event(REFUND, when, purchase=purchase, refund_of=key, **told), now or when)

    def happen(self, kind: str, when: str | datetime, *, now: str | datetime | None = None, **told: Any) -> Decision:
        """Count an event without a purchase."""
        return self.must(self.event(kind, when, **told), now or when)

    def adjust(self, when: str | datetime, points: int) -> Decision:
        """Give points or take some away."""
        return self.must(AdjustPoints(points, self.cause("adjust", "as agreed")), when)

    def settle(self, when: str | datetime) -> Decision | Unchanged:
        """Do what time demands."""
        outcome = self.do(Settle(self.cause("settle")), when)
        assert not isinstance(outcome, Refusal)
        return outcome


def told(why: Iterable[Explanation]) -> list[tuple[str, int, Reason]]:
    """Return explanations as rows."""
    return [(one.rule, one.points, one.reason) for one in why]


def moved(entry: Entry) -> list[tuple[str, int]]:
    """Return what an entry moves: account and points."""
    return [(posting.account.value, posting.points) for posting in entry.postings]


def proof(
    records: Iterable[Record], member: Member, caps: Caps = NO_CAPS, counted: Iterable[CountedEvent] = ()
) -> list[str]:
    """Return what does not hold between records and a snapshot; `counted` are the events that say a refund's day."""
    ledger = Proof(member.id, caps)
    for record in records:
        ledger.add(record)
    for event in counted:
        if event.event.type == REFUND:
            ledger.add_refund(event.version, event.earned_on)
    return ledger.faults(member)


def caps_of(programme: Programme) -> Caps:
    """Return the caps of a programme that never had others."""
    periods = {rule.key: rule.cap.period for rule in programme.rules if rule.cap is not None}
    return Caps(programme.zone, periods, programme.version)


def laws(story: Story) -> None:
    """Assert what must hold for every member at any time."""
    member, record = story.now, story.records[-1]
    assert member.version == len(story.records) == record.version
    assert member.head == record.hash == record_hash(record)
    assert record.previous_hash == (story.records[-2].hash if len(story.records) > 1 else "")
    balances = {account: member.balance(account) for account in Account}
    assert sum(balances.values()) == 0
    assert -balances[Account.ISSUED] == sum(points for account, points in balances.items() if account != Account.ISSUED)
    assert sum(lot.points for lot in member.lots) == max(0, member.available)
    assert all(lot.points >= 0 and lot.expired >= 0 for lot in member.lots)
    assert balances[Account.EXPIRED] >= sum(lot.expired for lot in member.lots)
    assert balances[Account.ISSUED] <= 0 <= balances[Account.DEDUCTED]
    assert balances[Account.WRITTEN_OFF] <= 0
    if story.programme.spent_points is SpentPoints.WRITE_OFF:
        assert member.available >= 0
    assert all(points > 0 for points in member.qualifying.values())
    balance = story.states[-2].available if len(story.states) > 1 else 0
    for entry in record.entries:
        assert sum(posting.points for posting in entry.postings) == 0
        assert sum(posting.points for posting in entry.postings if posting.account is Account.AVAILABLE) == entry.points
        balance += entry.points
        assert entry.balance == balance
    assert balance == member.available
    assert proof(story.records, member) == []
