"""Expressions are checked in every branch before any event; what passes does not fail for a reason of its own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.model.expression import ExpressionError
from models.definitions.cel import CelExpression, InvalidExpression
from models.definitions.cel_check import CONDITION, FORMULA, KindError, require_kinds
from models.definitions.cel_kinds import kind_of

LINE = {"sku": "a", "amount": 2.0, "quantity": 1.0}
SAMPLE: dict[str, Any] = {
    "event": {"type": "purchase", "hour": 12, "attributes": {}, "purchase": {"total": 5.0, "lines": [LINE]}},
    "member": {"rank": 1, "tier": "gold", "birthday": False, "events": {"purchase": 3, "own-cup": 1}},
    "earned": 7,
}
KINDS = {name: kind_of(value) for name, value in SAMPLE.items()}


@pytest.mark.parametrize(
    "source",
    [
        "member.rank > 0",
        "member.birthday",
        "!member.birthday && member.rank >= 1 || event.type == 'purchase'",
        "member.events['own-cup'] >= 5 // the fifth",
        "event.purchase.lines.exists(x, x.amount > 1.0 && event.purchase.lines.exists_one(y, y.sku == x.sku))",
        "event.purchase.lines.all(x, x.sku.startsWith('a') || x.sku.matches('^b'))",
        "event.purchase.lines.filter(x, x.amount > 1.0).size() > 0",
        "event.purchase.lines.map(x, x.amount > 0.0, x.amount)[0] > double(member.rank)",
        "has(event.attributes.size) && event.attributes.size > 40",
        "has(event.attributes.a.b)",
        "event.attributes['fare'] in ['eco', 'flex']",
        "event['hour'] in [1, 2, 3,]",
        "'purchase' in member.events",
        'size(event.type) == 8 && r"a\\d" != """b"""',
        "(member.rank > 0 ? 1.5 : 1.0) * event.purchase.total > 1e3",
        "type(earned) == int && earned != 0x1F && 1u < 2u",
        "timestamp('2026-01-01T00:00:00Z').getFullYear() == 2026",
        "duration('1h') + duration('2h') > duration('30m')",
        "{'gold': 1}[member.tier] > 0 && dyn(earned) > 1.5",
        "null == event.attributes.size",
        "event['''hour'''] == event[r'hour'] || event['ho\\x75r'] == 1",
        "br'a' == b'a' && bR'a' != B'b' && r'b' == 'b'",
    ],
)
def test_a_condition_that_can_be_evaluated_passes(source: str) -> None:
    CelExpression(source)
    require_kinds(source, KINDS, CONDITION)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("bonus(event)", "unknown function 'bonus'; use bytes,"),
        ("member.birthday || bonus(event)", "unknown function 'bonus'"),
        ("event.purchase.lines.sum(x, x.amount) > 1.0", "unknown function 'sum'; use all,"),
        ("event.type.upperAscii() == 'A'", "unknown function 'upperAscii'"),
        ("max(1, 2) > 1", "unknown function 'max'"),
        ("size() > 1", "size() takes 1 argument, and gets 0"),
        ("event.type.startsWith()", "startsWith() takes 1 arguments, and gets 0"),
        ("event.type.startsWith(1)", "startsWith() does not accept int, only string"),
        ("size(member.rank) > 1", "size() does not accept int"),
        ("int(member.birthday) > 1", "int() does not accept bool"),
        ("event.type == 'purchase' || member.rang > 1", "unknown name 'rang'; use birthday,"),
        ("member.events['own-cups'] >= 5", "unknown name 'own-cups'; use own-cup, purchase"),
        ("member.rank > 0 ? event.shop == 'a' : true", "unknown name 'shop'"),
        ("event.type.length > 1", "string has no field 'length'"),
        ("has(event.type.length)", "string has no field 'length'"),
        ("event.type[0] == 'a'", "string has no index of int"),
        ("event.purchase.lines['a'] == 1", "list has no index of string"),
        ("event.purchase.lines.exists(x, x.amount > 1.0) && x.amount > 2.0", "unknown variable 'x'; use event, member"),
        ("limit > 1", "unknown variable 'limit'; use event, member, earned"),
        ("event.purchase.lines.exists(x, x.amount)", "'exists()' needs true or false, and gets double"),
        ("member.tier.exists(x, x > 1)", "exists() does not accept string, only list and map"),
        ("event.purchase.lines.exists(x > 1)", "exists() takes a name and an expression"),
        ("member.birthday || member.rank", "'||' needs true or false, and gets int"),
        ("!member.rank", "'!' needs true or false, and gets int"),
        ("-event.type == 1", "'-' does not accept string"),
        ("event.purchase.total * 2 > 1.0", "'*' does not accept double and int; convert one"),
        (
            "member.birthday || event.purchase.total * (earned > 1 ? 1.5 : 1) > 1.0",
            "'*' does not accept double and int",
        ),
        ("member.rank == 'gold'", "'==' does not accept int and string"),
        ("1 in member.tier", "'in' does not accept int and string"),
        ("1 in ['a']", "'in' does not accept int and list"),
        ("member.rank", "results in int; write a comparison"),
        ("member.birthday ? true : 1", "results in int; write a comparison"),
        ("Point{x: 1} == 1", "unknown variable 'Point'"),
    ],
)
def test_a_fault_is_found_in_whatever_branch_it_is(source: str, message: str) -> None:
    with pytest.raises(KindError) as caught:
        require_kinds(source, KINDS, CONDITION)
    assert message in str(caught.value)


@pytest.mark.parametrize("source", ["earned / 2", "event.purchase.total * 1.5", "event.attributes.km", "1u", "2"])
def test_a_formula_is_a_number(source: str) -> None:
    require_kinds(source, KINDS, FORMULA)


@pytest.mark.parametrize("source", ["event.type", "earned > 1", "[1]", "earned > 1 ? 'a' : 'b'", "null"])
def test_a_formula_that_is_no_number_is_refused(source: str) -> None:
    with pytest.raises(KindError, match="write a number of points"):
        require_kinds(source, KINDS, FORMULA)


LITERALS = ["1", "2.5", "3u", "true", "null", "'a'", "b'a'", "[1]", "['a']", "{'a':1}"]
NAMES = ["earned", "member.rank", "member.tier", "member.birthday", "member.events", "event.purchase.lines"]
MOMENTS = ["duration('1h')", "timestamp('2026-01-01T00:00:00Z')"]
OPERATORS = ["+", "-", "*", "/", "%", "<", ">=", "==", "!=", "in", "&&", "||"]
OF_KINDS = ("Undefined", "overload", "Unexpected type", "Unsupported operation")
FUNCTIONS = ["size", "int", "double", "uint", "string", "bytes", "timestamp", "duration", "type"]


def _composed(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    methods = st.sampled_from(["size()", "startsWith('a')", "contains(member.tier)", "getHours()", "getMonth()"])
    macros = st.sampled_from(["all(x, true)", "exists(x, x == x)", "map(x, x)", "filter(x, true)"])
    return st.one_of(
        st.tuples(parts, st.sampled_from(OPERATORS), parts).map(lambda found: f"({' '.join(found)})"),
        st.tuples(st.sampled_from(FUNCTIONS), parts).map(lambda found: f"{found[0]}({found[1]})"),
        st.tuples(parts, st.one_of(methods, macros)).map(lambda found: f"({found[0]}).{found[1]}"),
        st.tuples(parts, parts, parts).map(lambda found: "({} ? {} : {})".format(*found)),
        parts.map(lambda found: f"!({found})"),
        st.tuples(parts, parts).map(lambda found: "({})[{}]".format(*found)),
    )


@given(source=st.recursive(st.sampled_from(LITERALS + NAMES + MOMENTS), _composed, max_leaves=4))
@property_settings(1000)
def test_an_expression_without_fault_never_fails_for_its_names_or_kinds(source: str) -> None:
    """The evaluator is the judge: what the check accepts fails only for values, such as a division by zero."""
    try:
        require_kinds(source, KINDS, CONDITION)
    except KindError:
        return
    try:
        result = CelExpression(source).evaluate(SAMPLE)
    except InvalidExpression:
        return
    except ExpressionError as error:
        fault = str(error)
        assert not any(kind in fault for kind in OF_KINDS), source
    else:
        assert isinstance(result, bool)
