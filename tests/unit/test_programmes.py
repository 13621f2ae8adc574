"""The programmes of the project, through `decide()`."""

from datetime import date
from pathlib import Path

from support.builders import line, moment, receipt
from support.member_scenario import MemberScenario, assert_member_invariants, explanation_rows, posting_rows

import models
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal
from loyalty.model.explanation import RuleOutcome
from loyalty.model.programme import Programme
from loyalty.rules.tier import tier_progress
from models.definitions.programme_file import read_programme

FILES = Path(models.__file__).parent.parent / "programmes"


def running(name: str) -> Programme:
    return read_programme((FILES / f"{name}.yaml").read_text(encoding="utf-8"), version=1)


def why(scenario: MemberScenario) -> list[tuple[str, int, RuleOutcome]]:
    return explanation_rows(scenario.records[-1].explanations)


# The grocer


def test_the_grocer_gives_a_point_per_whole_dollar_and_one_per_two_of_its_own_brands() -> None:
    scenario = MemberScenario.of(running("grocer"), enrolled="2024-01-05 09:00")
    basket = receipt(
        "23.97",
        line("milk", "4.49", "1", brand="Private", category="DAIRY"),
        line("bread", "3.50", "1", brand="Private"),
        line("steak", "15.98", "2", brand="National"),
        currency="USD",
    )
    scenario.buy("2024-01-06 18:30", basket, key="receipt-1", store="367")
    assert why(scenario) == [("basket", 23, RuleOutcome.AWARDED), ("own-brand", 3, RuleOutcome.AWARDED)]
    assert [(grant.rule, grant.by_line) for grant in scenario.counted["receipt-1"].grants] == [
        ("basket", (4, 4, 15)),
        ("own-brand", (2, 1, 0)),
    ]
    assert scenario.lots == [("2024-01-06", "2025-01-31", 26)]
    assert_member_invariants(scenario)


def test_grocer_explains_a_basket_without_own_brands() -> None:
    scenario = MemberScenario.of(running("grocer"), enrolled="2024-01-05 09:00")
    scenario.buy("2024-01-06 18:30", receipt(None, line("steak", "7.99", brand="National"), currency="USD"))
    assert why(scenario) == [("basket", 7, RuleOutcome.AWARDED), ("own-brand", 0, RuleOutcome.NO_POINTS)]


def test_a_shopper_of_the_grocer_climbs_returns_spends_and_falls() -> None:
    scenario = MemberScenario.of(running("grocer"), enrolled="2024-01-05 09:00")
    for month in range(1, 10):
        scenario.buy(f"2024-{month:02}-15 12:00", "110.40", key=f"basket-{month}")
    assert (scenario.tier, scenario.now.available) == ("green", 990)
    way = tier_progress(
        scenario.programme, scenario.now.tier_status, scenario.now.qualifying_days, now=scenario.at("2024-09-16 12:00")
    )
    assert way is not None
    assert (way.tier.key, way.points_earned, way.points_missing, way.ends_at) == ("silver", 990, 10, None)

    scenario.buy("2024-10-15 12:00", "20.00", key="tenth")
    assert scenario.standing() == ("silver", scenario.at("2024-10-15 00:00"), scenario.at("2025-10-15 00:00"))

    # A refund of half a basket reverses its points, and with them the tier that they reached.
    scenario.refund("2024-10-16 12:00", "basket-9", "55.20")
    assert (scenario.now.available, scenario.tier) == (955, "green")

    # A deduction empties the oldest lots first.
    scenario.adjust("2024-10-17 12:00", -900)
    assert scenario.lots == [("2024-09-15", "2025-09-30", 35), ("2024-10-15", "2025-10-31", 20)]

    # A refund of spent points leaves a debt, which the next basket fills.
    scenario.refund("2024-10-18 12:00", "basket-1")
    assert scenario.now.available == -55
    scenario.buy("2024-10-19 12:00", "100.00")
    assert (scenario.now.available, scenario.lots) == (45, [("2024-10-19", "2025-10-31", 45)])

    # The remaining points expire with their month.
    scenario.settle("2025-11-01 00:00")
    assert scenario.points == (-945, 0, 45, 900, 0)
    assert scenario.standing() == ("green", scenario.at("2024-10-16 12:00"), None)
    assert_member_invariants(scenario)


def test_an_offline_till_of_the_grocer_may_send_yesterdays_baskets_in_any_order() -> None:
    ends = []
    for order in ((1, 2, 3), (3, 1, 2)):
        scenario = MemberScenario.of(running("grocer"), enrolled="2024-01-05 09:00")
        for day in order:
            scenario.buy(f"2024-02-0{day} 12:00", "400.00", now="2024-02-04 08:00")
        ends.append((scenario.now.balances, scenario.now.lots, scenario.now.tier_status, scenario.now.qualifying_days))
    assert ends[0] == ends[1]
    assert ends[0][2].since == moment("2024-02-03 00:00-05:00")


# The coffee house


def coffee(*, birth_date: date | None = None) -> MemberScenario:
    return MemberScenario.of(running("coffee"), enrolled="2024-01-08 08:00", birth_date=birth_date)


def test_the_coffee_house_welcomes_with_stars_that_lead_to_no_tier() -> None:
    scenario = coffee()
    assert why(scenario) == [("welcome", 10, RuleOutcome.AWARDED)]
    assert scenario.lots == [("2024-01-08", "2024-07-08", 10)]
    assert scenario.now.qualifying_days == {}


def test_a_coffee_in_the_morning_gives_two_stars_per_euro() -> None:
    scenario = coffee()
    scenario.buy("2024-01-09 08:15", "4.30")
    assert why(scenario) == [
        ("stars", 9, RuleOutcome.AWARDED),
        ("birthday", 0, RuleOutcome.CONDITION),
        ("happy-hour", 0, RuleOutcome.HOURS),
        ("instant/refill", 0, RuleOutcome.BELOW_MINIMUM),
    ]
    assert scenario.now.available == 19


def test_fifteen_euros_give_a_refill_on_the_spot_once_a_day() -> None:
    scenario = coffee()
    for at, total, reason in (
        ("2024-01-09 08:15", "14.99", RuleOutcome.BELOW_MINIMUM),
        ("2024-01-09 08:16", "15.00", RuleOutcome.GRANTED),
        ("2024-01-09 23:59", "40.00", RuleOutcome.LIMIT),
        ("2024-01-10 00:00", "15.00", RuleOutcome.GRANTED),
    ):
        scenario.buy(at, total)
        assert why(scenario)[-1] == ("instant/refill", 0, reason)


def test_the_late_afternoon_gives_half_as_much_again() -> None:
    scenario = coffee()
    scenario.buy("2024-01-09 17:59", "4.30", channel=Channel.APP)
    assert why(scenario)[2] == ("happy-hour", 4, RuleOutcome.AWARDED)
    scenario.buy("2024-01-09 17:59", "4.30", channel=Channel.PARTNER)
    assert why(scenario)[2] == ("happy-hour", 0, RuleOutcome.CHANNEL)
    scenario.buy("2024-01-13 17:00", "4.30")
    assert why(scenario)[2] == ("happy-hour", 0, RuleOutcome.WEEKDAY)


def test_a_birthday_in_the_late_afternoon_doubles_and_no_more() -> None:
    scenario = coffee(birth_date=date(1990, 1, 9))
    scenario.buy("2024-01-09 17:00", "4.30")
    assert why(scenario) == [
        ("stars", 9, RuleOutcome.AWARDED),
        ("birthday", 9, RuleOutcome.AWARDED),
        ("happy-hour", 0, RuleOutcome.NOT_BEST),
        ("instant/refill", 0, RuleOutcome.BELOW_MINIMUM),
    ]
    assert scenario.now.available == 28
    assert scenario.now.qualifying_days == {date(2024, 1, 9): 9}


def test_a_visit_gives_one_star_a_day() -> None:
    scenario = coffee()
    scenario.happen("visit", "2024-01-09 08:00")
    scenario.happen("visit", "2024-01-09 16:00")
    assert why(scenario) == [("visit", 0, RuleOutcome.CAP_REACHED)]
    scenario.happen("visit", "2024-01-10 00:00")
    assert scenario.now.available == 12


def test_cups_of_ones_own_give_five_stars_a_week_at_most() -> None:
    scenario = coffee()
    scenario.happen("own-cup", "2024-01-09 08:00", attributes={"cups": 4})
    scenario.happen("own-cup", "2024-01-14 08:00", attributes={"cups": 4})
    assert why(scenario) == [("own-cup", 1, RuleOutcome.CAPPED)]
    scenario.happen("own-cup", "2024-01-15 08:00", attributes={"cups": 4})
    assert scenario.now.available == 19


def test_implausible_numbers_of_cups_are_refused() -> None:
    scenario = coffee()
    faults = []
    for attributes in ({}, {"cups": 0}, {"cups": 11}, {"cups": 1.5}, {"cups": 1, "size": "L"}):
        refusal = scenario.refused(
            scenario.event("own-cup", "2024-01-09 08:00", attributes=attributes), "2024-01-09 08:00"
        )
        assert isinstance(refusal, Refusal)
        assert (refusal.reason, refusal.path) == ("attributes_invalid", ("attributes",))
        faults.append(refusal.params["fault"])
    assert faults == [
        "'cups' is a required property",
        "cups: 0 is less than the minimum of 1",
        "cups: 11 is greater than the maximum of 10",
        "cups: 1.5 is not of type 'integer'",
        "Additional properties are not allowed ('size' was unexpected)",
    ]


def test_the_coffee_house_writes_off_stars_that_were_spent() -> None:
    scenario = coffee()
    scenario.buy("2024-01-09 08:00", "10.00", key="round")
    scenario.adjust("2024-01-10 08:00", -30)
    decision = scenario.refund("2024-01-11 08:00", "round")
    assert posting_rows(decision.record.entries[0]) == [("issued", 20), ("written_off", -20)]
    assert why(scenario) == [
        ("stars", -20, RuleOutcome.REVERSED),
        ("refund", 20, RuleOutcome.WRITTEN_OFF),
    ]
    assert scenario.points == (-10, 0, 0, 30, -20)
    assert_member_invariants(scenario)


def test_a_regular_of_the_coffee_house_stays_one_to_the_end_of_the_next_year() -> None:
    scenario = coffee()
    for week in range(1, 9):
        scenario.buy(f"2024-02-{week:02} 08:00", "10.00")
    assert scenario.standing() == ("regular", moment("2024-02-08 00:00"), moment("2026-01-01 00:00"))
    assert [benefit.in_locale("en") for benefit in scenario.programme.tier(scenario.tier).benefits] == [
        "A free extra shot"
    ]
    scenario.settle("2024-08-09 00:00")
    assert scenario.points == (-170, 0, 170, 0, 0)
    assert scenario.tier == "regular"
    scenario.settle("2026-01-01 00:00")
    assert scenario.standing() == ("guest", moment("2026-01-01 00:00"), None)
    assert_member_invariants(scenario)
