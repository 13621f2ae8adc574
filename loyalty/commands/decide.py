"""The one function that changes anything: a command, a member's state and a programme give a decision or a refusal.

It is pure. The live path, a preview, an import and the property tests all call it, so they cannot disagree.
"""

from datetime import datetime

from loyalty.commands.adjust_points import AdjustPoints, adjust_points
from loyalty.commands.advance_order import AdvanceOrder, CancelOrder, advance, cancel
from loyalty.commands.allocation import needs_of_rewards
from loyalty.commands.consent import SetConsents, set_consents
from loyalty.commands.decision_builder import Draft
from loyalty.commands.enrol import Enrol, enrol
from loyalty.commands.hold import HoldPoints, ReleaseHold, hold, release
from loyalty.commands.offer import ActivateOffer, NoteOffers, RedeemOffer, activate, needs_of_offers, note, redeem
from loyalty.commands.place_order import PlaceOrder, place
from loyalty.commands.preference import SetPreferences, set_preferences
from loyalty.commands.record_event import RecordEvent, needs_of_event, record_event
from loyalty.commands.settle import Settle
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision, Unchanged
from loyalty.model.facts import NO_FACTS, NO_NEEDS, Facts, Needs, joined
from loyalty.model.member import Member
from loyalty.model.programme import Programme

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
        return needs_of_event(command, member, programme)
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


def decide(
    command: Command, member: Member | None, programme: Programme, now: datetime, facts: Facts = NO_FACTS
) -> Decision | Refusal | Unchanged:
    """Return what `command` does to `member` under `programme` at `now`; `facts` answer its `needs`.

    Returns a `Refusal` where the caller can mend something, `Unchanged` where a `Settle` finds nothing due.

    Raises:
        NotRead: the facts lack something that the command depends on.
    """
    if isinstance(command, Enrol):
        return enrol(command, programme, now)
    if member is None:
        return Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))
    if isinstance(command, RecordEvent):
        return record_event(command, member, programme, now, facts)
    if isinstance(command, AdjustPoints):
        return adjust_points(command, member, programme, now)
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
