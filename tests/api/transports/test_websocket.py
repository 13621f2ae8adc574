"""The graphql-transport-ws protocol, message by message, with a plain WebSocket client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import orjson
import pytest
from support.clients.api import ApiMember, enrol
from support.servers.connections import internal_error_count, wait_for_no_connections
from support.servers.gateway import GatewayProcess
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Data, Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
ANSWER_WITHIN_SECONDS = 10
INIT_WITHIN_SECONDS = 5
OPERATIONS_MAX = 32

LIVE = "subscription { memberChanged { version } }"


class Socket:
    """A socket that speaks the protocol in plain messages."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self) -> Any:
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
            received = await self.connection.recv()
        assert isinstance(received, str)
        return orjson.loads(received)

    async def closed(self) -> tuple[int, str]:
        """Return code and reason of the close; messages before it are skipped."""
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
            with suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""

    async def close_code(self) -> int:
        return (await self.closed())[0]

    async def init(self, token: str | None = None) -> None:
        payload = {"Authorization": f"Bearer {token}"} if token is not None else None
        await self.send(type="connection_init", payload=payload)
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, id_: str, query: str, **parameters: Any) -> None:
        await self.send(type="subscribe", id=id_, payload={"query": query, **parameters})

    async def expect_alive(self) -> None:
        """Send a ping; the next message must be its pong."""
        proof = {"proof": uuid4().hex}
        await self.send(type="ping", payload=proof)
        assert await self.receive() == {"type": "pong", "payload": proof}


@asynccontextmanager
async def opened(gateway: GatewayProcess, *subprotocols: str) -> AsyncIterator[Socket]:
    address = gateway.url.replace("http", "ws", 1) + "/graphql"
    protocols = [Subprotocol(name) for name in subprotocols] or None
    async with connect(address, subprotocols=protocols, max_size=None) as connection:
        yield Socket(connection)


@pytest.fixture
async def raw(development_gateway: GatewayProcess) -> AsyncIterator[Socket]:
    """Open a socket without any message."""
    async with opened(development_gateway, PROTOCOL) as socket:
        assert socket.connection.subprotocol == PROTOCOL
        yield socket


@pytest.fixture
async def nobody(raw: Socket) -> Socket:
    """Open an acknowledged socket without authentication."""
    await raw.init()
    return raw


@pytest.fixture(scope="module")
async def api_member(development_gateway: GatewayProcess) -> ApiMember:
    return await enrol(development_gateway)


@pytest.fixture
async def member_socket(raw: Socket, api_member: ApiMember) -> Socket:
    """Open an acknowledged socket of a member."""
    await raw.init(api_member.token())
    return raw


# The handshake


@pytest.mark.parametrize("subprotocols", [(), ("graphql-ws",), ("soap", "graphql-ws")])
async def test_another_subprotocol_is_not_acceptable(
    development_gateway: GatewayProcess, subprotocols: tuple[str, ...]
) -> None:
    async with opened(development_gateway, *subprotocols) as socket:
        assert socket.connection.subprotocol is None
        assert await socket.close_code() == 4406


async def test_subprotocol_is_chosen_among_several(development_gateway: GatewayProcess) -> None:
    async with opened(development_gateway, "graphql-ws", PROTOCOL) as socket:
        assert socket.connection.subprotocol == PROTOCOL
        await socket.init()


# The connection


@pytest.mark.parametrize("message", [{}, {"payload": None}, {"payload": {}}, {"payload": {"other": [1]}}])
async def test_init_needs_no_payload(raw: Socket, message: dict[str, Any]) -> None:
    await raw.send(type="connection_init", **message)
    assert await raw.receive() == {"type": "connection_ack"}


async def test_no_operation_before_init(raw: Socket) -> None:
    await raw.subscribe("1", "{ __typename }")
    assert await raw.close_code() == 4401


async def test_ping_and_pong_may_come_before_init(raw: Socket) -> None:
    await raw.send(type="ping")
    assert await raw.receive() == {"type": "pong"}
    await raw.send(type="pong")
    await raw.send(type="complete", id="1")
    await raw.expect_alive()
    await raw.init()


async def test_socket_without_init_is_closed(raw: Socket) -> None:
    started = asyncio.get_running_loop().time()
    await asyncio.sleep(INIT_WITHIN_SECONDS / 2)
    await raw.expect_alive()
    assert await raw.closed() == (4408, "Connection initialisation timeout")
    assert asyncio.get_running_loop().time() - started == pytest.approx(INIT_WITHIN_SECONDS, abs=1)


async def test_init_comes_once(nobody: Socket) -> None:
    await nobody.send(type="connection_init")
    assert await nobody.closed() == (4429, "Too many initialisation requests")


async def test_init_comes_once_even_before_the_first_is_answered(raw: Socket) -> None:
    await raw.send(type="connection_init")
    await raw.send(type="connection_init")
    assert await raw.close_code() == 4429


@pytest.mark.parametrize("authorization", ["Bearer not-a-token", "Bearer ", "Basic bm9ib2R5"])
async def test_bad_token_is_forbidden(raw: Socket, authorization: str) -> None:
    await raw.send(type="connection_init", payload={"Authorization": authorization})
    code, reason = await raw.closed()
    assert code == 4403
    assert reason.startswith("Forbidden: ")


async def test_socket_ends_with_its_token(api_member: ApiMember, raw: Socket) -> None:
    await raw.init(api_member.token(seconds=1.5))
    await raw.subscribe("1", LIVE)
    assert (await raw.receive())["type"] == "next"
    assert await raw.closed() == (4403, "Forbidden: the token has expired")


# Invalid messages

NOT_A_MESSAGE: list[Data] = ["", "nonsense", "null", "1", '"ping"', "[]", "{}", '{"type": null}', '{"type": 1}']
NOT_A_MESSAGE += ['{"type": "hello"}', '{"type": "next", "id": "1", "payload": {}}', '{"type": "PING"}']
NOT_A_MESSAGE += ['{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}', b'{"type": "ping"}']
NOT_A_MESSAGE += ['{"type": "ping", "payload": "text"}', '{"type": "pong", "payload": []}']
NOT_A_MESSAGE += ['{"type": "complete"}', '{"type": "complete", "id": ""}', '{"type": "complete", "id": 1}']


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("message", NOT_A_MESSAGE)
async def test_malformed_message_closes_the_socket(raw: Socket, message: Data, *, acknowledged: bool) -> None:
    if acknowledged:
        await raw.init()
    await raw.connection.send(message)
    code, reason = await raw.closed()
    assert code == 4400
    assert reason


@pytest.mark.parametrize("payload", ["text", [], 0])
async def test_init_with_a_malformed_payload_closes_the_socket(raw: Socket, payload: Any) -> None:
    await raw.send(type="connection_init", payload=payload)
    assert await raw.close_code() == 4400


@pytest.mark.parametrize(
    "message",
    [
        {"payload": {"query": "{ __typename }"}},
        {"id": None, "payload": {"query": "{ __typename }"}},
        {"id": "", "payload": {"query": "{ __typename }"}},
        {"id": 1, "payload": {"query": "{ __typename }"}},
        {"id": "1"},
        {"id": "1", "payload": None},
        {"id": "1", "payload": "{ __typename }"},
        {"id": "1", "payload": [{"query": "{ __typename }"}]},
        {"id": "1", "payload": {}},
        {"id": "1", "payload": {"query": None}},
        {"id": "1", "payload": {"query": {"text": "{ __typename }"}}},
        {"id": "1", "payload": {"query": "{ __typename }", "operationName": 1}},
        {"id": "1", "payload": {"query": "{ __typename }", "variables": []}},
        {"id": "1", "payload": {"query": "{ __typename }", "variables": "text"}},
        {"id": "1", "payload": {"query": "{ __typename }", "extensions": 1}},
    ],
)
async def test_malformed_subscribe_closes_the_socket(nobody: Socket, message: dict[str, Any]) -> None:
    await nobody.send(type="subscribe", **message)
    code, reason = await nobody.closed()
    assert code == 4400
    assert reason


async def test_message_past_the_limit_closes_the_socket(nobody: Socket) -> None:
    # Only the header, which states the length: a body would not be read and could reset the connection.
    final_text, masked_long = b"\x81", b"\xff"
    nobody.connection.transport.write(final_text + masked_long + (2_200_000).to_bytes(8) + b"mask")
    assert await nobody.close_code() == 1009


# Pings


@pytest.mark.parametrize("payload", [None, {}, {"at": 1}, {"nested": {"text": "é"}}])
async def test_ping_is_answered_with_its_payload(nobody: Socket, payload: dict[str, Any] | None) -> None:
    await nobody.send(type="ping", payload=payload)
    assert await nobody.receive() == ({"type": "pong", "payload": payload} if payload else {"type": "pong"})


async def test_pong_is_not_answered(nobody: Socket) -> None:
    await nobody.send(type="pong")
    await nobody.send(type="pong", payload={"at": 1})
    await nobody.expect_alive()


# Operations


async def test_query_has_one_result_and_completes(nobody: Socket) -> None:
    parameters = {"operationName": None, "variables": None, "extensions": {"some": "value"}}
    await nobody.subscribe("1", "{ __typename }", **parameters)
    assert await nobody.receive() == {"id": "1", "type": "next", "payload": {"data": {"__typename": "Query"}}}
    assert await nobody.receive() == {"id": "1", "type": "complete"}
    await nobody.expect_alive()


async def test_id_is_free_again_after_the_end(nobody: Socket) -> None:
    for query, ending in [("{ __typename }", ["next", "complete"]), ("{", ["error"]), (LIVE, ["error"])] * 5:
        await nobody.subscribe("same", query)
        assert [(await nobody.receive())["type"] for _ in ending] == ending
    await nobody.expect_alive()


async def test_id_in_use_closes_the_socket(member_socket: Socket) -> None:
    await member_socket.subscribe("same", LIVE)
    assert (await member_socket.receive())["type"] == "next"
    await member_socket.subscribe("same", "{ __typename }")
    assert await member_socket.closed() == (4409, "Subscriber for same already exists")


async def test_long_id_in_use_closes_the_socket(member_socket: Socket) -> None:
    id_ = "é" * 200
    await member_socket.subscribe(id_, LIVE)
    await member_socket.subscribe(id_, LIVE)
    code, reason = await member_socket.closed()
    assert code == 4409
    assert reason.startswith("Subscriber for éé")


@pytest.mark.parametrize(
    ("query", "parameters", "message"),
    [
        ("", {}, "Syntax Error"),
        ("subscription {", {}, "Syntax Error"),
        ("{ nonsense }", {}, "Cannot query field 'nonsense'"),
        ("subscription { memberChanged { nonsense } }", {}, "Cannot query field 'nonsense'"),
        ("query A { __typename } query B { __typename }", {}, "operationName"),
        ("{ __typename }", {"operationName": "Other"}, "no operation named 'Other'"),
        ("query ($id: ID!) { node(id: $id) { id } }", {}, "$id"),
        ("subscription ($after: Int!) { memberChanged(after: $after) { version } }", {"variables": {}}, "$after"),
        ("subscription { memberChanged(after: -1) { version } }", {}, "after"),
    ],
)
async def test_invalid_operation_ends_without_closing_the_socket(
    member_socket: Socket, query: str, parameters: dict[str, Any], message: str
) -> None:
    await member_socket.subscribe("live", LIVE)
    assert (await member_socket.receive())["id"] == "live"
    await member_socket.subscribe("wrong", query, **parameters)
    answer = await member_socket.receive()
    assert (answer["id"], answer["type"]) == ("wrong", "error")
    [error] = answer["payload"]
    assert message in error["message"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    # No `complete` follows an error, and the other operation continues.
    await member_socket.expect_alive()
    await member_socket.subscribe("next", "{ __typename }")
    assert (await member_socket.receive())["type"] == "next"


async def test_subscription_without_authentication_is_refused(nobody: Socket) -> None:
    await nobody.subscribe("1", LIVE)
    answer = await nobody.receive()
    assert (answer["id"], answer["type"]) == ("1", "error")
    assert answer["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await nobody.expect_alive()


async def test_operations_over_the_limit_are_refused_without_closing_the_socket(member_socket: Socket) -> None:
    for number in range(OPERATIONS_MAX):
        await member_socket.subscribe(f"live-{number}", LIVE)
        assert (await member_socket.receive())["id"] == f"live-{number}"
    await member_socket.subscribe("too many", LIVE)
    answer = await member_socket.receive()
    assert (answer["id"], answer["type"]) == ("too many", "error")
    assert answer["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    await member_socket.send(type="complete", id="live-0")
    await member_socket.subscribe("one more", LIVE)
    assert (await member_socket.receive())["id"] == "one more"


async def test_client_completes(api_member: ApiMember, member_socket: Socket) -> None:
    await member_socket.subscribe("stopped", LIVE)
    await member_socket.subscribe("live", LIVE)
    assert {(await member_socket.receive())["id"] for _ in range(2)} == {"stopped", "live"}
    await member_socket.send(type="complete", id="stopped")
    await member_socket.expect_alive()
    version = (await api_member.buy("3.00"))["member"]["version"]
    update = await member_socket.receive()
    assert (update["id"], update["payload"]["data"]["memberChanged"]["version"]) == ("live", version)
    # The id is free, and the client's `complete` was not answered.
    await member_socket.subscribe("stopped", LIVE)
    assert (await member_socket.receive())["payload"]["data"]["memberChanged"]["version"] == version


async def test_complete_of_an_unknown_operation_is_ignored(nobody: Socket) -> None:
    await nobody.send(type="complete", id="never there")
    await nobody.subscribe("1", "{ __typename }")
    assert [(await nobody.receive())["type"] for _ in range(2)] == ["next", "complete"]
    await nobody.send(type="complete", id="1")
    await nobody.send(type="complete", id="1")
    await nobody.expect_alive()


async def test_results_of_one_member_come_in_order_on_every_operation(
    api_member: ApiMember, member_socket: Socket
) -> None:
    for id_ in "abc":
        await member_socket.subscribe(id_, LIVE)
        assert (await member_socket.receive())["id"] == id_
    versions = [(await api_member.buy("3.00"))["member"]["version"] for _ in range(3)]
    seen: dict[str, list[int]] = {id_: [] for id_ in "abc"}
    for _ in range(9):
        update = await member_socket.receive()
        seen[update["id"]].append(update["payload"]["data"]["memberChanged"]["version"])
    assert seen == dict.fromkeys("abc", versions)
    await member_socket.expect_alive()


async def test_vanished_clients_are_cleaned_up(development_gateway: GatewayProcess, api_member: ApiMember) -> None:
    heavy = "{ __schema { types { name description fields { name description args { name } type { name } } } } }"
    faults = internal_error_count(development_gateway)
    for _ in range(5):
        async with opened(development_gateway, PROTOCOL) as socket:
            await socket.init(api_member.token())
            socket.connection.transport.pause_reading()
            for number in range(OPERATIONS_MAX):
                await socket.subscribe(str(number), heavy if number % 2 else LIVE)
            await asyncio.sleep(0.1)
            socket.connection.transport.abort()
    await api_member.buy("3.00")
    await wait_for_no_connections(development_gateway, "websocket")
    assert internal_error_count(development_gateway) == faults
