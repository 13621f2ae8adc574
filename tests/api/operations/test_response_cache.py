"""The response cache: answers are sent again while all their dependencies are unchanged, and at no other time."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect
from support.clients.api import ApiMember, enrol
from support.clients.resolver_client import ResolverClient
from support.clients.two_gateways import TwoGateways
from support.query_log import QueryLog
from support.servers.gateway import GatewayProcess

from gateway.config import Limits
from gateway.observability.metrics import Metrics
from gateway.operations.answer_expiry import valid_until
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.executor import Executor, GraphQLRequest
from gateway.operations.response_cache import Key, ResponseCache
from loyalty.kernel.refusal import Refusal
from models.mongo.collection import Collection
from models.mongo.database import Database
from models.mongod.server import EmbeddedServer
from models.reads.dependencies import Dependencies, recording
from models.reads.loader import Loader
from models.reads.reader import Reader
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.tablets import device

HOME = """{ me {
  number version profile { firstName }
  status { tier { key name } since until next { missing ratio before } }
  points { available pending held expiring { points on } }
  activity(first: 5) { edges { node { label points } } }
  offers(first: 50) { edges { cursor node { state usesLeft code why offer { key } } } }
  rewards(first: 50) { edges { cursor node { eligible missingPoints reasons reward { key availableFrom } } } }
} }"""


class Asking:
    """Sends requests as the HTTP endpoint does, and counts the answers that came from the cache."""

    def __init__(self, resolver_client: ResolverClient, bytes_max: int = 10_000_000) -> None:
        self.resolver_client = resolver_client
        self.executor = Executor(compilable_schema(), Limits(), Metrics())
        services = resolver_client.services
        self.cache = ResponseCache(services.reader, services.programmes, resolver_client.clock, bytes_max=bytes_max)
        self.cached = 0

    async def ask(self, context: Context, query: str = HOME) -> Any:
        """Return an answer: the cached one, if there is one that is valid."""
        actor = context.require_actor()
        key: Key = (query.encode(), "POST", (actor.role, actor.subject), context.locale, None)
        cached = await self.cache.get(key)
        if cached is not None:
            self.cached += 1
            return cached.body
        turn = self.cache.turn
        with recording() as recorded:
            answer = await self.executor.execute(self.executor.prepare(GraphQLRequest(query)), context, "http")
        body = repr(answer).encode()
        self.cache.put(key, body, None, turn=turn, recording=recorded, context=context)
        return body

    async def asked_twice(self, context: Context, query: str = HOME) -> bool:
        """Return whether the second of two answers comes from the cache."""
        first, before = await self.ask(context, query), self.cached
        assert await self.ask(context, query) == first
        return self.cached > before


@pytest.fixture
def asking(resolver_client: ResolverClient) -> Asking:
    return Asking(resolver_client)


async def test_answer_comes_from_the_cache_while_nothing_changes(
    asking: Asking, resolver_client: ResolverClient
) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "20.00")
    assert await asking.asked_twice(resolver_client.context(Role.MEMBER, member=member))


async def test_home_screen_is_one_query(resolver_client: ResolverClient, mongod: EmbeddedServer) -> None:
    member, query_log = await resolver_client.member(), QueryLog()
    resolver_client.clock.moment += timedelta(seconds=1)  # what is left is read after the member's last version
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongod.url, tz_aware=True, event_listeners=[query_log])
    reader = Reader(Database(client, resolver_client.services.database.db.name))
    watched = replace(resolver_client, services=replace(resolver_client.services, reader=reader))
    try:
        await Asking(watched).ask(watched.context(Role.MEMBER, member=member))
    finally:
        await client.close()
    assert [*map(sorted, query_log.collections)] == [["codes", "counters", "members"]]


async def test_answer_is_recomputed_once_the_member_has_another_version(
    asking: Asking, resolver_client: ResolverClient
) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.MEMBER, member=member)
    before = await asking.ask(context)
    await resolver_client.buy(member, "20.00")
    after = await asking.ask(context)
    assert asking.cached == 0
    assert after != before


async def test_answer_is_recomputed_for_another_actor_and_another_language(
    asking: Asking, resolver_client: ResolverClient
) -> None:
    member = await resolver_client.member(first_name="Ada")
    contexts = [
        resolver_client.context(Role.MEMBER, member=member),
        Context(resolver_client.services, resolver_client.context(Role.MEMBER, member=member).actor, "fr"),
    ]
    assert len({await asking.ask(context) for context in contexts}) == 2
    assert asking.cached == 0


@pytest.mark.parametrize(
    "query",
    [
        "{ me { orders { edges { node { number } } } } }",
        "{ me { rewards { edges { node { reward { stock } } } } } }",
        '{ member(by: {card: "nobody"}) { number } }',
    ],
)
async def test_answer_with_a_read_that_no_validator_covers_is_not_cached(
    asking: Asking, resolver_client: ResolverClient, query: str
) -> None:
    member = await resolver_client.member()
    role = Role.AGENT if "member(" in query else Role.MEMBER
    context = resolver_client.context(role, member=member if role is Role.MEMBER else None)
    assert not await asking.asked_twice(context, query)


async def test_an_old_page_of_the_ledger_is_validated_by_its_members_version(
    asking: Asking, resolver_client: ResolverClient
) -> None:
    member = await resolver_client.member()
    for _ in range(25):
        await resolver_client.buy(member, "2.00")
    context = resolver_client.context(Role.MEMBER, member=member)
    assert await asking.asked_twice(context, "{ me { activity(first: 30) { edges { node { id balance } } } } }")


async def test_answer_is_valid_while_others_take_and_is_recomputed_when_nothing_is_left(
    asking: Asking, resolver_client: ResolverClient
) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.MEMBER, member=member)
    query = "{ me { rewards { edges { node { eligible reward { key } reasons } } } } }"
    first = await asking.ask(context, query)
    catalogue = context.programme().catalogue
    assert catalogue.stocked_rewards, "the programme has nothing that runs out"
    counters, key = resolver_client.services.database.counters, catalogue.stocked_rewards[0].stock_counter_key
    _id, most = f"grocer/stock/{key.key}", catalogue.stocked_rewards[0].stock or 0
    fields = {"programme": "grocer", "kind": key.kind.value, "key": key.key, "at": None}
    await counters.insert_one({"_id": _id, **fields, "taken": most - 1})
    assert await asking.ask(context, query) == first
    assert asking.cached == 1
    await counters.update_one({"_id": _id}, {"$inc": {"taken": 1}})
    assert await asking.ask(context, query) != first
    assert asking.cached == 1
    await counters.update_one({"_id": _id}, {"$inc": {"taken": -1}})
    assert await asking.ask(context, query) == first
    assert asking.cached == 1


async def test_tablets_are_listed_as_they_are_after_one_was_invited_renamed_or_revoked(
    asking: Asking, resolver_client: ResolverClient
) -> None:
    context = resolver_client.context(Role.MANAGER)
    query = "{ devices { edges { node { name state } } } }"
    answers = [await asking.ask(context, query)]
    invited = await device.invite(context, key="d-1", name="Front", store=None)
    assert not isinstance(invited, Refusal)
    answers.append(await asking.ask(context, query))
    assert not isinstance(await device.revoke(context, key="d-2", device=invited[0].id), Refusal)
    answers.append(await asking.ask(context, query))
    assert len({*answers}) == 3
    assert asking.cached == 0


async def _pipeline(collection: Collection) -> list[Any]:
    return await (await collection.aggregate([{"$limit": 1}])).to_list()


READS: list[Callable[[Collection], Coroutine[Any, Any, Any]]] = [
    lambda collection: collection.find_one({"_id": "x"}),
    lambda collection: collection.find({}).to_list(),
    lambda collection: collection.count_documents({}),
    lambda collection: collection.estimated_document_count(),
    lambda collection: collection.distinct("_id"),
    _pipeline,
    lambda collection: collection.find_raw_batches({}).to_list(),
]


@pytest.mark.parametrize("read", READS)
async def test_a_read_that_records_nothing_makes_its_answer_uncacheable(
    database: Database, read: Callable[[Collection], Coroutine[Any, Any, Any]]
) -> None:
    collections = [value for value in vars(database).values() if isinstance(value, Collection)]
    assert len(collections) == 15
    for collection in collections:
        with recording() as recorded:
            await read(collection)
        assert not recorded.cacheable, collection.name
        with recording() as recorded:
            await asyncio.gather(asyncio.create_task(read(collection)), asyncio.sleep(0))
        assert not recorded.cacheable, f"{collection.name}, read by another task"


async def test_a_batched_read_makes_each_of_its_answers_uncacheable_unless_it_records_something(
    resolver_client: ResolverClient,
) -> None:
    async def load_batch(keys: list[str]) -> list[int]:
        return [await resolver_client.services.database.members.count_documents({"_id": key}) for key in keys]

    async def cacheable(loader: Loader[str, int], key: str) -> bool:
        with recording() as recorded:
            await loader.load(key)
            await loader.load_many([key])
        return recorded.cacheable

    silent, recorder = Loader(load_batch), Loader(load_batch, record=lambda _recording, _key, _value: None)
    assert [*await asyncio.gather(cacheable(silent, "a"), cacheable(silent, "b"))] == [False, False]
    assert [*await asyncio.gather(cacheable(recorder, "a"), cacheable(recorder, "b"))] == [True, True]


class Unreachable(Reader):
    """A reader whose MongoDB is gone when it validates."""

    async def validate(self, dependencies: Dependencies) -> bool:
        raise AutoReconnect(f"no answer about {dependencies}")


async def test_answer_that_cannot_be_validated_is_recomputed(asking: Asking, resolver_client: ResolverClient) -> None:
    services = resolver_client.services
    reader = Unreachable(services.database)
    asking.cache = ResponseCache(reader, services.programmes, resolver_client.clock, bytes_max=10_000_000)
    member = await resolver_client.member()
    assert not await asking.asked_twice(resolver_client.context(Role.MEMBER, member=member))


async def test_cache_is_bounded_in_bytes(resolver_client: ResolverClient) -> None:
    members = [await resolver_client.member() for _ in range(3)]
    contexts = [resolver_client.context(Role.MEMBER, member=member) for member in members]
    query = "{ me { number } }"
    asking = Asking(resolver_client, bytes_max=3_600)
    for context in contexts:
        await asking.ask(context, query)
    for context in contexts[1:]:
        await asking.ask(context, query)
    assert asking.cached == 2, "the newest two fit"
    await asking.ask(contexts[0], query)
    assert asking.cached == 2, "the oldest made room"


async def test_answer_is_the_same_until_its_own_expiry(resolver_client: ResolverClient) -> None:
    """An answer at any moment stays the same until its `valid_until`, which is never after the member is overdue."""
    random, executor = Random(7), Executor(compilable_schema(), Limits(), Metrics())  # noqa: S311 - the same each time
    resolver_client.clock.moment = datetime(2026, 3, 6, 12, tzinfo=UTC)  # a weekend, and a change of clocks, are near
    members = []
    for n in range(6):
        member = await resolver_client.member(first_name=f"M{n}")
        await resolver_client.buy(member, f"{random.randint(5, 400)}.00")
        members.append(member)
    changed = 0
    for turn in range(60):
        resolver_client.clock.moment += timedelta(seconds=random.randint(1, 40_000))
        member = members[turn % len(members)]
        context = resolver_client.context(Role.MEMBER, member=member)
        with recording() as recorded:
            answer = await executor.execute(executor.prepare(GraphQLRequest(HOME)), context, "http")
        until = valid_until(recorded, [context.programme()], resolver_client.clock.moment)
        assert until is not None
        if not recorded.cacheable:
            continue  # something fell due meanwhile, and was committed
        assert until > resolver_client.clock.moment
        begun = resolver_client.clock.moment
        for share in (0.3, 0.7, None):
            last = until - timedelta(milliseconds=1)
            resolver_client.clock.moment = last if share is None else begun + (until - begun) * share
            again = await executor.execute(executor.prepare(GraphQLRequest(HOME)), context, "http")
            assert again == answer, (begun, resolver_client.clock.moment)
        resolver_client.clock.moment = until
        later = await executor.execute(executor.prepare(GraphQLRequest(HOME)), context, "http")
        changed += later != answer
    assert changed > 3, "no moment changed anything: the test looked at nothing"


async def _home(gateway: GatewayProcess, api_member: ApiMember, query: str) -> Any:
    return (await gateway.ask(api_member.token(), query))["data"]["me"]


async def _given_again(gateway: GatewayProcess) -> float:
    async with gateway.client() as client:
        text = (await client.get("/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("carillon_answers_kept_total"))


async def test_what_one_gateway_commits_is_never_hidden_by_the_cache_of_the_other(
    development_gateway: GatewayProcess, second_gateway: GatewayProcess
) -> None:
    api_member = await enrol(development_gateway)
    query = "{ me { version points { available } } }"
    cached_before = await _given_again(second_gateway)
    for bought in range(1, 6):
        await api_member.buy("10.00")
        first = await _home(second_gateway, api_member, query)
        assert first == {"version": 1 + bought, "points": {"available": 10 * bought}}
        assert await _home(second_gateway, api_member, query) == first
    assert await _given_again(second_gateway) == cached_before + 5


async def test_get_answers_304_to_a_client_that_has_the_answer_and_200_after_a_change(
    development_gateway: GatewayProcess,
) -> None:
    api_member = await enrol(development_gateway)
    async with development_gateway.client(api_member.token()) as client:
        params = {"query": "{ me { version points { available } } }"}
        first = await client.get("/graphql", params=params)
        tag = first.headers["etag"]
        assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
        for value in (tag, f'"other", W/{tag}', "*"):
            again = await client.get("/graphql", params=params, headers={"if-none-match": value})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        await api_member.buy("10.00")
        changed = await client.get("/graphql", params=params, headers={"if-none-match": tag})
        assert (changed.status_code, changed.json()["data"]["me"]["version"]) == (200, 2)
        refused = await client.get("/graphql", params={"query": "{ nothing }"}, headers={"if-none-match": "*"})
        assert "etag" not in refused.headers
        assert "errors" in refused.json()


async def test_new_offer_is_in_the_next_answer(two_gateways: TwoGateways) -> None:
    api_member = await enrol(two_gateways.gateways[1])
    query = "{ me { offers(first: 100) { edges { node { offer { id } } } } } }"

    async def offered() -> set[str]:
        page = (await _home(two_gateways.gateways[1], api_member, query))["offers"]
        return {edge["node"]["offer"]["id"] for edge in page["edges"]}

    before = await offered()
    assert await offered() == before
    added = await two_gateways.save_item("OFFER", kind="SERVICE", first_day="2025-01-01")
    assert await offered() == {*before, added}
