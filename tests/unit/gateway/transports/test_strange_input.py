"""Whatever a stranger sends is refused in words: it never fails inside the gateway."""

import asyncio
from typing import Any

import orjson
import pytest
from graphql import GraphQLError, parse_value
from starlette.datastructures import QueryParams

from gateway.auth.jwks import JwksVerifier
from gateway.config import Limits
from gateway.observability.metrics import Metrics
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.executor import Executor, GraphQLRequest, InvalidOperation
from gateway.transports.http import BadRequest, parameters_of_query, parsed_json
from resolvers.core.operation_error import Unauthenticated
from schema.wire.json_levels import LEVELS_MAX, deeper_than
from schema.wire.scalars import parse_json, parse_json_literal

DIGITS = (301, 4300, 4301, 5000, 100_000)
FORMS = ("{n}", "-{n}", "{n}.5", "{n}e5", "[{n}]", "[[1, {n}]]")
PLACES = (
    '{{ rewards(programme: "grocer", first: {v}) {{ pageInfo {{ hasNextPage }} }} }}',
    'query ($first: Int = {v}) {{ rewards(programme: "grocer", first: $first) {{ pageInfo {{ hasNextPage }} }} }}',
    "query @skip(if: {v}) {{ __typename }}",
    "{{ __typename @include(if: {v}) }}",
    "fragment A on Query {{ b: rewards(first: {v}) {{ totalCount }} }} query {{ ...A }}",
    "mutation {{ recordEvent(input: {{key: {v}, attributes: {{a: {v}}}}}) {{ __typename }} }}",
)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(compilable_schema(), Limits(), Metrics())


@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_a_number_of_any_length_is_refused_in_words(executor: Executor, place: str, form: str, digits: int) -> None:
    with pytest.raises(InvalidOperation) as refused:
        executor.prepare(GraphQLRequest(place.format(v=form.format(n="9" * digits))))
    messages = [error["message"] for error in refused.value.answer("en")["errors"]]
    assert refused.value.code != "INTERNAL"
    assert all("set_int_max_str_digits" not in message for message in messages)


def test_digits_in_a_string_are_no_number(executor: Executor) -> None:
    text = '{ rewards(programme: "%s") { pageInfo { hasNextPage } } }' % ("9" * 5000)
    assert executor.prepare(GraphQLRequest(text)).name is None


def nested(levels: int, opening: str) -> str:
    return opening * levels + "1" + ("]" if opening == "[" else "}") * levels


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("levels", [LEVELS_MAX + 1, 254, 255, 900, 1024, 1025, 5000, 100_000])
def test_deep_json_is_refused_on_every_way_in(opening: str, levels: int) -> None:
    text = nested(levels, opening)
    with pytest.raises(BadRequest):
        parsed_json(text, "The body")
    for name in ("variables", "extensions"):
        with pytest.raises(BadRequest):
            parameters_of_query(QueryParams({"query": "{ __typename }", name: '{"x":' + text + "}"}))


@pytest.mark.parametrize(
    "text", ["9" * 5000, "-" + "9" * 5000, "1e400", "1e" + "9" * 5000, "NaN", '"\\ud800"', b"\xff"]
)
def test_json_that_python_cannot_hold_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadRequest):
        parsed_json(text, "The body")


@pytest.mark.parametrize("levels", [1, 2, LEVELS_MAX])
def test_json_within_the_limit_is_accepted(levels: int) -> None:
    text = nested(levels, "[")
    assert parsed_json(text, "The body") == orjson.loads(text)
    assert not deeper_than(LEVELS_MAX, parsed_json(text, "The body"))
    wide: Any = [[{"a": [1]}] * 1000] * 20
    assert not deeper_than(4, wide)
    assert deeper_than(3, wide)


def test_deep_values_of_the_json_scalar_are_refused() -> None:
    deep: Any = 1
    for _ in range(LEVELS_MAX + 1):
        deep = {"a": [deep]}
    with pytest.raises(GraphQLError, match="levels"):
        parse_json(deep)
    with pytest.raises(GraphQLError, match="levels"):
        parse_json_literal(parse_value("[" * 150 + "]" * 150))


def deep_document(levels: int) -> dict[str, Any]:
    deep: Any = []
    for _ in range(levels):
        deep = [deep]
    return {"keys": [deep]}


@pytest.mark.parametrize(
    "fault",
    [RecursionError(), KeyError("n"), ValueError("digits"), OverflowError(), MemoryError(), UnicodeError()],
    ids=lambda fault: type(fault).__name__,
)
async def test_keys_that_cannot_be_read_refuse_the_token(fault: Exception) -> None:
    def fetch(_url: str) -> dict[str, Any]:
        raise fault

    await refused_by(fetch)


@pytest.mark.parametrize(
    "document",
    [
        *([], None, 1, "x", {}, {"keys": None}, {"keys": [1]}, {"keys": [{"kty": ["x"]}]}),
        {"keys": [{"kty": "oct", "k": "AA", "kid": ["x"]}]},
        {"keys": [{"kty": "oct", "k": "AA", "kid": {"x": 1}}]},
        {"keys": [{"kty": "RSA", "n": 1, "e": 2}]},
        deep_document(900),
    ],
    ids=lambda document: str(document)[:40],
)
async def test_keys_of_any_form_refuse_the_token(document: Any) -> None:
    await refused_by(lambda _url: document)


async def refused_by(fetch: Any) -> None:
    verifier = JwksVerifier("https://id.example", issuer="i", audience="a", ttl_seconds=60, fetch=fetch)
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.AA"
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)
    with pytest.raises(Unauthenticated):
        await asyncio.wait_for(verifier.verify(token), 1)
