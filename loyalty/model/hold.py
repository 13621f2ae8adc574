"""Holds: points, a piece and a code kept for a checkout, which let go by themselves when their time is over."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.model.ledger import LotKey
from loyalty.model.supply import CounterKey

TTL_SECONDS_MAX = 3600
HOLDS_MAX = 20
LAPSED_KEPT_MAX = 20


@dataclass(frozen=True, slots=True)
class Hold:
    """What one member keeps until `expires_at`: points out of lots, and what it took of what is shared.

    `code` is the code of `pool` that is kept; nobody has seen it. `version` is the member's that made it.
    """

    id: str
    points: int
    expires_at: datetime
    lots: tuple[tuple[LotKey, int], ...]
    reward: str | None = None
    took: tuple[CounterKey, ...] = ()
    pool: str | None = None
    code: str | None = None
    version: int = 0
