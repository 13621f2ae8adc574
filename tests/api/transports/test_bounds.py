"""What a stranger may send on a live connection is bounded, and a stranger does not delay the end of a gateway."""

import asyncio
import json
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from httpx import URL
from support.clients.api import ApiMember, only_error
from support.servers.gateway import GatewayProcess, next_message
from websockets.exceptions import ConnectionClosed

STOP_SECONDS_MAX = 8
"""Far less than CARILLON_STOP_SECONDS, and enough for a busy machine."""

HALVES = (
    b"GET /graphql HT",
    b"GET / HTTP/1.1\r\nx-a: aaa",
    b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
)


async def test_the_payload_of_a_ping_is_bounded(development_gateway: GatewayProcess) -> None:
    async with development_gateway.socket(None) as opened:
        await opened.send(json.dumps({"type": "ping", "payload": {"a": "x" * 900}}))
        assert (await next_message(opened))["payload"] == {"a": "x" * 900}
        await opened.send(json.dumps({"type": "ping", "payload": {"a": "x" * 1000}}))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(opened.recv(), 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


@pytest.mark.parametrize("size", [201, 30_000])
async def test_the_id_of_an_operation_is_bounded(development_gateway: GatewayProcess, size: int) -> None:
    async with development_gateway.socket(None) as opened:
        for id_ in ("x" * 200, "x" * size):
            await opened.send(json.dumps({"type": "subscribe", "id": id_, "payload": {"query": "{ __typename }"}}))
        with suppress(ConnectionClosed):
            while True:
                assert (await next_message(opened))["id"] == "x" * 200
    assert opened.close_code == 4400


async def test_an_operation_needs_an_id(development_gateway: GatewayProcess) -> None:
    async with development_gateway.socket(None) as opened:
        await opened.send(json.dumps({"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}))
        with pytest.raises(ConnectionClosed) as closed:
            await next_message(opened)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


async def test_messages_are_smaller_without_a_token(api_member: ApiMember) -> None:
    message = {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": "{ __typename }", "extensions": {"padding": "x" * 40_000}},
    }
    async with api_member.gateway.socket(api_member.token()) as opened:
        await opened.send(json.dumps(message))
        assert (await next_message(opened))["payload"] == {"data": {"__typename": "Query"}}
    async with api_member.gateway.socket(None) as opened:
        await opened.send(json.dumps(message))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(opened.recv(), 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_bodies_are_smaller_without_a_token(api_member: ApiMember, path: str) -> None:
    body = {"query": "{ __typename }", "extensions": {"padding": "x" * 40_000}}
    for authorization in ({}, {"authorization": ""}):
        async with api_member.gateway.client() as client:
            refused = await client.post(path, json=body, headers=authorization)
        assert refused.status_code == 413
        extensions = only_error(refused.json())["extensions"]
        assert extensions["setting"] == "CARILLON_LIMIT_ANONYMOUS_BODY"
    async with api_member.gateway.client(api_member.token()) as client:
        assert (await client.post(path, json=body)).status_code == 200


def unread_socket(gateway: GatewayProcess, host: str, port: int) -> socket.socket:
    """Return a socket whose client asks for large answers, and reads none."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.connect((host, port))
    opened.sendall(
        b"GET /graphql HTTP/1.1\r\nhost: a\r\n"
        b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n"
    )
    opened.recv(4000)
    opened.sendall(frame(type="connection_init", payload={"Authorization": f"Bearer {gateway.token('manager')}"}))
    query = "{ __schema { types { name description fields { name description } } } }"
    for number in range(60):
        opened.sendall(frame(type="subscribe", id=str(number), payload={"query": query}))
    return opened


def frame(**message: object) -> bytes:
    """Return a masked text frame of a client."""
    body = json.dumps(message).encode()
    size = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0xFE]) + len(body).to_bytes(2)
    return b"\x81" + size + bytes(4) + body


def test_neither_half_sent_requests_nor_an_unread_socket_delay_the_end(
    development_gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway = GatewayProcess.start(
        "serve", data_dir=development_gateway.data_dir, output=tmp_path / "output.log", CARILLON_DRAIN_SECONDS="0"
    )
    url = URL(gateway.url)
    host, port = url.host, url.port or 0
    opened = [socket.create_connection((host, port)) for _ in range(300)]
    for number, one in enumerate(opened):
        one.sendall(HALVES[number % len(HALVES)])
    opened.append(unread_socket(gateway, host, port))
    time.sleep(2)
    started = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - started < STOP_SECONDS_MAX
    for one in opened:
        one.close()
