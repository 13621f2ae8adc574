"""The data for live updates: one mongod, one programme, and versions of members prepared in advance.

The real code decides every version and writes its snapshot in a database that is dropped afterwards; only the encoded
documents remain. A writer then replaces member documents with them, so that all servers see the same changes at the
same rate, however fast they write themselves.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import bson

from bench.gateway import issue_token
from bench.http import BenchError
from gateway.app import running_services
from gateway.auth.development_key import DevelopmentKey
from gateway.config import Limits
from gateway.observability.metrics import Metrics
from loyalty.kernel.channel import Channel
from loyalty.model.event import PURCHASE, Event, Purchase, PurchaseLine
from models.commits.request import Committed
from models.mongo.database import Database, connect
from models.mongo.snapshot import snapshot_document
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import apply_file
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.enrol import EnrolmentInput, enrol
from resolvers.event import submit
from resolvers.imports.journey import PROGRAMME

DATABASE, MAKER = "carillon", "carillon_maker"
PROGRAMME_FILE = Path(__file__).parents[2] / "programmes" / "grocer.yaml"
IN_FLIGHT = 400


@dataclass(frozen=True, slots=True)
class World:
    """A mongod with members. `directory` has a file of versions for each; `members` are the ids, in file order."""

    directory: Path
    url: str
    mongod_pid: int
    database: Database
    key: DevelopmentKey
    members: Sequence[str]

    def token(self, member: int, device: int) -> str:
        """Return a member's token for one of its devices; each device is a subject of its own, as with real apps."""
        return issue_token(self.key, Role.MEMBER, f"device-{device}", self.members[member])


def versions_file(directory: Path, member: int) -> Path:
    """Return the file of a member's versions, oldest first."""
    return directory / f"member-{member}.bson"


def versions_of(directory: Path, member: int) -> list[bytes]:
    """Return the encoded versions of a member, oldest first. A BSON document begins with its length."""
    data = versions_file(directory, member).read_bytes()
    found, start = [], 0
    while start < len(data):
        end = start + int.from_bytes(data[start : start + 4], "little")
        found.append(data[start:end])
        start = end
    return found


@asynccontextmanager
async def running_world(versions: Sequence[int]) -> AsyncIterator[World]:
    """Start a mongod with a member for each number of prepared versions; stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as name:
        directory = Path(name)
        server = await asyncio.to_thread(EmbeddedServer.start, directory / "data", purpose="bench", cache_gib=0.5)
        try:
            database, maker = connect(server.url, name=DATABASE), connect(server.url, name=MAKER)
            try:
                text = PROGRAMME_FILE.read_text(encoding="utf-8")
                for one in (database, maker):
                    await one.prepare()
                    await apply_file(one, text, now=datetime.now(UTC), applied_by="bench")
                members = await _make(maker, directory, versions)
                await maker.client.drop_database(MAKER)
                key = DevelopmentKey.load(directory / "data")
                yield World(directory, server.url, server.pid, database, key, members)
            finally:
                await database.close()
                await maker.close()
        finally:
            await asyncio.to_thread(server.stop)


def _purchase(rng: Random, at: datetime, key: str) -> Event:
    cents = [rng.randint(100, 2_000) for _ in range(3)]
    lines = tuple(
        PurchaseLine(f"sku-{index}", Decimal(1), Decimal(amount) / 100, "BAKERY", "National")
        for index, amount in enumerate(cents)
    )
    purchase = Purchase(Decimal(sum(cents)) / 100, "USD", lines)
    return Event(key, "bench", PURCHASE, at, Channel.STORE, store="330", purchase=purchase)


async def _make(database: Database, directory: Path, versions: Sequence[int]) -> list[str]:
    rng, ids = Random(0), []
    async with running_services(database, Limits(), Metrics(), live=False) as services:
        actor = Actor(Role.SERVICE, PROGRAMME, "bench", datetime.max.replace(tzinfo=UTC))
        context = Context(services, actor)
        begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def buy(member: str, key: str) -> bytes:
            async with slots:
                return _document(await submit(context, _purchase(rng, begin, key), member))

        async def make(number: int, count: int) -> str:
            newcomer = EnrolmentInput(key=f"member-{number}", channel=Channel.STORE, first_name="Bench", locale="en")
            outcome = await enrol(context, newcomer, occurred_at=begin)
            documents = [_document(outcome)]
            member = str(bson.decode(documents[0])["_id"])
            documents += await asyncio.gather(*(buy(member, f"{number}-{n}") for n in range(count - 1)))
            # Purchases are decided concurrently, in any order.
            documents.sort(key=lambda document: int(bson.decode(document)["version"]))
            versions_file(directory, number).write_bytes(b"".join(documents))
            return member

        for first in range(0, len(versions), 50):
            some = range(first, min(first + 50, len(versions)))
            ids += await asyncio.gather(*(make(number, versions[number]) for number in some))
    return ids


def _document(outcome: object) -> bytes:
    if not isinstance(outcome, Committed):
        raise BenchError(f"a version was not committed: {outcome}")
    return bson.encode(snapshot_document(outcome.snapshot))
