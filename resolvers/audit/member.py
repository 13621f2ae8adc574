"""Audits one member: its ledger, events and identities, and with order.py its orders, holds and codes.

The hash of a record does not cover the event in it. What a refund, an offer or the decision on a claim has amended in
it is proved by the rest of the ledger: see `loyalty/rules/refund_proof.py`, consequences.py and receipt.py.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.commands.record_event import WAIT_OPERATION
from loyalty.commands.registry import EVENT_OPERATION
from loyalty.kernel import canonical
from loyalty.model.event import PURCHASE, REFUND
from loyalty.model.ledger import Cause, Record, RecordRef
from loyalty.model.member import Member
from loyalty.rules.ledger_proof import LedgerAudit, StableCaps
from loyalty.rules.refund_proof import RefundAudit, RefundedPurchase
from loyalty.rules.tier_proof import RunningProgramme, TierAudit
from models.mongo.database import Database
from models.mongo.event import command_parts, grants_of, is_counted, shares_of
from models.mongo.ids import event_key, identity_key
from models.mongo.ledger import record_id, record_ids, record_of
from models.mongo.member import member_of
from models.mongo.snapshot import RECENT_ENTRIES_MIN, EntryView, Rows, entry_views, row_of, snapshot_of
from resolvers.audit.decode import Unreadable, decode
from resolvers.audit.order import OrdersAndCodes
from resolvers.audit.receipt import ReceiptProof
from resolvers.audit.supply import ExpectedCounters
from resolvers.core.member import SYSTEM

# Index hints: MongoDB might choose an index with which every page scans the whole collection.
_ORDERS_OF_MEMBERS = [("programme", 1), ("member", 1), ("placed_at", -1), ("_id", -1)]
_OF_MEMBERS = [("member", 1)]
PARTS_AT_ONCE = 1_000
# What the record of a command's first member says of the command and its other members.
_FIRST_FIELDS = dict.fromkeys(("key", "cause", "member", "version", "others"), 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """A version that was committed with another member's: the record of the command's first member, and its cause."""

    version: int
    first: RecordRef
    cause: Cause


class _Newest:
    """The newest entries of a ledger, as many as a snapshot can hold, and the number of all entries."""

    def __init__(self) -> None:
        self._entries_count = 0
        self._version = 0
        self._newest: deque[Record] = deque()
        self._newest_entries_count = 0

    def add(self, record: Record) -> None:
        self._version = record.version
        if not record.entries:
            return
        self._entries_count += len(record.entries)
        self._newest.append(record)
        self._newest_entries_count += len(record.entries)
        while self._newest_entries_count - len(self._newest[0].entries) >= RECENT_ENTRIES_MIN:
            self._newest_entries_count -= len(self._newest.popleft().entries)

    def faults(self, document: dict[str, Any]) -> Iterator[str]:
        """Yield the differences between a snapshot's newest entries and entry count and the ledger's."""
        if document["entries"] != self._entries_count:
            yield f"the snapshot counts {document['entries']} entries, the ledger has {self._entries_count}"
        rows = Rows(document["recent"])
        views = [view for record in reversed(self._newest) for view in reversed(entry_views(record))]
        of_version = sum(view.version == self._version for view in views)
        if len(rows) < max(min(self._entries_count, RECENT_ENTRIES_MIN), of_version) or not _same(
            rows, views, document
        ):
            yield "the newest entries in the snapshot differ from the ledger's"


def _purchase_of(event: dict[str, Any]) -> RefundedPurchase:
    cause = event["cause"]
    return RefundedPurchase(
        cause["subject"],
        cause["key"],
        event["version"],
        grants_of(event),
        shares_of(event),
        by_earlier_release="money_returned" not in event,
    )


def _same(rows: Rows, views: list[EntryView], document: dict[str, Any]) -> bool:
    newest = views[: len(rows)]
    # A different text can still have equal entries: in an earlier format, or with another zone in a moment.
    return Rows.of(map(row_of, newest)).text == rows.text or [*snapshot_of(document).recent(first=len(rows))] == newest


class MemberProof:
    """Collects all documents of one member and reports the faults among them."""

    def __init__(self, programme: str, member: str, caps: StableCaps, countries: frozenset[str | None]) -> None:
        self.records = 0
        self.orders_and_codes = OrdersAndCodes(member)
        self._member = member
        self._programme, self._countries = programme, countries
        self._proof = LedgerAudit(member, caps)
        self._refunds = RefundAudit()
        self._tier = TierAudit()
        self._newest = _Newest()
        self._identities: set[str] = set()
        self.owners: dict[str, str] = {}
        self._receipts = ReceiptProof()
        self._keys: dict[tuple[str, str, str], int] = {}
        self._found: list[str] = []
        self._waiting: set[tuple[str, str]] = set()
        self._has_ledger = False
        self.parts: list[_Part] = []

    def add_record(self, document: dict[str, Any]) -> None:
        """Add a record, and the event in it; records must come in order of version, after all orders."""
        self.records += 1
        self._has_ledger = True
        record = decode(record_of, document)
        if isinstance(record, Unreadable):
            self._found.append(f"version {document['version']} cannot be read: {record.reason}")
            return
        if document["_id"] != record_id(record.member, record.version):
            self._found.append(f"version {record.version} is stored under another id")
        self._proof.add(record)
        self._refunds.add_record(record)
        self._tier.add(record)
        self._newest.add(record)
        cause = record.cause
        if record.command is not None:
            self.parts.append(_Part(record.version, record.command, cause))
        elif cause.key or cause.role != SYSTEM:  # only the system's own commands have no key
            key = (cause.operation, cause.subject, cause.key)
            if key in self._keys:
                self._found.append(f"key {cause.key!r} is in two records")
            self._keys[key] = record.version
        if "key" in document:
            self._add_event(document)

    def add_part(self, part: _Part, first: dict[str, Any] | None) -> None:
        """Check a part of another member's command against that member's record, which owns the key."""
        command = f"version {part.version} is part of version {part.first.version} of member {part.first.member}"
        if first is None:
            self._found.append(f"{command}, which does not exist")
            return
        _, *others = command_parts(first)
        mine = [orders for member, version, orders in others if (member, version) == (self._member, part.version)]
        if "key" not in first or not mine:
            self._found.append(f"{command}, and key {part.cause.key!r} does not say so")
            return
        event = {"cause": first["cause"], "version": part.version, "orders": mine[0]}
        self.orders_and_codes.add_event(event, self._programme)

    def add_identity(self, document: dict[str, Any]) -> None:
        """Add an identity that points to the member."""
        self._identities.add(document["_id"])

    def add_receipt(self, document: dict[str, Any]) -> None:
        """Add a receipt that belongs to an event of the member."""
        self._has_ledger = True
        self._receipts.add_receipt(document)

    def _add_event(self, event: dict[str, Any]) -> None:
        """Add an event: compare its key with its record's, and its orders with the member's orders."""
        cause = event["cause"]
        operation, sender, key = cause["operation"], cause["subject"], cause["key"]
        self._keys.pop((operation, sender, key), None)
        owner = EVENT_OPERATION if operation == WAIT_OPERATION else operation
        if event["key"] != event_key(self._programme, owner, sender, key):
            self._found.append(f"version {event['version']} owns another key than that of event {key!r}")
        if not is_counted(event):
            if "waiting" in event:
                self._waiting.add((sender, key))
            return
        if "waited" in event and self._keys.pop((WAIT_OPERATION, sender, key), None) != event["waited"]:
            self._found.append(f"event {key!r} does not match the record of version {event['waited']}")
        outcome = decode(self._add_fields, event)
        if isinstance(outcome, Unreadable):
            self._found.append(f"event {key!r} cannot be read: {outcome.reason}")

    def _add_fields(self, event: dict[str, Any]) -> None:
        if "earned_on" in event:
            self._proof.add_refund(event["version"], date.fromisoformat(event["earned_on"]))
        if event.get("type") == PURCHASE:
            self._refunds.add_purchase(_purchase_of(event))
        elif event.get("type") == REFUND:
            sender = event["cause"]["subject"]
            self._refunds.add_refund(sender, event.get("ref_sender"), event["refund_of"], event["version"])
        self.orders_and_codes.add_event(event, self._programme)
        self._receipts.add_event(event)

    def faults(
        self, document: dict[str, Any] | None, forgotten: frozenset[str], running: RunningProgramme | None
    ) -> list[str]:
        """Return the faults between a member's snapshot (None: missing) and its other documents.

        `forgotten` are offers whose use the member no longer stores. Without `running`, its tier is not proved.
        """
        if document is None:
            orphans = "records or events" if self._has_ledger else "orders or codes"
            if not self._has_ledger and self.orders_and_codes.is_empty:
                orphans = "identities"
            return [f"the member does not exist, but {orphans} of it do"]
        if not self._has_ledger:
            return ["the member has no ledger"]
        found = self._found + [f"the event of key {key[2]!r} is missing" for key in self._keys]
        member = decode(member_of, document)
        if isinstance(member, Unreadable):
            return [f"the snapshot cannot be read: {member.reason}", *found, *self.orders_and_codes.found]
        newest = decode(lambda snapshot: [*self._newest.faults(snapshot)], document)
        if isinstance(newest, Unreadable):
            newest = [f"the newest entries in the snapshot cannot be read: {newest.reason}"]
        return [
            *self._proof.faults(member),
            *self._refunds.faults(),
            *self._tier.faults(member, running),
            *found,
            *newest,
            *self._identity_faults(member),
            *self._waiting_faults(member),
            *self._receipts.faults(),
            *self.orders_and_codes.faults(member, forgotten),
        ]

    def _waiting_faults(self, member: Member) -> Iterator[str]:
        """Yield the differences between the events that wait and those that the member's snapshot says wait."""
        known = {(one.sender, one.key) for one in member.waiting}
        for _, key in sorted(self._waiting - known):
            yield f"event {key!r} waits for its purchase, and the snapshot does not say so"
        for _, key in sorted(known - self._waiting):
            yield f"the snapshot says that event {key!r} waits for its purchase, and it does not"

    def _identity_faults(self, member: Member) -> Iterator[str]:
        """Yield the differences between a member's identities and its own fields, without any personal data."""
        unused = set(self._identities)
        for kind, ids in self._own_identities(member):
            found = sorted(ids & self._identities)
            unused -= {*found[:1]}
            owner = next((self.owners[id_] for id_ in sorted(ids) if id_ in self.owners), None)
            if not found and owner is not None:
                yield f"its {kind} is also that of member {owner}, who had it first; correct one of the two profiles"
            elif not found:
                yield f"no identity points from its {kind} to it"
        for id_ in sorted(unused):
            kind = id_.split("/")[1] if id_.count("/") > 1 else "unknown kind"
            yield f"an identity ({kind}) points to it, which the member does not have"

    async def read_owners(self, database: Database, document: dict[str, Any], session: AsyncClientSession) -> None:
        """Read which other members rightly have the identities that this one's fields lead to: their numbers."""
        member = decode(member_of, document)
        if isinstance(member, Unreadable):
            return
        ids = {id_ for _, own in self._own_identities(member) for id_ in own} - self._identities
        others = {
            identity["_id"]: identity["member"]
            async for identity in database.identities.find({"_id": {"$in": sorted(ids)}}, session=session)
        }
        query = {"_id": {"$in": sorted(set(others.values()))}}
        self.owners = {}
        async for found in database.members.find(query, session=session):
            other = decode(member_of, found)
            if not isinstance(other, Unreadable):
                rightly = {id_ for _, own in self._own_identities(other) for id_ in own}
                self.owners |= {id_: other.number for id_ in rightly if others.get(id_) == other.id}

    def _own_identities(self, member: Member) -> list[tuple[str, set[str]]]:
        profile = member.profile
        texts = (
            ("number", member.number),
            *(("card", card) for card in member.cards),
            ("email", profile.email),
            ("phone", profile.phone),
        )
        return [(kind, self._identity_ids(kind, text)) for kind, text in texts if text]

    def _identity_ids(self, kind: str, text: str) -> set[str]:
        """Return the identities that a text may have: a national phone number, one for each country in the files."""
        forms = {canonical.stored_identity(kind, text, country) for country in self._countries or (None,)}
        return {identity_key(self._programme, kind, form) for form in forms}


async def read_proofs(
    database: Database,
    programme: str,
    members: dict[str, str],
    *,
    caps: StableCaps,
    countries: frozenset[str | None],
    expected: ExpectedCounters | None = None,
    session: AsyncClientSession | None = None,
) -> dict[str, MemberProof]:
    """Return the collected documents by member, for the member ids that match `members` (a MongoDB filter).

    What their orders and events took from shared counters is added to `expected`.
    """
    found: dict[str, MemberProof] = {}

    def proof(document: dict[str, Any]) -> MemberProof:
        member = document["member"]
        return found.get(member) or found.setdefault(member, MemberProof(programme, member, caps, countries))

    here = {"programme": programme, "member": members}
    async for document in database.orders.find(here, hint=_ORDERS_OF_MEMBERS, session=session):
        proof(document).orders_and_codes.add_order(document)
        if expected is not None:
            expected.add_order(document)
    records = {"_id": _records_of(members), "programme": programme}
    async for document in database.records.find(records, sort=[("_id", 1)], session=session):
        proof(document).add_record(document)
        if expected is not None and "key" in document:
            expected.add_event(document)
    async for document in database.codes.find(here, hint=_OF_MEMBERS, session=session):
        proof(document).orders_and_codes.add_code(document)
    async for document in database.identities.find(here, hint=_OF_MEMBERS, session=session):
        proof(document).add_identity(document)
    async for document in database.receipts.find(here, hint=_OF_MEMBERS, session=session):
        proof(document).add_receipt(document)
    await _read_parts(database, programme, found.values(), session)
    return found


def _records_of(members: Mapping[str, str]) -> dict[str, str]:
    """Return the condition for the `_id`s of the records of some members; ids of members are of equal length."""
    match members:
        case {"$eq": member}:
            return record_ids(member)
        case {"$gt": before, "$lte": last}:
            return {"$gt": record_ids(before)["$lte"] if before else "", "$lte": record_ids(last)["$lte"]}
        case _:
            raise ValueError(f"no range of members: {members}")


async def _read_parts(
    database: Database, programme: str, proofs: Iterable[MemberProof], session: AsyncClientSession | None
) -> None:
    """Read what commands of other members say of these members' versions, wherever those members are."""
    parts = iter([(proof, part) for proof in proofs for part in proof.parts])
    while batch := [*islice(parts, PARTS_AT_ONCE)]:
        ids = [record_id(part.first.member, part.first.version) for _, part in batch]
        here = {"programme": programme, "_id": {"$in": ids}}
        found = database.records.find(here, _FIRST_FIELDS, session=session)
        firsts = {record["_id"]: record async for record in found}
        for (proof, part), id_ in zip(batch, ids, strict=True):
            proof.add_part(part, firsts.get(id_))
