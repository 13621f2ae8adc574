"""Domain values to BSON documents and back. Plain dictionaries: on the hot paths a model per document is dear.

Days are ISO strings, moments UTC dates (milliseconds), money and shares of a line exact numbers as text.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from loyalty.model.ledger import LotKey

Document = dict[str, Any]


# The same few hundred days are written again and again: every lot and qualifying day, with every commit.
_iso = lru_cache(maxsize=20_000)(date.isoformat)
from_iso = lru_cache(maxsize=20_000)(date.fromisoformat)


def day(value: date | None) -> str | None:
    """Return a day as it is stored: `2026-11-27`."""
    return _iso(value) if value is not None else None


def to_day(value: str | None) -> date | None:
    """Return a stored day."""
    return from_iso(value) if value is not None else None


def moment_of(value: datetime) -> datetime:
    """Return a moment that was read, in Python's own UTC: PyMongo's is written in Python, and asked at every turn."""
    return value.replace(tzinfo=UTC)


def without_none(document: Mapping[str, Any]) -> Document:
    """Return the document without fields that are None."""
    return {key: value for key, value in document.items() if value is not None}


def lot_rows(lots: Iterable[tuple[LotKey, int]]) -> list[list[Any]]:
    """Return points of lots as they are stored: earned on, expires on, points."""
    return [[_iso(lot.earned_on), day(lot.expires_on), points] for lot, points in lots]


def lots_of(rows: Iterable[list[Any]]) -> tuple[tuple[LotKey, int], ...]:
    """Return stored points of lots."""
    return tuple((LotKey(from_iso(earned_on), to_day(expires_on)), points) for earned_on, expires_on, points in rows)
