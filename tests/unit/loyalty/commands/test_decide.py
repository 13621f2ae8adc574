from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import (
    CALENDAR_YEAR,
    LIFETIME,
    NEVER,
    ROLLING_YEAR,
    cap,
    caps_of,
    flat,
    line,
    moment,
    per_euro,
    programme,
    receipt,
)
from support.member_scenario import (
    MemberScenario,
    assert_member_invariants,
    explanation_rows,
    ledger_faults,
    posting_rows,
)
from support.property_settings import property_settings

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.decide import decide
from loyalty.commands.decision_builder import BALANCE_MAX
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command
from loyalty.commands.settle import Settle
from loyalty.kernel.channel import Channel
from loyalty.kernel.period import EndOf, ExpiryPolicy, LimitPeriod
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.event import PURCHASE, REFUND, Purchase
from loyalty.model.explanation import RuleOutcome
from loyalty.model.ledger import Account, EntryKind, Record, TierStatus, record_hash
from loyalty.model.lot import Lots
from loyalty.model.member import Member, Profile, next_settlement_at
from loyalty.model.programme import Programme, Rounding, SpentPointsPolicy, Stacking
from loyalty.model.qualifying_days import QualifyingDays
from loyalty.rules.ledger_proof import rewind

INVALID = RefusalCode.INVALID
NOON = "2024-03-01 12:00"


def refusal(outcome: Refusal) -> tuple[RefusalCode, str, tuple[str, ...], dict[str, str | int]]:
    return (outcome.code, outcome.reason, outcome.path, dict(outcome.params))


# Enrolment


def test_a_newcomer_is_at_version_one_with_nothing() -> None:
    story = MemberScenario.of(programme())
    member = story.now
    assert (member.version, member.number, story.points) == (1, "1234567897", (0, 0, 0, 0, 0))
    assert member.tier_status == TierStatus("base", moment("2024-01-10 12:00"), None)
    assert (dict(member.balances), [*member.lots], member.cards, dict(member.event_counts)) == ({}, [], (), {})
    assert story.records[0].entries == ()
    assert_member_invariants(story)


def test_enrolment_stores_the_card() -> None:
    story = MemberScenario(programme())
    story.must(story.enrolment(NOON, card="card-1"), NOON)
    assert story.now.cards == ("card-1",)


def test_a_welcome_is_earned_with_enrolment() -> None:
    story = MemberScenario.of(
        programme(
            flat("welcome", "10", event="enrolment"), flat("known", "5", event="enrolment", when="member.birthday")
        )
    )
    assert story.points == (-10, 10, 0, 0, 0)
    assert explanation_rows(story.records[0].explanations) == [
        ("welcome", 10, RuleOutcome.AWARDED),
        ("known", 0, RuleOutcome.CONDITION),
    ]
    assert story.now.event_counts == {"enrolment": 1}
    assert story.now.qualifying_days == {date(2024, 1, 10): 10}
    assert_member_invariants(story)


def test_a_welcome_may_promote_at_once() -> None:
    story = MemberScenario.of(programme(flat("welcome", "100", event="enrolment")))
    assert story.now.tier_status == TierStatus("silver", moment("2024-01-10 12:00"), moment("2026-01-01 00:00"))


def test_a_birth_date_in_the_future_is_refused() -> None:
    story = MemberScenario(programme())
    today = story.refused(story.enrolment("2024-01-10 12:00", birth_date=date(2024, 1, 11)), "2024-01-10 12:00")
    assert refusal(today) == (INVALID, "birth_date_future", ("birthDate",), {})
    assert story.member is None
    story.must(story.enrolment("2024-01-10 23:30", birth_date=date(2024, 1, 10)), "2024-01-10 23:30")
    assert story.now.version == 1


# Refusals of events


@pytest.mark.parametrize(
    "made", [lambda story: story.event("visit", NOON), lambda story: Settle(story.cause("settle"))]
)
def test_nobody_but_a_member_can_be_decided_for(made: Callable[[MemberScenario], Command]) -> None:
    story = MemberScenario(programme())
    outcome = story.refused(made(story), NOON)
    assert refusal(outcome) == (RefusalCode.NOT_FOUND, "member_not_found", ("member",), {})


def test_an_adjustment_of_nobody_is_refused() -> None:
    story = MemberScenario(programme())
    outcome = story.refused(AdjustPoints(5, story.cause("adjust", "why")), NOON)
    assert refusal(outcome) == (RefusalCode.NOT_FOUND, "member_not_found", ("member",), {})


KNOWN = "parking, purchase, refund, review, visit"
BOX = receipt("5.00")
PARKING = {"type": "object", "required": ["minutes"], "properties": {"minutes": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("kind", "event", "expected"),
    [
        ("picnic", {}, ("event_type_unknown", ("type",), {"type": "picnic", "known": KNOWN})),
        ("enrolment", {}, ("event_type_unknown", ("type",), {"type": "enrolment", "known": KNOWN})),
        ("visit", {"when": "2024-03-01 12:05:00.001"}, ("occurred_in_future", ("occurredAt",), {})),
        (REFUND, {}, ("refund_of_missing", ("refundOf",), {})),
        (PURCHASE, {"purchase": BOX, "refund_of": "x"}, ("refund_of_unexpected", ("refundOf",), {})),
        ("visit", {"refund_of": "x"}, ("refund_of_unexpected", ("refundOf",), {})),
        (
            "parking",
            {"attributes": {"minutes": "many"}},
            ("attributes_invalid", ("attributes",), {"fault": "minutes: 'many' is not of type 'integer'"}),
        ),
        ("parking", {}, ("attributes_invalid", ("attributes",), {"fault": "'minutes' is a required property"})),
        (PURCHASE, {}, ("purchase_missing", ("purchase",), {})),
        ("visit", {"purchase": BOX}, ("purchase_unexpected", ("purchase",), {"type": "visit"})),
        (
            PURCHASE,
            {"purchase": receipt("5.00", currency="USD")},
            ("currency_mismatch", ("purchase", "currency"), {"currency": "USD", "expected": "EUR"}),
        ),
        (PURCHASE, {"purchase": receipt("-0.01")}, ("total_negative", ("purchase", "total"), {})),
        (
            PURCHASE,
            {"purchase": receipt(None, line("a", "1"), line("b", "1", "-0.5"))},
            ("quantity_negative", ("purchase", "lines", "1", "quantity"), {}),
        ),
    ],
)
def test_an_event_that_cannot_be_counted_is_refused_and_changes_nothing(
    kind: str, event: dict[str, Any], expected: tuple[str, tuple[str, ...], dict[str, str]]
) -> None:
    story = MemberScenario.of(programme(flat("visit", "5", event="visit"), attributes={"parking": PARKING}))
    story.happen("visit", "2024-02-01 10:00")
    when = event.pop("when", NOON)
    outcome = story.refused(story.event(kind, when, **event), NOON)
    assert refusal(outcome) == (INVALID, *expected)
    assert_member_invariants(story)


def test_a_clock_may_be_five_minutes_fast() -> None:
    story = MemberScenario.of(programme(flat("visit", "5", event="visit")))
    story.happen("visit", "2024-03-01 12:05:00", now=NOON)
    assert story.now.available == 5


def test_an_event_is_measured_by_the_schema_of_its_type() -> None:
    story = MemberScenario.of(
        programme(flat("park", "event.attributes.minutes", event="parking"), attributes={"parking": PARKING})
    )
    story.happen("parking", NOON, attributes={"minutes": 30})
    assert story.now.available == 30


def test_what_time_demands_is_not_committed_with_a_refusal() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(days=10)))
    story.buy(NOON, "10")
    story.refused(story.event("visit", "2024-05-01 12:00", refund_of="x"), "2024-05-01 12:00")
    assert story.points == (-10, 10, 0, 0, 0)


# Limits


def test_a_member_holds_no_more_than_the_api_can_tell() -> None:
    story = MemberScenario.of(programme())
    story.buy(NOON, "1000000000")
    story.buy(NOON, "1000000000")
    assert story.now.available == 2_000_000_000
    outcome = story.refused(story.event(PURCHASE, NOON, purchase=receipt("147483648")), NOON)
    assert refusal(outcome) == (RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})
    story.buy(NOON, "147483647")
    assert (story.now.available, BALANCE_MAX) == (2_147_483_647, 2**31 - 1)
    outcome = story.refused(AdjustPoints(1, story.cause("adjust", "why")), NOON)
    assert refusal(outcome) == (RefusalCode.LIMIT_REACHED, "balance_limit", ("points",), {"max": BALANCE_MAX})
    assert_member_invariants(story)


def test_a_welcome_is_no_more_than_the_api_can_tell() -> None:
    story = MemberScenario(programme(*(flat(key, "1000000000", event="enrolment") for key in "abc")))
    outcome = story.refused(story.enrolment(NOON), NOON)
    assert refusal(outcome) == (RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})


# Adjustments


@pytest.mark.parametrize(
    ("points", "reason", "expected"),
    [
        (0, "why", (INVALID, "adjustment_zero", ("points",), {})),
        (5, None, (INVALID, "reason_missing", ("reason",), {})),
        (5, " \n", (INVALID, "reason_missing", ("reason",), {})),
        (
            -11,
            "why",
            (RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", ("points",), {"available": 10, "asked": 11}),
        ),
        (BALANCE_MAX, "why", (RefusalCode.LIMIT_REACHED, "balance_limit", ("points",), {"max": BALANCE_MAX})),
    ],
)
def test_an_adjustment_that_cannot_be_made_is_refused_and_changes_nothing(
    points: int, reason: str | None, expected: tuple[RefusalCode, str, tuple[str, ...], dict[str, int]]
) -> None:
    story = MemberScenario.of(programme())
    story.buy(NOON, "10")
    assert refusal(story.refused(AdjustPoints(points, story.cause("adjust", reason)), NOON)) == expected


def test_an_adjustment_down_to_nothing_is_the_most() -> None:
    story = MemberScenario.of(programme())
    story.buy(NOON, "10")
    story.adjust(NOON, -10)
    assert (story.points, story.lots) == ((-10, 0, 0, 10, 0), [])


def test_points_that_have_expired_cannot_be_taken_away() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(days=10)))
    story.buy(NOON, "10")
    outcome = story.refused(AdjustPoints(-10, story.cause("adjust", "why")), "2024-03-12 00:00")
    assert refusal(outcome) == (
        RefusalCode.INSUFFICIENT_POINTS,
        "insufficient_points",
        ("points",),
        {"available": 0, "asked": 10},
    )


def test_nothing_can_be_taken_from_a_debt() -> None:
    story = MemberScenario.of(programme())
    story.buy(NOON, "10", key="bought")
    story.adjust(NOON, -10)
    story.refund(NOON, "bought")
    outcome = story.refused(AdjustPoints(-1, story.cause("adjust", "why")), NOON)
    assert outcome.params == {"available": -10, "asked": 1}


def test_points_given_by_hand_expire_like_others_and_carry_their_reason() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(months=1)))
    decision = story.adjust("2024-03-31 12:00", 7)
    assert story.lots == [("2024-03-31", "2024-04-30", 7)]
    assert decision.record.cause.reason == "as agreed"
    [entry] = decision.record.entries
    assert (entry.kind, entry.occurred_at, entry.channel) == (
        EntryKind.ADJUST,
        moment("2024-03-31 12:00"),
        Channel.AGENT,
    )
    assert decision.recorded_event is None


# Time


def test_time_that_demands_nothing_changes_nothing() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(days=10)))
    story.buy(NOON, "10")
    before = story.now
    assert isinstance(story.settle("2024-03-11 23:59:59"), NothingToSettle)
    assert story.now is before


def test_points_expire_with_the_end_of_their_last_day_in_the_brands_zone() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(days=10), zone=ZoneInfo("America/New_York")))
    story.buy("2024-03-01 20:00", "10")
    assert next_settlement_at(story.now, story.programme.zone) == datetime(2024, 3, 12, 4, 0, tzinfo=UTC)
    story.settle(datetime(2024, 3, 12, 4, 0, tzinfo=UTC))
    assert story.points == (-10, 0, 10, 0, 0)
    assert story.records[-1].entries[0].occurred_at == datetime(2024, 3, 12, 4, 0, tzinfo=UTC)
    assert next_settlement_at(story.now, story.programme.zone) is None


def test_each_lot_expires_on_its_own() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(days=10)))
    for day in ("2024-03-01", "2024-03-02", "2024-03-20"):
        story.buy(f"{day} 12:00", "10")
    assert [
        posting_rows(entry) for record in story.records for entry in record.entries if entry.kind is EntryKind.EXPIRE
    ] == [
        [("available", -10), ("expired", 10)],
        [("available", -10), ("expired", 10)],
    ]
    assert [entry.kind.value for entry in story.records[-1].entries] == ["EXPIRE", "EXPIRE", "EARN"]
    assert story.lots == [("2024-03-20", "2024-03-30", 10)]
    assert_member_invariants(story)


def test_points_of_an_event_imported_after_their_expiry_expire_at_once() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(days=10)))
    decision = story.buy("2024-02-01 12:00", "100", now=NOON, imported=True)
    assert [(entry.kind.value, entry.points, entry.balance) for entry in decision.record.entries] == [
        ("EARN", 100, 100),
        ("EXPIRE", -100, 0),
    ]
    assert story.now.available == 0
    assert story.tier == "silver"
    assert_member_invariants(story)


def test_a_debt_is_not_filled_by_what_expires_but_by_what_is_earned() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(days=10)))
    story.buy(NOON, "100", key="bought")
    story.adjust(NOON, -100)
    story.refund(NOON, "bought")
    story.buy("2024-03-02 12:00", "130")
    story.settle("2024-03-13 12:00")
    assert story.points == (-130, 0, 30, 100, 0)
    story.buy("2024-03-14 12:00", "5")
    assert story.now.available == 5
    assert_member_invariants(story)


def test_a_recorded_event_stores_what_a_refund_needs() -> None:
    story = MemberScenario.of(programme(expiry=ExpiryPolicy(months=12, end_of=EndOf.MONTH)))
    counted = story.buy(NOON, receipt(None, line("a", "10"), line("b", "5"))).recorded_event
    assert counted is not None
    assert (counted.member, counted.version) == ("m-1", 2)
    assert (counted.earned_on, counted.expires_on) == (date(2024, 3, 1), date(2025, 3, 31))
    assert [(grant.rule, grant.by_line, grant.qualifying) for grant in counted.grants] == [("basket", (10, 5), True)]
    assert list(map(int, counted.shares_returned)) == [0, 0]


def test_a_refund_is_stored_as_an_event_and_amends_its_purchase() -> None:
    story = MemberScenario.of(programme())
    story.buy(NOON, "10", key="bought")
    decision = story.refund("2024-03-02 12:00", "bought", "5")
    counted, amended = decision.recorded_event, decision.amended_purchase
    assert counted is not None
    assert amended is not None
    assert (counted.event.type, len(counted.grants), counted.version) == (REFUND, 0, 3)
    assert counted.shares_returned == (Fraction(1),)
    assert (amended.event.key, amended.version, amended.shares_returned) == ("bought", 2, (Fraction(1, 2),))


def test_a_profile_is_complete_by_fifths() -> None:
    assert Profile("en").completion == 0.0
    assert Profile("en", email="someone@example.org", birth_date=date(1990, 1, 1)).completion == 0.4


# Any sequence


@dataclass(frozen=True, slots=True)
class World:
    """A programme to live in."""

    programme: Programme
    skus: tuple[str, ...] = ("a", "b", "c")


def _world(**changes: Any) -> World:
    rules = (
        per_euro(priority=10, points="1.5", rounding=Rounding.HALF_UP),
        per_euro("own", lines='line.sku == "a"', priority=9, cap=cap(150, LimitPeriod.WEEK)),
        flat("happy", "earned / 2", priority=5, stacking=Stacking.BEST, stacking_group="g", cap=cap(40)),
        flat("first", "25", priority=4, stacking=Stacking.BEST, stacking_group="g", when="member.events.purchase < 3"),
        flat("vip", "11", priority=1, tiers=frozenset({"gold"}), qualifying=False),
        flat("visit", "3", event="visit", cap=cap(3)),
        flat("welcome", "20", event="enrolment", qualifying=False),
    )
    return World(programme(*rules, **changes))


WORLDS = (
    _world(expiry=ExpiryPolicy(days=20)),
    _world(
        expiry=ExpiryPolicy(months=2, end_of=EndOf.MONTH),
        spent_points=SpentPointsPolicy.WRITE_OFF,
        qualification=ROLLING_YEAR,
    ),
    _world(expiry=NEVER, qualification=LIFETIME, zone=ZoneInfo("America/New_York")),
    _world(
        expiry=ExpiryPolicy(months=6), zone=ZoneInfo("Australia/Lord_Howe"), spent_points=SpentPointsPolicy.WRITE_OFF
    ),
    _world(expiry=ExpiryPolicy(days=1), qualification=CALENDAR_YEAR, zone=ZoneInfo("Africa/Cairo")),
)

CENTS = st.integers(0, 30_000).map(lambda cents: Decimal(cents) / 100)
LINES = st.lists(
    st.builds(
        lambda sku, amount, quantity: line(sku, str(amount), str(quantity)),
        st.sampled_from("abc"),
        st.one_of(CENTS, CENTS, CENTS, st.just(Decimal(0)), CENTS.map(lambda amount: -amount / 10)),
        st.sampled_from(["1", "2", "0.5", "0"]),
    ),
    max_size=4,
)
PASSING = st.sampled_from([0, 1, 60, 3 * 60, 24 * 60, 5 * 24 * 60, 40 * 24 * 60, 200 * 24 * 60, 450 * 24 * 60])
BACKDATED = st.sampled_from([0, 0, 0, 60, 24 * 60, 30 * 24 * 60, 500 * 24 * 60])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), PASSING, BACKDATED, LINES, CENTS),
        st.tuples(st.just("refund"), PASSING, st.integers(0, 5), st.integers(0, 4), st.booleans()),
        st.tuples(st.just("adjust"), PASSING, st.integers(-300, 300)),
        st.tuples(st.just("visit"), PASSING, BACKDATED),
        st.tuples(st.just("settle"), PASSING),
    ),
    max_size=14,
)

MAY_BE_REFUSED = {
    "total_negative",
    "refund_done",
    "refund_exceeds",
    "refund_exceeds_line",
    "refund_sign",
    "refund_before_purchase",
    "event_expired",
    "adjustment_zero",
    "insufficient_points",
}


def live(story: MemberScenario, now: datetime, step: tuple[Any, ...]) -> None:
    """Do one step of a generated life."""
    kind = step[0]
    command: Command
    if kind == "buy":
        _, _, back, lines, cents = step
        total = sum((one.amount for one in lines), Decimal(0)) if lines else cents
        bought = receipt(str(total), *lines)
        command = story.event(PURCHASE, now - timedelta(minutes=back), purchase=bought, imported=back % 2 == 0)
    elif kind == "refund":
        keys = [key for key, counted in story.counted.items() if counted.event.type == PURCHASE]
        if not keys:
            return
        key = keys[step[2] % len(keys)]
        command = story.event(REFUND, now, purchase=_back(story.counted[key].event.purchase, *step[3:]), refund_of=key)
    elif kind == "adjust":
        command = AdjustPoints(step[2], story.cause("adjust", "why"))
    elif kind == "visit":
        command = story.event("visit", now - timedelta(minutes=step[2]))
    else:
        command = Settle(story.cause("settle"))
    outcome = story.do(command, now)
    if isinstance(outcome, Refusal):
        assert outcome.reason in MAY_BE_REFUSED, outcome
    if isinstance(outcome, Decision):
        assert_member_invariants(story)
        assert outcome.record.recorded_at == now
        assert isinstance(story.settle(now), NothingToSettle)


def _back(bought: Purchase | None, quarters: int, by_line: bool) -> Purchase | None:
    assert bought is not None
    if quarters == 4 and not by_line:
        return None
    if by_line and bought.lines:
        chosen = bought.lines[quarters % len(bought.lines)]
        return receipt("0", replace(chosen, amount=(chosen.amount * quarters / 4).quantize(Decimal("0.01"))))
    return receipt(str((bought.total * quarters / 4).quantize(Decimal("0.01"))))


def lived(world: World, steps: list[tuple[Any, ...]]) -> MemberScenario:
    story = MemberScenario.of(world.programme)
    assert_member_invariants(story)
    now = story.now.enrolled_at
    for step in steps:
        now += timedelta(minutes=step[1])
        live(story, now, step)
    return story


def balances(member: Member) -> dict[Account, int]:
    return {account: points for account, points in member.balances.items() if points}


@given(world=st.sampled_from(WORLDS), steps=STEPS)
@property_settings(150)
def test_whatever_happens_points_are_conserved_and_every_version_can_be_gone_back_to(
    world: World, steps: list[tuple[Any, ...]]
) -> None:
    story = lived(world, steps)
    member = story.now
    for record, earlier in zip(reversed(story.records[1:]), reversed(story.states[:-1]), strict=True):
        member = rewind(member, record, earlier.tier_status)
        assert (member.version, member.head_hash, member.tier_status) == (
            earlier.version,
            earlier.head_hash,
            earlier.tier_status,
        )
        assert balances(member) == balances(earlier)
        ours, theirs = ([(lot.key, lot.points) for lot in one.lots if lot.points] for one in (member, earlier))
        assert ours == theirs
        assert ledger_faults(story.records[: member.version], earlier) == []


TAMPERINGS: dict[str, Callable[[Member], Member]] = {
    "version": lambda member: replace(member, version=member.version + 1),
    "head": lambda member: replace(member, head_hash="0" * 64),
    "tier": lambda member: replace(member, tier_status=replace(member.tier_status, tier="platinum")),
    "since": lambda member: replace(member, tier_status=replace(member.tier_status, since=moment("2020-01-01 00:00"))),
    "until": lambda member: replace(
        member, tier_status=replace(member.tier_status, guaranteed_until=moment("2090-01-01 00:00"))
    ),
    "available": lambda member: replace(
        member, balances={**member.balances, Account.AVAILABLE: member.balance(Account.AVAILABLE) + 1}
    ),
    "both sides": lambda member: replace(
        member,
        balances={
            **member.balances,
            Account.AVAILABLE: member.balance(Account.AVAILABLE) + 1,
            Account.ISSUED: member.balance(Account.ISSUED) - 1,
        },
    ),
    "lots": lambda member: replace(member, lots=Lots.of(replace(lot, points=lot.points + 1) for lot in member.lots)),
    "qualifying_days": lambda member: replace(
        member, qualifying_days=QualifyingDays.of(dict.fromkeys(member.qualifying_days, 10**6))
    ),
}


@given(world=st.sampled_from(WORLDS), steps=STEPS, which=st.sampled_from(sorted(TAMPERINGS)))
@property_settings(60)
def test_a_snapshot_that_was_tampered_with_is_found(world: World, steps: list[tuple[Any, ...]], which: str) -> None:
    story = lived(world, [("buy", 5, 0, [], Decimal(50)), *steps, ("buy", 5, 0, [], Decimal(400))])
    tampered = TAMPERINGS[which](story.now)
    assert tampered != story.now or (which in {"lots", "qualifying_days"} and not getattr(story.now, which))
    assert (ledger_faults(story.records, tampered) != []) == (tampered != story.now)


@given(world=st.sampled_from(WORLDS), steps=STEPS)
@property_settings(150)
def test_what_counts_towards_caps_follows_from_the_ledger(world: World, steps: list[tuple[Any, ...]]) -> None:
    story = lived(world, steps)
    caps, counted = caps_of(world.programme), story.counted.values()
    for state in story.states:
        assert ledger_faults(story.records[: state.version], state, caps, counted) == []
    for rule, spans in story.now.cap_usage.items():
        others = {key: spans for key, spans in story.now.cap_usage.items() if key != rule}
        assert ledger_faults(story.records, replace(story.now, cap_usage=others), caps, counted) != []
        more = {span: points + 1 for span, points in spans.items()}
        assert ledger_faults(story.records, replace(story.now, cap_usage={**others, rule: more}), caps, counted) != []


@given(world=st.sampled_from([WORLDS[1], WORLDS[3]]), steps=STEPS)
@property_settings(100)
def test_what_is_written_off_follows_from_the_ledger(world: World, steps: list[tuple[Any, ...]]) -> None:
    spent: list[tuple[Any, ...]] = [("buy", 5, 0, [], Decimal(50)), ("adjust", 5, -100), ("refund", 5, 0, 4, False)]
    story = lived(world, [*spent, *steps])
    assert world.programme.spent_points_policy is SpentPointsPolicy.WRITE_OFF
    [(version, points), *others] = story.now.open_write_offs
    for wrong in ((), ((version, points + 1),), ((version - 1, points),), ((version + 1, points),)):
        assert ledger_faults(story.records, replace(story.now, open_write_offs=(*wrong, *others))) != []


def _with_more(record: Record) -> Record:
    """Return the record with one point more in its first entry that moves any, and the right hash for it."""
    for index, entry in enumerate(record.entries):
        if entry.postings:
            first, *rest = entry.postings
            doctored = (replace(first, points=first.points - 1), replace(rest[0], points=rest[0].points + 1), *rest[1:])
            points = sum(posting.points for posting in doctored if posting.account is Account.AVAILABLE)
            forged = replace(entry, postings=doctored, points=points)
            record = replace(record, entries=(*record.entries[:index], forged, *record.entries[index + 1 :]))
            break
    return replace(record, hash=record_hash(record))


@given(world=st.sampled_from(WORLDS), steps=STEPS, place=st.integers(0, 30), forged=st.booleans())
@property_settings(60)
def test_a_record_that_was_tampered_with_is_found(
    world: World, steps: list[tuple[Any, ...]], place: int, forged: bool
) -> None:
    story = lived(world, [("buy", 5, 0, [], Decimal(50)), *steps])
    index = place % len(story.records)
    record = story.records[index]
    if forged:
        other = _with_more(record)
        if other == record:  # it moves nothing
            other = replace(record, member="m-2")
            other = replace(other, hash=record_hash(other))
    else:
        other = replace(record, cause=replace(record.cause, subject="somebody"))
    assert ledger_faults([*story.records[:index], other, *story.records[index + 1 :]], story.now) != []
    assert ledger_faults([*story.records[:index], *story.records[index + 1 :]], story.now) != []


# Any order


@given(
    qualification=st.sampled_from([CALENDAR_YEAR, ROLLING_YEAR, LIFETIME]),
    expiry=st.sampled_from([NEVER, ExpiryPolicy(months=12, end_of=EndOf.MONTH), ExpiryPolicy(days=45)]),
    purchases=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 1439), CENTS), min_size=2, max_size=7),
    order=st.randoms(use_true_random=False),
)
@property_settings(120)
def test_the_order_in_which_purchases_arrive_does_not_matter(
    qualification: Any, expiry: ExpiryPolicy, purchases: list[tuple[int, int, Decimal]], order: Any
) -> None:
    rules = programme(
        per_euro(), flat("weekend", "7", when="event.weekday > 5"), qualification=qualification, expiry=expiry
    )
    shuffled = list(purchases)
    order.shuffle(shuffled)
    now = moment("2026-01-05 12:00")
    ends = []
    for arriving in (sorted(purchases), shuffled):
        story = MemberScenario.of(rules, enrolled="2024-01-10 12:00")
        for days, minutes, cents in arriving:
            when = moment("2024-01-10 12:00") + timedelta(days=days, minutes=minutes)
            story.buy(when, str(cents), now=now, imported=True)
        assert_member_invariants(story)
        member = story.now
        ends.append(
            (balances(member), member.lots, dict(member.qualifying_days), member.tier_status, dict(member.event_counts))
        )
    assert ends[0] == ends[1]


def test_a_decision_is_the_same_every_time() -> None:
    story = MemberScenario.of(programme())
    command = story.event(PURCHASE, NOON, purchase=receipt("10"))
    assert isinstance(command, RecordEvent)
    first, second = (decide(command, story.now, story.programme, moment(NOON)) for _ in range(2))
    assert first == second
