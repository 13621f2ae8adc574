"""Lots: points with the day they were earned and the day they expire, spent oldest first.

A member has hundreds of lots, and an event changes one of them. So they are kept packed, in spending order, and what an
event needs is found by bisection: no lot is made but those that are asked for.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from struct import Struct
from typing import overload

from loyalty.kernel.calendar import day_from
from loyalty.kernel.fast_dataclass import quick
from loyalty.model.ledger import LotKey

EXPIRED_LOT_KEPT_DAYS = 400

_CELLS = 3
_ROW = Struct(f"={_CELLS}q")
_DAY_BITS = 32
_DAY_MASK = (1 << _DAY_BITS) - 1
# In the place of the last day of a lot that never expires: after every day that there is.
_NEVER = (1 << 31) - 1


@quick
@dataclass(frozen=True, slots=True)
class Lot:
    """Points earned on one day with one expiry. `expired` is how many of them lapsed, told to later refunds."""

    key: LotKey
    points: int
    expired: int = 0


def spending_order(lot: Lot) -> tuple[date, date]:
    """Order lots as they are spent: the one that expires first, then the one earned first."""
    return (lot.key.expires_on or date.max, lot.key.earned_on)


def _packed(key: LotKey) -> int:
    """Return a lot's two days as one number, which orders lots as they are spent."""
    last = key.expires_on.toordinal() if key.expires_on is not None else _NEVER
    return last << _DAY_BITS | key.earned_on.toordinal()


def _key(packed: int) -> LotKey:
    last = packed >> _DAY_BITS
    return LotKey(day_from(packed & _DAY_MASK), day_from(last) if last != _NEVER else None)


class Lots(Sequence[Lot]):
    """The lots of one member, in spending order; never changed, equal to any sequence of the same lots.

    `packed` is three whole numbers of 64 bits for each lot, in the machine's own byte order: its days (see `_packed`),
    its points, and how many of them expired.
    """

    __slots__ = ("_cells", "packed")

    def __init__(self, packed: bytes = b"") -> None:
        if len(packed) % _ROW.size:
            raise ValueError(f"packed lots of {len(packed)} bytes: each takes {_ROW.size}")
        self.packed = packed
        self._cells = memoryview(packed).cast("q")

    @classmethod
    def of(cls, lots: Iterable[Lot]) -> "Lots":
        """Return some lots in spending order."""
        if isinstance(lots, Lots):
            return lots
        rows = sorted((_packed(lot.key), lot.points, lot.expired) for lot in lots)
        return cls(b"".join(_ROW.pack(*row) for row in rows))

    @property
    def is_sound(self) -> bool:
        """Whether the lots are in spending order, and their days are days: what others have packed may be otherwise."""
        try:
            tuple(self)
        except (ValueError, OverflowError):
            return False
        return all(one < following for one, following in pairwise(self._cells[::_CELLS]))

    def __len__(self) -> int:
        return len(self._cells) // _CELLS

    def __iter__(self) -> Iterator[Lot]:
        return (Lot(_key(key), points, expired) for key, points, expired in _ROW.iter_unpack(self.packed))

    @overload
    def __getitem__(self, index: int) -> Lot: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Lot, ...]: ...
    def __getitem__(self, index: int | slice) -> Lot | tuple[Lot, ...]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Lots):
            return self.packed == other.packed
        return tuple(self) == tuple(other) if isinstance(other, tuple | list) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Lots.of({list(self)!r})"

    def _place(self, packed: int) -> int:
        """Return the place of the first lot that is not before a key."""
        return bisect_left(self._cells[::_CELLS], packed)

    def has(self, key: LotKey) -> bool:
        """Say whether there is a lot of this key."""
        packed = _packed(key)
        place = self._place(packed) * _CELLS
        return place < len(self._cells) and self._cells[place] == packed

    def with_points(self, key: LotKey, points: int, expired: int) -> "Lots":
        """Return the lots with so many points, and so many expired ones, more (or fewer) in one of them."""
        cells, packed = self._cells, _packed(key)
        place = end = self._place(packed)
        if place * _CELLS < len(cells) and cells[place * _CELLS] == packed:
            _, before, expired_before = cells[place * _CELLS : place * _CELLS + _CELLS]
            points, expired, end = before + points, expired_before + expired, place + 1
        if points < 0 or expired < 0:
            raise ValueError(f"lot {key} would fall below zero")
        row = _ROW.pack(packed, points, expired) if points or expired else b""
        return Lots(self.packed[: place * _ROW.size] + row + self.packed[end * _ROW.size :])

    def first_end(self) -> date | None:
        """Return the last day of the lot with points that expires first; None where none ever does."""
        for place in range(0, len(self._cells), _CELLS):
            if self._cells[place + 1]:
                last = self._cells[place] >> _DAY_BITS
                return day_from(last) if last != _NEVER else None
        return None

    def by_last_day(self) -> list[tuple[date | None, int]]:
        """Return the points there are by the last day on which they can be spent, None for never, in that order."""
        by_day: dict[int, int] = {}
        for key, points, _ in _ROW.iter_unpack(self.packed):
            if points:
                last = key >> _DAY_BITS
                by_day[last] = by_day.get(last, 0) + points
        return [(day_from(last) if last != _NEVER else None, points) for last, points in by_day.items()]

    def overdue(self, today: date) -> "Lots":
        """Return the lots that still hold points after their last day."""
        cells, end = self._cells, _CELLS * self._place(today.toordinal() << _DAY_BITS)
        if not any(cells[1:end:_CELLS]):
            return NO_LOTS
        return Lots(b"".join(bytes(cells[at : at + _CELLS]) for at in range(0, end, _CELLS) if cells[at + 1]))

    def without_forgotten(self, horizon: date) -> "Lots":
        """Return the lots without the empty ones whose last day was before `horizon`."""
        cells, end = self._cells, _CELLS * self._place(horizon.toordinal() << _DAY_BITS)
        if not end:
            return self
        kept = b"".join(bytes(cells[at : at + _CELLS]) for at in range(0, end, _CELLS) if cells[at + 1])
        return Lots(kept + self.packed[end // _CELLS * _ROW.size :])


NO_LOTS = Lots()


def with_points(lots: Iterable[Lot], key: LotKey, points: int, *, expired: int = 0) -> Lots:
    """Return the lots, in spending order, with so many points more (or fewer) in one of them.

    A lot that is empty is gone. Nothing but this lot is looked at: members have hundreds.
    """
    return Lots.of(lots).with_points(key, points, expired)


def spend(lots: Iterable[Lot], points: int, *, first: LotKey | None = None) -> list[tuple[LotKey, int]]:
    """Return which lots give how much of `points`, oldest first (`first` before all others).

    The parts sum to `points`, or to less where the lots hold less.
    """
    parts: list[tuple[LotKey, int]] = []
    if points <= 0:
        return parts
    ordered = Lots.of(lots)
    preferred = [lot for lot in ordered if lot.key == first] if first is not None and ordered.has(first) else []
    for lot in (*preferred, *(lot for lot in ordered if lot.key != first)):
        if points <= 0:
            break
        part = min(points, lot.points)
        if part:
            parts.append((lot.key, part))
        points -= part
    return parts


def overdue(lots: Iterable[Lot], today: date) -> list[Lot]:
    """Return the lots that still hold points after their last day."""
    return list(Lots.of(lots).overdue(today))


def without_forgotten(lots: Iterable[Lot], today: date) -> Lots:
    """Return the lots without those that expired so long ago that no refund can ask for them."""
    return Lots.of(lots).without_forgotten(today - timedelta(days=EXPIRED_LOT_KEPT_DAYS))
