"""The programmes that come with the project, lived through with `decide()`."""

from datetime import date
from pathlib import Path

from support.loyalty_build import Story, laws, line, moment, moved, receipt, told

import models
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal
from loyalty.model.explanation import Reason
from loyalty.model.programme import Programme
from loyalty.rules.tier import progress
from models.definitions.programme_file import read_programme

FILES = Path(models.__file__).parent.parent / "programmes"


def running(name: str) -> Programme:
    return read_programme((FILES / f"{name}.yaml").read_text(encoding="utf-8"), version=1)


def why(story: Story) -> list[tuple[str, int, Reason]]:
    return told(story.records[-1].why)


# The grocer


def test_the_grocer_gives_a_point_per_whole_dollar_and_one_per_two_of_its_own_brands() -> None:
    story = Story.of(running("grocer"), enrolled="2024-01-05 09:00")
    basket = receipt(
        "23.97",
        line("milk", "4.49", "1", brand="Private", category="DAIRY"),
        line("bread", "3.50", "1", brand="Private"),
        line("steak", "15.98", "2", brand="National"),
        currency="USD",
    )
    story.buy("2024-01-06 18:30", basket, key="receipt-1", store="367")
    assert why(story) == [("basket", 23, Reason.GIVEN), ("own-brand", 3, Reason.GIVEN)]
    assert [(grant.rule, grant.by_line) for grant in story.counted["receipt-1"].grants] == [
        ("basket", (4, 4, 15)),
        ("own-brand", (2, 1, 0)),
    ]
    assert story.lots == [("2024-01-06", "2025-01-31", 26)]
    laws(story)


def test_the_grocer_says_why_a_basket_without_its_own_brands_gives_no_more() -> None:
    story = Story.of(running("grocer"), enrolled="2024-01-05 09:00")
    story.buy("2024-01-06 18:30", receipt(None, line("steak", "7.99", brand="National"), currency="USD"))
    assert why(story) == [("basket", 7, Reason.GIVEN), ("own-brand", 0, Reason.NOTHING_DUE)]


def test_a_shopper_of_the_grocer_climbs_returns_spends_and_falls() -> None:
    story = Story.of(running("grocer"), enrolled="2024-01-05 09:00")
    for month in range(1, 10):
        story.buy(f"2024-{month:02}-15 12:00", "110.40", key=f"basket-{month}")
    assert (story.tier, story.now.available) == ("green", 990)
    way = progress(story.programme, story.now.standing, story.now.qualifying, now=story.at("2024-09-16 12:00"))
    assert way is not None
    assert (way.tier.key, way.qualifying, way.missing, way.before) == ("silver", 990, 10, None)

    story.buy("2024-10-15 12:00", "20.00", key="tenth")
    assert story.standing() == ("silver", story.at("2024-10-15 00:00"), story.at("2025-10-15 00:00"))

    # A return of half of a basket takes its points, and leaves the tier to its end.
    story.refund("2024-10-16 12:00", "basket-9", "55.20")
    assert (story.now.available, story.tier) == (955, "silver")

    # A redemption by hand empties the oldest lots first.
    story.adjust("2024-10-17 12:00", -900)
    assert story.lots == [("2024-09-15", "2025-09-30", 35), ("2024-10-15", "2025-10-31", 20)]

    # A return of what was spent leaves a debt, which the next basket fills.
    story.refund("2024-10-18 12:00", "basket-1")
    assert story.now.available == -55
    story.buy("2024-10-19 12:00", "100.00")
    assert (story.now.available, story.lots) == (45, [("2024-10-19", "2025-10-31", 45)])

    # What is left expires with its month; silver, no longer deserved since the returns, ends when it was promised to.
    story.settle("2025-11-01 00:00")
    assert story.points == (-945, 0, 45, 900, 0)
    assert story.standing() == ("green", story.at("2025-10-15 00:00"), None)
    laws(story)


def test_an_offline_till_of_the_grocer_may_send_yesterdays_baskets_in_any_order() -> None:
    ends = []
    for order in ((1, 2, 3), (3, 1, 2)):
        story = Story.of(running("grocer"), enrolled="2024-01-05 09:00")
        for day in order:
            story.buy(f"2024-02-0{day} 12:00", "400.00", now="2024-02-04 08:00")
        ends.append((story.now.balances, story.now.lots, story.now.standing, story.now.qualifying))
    assert ends[0] == ends[1]
    assert ends[0][2].since == moment("2024-02-03 00:00-05:00")


# The coffee house


def coffee(*, birth_date: date | None = None) -> Story:
    return Story.of(running("coffee"), enrolled="2024-01-08 08:00", birth_date=birth_date)


def test_the_coffee_house_welcomes_with_stars_that_lead_to_no_tier() -> None:
    story = coffee()
    assert why(story) == [("welcome", 10, Reason.GIVEN)]
    assert story.lots == [("2024-01-08", "2024-07-08", 10)]
    assert story.now.qualifying == {}


def test_a_coffee_in_the_morning_gives_two_stars_per_euro() -> None:
    story = coffee()
    story.buy("2024-01-09 08:15", "4.30")
    assert why(story) == [
        ("stars", 9, Reason.GIVEN),
        ("birthday", 0, Reason.CONDITION),
        ("happy-hour", 0, Reason.HOURS),
        ("instant/refill", 0, Reason.BELOW_MINIMUM),
    ]
    assert story.now.available == 19


def test_fifteen_euros_give_a_refill_on_the_spot_once_a_day() -> None:
    story = coffee()
    for at, total, reason in (
        ("2024-01-09 08:15", "14.99", Reason.BELOW_MINIMUM),
        ("2024-01-09 08:16", "15.00", Reason.GRANTED),
        ("2024-01-09 23:59", "40.00", Reason.LIMIT),
        ("2024-01-10 00:00", "15.00", Reason.GRANTED),
    ):
        story.buy(at, total)
        assert why(story)[-1] == ("instant/refill", 0, reason)


def test_the_late_afternoon_gives_half_as_much_again() -> None:
    story = coffee()
    story.buy("2024-01-09 17:59", "4.30", channel=Channel.APP)
    assert why(story)[2] == ("happy-hour", 4, Reason.GIVEN)
    story.buy("2024-01-09 17:59", "4.30", channel=Channel.PARTNER)
    assert why(story)[2] == ("happy-hour", 0, Reason.CHANNEL)
    story.buy("2024-01-13 17:00", "4.30")
    assert why(story)[2] == ("happy-hour", 0, Reason.WEEKDAY)


def test_a_birthday_in_the_late_afternoon_doubles_and_no_more() -> None:
    story = coffee(birth_date=date(1990, 1, 9))
    story.buy("2024-01-09 17:00", "4.30")
    assert why(story) == [
        ("stars", 9, Reason.GIVEN),
        ("birthday", 9, Reason.GIVEN),
        ("happy-hour", 0, Reason.OUTDONE),
        ("instant/refill", 0, Reason.BELOW_MINIMUM),
    ]
    assert story.now.available == 28
    assert story.now.qualifying == {date(2024, 1, 9): 9}


def test_a_visit_gives_one_star_a_day() -> None:
    story = coffee()
    story.happen("visit", "2024-01-09 08:00")
    story.happen("visit", "2024-01-09 16:00")
    assert why(story) == [("visit", 0, Reason.CAP_REACHED)]
    story.happen("visit", "2024-01-10 00:00")
    assert story.now.available == 12


def test_cups_of_ones_own_give_five_stars_a_week_at_most() -> None:
    story = coffee()
    story.happen("own-cup", "2024-01-09 08:00", attributes={"cups": 4})
    story.happen("own-cup", "2024-01-14 08:00", attributes={"cups": 4})
    assert why(story) == [("own-cup", 1, Reason.CAPPED)]
    story.happen("own-cup", "2024-01-15 08:00", attributes={"cups": 4})
    assert story.now.available == 19


def test_cups_that_nobody_brings_are_refused() -> None:
    story = coffee()
    faults = []
    for attributes in ({}, {"cups": 0}, {"cups": 11}, {"cups": 1.5}, {"cups": 1, "size": "L"}):
        refusal = story.refused(story.event("own-cup", "2024-01-09 08:00", attributes=attributes), "2024-01-09 08:00")
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
    story = coffee()
    story.buy("2024-01-09 08:00", "10.00", key="round")
    story.adjust("2024-01-10 08:00", -30)
    decision = story.refund("2024-01-11 08:00", "round")
    assert moved(decision.record.entries[0]) == [("issued", 20), ("written_off", -20)]
    assert why(story) == [
        ("stars", -20, Reason.TAKEN_BACK),
        ("refund", 20, Reason.WRITTEN_OFF),
    ]
    assert story.points == (-10, 0, 0, 30, -20)
    laws(story)


def test_a_regular_of_the_coffee_house_stays_one_to_the_end_of_the_next_year() -> None:
    story = coffee()
    for week in range(1, 9):
        story.buy(f"2024-02-{week:02} 08:00", "10.00")
    assert story.standing() == ("regular", moment("2024-02-08 00:00"), moment("2026-01-01 00:00"))
    assert [benefit.in_locale("en") for benefit in story.programme.tier(story.tier).benefits] == ["A free extra shot"]
    story.settle("2024-08-09 00:00")
    assert story.points == (-170, 0, 170, 0, 0)
    assert story.tier == "regular"
    story.settle("2026-01-01 00:00")
    assert story.standing() == ("guest", moment("2026-01-01 00:00"), None)
    laws(story)
