"""A real mongod for the whole run, an empty database for each test, gateways as processes.

What is there for the whole run is there once for each process that runs tests: they share nothing but the files of the
repository.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from support.gateway import GatewayProcess
from support.programme import Applied, source
from support.shop import NOON, Clock, Shop

from models.commits.committer import Committer
from models.live.change_feed import Feed
from models.live.hub import Hub
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes, apply
from models.reads.reader import Reader
from resolvers.core.context import Services

NAMES = ("grocer", "coffee")


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A replica set of one."""
    with EmbeddedServer.start(tmp_path_factory.mktemp("mongod"), purpose="tests", cache_gib=0.25) as server:
        yield server


@pytest.fixture(scope="session")
async def prepared(mongod: EmbeddedServer) -> EmbeddedServer:
    """The server with the tests' database prepared: once, since to do so takes a tenth of a second even again."""
    database = connect(mongod.url, name="test")
    await database.prepare()
    await database.close()
    return mongod


@pytest.fixture
async def database(prepared: EmbeddedServer) -> AsyncIterator[Database]:
    """An empty, prepared database: one for the whole run, since to make and drop one takes a third of a second."""
    database = connect(prepared.url, name="test")
    for name in await database.db.list_collection_names():
        await database.db[name].delete_many({})
    yield database
    await database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
async def applied(mongod: EmbeddedServer) -> Applied:
    """Both programmes, applied once for the whole run: to read their files takes a quarter of a second."""
    database = connect(mongod.url, name="applied")
    await database.prepare()
    documents = [(await apply(database, source(name), now=NOON, applied_by="tests"))[0] for name in NAMES]
    programmes = Programmes(database)
    await programmes.load()
    await database.close()
    return documents, [programmes.get(name) for name in NAMES]


@pytest.fixture
async def services(database: Database, clock: Clock, applied: Applied) -> AsyncIterator[Services]:
    """What a gateway process holds, on the test's clock, with both programmes applied. The sweeper does not run."""
    documents, known = applied
    await database.programmes.insert_many(documents)
    programmes, hub = Programmes(database, known), Hub()
    feed = Feed(
        database,
        hub,
        on_programme=programmes.follow,
        on_item=programmes.follow_item,
        catch_up=programmes.catch_up,
    )
    following = asyncio.create_task(feed.run())
    async with Committer(database) as committer:
        await asyncio.wait_for(feed.opened.wait(), 10)
        yield Services(database, committer, Reader(database), hub, feed, programmes, clock, b"a secret")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.fixture
def shop(services: Services, clock: Clock) -> Shop:
    return Shop(services, clock)


@pytest.fixture(scope="session")
def development_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """`carillon up` with five households of the real data, for all tests that only need a gateway."""
    folder = tmp_path_factory.mktemp("gateway")
    gateway = GatewayProcess.start("up", "--households", "5", data_dir=folder / "data", output=folder / "output.log")
    yield gateway
    assert gateway.stop() == 0, gateway.output.read_text(errors="replace")
