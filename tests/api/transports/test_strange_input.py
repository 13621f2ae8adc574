"""Bytes of a stranger, over the network: no answer is INTERNAL, and the log has no traceback."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator

import orjson
import pytest
from support.servers.gateway import GatewayProcess

from schema.wire.ids import cursor, entry_id, global_id

DEEP = b'{"a":' * 900 + b"1" + b"}" * 900
UPGRADE = (
    "GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
WITHIN_SECONDS = 10


def frame(text: bytes) -> bytes:
    """Return a masked text frame, as browsers send it."""
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + len(text).to_bytes(2)
    return b"\x81" + length + b"\0\0\0\0" + text


def message(type_: str, **fields: object) -> bytes:
    return frame(orjson.dumps({"type": type_, **fields}))


def faults_logged(gateway: GatewayProcess) -> list[str]:
    lines = gateway.output.read_text(errors="replace").splitlines()
    return [line for line in lines if '"exception"' in line or "never awaited" in line or "Traceback" in line]


class Wire:
    """A WebSocket of bare bytes: whatever is written together arrives together."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until(self, part: bytes) -> bytes:
        """Read until `part` arrives, or to the end."""
        read = b""
        async with asyncio.timeout(WITHIN_SECONDS):
            while part not in read and (chunk := await self.reader.read(65_536)):
                read += chunk
        return read


@pytest.fixture
async def wire(development_gateway: GatewayProcess) -> AsyncIterator[Wire]:
    """Open a socket; afterwards, the log must have no new fault."""
    before = faults_logged(development_gateway)
    host, port = development_gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(UPGRADE.format(key=base64.b64encode(os.urandom(16)).decode()).encode())
    opened = Wire(reader, writer)
    assert b"101" in await opened.until(b"\r\n\r\n")
    yield opened
    writer.close()
    await asyncio.sleep(0.3)
    assert faults_logged(development_gateway) == before


@pytest.mark.parametrize("kind", [b"ping", b"pong", b"connection_init", b"subscribe", b"complete"])
async def test_deep_message_closes_the_socket_with_4400(wire: Wire, kind: bytes) -> None:
    wire.writer.write(frame(b'{"type":"%b","id":"1","payload":%b}' % (kind, DEEP)))
    assert (4400).to_bytes(2) in await wire.until(b"levels")


async def test_text_that_is_not_utf8_closes_the_socket(wire: Wire) -> None:
    wire.writer.write(frame(b"\xff\xfe"))
    assert (1007).to_bytes(2) in await wire.until(b"\x03\xef")


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        "{ nothing }",
        "subscription { memberChanged { version } }",
        'subscription { memberChanged(by: {number: "1"}) { version } }',
    ],
)
@pytest.mark.parametrize("times", [1, 5])
async def test_subscribe_and_complete_in_one_segment(wire: Wire, query: str, times: int) -> None:
    wire.writer.write(message("connection_init"))
    assert b"connection_ack" in await wire.until(b"ack")
    pair = message("subscribe", id="1", payload={"query": query}) + message("complete", id="1")
    wire.writer.write(pair * times + message("ping"))
    assert b"pong" in await wire.until(b"pong")


async def test_subscribe_and_the_end_of_the_socket_in_one_segment(wire: Wire) -> None:
    wire.writer.write(message("connection_init") + message("subscribe", id="1", payload={"query": "{ __typename }"}))
    wire.writer.write(message("subscribe", id="2", payload={"query": "{ __typename }"}) + message("unknown"))
    assert (4400).to_bytes(2) in await wire.until((4400).to_bytes(2))


@pytest.mark.parametrize("digits", [18, 19, 20, 40, 300])
async def test_ids_and_cursors_with_long_numbers(development_gateway: GatewayProcess, digits: int) -> None:
    before, number = faults_logged(development_gateway), int("9" * digits)
    token = development_gateway.token("agent")
    ids = [entry_id("a", number, 0), entry_id("a", 0, number), global_id("Order", number), global_id("Member", number)]
    for id_ in ids:
        await development_gateway.ask(token, "query ($id: ID!) { node(id: $id) { id } }", id=id_)
    async with development_gateway.client(token) as client:
        session = (await client.get("/dev/session")).json()
    for after in (cursor(number, 0), cursor(0, number)):
        await development_gateway.ask(
            token,
            """query ($n: String!, $a: String) {
              member(by: {number: $n}) { activity(after: $a) { pageInfo { hasNextPage } } }
            }""",
            n=session["members"][0]["number"],
            a=after,
        )
    assert faults_logged(development_gateway) == before


@pytest.mark.parametrize("size", [4000, 5000, 100_000])
async def test_deep_bodies_are_refused_by_every_endpoint(development_gateway: GatewayProcess, size: int) -> None:
    before = faults_logged(development_gateway)
    async with development_gateway.client(None, **{"content-type": "application/json"}) as client:
        for path in ("/graphql", "/graphql/stream", "/dev/token"):
            assert (await client.post(path, content=b"[" * size)).status_code in {400, 413}
    assert faults_logged(development_gateway) == before
