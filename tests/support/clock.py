"""A clock that the test sets."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 6, 15, 16, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The present moment for the services; it moves only when the test moves it."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **parts: float) -> None:
        self.moment += timedelta(**parts)
