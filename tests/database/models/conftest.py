"""Two committers on one database, as two gateway processes have them, and requests for them."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
from support.clients.request_factory import RequestFactory
from support.clock import Clock
from support.programme_files import programme_from_file

from loyalty.model.programme import Programme
from models.commits.committer import Committer
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer


@pytest.fixture(scope="session")
def grocer() -> Programme:
    return programme_from_file("grocer")


@pytest.fixture(scope="session")
def coffee() -> Programme:
    return programme_from_file("coffee")


@pytest.fixture
def request_factory(grocer: Programme, clock: Clock) -> RequestFactory:
    return RequestFactory(grocer, clock)


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    async with Committer(database) as committer:
        yield committer


@pytest.fixture
async def other_committer(mongod: EmbeddedServer, database: Database) -> AsyncIterator[Committer]:
    """The committer of another process: it shares only the database."""
    other = connect(mongod.url, name=database.db.name)
    async with Committer(other) as committer:
        yield committer
    await other.close()


@pytest.fixture
async def changed_validators(database: Database) -> AsyncIterator[None]:
    """Restore the validators after a test that changes them."""
    yield
    await database.prepare()


@pytest.fixture
def lost_server() -> Iterator[None]:
    """For tests whose server goes away: PyMongo leaves sockets unclosed that were connecting.

    They are collected here, under the test's own filter of warnings, and not during another test.
    """
    yield
    gc.collect()
