"""Lots: points by the day they were earned and the day they expire, spent first to expire, first earned.

A member has hundreds of lots, and an event changes one of them. They are packed into bytes in spending order and found
by bisection, so that a decision creates `Lot` objects only for the lots it reads.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from struct import Struct
from typing import overload

from loyalty.kernel.calendar import day_from_ordinal
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.model.ledger import LotKey

EXPIRED_LOT_RETENTION_DAYS = 400

_CELLS = 3
_ROW = Struct(f"={_CELLS}q")
_DAY_BITS = 32
_DAY_MASK = (1 << _DAY_BITS) - 1
# The expiry of a lot that never expires; it sorts after every date.
_NEVER = (1 << 31) - 1


@fast_init
@dataclass(frozen=True, slots=True)
class Lot:
    """Points earned on one day with one expiry.

    `points` can still be spent. `expired_points` have expired; a later refund does not reverse those twice.
    """

    key: LotKey
    points: int
    expired_points: int = 0


def spending_order(lot: Lot) -> tuple[date, date]:
    """Return the sort key of spending: the lot that expires first, then the one that was earned first."""
    return (lot.key.expires_on or date.max, lot.key.earned_on)


def _packed(key: LotKey) -> int:
    """Return a lot's two days as one integer that sorts in spending order."""
    last = key.expires_on.toordinal() if key.expires_on is not None else _NEVER
    return last << _DAY_BITS | key.earned_on.toordinal()


def _key(packed: int) -> LotKey:
    last = packed >> _DAY_BITS
    return LotKey(day_from_ordinal(packed & _DAY_MASK), day_from_ordinal(last) if last != _NEVER else None)


class Lots(Sequence[Lot]):
    """The lots of one member in spending order. Immutable; equal to any sequence of the same lots.

    `packed` holds three 64-bit integers for each lot in the machine's byte order: its days (see `_packed`), its points
    and its expired points.

    Raises:
        ValueError: the length of `packed` is not a multiple of 24 bytes.
    """

    __slots__ = ("_cells", "packed")

    def __init__(self, packed: bytes = b"") -> None:
        if len(packed) % _ROW.size:
            raise ValueError(f"packed lots of {len(packed)} bytes: each takes {_ROW.size}")
        self.packed = packed
        self._cells = memoryview(packed).cast("q")

    @classmethod
    def of(cls, lots: Iterable[Lot]) -> "Lots":
        """Return `lots` packed and in spending order."""
        if isinstance(lots, Lots):
            return lots
        rows = sorted((_packed(lot.key), lot.points, lot.expired_points) for lot in lots)
        return cls(b"".join(_ROW.pack(*row) for row in rows))

    @property
    def is_valid(self) -> bool:
        """Whether the lots are in spending order with valid dates. Packed bytes that were stored may be corrupt."""
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
        """Return the index of the first lot that does not sort before `packed`."""
        cells = self._cells
        if not cells or cells[-_CELLS] < packed:
            return len(cells) // _CELLS
        if cells[-_CELLS] == packed:  # most often the newest lot is looked up
            return len(cells) // _CELLS - 1
        return bisect_left(cells[::_CELLS], packed)

    def contains(self, key: LotKey) -> bool:
        """Return whether a lot has this key."""
        packed = _packed(key)
        place = self._place(packed) * _CELLS
        return place < len(self._cells) and self._cells[place] == packed

    def with_points(self, key: LotKey, points: int, expired: int) -> "Lots":
        """Return the lots with `points` and `expired` added to one lot; either may be negative. Drops an empty lot.

        Raises:
            ValueError: the lot's points or expired points would become negative.
        """
        cells, packed = self._cells, _packed(key)
        place = end = self._place(packed)
        if place * _CELLS < len(cells) and cells[place * _CELLS] == packed:
            _, before, expired_before = cells[place * _CELLS : place * _CELLS + _CELLS]
            points, expired, end = before + points, expired_before + expired, place + 1
        if points < 0 or expired < 0:
            raise ValueError(f"lot {key} would fall below zero")
        row = _ROW.pack(packed, points, expired) if points or expired else b""
        return Lots(self.packed[: place * _ROW.size] + row + self.packed[end * _ROW.size :])

    def next_expiry_day(self) -> date | None:
        """Return the first expiry day of a lot with points; None if no points ever expire."""
        for place in range(0, len(self._cells), _CELLS):
            if self._cells[place + 1]:
                last = self._cells[place] >> _DAY_BITS
                return day_from_ordinal(last) if last != _NEVER else None
        return None

    def points_by_expiry_day(self) -> list[tuple[date | None, int]]:
        """Return (last day to spend, points) in order of days, without empty days; the day is None for never."""
        by_day: dict[int, int] = {}
        for key, points, _ in _ROW.iter_unpack(self.packed):
            if points:
                last = key >> _DAY_BITS
                by_day[last] = by_day.get(last, 0) + points
        return [(day_from_ordinal(last) if last != _NEVER else None, points) for last, points in by_day.items()]

    def overdue(self, today: date) -> "Lots":
        """Return the lots that hold points although their expiry day is before `today`."""
        cells, first = self._cells, today.toordinal() << _DAY_BITS
        if not cells or cells[0] >= first:
            return NO_LOTS
        end = _CELLS * self._place(first)
        if not any(cells[1:end:_CELLS]):
            return NO_LOTS
        return Lots(b"".join(bytes(cells[at : at + _CELLS]) for at in range(0, end, _CELLS) if cells[at + 1]))

    def without_old(self, horizon: date) -> "Lots":
        """Return the lots without empty ones that expired before `horizon`."""
        cells, first = self._cells, horizon.toordinal() << _DAY_BITS
        if not cells or cells[0] >= first:
            return self
        end = _CELLS * self._place(first)
        remaining = b"".join(bytes(cells[at : at + _CELLS]) for at in range(0, end, _CELLS) if cells[at + 1])
        return Lots(remaining + self.packed[end // _CELLS * _ROW.size :])


NO_LOTS = Lots()


def with_points(lots: Iterable[Lot], key: LotKey, points: int, *, expired: int = 0) -> Lots:
    """Return the lots in spending order with `points` and `expired` added to one of them; see `Lots.with_points()`."""
    return Lots.of(lots).with_points(key, points, expired)


def draw(lots: Iterable[Lot], points: int, *, first_lot: LotKey | None = None) -> list[tuple[LotKey, int]]:
    """Return (lot, points) parts that pay `points`, in spending order, lot `first` before all others.

    The parts sum to `points`, or to less if the lots hold less.
    """
    parts: list[tuple[LotKey, int]] = []
    if points <= 0:
        return parts
    ordered = Lots.of(lots)
    preferred = (
        [lot for lot in ordered if lot.key == first_lot]
        if first_lot is not None and ordered.contains(first_lot)
        else []
    )
    for lot in (*preferred, *(lot for lot in ordered if lot.key != first_lot)):
        if points <= 0:
            break
        part = min(points, lot.points)
        if part:
            parts.append((lot.key, part))
        points -= part
    return parts


def overdue_lots(lots: Iterable[Lot], today: date) -> list[Lot]:
    """Return the lots that hold points although their expiry day is before `today`."""
    return list(Lots.of(lots).overdue(today))


def prune_expired(lots: Iterable[Lot], today: date) -> Lots:
    """Return the lots without empty ones that expired over EXPIRED_LOT_RETENTION_DAYS days ago, too old for refunds."""
    return Lots.of(lots).without_old(today - timedelta(days=EXPIRED_LOT_RETENTION_DAYS))
