"""Concurrent reads of several collections in one query."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from support.query_log import QueryLog

from models.mongo.bson import Document
from models.mongo.collection import Collection
from models.mongo.database import Database
from models.mongod.server import EmbeddedServer
from models.reads.union_query import FIRST_BATCH, PARTS_MAX, UnionQuery

NAMES = ("one", "two", "three")
HELD = 12


@pytest.fixture(scope="module")
async def watched(mongod: EmbeddedServer) -> AsyncIterator[tuple[Database, QueryLog]]:
    """Three collections of a dozen documents each, and the log of the client's queries."""
    query_log = QueryLog()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongod.url, tz_aware=True, event_listeners=[query_log])
    database = Database(client, "together")
    for name in NAMES:
        documents = [{"_id": f"{name}-{n}", "n": n, "name": name, "rest": [n]} for n in range(HELD)]
        await database.db[name].insert_many(documents)
    yield database, query_log
    await client.drop_database("together")
    await client.close()


def among(name: str, *numbers: int) -> Document:
    return {"_id": {"$in": [f"{name}-{n}" for n in numbers]}}


def by_id(documents: list[Document]) -> list[Document]:
    return sorted(documents, key=lambda document: document["_id"])


async def test_concurrent_reads_are_one_query_and_each_gets_its_own_result(
    watched: tuple[Database, QueryLog],
) -> None:
    database, query_log = watched
    union_query = UnionQuery()
    query_log.collections.clear()
    one, two, none, three = await asyncio.gather(
        union_query.find(Collection(database.db, "one"), among("one", 1, 2)),
        union_query.find(Collection(database.db, "two"), {"name": "two"}, "n"),
        union_query.find(Collection(database.db, "one"), among("one", 99)),
        union_query.find(Collection(database.db, "three"), {"n": {"$lt": 5}}, "_id", limit=2),
    )
    assert query_log.collections == [("one", "two", "one", "three")]
    assert by_id(one) == [{"_id": f"one-{n}", "n": n, "name": "one", "rest": [n]} for n in (1, 2)]
    assert by_id(two) == by_id([{"_id": f"two-{n}", "n": n} for n in range(HELD)])
    assert none == []
    assert len(three) == 2
    assert all(document.keys() == {"_id"} for document in three)


async def test_single_read_needs_no_aggregation(watched: tuple[Database, QueryLog]) -> None:
    database, query_log = watched
    union_query = UnionQuery()
    query_log.collections.clear()
    assert len(await union_query.find(Collection(database.db, "one"), {}, "n", limit=3)) == 3
    assert await union_query.find(Collection(database.db, "two"), among("two", 0), "n") == [{"_id": "two-0", "n": 0}]
    assert query_log.collections == ["one", "two"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.lists(st.integers(0, HELD + 2), max_size=6),
            st.sampled_from([(), ("n",), ("n", "rest"), ("_id",), ("missing",)]),
        ),
        min_size=1,
        max_size=8,
    )
)
async def test_a_query_of_several_parts_finds_what_a_query_of_each_finds(
    watched: tuple[Database, QueryLog], parts: list[tuple[str, list[int], tuple[str, ...]]]
) -> None:
    database, _ = watched
    union_query = UnionQuery()
    found = await asyncio.gather(
        *(
            union_query.find(Collection(database.db, name), among(name, *numbers), *fields)
            for name, numbers, fields in parts
        )
    )
    for documents, (name, numbers, fields) in zip(found, parts, strict=True):
        alone = await database.db[name].find(among(name, *numbers), dict.fromkeys(fields, 1) or None).to_list()
        assert by_id(documents) == by_id(alone)


async def test_more_reads_than_a_query_may_have_are_several_queries(watched: tuple[Database, QueryLog]) -> None:
    database, query_log = watched
    union_query = UnionQuery()
    query_log.collections.clear()
    requested = [
        union_query.find(Collection(database.db, "one"), among("one", n % HELD), "n") for n in range(PARTS_MAX + 1)
    ]
    found = await asyncio.gather(*requested)
    assert [documents[0]["n"] for documents in found] == [n % HELD for n in range(PARTS_MAX + 1)]
    assert sorted(map(str, query_log.collections)) == sorted([str(("one",) * PARTS_MAX), "one"])


async def test_more_documents_than_the_first_answer_holds_are_all_found(watched: tuple[Database, QueryLog]) -> None:
    database, _ = watched
    many = Collection(database.db, "many")
    await many.insert_many([{"_id": n} for n in range(FIRST_BATCH + 1)])
    union_query = UnionQuery()
    alone = await union_query.find(many, {})
    beside, _few = await asyncio.gather(
        union_query.find(many, {}), union_query.find(Collection(database.db, "one"), {})
    )
    assert len(alone) == len(beside) == FIRST_BATCH + 1


async def test_every_caller_gets_the_error_and_the_next_read_works(
    watched: tuple[Database, QueryLog],
) -> None:
    database, _ = watched
    union_query = UnionQuery()
    outcomes = await asyncio.gather(
        union_query.find(Collection(database.db, "one"), {"n": {"$no": 1}}),
        union_query.find(Collection(database.db, "two"), {}),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, PyMongoError) for outcome in outcomes)
    assert len(await union_query.find(Collection(database.db, "two"), {})) == HELD


async def test_cancelled_caller_does_not_cancel_the_others(watched: tuple[Database, QueryLog]) -> None:
    database, _ = watched
    union_query = UnionQuery()
    leaving, staying = (
        union_query.find(Collection(database.db, "one"), {}),
        union_query.find(Collection(database.db, "two"), {}),
    )
    await asyncio.sleep(0)
    leaving.cancel()
    assert len(await staying) == HELD
    with pytest.raises(asyncio.CancelledError):
        await leaving
