from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.builders import CALENDAR_YEAR, LIFETIME, PARIS, ROLLING_YEAR, flat, moment, per_euro, programme
from support.member_scenario import MemberScenario, assert_member_invariants
from support.property_settings import property_settings

from loyalty.model.decision import NothingToSettle
from loyalty.model.ledger import TierStatus
from loyalty.model.member import next_settlement_at
from loyalty.model.programme import Programme, QualificationKind, QualificationPeriod, TierAfterRefund
from loyalty.model.qualifying_days import NO_QUALIFYING_DAYS
from loyalty.rules.tier import (
    LIFETIME_OLD_DAYS,
    TierProgress,
    prune_qualifying_days,
    qualified_tier,
    reevaluate_tier,
    reevaluate_tier_after_gain,
    tier_progress,
)

APRIL = QualificationPeriod(QualificationKind.CALENDAR_YEAR, year_start=(4, 1))
ENROLLED = "2024-01-10 12:00"


def standing(tier: str, since: str, until: str | None, zone: ZoneInfo = PARIS) -> tuple[str, datetime, datetime | None]:
    return (tier, moment(since, zone), moment(until, zone) if until else None)


def next_tier(scenario: MemberScenario, now: str) -> TierProgress | None:
    return tier_progress(
        scenario.programme, scenario.now.tier_status, scenario.now.qualifying_days, now=scenario.at(now)
    )


# Everybody


@pytest.mark.parametrize("qualification", [CALENDAR_YEAR, ROLLING_YEAR, LIFETIME])
def test_everybody_starts_at_the_first_tier_for_ever(qualification: QualificationPeriod) -> None:
    scenario = MemberScenario.of(programme(qualification=qualification))
    assert scenario.standing() == standing("base", ENROLLED, None)
    assert isinstance(scenario.settle("2034-01-01 00:00"), NothingToSettle)


def test_promotion_comes_with_the_event_that_reaches_the_threshold() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "99.99")
    assert scenario.tier == "base"
    scenario.buy("2024-03-02 10:00", "1")
    assert scenario.standing() == standing("silver", "2024-03-02 00:00", "2026-01-01 00:00")


def test_a_promotion_may_pass_over_tiers() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "300")
    assert scenario.standing() == standing("gold", "2024-03-01 00:00", "2026-01-01 00:00")


def test_a_tier_reached_on_the_day_of_enrolment_begins_with_membership() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-01-10 18:00", "100")
    assert scenario.standing() == standing("silver", ENROLLED, "2026-01-01 00:00")


def test_a_tier_reached_before_enrolment_begins_with_membership() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2023-06-01 10:00", "100", now="2024-01-11 10:00")
    assert scenario.standing() == standing("silver", ENROLLED, "2025-01-01 00:00")


def test_points_given_by_hand_lead_to_no_tier() -> None:
    scenario = MemberScenario.of(programme())
    scenario.adjust("2024-03-01 10:00", 1000)
    assert scenario.tier == "base"


# Calendar year


def test_a_tier_reached_in_a_year_is_kept_to_the_end_of_the_next() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "150")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2026-01-01 00:00")
    assert isinstance(scenario.settle("2025-12-31 23:59:59"), NothingToSettle)
    scenario.settle("2026-01-01 00:00")
    assert scenario.standing() == standing("base", "2026-01-01 00:00", None)
    assert scenario.records[-1].entries == ()
    assert_member_invariants(scenario)


def test_a_tier_reached_again_goes_on_without_a_break() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "150")
    scenario.buy("2025-11-01 10:00", "100")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2027-01-01 00:00")
    scenario.buy("2026-02-01 10:00", "100")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2028-01-01 00:00")


def test_the_end_of_a_higher_tier_leads_to_the_tier_deserved_then() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "300")
    scenario.buy("2025-05-01 10:00", "120")
    assert scenario.standing() == standing("gold", "2024-03-01 00:00", "2026-01-01 00:00")
    scenario.settle("2026-03-07 15:00")
    assert scenario.standing() == standing("silver", "2026-01-01 00:00", "2027-01-01 00:00")


def test_several_ends_noticed_late_are_dated_as_they_fell() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "300")
    scenario.buy("2025-05-01 10:00", "120")
    scenario.settle("2028-06-01 00:00")
    assert scenario.standing() == standing("base", "2027-01-01 00:00", None)


def test_points_of_two_years_are_not_added_up() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-12-31 23:59", "99")
    scenario.buy("2025-01-01 00:00", "99")
    assert scenario.tier == "base"


def test_a_year_may_start_in_april() -> None:
    scenario = MemberScenario.of(programme(qualification=APRIL))
    scenario.buy("2024-03-31 23:59", "60")
    scenario.buy("2024-04-01 00:00", "60")
    assert scenario.tier == "base"
    scenario.buy("2025-03-31 23:59", "40")
    assert scenario.standing() == standing("silver", "2025-03-31 00:00", "2026-04-01 00:00")
    assert isinstance(scenario.settle("2026-03-31 23:59:59"), NothingToSettle)
    scenario.settle("2026-04-01 00:00")
    assert scenario.standing() == standing("base", "2026-04-01 00:00", None)


@pytest.mark.parametrize(
    ("zone", "last", "first"),
    [
        ("America/New_York", "2024-04-01T03:59:59+00:00", "2024-04-01T04:00:00+00:00"),
        ("Asia/Tokyo", "2024-03-31T14:59:59+00:00", "2024-03-31T15:00:00+00:00"),
        ("Europe/Paris", "2024-03-31T21:59:59+00:00", "2024-03-31T22:00:00+00:00"),
        ("Pacific/Kiritimati", "2024-03-31T09:59:59+00:00", "2024-03-31T10:00:00+00:00"),
    ],
)
def test_a_year_turns_at_midnight_in_the_brands_zone(zone: str, last: str, first: str) -> None:
    where = ZoneInfo(zone)
    scenario = MemberScenario.of(programme(qualification=APRIL, zone=where), enrolled="2023-06-01 12:00")
    scenario.buy(last, "60")
    scenario.buy(first, "60")
    assert scenario.tier == "base"
    assert scenario.now.qualifying_days == {date(2024, 3, 31): 60, date(2024, 4, 1): 60}
    scenario.buy(first, "40", now="2024-04-02 12:00")
    assert scenario.standing() == standing("silver", "2024-04-01 00:00", "2026-04-01 00:00", where)
    assert scenario.now.tier_status.guaranteed_until == datetime.fromisoformat(first).replace(year=2026)


def test_a_year_whose_first_midnight_does_not_exist_begins_with_its_first_moment() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    turning = QualificationPeriod(QualificationKind.CALENDAR_YEAR, year_start=(4, 26))
    scenario = MemberScenario.of(programme(qualification=turning, zone=cairo), enrolled="2022-05-01 12:00")
    scenario.buy("2022-06-01 12:00", "100")
    assert scenario.now.tier_status.guaranteed_until == datetime(2024, 4, 25, 22, 0, tzinfo=UTC)
    assert isinstance(scenario.settle("2024-04-25 23:59:59"), NothingToSettle)
    scenario.settle(datetime(2024, 4, 25, 22, 0, tzinfo=UTC))
    assert scenario.standing() == ("base", datetime(2024, 4, 25, 22, 0, tzinfo=UTC), None)


# Rolling


def test_a_rolling_tier_is_kept_for_as_long_after_the_last_day_that_met_its_threshold() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR))
    scenario.buy("2024-03-01 10:00", "60")
    scenario.buy("2024-05-15 10:00", "40")
    assert scenario.standing() == standing("silver", "2024-05-15 00:00", "2025-05-15 00:00")
    scenario.buy("2025-02-28 10:00", "5")
    assert scenario.standing() == standing("silver", "2024-05-15 00:00", "2026-02-28 00:00")
    scenario.buy("2025-03-01 10:00", "5")
    assert scenario.standing() == standing("silver", "2024-05-15 00:00", "2026-02-28 00:00")
    assert isinstance(scenario.settle("2026-02-27 23:59:59"), NothingToSettle)
    scenario.settle("2026-02-28 00:00")
    assert scenario.standing() == standing("base", "2026-02-28 00:00", None)


def test_points_older_than_the_rolling_period_do_not_count() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR))
    scenario.buy("2024-03-01 10:00", "60")
    scenario.buy("2025-03-01 10:00", "60")
    assert scenario.tier == "base"
    scenario.buy("2025-02-28 10:00", "40", now="2025-03-02 10:00")
    assert scenario.standing() == standing("silver", "2025-02-28 00:00", "2026-03-01 00:00")


def test_a_rolling_period_over_a_leap_day() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR))
    scenario.buy("2024-02-29 10:00", "100")
    assert scenario.standing() == standing("silver", "2024-02-29 00:00", "2025-02-28 00:00")
    assert isinstance(scenario.settle("2025-02-27 23:59:59"), NothingToSettle)
    scenario.settle("2025-02-28 00:00")
    assert scenario.tier == "base"


def test_a_higher_rolling_tier_ends_in_the_lower_one_still_deserved() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR))
    scenario.buy("2024-03-01 10:00", "300")
    scenario.buy("2024-09-01 10:00", "100")
    assert scenario.standing() == standing("gold", "2024-03-01 00:00", "2025-09-01 00:00")
    scenario.buy("2025-08-15 10:00", "10")
    scenario.settle("2025-10-01 00:00")
    assert scenario.standing() == standing("silver", "2025-09-01 00:00", "2026-08-15 00:00")


def test_a_backdated_purchase_promotes_as_of_its_own_day() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR))
    scenario.buy("2024-06-01 10:00", "60")
    scenario.buy("2024-04-01 10:00", "40", now="2024-07-01 10:00")
    assert scenario.standing() == standing("silver", "2024-06-01 00:00", "2025-06-01 00:00")
    scenario.buy("2024-03-01 10:00", "60", now="2024-07-02 10:00")
    assert scenario.standing() == standing("silver", "2024-04-01 00:00", "2025-06-01 00:00")


def test_a_purchase_backdated_by_more_than_the_period_changes_no_tier_of_today() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR), enrolled="2022-01-01 12:00")
    scenario.buy("2022-06-01 10:00", "500", now="2024-07-01 10:00")
    assert scenario.standing() == standing("base", "2022-01-01 12:00", None)


# Lifetime


@pytest.mark.parametrize("policy", TierAfterRefund)
def test_time_takes_no_lifetime_tier_and_a_refund_does_unless_the_programme_keeps_it(policy: TierAfterRefund) -> None:
    scenario = MemberScenario.of(programme(qualification=LIFETIME, tier_after_refund=policy))
    scenario.buy("2024-03-01 10:00", "60")
    scenario.buy("2026-03-01 10:00", "40", key="second")
    held = standing("silver", "2026-03-01 00:00", None)
    assert scenario.standing() == held
    assert isinstance(scenario.settle("2029-01-01 00:00"), NothingToSettle)
    scenario.refund("2029-03-02 10:00", "second")
    lost = standing("base", "2024-01-10 12:00", None)
    assert scenario.standing() == (held if policy is TierAfterRefund.KEPT else lost)
    assert isinstance(scenario.settle("2099-01-01 00:00"), NothingToSettle)


def test_a_lifetime_tier_keeps_its_beginning_when_its_days_are_added_up() -> None:
    scenario = MemberScenario.of(programme(qualification=LIFETIME), enrolled="2020-01-01 12:00")
    scenario.buy("2020-02-01 10:00", "60")
    scenario.buy("2020-06-01 10:00", "60")
    assert scenario.standing() == standing("silver", "2020-06-01 00:00", None)
    for when in ("2023-01-01 10:00", "2023-01-02 10:00"):
        scenario.buy(when, "1")
        assert scenario.standing() == standing("silver", "2020-06-01 00:00", None)
    assert scenario.now.qualifying_days == {LIFETIME_OLD_DAYS: 120, date(2023, 1, 1): 1, date(2023, 1, 2): 1}
    assert_member_invariants(scenario)


def test_a_threshold_lowered_below_what_was_added_up_promotes_from_now_on() -> None:
    scenario = MemberScenario.of(programme(qualification=LIFETIME), enrolled="2020-01-01 12:00")
    scenario.buy("2020-02-01 10:00", "90")
    scenario.buy("2023-01-01 10:00", "1")
    scenario.adopt(programme(qualification=LIFETIME, thresholds=(0, 80, 300)))
    scenario.settle("2023-02-01 10:00")
    assert scenario.standing() == standing("silver", "2023-02-01 10:00", None)
    assert isinstance(scenario.settle("2023-02-02 10:00"), NothingToSettle)


# Demotion


def test_where_refunds_keep_tiers_one_below_the_threshold_takes_it_at_the_end_of_the_year_under_way() -> None:
    scenario = MemberScenario.of(programme(tier_after_refund=TierAfterRefund.KEPT))
    scenario.buy("2024-03-01 10:00", "150", key="bought")
    scenario.refund("2024-03-02 10:00", "bought")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2025-01-01 00:00")
    scenario.settle("2025-01-01 00:00")
    assert scenario.standing() == standing("base", "2025-01-01 00:00", None)


def test_where_refunds_keep_tiers_a_rolling_one_is_kept_as_long_as_guaranteed() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR, tier_after_refund=TierAfterRefund.KEPT))
    scenario.buy("2024-03-01 10:00", "150", key="bought")
    scenario.refund("2024-03-02 10:00", "bought")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2025-03-01 00:00")
    scenario.settle("2025-03-01 00:00")
    assert scenario.tier == "base"


@pytest.mark.parametrize("qualification", [CALENDAR_YEAR, ROLLING_YEAR, LIFETIME])
def test_a_purchase_that_is_refunded_leaves_the_standing_as_if_it_had_never_been(
    qualification: QualificationPeriod,
) -> None:
    scenario = MemberScenario.of(programme(qualification=qualification))
    for earlier, when in enumerate(("2024-03-01 10:00", "2024-06-01 10:00", "2026-02-01 10:00", "2026-05-01 10:00")):
        scenario.settle(when)
        before = scenario.standing()
        scenario.buy(when, "600", key=f"basket-{earlier}")
        assert scenario.tier == "gold"
        scenario.refund(when, f"basket-{earlier}")
        assert scenario.standing() == before
        # In 2024 it keeps a purchase that makes it silver, which has ended when 2026 begins, except for life.
        scenario.buy(when, "120" if earlier == 0 else "1")
    assert scenario.tier == ("silver" if qualification is LIFETIME else "base")


def test_a_refund_that_leaves_the_tier_deserved_by_last_year_shortens_it_to_that() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "150")
    scenario.buy("2025-03-01 10:00", "150", key="bought")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2027-01-01 00:00")
    scenario.refund("2025-03-02 10:00", "bought")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2026-01-01 00:00")


def test_raised_thresholds_take_a_tier_no_sooner_than_at_the_end_of_the_period() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "150")
    scenario.adopt(programme(thresholds=(0, 200, 300)))
    scenario.settle("2024-04-01 10:00")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2025-01-01 00:00")
    scenario.settle("2025-01-01 00:00")
    assert scenario.tier == "base"


def test_a_programme_that_turns_rolling_keeps_a_lifetime_tier_for_one_period() -> None:
    scenario = MemberScenario.of(programme(qualification=LIFETIME), enrolled="2020-01-01 12:00")
    scenario.buy("2021-03-01 10:00", "150")
    scenario.adopt(programme(qualification=ROLLING_YEAR))
    scenario.settle("2024-04-01 10:00")
    assert scenario.standing() == standing("silver", "2021-03-01 00:00", "2025-04-01 00:00")


def test_a_tier_that_a_programme_no_longer_has_counts_as_the_first() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "300")
    scenario.adopt(replace(programme(), tiers=programme(thresholds=(0, 100)).tiers))
    scenario.settle("2024-04-01 10:00")
    assert scenario.standing() == standing("silver", "2024-03-01 00:00", "2026-01-01 00:00")


# Progress


def test_progress_counts_the_points_of_the_year() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "150")
    scenario.buy("2025-03-01 10:00", "60")
    way = next_tier(scenario, "2025-03-02 10:00")
    assert way is not None
    assert (way.tier.key, way.points_earned, way.points_required, way.points_missing, way.ratio) == (
        "gold",
        60,
        300,
        240,
        0.2,
    )
    assert way.ends_at == moment("2026-01-01 00:00")


def test_progress_of_a_rolling_period_counts_what_still_counts() -> None:
    scenario = MemberScenario.of(programme(qualification=ROLLING_YEAR))
    scenario.buy("2024-03-01 10:00", "60")
    scenario.buy("2024-04-01 10:00", "30")
    rows = [next_tier(scenario, when) for when in ("2025-02-28 23:59", "2025-03-01 00:00", "2025-04-01 00:00")]
    assert [(way.points_earned, way.ends_at) for way in rows if way] == [(90, None), (30, None), (0, None)]


@pytest.mark.parametrize(
    ("months", "bought", "now"),
    [(12, "2024-02-29 10:00", "2025-02-28 12:00"), (1, "2025-01-30 10:00", "2025-02-28 12:00")],
)
def test_progress_counts_no_day_that_promotion_does_not(months: int, bought: str, now: str) -> None:
    rules = programme(qualification=QualificationPeriod(QualificationKind.ROLLING, months=months))
    scenario = MemberScenario.of(rules)
    scenario.buy(bought, "60")
    scenario.buy(now, "40")
    assert scenario.tier == "base"
    way = next_tier(scenario, now)
    assert way is not None
    assert (way.points_earned, way.points_missing) == (40, 60)


def test_progress_of_a_lifetime_counts_everything() -> None:
    scenario = MemberScenario.of(programme(qualification=LIFETIME), enrolled="2020-01-01 12:00")
    scenario.buy("2020-03-01 10:00", "60")
    scenario.buy("2024-03-01 10:00", "20")
    way = next_tier(scenario, "2024-03-01 12:00")
    assert way is not None
    assert (way.tier.key, way.points_earned, way.ratio, way.ends_at) == ("silver", 80, 0.8, None)


def test_there_is_no_way_past_the_top() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "300")
    assert next_tier(scenario, "2024-03-01 12:00") is None


def test_progress_is_never_below_zero_nor_above_one() -> None:
    tier = programme().tiers[1]
    assert (TierProgress(tier, 250, 100, None).points_missing, TierProgress(tier, 250, 100, None).ratio) == (0, 1.0)
    assert TierProgress(tier, 0, 100, None).ratio == 0.0
    assert TierProgress(tier, 0, 0, None).ratio == 1.0


# Stored days and due dates


def test_qualifying_days_are_kept_for_as_long_as_they_can_matter() -> None:
    days = {date(2022, 3, 31): 1, date(2022, 4, 1): 2, date(2023, 3, 1): 3, date(2024, 4, 1): 4, date(2024, 4, 2): 0}
    now = moment("2024-04-01 12:00")
    assert sorted(prune_qualifying_days(programme(qualification=APRIL), days, now=now).values()) == [4]
    assert sorted(prune_qualifying_days(programme(qualification=ROLLING_YEAR), days, now=now).values()) == [2, 3, 4]
    assert prune_qualifying_days(programme(qualification=LIFETIME), {date(2022, 1, 21): 5, **days}, now=now) == {
        LIFETIME_OLD_DAYS: 5,
        **{day: points for day, points in days.items() if points},
    }


def test_time_is_due_when_a_lot_expires_or_a_tier_ends() -> None:
    scenario = MemberScenario.of(programme(flat("visit", "5", event="visit"), per_euro()))
    assert next_settlement_at(scenario.now, PARIS) is None
    scenario.buy("2024-03-01 10:00", "100")
    assert next_settlement_at(scenario.now, PARIS) == moment("2026-01-01 00:00")


# Properties


ZONES = st.sampled_from(
    [ZoneInfo(key) for key in ("Europe/Paris", "America/New_York", "Africa/Cairo", "Asia/Tokyo", "Australia/Lord_Howe")]
)
QUALIFICATIONS = st.one_of(
    st.just(LIFETIME),
    st.builds(
        lambda months: QualificationPeriod(QualificationKind.ROLLING, months=months), st.sampled_from([1, 3, 12, 13])
    ),
    st.builds(
        lambda starts: QualificationPeriod(QualificationKind.CALENDAR_YEAR, year_start=starts),
        st.sampled_from([(1, 1), (4, 1), (2, 28), (10, 27), (12, 31)]),
    ),
)
START = datetime(2024, 1, 10, 11, 0, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 200),  # days that pass
        st.integers(0, 24 * 60),  # and minutes
        st.integers(0, 40),  # days that a purchase is backdated
        st.integers(0, 250),  # what is bought
        st.integers(0, 300),  # what is taken away afterwards, as far as it is there
        st.booleans(),  # whether it is refunded
    ),
    max_size=9,
)


@given(qualification=QUALIFICATIONS, zone=ZONES, steps=STEPS)
@property_settings(100)
def test_a_tier_is_given_at_once_and_taken_no_sooner_than_promised_and_never_looks_at_the_balance(
    qualification: QualificationPeriod, zone: ZoneInfo, steps: list[tuple[int, int, int, int, int, bool]]
) -> None:
    rules: Programme = programme(qualification=qualification, zone=zone, tier_after_refund=TierAfterRefund.KEPT)
    scenario, saver = MemberScenario.of(rules), MemberScenario.of(rules)
    now = START
    for days, minutes, back, bought, spent, refunded in steps:
        now += timedelta(days=days, minutes=minutes)
        when = max(START, now - timedelta(days=back))
        for one in (scenario, saver):
            one.settle(now)
            before: Any = one.now.tier_status
            one.buy(when, str(bought), now=now, key=f"{now}")
            rank = rules.tier(one.tier).rank
            assert rank >= rules.tier(before.tier).rank
            assert rank >= qualified_tier(rules, one.now.qualifying_days, now.astimezone(zone).date()).tier.rank
        there = min(spent, scenario.now.available)
        if there > 0:
            scenario.adjust(now, -there)
        for one in (scenario, saver):
            before = one.now.tier_status
            if refunded:
                one.refund(now, f"{now}")
                assert one.tier == before.tier
                assert one.now.tier_status.since <= before.since or one.tier == "base"
            assert one.now.tier_status.guaranteed_until is None or one.now.tier_status.guaranteed_until > now
            assert isinstance(one.settle(now), NothingToSettle)
        assert scenario.now.tier_status == saver.now.tier_status
    until = scenario.now.tier_status.guaranteed_until
    if until is not None:
        assert isinstance(scenario.settle(until - timedelta(microseconds=1000)), NothingToSettle)
        held = scenario.now.tier_status
        scenario.settle(until)
        assert rules.tier(scenario.tier).rank <= rules.tier(held.tier).rank
        assert scenario.now.tier_status.guaranteed_until is None or scenario.now.tier_status.guaranteed_until > until
        if scenario.tier != held.tier:
            assert scenario.now.tier_status.since == until


# The last purchase is dated a day back, where it moves the start of the tier.
@example(
    qualification=QualificationPeriod(QualificationKind.LIFETIME),
    zone=ZoneInfo("Europe/Paris"),
    steps=[
        (0, 0, 0, 52, 0, False),
        (0, 1, 0, 238, 0, False),
        (1, 0, 0, 0, 0, False),
        (0, 1, 0, 10, 0, False),
        (0, 1, 1, 10, 0, True),
    ],
)
@given(qualification=QUALIFICATIONS, zone=ZONES, steps=STEPS)
@property_settings(100)
def test_a_reviewed_tier_is_what_the_other_purchases_give(
    qualification: QualificationPeriod, zone: ZoneInfo, steps: list[tuple[int, int, int, int, int, bool]]
) -> None:
    rules: Programme = programme(qualification=qualification, zone=zone)
    scenario, other = MemberScenario.of(rules), MemberScenario.of(rules)
    now = START
    for days, minutes, back, bought, _, refunded in steps:
        now += timedelta(days=days, minutes=minutes)
        when = max(START, now - timedelta(days=back))
        for one in (scenario, other):
            one.settle(now)
        scenario.buy(when, str(bought), now=now, key=f"{now}")
        if refunded:
            scenario.refund(now, f"{now}")
        else:
            other.buy(when, str(bought), now=now)
        # An earlier purchase that was refunded, too, may have hidden when the first tier began.
        tier, since, until = scenario.standing()
        assert (tier, until) == (other.standing()[0], other.standing()[2])
        assert since == other.standing()[1] or tier == "base"
        assert isinstance(scenario.settle(now), NothingToSettle)


@given(
    qualification=QUALIFICATIONS,
    days=st.dictionaries(st.dates(date(2022, 1, 1), date(2024, 6, 1)), st.integers(1, 200), max_size=12),
)
@property_settings(100)
def test_dropped_qualifying_days_never_matter(qualification: QualificationPeriod, days: dict[date, int]) -> None:
    rules = programme(qualification=qualification)
    now = moment("2024-06-01 12:00")
    newcomer = TierStatus("base", moment("2021-01-01 12:00"), None)
    kept = prune_qualifying_days(rules, days, now=now)
    for later in (now, now + timedelta(days=200)):
        ours, theirs = (
            reevaluate_tier(rules, newcomer, one, enrolled_at=newcomer.since, now=later).tier for one in (kept, days)
        )
        assert ours == theirs


# Drawn just before, at and after the critical points: midnights, months, thresholds.
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 1, 2, 27, 28, 29, 30, 31, 32, 60, 365, 366]) | st.integers(0, 500),  # days that pass
        st.sampled_from([-3, -1, 0, 1, 3, 720]) | st.integers(0, 24 * 60),  # and minutes of the day
        st.sampled_from([-5, -4, -2, 0, 0, 0, 2, 5]) | st.integers(0, 60 * 24 * 40),  # backdated; or a till is ahead
        st.sampled_from([0, 20, 40, 60, 80, 99, 100, 101, 200, 299, 300]),  # points gained
        st.sampled_from([False, False, False, False, True]),  # whether all of the day is reversed
    ),
    max_size=25,
)


@given(qualification=QUALIFICATIONS, zone=ZONES, happenings=HAPPENINGS)
@property_settings(1000)
def test_a_tier_found_from_the_last_day_is_the_one_found_from_all(
    qualification: QualificationPeriod, zone: ZoneInfo, happenings: list[tuple[int, int, int, int, bool]]
) -> None:
    rules = programme(qualification=qualification, zone=zone)
    enrolled_at = START
    tier_status, days = TierStatus("base", enrolled_at, None), NO_QUALIFYING_DAYS
    midnight = START.astimezone(zone).replace(hour=0, minute=0)
    latest = START
    for passed, minutes, back, points, taken in happenings:
        midnight += timedelta(days=passed)
        now = latest = max(latest, (midnight + timedelta(minutes=minutes)).astimezone(UTC))
        if tier_status.guaranteed_until is not None and tier_status.guaranteed_until <= now:
            tier_status = reevaluate_tier(rules, tier_status, days, enrolled_at=enrolled_at, now=now)
        day = max(enrolled_at, now - timedelta(minutes=back)).astimezone(zone).date()
        last = days.last()
        days = days.with_points(day, points)
        fields: Any = {"enrolled_at": enrolled_at, "now": now}
        if not points or last is None or day >= last:
            assert reevaluate_tier_after_gain(rules, tier_status, days, **fields) == reevaluate_tier(
                rules, tier_status, days, **fields
            )
        tier_status = reevaluate_tier(rules, tier_status, days, **fields)
        if taken:
            days = days.with_points(day, -days.get(day, 0))
            tier_status = reevaluate_tier(rules, tier_status, days, **fields)
        days = prune_qualifying_days(rules, days, now=now)


MONTH = QualificationPeriod(QualificationKind.ROLLING, months=1)


@pytest.mark.parametrize(
    ("steps", "last_step"),
    [
        # A till whose clock is ahead sends 1 April on 31 March; its effect shows with the next event.
        (
            [("2024-03-02 12:00", "2024-03-02", 50), ("2024-03-31 23:58", "2024-04-01", 50)],
            ("2024-04-02 12:00", "2024-04-02", 10, "silver", "2024-04-01 00:00", "2024-05-01 00:00"),
        ),
        # So does a prolongation.
        (
            [
                ("2024-03-01 12:00", "2024-03-01", 60),
                ("2024-03-10 12:00", "2024-03-10", 40),
                ("2024-03-30 23:58", "2024-03-31", 10),
            ],
            ("2024-04-02 12:00", "2024-04-02", 5, "silver", "2024-03-10 00:00", "2024-04-30 00:00"),
        ),
        # On the day that a higher tier has ended on, the one below it goes back to when it was reached.
        (
            [
                ("2024-03-01 12:00", "2024-03-01", 250),
                ("2024-03-10 12:00", "2024-03-10", 60),
                ("2024-04-03 12:00", "2024-04-03", 60),
            ],
            ("2024-04-10 12:00", "2024-04-10", 100, "silver", "2024-04-03 00:00", "2024-05-10 00:00"),
        ),
    ],
)
def test_a_tier_is_found_from_more_than_the_last_day_where_that_is_not_enough(
    steps: list[tuple[str, str, int]], last_step: tuple[str, str, int, str, str, str]
) -> None:
    rules, days = programme(qualification=MONTH), NO_QUALIFYING_DAYS
    enrolled_at = moment("2024-01-10 12:00")
    last_now, last_day, last_points, tier, since, until = last_step
    found = TierStatus("base", enrolled_at, None)
    for now, day, points in [*steps, (last_now, last_day, last_points)]:
        at = moment(now)
        if found.guaranteed_until is not None and found.guaranteed_until <= at:
            found = reevaluate_tier(rules, found, days, enrolled_at=enrolled_at, now=at)
        days = days.with_points(date.fromisoformat(day), points)
        found = reevaluate_tier_after_gain(rules, found, days, enrolled_at=enrolled_at, now=at)
    assert found == TierStatus(tier, moment(since), moment(until))
