"""Claims: purchases that were typed at a tablet, until a till or staff confirm them."""

from loyalty.commands.decide_pending import DecidePending
from loyalty.commands.registry import EVENT_OPERATION
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import RecordedEvent
from models.commits.request import Outcome
from models.mongo.event import counted_event_of
from resolvers.core.command import cause_of, run_command, text_refusal
from resolvers.core.context import Context
from resolvers.core.reading import read_or_unavailable

REASON_LENGTH_MAX = 500
_NOT_FOUND = Refusal(RefusalCode.NOT_FOUND, "claim_not_found", ("entry",))


async def open_claims(context: Context, member: str) -> list[RecordedEvent]:
    """Return the claims of a member that wait, the one that lapses first at the front; at most OPEN_CLAIMS_MAX."""
    return await read_or_unavailable(
        context.services.reader.claims(context.require_actor().programme, member, context.now())
    )


async def decide_claim(
    context: Context, *, key: str, entry: tuple[str, int, int] | None, accepts: bool, reason: str
) -> Outcome:
    """Accept or refuse the claim of a ledger entry (member, version, index)."""
    refusal = text_refusal(reason, REASON_LENGTH_MAX, "reason")
    if refusal is not None:
        return refusal
    claimed = await _claimed_in(context, entry) if entry is not None else None
    if claimed is None or entry is None:
        return _NOT_FOUND
    reason = reason.strip()
    command = DecidePending(claimed.event, accepts, cause_of(context, DecidePending, key, reason))
    content = {"entry": [*entry], "accept": accepts, "reason": reason}
    return await run_command(context, command, claimed.member, content)


async def _claimed_in(context: Context, entry: tuple[str, int, int]) -> RecordedEvent | None:
    """Return the claim that a ledger entry recorded; None if it recorded none in the actor's programme."""
    member, version, index = entry
    reader = context.services.reader
    record = await read_or_unavailable(reader.record(member, version))
    if record is None or record.cause.operation != EVENT_OPERATION:
        return None
    programme, cause = context.require_actor().programme, record.cause
    document = await read_or_unavailable(reader.event(programme, EVENT_OPERATION, cause.subject, cause.key))
    claimed = counted_event_of(document) if document is not None and "claim" in document else None
    is_it = claimed is not None and claimed.claim is not None and claimed.claim.entry == index
    return claimed if is_it and claimed is not None and (claimed.member, claimed.version) == (member, version) else None
