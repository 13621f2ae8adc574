"""Until when time alone leaves an answer as it is: days, the catalogue's windows, and what falls due for a member."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta

from loyalty.model.programme import Programme
from loyalty.rules.ranking import REFUSED_DAYS
from models.reads.dependencies import Recording


def valid_until(recording: Recording, programmes: Iterable[Programme], now: datetime) -> datetime | None:
    """Return the first moment at which an answer may differ although nothing was written; None if there is none.

    Answers depend on the brands' days (tiers, segments, limits, windows), on UTC's (affinities decay), on the
    catalogue's own moments, on the moment at which a member has to be settled, and on the moment at which an offer that
    a member refused is ranked as before. `programmes` are those that the answer can be about.
    """
    return min(_edges(recording, programmes, now)) if recording.timed else None


def _edges(recording: Recording, programmes: Iterable[Programme], now: datetime) -> Iterator[datetime]:
    for programme in programmes:
        yield programme.catalogue.next_edge(now, programme.zone)
    yield datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    for snapshot in recording.snapshots.values():
        if snapshot.due_at is not None:
            yield snapshot.due_at
        for use in snapshot.member.offers.values():
            if use.refused_at is not None and use.refused_at + timedelta(days=REFUSED_DAYS) > now:
                yield use.refused_at + timedelta(days=REFUSED_DAYS)
