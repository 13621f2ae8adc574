"""Limits: a refusal states name, value and setting of the limit, and the next request is answered."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any

import pytest
from graphql import get_introspection_query
from support.clients.api import (
    LIVE,
    RECORD,
    RECORD_MANY,
    ApiMember,
    data,
    enrol,
    event_stream,
    next_update,
    only_error,
    record,
    watch,
)
from support.servers.gateway import GatewayProcess, next_message
from websockets.exceptions import ConnectionClosed

ANSWER_SECONDS_MAX = 3


def assert_refused(answer: dict[str, Any], limit: str, most: float) -> None:
    """Check that an answer is exactly this refusal."""
    error = only_error(answer)
    setting = f"CARILLON_LIMIT_{limit.upper()}"
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit, "max": most, "setting": setting}
    assert setting in error["message"]
    assert f"{most:,}" in error["message"]


async def assert_unharmed(gateway: GatewayProcess) -> None:
    """Check that another client is answered at once."""
    started = monotonic()
    assert data(await gateway.ask(None, "{ __typename }")) == {"__typename": "Query"}
    assert monotonic() - started < ANSWER_SECONDS_MAX


async def asked(gateway: GatewayProcess, query: str) -> dict[str, Any]:
    """Return the answer to a caller with a token, for whom the general limits apply."""
    return await gateway.ask(gateway.token("manager"), query)


def nested(levels: int) -> str:
    """Return a valid query with this many levels."""
    wraps = levels - 2
    return '{ __type(name: "Query") {' + " ofType {" * wraps + " name " + "}" * wraps + "} }"


def nested_in_fragments(levels: int) -> str:
    """Return a valid query with this many levels, each in its own fragment."""
    wraps = levels - 2
    chain = [f"fragment F{n} on __Type {{ ofType {{ ...F{n + 1} }} }}" for n in range(wraps)]
    return '{ __type(name: "Query") { ...F0 } } ' + " ".join([*chain, f"fragment F{wraps} on __Type {{ name }}"])


def nested_in_inline_fragments(levels: int) -> str:
    """Return a valid query with this many levels, each in an inline fragment."""
    wraps = levels - 2
    opened = " ... on __Type { ofType {" * wraps
    return '{ ... { __type(name: "Query") {' + opened + " name " + "} }" * wraps + "} } }"


def doubling(fragments: int, field: str) -> str:
    """Return a query whose last fragment is reached in 2 ** fragments ways."""
    chain = [f"fragment F{n} on Query {{ ...F{n + 1} ... on Query {{ ...F{n + 1} }} }}" for n in range(fragments)]
    return " ".join(["{ ...F0 }", *chain, f"fragment F{fragments} on Query {{ {field} }}"])


# The document


@pytest.mark.parametrize("form", [nested, nested_in_fragments, nested_in_inline_fragments])
async def test_depth_is_counted_through_fragments(development_gateway: GatewayProcess, form: Any) -> None:
    assert "errors" not in await asked(development_gateway, form(16))
    assert_refused(await asked(development_gateway, form(17)), "depth", 16)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{ a" * 1900 + " }" * 1900, id="fields"),
        pytest.param("{ a" * 300 + " }" * 300, id="fewer fields"),
        pytest.param("{ ..." * 900 + "{ a }" + " }" * 900, id="inline fragments"),
        pytest.param("{ member(by: " + "[" * 1900 + "]" * 1900 + ") { id } }", id="lists"),
        pytest.param("{ member(by: " + "{a: " * 900 + "1" + "}" * 900 + ") { id } }", id="objects"),
        pytest.param("query ($a: " + "[" * 1900 + "Int" + "]" * 1900 + ") { __typename }", id="types"),
        pytest.param(nested_in_fragments(300), id="fragments"),
    ],
)
async def test_extremely_nested_document_is_refused(development_gateway: GatewayProcess, query: str) -> None:
    assert_refused(await asked(development_gateway, query), "depth", 16)
    await assert_unharmed(development_gateway)


@pytest.mark.parametrize(
    ("form", "reached"),
    [
        ("{{ {aliases} }}", 1),
        ("{{ ...F }} fragment F on Query {{ {aliases} }}", 1),
        ("{{ ...F ... on Query {{ ...F }} }} fragment F on Query {{ {aliases} }}", 2),
        ("{{ ...F }} fragment F on Query {{ ...G ... {{ ...G }} }} fragment G on Query {{ {aliases} }}", 2),
        ("query A {{ __typename }} query B {{ {aliases} }}", 1),
    ],
)
async def test_aliases_are_counted_as_often_as_their_fragment_is_reached(
    development_gateway: GatewayProcess, form: str, reached: int
) -> None:
    within, past = (
        form.format(aliases=" ".join(f"a{n}: __typename" for n in range(count)))
        for count in (50 // reached, 50 // reached + 1)
    )
    body = {"query": within, "operationName": "B" if "query B" in within else None}
    async with development_gateway.client(development_gateway.token("manager")) as client:
        assert "errors" not in (await client.post("/graphql", json=body)).json()
        assert_refused((await client.post("/graphql", json={**body, "query": past})).json(), "aliases", 50)
    await assert_unharmed(development_gateway)


async def test_aliases_of_a_fragment_bomb_are_not_counted_one_by_one(development_gateway: GatewayProcess) -> None:
    answer = await asked(development_gateway, doubling(60, "a: __typename"))
    assert_refused(answer, "aliases", 50)
    await assert_unharmed(development_gateway)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{" + " me { id }" * 990 + " }", id="one field many times"),
        pytest.param("{" + " __typename" * 3900 + " }", id="one leaf many times"),
        pytest.param(
            "{" + "".join(f" ...F{n}" for n in range(180)) + " }"
            "" + "".join(f" fragment F{n} on Query {{{' __typename' * 12} }}" for n in range(180)),
            id="fields of many fragments",
        ),
        pytest.param(doubling(150, "__typename"), id="fragment bomb"),
    ],
)
async def test_document_that_is_expensive_to_validate_is_refused(
    development_gateway: GatewayProcess, query: str
) -> None:
    started = monotonic()
    assert_refused(await asked(development_gateway, query), "complexity", 50_000)
    assert monotonic() - started < ANSWER_SECONDS_MAX
    await assert_unharmed(development_gateway)


async def test_fragment_cycle_is_an_error_of_the_document(development_gateway: GatewayProcess) -> None:
    query = "{ ...A } fragment A on Query { me { id } ...B } fragment B on Query { ...A }"
    answer = await asked(development_gateway, query)
    error = only_error(answer)
    assert error["message"] == "Cannot spread fragment 'A' within itself via 'B'."
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    await assert_unharmed(development_gateway)


async def test_tokens_over_the_limit_are_not_read(development_gateway: GatewayProcess) -> None:
    for query in ("{" + " a" * 4000 + " }", "{ a(b: [" + "1 " * 4000 + "]) }", "{" + " a: b" * 10_000):
        assert_refused(await asked(development_gateway, query), "tokens", 4000)
    await assert_unharmed(development_gateway)


async def test_introspection_of_graphiql_is_within_the_limits(development_gateway: GatewayProcess) -> None:
    query = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
        one_of=True,
    )
    schema = data(await asked(development_gateway, query))["__schema"]
    assert {"Query", "Mutation", "Subscription", "Member", "UserErrorCode"} <= {
        kind["name"] for kind in schema["types"]
    }


async def test_document_over_a_limit_is_refused_on_every_transport(api_member: ApiMember) -> None:
    gateway = api_member.gateway
    async with gateway.socket(api_member.token()) as socket:
        await watch(socket, query=nested(17))
        message = await next_message(socket)
        assert message["type"] == "error"
        assert_refused({"errors": message["payload"]}, "depth", 16)
        await watch(socket)
        assert (await next_update(socket))["version"] == 1
    async with event_stream(gateway, api_member.token(), nested(17)) as stream:
        name, answer = await stream.next()
        assert name == "next"
        assert answer is not None
        assert_refused(answer, "depth", 16)
    async with gateway.client() as client:
        got = await client.get("/graphql", params={"query": nested(17)})
        assert_refused(got.json(), "depth", 16)


# Requests and pages


async def test_body_over_the_limit_is_not_read(low_limits_gateway: GatewayProcess) -> None:
    body = json.dumps({"query": "{ __typename }", "extensions": {"padding": "x" * 20_000}}).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async with low_limits_gateway.client(**{"content-type": "application/json"}) as client:
        for path in ("/graphql", "/graphql/stream"):
            for content in (body, in_pieces()):
                answer = await client.post(path, content=content)
                assert answer.status_code == 413
                assert_refused(answer.json(), "body", 20_000)
    await assert_unharmed(low_limits_gateway)


async def test_socket_message_over_the_limit_closes_the_socket(low_limits_gateway: GatewayProcess) -> None:
    async with low_limits_gateway.socket(None) as socket:
        await socket.send(json.dumps({"type": "ping", "payload": {"padding": "x" * 20_000}}))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    await assert_unharmed(low_limits_gateway)


async def test_page_over_the_limit_is_refused(api_member: ApiMember) -> None:
    query = "query ($first: Int!) { me { activity(first: $first) { edges { cursor } } } }"
    assert "errors" not in await api_member.gateway.ask(api_member.token(), query, first=100)
    for first in (101, 2**31 - 1):
        answer = await api_member.gateway.ask(api_member.token(), query, first=first)
        assert_refused(answer, "page", 100)
        assert answer["data"] == {"me": None}


async def test_batch_over_the_limit_counts_nothing(api_member: ApiMember) -> None:
    gateway, till = api_member.gateway, api_member.gateway.token("till")
    events = [api_member.purchase("1.00") for _ in range(501)]
    answer = await gateway.ask(till, RECORD_MANY, input=events)
    assert_refused(answer, "batch", 500)
    assert answer["data"] is None
    assert (await api_member.state())["version"] == 1
    payloads = data(await gateway.ask(till, RECORD_MANY, input=events[:500]))["recordEvents"]
    assert [payload["entries"][0]["balance"] for payload in payloads] == list(range(1, 501))
    assert (await api_member.state())["version"] == 501


async def test_operation_over_its_time_limit_is_cancelled(
    api_member: ApiMember, low_limits_gateway: GatewayProcess
) -> None:
    answer = await low_limits_gateway.ask(api_member.token(), "{ me { number } }")
    assert_refused(answer, "time", 0.0001)
    assert answer["data"] is None
    await assert_unharmed(low_limits_gateway)


async def test_mutation_over_its_time_limit_is_retried_and_counts_once(
    api_member: ApiMember, low_limits_gateway: GatewayProcess
) -> None:
    event, till = api_member.purchase("10.00"), api_member.gateway.token("till")
    answer = await low_limits_gateway.ask(till, RECORD, input=event)
    assert_refused(answer, "time", 0.0001)
    again = await record(api_member.gateway, event)
    assert (again["userErrors"], again["entries"][0]["balance"]) == ([], 10)
    state = await api_member.state()
    assert (state["version"], state["points"]["available"]) == (2, 10)


# Live connections


async def test_live_connections_of_one_actor_are_bounded_whatever_the_transport(
    api_member: ApiMember, low_limits_gateway: GatewayProcess
) -> None:
    other = await enrol(api_member.gateway)
    async with AsyncExitStack() as opened:
        socket = await opened.enter_async_context(low_limits_gateway.socket(api_member.token()))
        stream = await opened.enter_async_context(event_stream(low_limits_gateway, api_member.token(), LIVE))
        assert (await stream.next_update())["version"] == 1

        with pytest.raises(ConnectionClosed) as closed:
            async with low_limits_gateway.socket(api_member.token()):
                pass
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4429
        assert closed.value.rcvd.reason.startswith("LIMIT_EXCEEDED: ")
        async with event_stream(low_limits_gateway, api_member.token(), LIVE) as refused:
            assert refused.answer.status_code == 429
            assert_refused(json.loads(await refused.answer.aread()), "sockets", 2)

        # Other actors have their own count, and open connections stay.
        async with low_limits_gateway.socket(other.token()) as own:
            await watch(own)
            assert (await next_update(own))["version"] == 1
        await watch(socket)
        assert (await next_update(socket))["version"] == 1
        await api_member.buy()
        assert (await next_update(socket))["version"] == (await stream.next_update())["version"] == 2
    # A closed connection frees its place.
    async with asyncio.timeout(10):
        while True:
            try:
                async with low_limits_gateway.socket(api_member.token()), low_limits_gateway.socket(api_member.token()):
                    break
            except ConnectionClosed:
                await asyncio.sleep(0.05)


async def test_operations_of_one_socket_are_bounded(api_member: ApiMember, low_limits_gateway: GatewayProcess) -> None:
    async with low_limits_gateway.socket(api_member.token()) as socket:
        first = await watch(socket)
        await next_update(socket)
        await watch(socket)
        await next_update(socket)
        third = await watch(socket)
        message = await next_message(socket)
        assert (message["type"], message["id"]) == ("error", third)
        assert_refused({"errors": message["payload"]}, "operations", 2)
        await socket.send(json.dumps({"type": "complete", "id": first}))
        await watch(socket)
        assert (await next_update(socket))["version"] == 1


async def test_versions_over_the_replay_limit_are_a_resync(
    api_member: ApiMember, low_limits_gateway: GatewayProcess
) -> None:
    for _ in range(4):
        await api_member.buy("1.00")
    async with low_limits_gateway.socket(api_member.token()) as socket:
        await watch(socket, after=2)
        assert [(await next_update(socket))["version"] for _ in range(3)] == [3, 4, 5]
        await watch(socket, after=1)
        update = await next_update(socket)
        assert (update["version"], update["resync"], update["entries"]) == (5, True, [])
        assert update["member"]["points"] == {"available": 4}
