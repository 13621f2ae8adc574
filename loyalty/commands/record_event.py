"""Recorded events: purchases, refunds and every other engaging event are counted."""

from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from loyalty.commands.allocation import needs_of_rewards
from loyalty.commands.consequences import reverse_consequences
from loyalty.commands.decision_builder import BALANCE_MAX, DecisionBuilder
from loyalty.commands.offer import apply_pending_uses, needs_of_pending, unknown_cost_refusal
from loyalty.commands.place_order import grant_instantly
from loyalty.commands.registry import EVENT_OPERATION, Members, handles
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import (
    ENGINE_EVENT_TYPES,
    PURCHASE,
    REFUND,
    TIER_RULE,
    Consequence,
    Event,
    RecordedEvent,
    is_ahead,
)
from loyalty.model.facts import NO_NEEDS, Needs, combined
from loyalty.model.ledger import Cause
from loyalty.model.offer import purchase_reference
from loyalty.model.programme import Programme
from loyalty.rules.earning import earn
from loyalty.rules.refund import reverse_purchase


@fast_init
@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Count an event."""

    event: Event
    cause: Cause


def _needs(command: RecordEvent, members: Members, programme: Programme) -> Needs:
    """Return the needs of the offers bound to a purchase and of the instant rewards."""
    (member,) = members
    event, catalogue = command.event, programme.catalogue
    if event.type != PURCHASE or not (catalogue.instant_rewards or (member is not None and member.pending_uses)):
        return NO_NEEDS
    waiting = member.pending_uses.get(purchase_reference(event.sender, event.key), ()) if member is not None else ()
    instants = tuple(instant.reward for instant in catalogue.instant_rewards)
    lists = Needs(lists=any(instant.audience.lists for instant in catalogue.instant_rewards))
    return combined([needs_of_pending(waiting, programme), needs_of_rewards(instants, programme), lists])


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


def _refunded(command: RecordEvent) -> str | None:
    event = command.event
    return purchase_reference(event.sender, event.refund_of) if event.refund_of is not None else None


@handles(RecordEvent, operation=EVENT_OPERATION, needs=_needs, refers_to=_refunded)
def record_event(command: RecordEvent, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to count an event."""
    event, programme = command.event, builder.programme
    refusal = _check_event(event, programme, builder.now)
    if refusal is not None:
        return refusal
    if event.type == REFUND:
        return _refund(command, builder)
    refusal = builder.expired_event(event.occurred_at, command.cause) or unknown_cost_refusal(event, builder)
    if refusal is not None:
        return refusal
    earned = earn(event, builder.member, programme)
    consequences: tuple[Consequence, ...] = ()
    if event.type == PURCHASE:
        used = apply_pending_uses(event, earned, builder, command.cause)
        granted, explained = grant_instantly(event, builder, command.cause)
        consequences = (*used, *granted)
        earned.explanations = [*earned.explanations, *explained]
    if builder.member.lifetime_points + earned.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})
    tier_before = builder.member.tier_status
    recorded_event = builder.earn(event, earned)
    if event.type == PURCHASE and builder.member.tier_status.tier != tier_before.tier:
        consequences = (*consequences, Consequence(f"{TIER_RULE}{tier_before.tier}", since=tier_before.since))
    if consequences:
        recorded_event = replace(recorded_event, consequences=consequences)
    return builder.close(command.cause, recorded_event=recorded_event)


def _refund(command: RecordEvent, builder: DecisionBuilder) -> Decision | Refusal:
    event, original = command.event, builder.facts.purchase
    if original is None or original.member != builder.member.id or original.event.type != PURCHASE:
        return Refusal(RefusalCode.NOT_FOUND, "purchase_not_found", ("refundOf",), {"key": event.refund_of or ""})
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
        event=event,
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
