import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import WriteError
from support.clients.request_factory import RequestFactory
from support.outcome import committed

from models.commits.committer import Committer
from models.mongo.all import documents
from models.mongo.collection import Collection
from models.mongo.database import MAJORITY, Database, DatabaseUnavailable, connect
from models.mongo.replica_set import NotAReplicaSet
from models.mongod import process as mongod_process
from models.mongod.server import EmbeddedServer


async def test_an_empty_server_gets_its_collections_indexes_and_validators(database: Database) -> None:
    names = await database.db.list_collection_names()
    assert {"members", "entries", "identities", "programmes"} <= set(names)
    indexes = {
        name: sorted(index for index in await database.db[name].index_information() if index != "_id_")
        for name in ("members", "entries", "identities", "programmes")
    }
    assert indexes == {
        "members": ["due_at_1", "programme_1__id_1", "programme_1_number_1"],
        "entries": [
            "cause.key_1_member_1",
            "key_1",
            "programme_1_member_1_claim.until_1",
            "programme_1_waiting.until_1_cause.subject_1",
        ],
        "identities": ["member_1"],
        "programmes": ["programme_1_version_-1"],
    }


@pytest.mark.usefixtures("changed_validators")
async def test_second_preparation_changes_no_document_and_updates_the_validators(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    await request_factory.member(committer)
    await database.db.command("collMod", "members", validator={})
    before = await database.members.find().to_list()
    await database.prepare()
    assert await database.members.find().to_list() == before
    with pytest.raises(WriteError, match="failed validation"):
        await database.members.update_one({}, {"$set": {"version": 0}})


async def test_several_processes_may_prepare_one_empty_server_at_once(mongod: EmbeddedServer) -> None:
    databases = [connect(mongod.url, name="prepared") for _ in range(6)]
    await asyncio.gather(*(database.prepare() for database in databases))
    names = await databases[0].db.list_collection_names()
    assert sorted(names) == sorted(document.Settings.name for document in documents())
    await databases[0].client.drop_database("prepared")
    for database in databases:
        await database.close()


# Validators

WRONG: list[tuple[str, dict[str, Any]]] = [
    ("members", {"$set": {"version": 0}}),
    ("members", {"$set": {"version": 1.5}}),
    ("members", {"$set": {"balances.held": -1}}),
    ("members", {"$set": {"balances.pending": -1}}),
    ("members", {"$set": {"balances.redeemed": -1}}),
    ("members", {"$set": {"balances.expired": -1}}),
    ("members", {"$set": {"balances.deducted": -1}}),
    ("members", {"$set": {"balances.issued": 1}}),
    ("members", {"$set": {"balances.written_off": 1}}),
    ("members", {"$set": {"balances.available": 1.5}}),
    ("members", {"$set": {"balances.secret": 1}}),
    ("members", {"$set": {"head": "short"}}),
    ("members", {"$set": {"recent": []}}),
    ("members", {"$set": {"entries": -1}}),
    ("members", {"$unset": {"standing.tier": 1}}),
    ("members", {"$unset": {"programme": 1}}),
    ("members", {"$unset": {"number": 1}}),
    ("entries", {"$set": {"version": 0}}),
    ("entries", {"$set": {"hash": "short"}}),
    ("entries", {"$set": {"recorded_at": "today"}}),
    ("entries", {"$set": {"entries.0.points": "many"}}),
    ("entries", {"$unset": {"entries.0.postings": 1}}),
    ("entries", {"$unset": {"cause.key": 1}}),
    ("entries", {"$unset": {"member": 1}}),
    ("entries", {"$set": {"digest": "short"}}),
    ("entries", {"$set": {"key": 1}}),
    ("identities", {"$unset": {"member": 1}}),
    ("identities", {"$set": {"programme": None}}),
]


async def test_mongodb_validators_refuse_invalid_documents(
    database: Database, committer: Committer, request_factory: RequestFactory, subtests: pytest.Subtests
) -> None:
    member = await request_factory.member(committer)
    committed(await committer.commit(request_factory.buy(member, "5.00")))
    collections: dict[str, Collection] = {name: Collection(database.db, name) for name in ("members", "entries")}
    collections["identities"] = database.identities
    filters = {"members": {"_id": member}, "identities": {"member": member}}
    for name, change in WRONG:
        with subtests.test(name, change=str(change)):
            filter_ = filters.get(name, {"member": member, "version": 2})
            before = await collections[name].find_one(filter_)
            assert before is not None
            with pytest.raises(WriteError, match="failed validation"):
                await collections[name].update_one(filter_, change)
            assert await collections[name].find_one(filter_) == before


async def test_a_debt_is_not_refused(database: Database, committer: Committer, request_factory: RequestFactory) -> None:
    member = await request_factory.member(committer)
    await committer.commit(request_factory.buy(member, "5.00", key="receipt"))
    await committer.commit(request_factory.adjust(member, -5))
    owing = committed(await committer.commit(request_factory.refund(member, "receipt")))
    assert owing.snapshot.member.available == -5
    stored = await database.members.find_one({"_id": member})
    assert stored is not None
    assert stored["balances"]["available"] == -5


async def test_collection_of_a_document_class_is_observed_and_majority_read(database: Database) -> None:
    for document in documents():
        collection = database.collection(document)
        assert (type(collection), collection.name) == (Collection, document.Settings.name)
        assert (collection.read_concern.level, collection.write_concern) == ("majority", MAJORITY)


# Unusable servers and addresses


@pytest.fixture
async def standalone(tmp_path: Path) -> AsyncIterator[str]:
    """A mongod outside a replica set."""
    binary = mongod_process._wheel_binary()  # noqa: SLF001 - the only mongod there is
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--dbpath", str(tmp_path), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    process = await asyncio.create_subprocess_exec(
        *(str(binary), *options, "--wiredTigerCacheSizeGB", "0.25", "--quiet"), stdout=subprocess.DEVNULL
    )
    yield f"mongodb://127.0.0.1:{port}/"
    process.terminate()
    await process.wait()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("lost_server")
@pytest.mark.skipif(sys.platform != "linux", reason="the wheel's mongod is Linux's")
async def test_a_standalone_server_is_refused_with_the_reason(standalone: str) -> None:
    database = connect(standalone, timeout_ms=20_000)
    with pytest.raises(NotAReplicaSet, match=r"not a member of a replica set.*transactions and change streams"):
        await database.prepare()
    assert await database.db.list_collection_names() == []
    await database.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("lost_server")
async def test_unreachable_server_is_reported() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = connect(f"mongodb://127.0.0.1:{port}/?replicaSet=carillon", timeout_ms=200)
    with pytest.raises(DatabaseUnavailable, match="MongoDB cannot be used"):
        await database.prepare()
    assert not await database.has_primary()
    await database.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://localhost:27017",
        "mongodb://",
        "mongodb://localhost:port/",
        "mongodb://localhost:99999/",
        "mongodb://user:p@ss:word@localhost/",
        "mongodb://localhost/a$b",
    ],
)
async def test_invalid_url_is_reported_with_the_remedy(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"not a MongoDB URL: .*write mongodb://HOST:PORT/\?replicaSet=NAME"):
        connect(url)


async def test_the_database_is_the_one_that_the_url_names() -> None:
    for url, name in (("mongodb://localhost/", "carillon"), ("mongodb://localhost/loyalty?replicaSet=rs0", "loyalty")):
        database = connect(url)
        assert database.db.name == name
        await database.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", (5.0, 5.0, 100, "carillon")),
        ("&serverSelectionTimeoutMS=700", (0.7, 5.0, 100, "carillon")),
        ("&CONNECTTIMEOUTMS=900", (5.0, 0.9, 100, "carillon")),
        ("&maxPoolSize=7&appName=till", (5.0, 5.0, 7, "till")),
    ],
)
async def test_url_sets_timeout_and_pool_size(options: str, expected: tuple[float, float, int, str]) -> None:
    database = connect(f"mongodb://localhost/?replicaSet=rs0{options}")
    result = database.client.options
    pool = result.pool_options
    assert (result.server_selection_timeout, pool.connect_timeout, pool.max_pool_size, pool.appname) == expected
    await database.close()


async def test_primary_is_found(database: Database) -> None:
    assert await database.has_primary()
