"""A bazaar: two gateways, a manager who puts things on offer, and shoppers who all want the same at once."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from schema.wire.ids import from_global_id
from support.api import ADJUST, ENROL, Person, data, mutation
from support.gateway import GatewayProcess

AT_ONCE = 64
KNOWN_WITHIN_SECONDS = 15

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
class Bazaar:
    """Speaks to both gateways over connections that are kept, as apps and tills do."""

    gateways: tuple[GatewayProcess, GatewayProcess]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]
    turns: int = 0
    few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @classmethod
    @asynccontextmanager
    async def opened(cls, one: GatewayProcess, other: GatewayProcess) -> AsyncIterator["Bazaar"]:
        """Open it for the time of a test."""
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(gateway.client()) for gateway in (one, other)]
            yield cls((one, other), (clients[0], clients[1]))

    async def ask(self, token: str, query: str, *, at: int | None = None, **variables: Any) -> dict[str, Any]:
        """Send one operation, to the gateways in turn; return its data."""
        self.turns += 1
        client = self.clients[self.turns % 2 if at is None else at]
        headers = {"authorization": f"Bearer {token}"}
        async with self.few:
            answer = await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        return data(answer.json())

    async def act(self, token: str, name: str, selection: str = "", **told: Any) -> dict[str, Any]:
        """Send one mutation, under a key of its own where none is told; return its payload."""
        query = mutation(name, selection)
        payload: dict[str, Any] = (await self.ask(token, query, input={"key": uuid4().hex, **told}))[name]
        return payload

    async def done(self, token: str, name: str, selection: str = "", **told: Any) -> dict[str, Any]:
        """Send one mutation, and expect that it is done."""
        payload = await self.act(token, name, selection, **told)
        assert payload["userErrors"] == []
        return payload

    def token(self, role: str) -> str:
        """Return a token of staff."""
        return self.gateways[0].token(role)

    async def put(self, what: str, **definition: Any) -> str:
        """Put a reward or an offer on, under a key of its own, and wait until both gateways know it; return its id."""
        key = f"{what.lower()}-{uuid4().hex[:12]}"
        texts = {name: {"en": "A thing", "fr": "Une chose", "ar": "شيء"} for name in ("title", "description")}
        told = {"key": uuid4().hex, "kind": what, "definition": {"key": key, **texts, **definition}}
        payload = (await self.ask(self.token("manager"), _SAVE, input=told))["saveCatalogueItem"]
        assert payload["userErrors"] == []
        id_: str = payload[what.lower()]["id"]
        async with asyncio.timeout(KNOWN_WITHIN_SECONDS):
            for at in (0, 1):
                while not (await self.ask(self.token("manager"), _NODE, at=at, id=id_))["node"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        return id_

    async def newcomers(self, count: int, *, points: int) -> list[Person]:
        """Enrol so many, and give each so many points."""
        return [*await asyncio.gather(*(self._newcomer(points) for _ in range(count)))]

    async def _newcomer(self, points: int) -> Person:
        told = {"key": uuid4().hex, "channel": "STORE"}
        member = (await self.ask(self.token("till"), ENROL, input=told))["enrol"]["member"]
        given = {"key": uuid4().hex, "member": {"number": member["number"]}, "points": points, "reason": "a gift"}
        payload = (await self.ask(self.token("agent"), ADJUST, input=given))["adjustPoints"]
        assert payload["userErrors"] == []
        return Person(self.gateways[0], member["id"], member["number"])

    async def place(self, person: Person, reward: str, **about: Any) -> dict[str, Any]:
        """Order a reward as the member."""
        told = {"key": uuid4().hex, "reward": reward, "channel": "APP", **about}
        payload: dict[str, Any] = (await self.ask(person.token(), PLACE, input=told))["placeOrder"]
        return payload

    async def available(self, people: Iterable[Person]) -> list[int]:
        """Return what each has to spend."""
        query = "{ me { points { available } } }"
        answers = await asyncio.gather(*(self.ask(person.token(), query) for person in people))
        return [answer["me"]["points"]["available"] for answer in answers]

    def data_dir(self) -> str:
        """Return the directory of the embedded server, for commands."""
        return str(self.gateways[0].data_dir)


_NODE = "query ($id: ID!) { node(id: $id) { id } }"


def member_of(person: Person) -> str:
    """Return the member's id as documents have it."""
    return from_global_id(person.id)[1][0]
