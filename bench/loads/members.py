"""Members by the thousand: prototypes that the real code creates, and copies with other ids and numbers.

A prototype is enrolled and buys PURCHASES times through the committer, so its snapshot, its ledger and its identities
are what a gateway writes. A copy has the same documents with its own id and number: both have a fixed length, so the
bytes are replaced in the encoded documents, and a million members cost only their inserts. The hashes in a copy's
ledger are the prototype's, so `carillon audit` fails for copies; serving does not read them. Copies have no events:
only a repeated key would need them, and no load repeats one.
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
from loyalty.model.consent import ConsentPurpose
from loyalty.model.event import PURCHASE, Event, Purchase, PurchaseLine
from models.commits.request import Committed
from models.mongo.database import Database
from models.mongo.ids import identity_key
from models.mongo.snapshot import RECENT_ENTRIES_MIN
from resolvers.consent import set_consents
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.core.member import MemberKey
from resolvers.enrol import EnrolmentInput, enrol
from resolvers.event import submit
from resolvers.imports.journey import PROGRAMME

PROTOTYPES = 200
PURCHASES, PURCHASES_DEEP = 25, 60
DAYS = 300
"""Purchases are spread over this many days before today: none of their points expires within two months."""
LINES_MAX = 9
BATCH = 2_000
SUBJECT = "bench-maker"
ID_LENGTH = 24
FIRST_COPY, FIRST_PROTOTYPE = 100_000, 987_650_000
"""The first nine digits of the first copy's number, and of the first prototype's: no other member has these."""
FIRST_DEEP = 500_000_000
"""The index of the first copy with a long ledger."""
_NAMES = ("Amal", "Bruno", "Chloé", "Dounia", "Émile", "Farah", "Gil", "Hana", "Inès", "Jad", "Karim", "Léa", "Maya")


@dataclass(frozen=True, slots=True)
class StoredMember:
    """A member in the database. `versions` is its version at insertion."""

    id: str
    number: str
    versions: int


@dataclass(frozen=True, slots=True)
class Prototype:
    """The encoded documents of one member, and the id and number that a copy replaces in them."""

    id: bytes
    number: bytes
    versions: int
    member: bytes
    records: tuple[bytes, ...]

    def copied(self, document: bytes, member: bytes, number: bytes) -> RawBSONDocument:
        """Return a document with another id and number, which must have the length of the prototype's."""
        return RawBSONDocument(document.replace(self.id, member).replace(self.number, number))


def copy_id(index: int) -> str:
    """Return the id of a copy by its index from 0, in the form of an ObjectId."""
    return f"{0xC0FFEE:08x}{index:016x}"


def _purchase(rng: Random, size: float, at: datetime, key: str) -> Event:
    """Return a purchase; `size` scales the amounts, 1 is average."""
    lines = []
    for _ in range(rng.randint(2, LINES_MAX)):
        article = rng.randrange(1_000)
        amount = Decimal(round(rng.uniform(100, 1_600) * size)) / 100
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


def _moments(rng: Random, until: datetime, purchases: int) -> list[datetime]:
    """Return the moments of a prototype's enrolment and purchases, in order."""
    seconds = sorted(rng.randrange(DAYS * 86_400) for _ in range(purchases + 1))
    first = until - timedelta(days=DAYS)
    return [first + timedelta(seconds=second) for second in seconds]


async def _make_one(context: Context, index: int, purchases: int) -> str:
    rng = Random(index)
    enrolled_at, *bought_at = _moments(rng, context.now().replace(microsecond=0), purchases)
    newcomer = EnrolmentInput(
        key=f"prototype-{index}",
        channel=Channel.STORE,
        first_name=rng.choice(_NAMES),
        last_name=f"Prototype {index}",
        locale="en",
        birth_date=enrolled_at.date().replace(year=1960 + index % 40, day=1),
    )
    outcome = await enrol(
        context, newcomer, occurred_at=enrolled_at, random_below=lambda _below: FIRST_PROTOTYPE + index
    )
    if not isinstance(outcome, Committed):
        raise BenchError(f"prototype {index} was not enrolled: {outcome}")
    member = outcome.snapshot.member.id
    # Without consent to personalisation, ranking looks at nothing that the member bought.
    consents = ((ConsentPurpose.PERSONALISATION, None, True),)
    key = MemberKey("id", member)
    if not isinstance(await set_consents(context, key=newcomer.key, member=key, consents=consents), Committed):
        raise BenchError(f"the consent of prototype {index} was not committed")
    size = 0.5 * rng.paretovariate(2)
    for turn, at in enumerate(bought_at):
        submitted = await submit(context, _purchase(rng, size, at, f"receipt-{index}-{turn}"), member)
        if not isinstance(submitted, Committed):
            raise BenchError(f"a purchase of prototype {index} was not committed: {submitted}")
    return member


async def _make_all(services: Services, purchases: Sequence[int]) -> list[str]:
    context = Context(services, Actor(Role.SERVICE, PROGRAMME, SUBJECT, datetime.max.replace(tzinfo=UTC)))
    return await asyncio.gather(*(_make_one(context, index, count) for index, count in enumerate(purchases)))


async def _encoded(database: Database, member: str) -> Prototype:
    document = await database.members.find_one({"_id": member})
    records = await database.records.find({"member": member}, sort=[("version", 1)]).to_list()
    if document is None or len(member) != ID_LENGTH or document["entries"] <= RECENT_ENTRIES_MIN:
        raise BenchError(f"prototype {member} is missing, or has an id of the wrong length or too few entries")
    return Prototype(
        id=member.encode(),
        number=document["number"].encode(),
        versions=document["version"],
        member=bson.encode(document),
        # With the id in its key, so that each copy has a key of its own.
        records=tuple(
            bson.encode({**record, "key": f"{record['key']}-{member}"} if "key" in record else record)
            for record in records
        ),
    )


async def make_prototypes(database: Database, purchases: Sequence[int]) -> list[Prototype]:
    """Create a prototype for each number of purchases, in a prepared database with an applied programme."""
    async with running_services(database, Limits(), Metrics(), live=False) as services:
        members = await _make_all(services, purchases)
    return [await _encoded(database, member) for member in members]


def _identity(number: str, member: str) -> dict[str, Any]:
    return {"_id": identity_key(PROGRAMME, "number", number), "programme": PROGRAMME, "member": member}


async def copy_members(
    database: Database, prototypes: Sequence[Prototype], *, indexes: range, with_ledger: int
) -> tuple[list[StoredMember], float]:
    """Insert a copy for each index in `indexes`, of the prototypes in turn, with its ledger if below `with_ledger`.

    Returns the members and the seconds that it took.
    """
    started = time.perf_counter()
    copies: list[StoredMember] = []
    for batch in _batches(indexes):
        members, identities, records = [], [], []
        for index in batch:
            prototype = prototypes[index % len(prototypes)]
            member, number = copy_id(index), number_from(FIRST_COPY + index)
            id_bytes, number_bytes = member.encode(), number.encode()
            members.append(prototype.copied(prototype.member, id_bytes, number_bytes))
            identities.append(_identity(number, member))
            if index < with_ledger:
                records += [prototype.copied(record, id_bytes, number_bytes) for record in prototype.records]
            copies.append(StoredMember(member, number, prototype.versions))
        await asyncio.gather(
            _insert(database.members, members),
            _insert(database.identities, identities),
            _insert_in_parts(database, records),
        )
    return copies, time.perf_counter() - started


def _batches(indexes: range) -> Iterator[range]:
    for first in range(indexes.start, indexes.stop, BATCH):
        yield range(first, min(first + BATCH, indexes.stop))


async def _insert(collection: AsyncCollection[Any], documents: Sequence[Any]) -> None:
    if documents:
        # Validators have checked the prototypes; a copy differs only in its id and number.
        await collection.insert_many(documents, ordered=False, bypass_document_validation=True)


async def _insert_in_parts(database: Database, records: list[RawBSONDocument]) -> None:
    for first in range(0, len(records), BATCH):
        await _insert(database.records, records[first : first + BATCH])
