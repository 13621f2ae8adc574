"""Compares the host clock with MongoDB's: a wrong clock must not settle anybody's points."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic as monotonic_seconds

import structlog
from pymongo.errors import PyMongoError

from models.mongo.database import Database

RECHECK_SECONDS = 5.0
# A clock that NTP disciplines moves less than this against the monotonic clock between two comparisons.
JUMP_SECONDS = 0.5

log = structlog.get_logger(__name__)


def local_time_of(database: Database) -> Callable[[], Awaitable[datetime]]:
    """Return a function that reads MongoDB's clock. It raises PyMongoError."""

    async def local_time() -> datetime:
        moment: datetime = (await database.client.admin.command("hello"))["localTime"]
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    return local_time


class HostClock:
    """Knows by how much the host clock differs from MongoDB's.

    It is compared every RECHECK_SECONDS. In between, a jump shows against the monotonic clock, without a request.
    """

    def __init__(
        self,
        local_time: Callable[[], Awaitable[datetime]],
        clock: Callable[[], datetime],
        *,
        skew_max_seconds: float,
        monotonic: Callable[[], float] = monotonic_seconds,
        on_skew: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """`local_time` reads MongoDB's clock, `clock` the host's; `on_skew` gets each measured skew in seconds."""
        self._local_time, self._clock, self._monotonic = local_time, clock, monotonic
        self._skew_max_seconds = skew_max_seconds
        self._on_skew = on_skew
        self._skew: float | None = None
        self._is_right = True
        self._origin = 0.0
        self._compared_at = float("-inf")
        self._lock = asyncio.Lock()

    async def fault(self) -> str | None:
        """Return why the host clock cannot be trusted now, or None if it can."""
        if self._is_outdated():
            async with self._lock:
                if self._is_outdated():
                    await self._compare()
        if self._skew is None:
            return "the host clock could not be compared with MongoDB's"
        skew = self._skew + self._drift()
        self._note(skew)
        if self._is_right:
            return None
        return (
            f"the host clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} MongoDB's; "
            f"CARILLON_CLOCK_SKEW_SECONDS allows {self._skew_max_seconds:g}"
        )

    async def watch(self) -> None:
        """Compare regularly, until cancelled."""
        while True:
            await self.fault()
            await asyncio.sleep(RECHECK_SECONDS)

    def _is_outdated(self) -> bool:
        is_old = self._monotonic() - self._compared_at > RECHECK_SECONDS
        return self._skew is None or is_old or abs(self._drift()) > JUMP_SECONDS

    def _offset(self) -> float:
        return self._clock().timestamp() - self._monotonic()

    def _drift(self) -> float:
        """Return by how many seconds the host clock has moved against the monotonic one since the comparison."""
        return self._offset() - self._origin

    async def _compare(self) -> None:
        started = self._monotonic()
        try:
            local = await self._local_time()
        except PyMongoError as error:
            log.warning("clock_not_compared", error=type(error).__name__)
            return
        ended, here = self._monotonic(), self._clock().timestamp()
        # MongoDB read its clock at some moment of the round trip: only what cannot be the way is skew.
        earliest, latest = here - (ended - started) - local.timestamp(), here - local.timestamp()
        self._skew = max(earliest, 0.0) + min(latest, 0.0)
        self._origin, self._compared_at = here - ended, ended
        self._on_skew(self._skew)

    def _note(self, skew: float) -> None:
        is_right = abs(skew) <= self._skew_max_seconds
        if is_right != self._is_right:
            self._is_right = is_right
            event = "clock_right" if is_right else "clock_wrong"
            (log.info if is_right else log.error)(event, skew_seconds=round(skew, 3), bound=self._skew_max_seconds)
