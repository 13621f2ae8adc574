"""A decision in the making: the entries and the state that they lead to, kept in step.

A draft begins by doing what time demands (expired lots, the end of a tier's period), so every decision starts from a
settled member.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from loyalty.calendar import cap_span, day_of, end_of, expiry_day
from loyalty.decision import Decision
from loyalty.earning import Earned, without_old_spans
from loyalty.event import Channel, CountedEvent, Event
from loyalty.explanation import Explanation, Reason
from loyalty.ledger import Account, Cause, Entry, EntryKind, LotKey, Posting, Record, record_hash
from loyalty.lot import EXPIRED_LOT_KEPT_DAYS, overdue, spend, with_points, without_forgotten
from loyalty.member import Member
from loyalty.programme import Programme, SpentPoints
from loyalty.refund import TakenBack
from loyalty.tier import LIFETIME_BUCKET, keep_days, restand

BALANCE_MAX = 2_147_483_647
REFUND_RULE = "refund"


class Draft:
    """The next version of one member. Not shared, not kept: made, filled and closed within one decision."""

    def __init__(self, member: Member, programme: Programme, now: datetime) -> None:
        self.programme = programme
        self.now = now
        self.today = day_of(now, programme.zone)
        self.entries: list[Entry] = []
        self.qualified: dict[date, int] = {}
        self.version = member.version + 1
        self._before = member
        self.member = member
        self._expire_overdue()
        # Without new points a tier changes only where its period is over, or where the programme changed.
        is_over = member.standing.until is not None and member.standing.until <= now
        if is_over or member.programme_version != programme.version:
            self._restand()

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.entries) or self.member.standing != self._before.standing

    def earn(self, event: Event, earned: Earned) -> CountedEvent:
        """Credit what an event gave, count it, and return what is kept of it."""
        day = day_of(event.occurred_at, self.programme.zone)
        lot = LotKey(day, expiry_day(day, self.programme.expiry))
        self._post(
            EntryKind.EARN,
            self._credit(earned.points, lot),
            occurred_at=event.occurred_at,
            channel=event.channel,
            why=earned.why,
            label="event",
            params={"type": event.type},
        )
        self._qualify(day, earned.qualifying)
        self._count(event.type, earned.capped)
        self._expire_overdue()
        self._restand()
        lines = len(event.purchase.lines) if event.purchase else 0
        return CountedEvent(
            event=event,
            member=self.member.id,
            version=self.version,
            grants=tuple(earned.grants),
            earned_on=lot.earned_on,
            expires_on=lot.expires_on,
            returned=(Fraction(0),) * max(1, lines),
        )

    def reverse(self, event: Event, bought: CountedEvent, taken: TakenBack) -> None:
        """Take back what a purchase gave: from its own lot first, then from the others, oldest first.

        Points of it that have expired are gone already and are not asked for twice. What was spent follows the
        programme's policy: the balance goes below zero, or the brand writes it off.
        """
        lot = LotKey(bought.earned_on, bought.expires_on)
        absorbed = self._expired_of(lot, taken.points)
        parts = spend(self.member.lots, taken.points - absorbed, first=lot)
        short = taken.points - absorbed - sum(points for _, points in parts)
        postings = [Posting(Account.ISSUED, taken.points), Posting(Account.EXPIRED, -absorbed, lot)]
        postings += [Posting(Account.AVAILABLE, -points, key) for key, points in parts]
        written_off = self.programme.spent_points is SpentPoints.WRITE_OFF
        postings.append(Posting(Account.WRITTEN_OFF if written_off else Account.AVAILABLE, -short))
        why = [
            Explanation(rule, -points, applied=bool(points), reason=Reason.TAKEN_BACK)
            for rule, points in taken.by_rule.items()
        ]
        if absorbed:
            why.append(Explanation(REFUND_RULE, absorbed, applied=True, reason=Reason.ALREADY_EXPIRED))
        if short and written_off:
            why.append(Explanation(REFUND_RULE, short, applied=True, reason=Reason.WRITTEN_OFF))
        self._post(
            EntryKind.REVERSE,
            postings,
            occurred_at=event.occurred_at,
            channel=event.channel,
            why=why,
            label="event",
            params={"type": event.type},
        )
        self._qualify(bought.earned_on, -taken.qualifying)
        self._count(event.type, self._uncapped(bought.earned_on, taken.by_rule))
        self._restand()

    def adjust(self, points: int) -> None:
        """Give points, or take available ones away, oldest lots first."""
        if points > 0:
            postings = self._credit(points, LotKey(self.today, expiry_day(self.today, self.programme.expiry)))
        else:
            parts = spend(self.member.lots, -points)
            postings = [Posting(Account.AVAILABLE, -part, key) for key, part in parts]
            postings.append(Posting(Account.DEDUCTED, sum(part for _, part in parts)))
        self._post(
            EntryKind.ADJUST,
            postings,
            occurred_at=self.now,
            channel=Channel.AGENT,
            why=(),
            label="adjust",
            params={},
        )

    def close(
        self,
        cause: Cause,
        *,
        counted: CountedEvent | None = None,
        amended: CountedEvent | None = None,
    ) -> Decision:
        """Return the decision: the next version, and the ledger's record of it chained to the one before."""
        record = Record(
            member=self.member.id,
            version=self.version,
            recorded_at=self.now,
            cause=cause,
            entries=tuple(self.entries),
            qualified=tuple(sorted((day, points) for day, points in self.qualified.items() if points)),
            standing=self.member.standing,
            previous_hash=self._before.head,
            hash="",
        )
        record = replace(record, hash=record_hash(record))
        member = replace(
            self.member,
            version=self.version,
            head=record.hash,
            programme_version=self.programme.version,
            lots=without_forgotten(self.member.lots, self.today),
            qualifying=keep_days(self.programme, self.member.qualifying, now=self.now),
            capped=without_old_spans(self.member.capped, self.programme),
        )
        return Decision(member, record, counted, amended)

    def _credit(self, points: int, lot: LotKey) -> list[Posting]:
        """Return the postings that give `points`: a debt is filled first, the rest goes into the lot."""
        owed = min(points, self.member.debt)
        return [
            Posting(Account.ISSUED, -points),
            Posting(Account.AVAILABLE, owed),
            Posting(Account.AVAILABLE, points - owed, lot),
        ]

    def _expired_of(self, lot: LotKey, points: int) -> int:
        """Return how many of a purchase's points have expired already."""
        if lot.expires_on is None or lot.expires_on >= self.today:
            return 0
        kept = next((kept.expired for kept in self.member.lots if kept.key == lot), None)
        if kept is not None:
            return min(points, kept)
        if lot.expires_on >= self.today - timedelta(days=EXPIRED_LOT_KEPT_DAYS):
            return 0
        # So long ago that the lot is forgotten: in the member's favour, all that expired of forgotten lots may be it.
        forgotten = self.member.balance(Account.EXPIRED) - sum(kept.expired for kept in self.member.lots)
        return min(points, max(0, forgotten))

    def _post(
        self,
        kind: EntryKind,
        postings: Iterable[Posting],
        *,
        occurred_at: datetime,
        channel: Channel,
        why: Iterable[Explanation],
        label: str,
        params: Mapping[str, str | int],
    ) -> None:
        """Append an entry and bring balances and lots to what it says."""
        moved = tuple(posting for posting in postings if posting.points)
        points = sum(posting.points for posting in moved if posting.account is Account.AVAILABLE)
        balance = self.member.available + points
        entry = Entry(kind, points, balance, occurred_at, channel, moved, tuple(why), label, params)
        self.entries.append(entry)
        balances = dict(self.member.balances)
        lots = self.member.lots
        for posting in moved:
            balances[posting.account] = balances.get(posting.account, 0) + posting.points
            if posting.lot is not None and posting.account is Account.AVAILABLE:
                lots = with_points(lots, posting.lot, posting.points)
            elif posting.lot is not None and (posting.points > 0 or any(kept.key == posting.lot for kept in lots)):
                lots = with_points(lots, posting.lot, 0, expired=posting.points)
        self.member = replace(self.member, balances=balances, lots=lots)

    def _expire_overdue(self) -> None:
        for lot in overdue(self.member.lots, self.today):
            last_day = lot.key.expires_on or self.today
            self._post(
                EntryKind.EXPIRE,
                (
                    Posting(Account.AVAILABLE, -lot.points, lot.key),
                    Posting(Account.EXPIRED, lot.points, lot.key),
                ),
                occurred_at=end_of(last_day, self.programme.zone),
                channel=Channel.SYSTEM,
                why=(),
                label="expire",
                params={"day": lot.key.earned_on.isoformat()},
            )

    def _qualify(self, day: date, points: int) -> None:
        self.qualified[day] = self.qualified.get(day, 0) + points
        days = dict(self.member.qualifying)
        if points < 0 and day not in days and LIFETIME_BUCKET in days:
            day = LIFETIME_BUCKET  # what a refund takes back of a day that was added to the sum of the old ones
        days[day] = days.get(day, 0) + points
        self.member = replace(self.member, qualifying={day: sum_ for day, sum_ in days.items() if sum_ > 0})

    def _count(self, event_type: str, capped: Mapping[str, Mapping[str, int]]) -> None:
        counted = dict(self.member.counted)
        counted[event_type] = counted.get(event_type, 0) + 1
        self.member = replace(self.member, counted=counted, capped=capped)

    def _uncapped(self, day: date, by_rule: Mapping[str, int]) -> dict[str, dict[str, int]]:
        """Return what capped rules gave once a refund has made room again in the purchase's own spans."""
        capped = {key: dict(spans) for key, spans in self.member.capped.items()}
        for key, points in by_rule.items():
            rule = self.programme.rule(key)
            if rule is not None and rule.cap is not None and key in capped:
                span = cap_span(day, rule.cap.period)
                capped[key][span] = max(0, capped[key].get(span, 0) - points)
        return capped

    def _restand(self) -> None:
        standing = restand(
            self.programme,
            self.member.standing,
            self.member.qualifying,
            enrolled_at=self.member.enrolled_at,
            now=self.now,
        )
        self.member = replace(self.member, standing=standing)
