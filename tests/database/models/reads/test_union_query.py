"""Reads of several collections that are one query."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from support.queries import Queries

from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongod.server import EmbeddedServer
from models.reads.union_query import FIRST_BATCH, PARTS_MAX, UnionQuery

NAMES = ("one", "two", "three")
HELD = 12


@pytest.fixture(scope="module")
async def watched(mongod: EmbeddedServer) -> AsyncIterator[tuple[Database, Queries]]:
    """Three collections of a dozen documents each, on a client whose queries are noted."""
    queries = Queries()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongod.url, tz_aware=True, event_listeners=[queries])
    database = Database(client, "together")
    for name in NAMES:
        documents = [{"_id": f"{name}-{n}", "n": n, "name": name, "rest": [n]} for n in range(HELD)]
        await database.db[name].insert_many(documents)
    yield database, queries
    await client.drop_database("together")
    await client.close()


def among(name: str, *numbers: int) -> Document:
    return {"_id": {"$in": [f"{name}-{n}" for n in numbers]}}


def by_id(documents: list[Document]) -> list[Document]:
    return sorted(documents, key=lambda document: document["_id"])


async def test_what_is_asked_at_the_same_time_is_one_query_and_each_gets_its_own(
    watched: tuple[Database, Queries],
) -> None:
    database, queries = watched
    union_query = UnionQuery()
    queries.asked.clear()
    one, two, none, three = await asyncio.gather(
        union_query.find(database.db["one"], among("one", 1, 2)),
        union_query.find(database.db["two"], {"name": "two"}, "n"),
        union_query.find(database.db["one"], among("one", 99)),
        union_query.find(database.db["three"], {"n": {"$lt": 5}}, "_id", limit=2),
    )
    assert queries.asked == [("one", "two", "one", "three")]
    assert by_id(one) == [{"_id": f"one-{n}", "n": n, "name": "one", "rest": [n]} for n in (1, 2)]
    assert by_id(two) == by_id([{"_id": f"two-{n}", "n": n} for n in range(HELD)])
    assert none == []
    assert len(three) == 2
    assert all(document.keys() == {"_id"} for document in three)


async def test_what_is_asked_alone_is_found_without_an_aggregation(watched: tuple[Database, Queries]) -> None:
    database, queries = watched
    union_query = UnionQuery()
    queries.asked.clear()
    assert len(await union_query.find(database.db["one"], {}, "n", limit=3)) == 3
    assert await union_query.find(database.db["two"], among("two", 0), "n") == [{"_id": "two-0", "n": 0}]
    assert queries.asked == ["one", "two"]


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
    watched: tuple[Database, Queries], parts: list[tuple[str, list[int], tuple[str, ...]]]
) -> None:
    database, _ = watched
    union_query = UnionQuery()
    found = await asyncio.gather(
        *(union_query.find(database.db[name], among(name, *numbers), *fields) for name, numbers, fields in parts)
    )
    for documents, (name, numbers, fields) in zip(found, parts, strict=True):
        alone = await database.db[name].find(among(name, *numbers), dict.fromkeys(fields, 1) or None).to_list()
        assert by_id(documents) == by_id(alone)


async def test_more_reads_than_a_query_may_have_are_several_queries(watched: tuple[Database, Queries]) -> None:
    database, queries = watched
    union_query = UnionQuery()
    queries.asked.clear()
    asked = [union_query.find(database.db["one"], among("one", n % HELD), "n") for n in range(PARTS_MAX + 1)]
    found = await asyncio.gather(*asked)
    assert [documents[0]["n"] for documents in found] == [n % HELD for n in range(PARTS_MAX + 1)]
    assert sorted(map(str, queries.asked)) == sorted([str(("one",) * PARTS_MAX), "one"])


async def test_more_documents_than_the_first_answer_holds_are_all_found(watched: tuple[Database, Queries]) -> None:
    database, _ = watched
    many = database.db["many"]
    await many.insert_many([{"_id": n} for n in range(FIRST_BATCH + 1)])
    union_query = UnionQuery()
    alone = await union_query.find(many, {})
    beside, _few = await asyncio.gather(union_query.find(many, {}), union_query.find(database.db["one"], {}))
    assert len(alone) == len(beside) == FIRST_BATCH + 1


async def test_everybody_is_told_what_went_wrong_and_the_next_read_is_answered(
    watched: tuple[Database, Queries],
) -> None:
    database, _ = watched
    union_query = UnionQuery()
    outcomes = await asyncio.gather(
        union_query.find(database.db["one"], {"n": {"$no": 1}}),
        union_query.find(database.db["two"], {}),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, PyMongoError) for outcome in outcomes)
    assert len(await union_query.find(database.db["two"], {})) == HELD


async def test_who_stops_waiting_takes_nobodys_answer_with_it(watched: tuple[Database, Queries]) -> None:
    database, _ = watched
    union_query = UnionQuery()
    leaving, staying = union_query.find(database.db["one"], {}), union_query.find(database.db["two"], {})
    await asyncio.sleep(0)
    leaving.cancel()
    assert len(await staying) == HELD
    with pytest.raises(asyncio.CancelledError):
        await leaving
