"""The audit: checks on the live database that every point is accounted for, streaming in bounded memory.

Members are read in pages by id; the ledger, events, orders, codes and identities of the same range of ids are streamed
beside them. Gateways can keep writing: before a fault is reported, the member, or the shared counter, is read again in
one snapshot.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from loyalty.model.ledger import Account
from loyalty.model.member import Member
from loyalty.rules.ledger_proof import NO_CAPS
from loyalty.rules.tier_proof import RunningProgramme
from models.definitions.catalogue_file import ItemKind
from models.migrations.events_in_ledger import former_events
from models.mongo.collection import Collection
from models.mongo.database import Database
from models.mongo.member import member_of
from models.programmes.catalogue_history import CatalogueHistory
from resolvers.audit.activity import check_activity
from resolvers.audit.decode import decode
from resolvers.audit.member import MemberProof, read_proofs
from resolvers.audit.supply import (
    BrokenSupply,
    ExpectedCounters,
    ambiguous_codes,
    broken_codes,
    check_counters,
    is_forgettable,
    reread_expected,
)
from resolvers.audit.waiting import AuditedWaiting, audit_waiting

PAGE = 200
FAULTS_REPORTED_MAX = 100
_FORMER_EVENT = "no record of member {member} has it, as stored by an earlier release; run `carillon migrate`"
_ID_MIN, _ID_MAX = "", "\uffff"


@dataclass(frozen=True, slots=True)
class BrokenMember:
    """A member with its faults, each a sentence."""

    member: str
    number: str
    faults: tuple[str, ...]


@dataclass(slots=True)
class Findings:
    """The result of an audit.

    `members_with_faults` and `supplies_with_faults` (counters and codes) have the first FAULTS_REPORTED_MAX of them;
    `members_with_faults_count` and `supplies_with_faults_count` count all. `budget_overruns` has the first
    FAULTS_REPORTED_MAX offers whose uses exceeded their budget, and by how much, in points or the
    programme's `BudgetUnit`: they are reported and are not faults. `waiting` counts the events that wait for their
    purchase, `waiting_events` has the first FAULTS_REPORTED_MAX of them.
    """

    members: int = 0
    records: int = 0
    orders: int = 0
    holds: int = 0
    codes: int = 0
    counters: int = 0
    balances: dict[Account, int] = field(default_factory=dict)
    members_with_faults: list[BrokenMember] = field(default_factory=list)
    members_with_faults_count: int = 0
    supplies_with_faults: list[BrokenSupply] = field(default_factory=list)
    supplies_with_faults_count: int = 0
    budget_overruns: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    waiting_events: list[AuditedWaiting] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether the audit found no fault."""
        return not (self.members_with_faults_count or self.supplies_with_faults_count)

    def add(self, broken: BrokenMember) -> None:
        """Add a member with faults."""
        self.members_with_faults_count += 1
        if len(self.members_with_faults) < FAULTS_REPORTED_MAX:
            self.members_with_faults.append(broken)

    def add_waiting(self, found: AuditedWaiting) -> None:
        """Add an event that waits; it is a fault of its member if its purchase is recorded."""
        self.waiting += 1
        if len(self.waiting_events) < FAULTS_REPORTED_MAX:
            self.waiting_events.append(found)
        if found.fault is not None:
            self.add(BrokenMember(found.member, found.number, (found.fault,)))

    def add_supply(self, broken: BrokenSupply) -> None:
        """Add a counter or a code with faults."""
        self.supplies_with_faults_count += 1
        if len(self.supplies_with_faults) < FAULTS_REPORTED_MAX:
            self.supplies_with_faults.append(broken)


async def audit(
    database: Database, *, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Findings:
    """Check that every point, order, code and shared counter is accounted for; return the findings.

    For every member: conservation, lots = balance, a record for each version, the hash chain, each event recorded once;
    each part of another member's command next to that member's record and the key that owns it;
    newest entries, entry count, caps and write-offs equal to the ledger's (see `loyalty/rules/ledger_proof.py` for
    the limits of that); the tier that its points reach (`tier_proof.py`); each receipt belongs to one event, and
    claims give nothing; identities exactly those of the member's number, cards, e-mail and phone; holds = held and
    orders = redeemed; each order created by a recorded event, in a state that agrees with its pieces and points;
    each used voucher used by exactly one recorded event; each code in one place; uses of offers equal to those that
    events took and have not restored; with every purchase returned whole, all that followed from it reversed; no
    event waits whose purchase is recorded. For shared counters: the count equals that of orders, holds, offers and
    purchases, as far as `resolvers/audit/supply.py` can check it; for those of limited activity, it is no more than
    the ledger holds.
    `on_progress` gets the members done and the approximate total.
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
        async for waiting in audit_waiting(database, programme):
            findings.add_waiting(waiting)
    async for event in former_events(database).find({}, {"member": 1}):
        findings.add_supply(BrokenSupply(f"event {event['_id']}", (_FORMER_EVENT.format(member=event["member"]),)))
    return findings


async def _programmes(database: Database) -> list[str]:
    """Return the programmes of all collections, so that the documents of a lost member are found too."""
    collections = (
        database.members,
        database.orders,
        database.codes,
        database.counters,
        database.receipts,
    )
    found = await asyncio.gather(
        *(collection.distinct("programme") for collection in collections),
        _programmes_by_prefix(database.identities, "_id"),
        _programmes_by_prefix(database.records, "key"),
    )
    return sorted({key for keys in found for key in keys})


async def _programmes_by_prefix(collection: Collection, field: str) -> list[str]:
    """Return the programmes of a collection by skipping through an indexed field, which begins with the programme."""
    keys: list[str] = []
    after = ""
    fields = {"programme": 1, field: 1}
    while (found := await collection.find_one({field: {"$gt": after}}, fields, sort=[(field, 1)])) is not None:
        keys.append(found["programme"])
        after = f"{found[field].partition('/')[0]}0"  # "0" is the character after "/"
    return keys


class _Audit:
    """The audit of one programme: adds to the findings, and sums up the expected values of its shared counters."""

    def __init__(self, database: Database, programme: str, findings: Findings) -> None:
        self._db, self._programme, self._findings = database, programme, findings
        self._past = CatalogueHistory(database, programme)
        self._caps = NO_CAPS
        self._countries: frozenset[str | None] = frozenset()
        self._running: RunningProgramme | None = None
        self._expected = ExpectedCounters()

    async def begin(self) -> None:
        """Read the caps and countries of all versions of the programme, and the newest version."""
        self._caps, self._countries = await self._past.caps(), await self._past.countries()
        self._running = await self._past.running()

    async def audit_page(self, page: list[dict[str, Any]], ids: dict[str, str]) -> None:
        """Audit the members of a page, and all documents of members in that range of ids."""
        members = {document["_id"]: document for document in page}
        found = await read_proofs(
            self._db, self._programme, ids, caps=self._caps, countries=self._countries, expected=self._expected
        )
        for id_ in sorted(members.keys() | found.keys()):
            document, proof = members.get(id_), found.get(id_)
            if proof is not None:
                self._findings.records += proof.records
                self._findings.orders += proof.orders_and_codes.orders
            faults = await self._faults(id_, document, proof)
            if faults:
                self._findings.add(BrokenMember(id_, document["number"] if document else "?", tuple(faults)))
            if document is not None:
                self._count(document)

    def _count(self, document: dict[str, Any]) -> None:
        findings = self._findings
        findings.members += 1
        self._expected.add_member(document)
        member = decode(member_of, document)
        if isinstance(member, Member):
            findings.holds += len(member.holds)
            for account, points in member.balances.items():
                findings.balances[account] = findings.balances.get(account, 0) + points

    async def _faults(self, id_: str, document: dict[str, Any] | None, proof: MemberProof | None) -> list[str]:
        """Return a member's faults; one with faults is read again in one snapshot first, as it may have changed."""
        if not await self._compare(id_, document, proof):
            return []
        async with self._db.client.start_session(snapshot=True) as session:
            document = await self._db.members.find_one({"_id": id_}, session=session)
            again = await read_proofs(
                self._db, self._programme, {"$eq": id_}, caps=self._caps, countries=self._countries, session=session
            )
            proof = again.get(id_)
            if proof is not None and document is not None:
                await proof.read_owners(self._db, document, session)
        return await self._compare(id_, document, proof)

    async def _compare(self, id_: str, document: dict[str, Any] | None, proof: MemberProof | None) -> list[str]:
        proof = proof or MemberProof(self._programme, id_, NO_CAPS, self._countries)
        if document is None:
            return proof.faults(None, frozenset(), None)
        # A member's use of an old offer is dropped when the member changes, not before.
        changed_at = document.get("recorded_at")
        offers = {*proof.orders_and_codes.offers_with_codes()} if isinstance(changed_at, datetime) else set()
        member = decode(member_of, document)
        if isinstance(member, Member):
            offers |= {*proof.orders_and_codes.consequences.forgotten_offers(member)}
        definitions = await self._past.definitions(ItemKind.OFFER, offers) if offers else {}
        moment = changed_at if isinstance(changed_at, datetime) else datetime.max.replace(tzinfo=UTC)
        forgotten = frozenset(key for key, past in definitions.items() if is_forgettable(past, moment))
        return proof.faults(document, forgotten, self._running)

    async def audit_counters(self) -> None:
        """Audit the counters. Read those with faults again in one snapshot: other processes may have changed them."""
        suspects: set[str] = set()
        async for check in check_counters(self._db, self._past, self._programme, self._expected):
            self._findings.counters += 1
            if (
                check.counter is not None
                and check.overrun
                and len(self._findings.budget_overruns) < FAULTS_REPORTED_MAX
            ):
                self._findings.budget_overruns[f"{self._programme}/{check.counter.key}"] = check.overrun
            if check.broken is not None and check.counter is not None:
                suspects.add(check.counter.key)
            elif check.broken is not None:
                self._findings.add_supply(check.broken)
        async for broken in check_activity(self._db, self._programme):
            self._findings.counters += 1
            if broken is not None:
                self._findings.add_supply(broken)
        if not suspects:
            return
        async with self._db.client.start_session(snapshot=True) as session:
            again = await reread_expected(self._db, self._programme, suspects, session)
            found = check_counters(self._db, self._past, self._programme, again, session=session, only=suspects)
            async for check in found:
                if check.broken is not None and check.counter is not None:
                    self._findings.add_supply(check.broken)

    async def audit_codes(self) -> None:
        """Audit the codes of all pools; the audit of each member checks the member's own codes."""
        self._findings.codes += await self._db.codes.count_documents({"programme": self._programme})
        for check in (broken_codes, ambiguous_codes):
            async for broken in check(self._db, self._programme):
                self._findings.add_supply(broken)
