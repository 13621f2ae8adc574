"""The data that all servers are measured on: one mongod, one programme, the same members, a development key, tokens.

Everything is in a temporary directory.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.gateway import issue_token
from bench.loads.members import (
    FIRST_DEEP,
    PROTOTYPES,
    PURCHASES,
    PURCHASES_DEEP,
    Prototype,
    StoredMember,
    copy_members,
    make_prototypes,
)
from bench.programme import for_peers, source
from gateway.auth.development_key import DevelopmentKey
from models.definitions.programme_file import read_programme
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import apply_file
from resolvers.core.actor import Role
from resolvers.imports.journey import PROGRAMME

DATABASE = "carillon"
DEEP_PROTOTYPES, DEEP = 10, 1_000
MEMBERS, PEERS_MEMBERS = "members", "bench_members"
"""Collections of members; peers write to a copy, the second, so that Carillon's own members stay unchanged."""


@dataclass(frozen=True, slots=True)
class World:
    """A database to measure on; `directory` is its temporary directory.

    `deep` are members, in addition to `members`, whose ledgers are far longer than the entries in a snapshot.
    """

    directory: Path
    url: str
    mongod_pid: int
    database: Database
    key: DevelopmentKey
    prototypes: Sequence[Prototype]
    members: list[StoredMember]
    deep: Sequence[StoredMember]
    kiosk_token: str

    @property
    def programme_file(self) -> Path:
        """The programme file of the peers."""
        return self.directory / "programme.json"

    def file(self, name: str) -> Path:
        """Return the path of a work file of this database."""
        return self.directory / f"{self.database.db.name}-{name}"

    def token(self, role: Role, subject: str) -> str:
        """Return a token of a role other than member."""
        return issue_token(self.key, role, subject)

    def member_token(self, member: StoredMember) -> str:
        """Return a member's own token."""
        return issue_token(self.key, Role.MEMBER, member.id, member.id)

    async def grow(self, members: int, *, with_ledger: int) -> float:
        """Add members up to a total of `members`; return the seconds that it took."""
        added, seconds = await copy_members(
            self.database, self.prototypes, indexes=range(len(self.members), members), with_ledger=with_ledger
        )
        self.members.extend(added)
        return seconds


@asynccontextmanager
async def new_database(world: World, name: str) -> AsyncIterator[World]:
    """Yield a new database on the same mongod, with the same programme and no members."""
    database = connect(world.url, name=name)
    try:
        await database.prepare()
        await apply_file(database, source(), now=datetime.now(UTC), applied_by="bench")
        yield replace(world, database=database, members=[], deep=())
    finally:
        await database.close()


@asynccontextmanager
async def running_world(
    members: int, *, usual: int = PROTOTYPES, with_ledger: int | None = None, cache_gib: float = 1.0
) -> AsyncIterator[World]:
    """Start a mongod, insert members, and stop it afterwards.

    `usual` is the number of prototypes, `with_ledger` the number of members with a whole ledger (None: all),
    `cache_gib` the size of mongod's cache.
    """
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as name:
        directory = Path(name)
        server = await asyncio.to_thread(EmbeddedServer.start, directory / "data", purpose="bench", cache_gib=cache_gib)
        try:
            database = connect(server.url, name=DATABASE)
            try:
                await database.prepare()
                text = source()
                await apply_file(database, text, now=datetime.now(UTC), applied_by="bench")
                (directory / "programme.json").write_bytes(orjson.dumps(for_peers(read_programme(text, version=1))))
                created = await make_prototypes(database, [PURCHASES] * usual + [PURCHASES_DEEP] * DEEP_PROTOTYPES)
                usual_prototypes, deep_prototypes = created[:usual], created[usual:]
                indexes = range(FIRST_DEEP, FIRST_DEEP + DEEP)
                deep, _ = await copy_members(database, deep_prototypes, indexes=indexes, with_ledger=indexes.stop)
                key = DevelopmentKey.load(directory / "data")
                kiosk_token = issue_token(key, Role.KIOSK, "bench-kiosk")
                world = World(directory, server.url, server.pid, database, key, usual_prototypes, [], deep, kiosk_token)
                await world.grow(members, with_ledger=members if with_ledger is None else with_ledger)
                yield world
            finally:
                await database.close()
        finally:
            await asyncio.to_thread(server.stop)


async def write_peers_collections(world: World) -> None:
    """Write the collections of the peers: the members that they write to, offers and rewards."""
    database = world.database
    # `$out` copies within mongod.
    await (await database.members.aggregate([{"$out": PEERS_MEMBERS}])).to_list()
    programme: dict[str, Any] = orjson.loads(world.programme_file.read_bytes())
    for name in ("offers", "rewards"):
        collection = database.db[f"bench_{name}"]
        await collection.drop()
        await collection.insert_many(
            [
                {**item, "_id": item["key"], "programme": PROGRAMME, "rank": rank}
                for rank, item in enumerate(programme[name])
            ]
        )
        await collection.create_index([("programme", 1), ("rank", 1)])
