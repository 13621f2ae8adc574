"""What all servers are measured on: one mongod, one programme, the same members, a development key and tokens.

Everything lives in a directory that is gone afterwards.
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
from bench.members import (
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
from models.programmes.programme_store import apply
from resolvers.core.actor import Role
from resolvers.imports.journey import PROGRAMME

DATABASE = "carillon"
DEEP_PROTOTYPES, DEEP = 10, 1_000
MEMBERS, PEERS_MEMBERS = "members", "bench_members"
"""The second is the copy_members of the members that peers write to, so that Carillon's own stay as they were written."""


@dataclass(frozen=True, slots=True)
class World:
    """A database to measure on. `place` is its directory, `url` and `mongod_pid` are those of its mongod.

    `deep` are members with a ledger far longer than what a snapshot holds, besides the `members`.
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
        """The programme as peers read it."""
        return self.directory / "programme.json"

    def file(self, name: str) -> Path:
        """Return where a file of this database's measuring is."""
        return self.directory / f"{self.database.db.name}-{name}"

    def token(self, role: Role, subject: str) -> str:
        """Return a token of a role that is no member."""
        return issue_token(self.key, role, subject)

    def member_token(self, member: StoredMember) -> str:
        """Return a member's own token."""
        return issue_token(self.key, Role.MEMBER, member.id, member.id)

    async def grow(self, members: int, *, with_ledger: int) -> float:
        """Add members until there are so many; return how many seconds that took."""
        added, seconds = await copy_members(
            self.database, self.prototypes, places=range(len(self.members), members), with_ledger=with_ledger
        )
        self.members.extend(added)
        return seconds


@asynccontextmanager
async def new_database(world: World, name: str) -> AsyncIterator[World]:
    """Give new_database database on the same mongod, with the same programme and no members yet."""
    database = connect(world.url, name=name)
    try:
        await database.prepare()
        await apply(database, source(), now=datetime.now(UTC), applied_by="bench")
        yield replace(world, database=database, members=[], deep=())
    finally:
        await database.close()


@asynccontextmanager
async def running_world(
    members: int, *, usual: int = PROTOTYPES, with_ledger: int | None = None, cache_gib: float = 1.0
) -> AsyncIterator[World]:
    """Start a mongod, make members in it, and stop it afterwards.

    `usual` is how many prototypes there are, `with_ledger` how many members have their whole ledger (None: all),
    `cache_gib` the size of mongod's own cache.
    """
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as directory:
        place = Path(directory)
        server = await asyncio.to_thread(EmbeddedServer.start, place / "data", purpose="bench", cache_gib=cache_gib)
        try:
            database = connect(server.url, name=DATABASE)
            try:
                await database.prepare()
                text = source()
                await apply(database, text, now=datetime.now(UTC), applied_by="bench")
                (place / "programme.json").write_bytes(orjson.dumps(for_peers(read_programme(text, version=1))))
                made = await make_prototypes(database, [PURCHASES] * usual + [PURCHASES_DEEP] * DEEP_PROTOTYPES)
                made, deep_made = made[:usual], made[usual:]
                places = range(FIRST_DEEP, FIRST_DEEP + DEEP)
                deep, _ = await copy_members(database, deep_made, places=places, with_ledger=places.stop)
                key = DevelopmentKey.load(place / "data")
                kiosk_token = issue_token(key, Role.KIOSK, "bench-kiosk")
                world = World(place, server.url, server.pid, database, key, made, [], deep, kiosk_token)
                await world.grow(members, with_ledger=members if with_ledger is None else with_ledger)
                yield world
            finally:
                await database.close()
        finally:
            await asyncio.to_thread(server.stop)


async def write_peers_collections(world: World) -> None:
    """Write what only peers read: members that they may write to, and offers and rewards as collections."""
    database = world.database
    # `$out` copies within mongod.
    await (await database.members.aggregate([{"$out": PEERS_MEMBERS}])).to_list()
    told: dict[str, Any] = orjson.loads(world.programme_file.read_bytes())
    for name in ("offers", "rewards"):
        collection = database.db[f"bench_{name}"]
        await collection.drop()
        await collection.insert_many(
            [
                {**item, "_id": item["key"], "programme": PROGRAMME, "rank": place}
                for place, item in enumerate(told[name])
            ]
        )
        await collection.create_index([("programme", 1), ("rank", 1)])
