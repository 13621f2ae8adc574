"""Scalars: what they take, as a literal and in a variable, what they refuse, and what they write."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLScalarType, Undefined, parse_value, value_from_ast
from hypothesis import given
from hypothesis import strategies as st

from schema.build import executable_schema

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def scalar(name: str) -> GraphQLScalarType:
    kind = executable_schema().type_map[name]
    assert isinstance(kind, GraphQLScalarType)
    return kind


def from_variable(name: str, value: Any) -> Any:
    """Read a value as it comes in the variables of a request."""
    return scalar(name).coerce_input_value(value)


def from_literal(name: str, text: str) -> Any:
    """Read a value as a document writes it; Undefined where it is refused."""
    return value_from_ast(parse_value(text), scalar(name))


def refusal(name: str, value: Any) -> str:
    """Return why a variable is refused."""
    with pytest.raises(GraphQLError) as refused:
        from_variable(name, value)
    return refused.value.message


# DateTime


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T12:00:00Z", NOON),
        ("2026-05-01T12:00:00+00:00", NOON),
        ("2026-05-01T14:00:00+02:00", NOON),
        ("2026-05-01T07:00:00-05:00", NOON),
        ("2026-05-01T17:45:00+05:45", NOON),
        ("2026-05-01T12:00:00.123Z", NOON.replace(microsecond=123_000)),
        # MongoDB keeps milliseconds: what is read back has to be what was decided on.
        ("2026-05-01T12:00:00.123999Z", NOON.replace(microsecond=123_000)),
    ],
)
def test_date_time_is_a_moment_in_utc(text: str, moment: datetime) -> None:
    assert from_variable("DateTime", text) == moment
    assert from_variable("DateTime", text).tzinfo is UTC
    assert from_literal("DateTime", f'"{text}"') == moment


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-05-01T12:00:00", 'DateTime "2026-05-01T12:00:00" has no offset; add one, such as "Z" or "+02:00".'),
        ("2026-05-01", 'DateTime "2026-05-01" has no offset; add one, such as "Z" or "+02:00".'),
        ("2026-02-30T12:00:00Z", 'DateTime "2026-02-30T12:00:00Z" is not RFC 3339'),
        ("yesterday", 'DateTime "yesterday" is not RFC 3339'),
        ("", 'DateTime "" is not RFC 3339'),
        ("x" * 1000, f'DateTime "{"x" * 40}" is not RFC 3339'),
        ("0001-01-01T00:00:00Z", 'DateTime "0001-01-01T00:00:00Z" is not between the years 1970 and 9998.'),
        ("9999-12-31T23:59:59-12:00", 'DateTime "9999-12-31T23:59:59-12:00" is not between the years 1970 and 9998.'),
        (1_777_636_800, 'DateTime is a string such as "2026-05-01T12:00:00+02:00".'),
        (True, 'DateTime is a string such as "2026-05-01T12:00:00+02:00".'),
        ({}, 'DateTime is a string such as "2026-05-01T12:00:00+02:00".'),
    ],
)
def test_date_time_that_is_no_moment_is_refused(value: Any, message: str) -> None:
    assert refusal("DateTime", value).startswith(message)


@pytest.mark.parametrize("literal", ['"2026-05-01T12:00:00"', "1777636800", "true", "[]", "{}", "TODAY"])
def test_literal_that_is_no_date_time_is_refused(literal: str) -> None:
    assert from_literal("DateTime", literal) is Undefined


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_date_time_is_written_as_it_is_read(moment: datetime) -> None:
    written = scalar("DateTime").coerce_output_value(moment)
    assert written.endswith("+00:00")
    assert from_variable("DateTime", written) == moment.astimezone(UTC).replace(
        microsecond=moment.microsecond // 1000 * 1000
    )


def test_date_time_is_written_with_an_offset() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=2)))
    assert scalar("DateTime").coerce_output_value(local) == "2026-05-01T12:00:00+00:00"


# Date


def test_date_is_a_day() -> None:
    assert from_variable("Date", "2026-05-01") == date(2026, 5, 1)
    assert from_literal("Date", '"2026-05-01"') == date(2026, 5, 1)
    assert scalar("Date").coerce_output_value(date(2026, 5, 1)) == "2026-05-01"


@pytest.mark.parametrize("value", ["2026-02-30", "01/05/2026", "", "2026-05-01T12:00:00Z", 20260501, True, None, {}])
def test_what_is_no_day_is_refused(value: Any) -> None:
    assert refusal("Date", value).startswith("Date ")


# Decimal


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12.50", "12.50"),
        ("-0.01", "-0.01"),
        ("1e3", "1E+3"),
        ("0.1", "0.1"),
        (12, "12"),
        (-(10**20), "-100000000000000000000"),
    ],
)
def test_decimal_is_exact(value: Any, number: str) -> None:
    read = from_variable("Decimal", value)
    assert isinstance(read, Decimal)
    assert str(read) == number


@pytest.mark.parametrize(
    ("literal", "number"),
    [('"12.50"', "12.50"), ("12.50", "12.50"), ("12", "12"), ("0.1", "0.1"), ("-1.5e2", "-1.5E+2")],
)
def test_decimal_of_a_document_is_read_digit_by_digit(literal: str, number: str) -> None:
    assert str(from_literal("Decimal", literal)) == number


@pytest.mark.parametrize(
    "value",
    [
        12.5,
        float("nan"),
        float("inf"),
        True,
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e-400",
        "1e31",
        "9" * 41,
        "",
        " ",
        "1,50",
        "1_000",
        " 1",
        "1 ",
        "١٢",
        "twelve",
        "0x10",
        None,
        [],
        {},
    ],
)
def test_decimal_that_is_not_exact_or_not_a_number_is_refused(value: Any) -> None:
    assert refusal("Decimal", value).startswith("Decimal ")


@pytest.mark.parametrize("literal", ['"NaN"', "1e400", "9" * 41, "true", "[]", "{}", "null", "HALF"])
def test_literal_that_is_no_decimal_is_refused(literal: str) -> None:
    assert not isinstance(from_literal("Decimal", literal), Decimal)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_decimal_is_written_as_it_is_read(number: Decimal) -> None:
    written = scalar("Decimal").coerce_output_value(number)
    assert "E" not in written
    assert from_variable("Decimal", written) == number


# BigInt


@pytest.mark.parametrize(
    ("value", "number"), [("12345678901", 12345678901), ("-7", -7), (2**62, 2**62), ("9" * 40, int("9" * 40))]
)
def test_big_int_is_a_whole_number(value: Any, number: int) -> None:
    assert from_variable("BigInt", value) == number
    assert from_literal("BigInt", f'"{value}"') == number
    assert scalar("BigInt").coerce_output_value(number) == str(number)


@pytest.mark.parametrize("value", ["", "-", "--1", "1.0", "1e3", "9" * 41, 1.0, True, None, " 1", "abc", [], {}])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    assert refusal("BigInt", value).startswith("BigInt ")


# JSON


@pytest.mark.parametrize(
    "value", [None, True, 7, -(2**63), 2**63 - 1, 1.5, "text", [], {}, {"a": [1, {"b": None}]}, "\x00"]
)
def test_json_is_taken_and_written_as_it_is(value: Any) -> None:
    assert from_variable("JSON", value) == value
    assert scalar("JSON").coerce_output_value(value) == value


def test_json_of_a_document_is_read_as_it_is_written() -> None:
    read = from_literal("JSON", '{a: 1, b: [1.5, "x", true, null], c: {d: -7}}')
    assert read == {"a": 1, "b": [1.5, "x", True, None], "c": {"d": -7}}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, {"a": 2**63}, [[2**64]], {"a\x00b": 1}, [{"c": {"\x00": 1}}]])
def test_json_that_mongodb_cannot_keep_is_refused(value: Any) -> None:
    assert refusal("JSON", value).startswith("JSON ")


def test_literal_that_mongodb_cannot_keep_is_refused() -> None:
    assert from_literal("JSON", f"{{a: {2**63}}}") is Undefined
    assert from_literal("JSON", f"{{a: {2**63 - 1}}}") == {"a": 2**63 - 1}
