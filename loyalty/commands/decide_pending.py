"""Deciding on claims: staff accept or refuse a purchase that was typed at a tablet."""

from dataclasses import dataclass, replace

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.receipt import RECEIPT_RULE
from loyalty.commands.record_event import count_event, needs_of_event
from loyalty.commands.registry import Members, handles
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import DECIDE_OPERATION, ClaimState, Event
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.facts import Needs
from loyalty.model.ledger import Cause
from loyalty.model.offer import purchase_reference
from loyalty.model.programme import Programme


@dataclass(frozen=True, slots=True)
class DecidePending:
    """Accept the claimed purchase `event`, or refuse it, for a reason that is recorded."""

    event: Event
    accepts: bool
    cause: Cause


def _needs(command: DecidePending, members: Members, programme: Programme) -> Needs:
    return needs_of_event(command.event, members, programme)


def _claimed(command: DecidePending) -> str:
    return purchase_reference(command.event.sender, command.event.key)


@handles(DecidePending, operation=DECIDE_OPERATION, needs=_needs, refers_to=_claimed)
def decide_pending(command: DecidePending, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision on a claim; an accepted purchase is counted at its own time."""
    claimed = builder.facts.purchase
    if claimed is None or claimed.claim is None or claimed.member != builder.member.id:
        return Refusal(RefusalCode.NOT_FOUND, "claim_not_found", ("entry",))
    if claimed.claim.state is not ClaimState.OPEN:
        return Refusal(RefusalCode.CONFLICT, "claim_decided", ("entry",))
    if not claimed.claim.is_open(builder.now):
        return Refusal(RefusalCode.EXPIRED, "claim_lapsed", ("entry",))
    if not (command.cause.reason or "").strip():
        return Refusal(RefusalCode.INVALID, "reason_missing", ("reason",))
    if not command.accepts:
        why = Explanation(RECEIPT_RULE, 0, applied=False, reason=RuleOutcome.CLAIM_REFUSED)
        builder.note_event(claimed.event, (why,))
        refused = replace(claimed.claim, state=ClaimState.REFUSED)
        return builder.close(command.cause, amended_purchase=replace(claimed, claim=refused))
    counted = count_event(claimed.event, command.cause, builder)
    if isinstance(counted, Refusal):
        return replace(counted, path=("entry",))
    # The event keeps the version that recorded the claim: its key answers with that record.
    accepted = replace(counted, version=claimed.version, claim=replace(claimed.claim, state=ClaimState.ACCEPTED))
    return builder.close(command.cause, amended_purchase=accepted)
