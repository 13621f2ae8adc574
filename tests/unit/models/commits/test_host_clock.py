"""The host clock is compared with MongoDB's, and not trusted beyond the bound."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from models.commits.host_clock import RECHECK_SECONDS, HostClock

NOW = datetime(2026, 6, 15, 16, 0, tzinfo=UTC)


@dataclass
class World:
    """Real time, the host's error, and a MongoDB whose clock is right."""

    passed: float = 0.0
    wrong: float = 0.0
    round_trip: float = 0.0
    asked: int = 0
    is_down: bool = False
    skews: list[float] = field(default_factory=list)

    def wall(self) -> datetime:
        return NOW + timedelta(seconds=self.passed + self.wrong)

    def monotonic(self) -> float:
        return self.passed

    async def local_time(self) -> datetime:
        self.asked += 1
        if self.is_down:
            raise AutoReconnect("down")
        self.passed += self.round_trip / 2
        read = NOW + timedelta(seconds=self.passed)
        self.passed += self.round_trip / 2
        return read

    def host_clock(self, skew_max: float = 30, **about: Any) -> HostClock:
        return HostClock(
            self.local_time,
            self.wall,
            skew_max_seconds=skew_max,
            monotonic=self.monotonic,
            on_skew=self.skews.append,
            **about,
        )


@pytest.mark.parametrize(
    ("wrong", "trusted"),
    [
        *((0, True), (29.9, True), (-29.9, True), (30.1, False), (-30.1, False)),
        *((3600, False), (86_400 * 800, False), (-86_400 * 800, False)),
    ],
)
async def test_clock_beyond_the_bound_is_a_fault(wrong: float, *, trusted: bool) -> None:
    world = World(wrong=wrong)
    fault = await world.host_clock().fault()
    assert (fault is None) == trusted
    assert world.skews == [pytest.approx(wrong, abs=0.01)]
    if fault is not None:
        assert "CARILLON_CLOCK_SKEW_SECONDS" in fault


@pytest.mark.parametrize("jump", [86_400 * 800, -86_400 * 800, 31])
async def test_jump_of_the_clock_is_noticed_at_once_and_its_end_too(jump: float) -> None:
    world = World()
    clock = world.host_clock()
    assert await clock.fault() is None
    world.wrong = jump
    assert await clock.fault() is not None
    world.wrong = 0
    assert await clock.fault() is None


async def test_drift_is_measured_again_when_the_last_measure_is_old() -> None:
    world = World()
    clock = world.host_clock()
    for _ in range(5):
        assert await clock.fault() is None
    assert world.asked == 1
    world.passed += RECHECK_SECONDS + 1
    assert await clock.fault() is None
    assert world.asked == 2


async def test_jump_counts_while_mongodb_does_not_answer() -> None:
    world = World()
    clock = world.host_clock()
    assert await clock.fault() is None
    world.is_down, world.wrong = True, 3600
    assert await clock.fault() is not None
    world.wrong = 0
    assert await clock.fault() is None


async def test_clock_that_was_never_compared_is_not_trusted() -> None:
    world = World(is_down=True)
    clock = world.host_clock()
    assert await clock.fault() is not None
    world.is_down = False
    assert await clock.fault() is None


@pytest.mark.parametrize("round_trip", [0.001, 1, 20])
async def test_slow_answer_is_not_taken_for_skew(round_trip: float) -> None:
    world = World(round_trip=round_trip)
    assert await world.host_clock(5).fault() is None
