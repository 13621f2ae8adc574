"""Audits the counters of limited activity: none counts more than the ledger holds of its hour or day.

It can count less: a limit that a programme begins with in the middle of a day counts from then on. A day counts as the
longest one, of 25 hours.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from loyalty.model.activity_limit import LimitedActor, Measure, Span
from loyalty.model.ledger import IMPORTED, Record
from loyalty.model.supply import CounterKey, CounterKind
from loyalty.rules.activity import amount_of, parts_of
from models.mongo.bson import utc_moment
from models.mongo.database import Database
from models.mongo.ledger import record_of
from resolvers.audit.decode import Unreadable, decode
from resolvers.audit.supply import BrokenSupply

_LONGEST = {Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(hours=25)}


@dataclass(frozen=True, slots=True)
class _Counted:
    """One counter as stored."""

    id: str
    of: tuple[LimitedActor, str]
    measure: Measure
    starts_at: datetime
    ends_at: datetime
    taken: int


@dataclass(slots=True)
class _Activity:
    """The counters by the member or subject that they count, and what the ledger holds of each."""

    by_actor: dict[tuple[str, str], list[_Counted]] = field(default_factory=lambda: defaultdict(list))
    held: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Add a record to all counters that can have counted it."""
        cause = record.cause
        if cause.reason == IMPORTED:
            return
        for actor in ((LimitedActor.CARD, record.member), (cause.role, cause.subject)):
            for counted in self.by_actor.get(actor, ()):
                if counted.starts_at <= record.recorded_at < counted.ends_at:
                    self.held[counted.id] += amount_of(record, counted.measure)


def _counted(document: dict[str, Any]) -> _Counted:
    at = utc_moment(document["at"])
    of, measure, span, who = parts_of(CounterKey(CounterKind.ACTIVITY, document["key"], at))
    return _Counted(document["_id"], (of, who), measure, at, at + _LONGEST[span], int(document["taken"]))


async def check_activity(database: Database, programme: str) -> AsyncIterator[BrokenSupply | None]:
    """Yield each counter of activity: its faults, or None if it has none.

    The counters are read first: what is committed meanwhile can only be missing from them.
    """
    activity, found = _Activity(), list[_Counted]()
    query = {"programme": programme, "kind": CounterKind.ACTIVITY}
    async for document in database.counters.find(query):
        counted = decode(_counted, document)
        if isinstance(counted, Unreadable):
            yield BrokenSupply(f"counter {document['_id']}", (f"cannot be read: {counted.reason}",))
            continue
        activity.by_actor[counted.of].append(counted)
        found.append(counted)
    if not found:
        return
    since = {"programme": programme, "recorded_at": {"$gte": min(counted.starts_at for counted in found)}}
    async for document in database.records.find(since):
        record = decode(record_of, document)
        if not isinstance(record, Unreadable):  # the audit of its member reports it
            activity.add(record)
    for counted in found:
        held = activity.held[counted.id]
        fault = f"it is {counted.taken}, and the ledger holds {held} of that time"
        yield BrokenSupply(f"counter {counted.id}", (fault,)) if counted.taken > held else None
