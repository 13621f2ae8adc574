"""The decision builder: the ledger entries of a decision, and the member's state after each of them.

A builder first settles its member (releases lapsed holds, expires lots, ends a tier's period), so every decision starts
from a settled member.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from loyalty.kernel.calendar import day_of, end_of, expiry_day, period_name
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import NOT_RETURNED, ClaimState, Consequence, Event, Grant, ReceiptKey, RecordedEvent
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.facts import NO_FACTS, Facts
from loyalty.model.hold import EXPIRED_HOLDS_KEPT_MAX, Hold
from loyalty.model.ledger import (
    IMPORTED,
    Account,
    Cause,
    Entry,
    EntryKind,
    LotKey,
    Posting,
    Record,
    RecordRef,
    TierStatus,
    apply_postings,
    seal,
)
from loyalty.model.lot import (
    EXPIRED_LOT_RETENTION_DAYS,
    Lot,
    draw,
    overdue_lots,
    prune_expired,
    spending_order,
    with_points,
)
from loyalty.model.member import Member, mutable_copy, set_fields
from loyalty.model.notice import Notice, NoticeKind
from loyalty.model.offer import OfferUse
from loyalty.model.order import Order
from loyalty.model.programme import Programme, SpentPointsPolicy, TierAfterRefund
from loyalty.model.references.senders import split_reference
from loyalty.model.references.waiting import WAITING_MAX, RefusedWaiting, Waiting, WaitingEvent
from loyalty.model.supply import CodeState, CodeTransition, CounterKey
from loyalty.rules.earning import EarningResult, earn, prune_cap_periods
from loyalty.rules.refund import PointsReversed, Reversal, points_reversed
from loyalty.rules.self_explanation import ORDER_REVERSED_LABEL
from loyalty.rules.tier import (
    LIFETIME_OLD_DAYS,
    Review,
    prune_qualifying_days,
    qualified_tier,
    reevaluate_tier,
    tier_after_gain_on,
)

BALANCE_MAX = 2_147_483_647
REFUND_RULE = "refund"
ORDER_SPANS_KEPT = 400
WRITE_OFFS_KEPT_MAX = 100
OFFERS_KEPT_DAYS = 400

_NOTICE_OF = {
    (EntryKind.EARN, True): NoticeKind.POINTS_EARNED,
    (EntryKind.REVERSE, False): NoticeKind.POINTS_TAKEN_BACK,
    (EntryKind.REVERSE, True): NoticeKind.POINTS_RELEASED,
    (EntryKind.EXPIRE, False): NoticeKind.POINTS_EXPIRED,
    (EntryKind.ADJUST, True): NoticeKind.POINTS_GIVEN,
    (EntryKind.ADJUST, False): NoticeKind.POINTS_DEDUCTED,
    (EntryKind.HOLD, False): NoticeKind.POINTS_HELD,
    (EntryKind.RELEASE, True): NoticeKind.POINTS_RELEASED,
}


def prune_offer_uses(offers: Mapping[str, OfferUse], programme: Programme, now: datetime) -> Mapping[str, OfferUse]:
    """Return what the member did with offers, without those that ended more than OFFERS_KEPT_DAYS ago."""
    if not offers:
        return offers
    horizon = now - timedelta(days=OFFERS_KEPT_DAYS)
    known = programme.catalogue.offers
    if all(key in known and not known[key].has_ended(horizon) for key in offers):
        return offers
    return {key: use for key, use in offers.items() if key not in known or not known[key].has_ended(horizon)}


def tier_notices(programme: Programme, before: TierStatus, after: TierStatus) -> list[Notice]:
    """Return the notice of a tier that was reached or lost, if one was."""
    if before.tier == after.tier:
        return []
    old, new = programme.tier(before.tier), programme.tier(after.tier)
    if old.rank == new.rank:
        return []
    return [Notice(NoticeKind.TIER_REACHED if new.rank > old.rank else NoticeKind.TIER_LOST, {"tier": new.key})]


def _never_arrived(waiting: Waiting) -> Refusal:
    _, key = split_reference(waiting.reference)
    return Refusal(
        RefusalCode.NOT_FOUND, "purchase_never_arrived", ("refundOf",), {"key": key, "days": WAITING_MAX.days}
    )


def _recovery(points: int) -> list[Explanation]:
    """Return the explanation of restored points that made up for a write-off."""
    return [Explanation(REFUND_RULE, -points, applied=True, reason=RuleOutcome.WRITE_OFF_RECOVERED)] if points else []


class DecisionBuilder:
    """The next version of one member; created, filled and closed within one decision.

    `before` is the member as it was read, `member` the builder's own copy, changed in place, which `close()` returns.
    `facts` is what was read for the command. `others` are the builders of the command's other members, in its order:
    closing this one closes them too.
    """

    def __init__(
        self,
        member: Member,
        programme: Programme,
        now: datetime,
        facts: Facts = NO_FACTS,
        others: "tuple[DecisionBuilder, ...]" = (),
    ) -> None:
        self.programme = programme
        self.facts = facts
        self.others = others
        # All builders of a decision that has several. Empty for one: a cycle of objects would wait for the collector.
        self.together: tuple[DecisionBuilder, ...] = (self, *others) if others else ()
        for other in others:
            other.together = self.together
        self.now = now
        self.today = day_of(now, programme.zone)
        self.entries: list[Entry] = []
        self.qualifying_points: dict[date, int] = {}
        self.version = member.version + 1
        self.before = member
        self.member = mutable_copy(member)
        self.notices: list[Notice] = []
        self.orders: dict[str, Order] = {}
        self.counter_changes: Counter[CounterKey] = Counter()
        self.code_moves: list[CodeTransition] = []
        self.waiting_event: WaitingEvent | None = None
        self.refused_waiting: list[RefusedWaiting] = []
        self.receipt: ReceiptKey | None = None
        self.settled_claim: tuple[str, ClaimState] | None = None
        for hold in member.holds:
            if hold.expires_at <= now:
                self.release(hold, lapsed=True)
        for waiting in member.waiting:
            if waiting.until <= now:
                self.refuse_waiting(waiting, _never_arrived(waiting), at=waiting.until)
        self._expire_overdue()
        # Without new points a tier changes only if its period is over or the programme changed.
        is_over = member.tier_status.guaranteed_until is not None and member.tier_status.guaranteed_until <= now
        if is_over or member.programme_version != programme.version:
            self._reevaluate_tier()

    @property
    def changed(self) -> bool:
        """Whether settling the member, or what followed, changed anything."""
        return bool(self.entries) or self.member.tier_status != self.before.tier_status

    def expired_event(self, lot: LotKey, cause: Cause) -> Refusal | None:
        """Return the refusal of an event whose points would have expired already; None for a later or imported one.

        `lot` is the lot that its points would go into.
        """
        last_day = lot.expires_on
        if last_day is None or last_day >= self.today or cause.reason == IMPORTED:
            return None
        return Refusal(RefusalCode.EXPIRED, "event_expired", ("occurredAt",), {"day": last_day.isoformat()})

    def lot_days(self, occurred_at: datetime) -> LotKey:
        """Return the day on which an event of a moment earns, and the last day of its points."""
        day = day_of(occurred_at, self.programme.zone)
        return LotKey(day, expiry_day(day, self.programme.expiry))

    def note_event(self, event: Event, explanations: Iterable[Explanation]) -> int:
        """Post an entry of an event that gives nothing; return its index. The event is not counted."""
        self._post(
            EntryKind.EARN,
            (),
            occurred_at=event.occurred_at,
            channel=event.channel,
            explanations=explanations,
            label="event",
            params={"type": event.type},
        )
        return len(self.entries) - 1

    def earn(self, event: Event, earned: EarningResult, lot: LotKey) -> RecordedEvent:
        """Credit the points of an event to its lot, count it, and return what is stored of it."""
        day, points = lot.earned_on, earned.points
        self._post(
            EntryKind.EARN,
            self._credit(points, lot),
            occurred_at=event.occurred_at,
            channel=event.channel,
            explanations=earned.explanations,
            label="event",
            params={"type": event.type},
        )
        self._qualify(day, earned.qualifying)
        self._count(event.type, earned.cap_usage)
        self._expire_overdue()
        self._reevaluate_tier(gained_on=day)
        return RecordedEvent(
            event=event,
            member=self.member.id,
            version=self.version,
            grants=tuple(earned.grants),
            earned_on=lot.earned_on,
            expires_on=lot.expires_on,
            shares_returned=(NOT_RETURNED,) * earned.parts,
        )

    def reverse_earning(
        self, event: Event, purchase: RecordedEvent, reversal: Reversal, *, why: Iterable[Explanation] = ()
    ) -> None:
        """Reverse the points of a purchase; `why` says what happened to its other consequences.

        The points are drawn from the purchase's own lot first, then from the others, oldest first. Points of it that
        have expired are not deducted a second time. Points that were spent follow the programme's policy: the balance
        goes below zero, or the brand writes them off.
        """
        explanations = [
            *(
                Explanation(rule, -points, applied=bool(points), reason=RuleOutcome.REVERSED)
                for rule, points in reversal.by_rule.items()
            ),
            *why,
        ]
        params = {"type": event.type}
        self._reverse(
            LotKey(purchase.earned_on, purchase.expires_on),
            reversal,
            explanations,
            at=event.occurred_at,
            channel=event.channel,
            label="event",
            params=params,
            review=Review(purchase.tier_before),
        )
        self._count(event.type, self.member.cap_usage)

    def reverse_use(self, use: Consequence, offer: str, *, at: datetime, channel: Channel) -> None:
        """Reverse the points that rules gave for the use of an offer, in the lot that they went into."""
        by_rule = {grant.rule: grant.points for grant in use.grants}
        if use.earned_on is None or not any(by_rule.values()):
            return
        qualifying = sum(grant.points for grant in use.grants if grant.qualifying)
        # The day of the use, not of the event that undoes it: the rules' caps count by it.
        day = {"day": use.earned_on.isoformat()}
        explanations = [
            Explanation(rule, -points, applied=True, reason=RuleOutcome.REVERSED, params=day)
            for rule, points in by_rule.items()
            if points
        ]
        self._reverse(
            LotKey(use.earned_on, use.expires_on),
            PointsReversed(by_rule, qualifying),
            explanations,
            at=at,
            channel=channel,
            label="offer",
            params={"offer": offer},
        )

    def _reverse(
        self,
        lot: LotKey,
        reversal: PointsReversed,
        explanations: list[Explanation],
        *,
        at: datetime,
        channel: Channel,
        label: str,
        params: Mapping[str, str | int],
        review: Review = Review(),  # noqa: B008 - immutable
    ) -> None:
        """Reverse points that went into a lot, as `reverse_earning()` says, and review the tier."""
        gone = self._expired_of(lot, reversal.points)
        absorbed = sum(points for _, points in gone)
        parts = draw(self.member.lots, reversal.points - absorbed, first_lot=lot)
        short = reversal.points - absorbed - sum(points for _, points in parts)
        postings = [Posting(Account.ISSUED, reversal.points)]
        postings += [Posting(Account.EXPIRED, -points, key) for key, points in gone]
        postings += [Posting(Account.AVAILABLE, -points, key) for key, points in parts]
        written_off = self.programme.spent_points_policy is SpentPointsPolicy.WRITE_OFF
        postings.append(Posting(Account.WRITTEN_OFF if written_off else Account.AVAILABLE, -short))
        if absorbed:
            explanations.append(Explanation(REFUND_RULE, absorbed, applied=True, reason=RuleOutcome.ALREADY_EXPIRED))
        if short and written_off:
            explanations.append(Explanation(REFUND_RULE, short, applied=True, reason=RuleOutcome.WRITTEN_OFF))
        self._post(
            EntryKind.REVERSE,
            postings,
            occurred_at=at,
            channel=channel,
            explanations=explanations,
            label=label,
            params=params,
        )
        if written_off:
            self._note_write_off(short)
        is_reviewed = self._tier_is_earned() and self.programme.tier_after_refund is TierAfterRefund.REVIEWED
        self._qualify(lot.earned_on, -reversal.qualifying)
        set_fields(self.member, cap_usage=self._cap_usage_after_refund(lot.earned_on, reversal.by_rule))
        self._reevaluate_tier(review=review if is_reviewed else None)

    def _tier_is_earned(self) -> bool:
        """Return whether the member's points qualify for its tier now; after a change of the programme they may not."""
        qualified = qualified_tier(self.programme, self.member.qualifying_days, self.today)
        return qualified.tier.rank >= self.programme.tier(self.member.tier_status.tier).rank

    def explain_use(self, event: Event, why: Iterable[Explanation]) -> None:
        """Say why the use of an offer gave nothing, in an entry of 0 points; `event` is the redemption."""
        self._explain(EntryKind.EARN, str(event.attributes["offer"]), why, event.occurred_at, event.channel)

    def explain_release(self, offer: str, why: Iterable[Explanation], channel: Channel) -> None:
        """Say what the release of a use restored, in an entry of 0 points."""
        self._explain(EntryKind.REVERSE, offer, why, self.now, channel)

    def _explain(self, kind: EntryKind, offer: str, why: Iterable[Explanation], at: datetime, channel: Channel) -> None:
        self._post(kind, (), occurred_at=at, channel=channel, explanations=why, label="offer", params={"offer": offer})

    def record_engagement(self, event: Event) -> RecordedEvent | None:
        """Count an event of the programme's own (an activation, a redemption), and credit what rules give for it.

        Returns what they gave; None if no rule is for such events.
        """
        earned = earn(event, self.member, self.programme)
        if earned.explanations:
            return self.earn(event, earned, self.lot_days(event.occurred_at))
        self._count(event.type, earned.cap_usage)
        return None

    def add_bonus(self, event: Event, purchase: RecordedEvent, grant: Grant, why: Explanation) -> None:
        """Credit the points of an offer for a purchase that is counted already, to that purchase's own lot.

        `grant` is for the whole purchase; what was returned since gives nothing.
        """
        points = grant.points - points_reversed(purchase, grant)
        lot = LotKey(purchase.earned_on, purchase.expires_on)
        self._give(event, points, lot, replace(why, points=points), qualifying=grant.qualifying)

    def give_bonus(self, event: Event, points: int, why: Explanation, *, qualifying: bool) -> None:
        """Credit the points of an offer that is used without a purchase."""
        self._give(event, points, self.lot_days(event.occurred_at), why, qualifying=qualifying)

    def _give(self, event: Event, points: int, lot: LotKey, why: Explanation, *, qualifying: bool) -> None:
        """Credit the points of an offer to a lot; `event` is the activation or redemption."""
        self._post(
            EntryKind.EARN,
            self._credit(points, lot),
            occurred_at=event.occurred_at,
            channel=event.channel,
            explanations=(why,),
            label="offer",
            params={"offer": str(event.attributes["offer"])},
        )
        self._qualify(lot.earned_on, points if qualifying else 0)
        self._expire_overdue()
        self._reevaluate_tier(gained_on=lot.earned_on)

    def hold(self, hold: Hold, *, channel: Channel) -> None:
        """Hold points for a checkout, oldest lots first; `hold.lots` is filled in."""
        parts = draw(self.member.lots, hold.points)
        postings = [Posting(Account.AVAILABLE, -points, lot) for lot, points in parts]
        postings.append(Posting(Account.HELD, sum(points for _, points in parts)))
        self._post(
            EntryKind.HOLD,
            postings,
            occurred_at=self.now,
            channel=channel,
            explanations=(),
            label="hold",
            params={"reward": hold.reward} if hold.reward else {},
        )
        stored = replace(hold, lots=tuple(parts), version=self.version)
        set_fields(self.member, holds=(*self.member.holds, stored))
        self.counter_changes.update(hold.took)

    def release(
        self, hold: Hold, *, lapsed: bool = False, keep_supplies: bool = False, spends_on_order: bool = False
    ) -> None:
        """Release a hold: restore its points to their lots, and its piece and code to the shared supply.

        With `keep_supplies` the piece and the code pass on to an order. With `spends_on_order`, points that expired
        while they were held can still pay for an order in this decision.
        """
        recovered = self._recover_write_offs(hold.points, since=hold.version)
        self._post(
            EntryKind.RELEASE,
            self._restored(hold.lots, Account.HELD, recovered=recovered),
            occurred_at=hold.expires_at if lapsed else self.now,
            channel=Channel.SYSTEM,
            explanations=_recovery(recovered),
            label="release",
            params={"reward": hold.reward} if hold.reward else {},
        )
        set_fields(
            self.member,
            holds=tuple(other for other in self.member.holds if other.id != hold.id),
            expired_holds=(*self.member.expired_holds, hold.id)[-EXPIRED_HOLDS_KEPT_MAX:]
            if lapsed
            else self.member.expired_holds,
        )
        if not keep_supplies:
            self.counter_changes.subtract(hold.took)
            if hold.pool is not None and hold.code is not None:
                self.code_moves.append(CodeTransition(hold.pool, hold.code, CodeState.HELD, CodeState.FREE, None))
        if not spends_on_order:
            self._expire_overdue()

    def burn(self, points: int, *, channel: Channel, reward: str) -> tuple[tuple[LotKey, int], ...]:
        """Spend points on a reward, oldest lots first; return the lots and the points of each."""
        parts = draw(self.member.lots, points)
        postings = [Posting(Account.AVAILABLE, -part, lot) for lot, part in parts]
        postings.append(Posting(Account.REDEEMED, points))
        self._post(
            EntryKind.BURN,
            postings,
            occurred_at=self.now,
            channel=channel,
            explanations=(),
            label="order",
            params={"reward": reward},
        )
        self._expire_overdue()
        return tuple(parts)

    def reverse_burn(
        self,
        parts: Sequence[tuple[LotKey, int]],
        *,
        since: int,
        channel: Channel,
        reward: str,
        spends_on_order: bool = False,
    ) -> None:
        """Restore points that were spent on a reward in version `since`, to the lots that they came from.

        They first make up for what was written off since, because those points were spent on this very reward. An
        expired lot comes back for the programme's days of grace; without any, it still pays (`spends_on_order`) for
        what is ordered instead.
        """
        recovered = self._recover_write_offs(sum(points for _, points in parts), since=since)
        graced = tuple((self._with_grace(lot), points) for lot, points in parts)
        self._post(
            EntryKind.REVERSE,
            self._restored(graced, Account.REDEEMED, recovered=recovered),
            occurred_at=self.now,
            channel=channel,
            explanations=_recovery(recovered),
            label=ORDER_REVERSED_LABEL,
            params={"reward": reward},
        )
        if not spends_on_order:
            self._expire_overdue()

    def _note_write_off(self, points: int) -> None:
        """Note points that were written off in this version, until earlier orders and holds make up for them."""
        if not points:
            return
        kept = (*self.member.open_write_offs, (self.version, points))
        if len(kept) > WRITE_OFFS_KEPT_MAX:
            # In the member's favour: fewer orders are older than the older of the two merged write-offs.
            (version, oldest), (_, older), *rest = kept
            kept = ((version, oldest + older), *rest)
        set_fields(self.member, open_write_offs=kept)

    def _recover_write_offs(self, points: int, *, since: int) -> int:
        """Return how many of the restored points make up for write-offs after version `since`, and settle those.

        The oldest write-offs first: an order from before can make up for any write-off that a later order can.
        """
        rest = points
        kept: list[tuple[int, int]] = []
        for version, written_off in self.member.open_write_offs:
            part = min(rest, written_off) if version > since else 0
            rest -= part
            if written_off > part:
                kept.append((version, written_off - part))
        set_fields(self.member, open_write_offs=tuple(kept))
        return points - rest

    def _with_grace(self, lot: LotKey) -> LotKey:
        if lot.expires_on is None or lot.expires_on >= self.today or not self.programme.returned_points_grace_days:
            return lot
        return LotKey(lot.earned_on, self.today + timedelta(days=self.programme.returned_points_grace_days))

    def _restored(self, parts: Sequence[tuple[LotKey, int]], source: Account, *, recovered: int = 0) -> list[Posting]:
        """Return the postings that restore points from an account: they fill write-offs and debts first.

        The points that would expire first fill them.
        """
        total = sum(points for _, points in parts)
        owed = min(total - recovered, self.member.debt)
        postings = [
            Posting(source, -total),
            Posting(Account.WRITTEN_OFF, recovered),
            Posting(Account.AVAILABLE, owed),
        ]
        gone = recovered + owed
        for lot, points in sorted(parts, key=lambda part: spending_order(Lot(*part))):
            kept = max(0, points - gone)
            gone -= points - kept
            postings.append(Posting(Account.AVAILABLE, kept, lot))
        return postings

    def set_offer(self, offer: str, use: OfferUse) -> None:
        """Store what the member has done with an offer."""
        set_fields(self.member, offer_uses={**self.member.offer_uses, offer: use})

    def add_pending_use(self, purchase: str, use: Consequence) -> None:
        """Bind the use of an offer to a purchase that was not sent yet."""
        waiting = (*self.member.pending_uses.get(purchase, ()), use)
        set_fields(self.member, pending_uses={**self.member.pending_uses, purchase: waiting})

    def take_pending_uses(self, purchase: str, offer: str | None = None) -> tuple[Consequence, ...]:
        """Unbind and return the uses that waited for a purchase; only those of `offer`, if given."""
        pending = dict(self.member.pending_uses)
        waiting = pending.pop(purchase, ())
        taken = tuple(use for use in waiting if offer is None or use.offer == offer)
        left = tuple(use for use in waiting if use not in taken)
        if left:
            pending[purchase] = left
        set_fields(self.member, pending_uses=pending)
        return taken

    def wait(self, waiting: WaitingEvent) -> None:
        """Keep an event until the purchase that it refers to arrives."""
        set_fields(self.member, waiting=(*self.member.waiting, waiting.waiting))
        self.waiting_event = waiting

    def stop_waiting(self, waiting: Waiting) -> None:
        """Remove an event that waited from the member: it is counted or refused in this version."""
        set_fields(self.member, waiting=tuple(one for one in self.member.waiting if one != waiting))

    def refuse_waiting(self, waiting: Waiting, refusal: Refusal, *, at: datetime) -> None:
        """Stop waiting without counting the event, and note that in the ledger, where it moves no points."""
        self.stop_waiting(waiting)
        self.refused_waiting.append(RefusedWaiting(waiting, refusal))
        _, purchase = split_reference(waiting.reference)
        self._post(
            EntryKind.REVERSE,
            (),
            occurred_at=at,
            channel=Channel.SYSTEM,
            explanations=(),
            label="refund_refused",
            params={"purchase": purchase, "reason": refusal.reason},
        )

    def count_order(self, key: str, span: str, orders: int) -> None:
        """Count orders of a limited reward in a span of its limit; a negative number for returned ones."""
        spans = dict(self.member.order_counts.get(key, {}))
        spans[span] = max(0, spans.get(span, 0) + orders)
        kept = {name: spans[name] for name in sorted(spans)[-ORDER_SPANS_KEPT:] if spans[name]}
        order_counts = {**self.member.order_counts, key: kept}
        set_fields(self.member, order_counts={name: kept for name, kept in order_counts.items() if kept})

    def notice(self, kind: NoticeKind, **params: str | int) -> None:
        """Add a notice for the member."""
        self.notices.append(Notice(kind, params))

    def _notice_entry(self, kind: EntryKind, points: int, params: Mapping[str, str | int]) -> None:
        notice = _NOTICE_OF.get((kind, points > 0)) if points else None
        if notice is not None:
            self.notice(notice, points=abs(points), **{name: params[name] for name in ("reward",) if name in params})

    def adjust(self, points: int) -> None:
        """Credit points, or deduct available ones (below zero), oldest lots first."""
        if points > 0:
            postings = self._credit(points, LotKey(self.today, expiry_day(self.today, self.programme.expiry)))
        else:
            parts = draw(self.member.lots, -points)
            postings = [Posting(Account.AVAILABLE, -part, key) for key, part in parts]
            postings.append(Posting(Account.DEDUCTED, sum(part for _, part in parts)))
        self._post(
            EntryKind.ADJUST,
            postings,
            occurred_at=self.now,
            channel=Channel.AGENT,
            explanations=(),
            label="adjust",
            params={},
        )

    def counter(self, counter: CounterKey) -> int:
        """Return what was taken of a shared counter, by this decision too, whichever of its members took it."""
        return self.facts.counter(counter) + sum(
            builder.counter_changes[counter] for builder in self.together or (self,)
        )

    def moved_codes(self, pool: str) -> dict[str, CodeState]:
        """Return the codes of a pool that this decision has moved, with their new states."""
        moves = (move for builder in self.together or (self,) for move in builder.code_moves)
        return {move.code: move.state_after for move in moves if move.pool == pool}

    def close(
        self,
        cause: Cause,
        *,
        recorded_event: RecordedEvent | None = None,
        amended_purchase: RecordedEvent | None = None,
        hold: Hold | None = None,
        consequences: tuple[Consequence, ...] | None = None,
    ) -> Decision:
        """Return the decision: the next version of this member and of the others, each with its ledger record.

        The records of the others name this member's record, which carries the key.

        Raises:
            ValueError: one member comes twice; a handler refuses such a command.
        """
        decision = self.close_part(cause, None, recorded_event, amended_purchase, hold)
        if consequences is not None:
            decision = replace(decision, consequences=consequences)
        if not self.others:
            return decision
        if len({builder.member.id for builder in self.together}) < len(self.together):
            raise ValueError("a command names one member twice: its handler must refuse that")
        first = RecordRef(self.member.id, self.version)
        return replace(decision, others=tuple(builder.close_part(cause, first) for builder in self.others))

    def close_part(
        self,
        cause: Cause,
        command: RecordRef | None,
        recorded_event: RecordedEvent | None = None,
        amended_purchase: RecordedEvent | None = None,
        hold: Hold | None = None,
    ) -> Decision:
        """Return this member's part of the decision, its record chained to the one before; for `close()`."""
        self.notices += tier_notices(self.programme, self.before.tier_status, self.member.tier_status)
        record = seal(
            Record(
                member=self.member.id,
                version=self.version,
                recorded_at=self.now,
                cause=cause,
                entries=tuple(self.entries),
                qualifying_points=tuple(sorted([row for row in self.qualifying_points.items() if row[1]])),
                tier_status=self.member.tier_status,
                previous_hash=self.before.head_hash,
                hash="",
                notices=tuple(self.notices),
                command=command,
            )
        )
        set_fields(
            self.member,
            version=self.version,
            head_hash=record.hash,
            programme_version=self.programme.version,
            lots=prune_expired(self.member.lots, self.today),
            qualifying_days=prune_qualifying_days(self.programme, self.member.qualifying_days, now=self.now),
            cap_usage=prune_cap_periods(self.member.cap_usage, self.programme),
            offer_uses=prune_offer_uses(self.member.offer_uses, self.programme, self.now),
        )
        return Decision(
            self.member,
            record,
            recorded_event,
            amended_purchase,
            orders=tuple([replace(order, version=self.version) for order in self.orders.values()]),
            counter_changes={counter: pieces for counter, pieces in self.counter_changes.items() if pieces},
            code_moves=tuple(self.code_moves),
            hold=hold,
            waiting_event=self.waiting_event,
            refused_waiting=tuple(self.refused_waiting),
            receipt=self.receipt,
            settled_claim=self.settled_claim,
        )

    def _credit(self, points: int, lot: LotKey) -> list[Posting]:
        """Return the postings that credit `points`: they fill a debt first, the rest goes into the lot.

        Points of a lot that has expired already fill no debt: they expire.
        """
        is_over = lot.expires_on is not None and lot.expires_on < self.today
        owed = 0 if is_over else min(points, self.member.debt)
        return [
            Posting(Account.ISSUED, -points),
            Posting(Account.AVAILABLE, owed),
            Posting(Account.AVAILABLE, points - owed, lot),
        ]

    def _expired_of(self, lot: LotKey, points: int) -> list[tuple[LotKey, int]]:
        """Return the lots in which points of a purchase have expired already, and how many.

        Those are its own lot, and the lots of days of grace to which orders restored its points.
        """
        if lot.expires_on is None or lot.expires_on >= self.today:
            return []
        stored = [
            one
            for one in self.member.lots
            if one.key.earned_on == lot.earned_on and (one.key.expires_on or date.max) >= lot.expires_on
        ]
        if stored:
            parts: list[tuple[LotKey, int]] = []
            for one in sorted(stored, key=lambda one: (one.key != lot, *spending_order(one))):
                part = min(points, one.expired_points)
                parts.append((one.key, part))
                points -= part
            return parts
        if lot.expires_on >= self.today - timedelta(days=EXPIRED_LOT_RETENTION_DAYS):
            return []
        # The lot is no longer stored: in the member's favour, everything that expired in such lots may be this one's.
        forgotten = self.member.balance(Account.EXPIRED) - sum(stored.expired_points for stored in self.member.lots)
        return [(lot, min(points, max(0, forgotten)))]

    def _post(
        self,
        kind: EntryKind,
        postings: Iterable[Posting],
        *,
        occurred_at: datetime,
        channel: Channel,
        explanations: Iterable[Explanation],
        label: str,
        params: Mapping[str, str | int],
    ) -> None:
        """Append an entry, and update balances and lots by it."""
        moved = tuple([posting for posting in postings if posting.points])
        member, points = self.member, 0
        balance = member.available
        if moved:
            lots = member.lots
            for posting in moved:
                account, moves, lot = posting.account, posting.points, posting.lot
                if account is Account.AVAILABLE:
                    points += moves
                    if lot is not None:
                        lots = with_points(lots, lot, moves)
                elif lot is not None and (moves > 0 or lots.contains(lot)):
                    lots = with_points(lots, lot, 0, expired=moves)
            set_fields(member, balances=apply_postings(member.balances, moved), lots=lots)
        entry = Entry(kind, points, balance + points, occurred_at, channel, moved, tuple(explanations), label, params)
        self.entries.append(entry)
        self._notice_entry(kind, points, params)

    def _expire_overdue(self) -> None:
        first = self.member.lots.next_expiry_day()
        if first is None or first >= self.today:
            return
        for lot in overdue_lots(self.member.lots, self.today):
            last_day = lot.key.expires_on or self.today
            self._post(
                EntryKind.EXPIRE,
                (
                    Posting(Account.AVAILABLE, -lot.points, lot.key),
                    Posting(Account.EXPIRED, lot.points, lot.key),
                ),
                occurred_at=end_of(last_day, self.programme.zone),
                channel=Channel.SYSTEM,
                explanations=(),
                label="expire",
                params={"day": lot.key.earned_on.isoformat()},
            )

    def _qualify(self, day: date, points: int) -> None:
        self.qualifying_points[day] = self.qualifying_points.get(day, 0) + points
        days = self.member.qualifying_days
        if points < 0 and day not in days and LIFETIME_OLD_DAYS in days:
            day = LIFETIME_OLD_DAYS  # a refund reverses points of a day that was merged into the sum of old days
        set_fields(self.member, qualifying_days=days.with_points(day, points))

    def _count(self, event_type: str, cap_usage: Mapping[str, Mapping[str, int]]) -> None:
        event_counts = dict(self.member.event_counts)
        event_counts[event_type] = event_counts.get(event_type, 0) + 1
        set_fields(self.member, event_counts=event_counts, cap_usage=cap_usage)

    def _cap_usage_after_refund(self, day: date, by_rule: Mapping[str, int]) -> dict[str, dict[str, int]]:
        """Return what capped rules gave after a refund has freed room in the purchase's own spans."""
        cap_usage = {key: dict(spans) for key, spans in self.member.cap_usage.items()}
        for key, points in by_rule.items():
            rule = self.programme.rule(key)
            if rule is not None and rule.cap is not None and key in cap_usage:
                span = period_name(day, rule.cap.period)
                cap_usage[key][span] = max(0, cap_usage[key].get(span, 0) - points)
        return cap_usage

    def _reevaluate_tier(self, *, gained_on: date | None = None, review: Review | None = None) -> None:
        """Recompute the tier; `gained_on` is the day that gained points, if nothing else changed.

        With `review`, a tier that the points no longer qualify for ends at once.
        """
        member, days = self.member, self.member.qualifying_days
        before, enrolled_at = member.tier_status, member.enrolled_at
        if gained_on is not None:
            after = tier_after_gain_on(gained_on, self.programme, before, days, enrolled_at=enrolled_at, now=self.now)
        else:
            after = reevaluate_tier(self.programme, before, days, enrolled_at=enrolled_at, now=self.now, review=review)
        set_fields(member, tier_status=after)
