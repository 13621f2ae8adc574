"""When a cached answer expires: the next moment at which time alone can change it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta

from loyalty.model.programme import Programme
from loyalty.rules.ranking import REFUSED_DAYS
from models.reads.dependencies import Recording


def valid_until(recording: Recording, programmes: Iterable[Programme], now: datetime) -> datetime | None:
    """Return the first moment at which an answer may change without a write, as of `now`; None if there is none.

    Such moments are the midnights of the programmes' time zones (tiers, segments, limits, windows) and of UTC
    (affinities decay), the starts and ends in the catalogue, a member's next settlement, and the end of the period in
    which a refused offer ranks last. `programmes` are those that the answer can depend on.
    """
    return min(_edges(recording, programmes, now)) if recording.timed else None


def _edges(recording: Recording, programmes: Iterable[Programme], now: datetime) -> Iterator[datetime]:
    for programme in programmes:
        yield programme.catalogue.next_change_at(now, programme.zone)
    yield datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    for snapshot in recording.snapshots.values():
        if snapshot.next_settlement_at is not None:
            yield snapshot.next_settlement_at
        for use in snapshot.member.offer_uses.values():
            if use.refused_at is not None and use.refused_at + timedelta(days=REFUSED_DAYS) > now:
                yield use.refused_at + timedelta(days=REFUSED_DAYS)
