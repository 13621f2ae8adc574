"""Members by the thousand: some made by the real code, the others copies of them under other ids and numbers.

A prototype is enrolled and buys PURCHASES times through the committer, so its snapshot, its ledger and its identities
are what a gateway writes. A copy has the same documents with its own id and number in them: both have a fixed length,
so the bytes are exchanged in the encoded documents, and a million members are a matter of inserting. What is hashed in
a copy's ledger is still the prototype's, so `carillon audit` does not hold for copies; nothing that serves looks at it.
Copies have no events: only the first answer to a repeated key would look for them, and no load repeats one.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection

from bench.http import BenchError
from bench.programme import CATEGORIES
from gateway.app import running_services
from gateway.config import Limits
from gateway.observability.metrics import Metrics
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.model.event import PURCHASE, Event, Purchase, PurchaseLine
from models.commits.request import Committed
from models.mongo.database import Database
from models.mongo.ids import identity_key
from models.mongo.snapshot import RECENT_ENTRIES
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.enrol import Newcomer, enrol
from resolvers.event import submit
from resolvers.imports.journey import PROGRAMME

PROTOTYPES = 200
PURCHASES, PURCHASES_DEEP = 25, 60
DAYS = 300
"""Over how many days before today the purchases are spread: none of their points expires within two months."""
LINES_MAX = 9
BATCH = 2_000
SUBJECT = "bench-maker"
ID_LENGTH = 24
FIRST_COPY, FIRST_PROTOTYPE = 100_000, 987_650_000
"""The first nine digits of the first copy's number, and of the first prototype's: digits that nothing else has."""
FIRST_DEEP = 500_000_000
"""The place of the first copy with a long ledger."""
_NAMES = ("Amal", "Bruno", "Chloé", "Dounia", "Émile", "Farah", "Gil", "Hana", "Inès", "Jad", "Karim", "Léa", "Maya")


@dataclass(frozen=True, slots=True)
class Known:
    """A member that is there to be asked for. `versions` is how many changes it has had when it was made."""

    id: str
    number: str
    versions: int


@dataclass(frozen=True, slots=True)
class Prototype:
    """The encoded documents of one member, by what is exchanged in a copy: its id and its number."""

    id: bytes
    number: bytes
    versions: int
    member: bytes
    records: tuple[bytes, ...]

    def copied(self, document: bytes, member: bytes, number: bytes) -> RawBSONDocument:
        """Return a document with another id and number in it, as long as the ones it had."""
        return RawBSONDocument(document.replace(self.id, member).replace(self.number, number))


def copy_id(place: int) -> str:
    """Return the id of the copy at a place, 0 upwards: of the form that ObjectId gives."""
    return f"{0xC0FFEE:08x}{place:016x}"


def _purchase(chance: Random, size: float, at: datetime, key: str) -> Event:
    """Return a purchase; `size` says how much this member spends, 1 for an average one."""
    lines = []
    for _ in range(chance.randint(2, LINES_MAX)):
        article = chance.randrange(1_000)
        amount = Decimal(round(chance.uniform(100, 1_600) * size)) / 100
        brand = "Private" if article % 3 == 0 else "National"
        lines.append(PurchaseLine(f"sku-{article}", Decimal(1), amount, CATEGORIES[article % len(CATEGORIES)], brand))
    total = sum((line.amount for line in lines), Decimal(0))
    return Event(
        key=key,
        sender=SUBJECT,
        type=PURCHASE,
        occurred_at=at,
        channel=Channel.STORE,
        store="330",
        purchase=Purchase(total, "USD", tuple(lines)),
    )


def _moments(chance: Random, until: datetime, purchases: int) -> list[datetime]:
    """Return when a prototype was enrolled and bought, in order."""
    seconds = sorted(chance.randrange(DAYS * 86_400) for _ in range(purchases + 1))
    first = until - timedelta(days=DAYS)
    return [first + timedelta(seconds=second) for second in seconds]


async def _make_one(context: Context, place: int, purchases: int) -> str:
    chance = Random(place)
    enrolled_at, *bought_at = _moments(chance, context.now().replace(microsecond=0), purchases)
    newcomer = Newcomer(
        key=f"prototype-{place}",
        channel=Channel.STORE,
        first_name=chance.choice(_NAMES),
        last_name=f"Prototype {place}",
        locale="en",
        birth_date=enrolled_at.date().replace(year=1960 + place % 40, day=1),
    )
    outcome = await enrol(context, newcomer, occurred_at=enrolled_at, draw=lambda _below: FIRST_PROTOTYPE + place)
    if not isinstance(outcome, Committed):
        raise BenchError(f"prototype {place} was not enrolled: {outcome}")
    member = outcome.snapshot.member.id
    size = 0.5 * chance.paretovariate(2)
    for turn, at in enumerate(bought_at):
        counted = await submit(context, _purchase(chance, size, at, f"receipt-{place}-{turn}"), member)
        if not isinstance(counted, Committed):
            raise BenchError(f"a purchase of prototype {place} was not counted: {counted}")
    return member


async def _make_prototypes(services: Services, purchases: Sequence[int]) -> list[str]:
    context = Context(services, Actor(Role.SERVICE, PROGRAMME, SUBJECT, datetime.max.replace(tzinfo=UTC)))
    return await asyncio.gather(*(_make_one(context, place, count) for place, count in enumerate(purchases)))


async def _encoded(database: Database, member: str) -> Prototype:
    document = await database.members.find_one({"_id": member})
    records = await database.entries.find({"member": member}, sort=[("version", 1)]).to_list()
    if document is None or len(member) != ID_LENGTH or document["entries"] <= RECENT_ENTRIES:
        raise BenchError(f"prototype {member} is not what a prototype has to be")
    return Prototype(
        id=member.encode(),
        number=document["number"].encode(),
        versions=document["version"],
        member=bson.encode(document),
        records=tuple(bson.encode(record) for record in records),
    )


async def prototypes(database: Database, purchases: Sequence[int]) -> list[Prototype]:
    """Make a prototype for each number of purchases, in a prepared database whose programme is applied."""
    async with running_services(database, Limits(), Metrics(), live=False) as services:
        made = await _make_prototypes(services, purchases)
    return [await _encoded(database, member) for member in made]


def _identity(number: str, member: str) -> dict[str, Any]:
    return {"_id": identity_key(PROGRAMME, "number", number), "programme": PROGRAMME, "member": member}


async def copy(
    database: Database, made: Sequence[Prototype], *, places: range, with_ledger: int
) -> tuple[list[Known], float]:
    """Insert a copy for each place, in turn of the prototypes; the ledger too for places below `with_ledger`.

    Returns the members and how many seconds it took.
    """
    started = time.perf_counter()
    known: list[Known] = []
    for batch in _batches(places):
        members, identities, records = [], [], []
        for place in batch:
            prototype, member, number = made[place % len(made)], copy_id(place), number_from(FIRST_COPY + place)
            id_bytes, number_bytes = member.encode(), number.encode()
            members.append(prototype.copied(prototype.member, id_bytes, number_bytes))
            identities.append(_identity(number, member))
            if place < with_ledger:
                records += [prototype.copied(record, id_bytes, number_bytes) for record in prototype.records]
            known.append(Known(member, number, prototype.versions))
        await asyncio.gather(
            _insert(database.members, members),
            _insert(database.identities, identities),
            _insert_in_parts(database, records),
        )
    return known, time.perf_counter() - started


def _batches(places: range) -> Iterator[range]:
    for first in range(places.start, places.stop, BATCH):
        yield range(first, min(first + BATCH, places.stop))


async def _insert(collection: AsyncCollection[Any], documents: Sequence[Any]) -> None:
    if documents:
        # Validators have seen the prototypes, and a copy differs in an id and a number.
        await collection.insert_many(documents, ordered=False, bypass_document_validation=True)


async def _insert_in_parts(database: Database, records: list[RawBSONDocument]) -> None:
    for first in range(0, len(records), BATCH):
        await _insert(database.entries, records[first : first + BATCH])
