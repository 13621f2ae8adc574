"""The one function that changes anything: a command, a member's state and a programme give a decision or a refusal.

It is pure. The live path, a preview, an import and the property tests all call it, so they cannot disagree.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from loyalty.after_sale import AdvanceOrder, CancelOrder, advance, cancel
from loyalty.calendar import day_of
from loyalty.consenting import SetConsents, set_consents
from loyalty.decision import Decision, Unchanged
from loyalty.draft import BALANCE_MAX, Draft
from loyalty.earning import earn
from loyalty.event import CLOCK_SKEW_MAX, ENROLMENT, OWN_EVENT_TYPES, PURCHASE, REFUND, Channel, CountedEvent, Event
from loyalty.holding import HoldPoints, ReleaseHold, hold, release
from loyalty.ledger import Cause, Standing
from loyalty.member import Member, Profile
from loyalty.offer import purchase_ref
from loyalty.ordering import PlaceOrder, grant_instantly, place
from loyalty.preference import SetPreferences, set_preferences
from loyalty.programme import Programme
from loyalty.redemption import (
    ActivateOffer,
    NoteOffers,
    RedeemOffer,
    act_in_earning,
    activate,
    give_back_uses,
    needs_of_offers,
    note,
    redeem,
)
from loyalty.refund import take_back
from loyalty.refusal import Refusal, RefusalCode
from loyalty.supply import NO_FACTS, NO_NEEDS, Facts, Needs, joined
from loyalty.taking import needs_of_rewards
from loyalty.value import quick


@dataclass(frozen=True, slots=True)
class Enrol:
    """Make somebody a member."""

    member: str
    number: str
    profile: Profile
    card: str | None
    channel: Channel
    store: str | None
    occurred_at: datetime
    cause: Cause


@quick
@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Count an event. For a refund, `bought` is the purchase that it takes back, None where there is no such."""

    event: Event
    cause: Cause
    bought: CountedEvent | None = None


@dataclass(frozen=True, slots=True)
class AdjustPoints:
    """Give points or take some away, for a reason that a person answers for."""

    points: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Settle:
    """Do what time alone demands: expire lots, end a tier's period."""

    cause: Cause


Command = (
    Enrol
    | RecordEvent
    | AdjustPoints
    | Settle
    | ActivateOffer
    | RedeemOffer
    | NoteOffers
    | PlaceOrder
    | CancelOrder
    | AdvanceOrder
    | HoldPoints
    | ReleaseHold
    | SetPreferences
    | SetConsents
)


def needs(command: Command, member: Member | None, programme: Programme) -> Needs:
    """Return what `command` may depend on besides its member, to be read in the same transaction as the member."""
    if isinstance(command, RecordEvent):
        return _needs_of_event(command, member, programme)
    if isinstance(command, ActivateOffer | RedeemOffer):
        offer = programme.catalogue.offers.get(command.offer)
        given = (offer.reward,) if offer is not None and offer.reward is not None else ()
        offers = needs_of_offers((command.offer,), programme, activates=isinstance(command, ActivateOffer))
        return joined([offers, needs_of_rewards(given, programme)])
    if isinstance(command, PlaceOrder):
        return needs_of_rewards((command.reward,), programme, appointment=command.appointment)
    if isinstance(command, HoldPoints):
        return needs_of_rewards((command.reward,) if command.reward is not None else (), programme)
    if isinstance(command, CancelOrder):
        return Needs(orders=frozenset({command.order}))
    if isinstance(command, AdvanceOrder):
        given = (command.exchange_for,) if command.exchange_for is not None else ()
        return joined([Needs(orders=frozenset({command.order})), needs_of_rewards(given, programme)])
    return NO_NEEDS


def _needs_of_event(command: RecordEvent, member: Member | None, programme: Programme) -> Needs:
    event, catalogue = command.event, programme.catalogue
    if event.type != PURCHASE or not (catalogue.instant_rewards or (member is not None and member.bound)):
        return NO_NEEDS
    bound = member.bound.get(purchase_ref(event.sender, event.key), ()) if member is not None else ()
    instants = tuple(instant.reward for instant in catalogue.instant_rewards)
    lists = Needs(lists=any(instant.audience.lists for instant in catalogue.instant_rewards))
    offers = needs_of_offers([offer for offer, _ in bound], programme)
    return joined([offers, needs_of_rewards(instants, programme), lists])


def decide(
    command: Command, member: Member | None, programme: Programme, now: datetime, facts: Facts = NO_FACTS
) -> Decision | Refusal | Unchanged:
    """Return what `command` does to `member` under `programme` at `now`; `facts` answer its `needs`.

    Returns a `Refusal` where the caller can mend something, `Unchanged` where a `Settle` finds nothing due.

    Raises:
        NotRead: the facts lack something that the command depends on.
    """
    if isinstance(command, Enrol):
        return _enrol(command, programme, now)
    if member is None:
        return Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))
    if isinstance(command, RecordEvent):
        return _record_event(command, member, programme, now, facts)
    if isinstance(command, AdjustPoints):
        return _adjust_points(command, member, programme, now)
    draft = Draft(member, programme, now)
    if isinstance(command, Settle):
        return draft.close(command.cause) if draft.changed else Unchanged()
    return _serve(command, draft, facts)


def _serve(command: Command, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision on what a member does with offers, rewards and orders."""
    match command:
        case ActivateOffer():
            return activate(command, draft, facts)
        case RedeemOffer():
            return redeem(command, draft, facts)
        case NoteOffers():
            return note(command, draft)
        case PlaceOrder():
            return place(command, draft, facts)
        case CancelOrder():
            return cancel(command, draft, facts)
        case AdvanceOrder():
            return advance(command, draft, facts)
        case HoldPoints():
            return hold(command, draft, facts)
        case ReleaseHold():
            return release(command, draft)
    return _say(command, draft)


def _say(command: Command, draft: Draft) -> Decision | Refusal:
    """Return the decision on what a member says of itself."""
    match command:
        case SetPreferences():
            return set_preferences(command, draft)
        case SetConsents():
            return set_consents(command, draft)
    raise TypeError(f"no decision is made on {type(command).__name__}")


def _enrol(command: Enrol, programme: Programme, now: datetime) -> Decision | Refusal:
    birth_date = command.profile.birth_date
    if birth_date is not None and birth_date > day_of(now, programme.zone):
        return Refusal(RefusalCode.INVALID, "birth_date_future", ("birthDate",))
    newcomer = Member(
        id=command.member,
        programme=programme.key,
        number=command.number,
        version=0,
        enrolled_at=command.occurred_at,
        profile=command.profile,
        standing=Standing(programme.tiers[0].key, command.occurred_at, None),
        cards=(command.card,) if command.card else (),
    )
    event = Event(
        key=command.cause.key,
        sender=command.cause.subject,
        type=ENROLMENT,
        occurred_at=command.occurred_at,
        channel=command.channel,
        store=command.store,
    )
    draft = Draft(newcomer, programme, now)
    earned = earn(event, newcomer, programme)
    if earned.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})
    if earned.why:
        draft.earn(event, earned)
    return draft.close(command.cause)


def _check_event(event: Event, programme: Programme, now: datetime) -> Refusal | None:
    """Return what is wrong with an event on its own, whoever it is for."""
    event_type = programme.event_types.get(event.type)
    if event_type is None or event.type in OWN_EVENT_TYPES:
        known = ", ".join(sorted(key for key in programme.event_types if key not in OWN_EVENT_TYPES))
        return Refusal(RefusalCode.INVALID, "event_type_unknown", ("type",), {"type": event.type, "known": known})
    if event.occurred_at > now + CLOCK_SKEW_MAX:
        return Refusal(RefusalCode.INVALID, "occurred_in_future", ("occurredAt",))
    if event.type == REFUND:
        if event.refund_of is None:
            return Refusal(RefusalCode.INVALID, "refund_of_missing", ("refundOf",))
    elif event.refund_of is not None:
        return Refusal(RefusalCode.INVALID, "refund_of_unexpected", ("refundOf",))
    if event_type.attributes is not None:
        fault = event_type.attributes.fault(event.attributes)
        if fault:
            return Refusal(RefusalCode.INVALID, "attributes_invalid", ("attributes",), {"fault": fault})
    return _check_purchase(event, programme)


def _currency_mismatch(currency: str, expected: str) -> Refusal:
    params = {"currency": currency, "expected": expected}
    return Refusal(RefusalCode.INVALID, "currency_mismatch", ("purchase", "currency"), params)


def _check_purchase(event: Event, programme: Programme) -> Refusal | None:
    purchase = event.purchase
    if purchase is None:
        if event.type == PURCHASE:
            return Refusal(RefusalCode.INVALID, "purchase_missing", ("purchase",))
        return None
    if event.type not in {PURCHASE, REFUND}:
        return Refusal(RefusalCode.INVALID, "purchase_unexpected", ("purchase",), {"type": event.type})
    if event.type == PURCHASE and purchase.currency != programme.currency:
        return _currency_mismatch(purchase.currency, programme.currency)
    if purchase.total < 0:
        return Refusal(RefusalCode.INVALID, "total_negative", ("purchase", "total"))
    for index, line in enumerate(purchase.lines):
        if line.quantity < 0:
            path = ("purchase", "lines", str(index), "quantity")
            return Refusal(RefusalCode.INVALID, "quantity_negative", path)
    return None


def _record_event(
    command: RecordEvent, member: Member, programme: Programme, now: datetime, facts: Facts
) -> Decision | Refusal:
    event = command.event
    refusal = _check_event(event, programme, now)
    if refusal is not None:
        return refusal
    draft = Draft(member, programme, now)
    if event.type == REFUND:
        return _refund(command, draft)
    earned = earn(event, draft.member, programme)
    used: tuple[tuple[str, int], ...] = ()
    if event.type == PURCHASE:
        used = act_in_earning(event, earned, draft, facts)
        earned.why = [*earned.why, *grant_instantly(event, draft, facts, command.cause)]
    if draft.member.lifetime + earned.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})
    counted = draft.earn(event, earned)
    if used:
        counted = replace(counted, offers=used)
    return draft.close(command.cause, counted=counted)


def _refund(command: RecordEvent, draft: Draft) -> Decision | Refusal:
    event, bought = command.event, command.bought
    if bought is None or bought.member != draft.member.id or bought.event.type != PURCHASE:
        return Refusal(RefusalCode.NOT_FOUND, "purchase_not_found", ("refundOf",), {"key": event.refund_of or ""})
    if event.occurred_at < bought.event.occurred_at:
        return Refusal(RefusalCode.INVALID, "refund_before_purchase", ("occurredAt",))
    sold, back = bought.event.purchase, event.purchase
    if sold is not None and back is not None and back.currency != sold.currency:
        # Not the programme's: it may count in another currency by now.
        return _currency_mismatch(back.currency, sold.currency)
    taken = take_back(bought, event.purchase)
    if isinstance(taken, Refusal):
        return taken
    draft.reverse(event, bought, taken)
    if all(share == 1 for share in taken.returned):
        give_back_uses(bought, draft)
    counted = CountedEvent(
        event=event,
        member=draft.member.id,
        version=draft.version,
        grants=(),
        earned_on=bought.earned_on,
        expires_on=bought.expires_on,
        returned=(Fraction(1),),
    )
    return draft.close(command.cause, counted=counted, amended=replace(bought, returned=taken.returned))


def _adjust_points(command: AdjustPoints, member: Member, programme: Programme, now: datetime) -> Decision | Refusal:
    if command.points == 0:
        return Refusal(RefusalCode.INVALID, "adjustment_zero", ("points",))
    if not (command.cause.reason or "").strip():
        return Refusal(RefusalCode.INVALID, "reason_missing", ("reason",))
    draft = Draft(member, programme, now)
    if draft.member.lifetime + command.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("points",), {"max": BALANCE_MAX})
    if command.points < 0 and draft.member.available + command.points < 0:
        params = {"available": draft.member.available, "asked": -command.points}
        return Refusal(RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", ("points",), params)
    draft.adjust(command.points)
    return draft.close(command.cause)
