"""The clock: UTC, in whole milliseconds."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway import clock
from gateway.clock import now


def test_now_is_the_present_moment_in_milliseconds() -> None:
    before = datetime.now(UTC)
    moments = [now() for _ in range(1000)]
    after = datetime.now(UTC)
    assert before - timedelta(milliseconds=1) < moments[0]
    assert moments[-1] <= after
    assert moments == sorted(moments)
    assert all(one.tzinfo is UTC and one.microsecond % 1000 == 0 for one in moments)


@pytest.mark.parametrize(
    ("nanoseconds", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_798_000_000_123_999_999, datetime(2026, 12, 23, 4, 26, 40, 123_000, UTC)),
        (11_021_686_773_901_000_000, datetime(2319, 4, 7, 19, 39, 33, 901_000, UTC)),
    ],
)
def test_now_is_truncated_and_exact(monkeypatch: pytest.MonkeyPatch, nanoseconds: int, moment: datetime) -> None:
    monkeypatch.setattr(clock, "time_ns", lambda: nanoseconds)
    assert now() == moment
