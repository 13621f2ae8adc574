"""Receipts of purchases: each is credited once, and a purchase that was typed without a till waits for its receipt."""

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.open_redemptions import bind_uses
from loyalty.kernel.calendar import day_of
from loyalty.kernel.receipt_number import canonical_receipt
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import (
    CLAIM_LASTS,
    NOT_RETURNED,
    OPEN_CLAIMS_MAX,
    PURCHASE,
    Claim,
    ClaimState,
    Event,
    ReceiptKey,
    RecordedEvent,
)
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.facts import NO_NEEDS, Needs
from loyalty.model.ledger import Cause
from loyalty.model.offer import purchase_reference
from loyalty.model.programme import Programme
from loyalty.rules.money_paid import paid_by_part

RECEIPT_RULE = "receipt"


def receipt_key(event: Event, programme: Programme) -> ReceiptKey | None:
    """Return what identifies a purchase's receipt; None for an event that is no purchase or states no receipt."""
    if event.type != PURCHASE or event.purchase is None or event.purchase.receipt is None:
        return None
    number = canonical_receipt(event.purchase.receipt)
    return ReceiptKey(event.store or "", day_of(event.occurred_at, programme.zone), number) if number else None


def needs_of_receipt(event: Event, programme: Programme, *, is_typed: bool) -> Needs:
    """Return what crediting a receipt may depend on."""
    key = receipt_key(event, programme)
    is_typed = is_typed and event.type == PURCHASE
    if key is None and not is_typed:
        return NO_NEEDS
    return Needs(receipts=frozenset({key}) if key is not None else frozenset(), claims=is_typed)


def claim_purchase(event: Event, cause: Cause, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to note a purchase that was typed without a till; it gives nothing until it is confirmed."""
    key = receipt_key(event, builder.programme)
    holder = builder.facts.holder_of(key) if key is not None else None
    if holder is not None:
        return _taken(event, holder)
    if builder.facts.open_claims_of(builder.member.id) >= OPEN_CLAIMS_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "claims_max", ("member",), {"max": OPEN_CLAIMS_MAX})
    until = builder.now + CLAIM_LASTS
    entry = builder.note_event(event, (_awaits(event, day_of(until, builder.programme.zone).isoformat()),))
    lot = builder.lot_days(event.occurred_at)
    builder.receipt = key
    claimed = RecordedEvent(
        event=event,
        member=builder.member.id,
        version=builder.version,
        grants=(),
        earned_on=lot.earned_on,
        expires_on=lot.expires_on,
        shares_returned=(NOT_RETURNED,) * len(paid_by_part(event.purchase)),
        claim=Claim(until, entry),
    )
    return builder.close(cause, recorded_event=claimed)


def _awaits(event: Event, day: str) -> Explanation:
    receipt = event.purchase.receipt if event.purchase is not None else None
    if receipt is None:
        return Explanation(RECEIPT_RULE, 0, applied=False, reason=RuleOutcome.AWAITS_STAFF, params={"day": day})
    params = {"day": day, "receipt": receipt}
    return Explanation(RECEIPT_RULE, 0, applied=False, reason=RuleOutcome.AWAITS_RECEIPT, params=params)


def take_receipt(event: Event, builder: DecisionBuilder) -> Refusal | None:
    """Credit the receipt of a till's or staff's purchase to it; return why it cannot be, or None.

    It replaces a claim. The till knows who bought: the claim of another member is refused, and does not stop it.
    """
    key = receipt_key(event, builder.programme)
    if key is None:
        return None
    holder = builder.facts.holder_of(key)
    if holder is not None and (holder.claim is None or holder.is_counted):
        return _taken(event, holder)
    builder.receipt = key
    if holder is not None and holder.claim is not None and holder.claim.state is ClaimState.OPEN:
        is_confirmed = holder.member == builder.member.id and holder.claim.is_open(builder.now)
        if is_confirmed and not _has_same_total(event, holder):
            return _taken(event, holder)
        claim = purchase_reference(holder.event.sender, holder.event.key)
        builder.settled_claim = (claim, ClaimState.MATCHED if is_confirmed else ClaimState.REFUSED)
        if is_confirmed:
            bind_uses(holder.event, event, builder)
    return None


def _taken(event: Event, holder: RecordedEvent) -> Refusal:
    """Return the refusal of a receipt that belongs to another purchase or claim."""
    if not _has_same_total(event, holder):
        return Refusal(RefusalCode.CONFLICT, "receipt_total", ("purchase", "total"))
    if holder.is_counted:
        return Refusal(RefusalCode.ALREADY_EXISTS, "receipt_counted", ("purchase", "receipt"))
    return Refusal(RefusalCode.ALREADY_EXISTS, "receipt_claimed", ("purchase", "receipt"))


def _has_same_total(event: Event, holder: RecordedEvent) -> bool:
    stated, known = event.purchase, holder.event.purchase
    return stated is not None and known is not None and (stated.total, stated.currency) == (known.total, known.currency)
