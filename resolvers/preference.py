"""Stores the preferences that a member declares."""

from loyalty.commands.personal.preference import SetPreferences
from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers.core.command import cause_of, member_to_act_for, run_command
from resolvers.core.context import Context
from resolvers.core.member import MemberKey


async def set_preferences(context: Context, *, key: str, member: MemberKey | None, topics: tuple[str, ...]) -> Outcome:
    """Replace a member's preferences. `topics` are such as `category:COFFEE` and `brand:Private`."""
    found = await member_to_act_for(context, member)
    if isinstance(found, Refusal):
        return found
    command = SetPreferences(topics, cause_of(context, SetPreferences, key))
    return await run_command(context, command, found, {"topics": [*topics]})
