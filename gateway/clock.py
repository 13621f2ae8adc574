"""The clock: the only place that reads the time of day."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import time_ns

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Return the current time in UTC, truncated to milliseconds, the precision that MongoDB stores."""
    return _moment(time_ns() // 1_000_000)


@lru_cache(maxsize=1)  # a request reads the clock a dozen times, mostly within one millisecond
def _moment(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)
