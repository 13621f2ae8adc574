"""Two gateways on one database, used in turn by staff and members."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from schema.wire.ids import from_global_id
from support.clients.api import ADJUST, ENROL, ApiMember, data, mutation
from support.servers.gateway import GatewayProcess

CONCURRENT_MAX = 64
VISIBLE_WITHIN_SECONDS = 15

_SAVE = """mutation ($input: SaveCatalogueItemInput!) {
  saveCatalogueItem(input: $input) {
    offer { id key } reward { id key } content { id key } version replayed userErrors { code message path }
  }
}"""
_ORDER = """order {
  id number state quantity returned points placedAt recipient code appointment trackingUrl
  reward { key title direction }
  history { state at note }
}"""
PLACE = f"""mutation ($input: PlaceOrderInput!) {{
  placeOrder(input: $input) {{
    {_ORDER}
    member {{ version points {{ available held }} }}
    replayed
    userErrors {{ code message path }}
  }}
}}"""
CANCEL = PLACE.replace("PlaceOrderInput", "CancelOrderInput").replace("placeOrder", "cancelOrder")
ADVANCE = PLACE.replace("PlaceOrderInput", "AdvanceOrderInput").replace("placeOrder", "advanceOrder")
HOLD = """mutation ($input: HoldInput!) {
  hold(input: $input) {
    hold { id points expiresAt reward { key } }
    member { version points { available held } }
    replayed
    userErrors { code message path }
  }
}"""
RELEASE = HOLD.replace("HoldInput", "ReleaseInput").replace("hold(input", "release(input")
REDEEM = """mutation ($input: RedeemOfferInput!) {
  redeemOffer(input: $input) {
    memberOffer { state usesLeft code offer { key } }
    entries { kind points }
    orders { number reward { key } }
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""
ACTIVATE = REDEEM.replace("RedeemOfferInput", "ActivateOfferInput").replace("redeemOffer", "activateOffer")


@dataclass
class TwoGateways:
    """Sends operations to both gateways over open connections, at most CONCURRENT_MAX at a time."""

    gateways: tuple[GatewayProcess, GatewayProcess]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]
    turns: int = 0
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT_MAX))

    @classmethod
    @asynccontextmanager
    async def connected(cls, one: GatewayProcess, other: GatewayProcess) -> AsyncIterator["TwoGateways"]:
        """Connect to both gateways."""
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(gateway.client()) for gateway in (one, other)]
            yield cls((one, other), (clients[0], clients[1]))

    async def ask(self, token: str, query: str, *, at: int | None = None, **variables: Any) -> dict[str, Any]:
        """Send one operation, to the gateways in turn or to gateway `at`; return its data."""
        self.turns += 1
        client = self.clients[self.turns % 2 if at is None else at]
        headers = {"authorization": f"Bearer {token}"}
        async with self._slots:
            answer = await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        return data(answer.json())

    async def mutate(self, token: str, name: str, selection: str = "", /, **fields: Any) -> dict[str, Any]:
        """Send one mutation, with a new key unless one is given; return its payload."""
        query = mutation(name, selection)
        payload: dict[str, Any] = (await self.ask(token, query, input={"key": uuid4().hex, **fields}))[name]
        return payload

    async def mutate_accepted(self, token: str, name: str, selection: str = "", /, **fields: Any) -> dict[str, Any]:
        """Send one mutation; fail the test if it is refused."""
        payload = await self.mutate(token, name, selection, **fields)
        assert payload["userErrors"] == []
        return payload

    def token(self, role: str) -> str:
        """Return a token for a role."""
        return self.gateways[0].token(role)

    async def save_item(self, what: str, **definition: Any) -> str:
        """Save a reward or an offer under a new key; return its id once both gateways serve it."""
        key = f"{what.lower()}-{uuid4().hex[:12]}"
        texts = {name: {"en": "A thing", "fr": "Une chose", "ar": "شيء"} for name in ("title", "description")}
        fields = {"key": uuid4().hex, "kind": what, "definition": {"key": key, **texts, **definition}}
        payload = (await self.ask(self.token("manager"), _SAVE, input=fields))["saveCatalogueItem"]
        assert payload["userErrors"] == []
        id_: str = payload[what.lower()]["id"]
        async with asyncio.timeout(VISIBLE_WITHIN_SECONDS):
            for at in (0, 1):
                while not (await self.ask(self.token("manager"), _NODE, at=at, id=id_))["node"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        return id_

    async def enrol_members(self, count: int, *, points: int) -> list[ApiMember]:
        """Enrol `count` members with `points` each."""
        return [*await asyncio.gather(*(self._enrol_member(points) for _ in range(count)))]

    async def _enrol_member(self, points: int) -> ApiMember:
        fields = {"key": uuid4().hex, "channel": "STORE"}
        member = (await self.ask(self.token("till"), ENROL, input=fields))["enrol"]["member"]
        given = {"key": uuid4().hex, "member": {"number": member["number"]}, "points": points, "reason": "a gift"}
        payload = (await self.ask(self.token("agent"), ADJUST, input=given))["adjustPoints"]
        assert payload["userErrors"] == []
        return ApiMember(self.gateways[0], member["id"], member["number"])

    async def place_order(self, api_member: ApiMember, reward: str, **about: Any) -> dict[str, Any]:
        """Order a reward as the member."""
        fields = {"key": uuid4().hex, "reward": reward, "channel": "APP", **about}
        payload: dict[str, Any] = (await self.ask(api_member.token(), PLACE, input=fields))["placeOrder"]
        return payload

    async def available_points(self, people: Iterable[ApiMember]) -> list[int]:
        """Return the available points of each member."""
        query = "{ me { points { available } } }"
        answers = await asyncio.gather(*(self.ask(api_member.token(), query) for api_member in people))
        return [answer["me"]["points"]["available"] for answer in answers]

    def data_dir(self) -> str:
        """Return the embedded server's directory, for commands."""
        return str(self.gateways[0].data_dir)


_NODE = "query ($id: ID!) { node(id: $id) { id } }"


def member_of(api_member: ApiMember) -> str:
    """Return the member's id as documents have it."""
    return from_global_id(api_member.id)[1][0]
