"""Activity: what a record counts as under a programme's limits, and the counters that it is counted on."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of, end_of, start_of
from loyalty.model.activity_limit import ActivityLimit, LimitedActor, Measure, Span
from loyalty.model.event import DECIDE_OPERATION, EVENT_OPERATION, REFUND
from loyalty.model.explanation import NOT_COUNTED
from loyalty.model.ledger import IMPORTED, Cause, EntryKind, Record
from loyalty.model.supply import CounterKey, CounterKind

EVENT_LABEL = "event"
# The operations that let an event count.
_COUNTING = frozenset({EVENT_OPERATION, DECIDE_OPERATION})


def amount_of(record: Record, measure: Measure) -> int:
    """Return what a record counts as; 0 for refunds, which no limit may refuse, and for claims until they are accepted.

    Points that are given and points that are deducted by an adjustment both count, so that one does not make room for
    the other.
    """
    match measure:
        case Measure.EVENTS:
            return int(record.cause.operation in _COUNTING and not _counts_nothing(record))
        case Measure.POINTS:
            return sum(entry.points for entry in record.entries if entry.kind is EntryKind.EARN)
        case Measure.ADJUSTMENT:
            return sum(abs(entry.points) for entry in record.entries if entry.kind is EntryKind.ADJUST)


def _counts_nothing(record: Record) -> bool:
    """Return whether a record's event is a refund, or a claim that does not count."""
    return any(
        entry.params.get("type") == REFUND or any(why.reason in NOT_COUNTED for why in entry.explanations)
        for entry in record.entries
        if entry.label == EVENT_LABEL
    )


def limits_for(limits: Iterable[ActivityLimit], cause: Cause) -> Iterator[ActivityLimit]:
    """Yield the limits that a command is under: none for imports, those of tills for tills and of agents for agents."""
    if cause.reason == IMPORTED:
        return
    for limit in limits:
        if limit.of is LimitedActor.CARD or limit.of == cause.role:
            yield limit


def counter_for(limit: ActivityLimit, cause: Cause, member: str, now: datetime, zone: ZoneInfo) -> CounterKey:
    """Return the counter of a limit for a command of one member at a moment."""
    who = member if limit.of is LimitedActor.CARD else cause.subject
    key = f"{limit.of}/{limit.measure}/{limit.span}/{who}"
    return CounterKey(CounterKind.ACTIVITY, key, span_of(limit.span, now, zone)[0])


def span_of(span: Span, moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start and the end, in UTC, of the hour or the day that a moment is in."""
    day = day_of(moment, zone)
    if span is Span.DAY:
        return start_of(day, zone), end_of(day, zone)
    # Not by arithmetic in the zone, in which an hour can come twice.
    local = moment.astimezone(zone)
    start = moment - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return start, start + timedelta(hours=1)


def parts_of(counter: CounterKey) -> tuple[LimitedActor, Measure, Span, str]:
    """Return the parts of a counter's key: whose it is, what it counts, its span, and the member or the subject.

    Raises:
        ValueError: it is not the key of such a counter.
    """
    of, measure, span, who = counter.key.split("/", maxsplit=3)
    return LimitedActor(of), Measure(measure), Span(span), who
