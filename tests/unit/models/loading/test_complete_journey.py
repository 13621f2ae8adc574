from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from support.complete_journey import baskets_of_the_first_two_households

from loyalty.model.event import PurchaseLine
from models.loading.complete_journey import LAST_DAY, CompleteJourney


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return CompleteJourney()


def test_households_come_by_number(journey: CompleteJourney) -> None:
    assert journey.households(3) == [1, 2, 3]
    assert len(journey.households()) == 2469


def test_baskets_come_in_the_order_of_time_with_all_their_lines(journey: CompleteJourney) -> None:
    baskets = journey.baskets([1, 2])
    result = list(baskets)
    expected = baskets_of_the_first_two_households()
    assert len(baskets) == len(result) == len(expected) == 71
    assert [basket.at for basket in result] == sorted(basket.at for basket in result)
    assert result[-1].at.date() == LAST_DAY
    assert {basket.basket: (basket.household, int(basket.total * 100)) for basket in result} == {
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
    # A coupon is a line without a product.
    assert [line for line in first.lines if line.brand is None] == [PurchaseLine("5978656", Decimal(0), Decimal(0))]


def test_the_last_requested_day_is_included(journey: CompleteJourney) -> None:
    everything = list(journey.baskets([1]))
    day = everything[10].at.date()
    result = list(journey.baskets([1], until=day))
    assert result == [basket for basket in everything if basket.at.date() <= day]
    assert result[-1].at.date() == day
    assert list(journey.baskets([1], until=date(2016, 12, 31))) == []


def test_first_purchase_of_each_household_is_known(journey: CompleteJourney) -> None:
    baskets = journey.baskets([1, 2, 3])
    firsts: dict[int, datetime] = {}
    for basket in baskets:
        firsts.setdefault(basket.household, basket.at)
    result = baskets.first_of_each_household()
    assert result == firsts
    assert list(result.values()) == sorted(result.values())


def test_campaigns_come_with_the_households_that_received_them(journey: CompleteJourney) -> None:
    campaigns = journey.campaigns()
    assert [campaign.number for campaign in campaigns] == list(range(1, 28))
    assert sum(len(campaign.households) for campaign in campaigns) == 6589
    eighth = campaigns[7]
    assert (eighth.kind, eighth.first_day, eighth.last_day) == ("A", date(2017, 5, 8), date(2017, 6, 25))
    assert len(eighth.households) == 1076
    assert eighth.is_on(date(2017, 6, 25))
    assert not eighth.is_on(date(2017, 6, 26))


def test_coupons_list_their_products(journey: CompleteJourney) -> None:
    coupons = journey.coupons()
    assert len(coupons) == len({(coupon.campaign, coupon.upc) for coupon in coupons}) == 1197
    assert sum(coupon.products for coupon in coupons) == 111_332
    pickles = next(coupon for coupon in coupons if (coupon.campaign, coupon.upc) == (13, 10000089091))
    assert pickles.products == 46
    assert pickles.categories == (("PICKLE/RELISH/PKLD VEG", 46),)
    assert pickles.brands == (("Private", 46),)
    assert all(0 < count <= coupon.products for coupon in coupons for _, count in coupon.categories)


def test_every_use_of_a_coupon_is_within_its_campaign(journey: CompleteJourney) -> None:
    uses = journey.coupon_uses()
    campaigns = {campaign.number: campaign for campaign in journey.campaigns()}
    coupons = {(coupon.campaign, coupon.upc) for coupon in journey.coupons()}
    assert len(uses) == len(set(uses)) == 2102
    assert uses == sorted(uses)
    for use in uses:
        assert campaigns[use.campaign].is_on(use.day)
        assert use.household in campaigns[use.campaign].households
        assert (use.campaign, use.upc) in coupons


def test_a_category_has_all_products_that_coupons_name_of_it(journey: CompleteJourney) -> None:
    products = journey.products_by_category()
    assert len(products) == 303
    assert all(count <= products[name] for coupon in journey.coupons() for name, count in coupon.categories)


def test_products_say_what_they_are(journey: CompleteJourney) -> None:
    kinds = journey.product_types()
    assert kinds[1029743] == "FLUID MILK WHITE ONLY"
    assert all(kinds.values())
