"""Fixtures with a real mongod: one server for the run, an empty database for each test, and the services on it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from models.commits.committer import Committer
from models.live.change_feed import ChangeFeed
from models.live.hub import Hub
from models.migrations.events_in_ledger import FORMER_INDEX
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes, apply_file
from models.reads.reader import Reader
from resolvers.core.context import Services
from support.clients.resolver_client import ResolverClient
from support.clock import NOON, Clock
from support.programme_files import AppliedProgrammes, programme_source

NAMES = ("grocer", "coffee")


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """Run a replica set of one member."""
    with EmbeddedServer.start(tmp_path_factory.mktemp("mongod"), purpose="tests", cache_gib=0.25) as server:
        yield server


@pytest.fixture(scope="session")
async def prepared_mongod(mongod: EmbeddedServer) -> EmbeddedServer:
    """Prepare the database `test` once: each preparation takes a tenth of a second."""
    database = connect(mongod.url, name="test")
    await database.prepare()
    await database.close()
    return mongod


@pytest.fixture
async def database(prepared_mongod: EmbeddedServer) -> AsyncIterator[Database]:
    """Empty the prepared database `test`: to create and drop one would take a third of a second for each test."""
    database = connect(prepared_mongod.url, name="test")
    for name in await database.db.list_collection_names():
        await database.db[name].delete_many({})
    # A gateway or a test of migrations has migrated it.
    if FORMER_INDEX in await database.records.index_information():
        await database.records.drop_index(FORMER_INDEX)
    yield database
    await database.close()


@pytest.fixture
async def migrated_database(database: Database) -> AsyncIterator[Database]:
    """For tests of migrations: restore the validators and indexes afterwards, which other tests share."""
    yield database
    await database.prepare()


@pytest.fixture(scope="session")
async def applied_programmes(mongod: EmbeddedServer) -> AppliedProgrammes:
    """Apply both programmes once for the run: reading their files takes a quarter of a second."""
    database = connect(mongod.url, name="applied")
    await database.prepare()
    documents = [
        (await apply_file(database, programme_source(name), now=NOON, applied_by="tests"))[0] for name in NAMES
    ]
    programmes = Programmes(database)
    await programmes.load()
    await database.close()
    return documents, [programmes.get(name) for name in NAMES]


@pytest.fixture
async def services(database: Database, clock: Clock, applied_programmes: AppliedProgrammes) -> AsyncIterator[Services]:
    """Create the services of a gateway process on the test's clock, with both programmes, without the sweeper."""
    documents, known = applied_programmes
    await database.programmes.insert_many(documents)
    programmes, hub = Programmes(database, known), Hub()
    feed = ChangeFeed(
        database,
        hub,
        on_programme=programmes.apply_version,
        on_item=programmes.apply_item,
        catch_up=programmes.catch_up,
    )
    following = asyncio.create_task(feed.run())
    async with Committer(database, on_write=hub.keep_written) as committer:
        await asyncio.wait_for(feed.is_open.wait(), 10)
        yield Services(database, committer, Reader(database), hub, feed, programmes, clock, b"a secret")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.fixture
def resolver_client(services: Services, clock: Clock) -> ResolverClient:
    """Call the resolvers for the programme `grocer`."""
    return ResolverClient(services, clock)
