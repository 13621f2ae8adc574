"""The graphql-sse protocol with a plain HTTP client."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from support.clients.api import ApiMember, enrol
from support.servers.connections import internal_error_count, wait_for_no_connections
from support.servers.gateway import GatewayProcess

ANSWER_WITHIN_SECONDS = 10
TOKEN_HEADER = "x-graphql-event-stream-token"
LIVE = {"query": "subscription { memberChanged { version } }"}
PATH = "/graphql/stream"
OPERATIONS_MAX = 32


@pytest.fixture(scope="module")
async def api_member(development_gateway: GatewayProcess) -> ApiMember:
    return await enrol(development_gateway)


@pytest.fixture
async def client(development_gateway: GatewayProcess, api_member: ApiMember) -> AsyncIterator[httpx.AsyncClient]:
    """Open an HTTP client with a member's token."""
    async with development_gateway.client(api_member.token(), accept="text/event-stream") as client:
        yield client


async def event(lines: AsyncIterator[str]) -> tuple[str, object]:
    """Return the next event of a stream and its data."""
    name = ""
    async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
        async for line in lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            if field in {"data", "data:"}:
                return name, orjson.loads(value) if value else None
    pytest.fail("the stream ended")


async def reserved(client: httpx.AsyncClient) -> dict[str, str]:
    """Reserve a stream; return its headers."""
    answer = await client.put(PATH)
    assert answer.status_code == 201
    assert answer.headers["content-type"].startswith("text/plain")
    return {TOKEN_HEADER: answer.text}


def operation(id_: str, query: str = "{ __typename }") -> dict[str, object]:
    return {"query": query, "extensions": {"operationId": id_}}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("query", ["", "{", "{ nonsense }"])
async def test_invalid_operation_is_reported_on_the_stream(client: httpx.AsyncClient, method: str, query: str) -> None:
    body = {"json": {"query": query}} if method == "POST" else {"params": {"query": query}}
    async with client.stream(method, PATH, **body) as answer:  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        lines = answer.aiter_lines()
        name, data = await event(lines)
        assert name == "next"
        assert isinstance(data, dict)
        assert [*data] == ["errors"]
        assert await event(lines) == ("complete", None)
        assert [line async for line in lines if line] == []


async def test_refused_subscription_is_reported_on_the_stream(client: httpx.AsyncClient) -> None:
    query = "subscription { memberChanged(after: -1) { version } }"
    async with client.stream("POST", PATH, json={"query": query}) as answer:
        lines = answer.aiter_lines()
        name, data = await event(lines)
        assert name == "next"
        assert isinstance(data, dict)
        assert data["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert await event(lines) == ("complete", None)


async def test_mutations_need_post(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, params={"query": "mutation { __typename }"})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_operations_of_one_stream(client: httpx.AsyncClient, api_member: ApiMember) -> None:
    stream = await reserved(client)
    async with client.stream("GET", PATH, headers=stream) as answer:
        lines = answer.aiter_lines()
        assert (await client.get(PATH, headers=stream)).status_code == 409

        assert (await client.post(PATH, headers=stream, json=operation("query"))).status_code == 202
        result = {"id": "query", "payload": {"data": {"__typename": "Query"}}}
        assert await event(lines) == ("next", result)
        assert await event(lines) == ("complete", {"id": "query"})

        assert (await client.post(PATH, headers=stream, json=operation("live", LIVE["query"]))).status_code == 202
        assert (await event(lines))[0] == "next"
        assert (await client.post(PATH, headers=stream, json=operation("live"))).status_code == 409
        version = (await api_member.buy("3.00"))["member"]["version"]
        update = {"id": "live", "payload": {"data": {"memberChanged": {"version": version}}}}
        assert await event(lines) == ("next", update)
        assert (await client.delete(PATH, headers=stream, params={"operationId": "live"})).status_code == 200
        assert await event(lines) == ("complete", {"id": "live"})
        assert (await client.delete(PATH, headers=stream, params={"operationId": "live"})).status_code == 200

        assert (await client.post(PATH, headers=stream, json={"query": "{ __typename }"})).status_code == 400
        assert (await client.delete(PATH, headers=stream)).status_code == 400
    await wait_for_no_connections(api_member.gateway, "sse")
    assert (await client.post(PATH, headers=stream, json=operation("late"))).status_code == 404


async def test_stream_is_usable_by_its_actor_only(
    client: httpx.AsyncClient, development_gateway: GatewayProcess, api_member: ApiMember
) -> None:
    stream = await reserved(client)
    for token in (None, development_gateway.token("till")):
        async with development_gateway.client(token) as other:
            assert (await other.post(PATH, headers=stream, json=operation("1"))).status_code == 404
            assert (await other.get(PATH, headers=stream)).status_code == 404
    async with client.stream("GET", PATH, headers=stream) as answer:
        assert answer.status_code == 200
    await wait_for_no_connections(api_member.gateway, "sse")


async def test_operations_on_a_stream_that_nobody_reads_are_bounded(
    client: httpx.AsyncClient, api_member: ApiMember
) -> None:
    stream = await reserved(client)
    # Each leaves two events and 256 are buffered: the others wait, but their requests do not.
    statuses = [(await client.post(PATH, headers=stream, json=operation(str(n), "{"))).status_code for n in range(200)]
    accepted = statuses.count(202)
    assert accepted == 128 + OPERATIONS_MAX
    assert statuses.count(400) == 200 - accepted
    ended: list[object] = []
    async with client.stream("GET", PATH, headers=stream) as answer:
        lines = answer.aiter_lines()
        while len(ended) < accepted:
            name, data = await event(lines)
            if name == "complete":
                ended.append(data)
    assert {"id": "0"} in ended
    await wait_for_no_connections(api_member.gateway, "sse")


async def test_stream_ends_with_its_token(development_gateway: GatewayProcess, api_member: ApiMember) -> None:
    async with (
        development_gateway.client(api_member.token(seconds=1.5)) as client,
        client.stream("POST", PATH, json=LIVE) as answer,
    ):
        lines = answer.aiter_lines()
        assert (await event(lines))[0] == "next"
        name, data = await event(lines)
        assert name == "next"
        assert isinstance(data, dict)
        assert data["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await event(lines) == ("complete", None)


async def test_vanished_clients_are_cleaned_up(development_gateway: GatewayProcess, api_member: ApiMember) -> None:
    """Some clients disconnect before the first byte of the answer, some during it."""
    faults = internal_error_count(development_gateway)
    address = urlsplit(development_gateway.url)
    async with development_gateway.client(api_member.token()) as client:
        for round_ in range(40):
            stream = await reserved(client)
            head = f"{PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {api_member.token()}\r\n"
            body = orjson.dumps(LIVE).decode()
            about = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
            distinct = f"POST {head}{about}\r\n\r\n{body}"
            single = f"GET {head}{TOKEN_HEADER}: {stream[TOKEN_HEADER]}\r\n\r\n"
            for request in (distinct, single):
                _, writer = await asyncio.open_connection(address.hostname, address.port)
                writer.write(request.encode())
                await asyncio.sleep(0.001 * (round_ % 8))
                writer.transport.abort()
            # A request that was never read leaves its reservation, which would count for half a minute.
            async with client.stream("GET", PATH, headers=stream) as answer:
                assert answer.status_code in {200, 404, 409}
    await api_member.buy("3.00")
    await wait_for_no_connections(development_gateway, "sse")
    assert internal_error_count(development_gateway) == faults


@pytest.mark.parametrize("kind", ["application/json", "application/graphql-response+json"])
async def test_refusal_has_the_accepted_content_type(development_gateway: GatewayProcess, kind: str) -> None:
    async with development_gateway.client("not-a-token", accept=kind) as client:
        refused = await client.post("/graphql", json={"query": "{ __typename }"})
        assert refused.status_code == 401
        assert refused.headers["content-type"] == f"{kind}; charset=utf-8"
        assert refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        wrong = await client.post("/graphql", json={"nonsense": 1})
        assert wrong.status_code == 400
        assert wrong.headers["content-type"] == f"{kind}; charset=utf-8"
