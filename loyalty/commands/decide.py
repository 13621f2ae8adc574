"""Deciding: a command, the state of its members and a programme give a decision or a refusal.

Pure: the live path, previews, imports and property tests all call it, so they cannot disagree.
"""

from collections.abc import Sequence
from datetime import datetime

from loyalty.commands.activity import needs_of_limits, within_limits
from loyalty.commands.consequences import needs_of_consequences
from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import Command, Members, OtherMember, kind_of
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.event import RecordedEvent
from loyalty.model.facts import NO_FACTS, NO_NEEDS, Facts, Needs, combined
from loyalty.model.member import Member
from loyalty.model.programme import Programme


def needs(
    command: Command,
    member: Member | None,
    programme: Programme,
    *,
    others: Members = (),
    purchase: RecordedEvent | None = None,
    now: datetime | None = None,
) -> Needs:
    """Return what `command` may depend on besides its members, to be read in the same transaction as them.

    `purchase` is the recorded purchase that it refers to: it may change what followed from it.

    Raises:
        ValueError: the programme limits activity, and `now` is not given.
    """
    declared = kind_of(type(command)).needs
    own = declared(command, (member, *others), programme) if declared is not None else NO_NEEDS
    if purchase is not None and purchase.consequences:
        own = combined([own, needs_of_consequences(purchase.consequences)])
    if not programme.activity_limits:
        return own
    if now is None:
        raise ValueError("the counters of limits depend on the present moment: give it")
    return combined([own, needs_of_limits(command.cause, (member, *others), programme, now)])


def decide(
    command: Command,
    member: Member | None,
    programme: Programme,
    now: datetime,
    facts: Facts = NO_FACTS,
    *,
    others: Members = (),
) -> Decision | Refusal | NothingToSettle:
    """Return what `command` does to `member` and to `others` under `programme` at `now`.

    `others` are the members that the command names besides the first one, in its order, None where one does not exist;
    `facts` answer the command's `needs`. Returns a `Refusal` if the caller can fix something, `NothingToSettle` if a
    `Settle` finds nothing overdue.

    Raises:
        FactNotRead: the facts lack something that the command depends on.
        TypeError: the command is not registered.
    """
    outcome = _decided(command, member, programme, now, facts, others=others)
    if not programme.activity_limits or not isinstance(outcome, Decision):
        return outcome
    return within_limits(outcome, (member, *others), programme, now, facts)


def _decided(
    command: Command, member: Member | None, programme: Programme, now: datetime, facts: Facts, *, others: Members
) -> Decision | Refusal | NothingToSettle:
    kind = kind_of(type(command))
    if kind.creates is not None:
        member = kind.creates(command, programme, now)
    if member is None:
        return _not_found(("member",))
    if kind.shortcut is not None:
        decision = kind.shortcut(command, member, programme, now)
        if decision is not None:
            return decision
    if kind.others is None:
        return kind.handler(command, DecisionBuilder(member, programme, now, facts))
    builders = _builders_of(kind.others(command), others, programme, now, facts)
    if isinstance(builders, Refusal):
        return builders
    return kind.handler(command, DecisionBuilder(member, programme, now, facts, builders))


def _builders_of(
    named: Sequence[OtherMember], members: Members, programme: Programme, now: datetime, facts: Facts
) -> tuple[DecisionBuilder, ...] | Refusal:
    builders: list[DecisionBuilder] = []
    for other, member in zip(named, members, strict=True):
        if member is None:
            return _not_found(other.path)
        builders.append(DecisionBuilder(member, programme, now, facts))
    return tuple(builders)


def _not_found(path: tuple[str, ...]) -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, "member_not_found", path)
