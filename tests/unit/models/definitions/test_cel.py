from typing import Any

import pytest

from loyalty.model.expression import ExpressionError
from models.definitions.cel import FAULT_LENGTH_MAX, CelExpression, CelLineCondition, InvalidExpression

VARIABLES: dict[str, Any] = {
    "event": {
        "purchase": {"lines": [{"sku": "a", "amount": 2.0}, {"sku": "b", "amount": 5.0}]},
        "attributes": {"cups": 3},
    },
    "member": {"rank": 1},
    "earned": 7,
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("earned / 2", 3),
        ("event.attributes.cups * 2", 6),
        ("member.rank > 0", True),
        ("has(event.attributes.size)", False),
        ("event.purchase.lines.exists(one, one.amount > 4.0)", True),
        ("event.purchase.lines.filter(one, one.sku == 'a').map(one, one.amount)", [2.0]),
        ("event.purchase.lines.all( one, event.purchase.lines.exists_one(other, other.sku == one.sku))", True),
        ("earned // twice that would be too much", 7),
    ],
)
def test_an_expression_over_the_event_has_a_value(source: str, value: object) -> None:
    expression = CelExpression.over_event(source)
    assert expression.evaluate(VARIABLES) == value
    assert expression.source == source


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("line.amount > 4.0", [False, True]),
        ("line.amount > double(member.rank) * 4.0 || earned == 7", [True, True]),
        ("line.sku == 'b' // the second", [False, True]),
        ("event.purchase.lines.exists(one, one.amount > line.amount)", [True, False]),
    ],
)
def test_a_condition_over_lines_has_a_value_for_each(source: str, value: list[bool]) -> None:
    assert CelLineCondition(source).evaluate(VARIABLES) == value


@pytest.mark.parametrize("source", ["", "earned >", "1 +* 2", "(earned", "earned)", "line.amount >"])
def test_parse_error_is_one_line(source: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        CelExpression.over_event(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "unknown"),
    [
        ("earnd / 2", "earnd"),
        ("line.amount > 1.0", "line"),
        ("purchase.total > 1.0", "purchase"),
        ("event.purchase.lines.exists(one, one.amount > limit)", "limit"),
        ("event.purchase.lines.map(one, other.amount)", "other"),
    ],
)
def test_a_name_that_rules_do_not_see_is_refused(source: str, unknown: str) -> None:
    with pytest.raises(InvalidExpression, match=f"unknown variable '{unknown}'; use event, member, earned"):
        CelExpression.over_event(source)


@pytest.mark.parametrize("source", ["line.amount > limit", "event.purchase.lines.exists(one, one.amount > limit)"])
def test_a_name_that_lines_do_not_see_is_refused(source: str) -> None:
    with pytest.raises(InvalidExpression, match="unknown variable 'limit'; use event, member, earned, line"):
        CelLineCondition(source)


@pytest.mark.parametrize("source", ["true) || (true", "true))]"])
def test_a_condition_over_lines_cannot_leave_its_brackets(source: str) -> None:
    with pytest.raises(InvalidExpression):
        CelLineCondition(source)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("event.attributes.size", "unknown name 'size'"),
        ("event.attributes.cups > 'a'", "No such overload"),
        ("earned / 0", "division by zero"),
        ("earned + 9223372036854775807", "overflow"),
        ("[1][earned]", "out of bounds"),
        ("'a'.matches('(')", "not a valid regex"),
        ("timestamp('soon')", "timestamp"),
    ],
)
def test_evaluation_fault_is_one_bounded_line(source: str, fault: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        CelExpression.over_event(source).evaluate(VARIABLES)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= FAULT_LENGTH_MAX
