"""Plain events, as nearly all are: they give points by rules to a settled member, and change nothing else.

They are decided in one step, in less time than a `DecisionBuilder` takes, to the same decision: see decision 0036.
"""

from datetime import datetime

from loyalty.commands.decision_builder import BALANCE_MAX, prune_offer_uses, tier_notices
from loyalty.kernel.calendar import day_of, expiry_day
from loyalty.model.decision import Decision
from loyalty.model.event import NOT_RETURNED, PURCHASE, Consequence, Event, RecordedEvent
from loyalty.model.ledger import Account, Cause, Entry, EntryKind, LotKey, Posting, Record, apply_postings, seal
from loyalty.model.lot import prune_expired
from loyalty.model.member import Member, mutable_copy, set_fields
from loyalty.model.notice import Notice, NoticeKind
from loyalty.model.programme import Programme
from loyalty.rules.earning import earn, prune_cap_periods
from loyalty.rules.tier import prune_qualifying_days, tier_after_gain_on, tier_consequence


def is_plain(event: Event, member: Member, programme: Programme, now: datetime) -> bool:
    """Return whether rules are all that an event involves, and whether its member is settled and owes nothing."""
    if member.holds or member.waiting or member.pending_uses or member.programme_version != programme.version:
        return False
    if event.type == PURCHASE and (
        programme.catalogue.instant_rewards or event.purchase is None or event.purchase.receipt is not None
    ):
        return False
    until = member.tier_status.guaranteed_until
    return (until is None or until > now) and member.available >= 0


def decide_plainly(event: Event, cause: Cause, member: Member, programme: Programme, now: datetime) -> Decision | None:
    """Return the decision on an event that was checked and is plain; None if it turns out not to be."""
    zone = programme.zone
    today, day = day_of(now, zone), day_of(event.occurred_at, zone)
    lot = LotKey(day, expiry_day(day, programme.expiry))
    first_end = member.lots.next_expiry_day()
    if (first_end is not None and first_end < today) or (lot.expires_on is not None and lot.expires_on < today):
        return None
    earned = earn(event, member, programme)
    points, qualifying = earned.points, earned.qualifying
    if member.lifetime_points + points > BALANCE_MAX:
        return None
    after = mutable_copy(member)
    postings: tuple[Posting, ...] = ()
    notices: list[Notice] = []
    if points:
        postings = (Posting(Account.ISSUED, -points), Posting(Account.AVAILABLE, points, lot))
        notices.append(Notice(NoticeKind.POINTS_EARNED, {"points": points}))
        balances = apply_postings(member.balances, postings)
        set_fields(after, balances=balances, lots=member.lots.with_points(lot, points, 0))
    days = member.qualifying_days.with_points(day, qualifying)
    tier_before = member.tier_status
    tier_status = tier_after_gain_on(day, programme, tier_before, days, enrolled_at=member.enrolled_at, now=now)
    consequences: tuple[Consequence, ...] = ()
    if tier_status is not tier_before:
        notices += tier_notices(programme, tier_before, tier_status)
        if event.type == PURCHASE:
            consequences = tier_consequence(tier_before, tier_status)
    version = member.version + 1
    params = {"type": event.type}
    entry = Entry(
        EntryKind.EARN,
        points,
        after.available,
        event.occurred_at,
        event.channel,
        postings,
        tuple(earned.explanations),
        "event",
        params,
    )
    record = seal(
        Record(
            member.id,
            version,
            now,
            cause,
            (entry,),
            ((day, qualifying),) if qualifying else (),
            tier_status,
            member.head_hash,
            "",
            tuple(notices),
        )
    )
    counts = member.event_counts
    set_fields(
        after,
        version=version,
        head_hash=record.hash,
        tier_status=tier_status,
        event_counts={**counts, event.type: counts.get(event.type, 0) + 1},
        lots=prune_expired(after.lots, today),
        qualifying_days=prune_qualifying_days(programme, days, now=now),
        cap_usage=prune_cap_periods(earned.cap_usage, programme),
        offer_uses=prune_offer_uses(member.offer_uses, programme, now),
    )
    recorded = RecordedEvent(
        event,
        member.id,
        version,
        tuple(earned.grants),
        day,
        lot.expires_on,
        (NOT_RETURNED,) * earned.parts,
        consequences,
    )
    return Decision(after, record, recorded)
