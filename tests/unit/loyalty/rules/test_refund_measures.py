"""Refunds by total, by lines and by quantity, mixed: what is reversed is the same, and nothing is left at the end."""

from dataclasses import replace
from fractions import Fraction

import pytest
from support.builders import flat, line, per_euro, programme, receipt
from support.member_scenario import MemberScenario, assert_member_invariants

from loyalty.model.event import Purchase
from loyalty.rules.refund import points_reversed, share_returned


def bought(purchase: Purchase, *rules: object, currency: str = "EUR") -> MemberScenario:
    scenario = MemberScenario.of(programme(*rules, currency=currency))  # type: ignore[arg-type]
    scenario.buy("2024-03-01 10:00", purchase, key="basket")
    return scenario


def left_after(scenario: MemberScenario, *refunds: Purchase) -> list[int]:
    """Refund in order; return the points left after each."""
    left = []
    for day, back in enumerate(refunds, start=2):
        scenario.refund(f"2024-03-{day:02} 10:00", "basket", back)
        assert_member_invariants(scenario)
        left.append(scenario.now.available)
    return left


def is_whole(scenario: MemberScenario) -> bool:
    return scenario.counted["basket"].is_returned


def refused(scenario: MemberScenario, back: Purchase) -> tuple[str, tuple[str, ...], dict[str, object]]:
    command = scenario.event("refund", "2024-03-20 10:00", purchase=back, refund_of="basket")
    refusal = scenario.refused(command, "2024-03-20 10:00")
    return refusal.reason, refusal.path, dict(refusal.params)


# Delivery: money in the total beyond the lines

DELIVERED = receipt("55.00", line("a", "50.00"))


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([receipt("5.00"), receipt(None, line("a", "50.00"))], [50, 0]),
        ([receipt(None, line("a", "50.00")), receipt("5.00")], [5, 0]),
        ([receipt("55.00", line("a", "50.00"))], [0]),
        ([receipt("55.00")], [0]),
        ([receipt("20.00"), receipt("30.00", line("a", "30.00")), receipt("5.00")], [35, 5, 0]),
        ([receipt("2.50"), receipt("52.50", line("a", "50.00"))], [53, 0]),
        ([receipt("3.00"), receipt("2.00"), receipt(None, line("a", "50.00"))], [52, 50, 0]),
    ],
)
def test_delivery_in_the_total_is_a_part_of_its_own(refunds: list[Purchase], left: list[int]) -> None:
    scenario = bought(DELIVERED)
    assert scenario.now.available == 55
    assert left_after(scenario, *refunds) == left
    assert is_whole(scenario)


def test_a_refund_of_exactly_the_delivery_takes_nothing_of_a_lines_own_points() -> None:
    scenario = bought(DELIVERED, per_euro("own", points="2", lines='line.sku == "a"'))
    assert left_after(scenario, receipt("5.00")) == [100]
    assert left_after(scenario, receipt(None, line("a", "50.00"))) == [0]


def test_a_rule_on_lines_earns_nothing_on_delivery() -> None:
    assert bought(DELIVERED, per_euro("own", lines='line.sku == "a"')).now.available == 50


def test_no_more_than_line_and_delivery_is_refunded() -> None:
    scenario = bought(DELIVERED)
    assert refused(scenario, receipt("55.01"))[0] == "refund_exceeds"
    assert refused(scenario, receipt("56.00", line("a", "50.00")))[0] == "refund_exceeds"
    left_after(scenario, receipt("5.00"))
    assert refused(scenario, receipt("50.01")) == ("refund_exceeds", ("purchase", "total"), {"left": "50.00"})
    assert left_after(scenario, receipt("50.00")) == [0]


# Basket discounts

DISCOUNTED = receipt("80.00", line("a", "60.00"), line("b", "40.00"))


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([receipt("48.00", line("a", "48.00")), receipt("32.00", line("b", "32.00"))], [32, 0]),
        ([receipt("48.00", line("a", "60.00")), receipt("32.00", line("b", "40.00"))], [32, 0]),
        ([receipt("60.00", line("a", "60.00")), receipt("40.00", line("b", "40.00"))], [32, 0]),
        ([receipt("60.00", line("a", "60.00")), receipt("20.00", line("b", "20.00"))], [32, 0]),
        ([receipt("24.00", line("a", "30.00")), receipt("24.00", line("a", "24.00")), receipt("32.00")], [56, 32, 0]),
        ([receipt("32.00"), receipt("48.00", line("a", "60.00"))], [48, 0]),
        ([receipt("80.00", line("a", "60.00"), line("b", "40.00"))], [0]),
        ([receipt("100.00", line("a", "60.00"), line("b", "40.00"))], [0]),
    ],
)
def test_a_basket_discount_is_spread_over_the_lines(refunds: list[Purchase], left: list[int]) -> None:
    scenario = bought(DISCOUNTED)
    assert scenario.now.available == 80
    assert left_after(scenario, *refunds) == left
    assert is_whole(scenario)


@pytest.mark.parametrize(
    ("rule", "points"),
    [
        (per_euro("own", lines='line.sku == "a"'), 48),
        (per_euro("own", lines="line.amount >= 50.0"), 0),
        (flat("own", "event.purchase.lines[0].amount + event.purchase.lines[1].amount"), 80),
        (per_euro("own"), 80),
    ],
)
def test_rules_see_what_was_paid_for_a_line(rule: object, points: int) -> None:
    assert bought(DISCOUNTED, rule).now.available == points


@pytest.mark.parametrize(
    "rule",
    [
        per_euro("own", lines='line.sku == "a"'),
        flat("own", "event.purchase.lines[0].amount"),
        per_euro("own"),
    ],
)
@pytest.mark.parametrize(
    "purchase",
    [
        receipt("0.00", line("a", "100.00")),
        receipt("0.00", line("a", "100.00"), line("voucher", "-100.00")),
        receipt("0.00", line("a", "100.00"), line("a", "-100.00")),
    ],
)
def test_a_purchase_for_which_nothing_was_paid_earns_nothing_by_money(purchase: Purchase, rule: object) -> None:
    assert bought(purchase, rule).now.available == 0


# Discount lines


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([receipt(None, line("a", "30.00"), line("off", "-10.00")), receipt("30.00")], [25, 0]),
        ([receipt("30.00", line("a", "30.00")), receipt("20.00", line("b", "30.00"), line("off", "-10.00"))], [25, 0]),
        ([receipt("25.00", line("a", "25.00")), receipt("25.00", line("b", "25.00"))], [25, 0]),
        ([receipt("30.00", line("a", "30.00")), receipt("30.00", line("b", "30.00"))], [25, 0]),
        ([receipt("50.00", line("a", "30.00"), line("b", "30.00"), line("off", "-10.00"))], [0]),
        ([receipt("10.00"), receipt("40.00")], [40, 0]),
    ],
)
def test_a_discount_line_lowers_what_was_paid_for_the_others(refunds: list[Purchase], left: list[int]) -> None:
    scenario = bought(receipt(None, line("a", "30.00"), line("b", "30.00"), line("off", "-10.00")))
    assert left_after(scenario, *refunds) == left
    assert is_whole(scenario)


def test_a_discount_line_lowers_its_own_article_or_category_first() -> None:
    sold = receipt(
        None,
        line("a", "30.00", category="TEA"),
        line("b", "30.00", category="MILK"),
        line("a", "-6.00"),
        line("off", "-10.00", category="MILK"),
    )
    rules = [per_euro(sku, lines=f'line.sku == "{sku}"') for sku in ("a", "b")]
    assert {grant.rule: grant.points for grant in bought(sold, *rules).counted["basket"].grants} == {"a": 24, "b": 20}


# Pieces


@pytest.mark.parametrize(
    ("sold", "piece", "pieces", "currency"),
    [
        ("10.00", "3.33", 3, "EUR"),
        ("10.01", "3.34", 3, "EUR"),
        ("10.00", "3.34", 3, "EUR"),
        ("1.00", "0.03", 40, "EUR"),
        ("1.00", "0.02", 40, "EUR"),
        ("0.02", "0.01", 3, "EUR"),
        ("1000", "333", 3, "JPY"),
        ("1001", "334", 3, "JPY"),
        ("10.000", "3.333", 3, "KWD"),
        ("10.001", "3.334", 3, "KWD"),
    ],
)
def test_pieces_may_be_refunded_at_their_rounded_price(sold: str, piece: str, pieces: int, currency: str) -> None:
    rule = per_euro(points="100")
    scenario = bought(receipt(None, line("a", sold, str(pieces)), currency=currency), rule, currency=currency)
    back = receipt(None, line("a", piece), currency=currency)
    for done in range(pieces):
        assert not is_whole(scenario), done
        scenario.refund("2024-03-02 10:00", "basket", back)
    assert (scenario.now.available, is_whole(scenario)) == (0, True)


def test_more_than_the_rounding_of_a_piece_is_refused() -> None:
    scenario = bought(receipt(None, line("a", "10.00", "3")))
    left_after(scenario, receipt(None, line("a", "6.67", "2")))
    assert refused(scenario, receipt(None, line("a", "3.36")))[0] == "refund_exceeds_line"
    assert left_after(scenario, receipt(None, line("a", "3.34"))) == [0]


@pytest.mark.parametrize(
    "last", [receipt("3.34"), receipt("3.34", line("a", "3.34")), receipt("3.33", line("a", "3.33"))]
)
def test_the_last_money_may_come_by_total_or_by_line(last: Purchase) -> None:
    scenario = bought(receipt(None, line("a", "10.00", "3")))
    piece = receipt(None, line("a", "3.33"))
    assert left_after(scenario, piece, piece, last)[-1] == 0
    assert is_whole(scenario)


def test_a_weighed_article_is_refunded_by_weight() -> None:
    scenario = bought(receipt(None, line("a", "13.37", "1.338"), line("b", "5.00")))
    assert left_after(scenario, receipt(None, line("a", "6.68", "0.669"))) == [12]
    assert left_after(scenario, receipt(None, line("a", "6.68", "0.669"))) == [5]


def test_a_free_piece_of_the_same_article_is_found_by_its_price() -> None:
    sold = receipt(None, line("a", "10.00"), line("a", "0.00"), line("b", "5.00"))
    scenario = bought(sold)
    assert left_after(scenario, receipt(None, line("a", "0.00"))) == [15]
    assert [str(share) for share in scenario.counted["basket"].shares_returned] == ["0", "1", "0"]
    assert left_after(scenario, receipt(None, line("a", "10.00")), receipt(None, line("b", "5.00"))) == [5, 0]


def test_two_prices_of_one_article_are_told_apart() -> None:
    scenario = bought(receipt(None, line("a", "10.00"), line("a", "6.00")), per_euro("own", lines="line.amount < 8.0"))
    assert left_after(scenario, receipt(None, line("a", "6.00"))) == [0]
    assert left_after(scenario, receipt(None, line("a", "10.00"))) == [0]
    assert is_whole(scenario)


# Mixtures, and what is too much


def test_money_refunded_by_total_is_not_refunded_again_by_line() -> None:
    scenario = bought(receipt(None, line("a", "50.00", "5")))
    left_after(scenario, receipt("20.00"))
    assert refused(scenario, receipt(None, line("a", "50.00", "5"))) == (
        "refund_exceeds",
        ("purchase", "total"),
        {"left": "30.00"},
    )
    # The goods are all back, and with them the rest of the money.
    assert left_after(scenario, receipt("30.00", line("a", "50.00", "5"))) == [0]
    assert is_whole(scenario)


def test_an_exchange_returns_the_goods_without_money() -> None:
    scenario = bought(receipt(None, line("a", "50.00"), line("b", "20.00")))
    assert left_after(scenario, receipt("0.00", line("a", "50.00"))) == [20]
    scenario.buy("2024-03-03 10:00", receipt("20.00", line("c", "70.00"), line("a", "-50.00")), key="new")
    assert scenario.now.available == 40
    scenario.refund("2024-03-04 10:00", "new")
    assert scenario.now.available == 20


def test_the_money_that_is_left_is_written_in_the_currencys_own_decimals() -> None:
    for currency, left in (("JPY", "500"), ("KWD", "500.000"), ("EUR", "500.00")):
        scenario = bought(receipt("500", currency=currency), currency=currency)
        assert refused(scenario, receipt("501", currency=currency))[2] == {"left": left}


def test_goods_for_which_a_part_was_refunded_by_total_come_back_with_the_rest_of_their_money() -> None:
    scenario = bought(receipt(None, line("a", "50.00"), line("b", "10.00")))
    assert left_after(scenario, receipt("20.00"), receipt("30.00", line("a", "50.00"))) == [40, 7]
    assert not is_whole(scenario)
    assert left_after(scenario, receipt(None, line("b", "10.00"))) == [0]


def test_a_fee_that_the_shop_keeps_does_not_keep_points() -> None:
    scenario = bought(receipt(None, line("a", "50.00"), line("b", "50.00")))
    assert left_after(scenario, receipt("45.00", line("a", "50.00"))) == [50]
    assert left_after(scenario, receipt("55.00")) == [0]
    assert is_whole(scenario)


# Purchases of earlier releases: no part beyond the lines, and no money returned


@pytest.mark.parametrize(
    "rest", [receipt(None, line("a", "50.00")), receipt("50.00"), receipt("50.00", line("a", "45.00")), None]
)
def test_a_delivered_purchase_that_an_earlier_release_refunded_in_part_is_refunded_to_the_end(
    rest: Purchase | None,
) -> None:
    scenario = bought(DELIVERED)
    left_after(scenario, receipt("5.00"))
    new = scenario.counted["basket"]
    grants = tuple(replace(grant, by_line=(grant.points,)) for grant in new.grants)
    old = replace(new, grants=grants, shares_returned=(Fraction(1, 11),), returned=None)
    scenario.counted["basket"] = scenario.supply.events["till/basket"] = old
    assert refused(scenario, receipt("50.01"))[0] == "refund_exceeds"
    scenario.refund("2024-03-05 10:00", "basket", rest)
    assert (scenario.now.available, is_whole(scenario)) == (0, True)
    assert_member_invariants(scenario)


def test_the_share_returned_is_one_of_money_whatever_measured_it() -> None:
    scenario = bought(receipt(None, line("a", "30.00"), line("b", "30.00")), per_euro(points="2"))
    assert left_after(scenario, receipt("20.00")) == [80]
    recorded = scenario.counted["basket"]
    assert [points_reversed(recorded, grant) for grant in recorded.grants] == [40]
    assert share_returned(recorded) == Fraction(1, 3)
    assert left_after(scenario, receipt(None, line("a", "30.00"))) == [20]
    assert share_returned(scenario.counted["basket"]) == Fraction(5, 6)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_article_on_two_lines_is_found_by_what_was_paid_for_each(order: tuple[int, int]) -> None:
    scenario = bought(receipt("0.03", line("c", "0.02"), line("c", "0.02"), line("d", "0.00")), per_euro(points="100"))
    pieces = [receipt(None, line("c", "0.02")), receipt(None, line("c", "0.01"))]
    assert left_after(scenario, *(pieces[place] for place in order))[-1] == 0
    assert is_whole(scenario)
