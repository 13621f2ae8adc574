from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from support.journey import baskets_of_the_first_two_households

from loyalty.event import PurchaseLine
from models.complete_journey import LAST_DAY, CompleteJourney


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return CompleteJourney()


def test_households_come_by_number(journey: CompleteJourney) -> None:
    assert journey.households(3) == [1, 2, 3]
    assert len(journey.households()) == 2469


def test_baskets_come_in_the_order_of_time_with_all_their_lines(journey: CompleteJourney) -> None:
    baskets = journey.baskets([1, 2])
    told = list(baskets)
    expected = baskets_of_the_first_two_households()
    assert len(baskets) == len(told) == len(expected) == 71
    assert [basket.at for basket in told] == sorted(basket.at for basket in told)
    assert told[-1].at.date() == LAST_DAY
    assert {basket.basket: (basket.household, int(basket.total * 100)) for basket in told} == {
        number: (basket.household, basket.total) for number, basket in expected.items()
    }


def test_a_basket_is_the_receipt_that_the_file_holds(journey: CompleteJourney) -> None:
    first = next(iter(journey.baskets([1])))
    assert (first.household, first.basket, first.store) == (1, 31317046240, 436)
    assert first.at == datetime(2017, 1, 7, 18, 55, 24, tzinfo=UTC)
    assert (len(first.lines), first.total) == (35, Decimal("73.77"))
    assert first.lines[:2] == (
        PurchaseLine("823721", Decimal(1), Decimal("2.99"), "CHEESE", "National"),
        PurchaseLine("832990", Decimal(2), Decimal("5.98"), "MOLASSES/SYRUP/PANCAKE MIXS", "National"),
    )
    # A coupon is a line of no product.
    assert [line for line in first.lines if line.brand is None] == [PurchaseLine("5978656", Decimal(0), Decimal(0))]


def test_the_last_day_asked_for_is_included(journey: CompleteJourney) -> None:
    everything = list(journey.baskets([1]))
    day = everything[10].at.date()
    told = list(journey.baskets([1], until=day))
    assert told == [basket for basket in everything if basket.at.date() <= day]
    assert told[-1].at.date() == day
    assert list(journey.baskets([1], until=date(2016, 12, 31))) == []


def test_it_knows_when_each_household_bought_first(journey: CompleteJourney) -> None:
    baskets = journey.baskets([1, 2, 3])
    firsts: dict[int, datetime] = {}
    for basket in baskets:
        firsts.setdefault(basket.household, basket.at)
    told = baskets.first_of_each_household()
    assert told == firsts
    assert list(told.values()) == sorted(told.values())
