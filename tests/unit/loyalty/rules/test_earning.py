from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import cap, flat, line, per_euro, programme, receipt
from support.member_scenario import MemberScenario, assert_member_invariants, explanation_rows
from support.property_settings import property_settings

from loyalty.kernel.channel import Channel
from loyalty.kernel.period import LimitPeriod
from loyalty.kernel.proportion import allocate_proportionally
from loyalty.kernel.window import Window
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.expression import ExpressionError
from loyalty.model.programme import POINTS_MAX, EarningRule, Programme, Rounding, Stacking
from loyalty.rules.earning import prune_cap_periods, whole_points

DOWN, HALF_UP, UP = Rounding.DOWN, Rounding.HALF_UP, Rounding.UP


def why(scenario: MemberScenario) -> list[tuple[str, int, RuleOutcome]]:
    return explanation_rows(scenario.records[-1].explanations)


def grants(scenario: MemberScenario, key: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(grant.rule, grant.by_line) for grant in scenario.counted[key].grants]


# Whole points


@pytest.mark.parametrize(
    ("value", "rounding", "points"),
    [
        (7, DOWN, 7),
        (Decimal("7.99"), DOWN, 7),
        (Decimal("7.5"), HALF_UP, 8),
        (Decimal("6.5"), HALF_UP, 7),
        (Decimal("7.49"), HALF_UP, 7),
        (Decimal("7.01"), UP, 8),
        (7.000000000000001, UP, 8),
        (0.29 * 100, HALF_UP, 29),
        (2.675, HALF_UP, 3),
        (0.1, UP, 1),
        (0, UP, 0),
        (-0.0, DOWN, 0),
        (1e9, DOWN, POINTS_MAX),
        (POINTS_MAX, DOWN, POINTS_MAX),
    ],
)
def test_a_result_becomes_whole_points_as_the_rounding_says(value: Any, rounding: Rounding, points: int) -> None:
    given_points = whole_points(value, rounding)
    assert given_points == points
    assert type(given_points) is int


@pytest.mark.parametrize("value", [True, False, "7", None, [7], {"points": 7}, b"7", date(2024, 1, 1)])
def test_result_that_is_not_a_number_is_a_fault(value: Any) -> None:
    with pytest.raises(ExpressionError, match=f"points must be a number, got {type(value).__name__}"):
        whole_points(value, DOWN)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.001,
        POINTS_MAX + 1,
        1e300,
        float("nan"),
        float("inf"),
        -float("inf"),
        Decimal("NaN"),
        Decimal("1E+999999"),
    ],
)
def test_a_result_that_no_event_may_give_is_a_fault(value: Any) -> None:
    with pytest.raises(ExpressionError, match="points must be from 0 to 1000000000"):
        whole_points(value, DOWN)


# Spreading over lines


@pytest.mark.parametrize(
    ("points", "weights", "parts"),
    [
        (10, ["1", "1", "1"], (4, 3, 3)),
        (10, ["5", "3", "2"], (5, 3, 2)),
        (1, ["1", "2"], (0, 1)),
        (7, ["0.10", "0.20", "0.40"], (1, 2, 4)),
        (8, ["10", "-2"], (8, 0)),
        (5, ["0", "0"], (3, 2)),
        (5, ["-1", "-4"], (3, 2)),
        (0, ["3", "4"], (0, 0)),
        (6, ["1E+2", "2E+2"], (2, 4)),
        (3, ["7.77"], (3,)),
        (2, ["0.000001", "1000000000"], (0, 2)),
    ],
)
def test_points_are_spread_by_largest_remainder(points: int, weights: list[str], parts: tuple[int, ...]) -> None:
    assert allocate_proportionally(points, [Decimal(weight) for weight in weights]) == parts


@given(
    points=st.integers(0, POINTS_MAX),
    weights=st.lists(st.decimals(min_value=-100, max_value=10**9, places=6), min_size=1, max_size=12),
)
@property_settings(200)
def test_spread_sums_exactly_and_stays_within_one_point_of_each_share(points: int, weights: list[Decimal]) -> None:
    parts = allocate_proportionally(points, weights)
    assert sum(parts) == points
    shares = [Fraction(max(weight, Decimal(0))) for weight in weights]
    if not sum(shares):
        shares = [Fraction(1)] * len(weights)
    for part, share in zip(parts, shares, strict=True):
        assert abs(part - points * share / sum(shares)) < 1
    if any(weight > 0 for weight in weights):
        assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight <= 0)


# Rates


@pytest.mark.parametrize(
    ("total", "points", "per", "rounding", "given_points"),
    [
        ("10.99", "1", "1", DOWN, 10),
        ("10.99", "1", "1", UP, 11),
        ("10.50", "1", "1", HALF_UP, 11),
        ("9.99", "5", "10", DOWN, 4),
        ("10.00", "1", "3", UP, 4),
        ("0.30", "10", "0.10", DOWN, 30),
        ("268.28", "1", "0.01", DOWN, 26828),
        ("0.07", "100", "1", DOWN, 7),
        ("1.15", "100", "1", DOWN, 115),
        ("999999999.99", "1", "1", DOWN, 999_999_999),
    ],
)
def test_a_rate_counts_money_exactly(total: str, points: str, per: str, rounding: Rounding, given_points: int) -> None:
    scenario = MemberScenario.of(programme(per_euro(points=points, per=per, rounding=rounding)))
    scenario.buy("2024-03-01 10:00", total)
    assert scenario.now.available == given_points
    assert why(scenario) == [("basket", given_points, RuleOutcome.AWARDED)]


def test_rate_that_rounds_to_zero_is_explained() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "0.99")
    assert why(scenario) == [("basket", 0, RuleOutcome.NO_POINTS)]
    assert scenario.points == (0, 0, 0, 0, 0)
    assert [entry.postings for entry in scenario.records[-1].entries] == [()]
    assert_member_invariants(scenario)


def test_a_rate_over_more_than_an_event_may_give_is_a_fault_of_the_rule() -> None:
    scenario = MemberScenario.of(programme(per_euro(points="1000", per="0.01")))
    scenario.buy("2024-03-01 10:00", "100000")
    assert scenario.records[-1].explanations[0].params == {
        "fault": "points must be from 0 to 1000000000, got 1.00000000E+10"
    }
    assert scenario.now.available == 0


def test_a_rate_without_lines_counts_the_total_and_not_the_sum_of_lines() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", receipt("8.00", line("a", "6.00"), line("b", "4.00")), key="basket-discount")
    assert scenario.now.available == 8
    assert grants(scenario, "basket-discount") == [("basket", (5, 3))]


def test_discount_line_lowers_the_total_and_earns_nothing() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", receipt(None, line("a", "10.00"), line("voucher", "-2.00")), key="discount")
    assert grants(scenario, "discount") == [("basket", (8, 0))]


def test_free_line_earns_nothing() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", receipt(None, line("gift", "0.00"), line("a", "3.00")), key="gift")
    assert grants(scenario, "gift") == [("basket", (0, 3))]


def test_lines_narrow_a_rate_to_what_matches() -> None:
    scenario = MemberScenario.of(programme(per_euro("own", lines='line.brand == "Private"')))
    basket = receipt("9.00", line("a", "3.50", brand="Private"), line("b", "4.00"), line("a", "1.50", brand="Private"))
    scenario.buy("2024-03-01 10:00", basket, key="own")
    assert grants(scenario, "own") == [("own", (4, 0, 1))]
    assert scenario.now.available == 5


def test_discounts_among_the_matching_lines_lower_what_counts() -> None:
    scenario = MemberScenario.of(programme(per_euro("own", lines='line.brand == "Private"')))
    basket = receipt(
        None, line("a", "5", brand="Private"), line("a", "-2", brand="Private"), line("b", "9"), line("b", "-3")
    )
    scenario.buy("2024-03-01 10:00", basket, key="own")
    assert grants(scenario, "own") == [("own", (3, 0, 0, 0))]


def test_matching_lines_that_sum_below_zero_give_nothing() -> None:
    scenario = MemberScenario.of(programme(per_euro("own", lines='line.brand == "Private"')))
    scenario.buy("2024-03-01 10:00", receipt(None, line("a", "-5", brand="Private"), line("b", "9")))
    assert why(scenario) == [("own", 0, RuleOutcome.NO_POINTS)]


def test_lines_match_nothing_on_a_receipt_without_lines() -> None:
    scenario = MemberScenario.of(programme(per_euro("own", lines="true")))
    scenario.buy("2024-03-01 10:00", "10")
    assert why(scenario) == [("own", 0, RuleOutcome.NO_POINTS)]


def test_lines_may_look_at_the_event_the_member_and_what_was_earned() -> None:
    rule = per_euro("late", lines='line.amount > 2.0 && event.hour >= 10 && member.tier == "base" && earned == 6')
    scenario = MemberScenario.of(programme(replace(rule, priority=-1), per_euro()))
    scenario.buy("2024-03-01 10:00", receipt(None, line("a", "2.00"), line("b", "4.00")), key="late")
    assert grants(scenario, "late") == [("basket", (2, 4)), ("late", (0, 4))]


# Expressions


@pytest.mark.parametrize(
    ("points", "fault"),
    [
        ("true", "points must be a number, got bool"),
        ("'7'", "points must be a number, got str"),
        ("null", "points must be a number, got NoneType"),
        ("[1]", "points must be a number, got list"),
        ("0.0 / 0.0", "points must be from 0 to 1000000000, got nan"),
        ("1.0 / 0.0", "points must be from 0 to 1000000000, got inf"),
        ("-5", "points must be from 0 to 1000000000, got -5"),
        ("1000000001", "points must be from 0 to 1000000000, got 1000000001"),
        ("1e300", "points must be from 0 to 1000000000, got 1e+300"),
        ("1 / 0", "division by zero in CEL expression"),
        ("event.attributes.cups", "unknown name 'cups'"),
    ],
)
def test_an_expression_that_does_not_fit_gives_nothing_and_never_fails_the_event(points: str, fault: str) -> None:
    scenario = MemberScenario.of(
        programme(flat("odd", points, event="visit", priority=1), flat("visit", "5", event="visit"))
    )
    scenario.happen("visit", "2024-03-01 10:00")
    odd, visit = scenario.records[-1].explanations
    assert odd == Explanation("odd", 0, applied=False, reason=RuleOutcome.RULE_ERROR, params={"fault": fault})
    assert visit == Explanation("visit", 5, applied=True, reason=RuleOutcome.AWARDED)
    assert scenario.now.available == 5


@pytest.mark.parametrize("overflow", ["9223372036854775807 + 1", "int(1e300)", "[1][5]", "'a'.matches('(')"])
def test_any_evaluator_error_is_reported(overflow: str) -> None:
    scenario = MemberScenario.of(programme(flat("odd", overflow, event="visit")))
    scenario.happen("visit", "2024-03-01 10:00")
    assert why(scenario) == [("odd", 0, RuleOutcome.RULE_ERROR)]
    assert scenario.records[-1].explanations[0].params["fault"]


def test_condition_that_does_not_fit_the_event_is_a_fault() -> None:
    scenario = MemberScenario.of(programme(flat("cups", "5", event="visit", when="event.attributes.cups > 1")))
    scenario.happen("visit", "2024-03-01 10:00")
    assert scenario.records[-1].explanations == (
        Explanation("cups", 0, applied=False, reason=RuleOutcome.RULE_ERROR, params={"fault": "unknown name 'cups'"}),
    )
    scenario.happen("visit", "2024-03-01 11:00", attributes={"cups": 2})
    assert scenario.now.available == 5


def test_line_condition_that_does_not_fit_is_a_fault() -> None:
    scenario = MemberScenario.of(programme(per_euro("own", lines="line.colour == 'red'")))
    scenario.buy("2024-03-01 10:00", receipt(None, line("a", "5")))
    assert scenario.records[-1].explanations[0].params == {"fault": "unknown name 'colour'"}


@pytest.mark.parametrize("when", ["false", "1", "'true'", "null", "event.purchase.total > 100.0"])
def test_a_condition_is_met_by_true_alone(when: str) -> None:
    scenario = MemberScenario.of(programme(per_euro(when=when)))
    scenario.buy("2024-03-01 10:00", "10")
    assert why(scenario) == [("basket", 0, RuleOutcome.CONDITION)]


def test_points_round_as_the_rule_says() -> None:
    scenario = MemberScenario.of(
        programme(
            flat("down", "2.5", event="visit", priority=3),
            flat("half", "2.5", event="visit", priority=2, rounding=HALF_UP),
            flat("up", "2.1", event="visit", priority=1, rounding=UP),
        )
    )
    scenario.happen("visit", "2024-03-01 10:00")
    assert explanation_rows(scenario.records[-1].explanations) == [
        ("down", 2, RuleOutcome.AWARDED),
        ("half", 3, RuleOutcome.AWARDED),
        ("up", 3, RuleOutcome.AWARDED),
    ]


def test_points_of_a_purchase_are_spread_over_its_lines() -> None:
    scenario = MemberScenario.of(programme(flat("bonus", "10")))
    scenario.buy("2024-03-01 10:00", receipt("12", line("a", "9"), line("b", "3")), key="spread")
    scenario.buy("2024-03-02 10:00", receipt("0", line("a", "0"), line("b", "0")), key="free")
    scenario.buy("2024-03-03 10:00", "0", key="no lines")
    assert grants(scenario, "spread") == [("bonus", (8, 2))]
    assert grants(scenario, "free") == [("bonus", (5, 5))]
    assert grants(scenario, "no lines") == [("bonus", (10,))]


def test_a_rule_sees_what_the_rules_before_it_gave() -> None:
    scenario = MemberScenario.of(
        programme(per_euro(priority=10), flat("double", "earned"), flat("first", "earned", priority=20))
    )
    scenario.buy("2024-03-01 10:00", "7")
    assert why(scenario) == [
        ("first", 0, RuleOutcome.NO_POINTS),
        ("basket", 7, RuleOutcome.AWARDED),
        ("double", 7, RuleOutcome.AWARDED),
    ]


@pytest.mark.parametrize(
    ("expression", "points"),
    [
        ("event.type == 'purchase' && event.channel == 'STORE'", 1),
        ("event.store == 'lyon' && event.partner == ''", 1),
        ("event.weekday == 5 && event.hour == 10 && event.day == '2024-03-01'", 1),
        ("event.purchase.total == 12.34 && size(event.purchase.lines) == 2", 1),
        ("event.purchase.lines[0].sku == 'a' && event.purchase.lines[0].quantity == 2.5", 1),
        ("event.purchase.lines[1].category == 'tea' && event.purchase.lines[1].brand == ''", 1),
        ("event.purchase.lines.exists(one, one.amount > 10.0)", 1),
        ("event.attributes.nested.list[1] == 'x'", 1),
        ("member.tier == 'base' && member.rank == 0 && member.locale == 'en'", 1),
        ("member.available == 10 && member.lifetime == 10 && member.tenure_days == 51", 1),
        ("member.completion == 0.2 && !member.birthday", 1),
        ("member.events.visit == 1 && member.events.purchase == 0 && member.events.review == 0", 1),
        ("earned == 0", 1),
        ("event.hour == 9", 0),
    ],
)
def test_what_a_condition_sees(expression: str, points: int) -> None:
    rules = programme(flat("yes", "1", when=expression), flat("visit", "10", event="visit"))
    scenario = MemberScenario.of(rules, birth_date=date(1990, 5, 5))
    scenario.happen("visit", "2024-02-01 10:00")
    basket = receipt("12.34", line("a", "10.01", "2.5"), line("b", "2.33", category="tea"))
    scenario.buy("2024-03-01 10:30", basket, store="lyon", attributes={"nested": {"list": [1, "x"]}})
    assert scenario.now.available == 10 + points


def test_an_event_is_not_counted_yet_when_its_rules_look_at_the_member() -> None:
    scenario = MemberScenario.of(programme(flat("first", "50", when="member.events.purchase == 0")))
    scenario.buy("2024-03-01 10:00", "5")
    scenario.buy("2024-03-02 10:00", "5")
    assert scenario.now.available == 50
    assert scenario.now.event_counts == {"purchase": 2}
    assert why(scenario) == [("first", 0, RuleOutcome.CONDITION)]


@pytest.mark.parametrize(
    ("born", "day", "birthday"),
    [
        (date(1990, 3, 1), "2024-03-01", True),
        (date(1990, 3, 1), "2024-03-02", False),
        (date(1988, 2, 29), "2024-02-29", True),
        (date(1988, 2, 29), "2024-02-28", False),
        (date(1988, 2, 29), "2025-02-28", True),
        (date(1988, 2, 29), "2025-03-01", False),
        (date(1988, 2, 28), "2025-02-28", True),
    ],
)
def test_a_birthday_comes_every_year_even_for_those_born_on_29_february(born: date, day: str, birthday: bool) -> None:
    scenario = MemberScenario.of(programme(flat("cake", "10", event="visit", when="member.birthday")), birth_date=born)
    scenario.happen("visit", f"{day} 10:00")
    assert scenario.now.available == (10 if birthday else 0)


def test_a_birthday_is_a_day_in_the_brands_zone() -> None:
    scenario = MemberScenario.of(
        programme(flat("cake", "10", event="visit", when="member.birthday")), birth_date=date(1990, 3, 1)
    )
    scenario.happen("visit", "2024-02-29 22:59+00:00")
    assert scenario.now.available == 0
    scenario.happen("visit", "2024-02-29 23:00+00:00")
    assert scenario.now.available == 10


# Reach: channels, stores, partners, tiers, windows


@pytest.mark.parametrize(
    ("reach", "event", "reason"),
    [
        ({"channels": frozenset({Channel.APP})}, {"channel": Channel.WEB}, RuleOutcome.CHANNEL),
        ({"channels": frozenset({Channel.APP})}, {"channel": Channel.APP}, RuleOutcome.AWARDED),
        ({"stores": frozenset({"lyon"})}, {"store": "paris"}, RuleOutcome.STORE),
        ({"stores": frozenset({"lyon"})}, {}, RuleOutcome.STORE),
        ({"stores": frozenset({"lyon"})}, {"store": "lyon"}, RuleOutcome.AWARDED),
        ({"partners": frozenset({"bakery"})}, {"partner": "butcher"}, RuleOutcome.PARTNER),
        ({"partners": frozenset({"bakery"})}, {"partner": "bakery"}, RuleOutcome.AWARDED),
        ({"tiers": frozenset({"silver", "gold"})}, {}, RuleOutcome.TIER),
        ({"tiers": frozenset({"base"})}, {}, RuleOutcome.AWARDED),
    ],
)
def test_a_rule_reaches_what_it_names(reach: dict[str, Any], event: dict[str, Any], reason: RuleOutcome) -> None:
    scenario = MemberScenario.of(programme(flat("visit", "5", event="visit", **reach)))
    scenario.happen("visit", "2024-03-01 10:00", **event)
    assert why(scenario) == [("visit", 5 if reason is RuleOutcome.AWARDED else 0, reason)]


def windowed(**window: Any) -> EarningRule:
    return flat("visit", "5", event="visit", window=Window(**window))


@pytest.mark.parametrize(
    ("window", "when", "reason"),
    [
        ({"first_day": date(2024, 3, 2)}, "2024-03-01 23:59:59", RuleOutcome.WINDOW),
        ({"first_day": date(2024, 3, 2)}, "2024-03-02 00:00", RuleOutcome.AWARDED),
        ({"last_day": date(2024, 3, 2)}, "2024-03-02 23:59:59", RuleOutcome.AWARDED),
        ({"last_day": date(2024, 3, 2)}, "2024-03-03 00:00", RuleOutcome.WINDOW),
        ({"weekdays": frozenset({6, 7})}, "2024-03-01 12:00", RuleOutcome.WEEKDAY),
        ({"weekdays": frozenset({6, 7})}, "2024-03-02 00:30", RuleOutcome.AWARDED),
        ({"hours": (time(16), time(18))}, "2024-03-01 15:59:59", RuleOutcome.HOURS),
        ({"hours": (time(16), time(18))}, "2024-03-01 16:00", RuleOutcome.AWARDED),
        ({"hours": (time(16), time(18))}, "2024-03-01 17:59:59", RuleOutcome.AWARDED),
        ({"hours": (time(16), time(18))}, "2024-03-01 18:00", RuleOutcome.HOURS),
        ({"hours": (time(22), time(2))}, "2024-03-01 23:00", RuleOutcome.AWARDED),
        ({"hours": (time(22), time(2))}, "2024-03-01 01:59", RuleOutcome.AWARDED),
        ({"hours": (time(22), time(2))}, "2024-03-01 02:00", RuleOutcome.HOURS),
        ({"hours": (time(18), time(0))}, "2024-03-01 23:59:59", RuleOutcome.AWARDED),
        ({"hours": (time(18), time(0))}, "2024-03-01 00:00", RuleOutcome.HOURS),
        ({"hours": (time(16), time(18))}, "2024-03-31 14:30+00:00", RuleOutcome.AWARDED),
        ({"hours": (time(16), time(18))}, "2024-03-30 14:30+00:00", RuleOutcome.HOURS),
        ({"weekdays": frozenset({5}), "hours": (time(16), time(18))}, "2024-03-02 12:00", RuleOutcome.WEEKDAY),
    ],
)
def test_a_window_is_read_on_the_clock_of_the_brand(window: dict[str, Any], when: str, reason: RuleOutcome) -> None:
    scenario = MemberScenario.of(programme(windowed(**window)))
    scenario.happen("visit", when, now="2024-04-01 12:00")
    assert why(scenario) == [("visit", 5 if reason is RuleOutcome.AWARDED else 0, reason)]


def test_a_backdated_event_earns_by_the_window_it_happened_in() -> None:
    scenario = MemberScenario.of(programme(windowed(first_day=date(2024, 2, 1), last_day=date(2024, 2, 29))))
    scenario.happen("visit", "2024-02-29 10:00", now="2024-06-01 10:00")
    assert scenario.now.available == 5


# Caps


def test_a_cap_lets_the_last_points_through_in_part() -> None:
    scenario = MemberScenario.of(programme(per_euro(cap=cap(100))))
    scenario.buy("2024-03-01 10:00", "60")
    scenario.buy("2024-03-01 11:00", receipt(None, line("a", "30"), line("b", "30")), key="capped")
    assert why(scenario) == [("basket", 40, RuleOutcome.CAPPED)]
    assert scenario.records[-1].explanations[0].params == {"cap": 100}
    assert grants(scenario, "capped") == [("basket", (20, 20))]
    scenario.buy("2024-03-01 12:00", "60")
    assert scenario.records[-1].explanations == (
        Explanation("basket", 0, applied=False, reason=RuleOutcome.CAP_REACHED, params={"cap": 100}),
    )
    assert scenario.now.available == 100
    scenario.buy("2024-03-02 00:00", "60")
    assert scenario.now.available == 160


@pytest.mark.parametrize(
    ("period", "inside", "outside"),
    [
        (LimitPeriod.DAY, "2024-03-06 23:59", "2024-03-07 00:00"),
        (LimitPeriod.WEEK, "2024-03-10 23:59", "2024-03-11 00:00"),
        (LimitPeriod.MONTH, "2024-03-31 23:59", "2024-04-01 00:00"),
        (LimitPeriod.YEAR, "2024-12-31 23:59", "2025-01-01 00:00"),
    ],
)
def test_a_cap_holds_to_the_end_of_its_period_in_the_brands_zone(
    period: LimitPeriod, inside: str, outside: str
) -> None:
    scenario = MemberScenario.of(programme(flat("visit", "10", event="visit", cap=cap(10, period))))
    scenario.happen("visit", "2024-03-06 12:00")
    scenario.happen("visit", inside)
    assert (scenario.now.available, why(scenario)) == (10, [("visit", 0, RuleOutcome.CAP_REACHED)])
    scenario.happen("visit", outside)
    assert scenario.now.available == 20


def test_a_cap_for_ever_holds_for_ever() -> None:
    scenario = MemberScenario.of(programme(flat("visit", "10", event="visit", cap=cap(15, LimitPeriod.EVER))))
    for when in ("2024-03-06 12:00", "2025-03-06 12:00", "2034-03-06 12:00"):
        scenario.happen("visit", when)
    assert scenario.now.available == 15


def test_a_cap_counts_a_backdated_event_on_its_own_day() -> None:
    scenario = MemberScenario.of(programme(per_euro(cap=cap(10))))
    scenario.buy("2024-03-05 10:00", "10")
    scenario.buy("2024-03-04 10:00", "10", now="2024-03-05 11:00")
    scenario.buy("2024-03-04 11:00", "10", now="2024-03-05 12:00")
    assert scenario.now.available == 20
    assert scenario.now.cap_usage == {"basket": {"2024-03-05": 10, "2024-03-04": 10}}


def test_a_refund_makes_room_under_the_cap_of_the_purchases_own_day() -> None:
    scenario = MemberScenario.of(programme(per_euro(cap=cap(10))))
    scenario.buy("2024-03-04 10:00", "10", key="first")
    scenario.buy("2024-03-05 10:00", "8")
    scenario.refund("2024-03-05 11:00", "first", "4")
    assert scenario.now.cap_usage == {"basket": {"2024-03-04": 6, "2024-03-05": 8}}
    scenario.buy("2024-03-04 20:00", "10", now="2024-03-05 12:00")
    assert scenario.now.available == 6 + 8 + 4
    assert_member_invariants(scenario)


def test_an_event_too_late_for_its_caps_day_to_be_known_earns_nothing_and_says_so() -> None:
    scenario = MemberScenario.of(programme(per_euro(cap=cap(10)), per_euro("free", priority=-1)))
    scenario.buy("2025-06-01 10:00", "3")
    scenario.buy("2024-04-27 10:00", "3", now="2025-06-01 11:00")
    assert why(scenario) == [("basket", 3, RuleOutcome.AWARDED), ("free", 3, RuleOutcome.AWARDED)]
    scenario.buy("2024-04-26 10:00", "3", now="2025-06-01 12:00")
    assert scenario.records[-1].explanations[0] == Explanation(
        "basket", 0, applied=False, reason=RuleOutcome.TOO_LATE, params={"days": 400}
    )
    assert why(scenario)[1] == ("free", 3, RuleOutcome.AWARDED)


def test_what_a_capped_rule_gave_is_forgotten_with_the_rule() -> None:
    scenario = MemberScenario.of(programme(per_euro(cap=cap(10))))
    scenario.buy("2024-03-04 10:00", "10")
    scenario.programme = programme(per_euro())
    scenario.buy("2024-03-04 11:00", "10")
    assert scenario.now.cap_usage == {}
    assert scenario.now.available == 20


def test_points_of_a_capped_rule_are_stored_for_400_periods() -> None:
    first = date(2023, 1, 1).toordinal()
    spans = {date.fromordinal(day).isoformat(): 1 for day in range(first, first + 405)}
    kept = prune_cap_periods({"visit": spans, "gone": spans}, programme(flat("visit", "1", cap=cap(1))))
    assert list(kept) == ["visit"]
    assert (len(kept["visit"]), min(kept["visit"]), max(kept["visit"])) == (400, "2023-01-06", "2024-02-09")


@pytest.mark.parametrize("before", [LimitPeriod.WEEK, LimitPeriod.MONTH, LimitPeriod.YEAR, LimitPeriod.EVER])
@pytest.mark.parametrize("after", list(LimitPeriod))
def test_a_cap_may_change_its_period_in_a_new_version_of_the_programme(before: LimitPeriod, after: LimitPeriod) -> None:
    scenario = MemberScenario.of(programme(per_euro(cap=cap(10, before))))
    scenario.buy("2024-03-04 10:00", "10", key="before")
    scenario.programme = programme(per_euro(cap=cap(10, after)))
    scenario.buy("2024-03-04 11:00", "10")
    assert scenario.now.available == (10 if before is after else 20)
    scenario.refund("2024-03-04 12:00", "before")
    assert scenario.now.available == (0 if before is after else 10)
    assert_member_invariants(scenario)


# Stacking


def test_rules_add_up_by_falling_priority() -> None:
    scenario = MemberScenario.of(
        programme(flat("low", "1", priority=-5), flat("high", "2", priority=5), flat("middle", "3"))
    )
    scenario.buy("2024-03-01 10:00", "1")
    assert why(scenario) == [
        ("high", 2, RuleOutcome.AWARDED),
        ("middle", 3, RuleOutcome.AWARDED),
        ("low", 1, RuleOutcome.AWARDED),
    ]


def best(key: str, points: str, priority: int, **changes: Any) -> EarningRule:
    return flat(
        key, points, priority=priority, stacking=Stacking.BEST, stacking_group=changes.pop("group", "g"), **changes
    )


def test_of_a_group_only_the_rule_that_gives_most_counts() -> None:
    scenario = MemberScenario.of(programme(best("a", "5", 3), best("b", "9", 2), best("c", "7", 1)))
    scenario.buy("2024-03-01 10:00", "1")
    assert [(one.rule, one.points, one.reason, dict(one.params)) for one in scenario.records[-1].explanations] == [
        ("a", 0, RuleOutcome.NOT_BEST, {"by": "b"}),
        ("b", 9, RuleOutcome.AWARDED, {}),
        ("c", 0, RuleOutcome.NOT_BEST, {"by": "b"}),
    ]
    assert scenario.now.available == 9


def test_of_equals_in_a_group_the_one_of_higher_priority_counts() -> None:
    scenario = MemberScenario.of(programme(best("a", "5", 1), best("b", "5", 2)))
    scenario.buy("2024-03-01 10:00", "1")
    assert why(scenario) == [("b", 5, RuleOutcome.AWARDED), ("a", 0, RuleOutcome.NOT_BEST)]


def test_groups_stand_side_by_side_and_besides_the_rest() -> None:
    scenario = MemberScenario.of(programme(best("a", "5", 3), best("b", "4", 2, group="h"), per_euro()))
    scenario.buy("2024-03-01 10:00", "1")
    assert scenario.now.available == 10


def test_a_rule_of_a_group_that_does_not_apply_outdoes_nobody() -> None:
    scenario = MemberScenario.of(programme(best("a", "5", 3), best("b", "9", 2, when="false")))
    scenario.buy("2024-03-01 10:00", "1")
    assert why(scenario) == [("a", 5, RuleOutcome.AWARDED), ("b", 0, RuleOutcome.CONDITION)]


def test_within_a_group_rules_compare_after_their_caps_and_only_the_winner_uses_its_cap() -> None:
    scenario = MemberScenario.of(programme(best("a", "9", 2, cap=cap(12)), best("b", "5", 1, cap=cap(5))))
    scenario.buy("2024-03-01 10:00", "1")
    assert scenario.now.cap_usage == {"a": {"2024-03-01": 9}}
    scenario.buy("2024-03-01 11:00", "1")
    assert why(scenario) == [("a", 0, RuleOutcome.NOT_BEST), ("b", 5, RuleOutcome.AWARDED)]
    assert scenario.now.cap_usage == {"a": {"2024-03-01": 9}, "b": {"2024-03-01": 5}}
    scenario.buy("2024-03-01 12:00", "1")
    assert why(scenario) == [("a", 3, RuleOutcome.CAPPED), ("b", 0, RuleOutcome.CAP_REACHED)]
    assert scenario.now.available == 17


def test_what_was_outdone_is_not_earned_for_the_rules_after_it() -> None:
    scenario = MemberScenario.of(programme(best("a", "5", 3), best("b", "9", 2), flat("again", "earned")))
    scenario.buy("2024-03-01 10:00", "1")
    assert scenario.now.available == 18


def test_an_exclusive_rule_shuts_out_the_rules_of_lower_priority() -> None:
    scenario = MemberScenario.of(
        programme(flat("high", "1", priority=3), flat("only", "2", priority=2, stacking=Stacking.EXCLUSIVE), per_euro())
    )
    scenario.buy("2024-03-01 10:00", "10")
    assert why(scenario) == [
        ("high", 1, RuleOutcome.AWARDED),
        ("only", 2, RuleOutcome.AWARDED),
        ("basket", 0, RuleOutcome.EXCLUDED),
    ]
    assert scenario.records[-1].explanations[2].params == {"by": "only"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"when": "false"}, RuleOutcome.CONDITION), ({"channels": frozenset({Channel.APP})}, RuleOutcome.CHANNEL)],
)
def test_an_exclusive_rule_that_does_not_apply_shuts_nobody_out(changes: dict[str, Any], reason: RuleOutcome) -> None:
    only = flat("only", "2", priority=2, stacking=Stacking.EXCLUSIVE, **changes)
    scenario = MemberScenario.of(programme(only, per_euro()))
    scenario.buy("2024-03-01 10:00", "10")
    assert why(scenario) == [("only", 0, reason), ("basket", 10, RuleOutcome.AWARDED)]


def test_an_exclusive_rule_whose_cap_is_reached_shuts_nobody_out() -> None:
    only = flat("only", "2", priority=2, stacking=Stacking.EXCLUSIVE, cap=cap(2))
    scenario = MemberScenario.of(programme(only, per_euro()))
    scenario.buy("2024-03-01 10:00", "10")
    scenario.buy("2024-03-01 11:00", "10")
    assert why(scenario) == [("only", 0, RuleOutcome.CAP_REACHED), ("basket", 10, RuleOutcome.AWARDED)]


def test_points_that_do_not_qualify_are_earned_but_lead_to_no_tier() -> None:
    scenario = MemberScenario.of(programme(per_euro(qualifying=False), flat("visit", "5", event="visit")))
    scenario.buy("2024-03-01 10:00", "500")
    assert (scenario.now.available, scenario.tier, dict(scenario.now.qualifying_days)) == (500, "base", {})
    scenario.happen("visit", "2024-03-01 11:00")
    assert scenario.now.qualifying_days == {date(2024, 3, 1): 5}


def test_an_event_that_no_rule_is_for_is_counted_and_moves_nothing() -> None:
    scenario = MemberScenario.of(programme())
    scenario.happen("review", "2024-03-01 10:00")
    [entry] = scenario.records[-1].entries
    assert (entry.points, entry.balance, entry.postings, entry.explanations) == (0, 0, (), ())
    assert (scenario.now.version, scenario.now.event_counts) == (2, {"review": 1})


def test_a_promotion_counts_for_the_next_event_and_not_for_its_own() -> None:
    rules: Programme = programme(per_euro(), flat("silver", "7", tiers=frozenset({"silver"}), priority=-1))
    scenario = MemberScenario.of(rules)
    scenario.buy("2024-03-01 10:00", "100")
    assert (scenario.tier, why(scenario)[1]) == ("silver", ("silver", 0, RuleOutcome.TIER))
    scenario.buy("2024-03-01 11:00", "1")
    assert why(scenario)[1] == ("silver", 7, RuleOutcome.AWARDED)
