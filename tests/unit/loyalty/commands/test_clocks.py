"""Events of senders whose clocks differ, and events of long ago."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from support.builders import NEVER, flat, moment, per_euro, programme, receipt
from support.catalogue import offer
from support.member_scenario import MemberScenario, assert_member_invariants
from support.order_scenario import OrderScenario, catalogue_programme
from support.property_settings import property_settings

from loyalty.kernel.calendar import day_of, end_of, expiry_day
from loyalty.kernel.period import EndOf, ExpiryPolicy
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import PURCHASE, REFUND
from loyalty.model.ledger import IMPORTED
from loyalty.model.offer import OfferKind

NOW = moment("2024-03-01 12:00")
SKEW_SECONDS = 5 * 60
SECONDS = st.integers(-SKEW_SECONDS, SKEW_SECONDS) | st.sampled_from([-SKEW_SECONDS, SKEW_SECONDS, 120])


@given(ahead=SECONDS, apart=st.integers(0, SKEW_SECONDS) | st.just(SKEW_SECONDS), share=st.sampled_from(["10", "4"]))
@property_settings(60)
def test_a_refund_may_be_stamped_before_its_purchase_by_as_much_as_clocks_may_differ(
    ahead: int, apart: int, share: str
) -> None:
    scenario = MemberScenario.of(programme())
    bought_at = NOW + timedelta(seconds=ahead)
    bought = scenario.event(PURCHASE, bought_at, purchase=receipt("10"))
    scenario.must(bought, NOW)
    back = scenario.event(
        REFUND, bought_at - timedelta(seconds=apart), purchase=receipt(share), refund_of=bought.event.key
    )
    scenario.must(back, NOW)
    assert scenario.now.available == 10 - int(share)
    assert_member_invariants(scenario)


@given(ahead=SECONDS, apart=st.integers(SKEW_SECONDS + 1, 10**6))
@property_settings(30)
def test_a_refund_that_no_difference_of_clocks_explains_is_refused(ahead: int, apart: int) -> None:
    scenario = MemberScenario.of(programme())
    bought_at = NOW + timedelta(seconds=ahead)
    bought = scenario.event(PURCHASE, bought_at, purchase=receipt("10"))
    scenario.must(bought, NOW)
    back = scenario.event(REFUND, bought_at - timedelta(seconds=apart), refund_of=bought.event.key)
    refusal = scenario.refused(back, NOW)
    assert (refusal.code, refusal.reason, refusal.path) == (
        RefusalCode.INVALID,
        "refund_before_purchase",
        ("occurredAt",),
    )


ZONES = ("Europe/Paris", "America/Santiago", "Australia/Lord_Howe", "UTC")
POLICIES = st.builds(
    ExpiryPolicy,
    months=st.integers(0, 24),
    days=st.integers(1, 400),
    end_of=st.none() | st.sampled_from(EndOf),
)


def moment_of_expiry(at: datetime, policy: ExpiryPolicy, zone: ZoneInfo) -> datetime:
    last_day = expiry_day(day_of(at, zone), policy)
    assert last_day is not None
    return end_of(last_day, zone)


@given(
    brand=st.tuples(POLICIES, st.sampled_from(ZONES).map(ZoneInfo)),
    days=st.integers(0, 1200),
    late=st.integers(-90_000, 90_000) | st.sampled_from([-1, 0]),
    kind=st.sampled_from([PURCHASE, "visit"]),
    imported=st.booleans(),
)
@property_settings(120)
def test_an_event_is_refused_once_its_points_would_have_expired_unless_it_is_imported(
    brand: tuple[ExpiryPolicy, ZoneInfo], days: int, late: int, kind: str, imported: bool
) -> None:
    policy, zone = brand
    rules = (per_euro(), flat("visit", "10", event="visit"))
    scenario = MemberScenario.of(programme(*rules, expiry=policy, zone=zone), enrolled="2019-01-01 12:00")
    at = NOW - timedelta(days=days)
    expires = moment_of_expiry(at, policy, zone)
    now = max(at, expires + timedelta(seconds=late))
    command = scenario.event(kind, at, purchase=receipt("10") if kind == PURCHASE else None, imported=imported)
    if now < expires or imported:
        scenario.must(command, now)
        assert scenario.records[-1].cause.reason == (IMPORTED if imported else None)
        assert scenario.now.available == (10 if now < expires else 0)
        return
    assert refusal_of(scenario.refused(command, now)) == (RefusalCode.EXPIRED, "event_expired", ("occurredAt",))
    assert scenario.now.available == 0


def refusal_of(refusal: Refusal) -> tuple[RefusalCode, str, tuple[str, ...]]:
    return refusal.code, refusal.reason, refusal.path


def test_an_event_of_any_age_is_recorded_if_points_never_expire() -> None:
    scenario = MemberScenario.of(programme(expiry=NEVER))
    scenario.buy("2004-03-01 10:00", "10", key="old", now="2024-03-01 12:00")
    assert scenario.now.available == 10


def test_a_late_refund_is_recorded_after_its_purchases_points_have_expired() -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(days=30)))
    scenario.buy("2024-03-01 10:00", "10", key="basket", now="2024-03-01 10:00")
    scenario.refund("2024-03-01 11:00", "basket", now="2024-06-01 12:00")
    assert scenario.now.available == 0
    assert_member_invariants(scenario)


@given(days=st.integers(25, 400) | st.sampled_from([29, 30, 31]), imported=st.booleans())
@property_settings(40)
def test_a_redemption_is_refused_once_its_points_would_have_expired_unless_it_is_imported(
    days: int, imported: bool
) -> None:
    bonus = offer("bonus", OfferKind.BONUS_POINTS, points=50, starts_at=moment("2020-01-01 00:00"))
    customer = OrderScenario(catalogue_programme(offers=[bonus], expiry=ExpiryPolicy(days=30)))
    customer.must(customer.enrolment("2020-01-10 12:00"), "2020-01-10 12:00")
    command = customer.redeeming("bonus", NOW - timedelta(days=days))
    if imported:
        command = replace(command, cause=replace(command.cause, reason=IMPORTED))
    if days <= 30 or imported:
        customer.must(command, NOW)
        assert customer.now.available == (50 if days <= 30 else 0)
    else:
        assert refusal_of(customer.refused(command, NOW)) == (RefusalCode.EXPIRED, "event_expired", ("occurredAt",))
        assert customer.now.offer_use("bonus").uses == 0


@given(
    days=st.integers(20, 400) | st.sampled_from([29, 30, 31]),
    kind=st.sampled_from([OfferKind.BONUS_POINTS, OfferKind.MULTIPLIER, OfferKind.AMOUNT_OFF]),
)
@property_settings(40)
def test_an_offer_gives_no_points_to_a_purchase_whose_points_have_expired(days: int, kind: OfferKind) -> None:
    values: dict[OfferKind, dict[str, Any]] = {
        OfferKind.BONUS_POINTS: {"points": 50},
        OfferKind.MULTIPLIER: {"factor": Decimal(2)},
        OfferKind.AMOUNT_OFF: {"amount": Decimal(3)},
    }
    given_offer = offer("given", kind, starts_at=moment("2020-01-01 00:00"), **values[kind])
    customer = OrderScenario(catalogue_programme(offers=[given_offer], expiry=ExpiryPolicy(days=30)))
    customer.must(customer.enrolment("2020-01-10 12:00"), "2020-01-10 12:00")
    bought_at = NOW - timedelta(days=days)
    customer.buy(bought_at, "10", key="basket")
    command = customer.redeeming("given", NOW, purchase="basket")
    if days <= 30 or kind is OfferKind.AMOUNT_OFF:
        customer.must(command, NOW)
        assert customer.now.offer_use("given").uses == 1
    else:
        assert refusal_of(customer.refused(command, NOW)) == (RefusalCode.EXPIRED, "event_expired", ("purchaseKey",))
        assert customer.now.offer_use("given").uses == 0
