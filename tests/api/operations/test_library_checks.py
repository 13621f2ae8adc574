"""Requests that graphql-core refuses are refused by a gateway with the same messages, compiled or not.

The reference is a schema that graphql-core builds from our SDL, without Strawberry, the binding of resolvers and the
compiler, and whose root fields do nothing. docs/library-checks.md lists the checks.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
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
from support.servers.command_line import run_carillon
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


# Values, selections, directives, fragments, operations: the same messages as graphql-core's

ITEM = "query ($id: ID!) { node(id: $id) { id } }"
FIRST = "query ($first: Int) { rewards(first: $first) { edges { cursor } } }"
STATES = "query ($states: [OfferState!]) { me { offers(states: $states) { edges { cursor } } } }"
BATCH = "mutation ($input: [RecordEventInput!]!) { recordEvents(input: $input) { replayed } }"
SKIP = "query ($on: Boolean!) { programme { name @skip(if: $on) } }"
BOUGHT = {**PURCHASE, "member": {"number": "1"}}
# Of each kind, the values of a variable; whole inputs are events.
INTS: list[Any] = [2**31, -(2**31) - 1, 1.5, 1.0, "1", True, [1], {}, 10**15]
IDS: list[Any] = [1.5, True, ["a"], {"a": 1}, None]
TEXTS: list[Any] = [1, 1.5, True, ["1"], {"a": 1}]
# One value is a list of one.
ENUMS: list[Any] = [["NEVER"], "NEVER", [None], ["AVAILABLE", None], 1, [[]], "AVAILABLE", None]
BOOLEANS: list[Any] = [None, "true", 1, []]
INPUTS: list[Any] = [
    None,
    [],
    "text",
    {},
    {**BOUGHT, "colour": "red"},
    {**BOUGHT, "member": None},
    {**BOUGHT, "channel": "RADIO"},
    {**BOUGHT, "purchase": {"total": "1", "currency": "USD", "lines": [None]}},
    {**BOUGHT, "purchase": {"total": "1", "currency": "USD", "lines": None}},
    {**BOUGHT, "purchase": {"total": "1", "currency": "USD", "discounts": [{}]}},
]
MOMENTS: list[Any] = ["yesterday", "2026-06-01", "2026-06-01T10:00:00", 5, None, "9999-12-31T23:59:59Z"]
DECIMALS: list[Any] = ["x", 1.5, True, "NaN", "1e99", "1_000", None, []]
VALUES: list[tuple[str, dict[str, Any]]] = [
    *((FIRST, {"first": value}) for value in INTS),
    *((ITEM, {"id": value}) for value in IDS),
    *((BY, {"by": {"number": value}}) for value in TEXTS),
    *((STATES, {"states": value}) for value in ENUMS),
    *((SKIP, {"on": value}) for value in BOOLEANS),
    *((EVENT, {"input": value}) for value in INPUTS),
    *((BATCH, {"input": value}) for value in (None, [None])),
    *((EVENT, {"input": {**BOUGHT, "occurredAt": value}}) for value in MOMENTS),
    *((EVENT, {"input": {**BOUGHT, "purchase": {"total": value, "currency": "USD"}}}) for value in DECIMALS),
    # The same as literals
    *(
        (f"{{ rewards(first: {text}) {{ __typename }} }}", {})
        for text in ("2147483648", "1.5", '"1"', "true", "[1, 2]")
    ),
    *((f"{{ node(id: {text}) {{ id }} }}", {}) for text in ("1.5", "true", "null", "A")),
    *((f"{{ me {{ offers(states: {text}) {{ __typename }} }} }}", {}) for text in ('["AVAILABLE"]', "NEVER", "[null]")),
]
NUMBER = '{number: "1"}'
DOCUMENTS = [
    # Fields, leaves, arguments
    "{ nothing }",
    "{ me }",
    "{ programme { name { first } } }",
    "{ rewards(colour: 1) { edges { cursor } } }",
    "{ node { id } }",
    '{ node(id: "a", id: "b") { id } }',
    "{ programme { name: key name } }",
    f"mutation {{ recordEvent(input: {LITERAL % '{number: 1}'}) {{ replayed }} }}",
    f"mutation {{ previewEvent(input: {(LITERAL % NUMBER)[:-2]}, attributes: {{a: {2**70}}} }}) {{ replayed }} }}",
    'mutation { enrol(input: {key: "a", key: "b", channel: STORE}) { replayed } }',
    # Variables
    "query ($id: ID) { node(id: $id) { id } }",
    "query ($id: ID!, $id: ID!) { node(id: $id) { id } }",
    "query ($id: String!) { node(id: $id) { id } }",
    "query ($unused: Int) { programme { name } }",
    "{ node(id: $id) { id } }",
    "query ($by: Member!) { member(by: $by) { number } }",
    "query ($by: Nothing!) { member(by: $by) { number } }",
    'query ($by: MemberKey! = {number: "1", card: "2"}) { member(by: $by) { number } }',
    "query ($by: MemberKey! = {}) { member(by: $by) { number } }",
    "query ($first: Int = 1.5) { rewards(first: $first) { edges { cursor } } }",
    "query ($states: [OfferState]) { me { offers(states: $states) { edges { cursor } } } }",
    "query ($state: OfferState) { me { offers(states: [$state]) { edges { cursor } } } }",
    # Directives
    "{ programme { name @skip } }",
    "{ programme { name @include(if: null) } }",
    "{ programme { name @skip(if: 1) } }",
    "{ programme { name @skip(if: true) @skip(if: true) } }",
    "{ programme { name @unknown } }",
    "query @skip(if: true) { programme { name } }",
    "{ programme { name @oneOf } }",
    # Fragments
    "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "{ ...A } fragment A on Query { programme { name } ...A }",
    "{ ...Missing }",
    "{ programme { name } } fragment Unused on Query { programme { name } }",
    "{ ...A } fragment A on String { length }",
    "{ ...A } fragment A on Nothing { name }",
    "{ ...A } fragment A on Member { number }",
    "{ ...A } fragment A on Query { programme { name } } fragment A on Query { programme { key } }",
    "{ ... on Reward { key } }",
    # Operations and definitions
    "query A { programme { name } } query A { programme { name } }",
    "{ programme { name } } query A { programme { name } }",
    "type Extra { name: String } { programme { name } }",
    'subscription { memberChanged { version } contentChanged(key: "a") { title } }',
    "subscription { ...A } fragment A on Subscription { memberChanged { version } other: memberChanged { version } }",
    "subscription { __typename }",
]


def invalid_requests() -> list[tuple[str, dict[str, Any]]]:
    """Return requests of every kind, most of which graphql-core refuses."""
    return [*VALUES, *((text, {}) for text in DOCUMENTS)]


async def test_what_graphql_core_refuses_is_refused_over_http_with_its_messages(
    development_gateway: GatewayProcess,
) -> None:
    gateway, agent = development_gateway, development_gateway.token("agent")
    refused = 0
    for query, variables in invalid_requests():
        found = messages(await answered(gateway, agent, query, variables))
        assert found == expected(query, variables), (query, variables)
        refused += bool(found)
    assert refused > len(invalid_requests()) * 0.9


async def test_what_graphql_core_refuses_is_refused_on_a_socket_with_its_messages(
    development_gateway: GatewayProcess,
) -> None:
    gateway, agent = development_gateway, development_gateway.token("agent")
    async with gateway.socket(agent) as socket:
        for query, variables in invalid_requests():
            wanted = expected(query, variables)
            if not wanted:
                continue
            payload = {"query": query, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": str(next(_ids)), "payload": payload}))
            message = await next_message(socket)
            found = {"errors": message["payload"]} if message["type"] == "error" else message["payload"]
            assert messages(found) == wanted, (query, variables)
            if message["type"] == "next":
                assert (await next_message(socket))["type"] == "complete"


STRANGE: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**40,
    "",
    "x",
    "STORE",
    "1.50",
    [],
    [None],
    {},
    {"number": "1"},
    {"a": [1]},
]


async def test_random_inputs_are_coerced_as_by_graphql_core(development_gateway: GatewayProcess) -> None:
    """Fields are left out, replaced by values of other kinds and added; half of them in a batch."""
    gateway, agent, random = development_gateway, development_gateway.token("agent"), Random(7)  # noqa: S311
    whole = {**PURCHASE, "member": {"number": "1"}, "attributes": {"a": 1}, "store": "s", "refundOf": None}
    whole["purchase"] = {"total": "1", "currency": "USD", "lines": [{"sku": "a", "amount": "1", "quantity": "2"}]}
    refused = 0
    for turn in range(150):
        event: dict[str, Any] = deepcopy(whole)
        for _ in range(random.randint(0, 2)):
            place = random.choice([event, *(part for part in (event.get("purchase"), event.get("member")) if part)])
            if not isinstance(place, dict):
                continue
            name = random.choice([*place, "extra"])
            if random.random() < 0.3:
                place.pop(name, None)
            else:
                place[name] = random.choice(STRANGE)
        preview = EVENT.replace("recordEvent(", "previewEvent(")
        query, variables = (preview, {"input": event}) if turn % 2 else (BATCH, {"input": [event, event]})
        found = messages(await answered(gateway, agent, query, variables))
        assert found == expected(query, variables), (query, variables)
        refused += bool(found)
    assert 30 < refused < 140


# What Starlette would check: methods, content types, encodings of the body


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("PUT", {}, b"{}", 405),
        ("DELETE", {}, b"", 405),
        ("PATCH", {}, b"{}", 405),
        ("POST", {"content-type": "text/plain"}, b'{"query": "{ __typename }"}', 415),
        ("POST", {"content-type": "application/x-www-form-urlencoded"}, b"query={__typename}", 415),
        ("POST", {"content-type": "multipart/form-data; boundary=x"}, b"--x--", 415),
        ("POST", {}, b'{"query": "{ __typename }"}', 415),
        ("POST", {"content-type": "application/json", "content-encoding": "gzip"}, b"\x1f\x8b\x08\x00", 400),
        ("POST", {"content-type": "application/json"}, '{"query": "{ __typename }"}'.encode("utf-16"), 400),
        ("POST", {"content-type": "application/json"}, b"\xff\xfe", 400),
        ("POST", {"content-type": "application/json"}, b'{"query": "\\ud800"}', 400),
        ("POST", {"content-type": "application/json"}, b'{"query": "{ __typename }"} trailing', 400),
        ("POST", {"content-type": "application/json"}, b'{"query": NaN}', 400),
        ("POST", {"content-type": "application/json"}, b'{"query": "{ __typename }", "variables": []}', 400),
        ("POST", {"content-type": "application/json"}, b'{"query": "{ __typename }", "operationName": 1}', 400),
        ("POST", {"content-type": "application/json"}, b'[{"query": "{ __typename }"}]', 400),
        ("POST", {"content-type": "application/json"}, b'"{ __typename }"', 400),
        ("POST", {"content-type": "application/json", "accept": "text/csv"}, b'{"query": "{ __typename }"}', 406),
    ],
)
async def test_request_that_is_no_graphql_request_is_refused(
    development_gateway: GatewayProcess, method: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with development_gateway.client() as client:
        answer = await client.request(method, "/graphql", content=body, headers=headers)
        assert answer.status_code == status
        if status != 405:  # which Starlette's router answers
            assert answer.json()["errors"]
        fine = await client.post(
            "/graphql",
            content=b'{"query": "{ __typename }"}',
            headers={"content-type": "application/JSON; charset=UTF-8"},
        )
        assert fine.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "The document has several operations: say which with operationName."),
        ("C", "The document has no operation named 'C'."),
    ],
)
async def test_operation_name_chooses_among_the_operations_of_a_document(
    development_gateway: GatewayProcess, name: str | None, message: str
) -> None:
    query = "query A { a: __typename } query B { b: __typename }"
    async with development_gateway.client() as client:
        answer = (await client.post("/graphql", json={"query": query, "operationName": name})).json()
        assert [error["message"] for error in answer["errors"]] == [message]
        chosen = (await client.post("/graphql", json={"query": query, "operationName": "B"})).json()
        assert chosen == {"data": {"b": "Query"}}


async def test_subscription_by_plain_http_is_refused(development_gateway: GatewayProcess) -> None:
    answer = await development_gateway.ask(
        development_gateway.token("agent"), 'subscription { contentChanged(key: "a") { title } }'
    )
    [message] = messages(answer)
    assert message.startswith("A subscription is not answered by plain HTTP. Use graphql-transport-ws on this path")


# Expressions and JSON Schemas of a programme file


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("rules:\n  - {key: r, name: R, event: visit, points: 5, when: bonus(event)}", "unknown function 'bonus'"),
        ("rules:\n  - {key: r, name: R, event: visit, points: 5, when: shop > 1}", "unknown variable 'shop'"),
        ("rules:\n  - {key: r, name: R, event: visit, points: 5, when: event.hour}", "results in int"),
        ("rules:\n  - {key: r, name: R, event: visit, points: \"'5'\"}", "results in string"),
        ("segments:\n  - {key: s, name: S, when: 'true || bonus(member)'}", "unknown function 'bonus'"),
        ("event_types:\n  own-cup: {attributes: {type: objekt}}", "invalid JSON Schema"),
        ("event_types:\n  own-cup: {attributes: {properties: {a: {$ref: '#/$defs/b'}}}}", "does not resolve"),
        ("event_types:\n  own-cup: {attributes: {properties: {a: {format: dat}}}}", "format 'dat' is not checked"),
        ("limits:\n  - {of: card, events: 20, per: hour, then: hold}", "then: hold does not exist yet"),
    ],
)
@pytest.mark.parametrize("command", ["check", "apply"])
async def test_fault_of_a_programme_file_is_found_when_it_is_checked_and_applied(
    development_gateway: GatewayProcess, tmp_path: Path, command: str, section: str, fault: str
) -> None:
    file = tmp_path / "corner.yaml"
    head = "programme: corner\nname: Corner\ncurrency: EUR\nlocale: en\ntime_zone: Europe/Paris\n"
    file.write_text(f"{head}tiers:\n  - {{key: base, name: Base, threshold: 0}}\n{section}\n", encoding="utf-8")
    where = ("--data-dir", str(development_gateway.data_dir)) if command == "apply" else ()
    ran = await run_carillon("programme", command, str(file), *where)
    assert ran.code != 0
    assert fault in " ".join((ran.out + ran.err).split())
