"""Requests that graphql-core refuses are refused by a gateway with the same messages, compiled or not.

The reference is a schema that graphql-core builds from our SDL, without Strawberry, the binding of resolvers and the
compiler, and whose root fields do nothing. docs/library-checks.md lists the checks.
"""

import json
from collections.abc import Mapping
from functools import cache
from itertools import count
from typing import Any

import pytest
from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from support.clients.api import ApiMember
from support.servers.gateway import GatewayProcess, next_message

from schema.build import executable_schema, sdl

REACHED = "the field was reached"
_ids = count(1)


@cache
def reference() -> GraphQLSchema:
    """Return the served schema as graphql-core builds it from text, with our scalars; its root fields raise REACHED."""
    schema = build_schema(sdl())
    for name, kind in schema.type_map.items():
        served = executable_schema().type_map[name]
        if isinstance(kind, GraphQLScalarType) and isinstance(served, GraphQLScalarType):
            kind.coerce_input_value = served.coerce_input_value
            kind.coerce_input_literal = served.coerce_input_literal
            kind.parse_literal = served.parse_literal  # type: ignore[method-assign]
            kind.parse_value = served.parse_value  # type: ignore[method-assign]

    def reached(_source: object, _info: object, **_arguments: object) -> None:
        raise GraphQLError(REACHED)

    for root in (schema.query_type, schema.mutation_type):
        assert isinstance(root, GraphQLObjectType)
        for field in root.fields.values():
            field.resolve = reached
    return schema


def expected(query: str, variables: Mapping[str, Any] | None = None) -> list[str]:
    """Return the messages with which graphql-core refuses a request; empty if it calls the root fields."""
    document = parse(query)
    errors = validate(reference(), document)
    if not errors:
        errors = list(execute_sync(reference(), document, variable_values=dict(variables or {})).errors or [])
    return sorted(error.message for error in errors if error.message != REACHED)


async def answered(gateway: GatewayProcess, token: str, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Send an operation over HTTP, and return the whole answer."""
    return await gateway.ask(token, query, **variables)


async def answered_on_socket(
    gateway: GatewayProcess, token: str, query: str, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Send an operation over WebSocket, and return its answer."""
    async with gateway.socket(token) as socket:
        payload = {"query": query, "variables": variables}
        await socket.send(json.dumps({"type": "subscribe", "id": str(next(_ids)), "payload": payload}))
        message = await next_message(socket)
        if message["type"] == "error":
            return {"errors": message["payload"]}
        found: dict[str, Any] = message["payload"]
        return found


def messages(answer: Mapping[str, Any]) -> list[str]:
    """Return the messages of an answer's errors, which the caller's input caused."""
    errors = answer.get("errors", [])
    assert all(error["extensions"]["code"] == "BAD_USER_INPUT" for error in errors), errors
    return sorted(error["message"] for error in errors)


# Exactly one key of an input type with @oneOf

BY = "query ($by: MemberKey!) { member(by: $by) { number } }"
EVENT = "mutation ($input: RecordEventInput!) { recordEvent(input: $input) { member { number } } }"
EVENTS = "mutation ($input: [RecordEventInput!]!) { recordEvents(input: $input) { member { number } } }"
PURCHASE = {
    "key": "one-of",
    "type": "purchase",
    "occurredAt": "2026-06-01T10:00:00Z",
    "channel": "STORE",
    "purchase": {"total": "10.00", "currency": "USD"},
}
LITERAL = (
    '{ key: "one-of", type: "purchase", occurredAt: "2026-06-01T10:00:00Z", channel: STORE, '
    'purchase: {total: "10.00", currency: "USD"}, member: %s }'
)
NOT_ONE: list[dict[str, Any]] = [
    {},
    {"number": "1", "card": "2"},
    {"number": "1", "card": None},
    {"number": None},
    {"number": None, "card": None},
    {"number": "1", "unknown": "2"},
    {"id": "x", "number": "1", "card": "2", "email": "a@example.org", "phone": "+33"},
]


def not_one_requests() -> list[tuple[str, dict[str, Any]]]:
    """Return requests whose input names no key, several keys, or null: as variables, literals, and mixtures."""
    found: list[tuple[str, dict[str, Any]]] = []
    for by in NOT_ONE:
        literal = "{" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in by.items()) + "}"
        found += [
            (BY, {"by": by}),
            (f"{{ member(by: {literal}) {{ number }} }}", {}),
            (EVENT, {"input": {**PURCHASE, "member": by}}),
            (f"mutation {{ recordEvent(input: {LITERAL % literal}) {{ replayed }} }}", {}),
            (EVENTS, {"input": [{**PURCHASE, "member": by}]}),
            (f"mutation {{ recordEvents(input: [{LITERAL % literal}]) {{ replayed }} }}", {}),
            (f"mutation {{ previewEvent(input: {LITERAL % literal}) {{ replayed }} }}", {}),
            ("query ($by: [MemberKey!]!) { member(by: $by) { number } }", {"by": [by]}),
        ]
    in_fields = [
        ("($a: String!)", "{number: $a, card: $a}", {"a": "1"}),
        ("($a: String!)", '{number: $a, card: "2"}', {"a": "1"}),
        ("($a: String!)", '{number: "1", card: $a}', {"a": "2"}),
        ('($a: String! = "1")', "{number: $a, id: null}", {}),
        ("($a: String!)", "{number: $a, number: $a}", {"a": "1"}),
    ]
    for declared, literal, variables in in_fields:
        found += [
            (f"query {declared} {{ member(by: {literal}) {{ number }} }}", variables),
            (f"mutation {declared} {{ recordEvent(input: {LITERAL % literal}) {{ replayed }} }}", variables),
            (f"mutation {declared} {{ recordEvents(input: [{LITERAL % literal}]) {{ replayed }} }}", variables),
        ]
    return found


async def test_member_key_with_not_exactly_one_key_is_refused_as_by_graphql_core(api_member: ApiMember) -> None:
    gateway, before = api_member.gateway, await api_member.state()
    agent = gateway.token("agent")
    for query, variables in not_one_requests():
        refused = messages(await answered(gateway, agent, query, variables))
        assert refused == expected(query, variables) != [], (query, variables)
        again = messages(await answered(gateway, agent, query, variables))  # cached
        assert again == refused
    for query, variables in not_one_requests()[::7]:
        assert messages(await answered_on_socket(gateway, agent, query, variables)) == expected(query, variables)
    assert await api_member.state() == before


async def test_two_members_named_at_once_get_neither_answer_nor_purchase(api_member: ApiMember) -> None:
    gateway, before = api_member.gateway, await api_member.state()
    both = {"number": api_member.number, "id": api_member.id}
    for token in (gateway.token("till"), gateway.token("agent"), gateway.token("service")):
        for query, variables in (
            (BY, {"by": both}),
            (EVENT, {"input": {**PURCHASE, "member": both}}),
            (EVENTS, {"input": [{**PURCHASE, "member": both}]}),
        ):
            answer = await answered(gateway, token, query, variables)
            assert answer.get("data") is None
            assert messages(answer) == expected(query, variables) != []
    assert await api_member.state() == before


@pytest.mark.parametrize("declared", ["String", 'String = "1"'])
@pytest.mark.parametrize("variables", [{"a": "1"}, {"a": None}, {}])
async def test_nullable_variable_is_no_key_of_a_member(
    development_gateway: GatewayProcess, declared: str, variables: dict[str, Any]
) -> None:
    """graphql-core overlooks it, because the type of the position is non-null (`MemberKey!`)."""
    message = (
        "Variable '$a' is of type 'String' but must be non-nullable to be used for OneOf Input Object 'MemberKey'."
    )
    event = LITERAL % "{number: $a}"
    for query in (
        f"query ($a: {declared}) {{ member(by: {{number: $a}}) {{ number }} }}",
        f"query ($a: {declared}) {{ ...Found }} fragment Found on Query {{ member(by: {{number: $a}}) {{ number }} }}",
        f"fragment Found on Query {{ member(by: {{number: $a}}) {{ number }} }} query ($a: {declared}) {{ ...Found }}",
        f"mutation ($a: {declared}) {{ recordEvent(input: {event}) {{ replayed }} }}",
        f"mutation ($a: {declared}) {{ recordEvents(input: [{event}]) {{ replayed }} }}",
    ):
        answer = await answered(development_gateway, development_gateway.token("agent"), query, variables)
        assert messages(answer) == [message]


async def test_subscription_by_two_keys_is_refused(api_member: ApiMember) -> None:
    query = "subscription ($by: MemberKey) { memberChanged(by: $by) { version } }"
    variables = {"by": {"number": api_member.number, "id": api_member.id}}
    answer = await answered_on_socket(api_member.gateway, api_member.gateway.token("agent"), query, variables)
    assert messages(answer) == expected(query, variables) != []
