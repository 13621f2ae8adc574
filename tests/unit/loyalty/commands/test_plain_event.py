"""Plain events and prepared rules: decided in less time, and exactly as the general path decides by definitions."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.builders import CALENDAR_YEAR, LIFETIME, NEVER, ROLLING_YEAR, cap, flat, per_euro, programme, receipt
from support.member_scenario import MemberScenario, assert_member_invariants
from support.property_settings import property_settings

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.decision_builder import BALANCE_MAX, DecisionBuilder
from loyalty.commands.record_event import RecordEvent, record_event
from loyalty.commands.registry import Command, kind_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.currency import decimals_of
from loyalty.kernel.period import EndOf, ExpiryPolicy, LimitPeriod
from loyalty.kernel.refusal import Refusal
from loyalty.kernel.window import Window
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.event import PURCHASE, REFUND, Purchase, PurchaseLine
from loyalty.model.expression import ExpressionError
from loyalty.model.programme import EarningRule, ExactRate, PreparedRule, Programme, Rate, Rounding, Stacking
from loyalty.rules.earning import whole_points

Outcome = Decision | Refusal | NothingToSettle
START = datetime(2024, 2, 27, 9, 30, tzinfo=UTC)
STORES, PARTNERS, TIERS = ("lyon", "lille"), ("bank", "cinema"), ("base", "silver", "gold")
# Of the kinds that rules in files can have: some are true, some false, some fail for some events.
CONDITIONS = (
    None,
    "event.purchase.total > 20.0",
    "member.tier != 'base'",
    "earned > 10",
    "event.attributes.cups > 1",
    "member.events.purchase >= 2 && event.channel == 'APP'",
)
LINES = (
    None,
    'line.brand == "Private"',
    'line.category in ["COFFEE", ""]',
    "line.amount > 4.0",
    'line.sku.startsWith("a")',
    "line.quantity > 1.0 && earned < 50",
    'line.brand == "Private" && member.tier == "base"',
    "line.colour == 1",
)
POINTS = ("7", "2.5", "earned", "event.purchase.total / 3.0", "event.attributes.cups * 2", "0", "-1", "'ten'")


def unprepared(definition: EarningRule) -> EarningRule:
    """Return a copy of a rule that is evaluated from its definition alone."""
    copy = replace(definition)
    plain = PreparedRule(
        is_unrestricted=False, audience=copy.prepared.audience, rate=None, refused=copy.prepared.refused
    )
    object.__setattr__(copy, "prepared", plain)
    return copy


def by_definition(rules: Programme) -> Programme:
    """Return a programme whose rules are evaluated from their definitions alone."""
    return replace(rules, rules=tuple(unprepared(rule) for rule in rules.rules))


def some(names: tuple[Any, ...]) -> st.SearchStrategy[frozenset[Any]]:
    return st.just(frozenset()) | st.frozensets(st.sampled_from(names), max_size=2)


WINDOWS = st.none() | st.builds(
    Window,
    st.none() | st.just(START.date()),
    st.none() | st.just(START.date() + timedelta(days=20)),
    some((1, 2, 3, 4, 5, 6, 7)),
    st.none() | st.just((time(9), time(17))) | st.just((time(22), time(4))),
)


@st.composite
def earning_rules(draw: st.DrawFn, number: int) -> EarningRule:
    """Return a rule of any kind."""
    stacking = draw(st.sampled_from(Stacking))
    about: dict[str, Any] = {
        "priority": draw(st.integers(-2, 2)),
        "rounding": draw(st.sampled_from(Rounding)),
        "when": draw(st.sampled_from(CONDITIONS)),
        "stacking": stacking,
        "stacking_group": draw(st.sampled_from("xy")) if stacking is Stacking.BEST else "",
        "qualifying": draw(st.booleans()),
    }
    if draw(st.booleans()):
        about["cap"] = cap(draw(st.integers(1, 40)), draw(st.sampled_from(LimitPeriod)))
    if draw(st.booleans()):
        about |= {
            "window": draw(WINDOWS),
            "channels": draw(some(tuple(Channel))),
            "stores": draw(some(STORES)),
            "partners": draw(some(PARTNERS)),
            "tiers": draw(some(TIERS)),
        }
    if draw(st.booleans()):
        points, per = (str(draw(st.decimals("0.01", "20", places=places))) for places in (2, 3))
        lines = draw(st.sampled_from(LINES))
        return per_euro(f"rule-{number}", points=points, per=per, lines=lines, **about)
    event = draw(st.sampled_from([PURCHASE, PURCHASE, "visit"]))
    return flat(f"rule-{number}", draw(st.sampled_from(POINTS)), event=event, **about)


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    """Return programmes with rules of every kind, under every policy of tiers and expiry."""
    rules = [draw(earning_rules(number)) for number in range(draw(st.integers(1, 5)))]
    return programme(
        *rules,
        thresholds=(0, draw(st.integers(5, 60)), draw(st.integers(61, 200))),
        qualification=draw(st.sampled_from([CALENDAR_YEAR, ROLLING_YEAR, LIFETIME])),
        expiry=draw(st.sampled_from([NEVER, ExpiryPolicy(days=40), ExpiryPolicy(months=1, end_of=EndOf.MONTH)])),
        currency=draw(st.sampled_from(["EUR", "JPY", "KWD"])),
    )


@st.composite
def purchases(draw: st.DrawFn, currency: str) -> Purchase:
    """Return receipts with discounts on lines or on all, with a delivery, or without lines."""
    places = draw(st.sampled_from([decimals_of(currency), decimals_of(currency), 4]))
    money = st.decimals(-3, 40, places=places)
    line = st.builds(
        PurchaseLine,
        st.sampled_from(["a1", "a2", "b1"]),
        st.decimals(0, 3, places=1),
        money,
        st.sampled_from([None, "COFFEE", "WINE"]),
        st.sampled_from([None, "Private"]),
    )
    lines = tuple(draw(st.lists(line, max_size=4)))
    beyond = draw(st.just(Decimal(0)) | money) if lines else draw(st.decimals(0, 80, places=places))
    return Purchase(max(Decimal(0), sum((one.amount for one in lines), beyond)), currency, lines)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[Programme, Command, datetime]]:
    """Return the events of one member, early or late, some of them wrong, and a change of its programme."""
    rules = draw(programmes())
    maker, now = MemberScenario(rules), START
    story: list[tuple[Programme, Command, datetime]] = []
    for number in range(draw(st.integers(1, 7))):
        now += timedelta(hours=draw(st.integers(0, 30) | st.integers(0, 2000)), milliseconds=number)
        if draw(st.integers(0, 6)) == 0:
            rules = replace(draw(programmes()), currency=rules.currency, version=rules.version + 1)
        if draw(st.integers(0, 6)) == 0:
            story.append((rules, AdjustPoints(draw(st.integers(-80, 40)), maker.cause("adjust", "as agreed")), now))
        kind = draw(st.sampled_from([PURCHASE] * 5 + ["visit", REFUND]))
        fields: dict[str, Any] = {
            "key": f"event-{number}",
            "channel": draw(st.sampled_from(Channel)),
            "store": draw(st.none() | st.sampled_from(STORES)),
            "partner": draw(st.none() | st.sampled_from(PARTNERS)),
            "attributes": draw(st.just({}) | st.fixed_dictionaries({"cups": st.integers(0, 3)})),
        }
        if kind == PURCHASE or draw(st.integers(0, 9)) == 0:
            fields["purchase"] = draw(purchases(rules.currency))
        if kind == REFUND:
            fields["refund_of"] = f"event-{draw(st.integers(0, number))}"
        at = now - timedelta(hours=draw(st.just(0) | st.integers(-1, 1200)))
        story.append((rules, maker.event(kind, at, **fields), now))
    return story


def decided_generally(scenario: MemberScenario, command: RecordEvent, now: datetime) -> Outcome:
    """Return what the handler decides by the rules' definitions, whether the event is plain or not."""
    facts = scenario.supply.facts(command, scenario.now, scenario.programme, now=now)
    return record_event(command, DecisionBuilder(scenario.now, by_definition(scenario.programme), now, facts))


@given(story=stories())
@property_settings(150)
def test_events_are_decided_as_the_general_path_decides_by_definitions(
    story: list[tuple[Programme, Command, datetime]],
) -> None:
    first, _, _ = story[0]
    scenario = MemberScenario.of(first)
    for rules, command, now in story:
        scenario.programme = rules
        expected = decided_generally(scenario, command, now) if isinstance(command, RecordEvent) else None
        outcome = scenario.do(command, now)
        if expected is None:
            continue
        assert outcome == expected
        if isinstance(outcome, Decision):
            assert isinstance(expected, Decision)
            assert outcome.record.hash == expected.record.hash
            assert outcome.record.notices == expected.record.notices
            assert repr(outcome.member) == repr(expected.member)
            assert_member_invariants(scenario)


def plainly(scenario: MemberScenario, command: RecordEvent, now: datetime) -> Decision | None:
    shortcut = kind_of(RecordEvent).shortcut
    assert shortcut is not None
    return shortcut(command, scenario.now, scenario.programme, now)


def test_a_purchase_of_a_settled_member_is_plain() -> None:
    scenario = MemberScenario.of(programme(flat("visit", "5", event="visit"), per_euro()))
    noon = scenario.at("2024-03-01 12:00")
    assert plainly(scenario, scenario.event(PURCHASE, noon, purchase=receipt("12.50")), noon) is not None
    assert plainly(scenario, scenario.event("visit", noon), noon) is not None


@pytest.mark.parametrize(
    "about",
    [
        {"purchase": None},
        {"purchase": receipt("12", currency="USD")},
        {"purchase": replace(receipt("12"), receipt="A-17")},
        {"kind": REFUND},
        {"kind": "unheard-of", "purchase": None},
        {"when": datetime(2024, 3, 1, 13, tzinfo=UTC)},
        {"when": datetime(2024, 1, 15, 12, tzinfo=UTC)},
    ],
)
def test_an_event_that_may_be_refused_or_does_more_is_not_plain(about: dict[str, Any]) -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(days=30)))
    noon = datetime(2024, 3, 1, 12, tzinfo=UTC)
    fields: dict[str, Any] = {"purchase": receipt("12"), **about}
    command = scenario.event(fields.pop("kind", PURCHASE), fields.pop("when", noon), **fields)
    assert plainly(scenario, command, noon) is None


@pytest.mark.parametrize("changed", ["debt", "overdue lot", "programme", "balance"])
def test_a_member_who_is_not_settled_has_no_plain_events(changed: str) -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(days=30)))
    noon = scenario.at("2024-03-01 12:00")
    scenario.buy(noon, "10", key="spent")
    match changed:
        case "debt":
            scenario.adjust(noon, -4)
            scenario.refund(noon, "spent")
        case "overdue lot":
            noon += timedelta(days=40)
        case "programme":
            scenario.adopt(scenario.programme)
        case "balance":
            scenario.adjust(noon, BALANCE_MAX - 15)
    command = scenario.event(PURCHASE, noon, purchase=receipt("12"))
    assert plainly(scenario, command, noon) is None
    expected = decided_generally(scenario, command, noon)
    assert scenario.do(command, noon) == expected


@given(
    money=st.decimals(0, 2_000_000_000, places=2) | st.decimals(0, 1000, places=6),
    points=st.decimals("0.000001", 1_000_000, places=6) | st.integers(1, 9).map(Decimal),
    per=st.decimals("0.000001", 1_000_000, places=6) | st.integers(1, 9).map(Decimal),
    rounding=st.sampled_from(Rounding),
)
@example(Decimal("0.05"), Decimal(30), Decimal("0.10"), Rounding.HALF_UP)
@example(Decimal("999999999.99"), Decimal(1), Decimal(1), Rounding.UP)
@property_settings(500)
def test_a_rate_in_whole_numbers_rounds_as_decimals_do(
    money: Decimal, points: Decimal, per: Decimal, rounding: Rounding
) -> None:
    exact = ExactRate.of(Rate(points, per, rounding))
    found = exact.whole_points(int(money * 10**6), 10**6) if exact is not None else None
    try:
        expected = whole_points(money * points / per, rounding)
    except ExpressionError:
        assert found is None
    else:
        assert found in {expected, None}


def test_rates_with_a_few_digits_are_exact_and_others_are_left_to_decimals() -> None:
    assert ExactRate.of(Rate(Decimal("0.50"), Decimal("2.00"), Rounding.UP)) == ExactRate(1, 4, Rounding.UP)
    assert ExactRate.of(Rate(Decimal(1), Decimal("1.0000000003"), Rounding.UP)) is None
    assert ExactRate.of(Rate(Decimal("1.000000000001"), Decimal(1), Rounding.UP)) is None
    one = ExactRate(1, 1, Rounding.DOWN)
    assert one.whole_points(10**15, 10**6) is None
    assert one.whole_points(10**15 - 2 * 10**6, 10**6) == 10**9 - 2
    assert one.whole_points(10**15 + 1, 10**6) is None
    assert one.whole_points(5, 10**7) is None
