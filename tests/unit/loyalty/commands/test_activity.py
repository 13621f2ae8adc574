"""Limits of activity: what counts, for whom, until when."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import programme
from support.member_scenario import MemberScenario
from support.property_settings import property_settings

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.decide import needs
from loyalty.kernel.refusal import Refusal
from loyalty.model.activity_limit import ActivityLimit, LimitedActor, Measure, Span
from loyalty.model.event import Purchase
from loyalty.rules.activity import span_of

CARD, TILL, AGENT = LimitedActor
EVENTS, POINTS, ADJUSTMENT = Measure
HOUR, DAY = Span
NOON = "2024-03-01 12:00"


def limited(*limits: tuple[LimitedActor, Measure, int, Span], **about: Any) -> MemberScenario:
    """Return a new member of a programme with limits."""
    scenario = MemberScenario(programme(activity_limits=tuple(ActivityLimit(*limit) for limit in limits), **about))
    scenario.must(scenario.enrolment("2024-02-01 12:00"), "2024-02-01 12:00")
    return scenario


def outcome_of(scenario: MemberScenario, command: Any, when: str | datetime) -> str:
    """Decide a command; return `counted`, or the code and the reason of its refusal."""
    outcome = scenario.do(command, when)
    return f"{outcome.code.value} {outcome.reason}" if isinstance(outcome, Refusal) else "counted"


def buying(scenario: MemberScenario, total: str, when: str, *, till: str = "till", role: str = "till") -> Any:
    """Return the command of a purchase at a till."""
    command = scenario.event("purchase", when, purchase=Purchase(Decimal(total), "EUR"))
    return replace(command, cause=replace(command.cause, role=role, subject=till))


def adjusting(scenario: MemberScenario, points: int, *, agent: str = "dana", role: str = "agent") -> AdjustPoints:
    """Return the command of an adjustment."""
    return AdjustPoints(points, replace(scenario.cause("adjust", "a reason"), role=role, subject=agent))


def test_points_that_a_till_gives_are_limited_per_hour_and_till() -> None:
    scenario = limited((TILL, POINTS, 100, HOUR))
    over = "LIMIT_REACHED activity_points_hour"
    assert outcome_of(scenario, buying(scenario, "60", NOON), NOON) == "counted"
    assert outcome_of(scenario, buying(scenario, "41", NOON), NOON) == over
    assert outcome_of(scenario, buying(scenario, "40", NOON), "2024-03-01 12:59:59.999") == "counted"
    assert outcome_of(scenario, buying(scenario, "1", NOON), "2024-03-01 12:59:59.999") == over
    assert outcome_of(scenario, buying(scenario, "0.50", NOON), NOON) == "counted"  # gives no point
    assert outcome_of(scenario, buying(scenario, "100", NOON, till="till-2"), NOON) == "counted"
    assert outcome_of(scenario, buying(scenario, "500", NOON, role="service"), NOON) == "counted"
    # What counts is when it is recorded: an earlier date does not get around it.
    assert outcome_of(scenario, buying(scenario, "1", "2024-02-20 12:00"), NOON) == over
    assert outcome_of(scenario, buying(scenario, "100", NOON), "2024-03-01 13:00") == "counted"


def test_events_of_a_member_are_limited_whoever_sends_them_and_refunds_are_not() -> None:
    scenario = limited((CARD, EVENTS, 2, DAY))
    bought = buying(scenario, "10", NOON)
    assert outcome_of(scenario, bought, NOON) == "counted"
    assert outcome_of(scenario, buying(scenario, "10", NOON, till="till-2", role="service"), NOON) == "counted"
    over = "LIMIT_REACHED activity_events_day"
    assert outcome_of(scenario, buying(scenario, "10", NOON), "2024-03-01 23:59:59") == over
    back = scenario.event("refund", NOON, refund_of=bought.event.key)
    assert outcome_of(scenario, back, "2024-03-01 23:59:59") == "counted"
    assert outcome_of(scenario, adjusting(scenario, 5), NOON) == "counted"
    assert outcome_of(scenario, buying(scenario, "10", NOON), "2024-03-02 00:00") == "counted"


def test_adjustments_of_an_agent_are_limited_in_both_directions() -> None:
    scenario = limited((AGENT, ADJUSTMENT, 5000, DAY))
    over = "LIMIT_REACHED activity_adjustment_day"
    assert outcome_of(scenario, adjusting(scenario, 1_000_000_000), NOON) == over
    assert outcome_of(scenario, adjusting(scenario, 3000), NOON) == "counted"
    assert outcome_of(scenario, adjusting(scenario, -1500), NOON) == "counted"
    assert outcome_of(scenario, adjusting(scenario, 501), NOON) == over
    assert outcome_of(scenario, adjusting(scenario, 500), NOON) == "counted"
    assert outcome_of(scenario, adjusting(scenario, 5000, agent="lee"), NOON) == "counted"
    assert outcome_of(scenario, adjusting(scenario, 9000, agent="boss", role="manager"), NOON) == "counted"


def test_another_refusal_comes_first_and_counts_nothing() -> None:
    scenario = limited((AGENT, ADJUSTMENT, 100, DAY))
    assert outcome_of(scenario, adjusting(scenario, -10), NOON) == "INSUFFICIENT_POINTS insufficient_points"
    assert outcome_of(scenario, adjusting(scenario, 100), NOON) == "counted"


def test_an_import_is_under_no_limit() -> None:
    scenario = limited((CARD, EVENTS, 1, DAY))
    for _ in range(3):
        command = buying(scenario, "10", NOON, role="service")
        imported = replace(command, cause=replace(command.cause, reason="import"))
        assert outcome_of(scenario, imported, NOON) == "counted"


def test_counters_of_limits_depend_on_the_moment() -> None:
    scenario = limited((CARD, EVENTS, 1, DAY))
    with pytest.raises(ValueError, match="give it"):
        needs(adjusting(scenario, 1), scenario.now, scenario.programme)


@pytest.mark.parametrize(
    ("zone", "moment", "hour", "day"),
    [
        ("Europe/Paris", "2026-10-25T00:30:00Z", ("2026-10-25T00:00Z", 1), ("2026-10-24T22:00Z", 25)),
        ("Europe/Paris", "2026-10-25T01:30:00Z", ("2026-10-25T01:00Z", 1), ("2026-10-24T22:00Z", 25)),
        ("Europe/Paris", "2026-03-29T01:30:00Z", ("2026-03-29T01:00Z", 1), ("2026-03-28T23:00Z", 23)),
        ("Asia/Kolkata", "2026-05-01T10:40:00Z", ("2026-05-01T10:30Z", 1), ("2026-04-30T18:30Z", 24)),
    ],
)
def test_hours_and_days_are_those_of_the_brands_clock(
    zone: str, moment: str, hour: tuple[str, int], day: tuple[str, int]
) -> None:
    for span, (start, hours) in ((HOUR, hour), (DAY, day)):
        begins = datetime.fromisoformat(start)
        found = span_of(span, datetime.fromisoformat(moment), ZoneInfo(zone))
        assert found == (begins, begins + timedelta(hours=hours))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["till", "agent"]),
        st.sampled_from(["a", "b"]),
        st.integers(-40, 60),
        st.integers(0, 90),
    ),
    max_size=25,
)


@given(steps=STEPS, limits=st.sets(st.tuples(st.sampled_from(Measure), st.sampled_from(Span)), max_size=4))
@property_settings(100)
def test_what_is_counted_never_exceeds_a_limit_and_what_is_refused_would(
    steps: list[tuple[str, str, int, int]], limits: set[tuple[Measure, Span]]
) -> None:
    most = {EVENTS: 3, POINTS: 100, ADJUSTMENT: 100}
    scenario = limited(*((AGENT, measure, most[measure], span) for measure, span in limits))
    at, done = datetime(2024, 3, 1, 10, tzinfo=UTC), Counter[tuple[str, Measure, datetime, Span]]()
    for kind, who, points, minutes in steps:
        at += timedelta(minutes=minutes)
        if kind == "agent":
            command, amount, measures = adjusting(scenario, points, agent=who), abs(points), {ADJUSTMENT}
        else:
            command = buying(scenario, str(max(0, points)), at.isoformat(), till=who, role="agent")
            amount, measures = max(0, points), {EVENTS, POINTS}
        amounts = {measure: 1 if measure is EVENTS else amount for measure in measures}
        spans = {
            (who, measure, span_of(span, at, scenario.programme.zone)[0], span): amounts[measure]
            for measure, span in limits
            if measure in measures
        }
        exceeds = any(added and done[key] + added > most[key[1]] for key, added in spans.items())
        outcome = scenario.do(command, at)
        if isinstance(outcome, Refusal):
            assert exceeds or outcome.reason in {"adjustment_zero", "insufficient_points"}
        else:
            assert not exceeds
            done.update(spans)
    assert all(amount <= most[key[1]] for key, amount in done.items())
