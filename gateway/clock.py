"""The clock: the only place that asks for the time of day."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC, in whole milliseconds, which is what MongoDB keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
