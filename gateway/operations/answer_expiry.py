"""Until when an answer holds, as far as time is concerned: days, the catalogue's windows, what is due for a member."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta

from loyalty.model.programme import Programme
from loyalty.rules.ranking import REFUSED_DAYS
from models.reads.dependencies import Proof


def valid_until(proof: Proof, programmes: Iterable[Programme], now: datetime) -> datetime | None:
    """Return the first moment at which an answer may be another one though nothing was changed; None: never.

    What is told goes by the brands' days (tiers, segments, limits, windows), by UTC's (tastes fade), by the catalogue's
    own moments, by what falls due for a member, and by offers that come up again after a member refused them.
    `programmes` are those that it can be about.
    """
    return min(_edges(proof, programmes, now)) if proof.timed else None


def _edges(proof: Proof, programmes: Iterable[Programme], now: datetime) -> Iterator[datetime]:
    for programme in programmes:
        yield programme.catalogue.next_edge(now, programme.zone)
    yield datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    for snapshot in proof.snapshots.values():
        if snapshot.due_at is not None:
            yield snapshot.due_at
        for use in snapshot.member.offers.values():
            if use.refused_at is not None and use.refused_at + timedelta(days=REFUSED_DAYS) > now:
                yield use.refused_at + timedelta(days=REFUSED_DAYS)
