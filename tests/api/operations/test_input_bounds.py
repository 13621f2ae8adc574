"""Every text, list and JSON value that the API takes is bounded: found by walking the served schema."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_required_input_field,
)
from support.clients.api import RECORD_MANY, ApiMember, data, only_error
from support.servers.gateway import GatewayProcess

from schema.build import executable_schema
from schema.wire.input_bounds import JSON_BYTES_MAX, LIST_LENGTH_MAX, TEXT_LENGTH_MAX

ANSWER_BYTES_MAX = 2000
SAMPLES: dict[str, Any] = {
    "String": "x",
    "ID": "x",
    "Int": 1,
    "Float": 1.0,
    "Boolean": True,
    "Decimal": "1",
    "BigInt": "1",
    "Date": "2000-01-01",
    "JSON": {},
}

SCHEMA = executable_schema()
Case = tuple[str, str, Any]
"""A label, an operation, and its variables."""


def inner(kind: Any) -> Any:
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def sample(kind: Any) -> Any:
    """Return a value of a type, with nothing optional."""
    kind = inner(kind)
    if isinstance(kind, GraphQLList):
        return [sample(kind.of_type)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        fields = {name: field for name, field in kind.fields.items() if is_required_input_field(field)}
        if kind.is_one_of:
            fields = dict([next(iter(kind.fields.items()))])
        return {name: sample(field.type) for name, field in fields.items()}
    return datetime.now(UTC).isoformat() if kind.name == "DateTime" else SAMPLES[kind.name]


def excessive(kind: Any) -> Iterator[Any]:
    """Yield values of a type that are too large, in one place each."""
    kind = inner(kind)
    if isinstance(kind, GraphQLList):
        yield [sample(kind.of_type)] * (LIST_LENGTH_MAX + 1)
        yield from ([value] for value in excessive(kind.of_type))
    elif isinstance(kind, GraphQLInputObjectType):
        for name, field in kind.fields.items():
            base = {} if kind.is_one_of else sample(kind)
            yield from ({**base, name: value} for value in excessive(field.type))
    elif kind.name in {"String", "ID"}:
        yield from ("é" * (TEXT_LENGTH_MAX + 1), "x" * 100_000)
    elif kind.name == "JSON":
        yield {"a": "x" * JSON_BYTES_MAX}
        yield [["x" * 1000] * (JSON_BYTES_MAX // 1000)]


def cases(root: GraphQLObjectType, keyword: str) -> Iterator[Case]:
    """Yield an operation for each value of each argument of the root fields, and of the fields below them."""
    for field_name, field in root.fields.items():
        selection = "" if get_named_type(field.type).name in SAMPLES else " { __typename }"
        for name, argument in field.args.items():
            others = {other: one for other, one in field.args.items() if other == name or is_required_input_field(one)}
            declared = ", ".join(f"${other}: {one.type}" for other, one in others.items())
            passed = ", ".join(f"{other}: ${other}" for other in others)
            text = f"{keyword} ({declared}) {{ {field_name}({passed}){selection} }}"
            required = {other: sample(one.type) for other, one in others.items()}
            for value in excessive(argument.type):
                yield f"{field_name}.{name}", text, {**required, name: value}


def member_cases() -> Iterator[Case]:
    member = SCHEMA.type_map["Member"]
    assert isinstance(member, GraphQLObjectType)
    for label, text, variables in cases(member, "query"):
        declared, rest = text.split(" { ", 1)
        yield f"Member.{label}", f"{declared} {{ me {{ {rest} }}", variables


def all_cases() -> list[Case]:
    roots = (
        (SCHEMA.query_type, "query"),
        (SCHEMA.mutation_type, "mutation"),
        (SCHEMA.subscription_type, "subscription"),
    )
    return [case for root, keyword in roots if root is not None for case in cases(root, keyword)] + [*member_cases()]


def assert_refused_in_few_words(label: str, answer: dict[str, Any]) -> None:
    assert answer.get("errors"), label
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}, label
    assert not any((answer.get("data") or {}).values()), label
    assert len(json.dumps(answer)) < ANSWER_BYTES_MAX, label


def test_the_walk_finds_the_inputs() -> None:
    labels = {label for label, _, _ in all_cases()}
    assert {"enrol.input", "recordEvents.input", "node.id", "content.key", "Member.offers.after"} <= labels
    assert len(all_cases()) > 150


async def test_no_value_of_any_input_is_unbounded(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client(development_gateway.token("manager")) as client:
        for label, text, variables in all_cases():
            if text.startswith("subscription"):
                continue
            answer = await client.post("/graphql", json={"query": text, "variables": variables})
            assert_refused_in_few_words(f"{label}: {str(variables)[:200]}", answer.json())


async def test_no_value_of_a_subscription_is_unbounded(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client(development_gateway.token("manager")) as client:
        for label, text, variables in all_cases():
            if text.startswith("subscription"):
                answer = await client.post("/graphql/stream", json={"query": text, "variables": variables})
                events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
                assert_refused_in_few_words(label, json.loads(events[0]) if events else answer.json())


@pytest.mark.parametrize("literal", [True, False])
async def test_an_input_that_is_too_long_writes_nothing(api_member: ApiMember, literal: bool) -> None:
    gateway, till = api_member.gateway, api_member.gateway.token("till")
    key, long = uuid4().hex, "s" * (TEXT_LENGTH_MAX + 1)
    selection = "{ member { id } replayed userErrors { message } }"
    if literal:
        text = f'mutation {{ enrol(input: {{key: "{key}", channel: STORE, store: "{long}"}}) {selection} }}'
        answer = await gateway.ask(till, text)
    else:
        text = f"mutation ($input: EnrolInput!) {{ enrol(input: $input) {selection} }}"
        answer = await gateway.ask(till, text, input={"key": key, "channel": "STORE", "store": long})
    message = only_error(answer)["message"]
    assert message == f"EnrolInput.store is longer than {TEXT_LENGTH_MAX:,} characters."
    # The same key enrols with other content: the first call left nothing behind.
    text = f"mutation ($input: EnrolInput!) {{ enrol(input: $input) {selection} }}"
    payload = data(await gateway.ask(till, text, input={"key": key, "channel": "STORE", "store": "s" * 200}))["enrol"]
    assert (payload["replayed"], payload["userErrors"]) == (False, [])


@pytest.mark.parametrize("characters", [201, TEXT_LENGTH_MAX])
async def test_the_store_of_an_enrolment_is_refused_with_its_path(api_member: ApiMember, characters: int) -> None:
    text = "mutation ($input: EnrolInput!) { enrol(input: $input) { member { id } userErrors { code path } } }"
    sent = {"key": uuid4().hex, "channel": "STORE", "store": "s" * characters}
    payload = data(await api_member.gateway.ask(api_member.gateway.token("till"), text, input=sent))["enrol"]
    assert payload == {"member": None, "userErrors": [{"code": "INVALID", "path": ["input", "store"]}]}


async def test_attributes_are_bounded_and_the_rest_of_the_batch_counts(api_member: ApiMember) -> None:
    events = [
        {**api_member.purchase("1.00"), "attributes": {"text": "x" * size}} for size in (16_000, 16_400, 100_000, 10)
    ]
    till = api_member.gateway.token("till")
    payloads = data(await api_member.gateway.ask(till, RECORD_MANY, input=events))["recordEvents"]
    paths = [[error["path"] for error in payload["userErrors"]] for payload in payloads]
    assert paths == [[], [["input", "1", "attributes"]], [["input", "2", "attributes"]], []]
    assert (await api_member.state())["version"] == 3


async def test_errors_repeat_little_of_what_was_sent(api_member: ApiMember) -> None:
    gateway = api_member.gateway
    for query, variables in (
        ("query ($by: MemberKey!) { member(by: $by) { id } }", {"by": {f"k{n}": "x" * 1000 for n in range(1000)}}),
        ("mutation ($i: RecordEventInput!) { recordEvent(input: $i) { replayed } }", {"i": ["x" * 100_000] * 10}),
        ("{ me { id } " + " ".join(f"unknown{n}" for n in range(1000)) + " }", {}),
        ('{ rewards(programme: "' + "x" * 60_000 + '", unknown: 1) { edges { cursor } } }', {}),
        ("{ " + "x" * 60_000 + " }", {}),
        ('{ me { number(a: "' + "y" * 60_000 + " }", {}),
    ):
        answer = await gateway.ask(api_member.token(), query, **variables)
        assert answer["errors"]
        assert len(answer["errors"]) <= 51
        assert len(json.dumps(answer)) < 30_000
