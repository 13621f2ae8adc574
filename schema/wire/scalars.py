"""The scalars of the contract, without loss of precision; errors say what is expected."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NewType

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode, value_from_ast_untyped
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from schema.wire.json_levels import LEVELS_MAX, deeper_than

BigInt = NewType("BigInt", int)
BIG_INT_DIGITS_MAX = 40
DECIMAL = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,4})?", re.ASCII)
# The form of most decimals, within every limit: a fast path, because a receipt has dozens.
AMOUNT = re.compile(r"-?\d{1,12}(\.\d{1,6})?", re.ASCII)
YEAR_MIN, YEAR_MAX = 1970, 9998
DECIMAL_CHARACTERS_MAX = 40
DECIMAL_EXPONENT_MAX = 30
JSON_INTEGERS = range(-(2**63), 2**63)


def parse_date_time(value: Any) -> datetime:
    """Return a moment in UTC, in whole milliseconds, as MongoDB stores it."""
    if not isinstance(value, str):
        raise GraphQLError('DateTime is a string such as "2026-05-01T12:00:00+02:00".')
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise GraphQLError(f'DateTime "{value[:40]}" is not RFC 3339, such as "2026-05-01T12:00:00+02:00".') from None
    if moment.tzinfo is None:
        raise GraphQLError(f'DateTime "{value[:40]}" has no offset; add one, such as "Z" or "+02:00".')
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise GraphQLError(f'DateTime "{value[:40]}" is not between the years {YEAR_MIN} and {YEAR_MAX}.')
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def serialize_date_time(value: datetime | str) -> str:
    """Return a moment as text in UTC, with its offset. A string was stored in this form and is returned as it is."""
    if isinstance(value, str):
        return value
    return value.isoformat() if value.tzinfo is UTC else value.astimezone(UTC).isoformat()


def parse_date(value: Any) -> date:
    """Return a day."""
    if not isinstance(value, str):
        raise GraphQLError('Date is a string such as "2026-05-01".')
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise GraphQLError(f'Date "{value[:40]}" is not ISO 8601, such as "2026-05-01".') from None


def parse_decimal(value: Any) -> Decimal:
    """Return a decimal number; a float is refused, because it has already lost the exact amount."""
    if value.__class__ is str and AMOUNT.fullmatch(value):
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise GraphQLError('Decimal is a number in a string such as "12.50": money never goes through a float.')
    text = str(value)
    if len(text) > DECIMAL_CHARACTERS_MAX:
        raise GraphQLError(f"Decimal has more than {DECIMAL_CHARACTERS_MAX} characters.")
    # Python itself accepts "1_000", " 1" and the digits of every script.
    number = Decimal(text) if DECIMAL.fullmatch(text) else Decimal("NaN")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > DECIMAL_EXPONENT_MAX:
        raise GraphQLError(f'Decimal "{text}" is not a number such as "12.50".')
    return number


def parse_decimal_literal(node: ValueNode, _variables: Any = None) -> Decimal:
    """Return the decimal number of a literal, without loss of digits."""
    if isinstance(node, StringValueNode | IntValueNode | FloatValueNode):
        return parse_decimal(node.value)
    raise GraphQLError('Decimal is a number in a string such as "12.50".')


def serialize_decimal(value: Decimal) -> str:
    """Return a decimal number as text, without an exponent."""
    return format(value, "f")


def parse_big_int(value: Any) -> int:
    """Return a whole number of any size."""
    text = str(value) if isinstance(value, str | int) else ""
    if isinstance(value, bool) or len(text) > BIG_INT_DIGITS_MAX or not text.removeprefix("-").isdecimal():
        raise GraphQLError('BigInt is a whole number in a string such as "12345678901".')
    return int(text)


def parse_json(value: Any) -> Any:
    """Return a JSON value as it was sent; refuse one that MongoDB cannot store unchanged."""
    if deeper_than(LEVELS_MAX, value):
        raise GraphQLError(f"JSON is nested in more than {LEVELS_MAX} levels.")
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if any("\0" in name for name in part):
                raise GraphQLError("JSON holds a name with a NUL character.")
            pending += part.values()
        elif isinstance(part, list):
            pending += part
        elif isinstance(part, int) and part not in JSON_INTEGERS:
            raise GraphQLError("JSON holds a whole number of more than 64 bits; send it as a string.")
    return value


def parse_json_literal(node: ValueNode, variables: Any = None) -> Any:
    """Return the JSON value of a literal."""
    return parse_json(value_from_ast_untyped(node, variables))


def _unchanged(value: Any) -> Any:
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="Moment as an RFC 3339 string with an offset, such as `2026-05-01T12:00:00+02:00`, between the "
        f"years {YEAR_MIN} and {YEAR_MAX}. Responses are in UTC; input is cut to whole milliseconds.",
        serialize=serialize_date_time,
        parse_value=parse_date_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="Calendar day as an ISO 8601 string, such as `2026-05-01`.",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="Exact decimal number as a string, such as `12.50`, because floats lose cents. Up to "
        f"{DECIMAL_CHARACTERS_MAX} characters.",
        serialize=serialize_decimal,
        parse_value=parse_decimal,
        parse_literal=parse_decimal_literal,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description=f"Whole number of any size as a string, such as `12345678901`: up to {BIG_INT_DIGITS_MAX} digits.",
        serialize=str,
        parse_value=parse_big_int,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value. Whole numbers of more than 64 bits are refused; send them as strings.",
        serialize=_unchanged,
        parse_value=parse_json,
        parse_literal=parse_json_literal,
    ),
}
