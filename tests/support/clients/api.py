"""A member and a till as clients of the API: everything goes through a gateway."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection

from schema.wire.ids import from_global_id
from support.servers.gateway import GatewayProcess, next_message

ENROL = """mutation ($input: EnrolInput!) {
  enrol(input: $input) { member { id number version points { available } } replayed userErrors { code message path } }
}"""
RECORD = """mutation ($input: RecordEventInput!) {
  recordEvent(input: $input) {
    entries { id kind points balance version channel label }
    why { rule points applied reason }
    member { number version points { available lifetime } status { tier { key } } }
    replayed
    userErrors { code message path }
  }
}"""
PREVIEW = RECORD.replace("recordEvent", "previewEvent")
RECORD_MANY = RECORD.replace("$input: RecordEventInput!", "$input: [RecordEventInput!]!").replace(
    "recordEvent(", "recordEvents("
)
ADJUST = """mutation ($input: AdjustPointsInput!) {
  adjustPoints(input: $input) {
    entries { kind points balance version channel label }
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""
STATE = """query ($by: MemberKey!) {
  member(by: $by) {
    version
    points { available pending held lifetime }
    activity(first: 100) { edges { node { kind points balance version } } pageInfo { hasNextPage } }
  }
}"""
LIVE = """subscription ($by: MemberKey, $after: Int) {
  memberChanged(by: $by, after: $after) {
    version
    member { number version points { available } }
    entries { points balance version }
    resync
  }
}"""

_subscriptions = count(1)


@dataclass(frozen=True)
class ApiMember:
    """A member of the gateway's programme: the global `id`, and the membership number."""

    gateway: GatewayProcess
    id: str
    number: str

    @property
    def by(self) -> dict[str, str]:
        """The member's key, as a till sends it."""
        return {"number": self.number}

    def token(self, **claims: Any) -> str:
        """Return a token of the member."""
        return self.gateway.token("member", member=from_global_id(self.id)[1][0], **claims)

    def purchase(self, total: str = "10.00", **about: Any) -> dict[str, Any]:
        """Return a purchase of the member with a new key; None leaves a field out."""
        fields = {
            "key": uuid4().hex,
            "type": "purchase",
            "member": self.by,
            "occurredAt": datetime.now(UTC).isoformat(),
            "channel": "STORE",
            "purchase": {"total": total, "currency": "USD"},
            **about,
        }
        return {name: value for name, value in fields.items() if value is not None}

    async def buy(self, total: str = "10.00", *, gateway: GatewayProcess | None = None, **about: Any) -> dict[str, Any]:
        """Record a purchase at a till; fail the test if it is refused."""
        payload = await record(gateway or self.gateway, self.purchase(total, **about))
        assert payload["userErrors"] == []
        return payload

    async def state(self) -> dict[str, Any]:
        """Return the member's state that a refusal must not change."""
        found: dict[str, Any] = data(await self.gateway.ask(self.gateway.token("agent"), STATE, by=self.by))["member"]
        return found


async def ask_as(
    gateway: GatewayProcess,
    token: str | None,
    query: str,
    *,
    locale: str | None = None,
    channel: str | None = None,
    **variables: Any,
) -> dict[str, Any]:
    """Send one operation with the headers of language and channel; return the whole answer."""
    fields = {"accept-language": locale, "x-carillon-channel": channel}
    headers = {name: value for name, value in fields.items() if value is not None}
    async with gateway.client(token, **headers) as client:
        answer = await client.post("/graphql", json={"query": query, "variables": variables})
    result: dict[str, Any] = answer.json()
    return result


def mutation(name: str, selection: str = "") -> str:
    """Return a mutation that selects `selection` and the fields of every payload."""
    input_type = f"{name[0].upper()}{name[1:]}Input"
    return f"""mutation ($input: {input_type}!) {{
  {name}(input: $input) {{ {selection} replayed userErrors {{ code message path }} }}
}}"""


def refusal_of(payload: dict[str, Any]) -> tuple[str, str]:
    """Return code and path of the one refusal of a payload."""
    [error] = payload["userErrors"]
    assert error["message"]
    assert payload["replayed"] is False
    return error["code"], ".".join(error["path"])


def data(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an answer without errors."""
    assert "errors" not in answer, answer["errors"]
    found: dict[str, Any] = answer["data"]
    return found


def only_error(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the one error of an answer."""
    [error] = answer["errors"]
    found: dict[str, Any] = error
    return found


def code_of(answer: dict[str, Any]) -> str:
    """Return the code of the one error of an answer."""
    return str(only_error(answer)["extensions"]["code"])


async def enrol(gateway: GatewayProcess, **about: Any) -> ApiMember:
    """Enrol a member at a till."""
    fields = {"key": uuid4().hex, "channel": "STORE", **about}
    payload = data(await gateway.ask(gateway.token("till"), ENROL, input=fields))["enrol"]
    assert payload["userErrors"] == []
    return ApiMember(gateway, payload["member"]["id"], payload["member"]["number"])


async def record(gateway: GatewayProcess, event: dict[str, Any], *, token: str | None = None) -> dict[str, Any]:
    """Send one event and return its payload."""
    answer = await gateway.ask(token or gateway.token("till"), RECORD, input=event)
    payload: dict[str, Any] = data(answer)["recordEvent"]
    return payload


async def watch(
    socket: ClientConnection, by: dict[str, str] | None = None, *, after: int | None = None, query: str = LIVE
) -> str:
    """Subscribe to a member on a socket; return the operation's id."""
    id_ = str(next(_subscriptions))
    payload = {"query": query, "variables": {"by": by, "after": after}}
    await socket.send(json.dumps({"type": "subscribe", "id": id_, "payload": payload}))
    return id_


async def next_update(socket: ClientConnection, within_seconds: float = 15) -> dict[str, Any]:
    """Return the next update of the one subscription on a socket."""
    message = await next_message(socket, within_seconds)
    assert message["type"] == "next", message
    update: dict[str, Any] = data(message["payload"])["memberChanged"]
    return update


class EventStream:
    """The server-sent events of one response."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, dict[str, Any] | None]:
        """Return the next event's name and data; comments are skipped."""
        name = ""
        async for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data:") and name:
                body = line.removeprefix("data:").strip()
                return name, json.loads(body) if body else None
        raise EOFError("the stream has ended")

    async def next_update(self) -> dict[str, Any]:
        """Return the next update of the one subscription on the stream."""
        name, answer = await self.next()
        assert name == "next", name
        assert answer is not None
        update: dict[str, Any] = data(answer)["memberChanged"]
        return update


@asynccontextmanager
async def event_stream(
    gateway: GatewayProcess, token: str | None, query: str, **variables: Any
) -> AsyncIterator[EventStream]:
    """Run an operation on /graphql/stream in distinct-connections mode."""
    body = {"query": query, "variables": variables}
    async with (
        gateway.client(token, accept="text/event-stream") as client,
        client.stream("POST", "/graphql/stream", json=body) as answer,
    ):
        yield EventStream(answer)
