from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.builders import PARIS, moment
from support.catalogue import offer, segment
from support.order_scenario import OrderScenario, catalogue_programme

from loyalty.kernel.window import Window
from loyalty.model.offer import (
    EVERYBODY,
    NO_USE,
    Audience,
    Offer,
    OfferKind,
    OfferState,
    OfferUse,
    offer_state,
    purchase_reference,
    uses_left,
)
from loyalty.model.supply import CounterKey, CounterKind
from loyalty.rules.availability import time_obstacle
from loyalty.rules.segmentation import SegmentationInput

NOON = moment("2024-03-01 12:00")
A_MOMENT = timedelta(milliseconds=1)


def is_on(one: Offer, at: datetime) -> bool:
    return not time_obstacle(at, at.astimezone(PARIS), starts_at=one.starts_at, ends_at=one.ends_at, window=one.window)


def test_an_offer_is_on_from_its_first_moment_until_its_end() -> None:
    tea = offer("tea", starts_at=NOON, ends_at=NOON + timedelta(hours=1))
    moments = (NOON - A_MOMENT, NOON, NOON + timedelta(hours=1) - A_MOMENT, NOON + timedelta(hours=1))
    assert [is_on(tea, at) for at in moments] == [False, True, True, False]
    assert [tea.has_ended(at) for at in moments] == [False, False, False, True]
    assert not offer("ever").has_ended(NOON)
    fridays = offer("fridays", window=Window(weekdays=frozenset({5})))
    assert [is_on(fridays, NOON + timedelta(days=days)) for days in (0, 1)] == [True, False]


@pytest.mark.parametrize(
    ("use", "hours", "state"),
    [
        (NO_USE, 0, OfferState.AVAILABLE),
        (OfferUse(activated_at=NOON), 0, OfferState.ACTIVATED),
        (OfferUse(activated_at=NOON, uses=1), 0, OfferState.ACTIVATED),
        (OfferUse(uses=2), 0, OfferState.REDEEMED),
        (OfferUse(activated_at=NOON), 1, OfferState.EXPIRED),
        (OfferUse(uses=2), 1, OfferState.REDEEMED),
    ],
)
def test_state_of_an_offer_for_a_member(use: OfferUse, hours: int, state: OfferState) -> None:
    tea = offer("tea", uses_per_member_max=2, ends_at=NOON + timedelta(hours=1))
    assert offer_state(tea, use, NOON + timedelta(hours=hours)) is state


def test_uses_left() -> None:
    assert [uses_left(offer("tea", uses_per_member_max=2), OfferUse(uses=uses)) for uses in range(4)] == [2, 1, 0, 0]
    assert uses_left(offer("tea", uses_per_member_max=None), OfferUse(uses=9)) is None


def test_only_what_is_limited_is_counted_against() -> None:
    assert offer("tea").counters() == frozenset()
    both = offer("tea", OfferKind.AMOUNT_OFF, amount=Decimal(5), uses_max=0, budget=0).counters()
    assert both == {CounterKey(CounterKind.USES, "tea"), CounterKey(CounterKind.BUDGET, "tea")}


def test_restored_uses_are_left_again_and_never_more_than_there_were() -> None:
    use = NO_USE.with_use(NOON).with_use(NOON)
    assert (use.uses, use.redeemed_at) == (2, NOON)
    assert use.with_uses_restored(1) == OfferUse(uses=1, redeemed_at=NOON)
    assert use.with_uses_restored(2) == use.with_uses_restored(3) == NO_USE


def test_the_name_of_a_purchase_cannot_be_mistaken() -> None:
    names = {
        purchase_reference(sender, key) for sender, key in (("a", "b/c"), ("a/b", "c"), ("a%2Fb", "c"), ("a", "b%2Fc"))
    }
    assert len(names) == 4


AUDIENCES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"tiers": {"silver"}}, True),
    ({"tiers": {"gold", "silver"}}, True),
    ({"tiers": {"gold"}}, False),
    ({"segments": {"came"}}, True),
    ({"segments": {"never", "came"}}, True),
    ({"segments": {"never"}}, False),
    ({"segments": {"broken"}}, False),
    ({"segments": {"gone"}}, False),
    ({"lists": {"friends"}}, True),
    ({"lists": {"others"}}, False),
    ({"tiers": {"silver"}, "segments": {"came"}, "lists": {"friends", "others"}}, True),
    ({"tiers": {"silver"}, "segments": {"came"}, "lists": {"others"}}, False),
    ({"tiers": {"gold"}, "segments": {"came"}}, False),
]


@pytest.mark.parametrize(("about", "fits"), AUDIENCES)
def test_of_each_kind_that_an_audience_names_one_has_to_fit(about: dict[str, Any], fits: bool) -> None:
    segments = {
        "came": segment("came", "member.events.visit > 0"),
        "never": segment("never", "member.events.visit == 0"),
        "broken": segment("broken", "member.nothing > 0"),
    }
    customer = OrderScenario(catalogue_programme(segments=segments))
    customer.must(customer.enrolment("2024-01-10 12:00"), "2024-01-10 12:00")
    customer.earn(NOON, 100)
    customer.happen("visit", NOON)
    segmentation = SegmentationInput(customer.now, customer.programme, frozenset({"friends"}), NOON)
    audience = Audience(**{kind: frozenset(names) for kind, names in about.items()})
    assert audience.includes(segmentation) is fits
    assert EVERYBODY.includes(segmentation)
