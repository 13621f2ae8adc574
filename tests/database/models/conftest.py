"""Two committers on one database, as two gateway processes have them, and commands for them."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
from support.command import Commands
from support.programme import read
from support.shop import Clock

from loyalty.model.programme import Programme
from models.commits.committer import Committer
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer


@pytest.fixture(scope="session")
def grocer() -> Programme:
    return read("grocer")


@pytest.fixture(scope="session")
def coffee() -> Programme:
    return read("coffee")


@pytest.fixture
def commands(grocer: Programme, clock: Clock) -> Commands:
    return Commands(grocer, clock)


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    async with Committer(database) as committer:
        yield committer


@pytest.fixture
async def other_committer(mongod: EmbeddedServer, database: Database) -> AsyncIterator[Committer]:
    """The committer of another process: nothing shared but the database."""
    other = connect(mongod.url, name=database.db.name)
    async with Committer(other) as committer:
        yield committer
    await other.close()


@pytest.fixture
async def changed_validators(database: Database) -> AsyncIterator[None]:
    """For tests that change what MongoDB itself refuses: the next test's database is prepared again."""
    yield
    await database.prepare()


@pytest.fixture
def lost_server() -> Iterator[None]:
    """For tests whose server goes away: PyMongo leaves sockets unclosed that it was just connecting with.

    They are collected here, where the test's own filter of warnings holds, and not in the middle of another test.
    """
    yield
    gc.collect()
