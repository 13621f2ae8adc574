"""Mutation of claims: staff accept or refuse a purchase that was typed at a tablet."""

import strawberry

from resolvers import claim
from schema.mutations.adjust_points import AdjustPointsPayload
from schema.wire.access import STAFF, mutation
from schema.wire.ids import place_of_entry
from schema.wire.info import Info
from schema.wire.input_field import KEY, required


@strawberry.input
class DecidePendingInput:
    """The decision of staff on a purchase that waits."""

    key: str = required(KEY)
    entry: strawberry.ID = required("Global id of the ledger entry of the waiting purchase; see `Member.claims`.")
    accept: bool = required("True: the purchase gives its points now. False: it never does.")
    reason: str = required("Why, in up to 500 characters; stays in the ledger with the person's id.")


@strawberry.type
class DecidePendingMutation:
    """The mutation of claims."""

    @mutation(STAFF)
    async def decide_pending(self, info: Info, input: DecidePendingInput) -> AdjustPointsPayload:  # noqa: A002
        """Accept or refuse a purchase that was typed at a tablet and waits. For agents and managers."""
        outcome = await claim.decide_claim(
            info.context, key=input.key, entry=place_of_entry(input.entry), accepts=input.accept, reason=input.reason
        )
        return AdjustPointsPayload.of(outcome, info.context)
