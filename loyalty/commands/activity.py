"""Limits of activity: a decision that would exceed one is refused, every other is counted in its own transaction."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from loyalty.commands.registry import Members
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.activity_limit import ActivityLimit, LimitedActor, Measure
from loyalty.model.decision import Decision
from loyalty.model.event import DECIDE_OPERATION
from loyalty.model.facts import Facts, Needs
from loyalty.model.ledger import Cause
from loyalty.model.programme import Programme
from loyalty.model.supply import CounterKey
from loyalty.rules.activity import amount_of, counter_for, limits_for


def needs_of_limits(cause: Cause, members: Members, programme: Programme, now: datetime) -> Needs:
    """Return the counters of the limits that a command is under; a member that does not exist yet has none."""
    ids = [member.id for member in members if member is not None]
    return Needs(frozenset(counter for _, counter, _ in _counters(cause, ids, programme, now)))


def _counters(
    cause: Cause, members: list[str], programme: Programme, now: datetime
) -> Iterator[tuple[ActivityLimit, CounterKey, str | None]]:
    """Yield each limit with its counter, and the member whose records it counts; None for those of all members."""
    for limit in limits_for(programme.activity_limits, cause):
        if limit.of is LimitedActor.CARD:
            for member in members:
                yield limit, counter_for(limit, cause, member, now, programme.zone), member
        else:
            yield limit, counter_for(limit, cause, "", now, programme.zone), None


def within_limits(
    decision: Decision, members: Members, programme: Programme, now: datetime, facts: Facts
) -> Decision | Refusal:
    """Return the decision with what it counts as, or its refusal if that would exceed a limit."""
    records = [decision.record, *(other.record for other in decision.others)]
    counted: dict[CounterKey, int] = {}
    ids = [member.id for member in members if member is not None]
    for limit, counter, member in _counters(decision.record.cause, ids, programme, now):
        amount = sum(amount_of(record, limit.measure) for record in records if member in {None, record.member})
        if amount and facts.counter(counter) + amount > limit.most:
            return _refusal(limit, decision.record.cause)
        counted[counter] = amount
    changes = {counter: amount for counter, amount in counted.items() if amount}
    return replace(decision, counter_changes={**decision.counter_changes, **changes}) if changes else decision


def _refusal(limit: ActivityLimit, cause: Cause) -> Refusal:
    is_decision = cause.operation == DECIDE_OPERATION
    path = ("points",) if limit.measure is Measure.ADJUSTMENT else ("entry",) if is_decision else ("member",)
    return Refusal(RefusalCode.LIMIT_REACHED, f"activity_{limit.measure}_{limit.span}", path, {"max": limit.most})
