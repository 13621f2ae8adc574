import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect, DuplicateKeyError
from support.clients.request_factory import RequestFactory
from support.clock import Clock
from support.outcome import committed
from support.programme_files import programme_source
from support.query_log import QueryLog

from models.commits.committer import Committer, Unavailable
from models.live.change_feed import ChangeFeed
from models.live.hub import Hub, Watcher
from models.mongo.commit import commit_document
from models.mongo.database import Database, connect
from models.mongo.snapshot import Snapshot
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes, apply_file

WITHIN_SECONDS = 15


@asynccontextmanager
async def following(
    database: Database, hub: Hub, *, programmes: Programmes | None = None, lags: list[float] | None = None
) -> AsyncIterator[None]:
    """Run a feed, once it is open, until the block ends."""

    def on_programme(document: Mapping[str, Any]) -> None:
        if programmes is not None:
            programmes.apply_version(document)

    feed = ChangeFeed(database, hub, on_programme=on_programme, on_lag=(lags if lags is not None else []).append)
    task = asyncio.create_task(feed.run())
    await asyncio.wait_for(feed.is_open.wait(), WITHIN_SECONDS)
    yield
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def versions(watch: Watcher, count: int) -> list[int | None]:
    """Return the versions of a watch's next changes, None for a gap."""
    async with asyncio.timeout(WITHIN_SECONDS):
        changes = [await watch.next() for _ in range(count)]
    assert not any(change and change.resync for change in changes)
    return [change.snapshot.version if change else None for change in changes]


async def caught_up(watch: Watcher, version: int) -> None:
    """Wait until a watch receives a version; a feed may first send what was committed before it began."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while (change := await watch.next()) is None or change.snapshot.version < version:
            pass


async def snapshots_until(watch: Watcher, version: int) -> list[Snapshot]:
    """Return the snapshots that a watch receives, up to a version; there may be no gap."""
    seen: list[Snapshot] = []
    async with asyncio.timeout(WITHIN_SECONDS):
        while not seen or seen[-1].version < version:
            change = await watch.next()
            assert change is not None
            seen.append(change.snapshot)
    return seen


async def followed_until(feed: ChangeFeed, watch: Watcher, change: Awaitable[Any], *, version: int) -> None:
    """Run a feed until a change has come through it, then stop it."""
    task = asyncio.create_task(feed.run())
    await asyncio.wait_for(feed.is_open.wait(), WITHIN_SECONDS)
    await change
    await caught_up(watch, version)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(programmes: Programmes, key: str, version: int) -> None:
    """Wait until a programme has arrived."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while (programme := programmes.find(key)) is None or programme.version < version:  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.01)


async def test_a_watcher_gets_every_version_as_its_own_process_committed_it(
    database: Database, request_factory: RequestFactory
) -> None:
    hub = Hub()
    lags: list[float] = []
    async with Committer(database, on_write=hub.keep_written) as committer, following(database, hub, lags=lags):
        enrolment, other = request_factory.enrol(), await request_factory.member(committer)
        member = enrolment.member
        with hub.watch(member) as watch:
            buys = [request_factory.buy(who, "2.00") for _ in range(50) for who in (member, other)]
            futures = [committer.submit(request) for request in (enrolment, *buys)]
            outcomes = [committed(await future) for future in futures]
            async with asyncio.timeout(WITHIN_SECONDS):
                changes = [await watch.next() for _ in range(51)]
        assert [change and change.snapshot for change in changes] == [
            outcome.snapshot for outcome in outcomes if outcome.record.member == member
        ]
        assert lags
        assert all(0 <= lag < WITHIN_SECONDS for lag in lags)
        assert not hub._written  # noqa: SLF001 - what is delivered is not kept


async def test_a_watcher_gets_the_newest_version_that_another_process_committed(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    hub = Hub()
    async with following(database, hub):
        member = await request_factory.member(committer)
        with hub.watch(member) as watch:
            futures = [committer.submit(request_factory.buy(member, "2.00")) for _ in range(50)]
            newest = [committed(await future) for future in futures][-1]
            seen = await snapshots_until(watch, newest.snapshot.version)
            assert [one.version for one in seen] == sorted(one.version for one in seen)
            assert seen[-1] == newest.snapshot


async def test_versions_of_two_processes_arrive_as_they_were_committed(
    database: Database, other_committer: Committer, request_factory: RequestFactory
) -> None:
    hub = Hub()
    async with Committer(database, on_write=hub.keep_written) as committer, following(database, hub):
        member = await request_factory.member(committer)
        with hub.watch(member) as watch:
            futures = [
                one.submit(request_factory.buy(member, "1.00"))
                for _ in range(40)
                for one in (committer, other_committer)
            ]
            committed_by_version = {(one := committed(await future).snapshot).version: one for future in futures}
            seen = await snapshots_until(watch, 81)
    assert sorted(committed_by_version) == [*range(2, 82)]
    assert all(one == committed_by_version.get(one.version, one) for one in seen)


async def test_a_version_of_an_attempt_that_was_not_committed_is_never_published(
    database: Database, request_factory: RequestFactory
) -> None:
    hub = Hub()
    attempts: list[ObjectId] = []

    def keep_and_spoil_the_first(commit: ObjectId, snapshots: Sequence[Snapshot]) -> None:
        hub.keep_written(commit, snapshots)
        attempts.append(commit)
        if len(attempts) == 2:  # after the enrolment
            raise DuplicateKeyError("as if another process had been faster", 11000)

    async with Committer(database, on_write=keep_and_spoil_the_first) as committer, following(database, hub):
        member = await request_factory.member(committer)
        with hub.watch(member) as watch:
            bought = committed(await committer.commit(request_factory.buy(member, "2.00")))
            assert (await snapshots_until(watch, 2))[-1] == bought.snapshot
    assert len(attempts) == 3
    assert await database.commits.count_documents({}) == 2


async def test_a_change_whose_members_could_not_be_read_is_delivered_again(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    failures = [AutoReconnect("the primary has changed"), AutoReconnect("it has changed again")]

    class FailingHub(Hub):
        def watched(self, members: Iterable[str]) -> list[str]:
            if failures:
                raise failures.pop()
            return super().watched(members)

    hub = FailingHub()
    async with following(database, hub):
        member = await request_factory.member(committer)
        with hub.watch(member) as watch:
            await committer.commit(request_factory.buy(member, "2.00"))
            assert (await versions(watch, 1))[-1] == 2
    assert not failures


async def test_nothing_is_read_for_members_that_nobody_watches(
    mongod: EmbeddedServer, database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    query_log, hub = QueryLog(), Hub()
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        mongod.url, tz_aware=True, event_listeners=[query_log]
    )
    async with following(Database(client, database.db.name), hub):
        member, other = await request_factory.member(committer), await request_factory.member(committer)
        with hub.watch(member) as watch:
            for _ in range(10):
                await committer.commit(request_factory.buy(other, "2.00"))
            assert "members" not in query_log.collections
            await committer.commit(request_factory.buy(member, "2.00"))
            await caught_up(watch, 2)
            assert query_log.collections.count("members") == 1
    await client.close()


async def test_watcher_of_a_new_member_gets_its_first_version(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    hub = Hub()
    request = request_factory.enrol()
    async with following(database, hub):
        with hub.watch(request.member) as watch:
            await committer.commit(request)
            assert await versions(watch, 1) == [1]


async def test_a_change_that_cannot_be_read_is_a_gap_and_not_the_end(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    hub = Hub()
    member = await request_factory.member(committer)
    async with following(database, hub):
        with hub.watch(member) as watch:
            document = await database.members.find_one({"_id": member})
            assert document is not None
            broken = {**document, "lots": [["no day", None, 1, 0]]}
            await database.members.replace_one({"_id": member}, broken)
            await database.commits.insert_one(commit_document(ObjectId(), [(member, 1)]))
            while await versions(watch, 1) != [None]:
                pass
            await database.members.replace_one({"_id": member}, document)
            await committer.commit(request_factory.buy(member, "2.00"))
            assert await versions(watch, 1) == [2]


async def test_a_commit_that_names_a_member_who_is_gone_is_a_gap(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    hub = Hub()
    member = await request_factory.member(committer)
    async with following(database, hub):
        with hub.watch(member) as watch, hub.watch("nobody") as other:
            await database.commits.insert_one(commit_document(ObjectId(), [("nobody", 3)]))
            assert await versions(other, 1) == [None]
            await committer.commit(request_factory.buy(member, "2.00"))
            assert (await versions(watch, 2))[-1] == 2


async def test_value_that_python_cannot_represent_does_not_end_the_feed(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    hub = Hub()
    member = await request_factory.member(committer)
    async with following(database, hub):
        document = await database.members.find_one({"_id": member})
        assert document is not None
        await database.members.replace_one({"_id": member}, {**document, "enrolled_at": DatetimeMS(2**60)})
        await database.members.replace_one({"_id": member}, document)
        with hub.watch(member) as watch:
            await committer.commit(request_factory.buy(member, "2.00"))
            await caught_up(watch, 2)


async def test_programme_versions_reach_the_registry(database: Database, clock: Clock) -> None:
    programmes = Programmes(database)
    async with following(database, Hub(), programmes=programmes):
        assert programmes.keys() == []
        await apply_file(database, programme_source("coffee"), now=clock(), applied_by="tests")
        await until(programmes, "coffee", 1)
        await apply_file(
            database, programme_source("coffee").replace("points: 10", "points: 20"), now=clock(), applied_by="tests"
        )
        await until(programmes, "coffee", 2)
        assert programmes.keys() == ["coffee"]


async def test_programmes_that_were_applied_before_the_feed_opened_reach_the_registry(
    database: Database, clock: Clock
) -> None:
    # A starting gateway loads first and then follows; nothing applied in between may be missed.
    programmes = Programmes(database)
    await programmes.load()
    await apply_file(database, programme_source("coffee"), now=clock(), applied_by="tests")
    await apply_file(
        database, programme_source("coffee").replace("points: 10", "points: 20"), now=clock(), applied_by="tests"
    )
    async with following(database, Hub(), programmes=programmes):
        await until(programmes, "coffee", 2)


async def test_a_programme_that_cannot_run_here_does_not_stop_the_feed(
    database: Database, committer: Committer, request_factory: RequestFactory, clock: Clock
) -> None:
    # As a newer gateway may store it before this one is updated.
    programmes, hub = Programmes(database), Hub()
    stored, _ = await apply_file(database, programme_source("coffee"), now=clock(), applied_by="tests")
    unheard_of = {**stored, "_id": "coffee/2", "version": 2, "source": "programme: coffee\nmagic: true\n"}
    async with following(database, hub, programmes=programmes):
        await until(programmes, "coffee", 1)
        await database.programmes.insert_one(unheard_of)
        request = request_factory.enrol()
        with hub.watch(request.member) as watch:
            await committer.commit(request)
            assert (await versions(watch, 1))[-1] in {None, 1}
        assert programmes.get("coffee").version == 1
    async with following(database, hub, programmes=programmes):  # and a start with it in place works
        assert programmes.get("coffee").version == 1


async def test_lost_resume_token_is_reported_to_watchers_and_the_feed_restarts(
    mongod: EmbeddedServer, request_factory: RequestFactory, clock: Clock
) -> None:
    # Dropping the database, to restore a backup, invalidates the stream's resume token for good.
    database = connect(mongod.url, name="dropped")
    await database.prepare()
    hub, programmes = Hub(), Programmes(database)
    async with Committer(database) as committer, following(database, hub, programmes=programmes):
        member = await request_factory.member(committer)
        with hub.watch(member) as watch:
            await committer.commit(request_factory.buy(member, "1.00"))
            await caught_up(watch, 2)
            members, entries = await database.members.find().to_list(), await database.records.find().to_list()
            await database.client.drop_database("dropped")
            await database.prepare()
            await database.members.insert_many(members)
            await database.records.insert_many(entries)
            await apply_file(database, programme_source("coffee"), now=clock(), applied_by="tests")
            assert await versions(watch, 1) == [None]
            await until(programmes, "coffee", 1)
            await committer.commit(request_factory.buy(member, "1.00"))
            await caught_up(watch, 3)
    await database.client.drop_database("dropped")
    await database.close()


Spoil = Callable[[str], dict[str, Any]]
SPOILT: dict[str, Spoil] = {
    # Its timestamp, set to January 2021: older than this server's oplog.
    "too old": lambda data: {"_data": f"82{'60000000'}{data[10:]}"},
    "no hexadecimal number": lambda data: {"_data": f"no token {data}"},
    "cut off": lambda data: {"_data": data[:20]},
    "of another form": lambda data: {"_data": f"46{data[2:]}"},
    "of another version": lambda data: {"_data": f"{data[:18]}ff{data[20:]}"},
    "empty": lambda _data: {"_data": ""},
    "without its data": lambda _data: {},
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
async def test_refused_resume_token_is_reported_to_watchers_and_the_feed_restarts(
    database: Database, committer: Committer, request_factory: RequestFactory, spoil: Spoil
) -> None:
    hub = Hub()
    feed = ChangeFeed(database, hub, on_programme=lambda _document: None)
    member = await request_factory.member(committer)
    with hub.watch(member) as watch:
        await followed_until(feed, watch, committer.commit(request_factory.buy(member, "1.00")), version=2)
        await committer.commit(request_factory.buy(member, "1.00"))  # while nobody follows
        token = feed._token  # noqa: SLF001 - a test cannot wait until it is too old
        assert token is not None
        feed._token = spoil(token["_data"])  # noqa: SLF001
        again = asyncio.create_task(feed.run())
        assert await versions(watch, 1) == [None]
        await committer.commit(request_factory.buy(member, "1.00"))
        await caught_up(watch, 4)
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)


async def test_lost_resume_token_is_reported_even_if_the_restart_fails_at_first(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    hub = Hub()
    failures: list[Exception] = []

    async def catch_up() -> None:
        if failures:
            raise failures.pop()

    feed = ChangeFeed(database, hub, on_programme=lambda _document: None, catch_up=catch_up)
    member = await request_factory.member(committer)
    with hub.watch(member) as watch:
        await followed_until(feed, watch, committer.commit(request_factory.buy(member, "1.00")), version=2)
        feed._token = {"_data": ""}  # noqa: SLF001 - a test cannot wait until it is too old
        failures.append(AutoReconnect("between the opening of the stream and its first event"))
        again = asyncio.create_task(feed.run())
        assert await versions(watch, 1) == [None]
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)
    assert not failures


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("lost_server")
async def test_nothing_is_missed_when_mongod_is_killed_and_restarted(
    tmp_path: Path, request_factory: RequestFactory
) -> None:
    server = await asyncio.to_thread(EmbeddedServer.start, tmp_path, purpose="a test", cache_gib=0.25)
    database = connect(server.url)
    await database.prepare()
    hub = Hub()
    async with Committer(database) as committer, following(database, hub):
        member = await request_factory.member(committer)

        async def buy() -> None:
            request = request_factory.buy(member, "1.00")
            while True:
                try:
                    committed(await committer.commit(request))
                except Unavailable:
                    continue
                break

        with hub.watch(member) as watch:
            await buy()
            await caught_up(watch, 2)
            for _ in range(4):
                await buy()
            os.kill(server.pid, signal.SIGKILL)
            await asyncio.to_thread(server.stop)
            server = await asyncio.to_thread(EmbeddedServer.start, tmp_path, purpose="a test", cache_gib=0.25)
            for _ in range(5):
                await buy()
            assert await versions(watch, 9) == [*range(3, 12)]
    await database.close()
    await asyncio.to_thread(server.stop)
