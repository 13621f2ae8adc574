"""Converts domain values to BSON values and back, shared by the conversion functions of all collections.

Days are stored as ISO strings, moments as UTC dates (milliseconds), money as exact decimals in text, and shares of a
line as exact fractions in text.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from loyalty.model.ledger import LotKey

Document = dict[str, Any]


# Cached because the same few hundred days recur: every commit writes each lot and qualifying day.
_iso = lru_cache(maxsize=20_000)(date.isoformat)
from_iso = lru_cache(maxsize=20_000)(date.fromisoformat)


def day_text(value: date | None) -> str | None:
    """Return a day as it is stored: `2026-11-27`."""
    return _iso(value) if value is not None else None


def to_day(value: str | None) -> date | None:
    """Return the date of a stored day."""
    return from_iso(value) if value is not None else None


def utc_moment(value: datetime) -> datetime:
    """Return a stored moment with `datetime.UTC`: PyMongo's tzinfo is written in Python, so each use of it is slow."""
    return value.replace(tzinfo=UTC)


def without_none(document: Mapping[str, Any]) -> Document:
    """Return the document without fields that are None."""
    return {key: value for key, value in document.items() if value is not None}


def lot_rows(lots: Iterable[tuple[LotKey, int]]) -> list[list[Any]]:
    """Return points by lot as stored: rows of earned on, expires on, points."""
    return [[_iso(lot.earned_on), day_text(lot.expires_on), points] for lot, points in lots]


def lots_of(rows: Iterable[list[Any]]) -> tuple[tuple[LotKey, int], ...]:
    """Return the points by lot of stored rows."""
    return tuple((LotKey(from_iso(earned_on), to_day(expires_on)), points) for earned_on, expires_on, points in rows)
