"""Defaults of input objects are coerced without graphql-core, to the same values."""

from typing import Any

from graphql import parse
from graphql.execution.values import VariableValues, get_variable_values

from gateway.operations.compiler.variables import Variables
from schema.build import executable_schema

RECORD = "mutation ($input: RecordEventInput!) { recordEvent(input: $input) { replayed } }"


def event(**purchase: Any) -> dict[str, Any]:
    """Return an event of a purchase, as JSON."""
    return {
        "input": {
            "key": "k",
            "type": "purchase",
            "member": {"number": "1234567897"},
            "occurredAt": "2026-11-27T10:00:00Z",
            "channel": "STORE",
            "purchase": {"total": "10.00", "currency": "USD", **purchase},
        }
    }


def test_left_out_fields_with_defaults_need_no_graphql_core() -> None:
    schema, [definition] = executable_schema(), parse(RECORD).definitions
    variables = definition.variable_definitions  # type: ignore[attr-defined]
    fast = Variables(schema, variables)
    for sent in (event(), event(lines=[]), event(lines=[{"sku": "a", "amount": "1.00"}]), event(discounts=[])):
        expected = get_variable_values(schema, variables, sent)
        assert isinstance(expected, VariableValues)
        assert fast.coerce(sent) == expected.coerced


def test_default_lists_are_not_shared_between_requests() -> None:
    schema, [definition] = executable_schema(), parse(RECORD).definitions
    fast = Variables(schema, definition.variable_definitions)  # type: ignore[attr-defined]
    first, second = (fast.coerce(event())["input"].purchase.lines for _ in range(2))
    assert first == second == []
    assert first is not second
