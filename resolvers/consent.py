"""Records consents: a member grants or withdraws them, and every change can be shown."""

from loyalty.commands.personal.consent import SetConsents, consents_of
from loyalty.commands.registry import kind_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from models.commits.request import Outcome
from resolvers.core.command import cause_of, member_to_act_for, run_command
from resolvers.core.context import Context
from resolvers.core.member import MemberKey
from resolvers.core.reading import read_or_unavailable

ConsentChange = tuple[ConsentPurpose, ContactChannel | None, bool]


async def set_consents(
    context: Context, *, key: str, member: MemberKey | None, consents: tuple[ConsentChange, ...]
) -> Outcome:
    """Store the given consents of a member as granted or withdrawn; others do not change."""
    found = await member_to_act_for(context, member)
    if isinstance(found, Refusal):
        return found
    command = SetConsents(consents, context.channel or Channel.SYSTEM, cause_of(context, SetConsents, key))
    return await run_command(context, command, found, {"consents": [[*change] for change in consents]})


async def history(context: Context, member: str) -> list[Consent]:
    """Return every change of a member's consents, newest first."""
    programme = context.require_actor().programme
    records = await read_or_unavailable(
        context.services.reader.records_of(programme, member, kind_of(SetConsents).operation)
    )
    return [consent for record in records for consent in reversed(consents_of(record))]
