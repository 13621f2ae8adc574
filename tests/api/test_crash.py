"""A gateway killed at random moments of orders, holds and redemptions: nothing is lost, nothing doubled.

The suite kills it a few times; `KILLS=200 pytest tests/api/test_crash.py` does so at length.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import eq
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support.clients.api import RECORD, ApiMember, enrol
from support.clients.two_gateways import CANCEL, HOLD, PLACE, REDEEM, RELEASE
from support.programme_files import programme_source
from support.servers.gateway import GatewayProcess

from gateway.auth.development_key import DevelopmentKey
from gateway.clock import now
from loyalty.kernel.refusal import RefusalCode
from models.definitions.catalogue_file import ItemKind
from models.loading.code_pool import load_codes
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer
from models.programmes.catalogue_store import put_many
from models.programmes.programme_store import Programmes, apply_file
from resolvers.audit.audit import audit
from schema.wire.ids import global_id

KILLS = int(os.environ.get("KILLS", "4"))
CLIENTS = 12
PEOPLE = 6
HOLD_SECONDS = 2
# Refusals that concurrent clients may get, also for retries after a crash.
EXPECTED = {code.value for code in RefusalCode} - {"INVALID", "KEY_REUSED", "ALREADY_EXISTS"}
TEXTS: dict[str, Any] = {name: {"en": "A thing"} for name in ("title", "description")}
MUG = {**TEXTS, "key": "mug", "kind": "PHYSICAL", "category": "home", "points": 5, "stock": 60}
FILM = {**TEXTS, "key": "film", "kind": "DIGITAL_CODE", "category": "leisure", "points": 5, "pool": "films"}
COUPON = {
    **TEXTS,
    "key": "coupon",
    "kind": "BONUS_POINTS",
    "terms": {"en": ""},
    "first_day": "2026-01-01",
    "points": 7,
    "uses": {"per_member": "unlimited", "in_all": 500},
    "returnable": True,
}
SentRequest = tuple[str, str, dict[str, Any]]


class Site:
    """A gateway on its own mongod, which the test kills and restarts."""

    def __init__(self, folder: Path, mongod: EmbeddedServer) -> None:
        self._folder, self._mongod = folder, mongod
        self.gateway = self._start()
        self.is_up = asyncio.Event()
        self.is_up.set()

    def _start(self) -> GatewayProcess:
        return GatewayProcess.start(
            "serve",
            data_dir=self._folder / "key",
            output=self._folder / "gateway.log",
            CARILLON_DRAIN_SECONDS="0",
            CARILLON_MONGODB_URL=self._mongod.url,
        )

    async def crash(self) -> None:
        """Kill the gateway, as a power cut would, and start another."""
        self.is_up.clear()
        await asyncio.to_thread(self.gateway.kill)
        self.gateway = await asyncio.to_thread(self._start)
        self.is_up.set()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[tuple[Database, EmbeddedServer]]:
    """A mongod with a programme, three catalogue items and a code pool."""
    with EmbeddedServer.start(tmp_path / "mongod", purpose="tests", cache_gib=0.25) as mongod:
        database = connect(mongod.url)
        await database.prepare()
        await apply_file(database, programme_source("grocer"), now=now(), applied_by="tests")
        programmes = Programmes(database)
        await programmes.load()
        offered = [(ItemKind.REWARD, MUG), (ItemKind.REWARD, FILM), (ItemKind.OFFER, COUPON)]
        await put_many(database, programmes.get("grocer"), offered, now=now(), changed_by="tests")
        await load_codes(database, "grocer", "films", (f"film-{n}" for n in range(2000)))
        yield database, mongod
        await database.close()


@dataclass
class Client:
    """An app and a till that send random mutations, each until it is answered."""

    site: Site
    api_member: ApiMember
    chance: random.Random
    answered: list[tuple[SentRequest, dict[str, Any]]] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)

    @property
    def done(self) -> list[tuple[SentRequest, dict[str, Any]]]:
        """Return the accepted mutations."""
        return [one for one in self.answered if not one[1]["userErrors"]]

    async def run(self, enough: asyncio.Event) -> None:
        """Send until the target is reached."""
        while not enough.is_set():
            requested = self._next()
            payload = await self._answer(requested)
            assert {error["code"] for error in payload["userErrors"]} <= EXPECTED, payload
            self.answered.append((requested, payload))
            if payload.get("order"):
                self.orders.append(payload["order"]["id"])
            if payload.get("hold") and requested[1] == "hold":
                self.holds.append(payload["hold"]["id"])

    def _next(self) -> SentRequest:
        key = uuid4().hex
        reward = global_id("Reward", "grocer", self.chance.choice(["mug", "film"]))
        match self.chance.choice(["buy", "buy", "place", "place", "hold", "checkout", "release", "cancel", "redeem"]):
            case "place":
                return PLACE, "placeOrder", {"key": key, "reward": reward, "channel": "APP"}
            case "hold":
                return HOLD, "hold", {"key": key, "reward": reward, "ttlSeconds": HOLD_SECONDS}
            case "checkout" if self.holds:
                about = {"key": key, "reward": reward, "channel": "APP", "hold": self.holds.pop()}
                return PLACE, "placeOrder", about
            case "release" if self.holds:
                return RELEASE, "release", {"key": key, "hold": self.holds.pop()}
            case "cancel" if self.orders:
                return CANCEL, "cancelOrder", {"key": key, "order": self.orders.pop()}
            case "redeem":
                coupon = global_id("Offer", "grocer", "coupon")
                fields = {"key": key, "member": self.api_member.by, "offer": coupon, "channel": "STORE"}
                return REDEEM, "redeemOffer", fields
            case _:
                return RECORD, "recordEvent", self.api_member.purchase("20.00", key=key)

    async def _answer(self, requested: SentRequest) -> dict[str, Any]:
        """Send until there is an answer; retries have the same key and count once."""
        query, name, variables = requested
        while True:
            await self.site.is_up.wait()
            gateway = self.site.gateway
            token = gateway.token("till") if name in {"recordEvent", "redeemOffer"} else self.api_member.token()
            with suppress(httpx.HTTPError, ValueError):
                async with gateway.client(token) as client:
                    body = {"query": query, "variables": {"input": variables}}
                    answer = (await client.post("/graphql", json=body)).json()
                if "errors" not in answer:
                    payload: dict[str, Any] = answer["data"][name]
                    return payload
                assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer
            await asyncio.sleep(0.02)

    async def sent_again(self, requested: SentRequest) -> dict[str, Any]:
        """Return the answer to a replay."""
        return await self._answer(requested)


async def test_gateway_killed_at_random_loses_and_duplicates_nothing(
    tmp_path: Path, database: tuple[Database, EmbeddedServer]
) -> None:
    chance = random.Random(KILLS)  # noqa: S311 - moments, not secrets
    DevelopmentKey.load(tmp_path / "key")
    site = await asyncio.to_thread(Site, tmp_path, database[1])
    people = [await enrol(site.gateway) for _ in range(PEOPLE)]
    clients = [Client(site, people[n % PEOPLE], random.Random(n)) for n in range(CLIENTS)]  # noqa: S311
    enough = asyncio.Event()
    running = [asyncio.create_task(client.run(enough)) for client in clients]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        await site.crash()
    # After the last kill each client still gets something done.
    done = [len(client.done) for client in clients]
    async with asyncio.timeout(60):
        while any(map(eq, done, (len(client.done) for client in clients))):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.05)
    enough.set()
    await asyncio.gather(*running)

    # Everything acknowledged is stored once.
    for client in clients:
        for requested, payload in chance.sample(client.done, min(len(client.done), 10)):
            again = await client.sent_again(requested)
            assert again["replayed"] is True
            for thing in ("order", "hold"):
                if payload.get(thing):
                    assert again[thing]["id"] == payload[thing]["id"]
    # All holds lapse.
    async with asyncio.timeout(20):
        while await database[0].members.find_one({"holds.0": {"$exists": True}}):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    assert await database[0].codes.count_documents({"state": "held"}) == 0
    findings = await audit(database[0])
    assert (findings.members_with_faults, findings.members_with_faults_count) == ([], 0)
    assert findings.members == PEOPLE
    assert await asyncio.to_thread(site.gateway.stop) == 0
