"""Several gateways on one MongoDB, and a MongoDB that crashes: every event counts once, in order."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.clients.api import RECORD, ApiMember, data, enrol, next_update, only_error, record, watch
from support.programme_files import programme_source
from support.servers.gateway import GatewayProcess
from websockets.asyncio.client import ClientConnection

from gateway.auth.development_key import DevelopmentKey
from gateway.clock import now
from models.mongo.database import connect
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import apply_file
from resolvers.audit.audit import audit

CONCURRENT_MAX = 64


async def ledger_of(api_member: ApiMember) -> list[dict[str, Any]]:
    """Return a member's whole ledger, oldest first."""
    query = """query ($by: MemberKey!, $after: String) { member(by: $by) { activity(first: 100, after: $after) {
      edges { node { points balance version } } pageInfo { hasNextPage endCursor } } } }"""
    entries: list[dict[str, Any]] = []
    after = None
    while True:
        answer = await api_member.gateway.ask(api_member.gateway.token("agent"), query, by=api_member.by, after=after)
        page = data(answer)["member"]["activity"]
        entries += [edge["node"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return entries[::-1]
        after = page["pageInfo"]["endCursor"]


async def assert_ledger_holds(api_member: ApiMember, *, versions: int, points: int) -> None:
    """Check that versions have no gap, that each balance follows from the one before, and the sum."""
    state, entries = await api_member.state(), await ledger_of(api_member)
    assert state["version"] == versions
    assert [entry["version"] for entry in entries] == list(range(2, versions + 1))
    balance = 0
    for entry in entries:
        balance += entry["points"]
        assert entry["balance"] == balance
    assert balance == state["points"]["available"] == state["points"]["lifetime"] == points


async def versions_seen(socket: ClientConnection, last: int) -> list[int]:
    """Return the versions that a socket receives, up to the last."""
    seen: list[int] = []
    while not seen or seen[-1] < last:
        update = await next_update(socket)
        assert update["resync"] is False
        assert update["member"]["version"] == update["version"]
        seen.append(update["version"])
    return seen


async def test_events_of_one_member_through_two_gateways_count_once_each(
    api_member: ApiMember, second_gateway: GatewayProcess
) -> None:
    gateways = (api_member.gateway, second_gateway)
    events = [api_member.purchase(f"{dollars}.00") for dollars in range(1, CONCURRENT_MAX + 1)]
    async with api_member.gateway.socket(api_member.token()) as one, second_gateway.socket(api_member.token()) as other:
        await watch(one)
        await watch(other)
        payloads = await asyncio.gather(*(record(gateways[n % 2], event) for n, event in enumerate(events)))
        assert [payload["userErrors"] for payload in payloads] == [[]] * CONCURRENT_MAX
        assert [payload["replayed"] for payload in payloads] == [False] * CONCURRENT_MAX
        assert [payload["entries"][0]["points"] for payload in payloads] == list(range(1, CONCURRENT_MAX + 1))
        assert sorted(payload["member"]["version"] for payload in payloads) == list(range(2, CONCURRENT_MAX + 2))
        for socket in (one, other):
            seen = await versions_seen(socket, CONCURRENT_MAX + 1)
            # The first is the member at the start of the subscription.
            assert seen == list(range(seen[0], CONCURRENT_MAX + 2))
    await assert_ledger_holds(
        api_member, versions=CONCURRENT_MAX + 1, points=CONCURRENT_MAX * (CONCURRENT_MAX + 1) // 2
    )


async def test_one_event_sent_to_two_gateways_at_once_counts_once(
    api_member: ApiMember, second_gateway: GatewayProcess
) -> None:
    event = api_member.purchase("7.00")
    gateways = (api_member.gateway, second_gateway)
    payloads = await asyncio.gather(*(record(gateways[n % 2], event) for n in range(CONCURRENT_MAX)))
    assert [payload["userErrors"] for payload in payloads] == [[]] * CONCURRENT_MAX
    assert sum(not payload["replayed"] for payload in payloads) == 1
    assert {payload["entries"][0]["id"] for payload in payloads} == {payloads[0]["entries"][0]["id"]}
    await assert_ledger_holds(api_member, versions=2, points=7)


async def test_one_key_with_two_contents_counts_one_of_them(
    api_member: ApiMember, second_gateway: GatewayProcess
) -> None:
    event = api_member.purchase("7.00")
    other = {**event, "purchase": {"total": "8.00", "currency": "USD"}}
    first, second = await asyncio.gather(record(api_member.gateway, event), record(second_gateway, other))
    refused = [error["code"] for payload in (first, second) for error in payload["userErrors"]]
    assert refused == ["KEY_REUSED"]
    [counted] = [entry["points"] for payload in (first, second) for entry in payload["entries"]]
    await assert_ledger_holds(api_member, versions=2, points=counted)


async def test_one_card_is_given_to_one_of_two_concurrent_enrolments(
    development_gateway: GatewayProcess, second_gateway: GatewayProcess
) -> None:
    email = f"{os.urandom(8).hex()}@example.org"
    query = """mutation ($input: EnrolInput!) {
      enrol(input: $input) { member { number } userErrors { code path } } }"""
    answers = await asyncio.gather(
        *(
            gateway.ask(gateway.token("till"), query, input={"key": f"{email} {n}", "channel": "WEB", "email": email})
            for n, gateway in enumerate((development_gateway, second_gateway) * 8)
        )
    )
    payloads = [data(answer)["enrol"] for answer in answers]
    assert sum(payload["member"] is not None for payload in payloads) == 1
    refused = [payload["userErrors"] for payload in payloads if payload["member"] is None]
    assert refused == [[{"code": "ALREADY_EXISTS", "path": ["input", "email"]}]] * 15


async def test_other_gateway_never_shows_older_state(api_member: ApiMember, second_gateway: GatewayProcess) -> None:
    for version in range(2, 22):
        writer, reader = (api_member.gateway, second_gateway)[:: 1 if version % 2 else -1]
        payload = await api_member.buy("1.00", gateway=writer)
        shown = data(await reader.ask(api_member.token(), "{ me { version points { available } } }"))["me"]
        assert payload["member"]["version"] == version
        assert shown == {"version": version, "points": {"available": version - 1}}


# A MongoDB that crashes


class Fleet:
    """Two gateways on their own mongod, which the test may kill."""

    def __init__(self, folder: Path) -> None:
        self._mongod_dir, self._key_dir = folder / "mongod", folder / "key"
        self.mongod = self._start()
        DevelopmentKey.load(self._key_dir)
        self._folder = folder
        self.gateways: list[GatewayProcess] = []

    def _start(self) -> EmbeddedServer:
        return EmbeddedServer.start(self._mongod_dir, purpose="tests", cache_gib=0.25)

    def serve(self) -> None:
        """Start the gateways."""
        for name in ("one", "two"):
            gateway = GatewayProcess.start(
                "serve",
                data_dir=self._key_dir,
                output=self._folder / f"{name}.log",
                CARILLON_DRAIN_SECONDS="0",
                CARILLON_MONGODB_URL=self.mongod.url,
            )
            self.gateways.append(gateway)

    def kill_mongod(self) -> None:
        """Kill mongod, as a power cut would."""
        os.kill(self.mongod.pid, signal.SIGKILL)
        self.mongod.stop()

    def restart_mongod(self) -> None:
        """Restart mongod in the same directory."""
        url = self.mongod.url
        self.mongod = self._start()
        assert self.mongod.url == url

    def stop(self) -> list[int]:
        """Stop everything; return the gateways' exit codes."""
        codes = [gateway.stop() for gateway in self.gateways]
        self.mongod.stop()
        return codes


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = await asyncio.to_thread(Fleet, tmp_path)
    database = connect(fleet.mongod.url)
    await database.prepare()
    await apply_file(database, programme_source("grocer"), now=now(), applied_by="tests")
    await database.close()
    await asyncio.to_thread(fleet.serve)
    yield fleet
    assert await asyncio.to_thread(fleet.stop) == [0, 0]


class Till:
    """Sends one event after the other, each until it is acknowledged, as tills do."""

    def __init__(self, gateways: list[GatewayProcess], api_member: ApiMember) -> None:
        self._gateways, self.api_member = gateways, api_member
        self.acknowledged: list[dict[str, Any]] = []
        self.refused = 0

    async def run(self, enough: asyncio.Event) -> None:
        """Send until the target is reached."""
        token = self._gateways[0].token("till")
        async with self._gateways[0].client(token) as one, self._gateways[1].client(token) as other:
            clients = (one, other)
            turn = 0
            while not enough.is_set():
                event = self.api_member.purchase("1.00")
                while not await self._is_acknowledged(clients[turn % 2], event):
                    turn += 1
                self.acknowledged.append(event)

    async def _is_acknowledged(self, client: httpx.AsyncClient, event: dict[str, Any]) -> bool:
        answer = (await client.post("/graphql", json={"query": RECORD, "variables": {"input": event}})).json()
        if "errors" in answer:
            # Refused with a retryable code, never with an internal error.
            assert only_error(answer)["extensions"]["code"] in {"UNAVAILABLE", "LIMIT_EXCEEDED"}
            self.refused += 1
            return False
        assert answer["data"]["recordEvent"]["userErrors"] == []
        return True


class Watcher:
    """Subscribes to a member and resumes with `after` after each interruption, as apps do."""

    def __init__(self, gateway: GatewayProcess, api_member: ApiMember) -> None:
        self._gateway, self._person = gateway, api_member
        self.versions: list[int] = []

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            async with self._gateway.socket(self._person.token()) as socket:
                await watch(socket, after=self.versions[-1] if self.versions else 0)
                await self._follow(socket)
            await asyncio.sleep(0.1)

    async def _follow(self, socket: ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["type"] != "next" or "errors" in message["payload"]:
                return
            update = message["payload"]["data"]["memberChanged"]
            assert update["resync"] is False
            assert [entry["version"] for entry in update["entries"]] == [update["version"]] * len(update["entries"])
            self.versions.append(update["version"])

    async def has_seen(self, version: int) -> None:
        """Wait until a version was received."""
        async with asyncio.timeout(30):
            while not self.versions or self.versions[-1] < version:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)


async def _acknowledged(tills: list[Till], count: int) -> None:
    """Wait until this many events are acknowledged."""
    async with asyncio.timeout(60):
        while sum(len(till.acknowledged) for till in tills) < count:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.05)


async def test_mongod_killed_under_load_loses_and_duplicates_nothing(fleet: Fleet) -> None:
    people = [await enrol(fleet.gateways[0]) for _ in range(4)]
    tills = [Till(fleet.gateways, people[n % 4]) for n in range(12)]
    watchers = [Watcher(gateway, people[0]) for gateway in fleet.gateways]
    enough = asyncio.Event()
    following = [asyncio.create_task(watcher.run()) for watcher in watchers]
    sending = [asyncio.create_task(till.run(enough)) for till in tills]
    await _acknowledged(tills, 200)
    for watcher in watchers:
        await watcher.has_seen(1)

    await asyncio.to_thread(fleet.kill_mongod)
    async with fleet.gateways[0].client() as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["MongoDB has no primary"])
    stalled = sum(len(till.acknowledged) for till in tills)
    await asyncio.to_thread(fleet.restart_mongod)
    await _acknowledged(tills, stalled + 100)
    enough.set()
    await asyncio.gather(*sending)

    for api_member in people:
        counted = sum(len(till.acknowledged) for till in tills if till.api_member is api_member)
        await assert_ledger_holds(api_member, versions=counted + 1, points=counted)
    for till in tills:
        for event in till.acknowledged[:: max(1, len(till.acknowledged) // 10)]:
            assert (await record(fleet.gateways[0], event))["replayed"] is True
    last = (await people[0].state())["version"]
    for watcher in watchers:
        await watcher.has_seen(last)
        assert watcher.versions == list(range(1, last + 1))
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    database = connect(fleet.mongod.url)
    findings = await audit(database)
    await database.close()
    assert (findings.members_with_faults, findings.members) == ([], 4)
