"""Recorded events: purchases, refunds and every other engaging event are counted."""

from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from loyalty.commands.allocation import needs_of_rewards
from loyalty.commands.consequences import reverse_consequences
from loyalty.commands.decision_builder import BALANCE_MAX, DecisionBuilder
from loyalty.commands.offer import apply_pending_uses, needs_of_pending, unknown_cost_refusal
from loyalty.commands.open_redemptions import bind_uses, uses_for
from loyalty.commands.place_order import grant_instantly
from loyalty.commands.plain_event import decide_plainly, is_plain
from loyalty.commands.receipt import claim_purchase, needs_of_receipt, take_receipt
from loyalty.commands.registry import EVENT_OPERATION, Members, handles
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.event import (
    ENGINE_EVENT_TYPES,
    PURCHASE,
    REFUND,
    Consequence,
    Event,
    RecordedEvent,
    is_ahead,
)
from loyalty.model.facts import NO_NEEDS, Needs, combined
from loyalty.model.ledger import Cause
from loyalty.model.member import Member
from loyalty.model.offer import purchase_reference
from loyalty.model.programme import Programme
from loyalty.model.references.senders import ReferenceFault, open_reference
from loyalty.model.references.waiting import (
    WAITING_MAX,
    WAITING_PER_MEMBER_MAX,
    WAITING_PER_PROGRAMME_MAX,
    WAITING_PER_SENDER_MAX,
    Waiting,
    WaitingEvent,
)
from loyalty.rules.earning import earn
from loyalty.rules.refund import reverse_purchase
from loyalty.rules.tier import tier_consequence

# The operation in the record of an event that waits; the record that counts it later has EVENT_OPERATION.
WAIT_OPERATION = "wait"
SYSTEM_ROLE = "system"


@fast_init
@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Count an event. `is_typed`: somebody typed it at a tablet, so a purchase waits until it is confirmed."""

    event: Event
    cause: Cause
    is_typed: bool = False


def _needs(command: RecordEvent, members: Members, programme: Programme) -> Needs:
    """Return the needs of the receipt, and of what the event gives unless it has to be confirmed."""
    receipt = needs_of_receipt(command.event, programme, is_typed=command.is_typed)
    if receipt is NO_NEEDS:
        return needs_of_event(command.event, members, programme)
    return receipt if command.is_typed else combined([receipt, needs_of_event(command.event, members, programme)])


def needs_of_event(event: Event, members: Members, programme: Programme) -> Needs:
    """Return the needs of the offers bound to a purchase and of the instant rewards."""
    (member,) = members
    catalogue = programme.catalogue
    if event.type != PURCHASE or not (catalogue.instant_rewards or (member is not None and member.pending_uses)):
        return NO_NEEDS
    waiting = _uses_that_may_apply(member, event, programme) if member is not None else ()
    instants = tuple(instant.reward for instant in catalogue.instant_rewards)
    lists = Needs(lists=any(instant.audience.lists for instant in catalogue.instant_rewards))
    return combined([needs_of_pending(waiting, programme), needs_of_rewards(instants, programme), lists])


def _uses_that_may_apply(member: Member, event: Event, programme: Programme) -> list[Consequence]:
    """Return the uses that wait for a purchase, and all if it has a receipt: those of its claim pass on to it."""
    if event.purchase is not None and event.purchase.receipt is not None:
        return [use for uses in member.pending_uses.values() for use in uses]
    return [use for _, uses in uses_for(member, event, programme) for use in uses]


def _check_event(event: Event, programme: Programme, now: datetime) -> Refusal | None:
    """Return what is wrong with an event, whichever member it is for."""
    event_type = programme.event_types.get(event.type)
    if event_type is None or event.type in ENGINE_EVENT_TYPES:
        known = ", ".join(sorted(key for key in programme.event_types if key not in ENGINE_EVENT_TYPES))
        return Refusal(RefusalCode.INVALID, "event_type_unknown", ("type",), {"type": event.type, "known": known})
    if is_ahead(event.occurred_at, now):
        return Refusal(RefusalCode.INVALID, "occurred_in_future", ("occurredAt",))
    if event.type == REFUND:
        if event.refund_of is None:
            return Refusal(RefusalCode.INVALID, "refund_of_missing", ("refundOf",))
    elif event.refund_of is not None or event.ref_sender is not None:
        path = "refundOf" if event.refund_of is not None else "refSender"
        return Refusal(RefusalCode.INVALID, "refund_of_unexpected", (path,))
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


def _refunded(command: "RecordEvent | CountWaiting") -> str | None:
    event = command.event
    if event.refund_of is None:
        return None
    return purchase_reference(event.ref_sender if event.ref_sender is not None else event.sender, event.refund_of)


def _names_no_sender(command: "RecordEvent | CountWaiting") -> bool:
    return command.event.ref_sender is None


def _plainly(command: RecordEvent, member: Member, programme: Programme, now: datetime) -> Decision | None:
    event = command.event
    is_simple = event.type != REFUND and not command.is_typed and is_plain(event, member, programme, now)
    if not is_simple or _check_event(event, programme, now) is not None:
        return None
    return decide_plainly(event, command.cause, member, programme, now)


@handles(
    RecordEvent,
    operation=EVENT_OPERATION,
    needs=_needs,
    refers_to=_refunded,
    refers_openly=_names_no_sender,
    shortcut=_plainly,
)
def record_event(command: RecordEvent, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to count an event."""
    event, programme = command.event, builder.programme
    refusal = _check_event(event, programme, builder.now)
    if refusal is not None:
        return refusal
    if event.type == REFUND:
        return _refund_or_wait(command, builder)
    if event.type == PURCHASE:
        if command.is_typed:
            refusal = builder.expired_event(builder.lot_days(event.occurred_at), command.cause)
            return refusal or claim_purchase(event, command.cause, builder)
        refusal = take_receipt(event, builder)
        if refusal is not None:
            return refusal
    counted = count_event(event, command.cause, builder)
    return counted if isinstance(counted, Refusal) else builder.close(command.cause, recorded_event=counted)


def count_event(event: Event, cause: Cause, builder: DecisionBuilder) -> RecordedEvent | Refusal:
    """Give what an event gives, with the offers that wait for it; return what is stored of it."""
    if event.type == PURCHASE and builder.member.pending_uses:
        bind_uses(event, event, builder)
    lot = builder.lot_days(event.occurred_at)
    refusal = builder.expired_event(lot, cause) or unknown_cost_refusal(event, builder)
    if refusal is not None:
        return refusal
    earned = earn(event, builder.member, builder.programme)
    consequences: tuple[Consequence, ...] = ()
    if event.type == PURCHASE:
        used = apply_pending_uses(event, earned, builder, cause)
        granted, explained = grant_instantly(event, builder, cause)
        consequences = (*used, *granted)
        earned.explanations = [*earned.explanations, *explained]
    if builder.member.lifetime_points + earned.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})
    tier_before = builder.member.tier_status
    recorded_event = builder.earn(event, earned, lot)
    if event.type == PURCHASE:
        consequences = (*consequences, *tier_consequence(tier_before, builder.member.tier_status))
    return replace(recorded_event, consequences=consequences) if consequences else recorded_event


def _not_found(event: Event) -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, "purchase_not_found", ("refundOf",), {"key": event.refund_of or ""})


def _reference_refusal(event: Event, builder: DecisionBuilder) -> Refusal | None:
    """Return why no purchase can be the one that a refund refers to, or None."""
    if event.ref_sender is not None and not builder.programme.senders.may_refer(event.sender, event.ref_sender):
        return _not_found(event)
    match builder.facts.reference_fault:
        case ReferenceFault.AMBIGUOUS:
            params = {"key": event.refund_of or "", "field": "refSender"}
            return Refusal(RefusalCode.INVALID, "reference_ambiguous", ("refSender",), params)
        case ReferenceFault.REFUSED:
            return _not_found(event)
        case None:
            return None


def _refund_or_wait(command: RecordEvent, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision on a refund: to count it, or to keep it until its purchase arrives."""
    refusal = _reference_refusal(command.event, builder)
    if refusal is not None:
        return refusal
    return _refund(command, builder) if builder.facts.purchase is not None else _wait(command, builder)


def _wait(command: RecordEvent, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to keep a refund until its purchase arrives; its record names the key under `WAIT`."""
    event, facts = command.event, builder.facts
    for of, waits, most in (
        ("member", len(builder.member.waiting), WAITING_PER_MEMBER_MAX),
        ("sender", facts.sender_waiting, WAITING_PER_SENDER_MAX),
        ("programme", facts.programme_waiting, WAITING_PER_PROGRAMME_MAX),
    ):
        if waits >= most:
            return Refusal(RefusalCode.LIMIT_REACHED, f"waiting_max_{of}", ("refundOf",), {"max": most})
    reference = _refunded(command) or ""
    reference = open_reference(reference) if _names_no_sender(command) else reference
    waiting = Waiting(event.sender, event.key, reference, builder.now + WAITING_MAX)
    builder.wait(WaitingEvent(event, command.cause, waiting))
    return builder.close(replace(command.cause, operation=WAIT_OPERATION))


@dataclass(frozen=True, slots=True)
class CountWaiting:
    """Count a refund that waited, now that its purchase counts; `cause` is the one that it was sent with."""

    event: Event
    cause: Cause


@handles(
    CountWaiting,
    operation="count-waiting",
    refers_to=_refunded,
    refers_openly=_names_no_sender,
    owns_key=False,
)
def count_waiting(command: CountWaiting, builder: DecisionBuilder) -> Decision | NothingToSettle:
    """Return the decision to count a refund that waited, or to refuse it, now that it is certain.

    `NothingToSettle` if it no longer waits, or its purchase has not arrived or is a claim that does not count.
    """
    event = command.event
    waiting = next((one for one in builder.member.waiting if one.is_event(event.sender, event.key)), None)
    if waiting is None:
        return NothingToSettle()
    refusal = _reference_refusal(event, builder)
    purchase = builder.facts.purchase
    if refusal is None and (purchase is None or not purchase.is_counted):
        return NothingToSettle()
    builder.stop_waiting(waiting)
    outcome = refusal or _refund(command, builder)
    if isinstance(outcome, Decision):
        return outcome
    # Nothing of the refund may stay in the version that refuses it.
    fresh = DecisionBuilder(builder.before, builder.programme, builder.now, builder.facts)
    fresh.refuse_waiting(waiting, outcome, at=builder.now)
    return fresh.close(Cause("refuse-waiting", SYSTEM_ROLE, SYSTEM_ROLE, "", outcome.reason))


def _refund(command: RecordEvent | CountWaiting, builder: DecisionBuilder) -> Decision | Refusal:
    event, original = command.event, builder.facts.purchase
    if original is None or original.member != builder.member.id or original.event.type != PURCHASE:
        return _not_found(event)
    if not original.is_counted:
        return Refusal(RefusalCode.CONFLICT, "purchase_waits", ("refundOf",))
    if is_ahead(original.event.occurred_at, event.occurred_at):
        return Refusal(RefusalCode.INVALID, "refund_before_purchase", ("occurredAt",))
    sold, back = original.event.purchase, event.purchase
    if sold is not None and back is not None and back.currency != sold.currency:
        # The purchase's currency, not the programme's, which may have changed since.
        return _currency_mismatch(back.currency, sold.currency)
    reversal = reverse_purchase(original, event.purchase)
    if isinstance(reversal, Refusal):
        return reversal
    amended, why = reverse_consequences(original, reversal.purchase, event, builder, command.cause)
    builder.reverse_earning(event, original, reversal, why=why)
    recorded_event = RecordedEvent(
        # A refund is stored with the sender of its purchase, which its own sender may not have named.
        event=event if original.event.sender == event.sender else replace(event, ref_sender=original.event.sender),
        member=builder.member.id,
        version=builder.version,
        grants=(),
        earned_on=original.earned_on,
        expires_on=original.expires_on,
        shares_returned=(Fraction(1),),
    )
    return builder.close(
        command.cause,
        recorded_event=recorded_event,
        amended_purchase=amended,
    )
