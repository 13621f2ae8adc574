"""The audit: proves on the live database that every point is accounted for. A stream, in bounded memory.

Members are read in pages by id; the ledger, the events, the orders, the codes and the identities of the same range of
ids are streamed beside them. Gateways may go on writing: a member that moved on while its page was read is read again
before anything is said about it, and so is what members share, where it does not stand at what they, their orders and
purchases say.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from loyalty.model.ledger import Account
from loyalty.model.member import Member
from loyalty.rules.ledger_proof import NO_CAPS
from models.definitions.catalogue_file import Kind
from models.mongo.database import Database
from models.mongo.member import member_of
from models.programmes.catalogue_history import PastCatalogue
from resolvers.audit.decode import read
from resolvers.audit.member import MemberProof, read_proofs
from resolvers.audit.supply import BrokenSupply, Reckoning, broken_codes, is_forgettable, reckoned_again, stands

PAGE = 200
FAULTS_KEPT_MAX = 100
_ID_MIN, _ID_MAX = "", "\uffff"


@dataclass(frozen=True, slots=True)
class Broken:
    """A member for whom something does not hold, and what."""

    member: str
    number: str
    faults: tuple[str, ...]


@dataclass(slots=True)
class Findings:
    """What an audit found. `broken` keeps the first FAULTS_KEPT_MAX members, `broken_count` counts all.

    `broken_supplies` are as many counters and codes that do not hold, `broken_supply_count` counts all of them.
    `overruns` are as many offers by whose uses their budget was outrun, each with by how much, in points or hundredths
    of the currency's unit: that is told, and no fault.
    """

    members: int = 0
    records: int = 0
    orders: int = 0
    holds: int = 0
    codes: int = 0
    counters: int = 0
    balances: dict[Account, int] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    broken_count: int = 0
    broken_supplies: list[BrokenSupply] = field(default_factory=list)
    broken_supply_count: int = 0
    overruns: dict[str, int] = field(default_factory=dict)

    @property
    def all_holds(self) -> bool:
        """Whether nothing was found that does not hold."""
        return not (self.broken_count or self.broken_supply_count)

    def add(self, broken: Broken) -> None:
        """Note a broken member."""
        self.broken_count += 1
        if len(self.broken) < FAULTS_KEPT_MAX:
            self.broken.append(broken)

    def add_supply(self, broken: BrokenSupply) -> None:
        """Note a counter or a code that does not hold."""
        self.broken_supply_count += 1
        if len(self.broken_supplies) < FAULTS_KEPT_MAX:
            self.broken_supplies.append(broken)


async def audit(
    database: Database, *, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Findings:
    """Prove that every point is accounted for, and all that points and offers gave.

    For every member: conservation, lots = balance, a record for each version, the hash chain, events once; the newest
    entries and their number, caps and write-offs as the ledger gives them (`loyalty/rules/ledger_proof.py` says how far
    that goes); number, cards, e-mail and phone lead to the member, and nothing else does; holds = held and orders =
    redeemed; each order made by a counted event, in a state that its pieces and points bear out; each code in one
    place. For what members share: what is counted = what orders, holds, offers and purchases say, as far as
    `resolvers/audit/supply.py` can prove it. `on_progress` is told how many members are done, and of about how many.
    """
    findings = Findings()
    total = await database.members.estimated_document_count()
    for programme in await _programmes(database):
        one = _Audit(database, programme, findings)
        await one.begin()
        last = _ID_MIN
        while True:
            page = await database.members.find(
                {"programme": programme, "_id": {"$gt": last}}, sort=[("_id", 1)], limit=PAGE
            ).to_list()
            first, last = last, page[-1]["_id"] if page else _ID_MAX
            await one.audit_page(page, {"$gt": first, "$lte": last})
            on_progress(findings.members, max(total, findings.members))
            if not page:
                break
        await one.audit_counters()
        await one.audit_codes()
    return findings


async def _programmes(database: Database) -> list[str]:
    """Return every programme that anything is there of: a lost member must not hide what it left."""
    left = (database.members, database.entries, database.events, database.orders, database.codes, database.counters)
    found = await asyncio.gather(
        *(collection.distinct("programme") for collection in left), _programmes_of_identities(database)
    )
    return sorted({key for keys in found for key in keys})


async def _programmes_of_identities(database: Database) -> list[str]:
    """Return the programmes of identities: no index of theirs begins with the programme, but their `_id`s do."""
    keys: list[str] = []
    after = ""
    while (
        identity := await database.identities.find_one({"_id": {"$gt": after}}, {"programme": 1}, sort=[("_id", 1)])
    ) is not None:
        keys.append(identity["programme"])
        after = f"{identity['_id'].partition('/')[0]}0"  # which comes after every `_id` of that programme
    return keys


class _Audit:
    """The audit of one programme: adds to the findings, and adds up what its shared counters should be."""

    def __init__(self, database: Database, programme: str, findings: Findings) -> None:
        self._db, self._programme, self._findings = database, programme, findings
        self._past = PastCatalogue(database, programme)
        self._caps = NO_CAPS
        self._reckoning = Reckoning()

    async def begin(self) -> None:
        """Read what the programme has said of caps so far."""
        self._caps = await self._past.caps()

    async def audit_page(self, page: list[dict[str, Any]], ids: dict[str, str]) -> None:
        """Audit the members of a page, and whatever else there is of members in that range of ids."""
        members = {document["_id"]: document for document in page}
        found = await read_proofs(self._db, self._programme, ids, caps=self._caps, reckoning=self._reckoning)
        for id_ in sorted(members.keys() | found.keys()):
            document, proof = members.get(id_), found.get(id_)
            if proof is not None:
                self._findings.records += proof.records
                self._findings.orders += proof.shopping.orders
            faults = await self._faults(id_, document, proof)
            if faults:
                self._findings.add(Broken(id_, document["number"] if document else "?", tuple(faults)))
            if document is not None:
                self._count(document)

    def _count(self, document: dict[str, Any]) -> None:
        findings = self._findings
        findings.members += 1
        self._reckoning.add_member(document)
        member = read(member_of, document)
        if isinstance(member, Member):
            findings.holds += len(member.holds)
            for account, points in member.balances.items():
                findings.balances[account] = findings.balances.get(account, 0) + points

    async def _faults(self, id_: str, document: dict[str, Any] | None, proof: MemberProof | None) -> list[str]:
        """Return what does not hold for a member; one that moved on while it was read is read again, at one moment."""
        if not await self._compared(id_, document, proof):
            return []
        async with self._db.client.start_session(snapshot=True) as session:
            document = await self._db.members.find_one({"_id": id_}, session=session)
            again = await read_proofs(self._db, self._programme, {"$eq": id_}, caps=self._caps, session=session)
        return await self._compared(id_, document, again.get(id_))

    async def _compared(self, id_: str, document: dict[str, Any] | None, proof: MemberProof | None) -> list[str]:
        proof = proof or MemberProof(self._programme, id_, NO_CAPS)
        if document is None:
            return proof.faults(None, frozenset())
        # What a member did with an offer is forgotten when the member changes, not before.
        changed_at = document.get("recorded_at")
        offers = {*proof.shopping.offers_with_codes()} if isinstance(changed_at, datetime) else set()
        definitions = await self._past.definitions(Kind.OFFER, offers) if offers else {}
        moment = changed_at if isinstance(changed_at, datetime) else datetime.max.replace(tzinfo=UTC)
        return proof.faults(
            document, frozenset(key for key, said in definitions.items() if is_forgettable(said, moment))
        )

    async def audit_counters(self) -> None:
        """Audit the counters. Those that other processes moved meanwhile are reckoned again, at one moment."""
        suspects: set[str] = set()
        async for stand in stands(self._db, self._past, self._programme, self._reckoning):
            self._findings.counters += 1
            if stand.counter is not None and stand.overrun and len(self._findings.overruns) < FAULTS_KEPT_MAX:
                self._findings.overruns[f"{self._programme}/{stand.counter.key}"] = stand.overrun
            if stand.broken is not None and stand.counter is not None:
                suspects.add(stand.counter.key)
            elif stand.broken is not None:
                self._findings.add_supply(stand.broken)
        if not suspects:
            return
        async with self._db.client.start_session(snapshot=True) as session:
            again = await reckoned_again(self._db, self._programme, suspects, session)
            found = stands(self._db, self._past, self._programme, again, session=session, only=suspects)
            async for stand in found:
                if stand.broken is not None and stand.counter is not None:
                    self._findings.add_supply(stand.broken)

    async def audit_codes(self) -> None:
        """Audit the codes of all pools, beside what the audit of each member says of the member's own."""
        self._findings.codes += await self._db.codes.count_documents({"programme": self._programme})
        async for broken in broken_codes(self._db, self._programme):
            self._findings.add_supply(broken)
