import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from support.clock import Clock
from support.documents import documents
from support.programme_files import AppliedProgrammes, programme_source

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.catalogue import Content
from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from models.definitions.author_error import InvalidDefinition
from models.definitions.catalogue_file import ItemKind
from models.live.change_feed import ChangeFeed
from models.live.hub import Hub
from models.loading.code_pool import load_codes
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer
from models.programmes import catalogue_store
from models.programmes.catalogue_store import ImportResult, StoredItem, put, put_many, retire
from models.programmes.programme_store import Programmes, apply_file

WITHIN_SECONDS = 15
GROCER = programme_source("grocer")
TEA: dict[str, Any] = {
    "key": "mint",
    "kind": "PERCENT_OFF",
    "title": {"en": "Mint tea", "fr": "Thé à la menthe"},
    "description": "Fresh.",
    "first_day": "2025-01-01",
    "percent": 10,
}
CUP: dict[str, Any] = {
    "key": "clay-cup",
    "kind": "PHYSICAL",
    "title": "Cup",
    "description": "Of clay.",
    "category": "things",
    "points": 300,
}
NEWS: dict[str, Any] = {"key": "news", "title": "News", "body": "None."}


class Manager:
    """Changes the catalogue in one process, each time with a new key unless one is given."""

    def __init__(self, database: Database, programme: Programme, clock: Clock, name: str = "manager/kim") -> None:
        self.database, self.programme, self.clock, self.name = database, programme, clock, name
        self.keys = 0

    def key(self) -> str:
        self.keys += 1
        return f"change-{self.keys}"

    async def put(
        self, kind: ItemKind, definition: dict[str, Any], *, request: str | None = None
    ) -> StoredItem | Refusal:
        return await put(
            self.database,
            self.programme,
            kind,
            definition,
            request=request or self.key(),
            now=self.clock(),
            changed_by=self.name,
        )

    async def offer(self, *, request: str | None = None, **about: Any) -> StoredItem | Refusal:
        return await self.put(ItemKind.OFFER, {**TEA, **about}, request=request)

    async def retire(self, kind: ItemKind, key: str, *, request: str | None = None) -> StoredItem | Refusal:
        return await retire(
            self.database,
            self.programme,
            kind,
            key,
            request=request or self.key(),
            now=self.clock(),
            changed_by=self.name,
        )

    async def put_many(self, definitions: list[tuple[ItemKind, dict[str, Any]]]) -> ImportResult:
        return await put_many(self.database, self.programme, definitions, now=self.clock(), changed_by=self.name)


def stored(outcome: StoredItem | Refusal) -> StoredItem:
    assert isinstance(outcome, StoredItem), outcome
    return outcome


def offer_of(outcome: StoredItem | Refusal) -> Offer:
    item = stored(outcome).item
    assert isinstance(item, Offer)
    return item


@pytest.fixture
async def programmes(database: Database, applied_programmes: AppliedProgrammes) -> Programmes:
    """The applied programme of the grocer alone."""
    [document, _], [grocer, _] = applied_programmes
    await database.programmes.insert_one(document)
    return Programmes(database, [grocer])


@pytest.fixture
def manager(database: Database, programmes: Programmes, clock: Clock) -> Manager:
    return Manager(database, programmes.get("grocer"), clock)


@pytest.fixture
async def other_database(mongod: EmbeddedServer, database: Database) -> AsyncIterator[Database]:
    """The connection of another process."""
    other = connect(mongod.url, name=database.db.name)
    yield other
    await other.close()


@asynccontextmanager
async def following(database: Database) -> AsyncIterator[Programmes]:
    """Follow the database, as a gateway process does, until the block ends."""
    programmes = Programmes(database)
    await programmes.load()
    feed = ChangeFeed(
        database,
        Hub(),
        on_programme=programmes.apply_version,
        on_item=programmes.apply_item,
        catch_up=programmes.catch_up,
    )
    task = asyncio.create_task(feed.run())
    await asyncio.wait_for(feed.is_open.wait(), WITHIN_SECONDS)
    yield programmes
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_SECONDS):
        while not holds():  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.01)


# One change


async def test_every_change_is_a_new_version(database: Database, manager: Manager, clock: Clock) -> None:
    first = stored(await manager.offer())
    second = stored(await manager.offer(percent=20))
    assert [(one.version, one.retired, one.replayed) for one in (first, second)] == [
        (1, False, False),
        (2, False, False),
    ]
    assert (offer_of(first).percent, offer_of(second).percent) == (Decimal(10), Decimal(20))
    kept = await database.catalogue.find().sort("version").to_list()
    assert [(one["_id"], one["item"], one["version"], one["turn"]) for one in kept] == [
        ("grocer/offer/mint/1", "grocer/offer/mint", 1, 1),
        ("grocer/offer/mint/2", "grocer/offer/mint", 2, 2),
    ]
    assert kept[0] | {"digest": ""} == {
        "_id": "grocer/offer/mint/1",
        "programme": "grocer",
        "kind": "offer",
        "key": "mint",
        "item": "grocer/offer/mint",
        "version": 1,
        "turn": 1,
        "definition": {**TEA, "description": {"": "Fresh."}, "percent": "10"},
        "digest": "",
        "code": None,
        "retired": False,
        "request": "grocer/manager%2Fkim/change-1",
        "changed_at": clock(),
        "changed_by": "manager/kim",
    }


async def test_offers_rewards_and_contents_of_one_key_are_three_things(manager: Manager) -> None:
    result = [
        stored(await manager.put(kind, {**definition, "key": "spring"}))
        for kind, definition in ((ItemKind.OFFER, TEA), (ItemKind.REWARD, CUP), (ItemKind.CONTENT, NEWS))
    ]
    assert [(one.kind, one.item.key, one.version) for one in result] == [
        (ItemKind.OFFER, "spring", 1),
        (ItemKind.REWARD, "spring", 1),
        (ItemKind.CONTENT, "spring", 1),
    ]


async def test_a_content_says_its_version(manager: Manager) -> None:
    await manager.put(ItemKind.CONTENT, NEWS)
    changed = stored(await manager.put(ItemKind.CONTENT, {**NEWS, "body": "Some."})).item
    assert isinstance(changed, Content)
    assert (changed.version, changed.body.in_locale("en")) == (2, "Some.")


async def test_key_counts_once(database: Database, manager: Manager) -> None:
    first = stored(await manager.offer(request="form"))
    await manager.offer(percent=20)
    await manager.retire(ItemKind.OFFER, "mint", request="away")
    before = await documents(database)
    again = stored(await manager.offer(request="form", percent="10.0"))
    assert (again.item, again.version, again.replayed) == (first.item, 1, True)
    gone = stored(await manager.retire(ItemKind.OFFER, "mint", request="away"))
    assert (gone.version, gone.retired, gone.replayed) == (3, True, True)
    assert await documents(database) == before


async def test_a_key_with_another_content_is_refused(database: Database, manager: Manager) -> None:
    await manager.offer(request="form")
    before = await documents(database)
    reused = Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": "form"})
    assert await manager.offer(request="form", percent=20) == reused
    assert await manager.put(ItemKind.REWARD, CUP, request="form") == reused
    assert await manager.retire(ItemKind.OFFER, "mint", request="form") == reused
    assert await documents(database) == before


async def test_the_keys_of_two_managers_are_two_keys(
    database: Database, manager: Manager, programmes: Programmes, clock: Clock
) -> None:
    other = Manager(database, programmes.get("grocer"), clock, "manager/lou")
    versions = [stored(await one.offer(request="form")).version for one in (manager, other)]
    assert versions == [1, 2]


@pytest.mark.parametrize(
    ("kind", "definition"),
    [
        (ItemKind.OFFER, {**TEA, "key": "basket-5"}),
        (ItemKind.REWARD, {**CUP, "key": "bread"}),
        (ItemKind.CONTENT, {**NEWS, "key": "home"}),
    ],
)
async def test_item_of_the_programme_file_cannot_be_changed(
    database: Database, manager: Manager, kind: ItemKind, definition: dict[str, Any]
) -> None:
    before = await documents(database)
    refusal = Refusal(RefusalCode.CONFLICT, "item_in_file", ("key",), {"key": definition["key"]})
    assert await manager.put(kind, definition) == refusal
    assert await manager.retire(kind, definition["key"]) == refusal
    assert await documents(database) == before


async def test_invalid_definition_is_not_stored(database: Database, manager: Manager) -> None:
    before = await documents(database)
    with pytest.raises(InvalidDefinition, match=r"audience\.tiers: unknown tier 'bronze'; define it under tiers"):
        await manager.offer(audience={"tiers": ["bronze"]})
    with pytest.raises(InvalidDefinition, match="kind PERCENT_OFF needs percent; add it"):
        await manager.offer(percent=None)
    assert await documents(database) == before


# Codes


async def test_a_code_that_an_offer_of_the_file_has_is_refused(database: Database, manager: Manager) -> None:
    before = await documents(database)
    assert await manager.offer(code={"shared": "fresh5"}) == Refusal(
        RefusalCode.ALREADY_EXISTS,
        "code_in_offer",
        ("definition", "code"),
        {"code": "FRESH5", "offer": "basket-5", "other": "basket-5"},
    )
    assert await manager.offer(code={"member": "own"}) == Refusal(
        RefusalCode.ALREADY_EXISTS,
        "code_in_offer",
        ("definition", "code"),
        {"code": "OWN", "offer": "own-brand-15", "other": "own-brand-15"},
    )
    assert await documents(database) == before


async def test_a_code_belongs_to_the_offer_that_has_it_now(manager: Manager) -> None:
    await manager.offer(code={"shared": "MINT"})
    taken = await manager.offer(key="sage", code={"shared": "mint"})
    assert taken == Refusal(
        RefusalCode.ALREADY_EXISTS,
        "code_in_offer",
        ("definition", "code"),
        {"code": "MINT", "offer": "mint", "other": "mint"},
    )
    await load_codes(manager.database, "grocer", "films", ["Rose-Mary"])
    assert await manager.offer(key="rose", code={"shared": "rosemary"}) == Refusal(
        RefusalCode.ALREADY_EXISTS, "code_in_pool", ("definition", "code"), {"code": "ROSEMARY", "other": "films"}
    )
    # An offer may keep its own code.
    assert stored(await manager.offer(code={"shared": "MINT"}, percent=20)).version == 2
    # A released code may be taken, and one of a retired offer.
    await manager.offer(code={"shared": "MINT2"})
    assert stored(await manager.offer(key="sage", code={"shared": "mint"})).version == 1
    await manager.retire(ItemKind.OFFER, "sage")
    assert stored(await manager.offer(key="thyme", code={"shared": "mint"})).version == 1


async def test_one_of_two_concurrent_offers_gets_a_code(
    database: Database, other_database: Database, programmes: Programmes, clock: Clock
) -> None:
    grocer = programmes.get("grocer")
    managers = [Manager(one, grocer, clock, f"manager/{n}") for n, one in enumerate((database, other_database) * 3)]
    result = await asyncio.gather(
        *(one.offer(key=f"tea-{n}", code={"shared": "ONCE"}) for n, one in enumerate(managers))
    )
    assert sum(isinstance(one, StoredItem) for one in result) == 1
    assert {one.reason for one in result if isinstance(one, Refusal)} == {"code_in_offer"}
    assert await database.catalogue.count_documents({"code": "ONCE"}) == 1


# Retiring


async def test_retired_item_returns_as_its_next_version(manager: Manager) -> None:
    await manager.offer()
    gone = stored(await manager.retire(ItemKind.OFFER, "mint"))
    assert (gone.item.key, gone.version, gone.retired) == ("mint", 2, True)
    back = stored(await manager.offer())
    assert (back.version, back.retired) == (3, False)


async def test_missing_item_cannot_be_retired(database: Database, manager: Manager) -> None:
    unknown = Refusal(RefusalCode.NOT_FOUND, "item_unknown", ("key",), {"key": "mint"})
    assert await manager.retire(ItemKind.OFFER, "mint") == unknown
    await manager.offer()
    await manager.retire(ItemKind.OFFER, "mint")
    before = await documents(database)
    assert await manager.retire(ItemKind.OFFER, "mint") == unknown
    assert await manager.retire(ItemKind.REWARD, "mint") == unknown
    assert await documents(database) == before


# Concurrency


async def test_concurrent_changes_get_a_version_each(
    database: Database, other_database: Database, programmes: Programmes, clock: Clock
) -> None:
    grocer = programmes.get("grocer")
    managers = [Manager(one, grocer, clock, f"manager/{n}") for n, one in enumerate((database, other_database) * 4)]
    result = await asyncio.gather(*(one.offer(percent=n + 1) for n, one in enumerate(managers)))
    assert sorted(stored(one).version for one in result) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [one["turn"] async for one in database.catalogue.find().sort("version")] == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_key_sent_concurrently_by_two_processes_counts_once(
    database: Database, other_database: Database, programmes: Programmes, clock: Clock
) -> None:
    managers = [Manager(one, programmes.get("grocer"), clock) for one in (database, other_database) * 3]
    result = await asyncio.gather(*(one.offer(request="form") for one in managers))
    assert sorted(stored(one).replayed for one in result) == [False, True, True, True, True, True]
    assert await database.catalogue.count_documents({}) == 1


# Batches


def offers(count: int, **about: Any) -> list[tuple[ItemKind, dict[str, Any]]]:
    return [
        (ItemKind.OFFER, {**TEA, "key": f"tea-{n}", "code": {"shared": f"TEA{n:05}"}, **about}) for n in range(count)
    ]


async def test_an_import_run_again_makes_no_new_version(
    database: Database, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_store, "IMPORT_BATCH", 40)
    assert await manager.put_many(offers(100)) == ImportResult(new_count=100, unchanged_count=0)
    before = await database.catalogue.find().sort("_id").to_list()
    assert sorted({one["turn"] for one in before}) == [1, 2, 3]
    assert await manager.put_many(offers(100)) == ImportResult(new_count=0, unchanged_count=100)
    assert await database.catalogue.find().sort("_id").to_list() == before
    changed = [*offers(99), (ItemKind.OFFER, {**offers(100)[99][1], "percent": 15})]
    assert await manager.put_many(changed) == ImportResult(new_count=1, unchanged_count=99)
    assert [one["version"] async for one in database.catalogue.find({"key": "tea-99"}).sort("version")] == [1, 2]


async def test_import_restores_retired_items(manager: Manager) -> None:
    await manager.put_many(offers(2))
    await manager.retire(ItemKind.OFFER, "tea-1")
    assert await manager.put_many(offers(2)) == ImportResult(new_count=1, unchanged_count=1)


async def test_an_offer_of_an_import_may_give_a_reward_that_came_before_it(manager: Manager) -> None:
    gift = {**TEA, "kind": "GIFT", "percent": None, "reward": "clay-cup"}
    assert await manager.put_many([(ItemKind.REWARD, CUP), (ItemKind.OFFER, gift)]) == ImportResult(
        new_count=2, unchanged_count=0
    )
    with pytest.raises(InvalidDefinition, match=r"^0.reward: unknown reward 'clay-pot'; add it to rewards$"):
        await manager.put_many([(ItemKind.OFFER, {**gift, "reward": "clay-pot"})])


async def test_all_faults_of_a_batch_are_reported_and_nothing_is_stored(
    database: Database, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_store, "IMPORT_BATCH", 5)
    definitions = offers(10)
    definitions[6] = (ItemKind.OFFER, {**TEA, "percent": 0})
    definitions[7] = definitions[0]
    definitions[8] = (ItemKind.OFFER, {**TEA, "key": "basket-5"})
    definitions[9] = (ItemKind.OFFER, {**TEA, "audience": {"segments": ["seldom"]}})
    with pytest.raises(InvalidDefinition) as caught:
        await manager.put_many(definitions)
    assert [str(fault) for fault in caught.value.faults] == [
        "6.percent: Input should be greater than 0",
        "7.key: key 'tea-0' is used twice; choose another key",
        "8.key: the programme file defines 'basket-5'; change it there",
        "9.audience.segments: unknown segment 'seldom'; define it under segments, or use: newcomers, regulars",
    ]
    # Earlier batches are stored; the corrected import continues from there.
    assert await database.catalogue.count_documents({}) == 5
    assert await manager.put_many(offers(10)) == ImportResult(new_count=5, unchanged_count=5)


async def test_an_import_takes_no_code_twice(database: Database, manager: Manager) -> None:
    await manager.offer(code={"shared": "TEA00001"})
    definitions = [
        *offers(2),
        (ItemKind.OFFER, {**TEA, "key": "sage", "code": {"shared": "tea00000"}}),
        (ItemKind.OFFER, {**TEA, "key": "thyme", "code": {"shared": "FRESH5"}}),
    ]
    before = await documents(database)
    with pytest.raises(InvalidDefinition) as caught:
        await manager.put_many(definitions)
    assert [str(fault) for fault in caught.value.faults] == [
        "1.code: offer 'mint' already uses code 'TEA00001'; choose another code",
        "2.code: offer 'tea-0' already uses code 'TEA00000'; choose another code",
        "3.code: offer 'basket-5' already uses code 'FRESH5'; choose another code",
    ]
    assert await documents(database) == before


# Following


async def test_two_processes_follow_each_other(
    database: Database, other_database: Database, programmes: Programmes, clock: Clock
) -> None:
    assert programmes.keys() == ["grocer"]
    async with following(database) as one, following(other_database) as other:
        mine, theirs = one.get("grocer"), other.get("grocer")
        first, second = Manager(database, mine, clock), Manager(other_database, theirs, clock, "manager/lou")
        await first.offer(code={"shared": "MINT"})
        await until(lambda: "mint" in theirs.catalogue.offers and "mint" in mine.catalogue.offers)
        assert theirs.catalogue.offer_by_code("mint") is theirs.catalogue.offers["mint"]
        assert theirs.catalogue.offers["mint"] == mine.catalogue.offers["mint"]
        version = mine.catalogue.version
        await second.offer(percent=30)
        await second.put(ItemKind.REWARD, CUP)
        await second.put(ItemKind.CONTENT, NEWS)
        await until(lambda: "news" in mine.catalogue.contents)
        assert mine.catalogue.offers["mint"].percent == 30
        assert mine.catalogue.offer_by_code("mint") is None
        assert mine.catalogue.rewards["clay-cup"].points == 300
        assert mine.catalogue.version > version
        for kind, key in ((ItemKind.OFFER, "mint"), (ItemKind.REWARD, "clay-cup"), (ItemKind.CONTENT, "news")):
            await first.retire(kind, key)
        await until(lambda: "clay-cup" not in theirs.catalogue.rewards and "news" not in theirs.catalogue.contents)
        assert ("mint" in theirs.catalogue.offers, "clay-cup" in theirs.catalogue.rewards) == (False, False)


async def test_starting_process_loads_the_newest_versions(other_database: Database, manager: Manager) -> None:
    await manager.put_many(offers(1200))
    await manager.put_many(offers(3, percent=50))
    await manager.retire(ItemKind.OFFER, "tea-7")
    started = Programmes(other_database)
    await started.load()
    catalogue = started.get("grocer").catalogue
    in_file = len(catalogue.file_offers)
    assert len(catalogue.offers) == in_file + 1199
    assert [catalogue.offers[f"tea-{n}"].percent for n in (2, 3)] == [50, 10]
    assert "tea-7" not in catalogue.offers


async def test_changes_during_a_feed_outage_are_loaded(database: Database, manager: Manager) -> None:
    away = Programmes(database)
    await away.load()
    await manager.offer()
    await manager.put(ItemKind.CONTENT, NEWS)
    assert "mint" not in away.get("grocer").catalogue.offers
    await away.catch_up()
    assert "mint" in away.get("grocer").catalogue.offers
    await manager.offer(percent=15)
    await away.catch_up()
    assert away.get("grocer").catalogue.offers["mint"].percent == 15


async def test_late_old_version_does_not_replace_a_newer_one(database: Database, manager: Manager) -> None:
    await manager.offer()
    await manager.offer(percent=20)
    stored = await database.catalogue.find().sort("version").to_list()
    late = Programmes(database)
    await late.load()
    for document in reversed(stored):
        late.apply_item(document)
    assert late.get("grocer").catalogue.offers["mint"].percent == 20


async def test_a_new_version_of_the_programme_keeps_what_was_stored(
    database: Database, other_database: Database, manager: Manager, clock: Clock
) -> None:
    async with following(other_database) as followers:
        await manager.offer()
        await manager.put(ItemKind.REWARD, CUP)
        await until(lambda: "clay-cup" in followers.get("grocer").catalogue.rewards)
        await apply_file(database, GROCER.replace("name: The Grocer", "name: Grocers"), now=clock(), applied_by="alex")
        await until(lambda: followers.get("grocer").version == 2)
        catalogue = followers.get("grocer").catalogue
        assert ("mint" in catalogue.offers, "clay-cup" in catalogue.rewards) == (True, True)
        assert "mint" not in catalogue.file_offers
        await manager.offer(percent=40)
        await until(lambda: catalogue.offers["mint"].percent == 40)


async def test_file_takes_precedence_while_it_has_the_item(database: Database, manager: Manager, clock: Clock) -> None:
    await manager.offer(key="sage")
    followers = Programmes(database)
    await followers.load()
    ours = GROCER.replace("  - key: home-wrap\n", "  - key: sage\n")
    for text, kind in ((ours, "SERVICE"), (GROCER, "PERCENT_OFF")):
        document, _ = await apply_file(database, text, now=clock(), applied_by="alex")
        followers.apply_version(document)
        assert followers.get("grocer").catalogue.offers["sage"].kind == kind


async def test_days_are_read_again_in_another_time_zone(database: Database, manager: Manager, clock: Clock) -> None:
    await manager.offer()
    await manager.retire(ItemKind.OFFER, "mint")
    await manager.offer()
    followers = Programmes(database)
    await followers.load()
    before = followers.get("grocer").catalogue.offers["mint"].starts_at
    moved = GROCER.replace("America/New_York", "America/Los_Angeles")
    document, _ = await apply_file(database, moved, now=clock(), applied_by="alex")
    followers.apply_version(document)
    assert followers.get("grocer").catalogue.offers["mint"].starts_at == before
    await followers.catch_up()
    after = followers.get("grocer").catalogue.offers["mint"].starts_at
    assert (after - before).total_seconds() == 3 * 3600


async def test_unreadable_item_is_skipped(database: Database, other_database: Database, manager: Manager) -> None:
    await manager.offer()
    await manager.put(ItemKind.CONTENT, NEWS)
    # As a newer gateway may store it.
    await database.catalogue.update_one({"key": "mint"}, {"$set": {"definition.kind": "SURPRISE"}})
    async with following(other_database) as followers:
        catalogue = followers.get("grocer").catalogue
        assert ("mint" in catalogue.offers, "news" in catalogue.contents) == (False, True)
        await database.catalogue.insert_one(
            {
                **(await database.catalogue.find_one({"key": "news"}) or {}),
                "_id": "broken",
                "version": 2,
                "turn": 3,
                "request": None,
                "definition": {"title": 5},
            }
        )
        await manager.put(ItemKind.REWARD, CUP)
        await until(lambda: "clay-cup" in catalogue.rewards)
        assert catalogue.contents["news"].version == 1


async def test_offer_is_loaded_though_a_segment_it_names_is_gone(
    database: Database, manager: Manager, clock: Clock
) -> None:
    await manager.offer(audience={"tiers": ["gold"], "segments": ["regulars"]})
    without = GROCER.replace("key: regulars", "key: friends").replace("[regulars]", "[friends]")
    await apply_file(database, without, now=clock(), applied_by="alex")
    started = Programmes(database)
    await started.load()
    assert started.get("grocer").catalogue.offers["mint"].audience.segments == {"regulars"}


async def test_what_one_process_stores_changes_no_other_users_programme(
    database: Database, manager: Manager, programmes: Programmes
) -> None:
    await manager.offer()
    known = programmes.get("grocer")
    mine = Programmes(database, [known])
    await mine.catch_up()
    assert ("mint" in mine.get("grocer").catalogue.offers, "mint" in known.catalogue.offers) == (True, False)


async def test_lookups_of_a_change_use_an_index(database: Database, manager: Manager) -> None:
    await manager.put_many(offers(50))
    looked_for: list[dict[str, Any]] = [
        {"request": "grocer/manager/form"},
        {"programme": "grocer", "code": {"$in": ["MINT", "SAGE"]}, "key": {"$nin": ["mint"]}},
        {"programme": "grocer", "turn": {"$gte": 3}},
    ]
    plans = [(await database.catalogue.find(query).explain())["queryPlanner"]["winningPlan"] for query in looked_for]
    assert [plan["inputStage"]["indexName"] for plan in plans] == [
        "request_1",
        "programme_1_code_1",
        "programme_1_turn_1",
    ]
