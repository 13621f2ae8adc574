"""Lots: points with the day they were earned and the day they expire, spent oldest first."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from loyalty.ledger import LotKey

EXPIRED_LOT_KEPT_DAYS = 400


@dataclass(frozen=True, slots=True)
class Lot:
    """Points earned on one day with one expiry. `expired` is how many of them lapsed, told to later refunds."""

    key: LotKey
    points: int
    expired: int = 0


def spending_order(lot: Lot) -> tuple[date, date]:
    """Order lots as they are spent: the one that expires first, then the one earned first."""
    return (lot.key.expires_on or date.max, lot.key.earned_on)


def with_points(lots: tuple[Lot, ...], key: LotKey, points: int, *, expired: int = 0) -> tuple[Lot, ...]:
    """Return the lots, which are in spending order, with so many points more (or fewer) in one of them.

    A lot that is empty is gone. Nothing but this lot is looked at: members have hundreds.
    """
    place = next((index for index, lot in enumerate(lots) if lot.key == key), None)
    if place is None:
        changed = Lot(key, points, expired)
        place = bisect_right(lots, spending_order(changed), key=spending_order)
        before, after = lots[:place], lots[place:]
    else:
        changed = Lot(key, lots[place].points + points, lots[place].expired + expired)
        before, after = lots[:place], lots[place + 1 :]
    if changed.points < 0 or changed.expired < 0:
        raise ValueError(f"lot {key} would fall below zero")
    return (*before, changed, *after) if changed.points or changed.expired else before + after


def spend(lots: Iterable[Lot], points: int, *, first: LotKey | None = None) -> list[tuple[LotKey, int]]:
    """Return which lots give how much of `points`, oldest first (`first` before all others).

    The parts sum to `points`, or to less where the lots hold less.
    """
    ordered = sorted((lot for lot in lots if lot.points), key=lambda lot: (lot.key != first, *spending_order(lot)))
    parts: list[tuple[LotKey, int]] = []
    for lot in ordered:
        if points <= 0:
            break
        part = min(points, lot.points)
        parts.append((lot.key, part))
        points -= part
    return parts


def overdue(lots: Iterable[Lot], today: date) -> list[Lot]:
    """Return the lots that still hold points after their last day."""
    return [lot for lot in lots if lot.points and lot.key.expires_on is not None and lot.key.expires_on < today]


def without_forgotten(lots: Iterable[Lot], today: date) -> tuple[Lot, ...]:
    """Return the lots without those that expired so long ago that no refund can ask for them."""
    horizon = today - timedelta(days=EXPIRED_LOT_KEPT_DAYS)
    return tuple(lot for lot in lots if lot.points or (lot.key.expires_on or date.max) >= horizon)
