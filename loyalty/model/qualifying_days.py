"""Qualifying points by day, packed into bytes: a member has hundreds of days, and an event changes one of them."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from struct import Struct

from loyalty.kernel.calendar import day_from_ordinal

_CELLS = 2
_ROW = Struct(f"={_CELLS}q")


class QualifyingDays(Mapping[date, int]):
    """Points by day, in order of days. Immutable; equal to any mapping of the same days.

    `packed` holds two 64-bit integers for each day in the machine's byte order: its ordinal and its points.

    Raises:
        ValueError: the length of `packed` is not a multiple of 16 bytes.
    """

    __slots__ = ("_cells", "packed")

    def __init__(self, packed: bytes = b"") -> None:
        if len(packed) % _ROW.size:
            raise ValueError(f"packed days of {len(packed)} bytes: each takes {_ROW.size}")
        self.packed = packed
        self._cells = memoryview(packed).cast("q")

    @classmethod
    def of(cls, days: Mapping[date, int]) -> "QualifyingDays":
        """Return `days` packed, without days of 0 points."""
        if isinstance(days, QualifyingDays):
            return days
        rows = sorted((day.toordinal(), points) for day, points in days.items() if points)
        return cls(b"".join(_ROW.pack(*row) for row in rows))

    @property
    def is_valid(self) -> bool:
        """Whether the days are in order and valid. Packed bytes that were stored may be corrupt."""
        try:
            self.rows()
        except (ValueError, OverflowError):
            return False
        return all(one < following for one, following in pairwise(self._cells[::_CELLS]))

    def __len__(self) -> int:
        return len(self._cells) // _CELLS

    def __iter__(self) -> Iterator[date]:
        return map(day_from_ordinal, self._cells[::_CELLS])

    def __getitem__(self, day: date) -> int:
        place = self._place(day) * _CELLS
        if place >= len(self._cells) or self._cells[place] != day.toordinal():
            raise KeyError(day)
        return self._cells[place + 1]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, QualifyingDays):
            return self.packed == other.packed
        return dict(self.rows()) == other if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.packed)

    def __repr__(self) -> str:
        return f"Days.of({dict(self.rows())!r})"

    def rows(self) -> list[tuple[date, int]]:
        """Return the days with their points, in order."""
        return [(day_from_ordinal(day), points) for day, points in _ROW.iter_unpack(self.packed)]

    def columns(self) -> tuple[list[int], list[int]]:
        """Return the ordinals of the days, in order, and their points: as numbers, because dates cost more."""
        return self._cells[::_CELLS].tolist(), self._cells[1::_CELLS].tolist()

    def _place(self, day: date) -> int:
        """Return the index of the first day that is not before `day`."""
        cells, ordinal = self._cells, day.toordinal()
        if not cells or cells[-_CELLS] < ordinal:
            return len(cells) // _CELLS
        if cells[-_CELLS] == ordinal:  # most often the newest day is looked up
            return len(cells) // _CELLS - 1
        return bisect_left(cells[::_CELLS], ordinal)

    def total(self, first: date | None = None, end: date | None = None) -> int:
        """Return the sum of points of the days in [first, end); None leaves that side open."""
        start = _CELLS * self._place(first) if first is not None else 0
        stop = _CELLS * self._place(end) if end is not None else len(self._cells)
        return sum(self._cells[start + 1 : stop : _CELLS].tolist())

    def last(self) -> date | None:
        """Return the last day; None if empty."""
        return day_from_ordinal(self._cells[-_CELLS]) if self._cells else None

    def before(self, day: date) -> date | None:
        """Return the last day before `day`; None if there is none."""
        place = self._place(day)
        return day_from_ordinal(self._cells[(place - 1) * _CELLS]) if place else None

    def since(self, first: date) -> "QualifyingDays":
        """Return the days from `first` on."""
        if not self._cells or self._cells[0] >= first.toordinal():
            return self
        return QualifyingDays(self.packed[self._place(first) * _ROW.size :])

    def with_points(self, day: date, points: int) -> "QualifyingDays":
        """Return the days with `points` (negative: fewer) added to one; drops a day with no points left."""
        cells, ordinal = self._cells, day.toordinal()
        place = end = self._place(day)
        if place * _CELLS < len(cells) and cells[place * _CELLS] == ordinal:
            points, end = points + cells[place * _CELLS + 1], place + 1
        row = _ROW.pack(ordinal, points) if points > 0 else b""
        return QualifyingDays(self.packed[: place * _ROW.size] + row + self.packed[end * _ROW.size :])


NO_QUALIFYING_DAYS = QualifyingDays()
