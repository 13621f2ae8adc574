"""Holds: points, stock and a code reserved for a checkout, released when they expire."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.model.ledger import LotKey
from loyalty.model.supply import CounterKey

TTL_SECONDS_MAX = 3600
HOLDS_MAX = 20
EXPIRED_HOLDS_KEPT_MAX = 20


@dataclass(frozen=True, slots=True)
class Hold:
    """A member's reservation until `expires_at`: points from `lots`, and the shared counters in `took`.

    `code` is reserved from `pool` and not revealed yet. `version` is the member's version that created the hold.
    MongoDB stores the fields under these names.
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
