"""A manifest of registered operations, and functions that send one request by each transport."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from support.servers.gateway import GatewayProcess, next_message

NAME_ONLY = "query Registered { me { number } __typename }"
WITH_VARIABLES = "query Counted($first: Int!) { me { activity(first: $first) { edges { node { points } } } } }"
LIVE = "subscription Registered { memberChanged { version } }"
RECORD = """mutation Registered($input: RecordEventInput!) {
  recordEvent(input: $input) { replayed userErrors { message } }
}"""
OWN_ID = "home-2"
TEXTS = (NAME_ONLY, WITH_VARIABLES, LIVE, RECORD)
TOKEN_HEADER = "x-graphql-event-stream-token"

Answer = dict[str, Any]
Send = Callable[[GatewayProcess, str | None, dict[str, Any]], Awaitable[Answer]]


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def apollo(text: str, hash_: str | None = None) -> dict[str, Any]:
    """Return the extensions in which Apollo clients send the hash of an operation."""
    return {"persistedQuery": {"version": 1, "sha256Hash": hash_ or hash_of(text)}}


def write_manifest(file: Path) -> Path:
    """Write a manifest in Apollo's format: one operation has its own id, the others have their hash."""
    listed = [
        {
            "id": OWN_ID if text is NAME_ONLY else hash_of(text),
            "name": "Registered",
            "type": text.split()[0],
            "body": text,
        }
        for text in TEXTS
    ]
    document = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": listed}
    file.write_bytes(orjson.dumps(document))
    return file


def _in_query(parameters: dict[str, Any]) -> dict[str, str]:
    """Encode parameters for a query string."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}


async def by_post(gateway: GatewayProcess, token: str | None, parameters: dict[str, Any]) -> Answer:
    async with gateway.client(token) as client:
        answer = await client.post("/graphql", json=parameters)
    assert answer.status_code == 200
    result: Answer = answer.json()
    return result


async def by_get(gateway: GatewayProcess, token: str | None, parameters: dict[str, Any]) -> Answer:
    async with gateway.client(token) as client:
        answer = await client.get("/graphql", params=_in_query(parameters))
    assert answer.status_code == 200
    result: Answer = answer.json()
    return result


async def by_socket(gateway: GatewayProcess, token: str | None, parameters: dict[str, Any]) -> Answer:
    """Return the first result on a socket, or an error message as an answer with `errors`."""
    async with gateway.socket(token) as socket:
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": parameters}))
        message = await next_message(socket)
    payload = message["payload"]
    return payload if message["type"] == "next" else {"errors": payload}


async def _first_event(lines: Any) -> Any:
    async with asyncio.timeout(10):
        async for line in lines:
            if line.startswith("data: "):
                return json.loads(line.removeprefix("data: "))
    raise EOFError("the stream has ended")


async def by_stream(gateway: GatewayProcess, token: str | None, parameters: dict[str, Any]) -> Answer:
    async with (
        gateway.client(token, accept="text/event-stream") as client,
        client.stream("POST", "/graphql/stream", json=parameters) as answer,
    ):
        assert answer.status_code == 200
        result: Answer = await _first_event(answer.aiter_lines())
        return result


async def by_stream_get(gateway: GatewayProcess, token: str | None, parameters: dict[str, Any]) -> Answer:
    async with (
        gateway.client(token, accept="text/event-stream") as client,
        client.stream("GET", "/graphql/stream", params=_in_query(parameters)) as answer,
    ):
        assert answer.status_code == 200
        result: Answer = await _first_event(answer.aiter_lines())
        return result


async def by_single_stream(gateway: GatewayProcess, token: str | None, parameters: dict[str, Any]) -> Answer:
    async with gateway.client(token, accept="text/event-stream") as client:
        header = {TOKEN_HEADER: (await client.put("/graphql/stream")).text}
        async with client.stream("GET", "/graphql/stream", headers=header) as stream:
            named = {**parameters, "extensions": {**parameters.get("extensions", {}), "operationId": "1"}}
            assert (await client.post("/graphql/stream", headers=header, json=named)).status_code == 202
            result: Answer = (await _first_event(stream.aiter_lines()))["payload"]
            return result


TRANSPORTS: dict[str, Send] = {
    "POST": by_post,
    "GET": by_get,
    "socket": by_socket,
    "stream": by_stream,
    "stream by GET": by_stream_get,
    "single stream": by_single_stream,
}
LIVE_TRANSPORTS = {name: send for name, send in TRANSPORTS.items() if name not in {"POST", "GET"}}
