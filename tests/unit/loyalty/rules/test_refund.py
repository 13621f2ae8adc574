from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.builders import CALENDAR_YEAR, LIFETIME, flat, line, per_euro, programme, receipt
from support.member_scenario import MemberScenario, assert_member_invariants, explanation_rows, posting_rows
from support.property_settings import property_settings

from loyalty.kernel.period import EndOf, ExpiryPolicy
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import Purchase
from loyalty.model.explanation import RuleOutcome
from loyalty.model.ledger import Account, EntryKind
from loyalty.model.programme import Rounding, SpentPointsPolicy
from loyalty.model.references.waiting import WAITING_MAX

THIRTY_DAYS = ExpiryPolicy(days=30)


def shares(scenario: MemberScenario, key: str) -> list[Any]:
    return list(scenario.counted[key].shares_returned)


def why(scenario: MemberScenario) -> list[tuple[str, int, RuleOutcome]]:
    return explanation_rows(scenario.records[-1].explanations)


def basket(*rules: Any, lines: Any = (), **changes: Any) -> MemberScenario:
    """Return a scenario with a basket of a, b and c for 10.00, 20.00 and 3.50."""
    scenario = MemberScenario.of(programme(*rules, **changes))
    lines = lines or (line("a", "10.00"), line("b", "20.00"), line("c", "3.50", "7"))
    scenario.buy("2024-03-01 10:00", receipt(None, *lines), key="basket")
    return scenario


# Reversed points


def test_refund_without_amounts_reverses_everything() -> None:
    scenario = basket()
    assert scenario.points == (-33, 33, 0, 0, 0)
    decision = scenario.refund("2024-03-02 10:00", "basket")
    assert scenario.points == (0, 0, 0, 0, 0)
    assert shares(scenario, "basket") == [1, 1, 1]
    [entry] = decision.record.entries
    assert (entry.kind, entry.points, entry.balance) == (EntryKind.REVERSE, -33, 0)
    assert posting_rows(entry) == [("issued", 33), ("available", -33)]
    assert why(scenario) == [("basket", -33, RuleOutcome.REVERSED)]
    assert scenario.now.event_counts == {"purchase": 1, "refund": 1}
    assert_member_invariants(scenario)


def test_refund_of_a_line_reverses_the_points_of_that_line() -> None:
    scenario = basket(per_euro(), per_euro("own", points="2", lines='line.sku == "b"', priority=-1))
    assert scenario.now.available == 33 + 40
    scenario.refund("2024-03-02 10:00", "basket", receipt(None, line("b", "20.00")))
    assert why(scenario) == [("basket", -20, RuleOutcome.REVERSED), ("own", -40, RuleOutcome.REVERSED)]
    assert shares(scenario, "basket") == [0, 1, 0]
    assert scenario.now.available == 13


def test_a_refund_of_a_line_that_gave_nothing_takes_nothing() -> None:
    scenario = basket(per_euro("own", lines='line.sku == "b"'))
    scenario.refund("2024-03-02 10:00", "basket", receipt(None, line("a", "10.00")))
    assert [(one.points, one.applied) for one in scenario.records[-1].explanations] == [(0, False)]
    assert scenario.now.available == 20


def test_a_refund_of_part_of_a_line_is_rounded_in_the_members_favour_until_its_last_part() -> None:
    scenario = basket()
    taken = []
    for amount in ("1.50", "1.49", "7.01"):
        before = scenario.now.available
        scenario.refund("2024-03-02 10:00", "basket", receipt(None, line("a", amount)))
        taken.append(before - scenario.now.available)
    assert taken == [1, 1, 8]
    assert shares(scenario, "basket") == [1, 0, 0]


def test_a_refund_of_a_total_takes_the_same_share_of_every_line() -> None:
    scenario = basket()
    scenario.refund("2024-03-02 10:00", "basket", "16.75")
    assert shares(scenario, "basket") == [Fraction(1, 2)] * 3
    assert scenario.now.available == 33 - (5 + 10 + 1)
    scenario.refund("2024-03-03 10:00", "basket", "16.75")
    assert shares(scenario, "basket") == [1, 1, 1]
    assert scenario.now.available == 0


def test_a_refund_of_a_total_after_one_of_a_line_takes_the_rest_in_proportion() -> None:
    scenario = basket()
    scenario.refund("2024-03-02 10:00", "basket", receipt(None, line("b", "20.00")))
    scenario.refund("2024-03-03 10:00", "basket", "6.75")
    assert shares(scenario, "basket") == [Fraction(1, 2), 1, Fraction(1, 2)]
    scenario.refund("2024-03-04 10:00", "basket")
    assert (scenario.now.available, shares(scenario, "basket")) == (0, [1, 1, 1])


def test_a_total_below_the_sum_of_lines_is_refunded_by_its_own_measure() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", receipt("8.00", line("a", "6.00"), line("b", "4.00")), key="basket")
    scenario.refund("2024-03-02 10:00", "basket", "4.00")
    assert (scenario.now.available, shares(scenario, "basket")) == (4, [Fraction(1, 2), Fraction(1, 2)])
    refusal = scenario.refused(
        scenario.event("refund", "2024-03-03 10:00", purchase=receipt("4.01"), refund_of="basket"), "2024-03-03 10:00"
    )
    assert (refusal.reason, refusal.params) == ("refund_exceeds", {"left": "4.00"})
    scenario.refund("2024-03-03 10:00", "basket", "4.00")
    assert scenario.now.available == 0


def test_a_receipt_without_lines_is_refunded_by_total() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "10.00", key="total")
    scenario.refund("2024-03-02 10:00", "total", "3.33")
    assert (scenario.now.available, shares(scenario, "total")) == (7, [Fraction(333, 1000)])
    scenario.refund("2024-03-02 11:00", "total", "6.67")
    assert (scenario.now.available, shares(scenario, "total")) == (0, [1])


def test_a_refund_of_zero_takes_nothing() -> None:
    scenario = basket()
    scenario.refund("2024-03-02 10:00", "basket", "0")
    scenario.refund("2024-03-02 11:00", "basket", receipt(None, line("a", "0")))
    assert (scenario.now.available, shares(scenario, "basket")) == (33, [0, 0, 0])


def test_a_purchase_that_cost_nothing_is_refunded_by_zero() -> None:
    scenario = MemberScenario.of(programme(flat("bonus", "7")))
    scenario.buy("2024-03-01 10:00", "0", key="free")
    scenario.refund("2024-03-02 10:00", "free", "0")
    assert (scenario.now.available, shares(scenario, "free")) == (0, [1])


def test_a_line_that_cost_nothing_is_measured_by_its_quantity() -> None:
    scenario = MemberScenario.of(programme(flat("bonus", "8")))
    scenario.buy("2024-03-01 10:00", receipt(None, line("gift", "0", "4")), key="gift")
    scenario.refund("2024-03-02 10:00", "gift", receipt(None, line("gift", "0", "1")))
    assert (scenario.now.available, shares(scenario, "gift")) == (6, [Fraction(1, 4)])
    refused = scenario.event(
        "refund", "2024-03-03 10:00", purchase=receipt(None, line("gift", "0", "3.5")), refund_of="gift"
    )
    assert scenario.refused(refused, "2024-03-03 10:00").reason == "refund_exceeds_line"
    scenario.refund("2024-03-03 10:00", "gift", receipt(None, line("gift", "0", "3")))
    assert (scenario.now.available, shares(scenario, "gift")) == (0, [1])


def test_the_same_sku_on_several_lines_is_taken_from_the_first_to_the_last() -> None:
    scenario = basket(lines=(line("a", "10.00"), line("b", "5.00"), line("a", "6.00")))
    scenario.refund("2024-03-02 10:00", "basket", receipt(None, line("a", "12.00")))
    assert shares(scenario, "basket") == [1, 0, Fraction(1, 3)]
    scenario.refund("2024-03-03 10:00", "basket", receipt(None, line("a", "1.00"), line("a", "3.00")))
    assert shares(scenario, "basket") == [1, 0, 1]
    assert scenario.now.available == 5


def test_a_discount_line_comes_back_with_the_sign_it_was_sold_with() -> None:
    scenario = basket(lines=(line("a", "10.00"), line("voucher", "-2.00")))
    assert scenario.now.available == 8
    scenario.refund("2024-03-02 10:00", "basket", receipt(None, line("a", "10.00"), line("voucher", "-2.00")))
    assert (scenario.now.available, shares(scenario, "basket")) == (0, [1, 1])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_discount_line_may_have_the_sku_that_it_lowers(order: tuple[int, int]) -> None:
    sold = (line("a", "10.00"), line("a", "-2.00"))
    scenario = basket(lines=sold)
    scenario.refund("2024-03-02 10:00", "basket", receipt(None, *(sold[index] for index in order)))
    assert (scenario.now.available, shares(scenario, "basket")) == (0, [1, 1])


def test_half_of_a_line_and_of_its_discount_is_half_of_each() -> None:
    scenario = basket(lines=(line("a", "-2.00"), line("a", "10.00")))
    scenario.refund("2024-03-02 10:00", "basket", receipt(None, line("a", "5.00"), line("a", "-1.00")))
    assert shares(scenario, "basket") == [Fraction(1, 2), Fraction(1, 2)]
    assert scenario.now.available == 4


def test_a_refund_takes_the_qualifying_points_of_the_purchases_own_day() -> None:
    scenario = basket(per_euro(), flat("bonus", "7", qualifying=False, priority=-1))
    assert scenario.now.qualifying_days == {date(2024, 3, 1): 33}
    decision = scenario.refund("2024-03-05 10:00", "basket", receipt(None, line("b", "20.00")))
    assert scenario.now.qualifying_days == {date(2024, 3, 1): 13}
    assert decision.record.qualifying_points == ((date(2024, 3, 1), -20),)
    scenario.refund("2024-03-06 10:00", "basket")
    assert scenario.now.qualifying_days == {}


def test_a_refund_reverses_old_lifetime_points_too() -> None:
    scenario = MemberScenario.of(programme(qualification=LIFETIME, thresholds=(0, 1000)), enrolled="2020-01-01 12:00")
    scenario.buy("2020-02-01 10:00", "600", key="old")
    scenario.buy("2020-02-01 11:00", "100")
    scenario.buy("2023-01-01 10:00", "10")
    scenario.refund("2023-01-02 10:00", "old", "300")
    scenario.refund("2023-01-03 10:00", "old")
    assert sum(scenario.now.qualifying_days.values()) == 110
    scenario.buy("2023-01-04 10:00", "400")
    assert scenario.tier == "base"
    assert_member_invariants(scenario)


# Lots that refunds take from


def test_a_refund_takes_from_the_purchases_own_lot_first_and_then_from_the_oldest() -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(months=6)))
    scenario.buy("2024-03-01 10:00", "10")
    scenario.buy("2024-03-02 10:00", "10")
    scenario.buy("2024-03-03 10:00", "10", key="third")
    scenario.adjust("2024-03-04 10:00", -15)
    assert scenario.lots == [("2024-03-02", "2024-09-02", 5), ("2024-03-03", "2024-09-03", 10)]
    scenario.refund("2024-03-05 10:00", "third", "4")
    assert scenario.lots == [("2024-03-02", "2024-09-02", 5), ("2024-03-03", "2024-09-03", 6)]
    scenario.adjust("2024-03-06 10:00", -7)
    assert scenario.lots == [("2024-03-03", "2024-09-03", 4)]
    scenario.refund("2024-03-07 10:00", "third", "6")
    assert (scenario.lots, scenario.now.available) == ([], -2)


def test_spent_points_become_a_debt_that_the_next_earnings_fill_first() -> None:
    scenario = MemberScenario.of(programme(expiry=THIRTY_DAYS))
    scenario.buy("2024-03-01 10:00", "100", key="bought")
    scenario.adjust("2024-03-02 10:00", -100)
    decision = scenario.refund("2024-03-03 10:00", "bought", "30")
    assert posting_rows(decision.record.entries[0]) == [("issued", 30), ("available", -30)]
    assert decision.record.entries[0].postings[1].lot is None
    assert (scenario.now.available, scenario.now.debt, scenario.lots) == (-30, 30, [])
    scenario.buy("2024-03-04 10:00", "20")
    assert (scenario.now.available, scenario.lots) == (-10, [])
    scenario.buy("2024-03-05 10:00", "20", key="filling")
    assert (scenario.now.available, scenario.lots) == (10, [("2024-03-05", "2024-04-04", 10)])
    assert_member_invariants(scenario)
    scenario.settle("2024-04-05 10:00")
    assert scenario.points == (-110, 0, 10, 100, 0)
    scenario.refund("2024-04-06 10:00", "filling")
    assert scenario.points == (-90, -10, 0, 100, 0)
    assert why(scenario) == [("basket", -20, RuleOutcome.REVERSED), ("refund", 10, RuleOutcome.ALREADY_EXPIRED)]
    assert_member_invariants(scenario)


def test_a_gift_fills_a_debt_first() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "100", key="bought")
    scenario.adjust("2024-03-02 10:00", -100)
    scenario.refund("2024-03-03 10:00", "bought")
    scenario.adjust("2024-03-04 10:00", 120)
    assert (scenario.now.available, scenario.lots) == (20, [("2024-03-04", None, 20)])


def test_spent_points_may_be_written_off_instead() -> None:
    scenario = MemberScenario.of(programme(spent_points=SpentPointsPolicy.WRITE_OFF))
    scenario.buy("2024-03-01 10:00", "100", key="bought")
    scenario.buy("2024-03-01 11:00", "5")
    scenario.adjust("2024-03-02 10:00", -75)
    decision = scenario.refund("2024-03-03 10:00", "bought")
    assert posting_rows(decision.record.entries[0]) == [("issued", 100), ("available", -30), ("written_off", -70)]
    assert scenario.points == (-5, 0, 0, 75, -70)
    assert why(scenario) == [("basket", -100, RuleOutcome.REVERSED), ("refund", 70, RuleOutcome.WRITTEN_OFF)]
    scenario.buy("2024-03-04 10:00", "20")
    assert scenario.now.available == 20
    assert_member_invariants(scenario)


def test_points_that_expired_are_not_taken_twice() -> None:
    scenario = MemberScenario.of(programme(expiry=THIRTY_DAYS))
    scenario.buy("2024-03-01 10:00", "100", key="bought")
    scenario.adjust("2024-03-02 10:00", -30)
    scenario.buy("2024-04-01 10:00", "50", key="later")
    assert scenario.points == (-150, 50, 70, 30, 0)
    decision = scenario.refund("2024-04-02 10:00", "bought", "60")
    assert posting_rows(decision.record.entries[0]) == [("issued", 60), ("expired", -60)]
    assert decision.record.entries[0].points == 0
    assert why(scenario) == [("basket", -60, RuleOutcome.REVERSED), ("refund", 60, RuleOutcome.ALREADY_EXPIRED)]
    scenario.refund("2024-04-03 10:00", "bought", "40")
    assert scenario.points == (-50, 20, 0, 30, 0)
    assert why(scenario) == [("basket", -40, RuleOutcome.REVERSED), ("refund", 10, RuleOutcome.ALREADY_EXPIRED)]
    assert_member_invariants(scenario)


def test_two_purchases_of_a_day_share_what_of_it_expired() -> None:
    scenario = MemberScenario.of(programme(expiry=THIRTY_DAYS))
    scenario.buy("2024-03-01 10:00", "10", key="one")
    scenario.buy("2024-03-01 11:00", "10", key="other")
    scenario.adjust("2024-03-02 10:00", -5)
    scenario.settle("2024-04-01 10:00")
    scenario.refund("2024-04-02 10:00", "one")
    scenario.refund("2024-04-03 10:00", "other")
    assert scenario.points == (0, -5, 0, 5, 0)
    assert_member_invariants(scenario)


def test_a_refund_long_after_expiry_takes_no_more_than_what_was_spent() -> None:
    scenario = MemberScenario.of(programme(expiry=THIRTY_DAYS))
    scenario.buy("2024-03-01 10:00", "100", key="bought")
    scenario.adjust("2024-03-02 10:00", -30)
    scenario.settle("2024-04-01 10:00")
    scenario.buy("2026-01-01 10:00", "50")
    scenario.refund("2026-01-02 10:00", "bought")
    assert scenario.points == (-50, 20, 0, 30, 0)
    assert_member_invariants(scenario)


def test_a_refund_of_a_lot_that_is_about_to_be_forgotten_takes_what_expired_of_that_lot() -> None:
    scenario = MemberScenario.of(programme(expiry=THIRTY_DAYS))
    scenario.buy("2024-03-01 10:00", "30", key="bought")
    scenario.adjust("2024-03-02 10:00", -20)
    scenario.settle("2024-04-01 10:00")
    scenario.buy("2024-04-02 10:00", "50")
    scenario.settle("2024-05-03 10:00")
    assert scenario.points == (-80, 0, 60, 20, 0)
    scenario.refund("2025-06-01 10:00", "bought")
    assert scenario.points == (-50, -20, 50, 20, 0)
    assert_member_invariants(scenario)


def test_what_expired_of_other_lots_is_not_used_up_by_a_refund_of_a_forgotten_one() -> None:
    scenario = MemberScenario.of(programme(expiry=THIRTY_DAYS))
    scenario.buy("2023-01-11 10:00", "30", key="old", now="2024-01-11 10:00", imported=True)
    scenario.settle("2024-03-16 10:00")
    scenario.buy("2024-03-17 10:00", "10", key="older")
    scenario.adjust("2024-03-17 11:00", -10)
    scenario.buy("2024-03-17 12:00", "40", key="new")
    scenario.settle("2024-05-16 10:00")
    scenario.settle("2024-05-17 10:00")
    scenario.buy("2024-05-18 10:00", "1")
    assert scenario.now.balance(Account.EXPIRED) == 70
    scenario.refund("2024-05-19 10:00", "old")
    assert scenario.now.balance(Account.EXPIRED) == 40
    scenario.refund("2024-05-20 10:00", "new")
    scenario.refund("2024-05-21 10:00", "older")
    assert scenario.now.balance(Account.EXPIRED) == 0
    assert_member_invariants(scenario)


def test_a_forgotten_lot_never_takes_more_than_forgotten_lots_expired() -> None:
    scenario = MemberScenario.of(programme(expiry=THIRTY_DAYS))
    scenario.buy("2024-03-01 10:00", "30", key="old")
    scenario.adjust("2024-03-02 10:00", -20)
    scenario.settle("2024-04-01 10:00")
    scenario.buy("2025-06-01 10:00", "50", key="new")
    scenario.settle("2025-07-02 10:00")
    assert scenario.points == (-80, 0, 60, 20, 0)
    scenario.refund("2025-07-03 10:00", "old")
    assert scenario.points == (-50, -20, 50, 20, 0)
    scenario.refund("2025-07-04 10:00", "new")
    assert scenario.points == (0, -20, 0, 20, 0)
    assert_member_invariants(scenario)


def test_a_refund_finds_its_lot_though_the_programmes_expiry_changed() -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(months=6)))
    scenario.buy("2024-03-01 10:00", "10", key="bought")
    scenario.programme = programme(expiry=ExpiryPolicy(months=12, end_of=EndOf.YEAR))
    scenario.buy("2024-03-02 10:00", "10")
    scenario.refund("2024-03-03 10:00", "bought", "5")
    assert scenario.lots == [("2024-03-01", "2024-09-01", 5), ("2024-03-02", "2025-12-31", 10)]


def test_a_refund_of_a_rule_that_is_no_more_takes_what_it_gave() -> None:
    scenario = MemberScenario.of(programme(flat("gone", "7")))
    scenario.buy("2024-03-01 10:00", "10", key="bought")
    scenario.programme = programme()
    scenario.refund("2024-03-03 10:00", "bought")
    assert why(scenario) == [("gone", -7, RuleOutcome.REVERSED)]
    assert scenario.now.available == 0


def test_a_refund_is_measured_in_the_currency_of_its_purchase() -> None:
    scenario = MemberScenario.of(programme(currency="FRF"))
    scenario.buy("2024-03-01 10:00", receipt("65.60", currency="FRF"), key="francs")
    scenario.programme = programme(currency="EUR")
    euros = scenario.event("refund", "2024-03-02 10:00", purchase=receipt("10.00", currency="EUR"), refund_of="francs")
    refusal = scenario.refused(euros, "2024-03-02 10:00")
    assert (refusal.code, refusal.reason, refusal.path, refusal.params) == (
        RefusalCode.INVALID,
        "currency_mismatch",
        ("purchase", "currency"),
        {"currency": "EUR", "expected": "FRF"},
    )
    scenario.refund("2024-03-02 10:00", "francs", receipt("32.80", currency="FRF"))
    assert scenario.now.available == 33


# Refusals


@pytest.mark.parametrize(
    ("back", "reason", "path", "params"),
    [
        (receipt("33.51"), "refund_exceeds", ("purchase", "total"), {"left": "33.50"}),
        (
            receipt(None, line("d", "1.00")),
            "refund_unknown_line",
            ("purchase", "lines", "0", "sku"),
            {"sku": "d"},
        ),
        (
            receipt(None, line("a", "1.00"), line("b", "20.01")),
            "refund_exceeds_line",
            ("purchase", "lines", "1", "amount"),
            {"sku": "b"},
        ),
        (
            receipt(None, line("a", "6.00"), line("a", "4.01")),
            "refund_exceeds_line",
            ("purchase", "lines", "1", "amount"),
            {"sku": "a"},
        ),
        (
            receipt("1.00", line("a", "-1.00")),
            "refund_sign",
            ("purchase", "lines", "0", "amount"),
            {"sku": "a"},
        ),
        (receipt("-1.00"), "total_negative", ("purchase", "total"), {}),
        (
            receipt(None, line("a", "1.00", "-1")),
            "quantity_negative",
            ("purchase", "lines", "0", "quantity"),
            {},
        ),
        (
            receipt("1.00", currency="USD"),
            "currency_mismatch",
            ("purchase", "currency"),
            {"currency": "USD", "expected": "EUR"},
        ),
    ],
)
def test_a_refund_that_does_not_fit_its_purchase_is_refused(
    back: Purchase, reason: str, path: tuple[str, ...], params: dict[str, str]
) -> None:
    scenario = basket()
    refusal = scenario.refused(
        scenario.event("refund", "2024-03-02 10:00", purchase=back, refund_of="basket"), "2024-03-02 10:00"
    )
    assert (refusal.code, refusal.reason, refusal.path, refusal.params) == (RefusalCode.INVALID, reason, path, params)


def test_a_line_of_a_receipt_without_lines_is_unknown() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "10", key="total")
    back = scenario.event("refund", "2024-03-02 10:00", purchase=receipt(None, line("a", "1")), refund_of="total")
    assert scenario.refused(back, "2024-03-02 10:00").reason == "refund_unknown_line"


def test_a_discount_line_is_not_returned_with_the_other_sign() -> None:
    scenario = basket(lines=(line("a", "10.00"), line("voucher", "-2.00")))
    back = scenario.event(
        "refund", "2024-03-02 10:00", purchase=receipt(None, line("voucher", "2.00")), refund_of="basket"
    )
    assert scenario.refused(back, "2024-03-02 10:00").reason == "refund_sign"


@pytest.mark.parametrize("back", [None, receipt("0"), receipt(None, line("a", "1.00"))])
def test_what_is_refunded_whole_cannot_be_refunded_again(back: Purchase | None) -> None:
    scenario = basket()
    scenario.refund("2024-03-02 10:00", "basket")
    again = scenario.event("refund", "2024-03-03 10:00", purchase=back, refund_of="basket")
    refusal = scenario.refused(again, "2024-03-03 10:00")
    assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.INVALID, "refund_done", ("refundOf",))


def test_a_refund_of_what_was_not_bought_yet_waits() -> None:
    scenario = basket()
    points = scenario.points
    decision = scenario.must(scenario.event("refund", "2024-03-02 10:00", refund_of="nothing"), "2024-03-02 10:00")
    assert (decision.recorded_event, decision.record.entries, scenario.points) == (None, (), points)
    assert [(one.reference, one.until) for one in scenario.now.waiting] == [
        ("*till/nothing", scenario.at("2024-03-02 10:00") + WAITING_MAX)
    ]
    assert decision.record.cause.operation == "wait"


def test_only_ones_own_purchase_can_be_refunded() -> None:
    scenario = basket()
    scenario.supply.events["till/basket"] = replace(scenario.counted["basket"], member="m-2")
    command = scenario.event("refund", "2024-03-02 10:00", refund_of="basket")
    assert scenario.refused(command, "2024-03-02 10:00").reason == "purchase_not_found"


def test_only_a_purchase_can_be_refunded() -> None:
    scenario = basket(per_euro(), flat("visit", "5", event="visit"))
    scenario.happen("visit", "2024-03-02 10:00", key="visit")
    refunded = scenario.refund("2024-03-02 11:00", "basket", "1")
    assert refunded.recorded_event is not None
    for key in ("visit", refunded.recorded_event.event.key):
        command = scenario.event("refund", "2024-03-02 12:00", refund_of=key)
        assert scenario.refused(command, "2024-03-02 12:00").reason == "purchase_not_found"


def test_a_refund_before_its_purchase_is_refused() -> None:
    scenario = basket()
    early = scenario.event("refund", "2024-03-01 09:54:59", refund_of="basket")
    refusal = scenario.refused(early, "2024-03-02 10:00")
    assert (refusal.code, refusal.reason, refusal.path) == (
        RefusalCode.INVALID,
        "refund_before_purchase",
        ("occurredAt",),
    )
    scenario.refund("2024-03-01 10:00", "basket", now="2024-03-02 10:00")
    assert scenario.now.available == 0


# Any partition

AMOUNTS = st.integers(0, 20_000).map(lambda cents: Decimal(cents) / 100)
SKUS = st.sampled_from(["a", "b", "c", "d"])
BOUGHT_LINES = st.lists(
    st.builds(
        lambda sku, amount, quantity, off: line(sku, str(-amount if off else amount), str(quantity)),
        SKUS,
        AMOUNTS,
        st.integers(1, 9),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=0,
    max_size=5,
)


@given(data=st.data())
@property_settings(120)
def test_refunds_in_any_partition_take_what_was_given_never_more_and_all_at_the_end(data: st.DataObject) -> None:
    lines = data.draw(BOUGHT_LINES)
    total = sum((one.amount for one in lines), Decimal(0)) if lines else data.draw(AMOUNTS)
    total -= data.draw(st.sampled_from([Decimal(0), Decimal("0.37"), Decimal(1)]))
    assume(total >= 0)
    spent_points = data.draw(st.sampled_from(SpentPointsPolicy))
    rules = (
        per_euro(points="1.3", rounding=Rounding.HALF_UP, priority=9),
        per_euro("own", lines='line.sku == "a"', priority=8),
        flat("bonus", "17", qualifying=False),
    )
    expiry = data.draw(st.sampled_from([ExpiryPolicy(), ExpiryPolicy(days=10)]))
    scenario = MemberScenario.of(
        programme(*rules, spent_points=spent_points, expiry=expiry, qualification=CALENDAR_YEAR)
    )
    scenario.buy("2024-03-01 10:00", receipt(str(total), *lines), key="bought")
    issued = scenario.now.lifetime_points
    gave = {grant.rule: grant.points for grant in scenario.counted["bought"].grants}
    spent = data.draw(st.integers(0, scenario.now.available))
    if spent:
        scenario.adjust("2024-03-02 10:00", -spent)
    taken = dict.fromkeys(gave, 0)
    for day in range(3, 3 + data.draw(st.integers(0, 8))):
        by_line: bool = data.draw(st.booleans())
        back: Purchase
        if lines and by_line:
            chosen = data.draw(st.sampled_from(lines))
            part = (chosen.amount * data.draw(st.integers(0, 4)) / 4).quantize(Decimal("0.01"))
            back = receipt("0", replace(chosen, amount=part))
        else:
            back = receipt(str((total * data.draw(st.integers(0, 4)) / 4).quantize(Decimal("0.01"))))
        command = scenario.event("refund", f"2024-03-{day:02} 10:00", purchase=back, refund_of="bought")
        outcome = scenario.do(command, f"2024-03-{day:02} 10:00")
        if isinstance(outcome, Decision):
            for one in outcome.record.explanations:
                if one.reason is RuleOutcome.REVERSED:
                    assert one.points <= 0
                    taken[one.rule] -= one.points
        else:
            assert isinstance(outcome, Refusal)
            assert outcome.reason in {
                "refund_exceeds",
                "refund_exceeds_line",
                "refund_sign",
                "refund_done",
            }
        assert all(0 <= share <= 1 for share in shares(scenario, "bought"))
        assert all(taken[rule] <= gave[rule] for rule in gave)
        assert issued - scenario.now.lifetime_points == sum(taken.values())
        assert_member_invariants(scenario)
    if any(share != 1 for share in shares(scenario, "bought")):
        decision = scenario.refund("2024-03-20 10:00", "bought")
        for one in decision.record.explanations:
            if one.reason is RuleOutcome.REVERSED:
                taken[one.rule] -= one.points
    assert taken == gave
    assert (scenario.now.lifetime_points, dict(scenario.now.qualifying_days)) == (0, {})
    expected = -spent if spent_points is SpentPointsPolicy.NEGATIVE else 0
    assert (scenario.now.available, scenario.now.balance(Account.DEDUCTED)) == (expected, spent)
    assert scenario.now.balance(Account.WRITTEN_OFF) == (-spent if spent_points is SpentPointsPolicy.WRITE_OFF else 0)
    assert scenario.now.balance(Account.EXPIRED) == 0
    assert_member_invariants(scenario)
